"""Potentials telescope, and interpolated progress is the piecewise line it says."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from guerdon import segments
from guerdon.batch import Batch, Column
from guerdon.errors import LevelError, ShapeError
from guerdon.rewards import fact, interpolated, potential, total
from strategies import ragged_batches


def play(*values, **columns):
    batch = Batch.from_steps(group=[0] * len(values), trajectory=[0] * len(values), reward=np.array(values, float))
    return batch.with_columns(**{name: Column.of("trajectory", np.array(v)) for name, v in columns.items()})


def slow_psi(progress):
    """The formula, one step at a time: knots where progress rises, straight lines between."""
    reached, knots = 0.0, [(0, 0.0)]
    for t, p in enumerate(progress, 1):
        if p > reached:
            reached = p
            knots.append((t, p))
    times, values = zip(*knots, strict=True)
    return np.interp(np.arange(1, len(progress) + 1), times, values)


# Worked by hand.


def test_potential_by_hand():
    assert potential(fact("reward"), gamma=0.5)(play(1.0, 2.0, 4.0)).tolist() == [0.5, 0.0, -2.0]
    assert potential(fact("reward"), gamma=1.0, start=1.0)(play(1.0, 2.0)).tolist() == [0.0, -1.0]


def test_phi_stays_at_a_truncation_only_where_a_critic_bootstraps_it():
    cut, over = play(1.0, 3.0, truncated=[True]), play(1.0, 3.0, truncated=[False])
    assert potential(fact("reward"))(cut).tolist() == [1.0, -1.0]
    assert potential(fact("reward"), bootstrapped=True)(cut).tolist() == [1.0, 2.0]
    assert potential(fact("reward"), bootstrapped=True)(over).tolist() == [1.0, -1.0]
    bare = Batch(np.zeros(0, int), np.zeros(2, int), np.zeros(1, int), {"phi": Column.of("step", np.array([1.0, 3.0]))})
    assert potential(fact("phi"), bootstrapped=True)(bare).tolist() == [1.0, -1.0]


def test_what_is_missing_reaches_both_steps_beside_it_and_an_end_is_not_read():
    assert potential(fact("reward"))(play(1.0, np.nan, 2.0, 3.0)).tolist() == [1.0, None, None, -2.0]
    assert potential(fact("reward"))(play(1.0, np.nan)).tolist() == [1.0, -1.0]


def test_the_last_step_of_a_play_that_failed_is_missing():
    assert potential(fact("reward"))(play(1.0, 2.0, failed=[True])).tolist() == [1.0, None]


def test_interpolated_by_hand():
    # Four milestones; the first after step 2, two at once after step 4, the last never.
    batch = play(0.0, 0.25, 0.25, 0.75, 0.75)
    assert interpolated(fact("reward"))(batch).tolist() == [0.125, 0.25, 0.5, 0.75, 0.75]


def test_progress_that_falls_back_is_read_as_its_running_maximum():
    batch = play(0.5, 0.0, 0.5, 1.0)
    assert interpolated(fact("reward"))(batch).values == pytest.approx([0.5, 2 / 3, 5 / 6, 1.0])


def test_what_comes_after_the_last_known_rise_of_a_broken_play_is_missing():
    assert interpolated(fact("reward"))(play(0.0, 0.5, 0.5, np.nan, 1.0)).tolist() == [0.25, 0.5, None, None, None]
    assert interpolated(fact("reward"))(play(0.0, 0.5, 0.5, failed=[True])).tolist() == [0.25, 0.5, None]


# Laws.


@given(ragged_batches(missing=False), st.sampled_from([0.0, 0.5, 1.0]))
@settings(max_examples=40, deadline=None)
def test_undiscounted_shaping_telescopes_exactly(batch, start):
    whole = total(potential(fact("progress"), gamma=1.0, start=start))(batch)
    kept = total(potential(fact("progress"), gamma=1.0, start=start, bootstrapped=True))(batch)
    end = batch["progress"].values[segments.last(batch.trajectory_of_step)]
    cut = batch["truncated"].values
    ok = whole.valid
    assert (~ok == batch["failed"].values).all()
    assert (whole.values[ok] == -start).all()
    assert np.array_equal(kept.values[ok], np.where(cut, end - start, -start)[ok])


@given(ragged_batches(missing=False, ends=False, dyadic=False), st.floats(0, 1), st.floats(-1, 1))
@settings(max_examples=40, deadline=None)
def test_discounted_shaping_telescopes(batch, gamma, start):
    owner = batch.trajectory_of_step
    shaping = potential(fact("reward"), gamma=gamma, start=start)(batch).values
    discount = gamma ** segments.position(owner)
    assert segments.total(discount * shaping, owner) == pytest.approx(-start, abs=1e-9)


@given(ragged_batches(missing=False, ends=False, dyadic=False), st.floats(0, 1))
@settings(max_examples=40, deadline=None)
def test_shaping_moves_a_return_to_go_by_the_potential_of_the_state_alone(batch, gamma):
    owner = batch.trajectory_of_step
    shaping = potential(fact("reward"), gamma=gamma)(batch).values
    before = segments.shift(batch["reward"].values, owner, 0.0)
    assert segments.to_go(shaping, owner, gamma) == pytest.approx(-before)


@given(ragged_batches(missing=False, ends=False, dyadic=False), st.sampled_from(["progress", "milestones", "reward"]))
@settings(max_examples=60, deadline=None)
def test_interpolated_is_numpy_interp_play_by_play(batch, name):
    psi, owner = interpolated(fact(name))(batch), batch.trajectory_of_step
    assert psi.valid.all()
    for i in range(batch.size("trajectory")):
        assert psi.values[owner == i] == pytest.approx(slow_psi(batch[name].values[owner == i]))


@given(ragged_batches(dyadic=False))
@settings(max_examples=60, deadline=None)
def test_interpolated_reads_nothing_into_what_is_missing(batch):
    psi, owner, x = interpolated(fact("progress"))(batch), batch.trajectory_of_step, batch["progress"]
    for i in range(batch.size("trajectory")):
        mine = np.flatnonzero(owner == i)
        gap = np.flatnonzero(~x.valid[mine])
        seen = x.values[mine][: gap[0] if len(gap) else len(mine)]
        rises = np.flatnonzero(np.diff(seen, prepend=0.0) > 0)
        whole = not len(gap) and not batch["failed"].values[i]
        sure = len(mine) if whole else (rises[-1] + 1 if len(rises) else 0)
        assert psi.valid[mine].tolist() == [True] * sure + [False] * (len(mine) - sure)
        assert psi.values[mine][:sure] == pytest.approx(slow_psi(seen)[:sure])


# Bad input says what to do.


def test_potentials_need_steps_and_a_discount():
    with pytest.raises(LevelError, match="broadcast"):
        potential(fact("outcome"))(play(1.0))
    with pytest.raises(LevelError, match="broadcast"):
        interpolated(fact("outcome"))(play(1.0))
    with pytest.raises(ShapeError, match=r"\[0, 1\]"):
        potential(fact("reward"), gamma=1.5)
