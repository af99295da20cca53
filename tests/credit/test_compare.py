"""centred and whitened: terms compared inside a batch."""

import warnings

import numpy as np
import pytest
from hypothesis import given

from guerdon.batch import Batch, Column
from guerdon.credit import Others, Std, centred, step_term, to_go_of, whitened
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
