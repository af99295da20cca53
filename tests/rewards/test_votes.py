"""Several judges and one verdict; runs of equal verdicts."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from guerdon.batch import Batch, Column
from guerdon.errors import ColumnError, LevelError, ShapeError
from guerdon.rewards import fact
from guerdon.rewards.votes import Intersection, Majority, Share, Union, merge_runs, thoughts, verdict
from strategies import ragged_batches

VOTES = (Intersection(), Majority(), Union(), Share())
OUTCOME = fact("outcome")


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
