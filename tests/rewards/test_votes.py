"""Several judges and one verdict; thoughts; what a group is paid for where it does not succeed."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from guerdon.batch import Batch, Column
from guerdon.errors import ColumnError, LevelError, ShapeError
from guerdon.rewards import broadcast, fact, gate, mean, uniform
from guerdon.rewards.votes import (
    Intersection,
    Majority,
    Share,
    Union,
    group_mean,
    merge_runs,
    otherwise,
    rising,
    thoughts,
    verdict,
    weighted,
)
from strategies import ragged_batches

VOTES = (Intersection(), Majority(), Union(), Share())
OUTCOME, SCORE = fact("outcome"), fact("step_score")


def votes(rows) -> Batch:
    """One play, one row of votes a step."""
    batch = Batch.from_steps(group=[0] * len(rows), trajectory=[0] * len(rows), reward=[0.0] * len(rows))
    return batch.with_columns(wrong_votes=Column("step", np.array(rows, float), np.ones(len(rows), bool)))


# Votes.


@given(ragged_batches())
def test_votes_slowly(batch):
    column = batch["wrong_votes"]
    said = [verdict("wrong_votes", vote)(batch) for vote in VOTES]
    for step in np.flatnonzero(column.valid):
        own = column.values[step].tolist()
        expected = (all(own), 2 * sum(own) >= len(own), any(own), sum(own) / len(own))
        assert [v.values[step] for v in said] == [float(x) for x in expected]
    assert all((v.valid == column.valid).all() for v in said)


@given(ragged_batches())
def test_the_rules_stand_in_order_and_the_order_of_judges_does_not_matter(batch):
    every, most, some, share = (verdict("wrong_votes", vote)(batch).filled(0.0) for vote in VOTES)
    assert (every <= most).all() and (most <= some).all() and (every <= share).all() and (share <= some).all()
    turned = batch.with_columns(
        wrong_votes=Column("step", batch["wrong_votes"].values[:, ::-1], batch["wrong_votes"].valid)
    )
    for vote in VOTES:
        a, b = verdict("wrong_votes", vote)(batch), verdict("wrong_votes", vote)(turned)
        assert a.filled(0.0).tolist() == b.filled(0.0).tolist()


@given(ragged_batches())
def test_one_judge_is_every_rule(batch):
    one = Column("step", batch["wrong_votes"].values[:, :1], batch["wrong_votes"].valid)
    said = {tuple(verdict("wrong_votes", vote)(batch.with_columns(wrong_votes=one)).tolist()) for vote in VOTES}
    assert said == {tuple(Column("step", one.values[:, 0], one.valid).tolist())}


def test_a_tie_is_a_yes_for_the_majority():
    assert verdict("wrong_votes", Majority())(votes([[1, 0], [0, 0]])).values.tolist() == [1.0, 0.0]


def test_a_judge_that_did_not_speak_is_no_no():
    batch = votes([[1, np.nan, np.nan], [1, 0, np.nan], [np.nan] * 3])
    said = [verdict("wrong_votes", vote)(batch).tolist() for vote in VOTES]
    assert said == [[1.0, 0.0, None], [1.0, 1.0, None], [1.0, 1.0, None], [1.0, 0.5, None]]


def test_a_verdict_is_named_after_its_rule():
    assert verdict("wrong_votes", Majority()).name == "majority(wrong_votes)"


@pytest.mark.bad_input
def test_a_verdict_needs_a_row_per_step():
    batch = votes([[1, 0]])
    with pytest.raises(ColumnError, match="two dimensions"):
        verdict("reward", Majority())(batch)
    with pytest.raises(ColumnError, match="nobody"):
        verdict("nobody", Majority())(batch)


# Thoughts.


@given(ragged_batches(), st.integers(1, 3))
def test_merge_runs_slowly(batch, kinds):
    label, owner = batch["state"].values % kinds, batch.trajectory_of_step
    expected, run = [], -1
    for t in range(len(owner)):
        run += t == 0 or owner[t] != owner[t - 1] or label[t] != label[t - 1]
        expected.append(run)
    assert merge_runs(label, owner).tolist() == expected


@given(ragged_batches())
def test_the_names_of_labels_do_not_matter_and_thoughts_have_one_label(batch):
    label, owner = batch["state"].values, batch.trajectory_of_step
    run = merge_runs(label, owner)
    assert run.tolist() == merge_runs(7 - 3 * label, owner).tolist()
    for one in np.unique(run):
        assert len(set(label[run == one])) == len(set(owner[run == one])) == 1


@given(ragged_batches())
def test_thoughts_are_a_key_and_missing_where_the_label_is(batch):
    key = thoughts(fact("wrong"))(batch)
    assert key.level == "step" and (key.valid == batch["wrong"].valid).all()
    alone = ~batch["wrong"].valid
    assert all((key.values == number).sum() == 1 for number in key.values[alone])


@pytest.mark.bad_input
def test_thoughts_are_of_steps():
    with pytest.raises(LevelError, match="thoughts"):
        thoughts(OUTCOME)(votes([[1]]))
    with pytest.raises(ShapeError, match="merge_runs"):
        merge_runs(np.zeros(1), np.zeros(2, int))


# otherwise.


@given(ragged_batches())
def test_otherwise_slowly(batch):
    y, a, b, c = (
        otherwise(SCORE, fact("judge_score"), when=OUTCOME)(batch),
        *map(batch.__getitem__, ("step_score", "judge_score", "outcome")),
    )
    for t, owner in enumerate(batch.trajectory_of_step):
        chosen = a if c.values[owner] > 0 else b
        assert y.valid[t] == (c.valid[owner] and chosen.valid[t])
        if y.valid[t]:
            assert y.values[t] == chosen.values[t]


@given(ragged_batches())
def test_it_is_two_gates_where_both_are_known(batch):
    both = gate(SCORE, when=OUTCOME)(batch)
    zero = fact("nothing")
    with_zero = batch.with_columns(nothing=Column.of("step", np.zeros(batch.size("step"))))
    y = otherwise(SCORE, zero, when=OUTCOME)(with_zero)
    assert y.tolist() == both.tolist()


@given(ragged_batches())
def test_of_two_alike_it_is_the_one(batch):
    y = otherwise(OUTCOME, OUTCOME, when=fact("history_mean"), above=0.5)(batch)
    assert y.tolist() == batch["outcome"].tolist()


@pytest.mark.bad_input
def test_otherwise_mixes_no_levels():
    batch = votes([[1]])
    for term, fallback, when in ((OUTCOME, fact("reward"), OUTCOME), (OUTCOME, OUTCOME, fact("reward"))):
        with pytest.raises(LevelError, match="otherwise"):
            otherwise(term, fallback, when=when)(batch)
    assert otherwise(fact("reward"), broadcast(OUTCOME), when=OUTCOME)(batch).values.tolist() == [0.0]


# group_mean.


@given(ragged_batches(), st.sampled_from(["outcome", "step_score", "influence"]), st.booleans())
def test_group_mean_slowly(batch, name, only_right):
    column, outcome = batch[name], batch["outcome"]
    y = group_mean(fact(name), among=OUTCOME if only_right else None)(batch)
    play = batch.index("trajectory", at=column.level)
    for group in range(batch.size("group")):
        counted = [
            column.values[i] for i in range(len(column))
            if batch.group_of_trajectory[play[i]] == group and column.valid[i] and not batch["failed"].values[play[i]]
            and (not only_right or (outcome.valid[play[i]] and outcome.values[play[i]] > 0))
        ]  # fmt: skip
        assert y.valid[group] == bool(counted)
        if counted:
            assert y.values[group] == pytest.approx(np.mean(counted))


# weighted and rising.


@given(ragged_batches())
def test_equal_weights_are_the_mean(batch):
    a, b = weighted(SCORE, uniform)(batch), mean(SCORE)(batch)
    assert (a.valid == b.valid).all() and a.filled(0.0) == pytest.approx(b.filled(0.0))
    c = weighted(SCORE, rising(0.0))(batch)
    assert c.filled(0.0) == pytest.approx(b.filled(0.0))


@given(ragged_batches(), st.floats(-3.0, 3.0))
def test_weighted_slowly(batch, slope):
    y = weighted(SCORE, rising(slope))(batch)
    for play in np.flatnonzero(y.valid):
        x = batch["step_score"].values[batch.trajectory_of_step == play]
        along = np.linspace(-1, 1, len(x)) if len(x) > 1 else np.zeros(1)
        w = 1 / (1 + np.exp(-slope * along))
        assert y.values[play] == pytest.approx((w * x).sum() / w.sum())


@given(ragged_batches(), st.floats(0.1, 3.0))
def test_weights_rise_and_are_mirrored_around_a_half(batch, slope):
    w, owner = rising(slope)(batch).values, batch.trajectory_of_step
    for play in range(batch.size("trajectory")):
        own = w[owner == play]
        assert (np.diff(own) > 0).all() and own + own[::-1] == pytest.approx(1.0)


@given(ragged_batches())
def test_a_weight_may_be_a_term(batch):
    y, w = weighted(SCORE, fact("importance"))(batch), batch["importance"]
    for play in range(batch.size("trajectory")):
        own = batch.trajectory_of_step == play
        known = batch["step_score"].valid[own].all() and w.valid[own].all() and not batch["failed"].values[play]
        assert y.valid[play] == known
        if known:
            x = w.values[own] @ batch["step_score"].values[own]
            assert y.values[play] == pytest.approx(x / w.values[own].sum() if w.values[own].any() else 0.0)


@pytest.mark.bad_input
def test_weights_are_of_steps_and_not_below_zero():
    batch = votes([[1], [1]]).with_columns(low=Column.of("step", [-1.0, 1.0]))
    with pytest.raises(ShapeError, match="weighted"):
        weighted(fact("reward"), fact("low"))(batch)
    with pytest.raises(LevelError, match="weighted"):
        weighted(OUTCOME, uniform)(batch)
    with pytest.raises(LevelError, match="how"):
        weighted(fact("reward"), OUTCOME)(batch)
