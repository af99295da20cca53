"""Tails under a prior, a play's own past as baseline, and phases."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from guerdon.batch import Batch, Column
from guerdon.credit import to_go, to_go_of
from guerdon.credit.anytime import above_past, elapsed, past_mean, phase_weight, stopping_prior, weighted_to_go
from guerdon.errors import LevelError, ShapeError
from guerdon.rewards import fact, only_last, rising, uniform
from strategies import ragged_batches

PROBE = fact("probe")


@given(ragged_batches(), st.sampled_from([uniform, rising, only_last]))
def test_a_prior_adds_up_to_one(batch, how):
    assert np.bincount(batch.trajectory_of_step, stopping_prior(how)(batch).values) == pytest.approx(1.0)


@given(ragged_batches())
def test_priors_by_hand(batch):
    length = np.bincount(batch.trajectory_of_step)
    turn = np.concatenate([np.arange(k) for k in length])
    whole = length[batch.trajectory_of_step]
    assert stopping_prior()(batch).values == pytest.approx(1 / whole)
    assert stopping_prior(rising)(batch).values == pytest.approx((turn + 1) / (whole * (whole + 1) / 2))
    assert stopping_prior(only_last)(batch).values == pytest.approx((turn == whole - 1) * 1.0)
    assert elapsed()(batch).values == pytest.approx(turn / whole)


@given(ragged_batches(), st.floats(1, 4))
def test_the_past_written_slowly(batch, growth):
    x, valid, owner = batch["probe"].values, batch["probe"].valid, batch.trajectory_of_step
    mean, there = past_mean(np.where(valid, x, np.nan), valid, owner, growth)
    for t in range(len(x)):
        start = np.flatnonzero(owner == owner[t])[0]
        past = [j for j in range(start, t) if valid[j]]
        weight = [growth ** (j - start) for j in past]
        assert there[t] == bool(past)
        assert mean[t] == pytest.approx(np.dot(weight, x[past]) / sum(weight) if past else 0.0)


def test_a_long_past_does_not_overflow():
    mean, there = past_mean(np.ones(5000), np.ones(5000, bool), np.zeros(5000, int), 2.0)
    assert there[1:].all() and mean[1:] == pytest.approx(1.0)


@given(ragged_batches(), st.sampled_from([uniform, rising, only_last]))
def test_the_tail_of_a_prior(batch, how):
    a, mass = weighted_to_go(PROBE, stopping_prior(how))(batch), stopping_prior(how)(batch).values
    weighed = batch.with_columns(weighed=Column("step", mass * batch["probe"].filled(0.0), batch["probe"].valid))
    plain = to_go_of(fact("weighed"))(weighed)
    assert a.values == pytest.approx(plain.values) and (a.valid == plain.valid).all()


@given(ragged_batches(missing=False, ends=False))
def test_a_play_that_goes_on_as_it_was_is_not_above_its_past(batch):
    flat = batch.with_columns(probe=Column.of("step", np.full(batch.size("step"), 0.75)))
    a = above_past(PROBE, stopping_prior())(flat).values
    assert a == pytest.approx(0, abs=1e-12)


@given(ragged_batches())
def test_a_shift_of_all_probes_does_not_move_what_is_above_the_past(batch):
    shifted = batch.with_columns(probe=Column("step", batch["probe"].values + 3.0, batch["probe"].valid))
    a, b = above_past(PROBE, stopping_prior(rising))(batch), above_past(PROBE, stopping_prior(rising))(shifted)
    assert b.values == pytest.approx(a.values, abs=1e-9) and (a.valid == b.valid).all()


@given(ragged_batches(missing=False), st.floats(0.5, 1), st.floats(0.1, 5))
def test_a_constant_signal_has_no_phase(batch, gamma, level):
    flat = batch.with_columns(probe=Column.of("step", np.full(batch.size("step"), level)))
    assert phase_weight(PROBE, gamma)(flat).values == pytest.approx(1.0)


@given(ragged_batches(), st.floats(0.5, 1))
def test_phases_have_mean_one_and_no_unit(batch, gamma):
    a = phase_weight(PROBE, gamma)(batch)
    double = batch.with_columns(probe=Column("step", 2 * batch["probe"].values, batch["probe"].valid))
    assert phase_weight(PROBE, gamma)(double).values[a.valid] == pytest.approx(a.values[a.valid])
    for play in set(batch.trajectory_of_step[a.valid].tolist()):
        assert a.values[a.valid & (batch.trajectory_of_step == play)].mean() == pytest.approx(1.0)


@given(ragged_batches(missing=False, ends=False), st.floats(0.5, 1))
def test_phases_written_slowly(batch, gamma):
    owner, x = batch.trajectory_of_step, batch["probe"].values
    quality = to_go(x, owner, gamma) / to_go(np.ones(len(x)), owner, gamma)
    mean = np.bincount(owner, quality) / np.bincount(owner)
    expected = np.where(mean[owner] > 0, quality / np.where(mean > 0, mean, 1.0)[owner], 1.0)
    assert phase_weight(PROBE, gamma)(batch).values == pytest.approx(expected)


# Bad input.


def steps(**columns) -> Batch:
    """One play of two steps."""
    batch = Batch.from_steps(group=[0, 0], trajectory=[0, 0], reward=[0.0, -1.0])
    return batch.with_columns(**{name: Column.of("step", x) for name, x in columns.items()})


def test_a_phase_of_both_signs_is_refused():
    with pytest.raises(ShapeError, match="below 0"):
        phase_weight(fact("reward"), 1.0)(steps())


def test_a_past_that_fades_backwards_is_refused():
    with pytest.raises(ShapeError, match="growth"):
        past_mean(np.zeros(1), np.ones(1, bool), np.zeros(1, int), 0.5)


def test_a_probe_of_plays_is_refused():
    with pytest.raises(LevelError, match="at_end"):
        weighted_to_go(fact("outcome"), stopping_prior())(steps())
