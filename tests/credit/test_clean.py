"""Groups and tokens cleaned up after the comparison."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from guerdon.batch import Batch, Column
from guerdon.credit import (
    RecentQuantile,
    Std,
    alive,
    balanced,
    bounded,
    centred,
    covariance_clip,
    only_where,
    recalibrated,
    rescaled,
    step_term,
    top_share,
)
from guerdon.errors import ColumnError, LevelError, ShapeError
from guerdon.rewards import affine, fact, group_percentile, group_std
from strategies import ragged_batches

OUTCOME = fact("outcome")
PLAIN = centred(OUTCOME)


def plays(group, outcome, **columns) -> Batch:
    """Plays of one step each."""
    batch = Batch.from_steps(group=group, trajectory=np.arange(len(group)), reward=np.array(outcome, float))
    return batch.with_columns(**{k: Column.of("trajectory", np.array(v)) for k, v in columns.items()})


# Worked by hand.


def test_a_group_that_agrees_is_dropped_and_one_of_one_too():
    a = alive(PLAIN)(plays([0, 0, 1, 1, 2], [1, 0, 1, 1, 1]))
    assert a.valid.tolist() == [True, True, False, False, False] and a.values.tolist() == [0.5, -0.5, 0, 0, 0]


def test_three_groups_of_which_one_speaks():
    a = rescaled(PLAIN)(plays([0, 0, 1, 1, 2, 2], [1, 0, 1, 1, 0, 0]))
    assert a.values.tolist() == [1.5, -1.5, 0, 0, 0, 0] and a.valid.all()


def test_groups_and_plays_are_not_the_same_count():
    batch = plays([0, 0, 1, 1, 1, 1], [1, 0, 1, 1, 1, 1])
    assert rescaled(PLAIN)(batch).values[0] == 0.5 * 2 / 1
    assert rescaled(PLAIN, over="trajectory")(batch).values[0] == 0.5 * 6 / 2


def test_where_nothing_speaks_nothing_is_rescaled():
    assert rescaled(PLAIN)(plays([0, 0], [1, 1])).values.tolist() == [0.0, 0.0]


def test_the_groups_that_disagree_most_are_kept():
    batch = plays([0, 0, 1, 1, 2, 2, 3, 3], [0, 1, 0, 4, 0, 2, 0, 3])
    keep = top_share(group_std(OUTCOME), 0.75)
    assert keep(batch).values.tolist() == [0, 1, 1, 1] and keep(batch).level == "group"
    assert only_where(PLAIN, where=keep)(batch).valid.tolist() == [False] * 2 + [True] * 6


def test_items_are_kept_by_a_number_of_their_own():
    batch = plays([0, 0, 0, 0], [1, 0, 0, 1], sure=[0.9, 0.1, 0.5, np.nan])
    assert only_where(PLAIN, where=affine(fact("sure"), offset=-0.3))(batch).valid.tolist() == [
        True,
        False,
        True,
        False,
    ]


def test_four_wins_of_five_are_a_skew():
    wins = step_term(fact("outcome"))
    assert not balanced(wins, 0.6)(plays([0] * 5, [1, 1, 1, 1, 0])).valid.any()
    assert balanced(wins, 0.6)(plays([0] * 5, [1, 1, 1, 0, 0])).valid.all()  # 3 is not above 0.6 * 5
    assert balanced(wins, 0.6)(plays([0] * 5, [1, 1, 1, 1, -1])).valid.all()


def test_an_old_success_counts_for_less_when_successes_are_usual():
    old = fact("old")
    fresh = affine(old, scale=-1.0, offset=1.0)
    baseline = group_percentile(OUTCOME, 0.5, among=fresh)
    credit = recalibrated(centred(OUTCOME, weight=fresh), OUTCOME, baseline, old)
    rare = plays([0, 0, 0, 1, 1], [1, 0, 0, 0, 0], old=[1.0, 0, 0, 0, 0])
    usual = plays([0, 0, 0, 1, 1], [1, 1, 0, 1, 0], old=[1.0, 0, 0, 0, 0])
    assert credit(rare).values.tolist() == [1.0, 0, 0, 0, 0]
    assert credit(usual).values.tolist() == [0.5, 0.5, -0.5, 0.5, -0.5]


def test_an_old_play_below_what_is_usual_is_dropped():
    old = fact("old")
    fresh = affine(old, scale=-1.0, offset=1.0)
    credit = recalibrated(PLAIN, OUTCOME, group_percentile(OUTCOME, 0.5, among=fresh), old)
    a = credit(plays([0, 0, 0], [0.25, 1.0, 0.5], old=[1.0, 0, 0]))
    assert a.valid.tolist() == [False, True, True] and a.values[0] == 0.0


def test_a_running_percentile_will_do_as_baseline():
    batch = plays([0, 0, 0], [1.0, 1.0, 0.0], old=[1.0, 0, 0])
    batch = RecentQuantile(OUTCOME).update(plays([0, 0], [0.5, 0.0])).columns(batch)
    assert recalibrated(PLAIN, OUTCOME, fact("history_mean"), fact("old"))(batch).values[0] == 0.75


def test_only_a_token_between_the_bounds_is_silenced():
    # Products of 2, 0, 0 and 2: with bounds 1 and 3 and half of four tokens, both ends are silenced.
    batch = Batch.from_steps(group=[0] * 4, trajectory=[0] * 4, reward=[2.0, 1.0, 1.0, 0.0], tokens_per_step=1)
    batch = batch.with_columns(logprob=Column.of("token", [0.0, -2.0, -2.0, -4.0]))
    clipped = covariance_clip(step_term(fact("reward")), 1.0, 3.0, 0.5)
    assert clipped(batch).values.tolist() == [0.0, 1.0, 1.0, 0.0] and clipped(batch).valid.all()
    assert covariance_clip(step_term(fact("reward")), 2.0, 3.0, 0.5)(batch).values.tolist() == [2.0, 1.0, 1.0, 0.0]


# Laws.


@given(ragged_batches())
def test_alive_is_the_credit_where_its_group_speaks(batch):
    plain, a, group = PLAIN(batch), alive(PLAIN)(batch), batch.index("group", at="step")
    for g in np.unique(group):
        there = group == g
        loud = (plain.values[there] != 0).any()
        assert a.values[there].tolist() == plain.values[there].tolist()
        assert a.valid[there].tolist() == (plain.valid[there] & loud).tolist()


@given(ragged_batches(), st.sampled_from(["group", "trajectory"]))
def test_rescaling_written_slowly(batch, over):
    plain, home = PLAIN(batch), batch.index(over, at="step")
    group = batch.index("group", at="step")
    loud = {g for g, v in zip(group, plain.values, strict=True) if v != 0}
    there = {(g, h) for g, h, ok in zip(group, home, plain.valid, strict=True) if ok}
    some = sum(g in loud for g, _ in there)
    factor = len(there) / some if some else 1.0
    assert rescaled(PLAIN, over)(batch).values == pytest.approx(factor * plain.values)


@given(ragged_batches(), st.sampled_from([0.25, 0.5, 2.0, 4.0]))  # units that round nothing: spreads tie
def test_what_is_kept_does_not_hang_on_the_unit(batch, unit):
    keep, other = top_share(group_std(OUTCOME), 0.5), top_share(group_std(unit * OUTCOME), 0.5)
    assert keep(batch).tolist() == other(batch).tolist()


@given(ragged_batches())
def test_a_centred_group_is_never_skewed(batch):
    plain, a = PLAIN(batch), balanced(PLAIN, 1e-6)(batch)
    assert a.values.tolist() == plain.values.tolist() and a.valid.tolist() == plain.valid.tolist()


@given(ragged_batches())
def test_without_replayed_plays_nothing_is_recalibrated(batch):
    batch = batch.with_columns(replayed=Column.of("trajectory", np.zeros(batch.size("trajectory"))))
    a = recalibrated(PLAIN, OUTCOME, group_percentile(OUTCOME), fact("replayed"))(batch)
    assert a.values.tolist() == PLAIN(batch).values.tolist()


@given(ragged_batches())
def test_replayed_plays_written_slowly(batch):
    old, outcome, group = fact("replayed"), batch["outcome"], batch.group_of_trajectory
    new = affine(old, scale=-1.0, offset=1.0)
    a = recalibrated(PLAIN, OUTCOME, group_percentile(OUTCOME, 0.5, among=new), old)(batch)
    fresh = outcome.valid & ~batch["replayed"].values
    means = [outcome.values[fresh & (group == g)].mean() for g in np.unique(group[fresh])]
    plain = PLAIN(batch)
    for s, t in enumerate(batch.trajectory_of_step):
        if not batch["replayed"].values[t]:
            assert a.values[s] == plain.values[s] and a.valid[s] == plain.valid[s]
        elif outcome.valid[t] and means and outcome.values[t] >= np.median(means):
            assert a.values[s] == pytest.approx(outcome.values[t] - np.median(means)) and a.valid[s]
        else:
            assert a.values[s] == 0 and not a.valid[s]


@given(ragged_batches(), st.floats(0.01, 1), st.integers(0, 9))
def test_silenced_tokens_are_few_and_between_the_bounds(batch, share, seed):
    credit = step_term(fact("reward"))
    plain, a = batch.lift(credit(batch), "token"), covariance_clip(credit, 0.05, 2.0, share, seed=seed)(batch)
    p = batch["logprob"]
    there = plain.valid & p.valid
    changed = a.values != plain.values
    assert a.valid.tolist() == plain.valid.tolist() and (a.values[changed] == 0).all()
    assert changed.sum() <= max(int(share * there.sum()), 1)
    if there.any():
        cov = (plain.values - plain.values[there].mean()) * (p.filled(0.0) - p.filled(0.0)[there].mean())
        assert (there & (cov > 0.05) & (cov < 2.0))[changed].all()


@given(ragged_batches())
def test_an_unscored_step_stays_unscored(batch):
    credit = centred(fact("judge_score"), by="prompt", scale=Std())
    lost = ~credit(batch).valid
    for clean in (
        alive(credit),
        rescaled(credit),
        balanced(credit, 0.5),
        only_where(credit, where=fact("writing_score")),
    ):
        a = clean(batch)
        assert not a.valid[lost].any() and (a.values[~a.valid] == 0).all()


# Bounds and bad input.


def test_a_credit_within_bounds():
    batch = Batch.from_steps(group=[0] * 3, trajectory=[0] * 3, reward=[9.0, -9.0, 1.0])
    assert bounded(step_term(fact("reward")), 2.0)(batch).values.tolist() == [2, -2, 1]
    with pytest.raises(ShapeError, match="above 0"):
        bounded(step_term(fact("reward")), 0.0)


@pytest.mark.bad_input
def test_steps_are_not_counted():
    with pytest.raises(LevelError, match="over is 'step'"):
        rescaled(PLAIN, over="step")


def test_a_log_probability_per_play_is_refused():
    batch = plays([0, 0], [1, 0], logprob=[-1.0, -2.0])
    with pytest.raises(LevelError, match="trajectory level"):
        covariance_clip(PLAIN, 0.0, 1.0, 0.1)(batch)


def test_a_missing_log_probability_is_named():
    batch = Batch(np.zeros(0, int), np.arange(2), np.zeros(2, int), {"outcome": Column.of("trajectory", [1.0, 0.0])})
    with pytest.raises(ColumnError, match="'logprob'"):
        covariance_clip(PLAIN, 0.0, 1.0, 0.1)(batch)
