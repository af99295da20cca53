"""Paths: records telescope, penalties say what they say and rise with what went wrong."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from guerdon import segments
from guerdon.batch import Batch, Column
from guerdon.errors import LevelError
from guerdon.rewards import delta, fact, total
from guerdon.rewards.paths import false_stop, left, receded, record, repeated, worst_so_far
from strategies import ragged_batches

whole = ragged_batches(missing=False, ends=False)


def plays(batch):
    for t in range(batch.size("trajectory")):
        yield t, np.flatnonzero(batch.trajectory_of_step == t)


@given(ragged_batches(), st.sampled_from([0.0, 0.5, -1.0]))
def test_record_and_worst_slowly(batch, start):
    x = batch["reward"]
    up, down = record(fact("reward"), start)(batch), worst_so_far(fact("reward"))(batch)
    for _, steps in plays(batch):
        best, worst, known = start, np.inf, True
        for s in steps:
            known = known and x.valid[s]
            assert up.valid[s] == down.valid[s] == known
            if known:
                assert up.values[s] == max(x.values[s] - best, 0.0)
                best, worst = max(best, x.values[s]), min(worst, x.values[s])
                assert down.values[s] == worst


@given(whole, st.sampled_from([0.0, 0.5, -1.0]))
def test_records_add_up_to_the_best_exactly(batch, start):
    best = segments.maximum(batch["reward"].values, batch.trajectory_of_step)
    assert total(record(fact("reward"), start))(batch).values.tolist() == (np.maximum(best, start) - start).tolist()


@given(whole)
def test_on_a_path_that_never_falls_back_a_record_is_the_difference(batch):
    assert record(fact("milestones"))(batch).values.tolist() == delta(fact("milestones"))(batch).values.tolist()


@given(whole)
def test_going_back_and_coming_again_is_paid_once(batch):
    """Every step twice with a retreat to the start between: the same records, and nothing for the rest."""
    n, x = batch.size("step"), batch["milestones"].values
    owner = np.repeat(batch.trajectory_of_step, 3)
    longer = Batch(np.zeros(0, int), owner, batch.group_of_trajectory, {
        "milestones": Column.of("step", np.stack([x, np.zeros(n), x], axis=1).ravel())})  # fmt: skip
    paid = record(fact("milestones"))(longer).values.reshape(n, 3)
    assert paid[:, 0].tolist() == record(fact("milestones"))(batch).values.tolist()
    assert not paid[:, 1:].any()


@given(ragged_batches())
def test_each_fault_slowly(batch):
    d, stop, failed = batch["distance"], batch["stopped"], batch["failed"].values
    faults = {
        "left": left(fact("distance"))(batch),
        "receded": receded(fact("distance"))(batch),
        "false_stop": false_stop(fact("stopped"), fact("distance"))(batch),
        "repeated": repeated("state")(batch),
    }
    for t, steps in plays(batch):
        ok, first, end = not failed[t], steps[0], steps[-1]
        state = batch["state"].values[steps].tolist()
        said = {name: (c.values[t] if c.valid[t] else None) for name, c in faults.items()}
        assert said["repeated"] == (float(len(set(state)) < len(state)) if ok else None)
        moved = bool(d.valid[steps].all()) and ok
        expected = float((d.values[steps] == 0).any() and d.values[end] > 0) if moved else None
        assert said["left"] == expected
        both = d.valid[first] and d.valid[end] and ok
        assert said["receded"] == (float(d.values[end] > d.values[first]) if both else None)
        if not (stop.valid[end] and ok):
            assert said["false_stop"] is None
        elif stop.values[end] == 0:
            assert said["false_stop"] == 0.0
        else:
            assert said["false_stop"] == (float(d.values[end] > 0) if d.valid[end] else None)


@given(whole)
def test_a_path_that_goes_wrong_further_is_never_penalised_less(batch):
    """Each path with one more step, back to a place where it was, further off than ever."""
    last = np.flatnonzero(segments.last(batch.trajectory_of_step))
    steps = np.sort(np.append(np.arange(batch.size("step")), last))
    added = np.append(False, steps[1:] == steps[:-1])
    far = np.where(added, 9.0, batch["distance"].values[steps])
    longer = Batch(np.zeros(0, int), batch.trajectory_of_step[steps], batch.group_of_trajectory, {
        "distance": Column.of("step", far),
        "state": Column.of("step", batch["state"].values[steps]),
        "stopped": Column.of("step", np.ones(len(steps))),
    })  # fmt: skip
    for term in (left(fact("distance")), receded(fact("distance")), repeated("state"),
                 false_stop(fact("stopped"), fact("distance"))):  # fmt: skip
        assert (term(longer).values >= term(batch).values).all()
    assert repeated("state")(longer).values.all() and receded(fact("distance"))(longer).values.all()


def test_places_may_be_named_and_a_missing_one_equals_no_other():
    batch = Batch.from_steps(group=[0] * 4, trajectory=[0, 0, 1, 1], reward=[0.0] * 4)
    batch = batch.with_columns(place=Column.of("step", ["a", "a", None, None]))
    assert repeated("place")(batch).tolist() == [1.0, 0.0]


def test_without_a_step_nothing_is_known():
    none = Batch(np.zeros(0, int), np.zeros(0, int), np.zeros(1, int))
    none = none.with_columns(distance=Column.of("step", np.zeros(0)), state=Column.of("step", np.zeros(0, int)))
    for term in (left(fact("distance")), receded(fact("distance")), repeated("state")):
        assert term(none).tolist() == [None]


@pytest.mark.bad_input
@pytest.mark.parametrize("make", [record, worst_so_far, left, receded])
def test_paths_are_made_of_steps(make):
    batch = Batch.from_steps(group=[0], trajectory=[0], reward=[0.0])
    with pytest.raises(LevelError, match=make.__name__):
        make(fact("outcome"))(batch)
