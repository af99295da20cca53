"""centred and whitened: terms compared inside a batch."""

import warnings

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from guerdon.batch import Batch, Column
from guerdon.credit import Everything, Others, Std, Turn, centred, step_term, to_go_of, whitened
from guerdon.credit.compare import LENGTH, less, per_batch_std, positive_part, ranked
from guerdon.errors import ColumnError, LevelError
from guerdon.rewards import affine, fact
from strategies import ragged_batches


def batch_of(**columns) -> Batch:
    """Two groups: plays of 2, 1 and 1 steps, and one play of 2."""
    batch = Batch.from_steps(group=[0, 0, 0, 0, 1, 1], trajectory=[0, 0, 1, 2, 3, 3], reward=[0, 1, 0, 0, 5, 7.0])
    return batch.with_columns(**{k: Column.of("step", np.array(v)) for k, v in columns.items()})


# Worked by hand.


def test_long_plays_vote_once_for_outcomes():
    assert centred(fact("outcome"), baseline=Others())(batch_of()).values.tolist() == [1, 1, -0.5, -0.5, 0, 0]


def test_steps_are_compared_with_the_steps_of_other_plays():
    # Play 0 against steps (0, 0); play 1 against (0, 1, 0).
    a = centred(fact("reward"), baseline=Others())(batch_of())
    assert a.values == pytest.approx([0, 1, -1 / 3, -1 / 3, 0, 0])


def test_a_group_of_one_says_nothing_even_where_it_sees_a_state_twice():
    batch = batch_of(state=[1, 2, 1, 2, 9, 9])
    a = centred(fact("reward"), by=("prompt", "state"))(batch)
    assert a.values.tolist() == [0, 0.5, 0, -0.5, 0, 0]


def test_a_state_seen_twice_by_one_play_is_compared_in_a_larger_group():
    batch = Batch.from_steps(group=[0] * 3, trajectory=[0, 0, 1], reward=[0.0, 1.0, 0.0], state=[4, 4, 5])
    assert centred(fact("reward"), by=("prompt", "state"))(batch).values.tolist() == [-0.5, 0.5, 0.0]


def test_any_key_column_will_do():
    a = centred(fact("reward"), by="role")(batch_of(role=[0, 0, 0, 0, 1, 1]))
    assert a.values.tolist() == [-0.25, 0.75, -0.25, -0.25, -1, 1] and a.level == "step"
    assert centred(fact("reward"), by="role").compares == {"batch"}


def test_an_item_without_a_key_is_compared_with_nothing():
    batch = batch_of()
    batch = batch.with_columns(state=Column("step", np.zeros(6, int), np.array([1, 1, 1, 0, 1, 1], bool)))
    a = centred(fact("reward"), by=("prompt", "state"))(batch)
    assert a.values == pytest.approx([-1 / 3, 2 / 3, -1 / 3, 0, 0, 0]) and a.valid.all()


def test_a_weight_decides_who_votes():
    batch = batch_of().with_columns(vote=Column.of("trajectory", [1.0, 1.0, 0.0, 1.0]))
    a = centred(fact("outcome"), weight=fact("vote"))(batch)
    assert a.values.tolist() == [0.5, 0.5, -0.5, -0.5, 0, 0]


def test_a_trajectory_without_steps_still_votes():
    batch = Batch(np.zeros(0, int), np.array([0]), np.array([0, 0]), {"outcome": Column.of("trajectory", [1.0, 0.0])})
    assert centred(fact("outcome"))(batch).values.tolist() == [0.5]


def test_ranks_go_from_minus_one_to_one_and_ties_share_theirs():
    batch = Batch.from_steps(group=[0] * 5 + [1], trajectory=np.arange(6), reward=[3.0, 3.0, 1.0, 9.0, 0.0, 5.0])
    assert ranked(fact("outcome"))(batch).values.tolist() == [0.25, 0.25, -0.5, 1.0, -1.0, 0.0]
    assert ranked(fact("outcome")).compares == {"group"}


def test_four_equal_plays_all_rank_zero():
    batch = Batch.from_steps(group=[0] * 4, trajectory=np.arange(4), reward=[7.0] * 4)
    assert ranked(fact("outcome"))(batch).values.tolist() == [0.0] * 4


def test_ranks_by_turn_compare_steps():
    credit = ranked(fact("reward"), by=Turn())
    assert credit(batch_of()).values == pytest.approx([-1 / 3, -1, -1 / 3, -1 / 3, 1, 1])
    assert credit.compares == {"batch"} and credit.name == "ranked(reward by turn)"


def test_a_baseline_from_outside_is_for_a_group_of_one_too():
    batch = batch_of().with_columns(greedy=Column.of("group", [0.5, 11.0]))
    credit = less(fact("outcome"), fact("greedy"), compares={"history"})
    assert credit(batch).values.tolist() == [0.5, 0.5, -0.5, -0.5, 1.0, 1.0] and credit.compares == {"history"}
    assert less(fact("outcome"), fact("greedy")).compares == frozenset()


def test_a_missing_baseline_is_no_zero():
    batch = batch_of().with_columns(greedy=Column.of("group", [0.5, None]))
    a = less(fact("outcome"), fact("greedy"))(batch)
    assert a.values.tolist() == [0.5, 0.5, -0.5, -0.5, 0, 0] and a.valid.tolist() == [True] * 4 + [False] * 2


def test_one_spread_for_the_whole_batch():
    # Outcomes 1, 0, 0 and 12: std 5.852; the first group is centred to 2/3, -1/3, -1/3.
    a = per_batch_std(centred(fact("outcome")), fact("outcome"), eps=0.0)(batch_of())
    assert a.values == pytest.approx(np.array([2, 2, -1, -1, 0, 0]) / 3 / np.std([1, 0, 0, 12], ddof=1))


def test_a_batch_that_agrees_has_no_spread_to_divide_by():
    batch = Batch.from_steps(group=[0, 0], trajectory=[0, 1], reward=[0.1, 0.1])
    assert per_batch_std(step_term(fact("outcome")), fact("outcome"), 0.0)(batch).values.tolist() == [0.0, 0.0]


def test_the_positive_part_makes_nothing_less_likely():
    assert positive_part(centred(fact("reward"), by=Everything()))(batch_of()).values == pytest.approx(
        [0, 0, 0, 0, 5 - 13 / 6, 7 - 13 / 6]
    )


def test_the_length_of_a_play_is_in_sampled_tokens():
    batch = Batch.from_steps(group=[0, 0, 0], trajectory=[0, 0, 1], reward=[0.0] * 3, tokens_per_step=[2, 3, 4])
    assert LENGTH(batch).values.tolist() == [5.0, 4.0]
    assert LENGTH(batch_of()).values.tolist() == [2.0, 1.0, 1.0, 2.0]


# Laws.


@given(ragged_batches())
def test_outcome_credit_written_slowly(batch):
    a = centred(fact("outcome"), baseline=Others())(batch)
    outcome, group, owner = batch["outcome"], batch.group_of_trajectory, batch.trajectory_of_step
    for i in range(len(owner)):
        t = owner[i]
        others = (group == group[t]) & outcome.valid & (np.arange(len(group)) != t)
        speaks = outcome.valid[t] and others.any()
        assert a.values[i] == pytest.approx(outcome.values[t] - outcome.values[others].mean() if speaks else 0.0)


@given(ragged_batches())
def test_whitened_has_mean_zero_and_variance_one(batch):
    a = whitened(step_term(fact("reward")), eps=0.0 + 1e-12)(batch)
    kept = a.values[a.valid]
    raw = batch["reward"].values[a.valid]
    assert (a.values[~a.valid] == 0).all()
    if len(kept) > 1 and np.ptp(raw) > 0:
        assert kept.mean() == pytest.approx(0, abs=1e-9) and kept.std(ddof=1) == pytest.approx(1, abs=1e-6)
    else:
        assert (kept == 0).all()


@given(ragged_batches())
def test_a_failed_play_does_not_vote(batch):
    credit = centred(to_go_of(fact("reward")), by=("prompt", "state"))
    failed = batch["failed"].values
    if failed.all():
        return
    kept = batch.select(~failed)
    assert credit(batch).values[~failed[batch.trajectory_of_step]] == pytest.approx(credit(kept).values)


@given(ragged_batches())
def test_a_failed_play_gets_nothing_whatever_is_known_of_it(batch):
    failed = batch["failed"].values[batch.trajectory_of_step]
    x = fact("length_score")
    for credit in (centred(x), ranked(x), less(x, fact("history_mean")), centred(fact("judge_score"), by="state")):
        a = credit(batch)
        assert not a.valid[failed].any() and (a.values[failed] == 0).all()


@given(ragged_batches(), st.sampled_from([np.exp, np.cbrt, lambda x: 100 * x - 3]))
def test_ranks_are_blind_to_a_rising_map(batch, rising):
    x = batch["writing_score"]
    other = batch.with_columns(writing_score=Column("trajectory", rising(x.values), x.valid))
    credit = ranked(fact("writing_score"))
    assert credit(other).values.tolist() == credit(batch).values.tolist()


@given(ragged_batches())
def test_ranks_written_slowly(batch):
    x, group = batch["writing_score"].values, batch.group_of_trajectory
    there = ~batch["failed"].values
    expected = np.zeros(len(x))
    for i in np.flatnonzero(there):
        others = np.flatnonzero((group == group[i]) & there & (np.arange(len(x)) != i))
        if len(others):  # how many it beats less how many beat it
            expected[i] = np.sign(x[i] - x[others]).mean()
    assert ranked(fact("writing_score"))(batch).values == pytest.approx(expected[batch.trajectory_of_step])


@given(ragged_batches())
def test_less_the_mean_of_the_group_is_centred_up_to_groups_of_one(batch):
    mean = np.zeros(batch.size("group"))
    for g in range(len(mean)):
        there = (batch.group_of_trajectory == g) & batch["outcome"].valid
        mean[g] = batch["outcome"].values[there].mean() if there.any() else 0.0
    batch = batch.with_columns(usual=Column.of("group", mean))
    assert less(fact("outcome"), fact("usual"))(batch).values == pytest.approx(centred(fact("outcome"))(batch).values)


# Warnings and bad input.


def test_an_affine_map_under_a_std_is_warned_of():
    with pytest.warns(UserWarning, match="no effect"):
        centred(affine(fact("outcome"), scale=2.0, offset=1.0), scale=Std())(pair())


def test_the_fact_itself_is_not_warned_of():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        scaled = centred(fact("outcome"), scale=Std())(pair())
        doubled = centred(affine(fact("outcome"), scale=2.0))(pair())
    assert scaled.values == pytest.approx([0.5**0.5, -(0.5**0.5)], abs=1e-5)
    assert doubled.values.tolist() == [1.0, -1.0]


def pair() -> Batch:
    """One success, one failure."""
    return Batch.from_steps(group=[0, 0], trajectory=[0, 1], reward=[1.0, 0.0])


def test_an_unknown_key_is_named():
    with pytest.raises(ColumnError, match="'nosuch'"):
        centred(fact("reward"), by="nosuch")(pair())


def test_a_finer_key_than_the_term_is_refused():
    batch = pair().with_columns(state=Column.of("step", np.array([1, 2])))
    with pytest.raises(LevelError):
        centred(fact("outcome"), by=("prompt", "state"))(batch)


def test_a_finer_baseline_than_the_signal_is_refused():
    with pytest.raises(LevelError):
        less(fact("outcome"), fact("reward"))(pair())
