"""Visits and novelty: against slow counts, and counts that persist."""

from collections import Counter

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from guerdon.batch import Batch, Column
from guerdon.errors import RecordError, ShapeError
from guerdon.evidence import observe
from guerdon.evidence.novelty import Counts, Decayed, First, episodic_novelty, global_novelty, visits
from guerdon.evidence.trace import repeated
from strategies import ragged_batches

KEYS = st.lists(st.integers(-(2**62), 2**62) | st.integers(0, 4), max_size=12).map(lambda k: np.array(k, np.int64))


@given(ragged_batches())
def test_visits_and_novelty_agree_with_slow_counts(batch):
    every = [visits(), episodic_novelty(), episodic_novelty("slow", Decayed(0.5)), global_novelty()]
    seen = observe(batch, every)
    states, owner = batch["state"].tolist(), batch.trajectory_of_step.tolist()
    total, running = Counter(states), Counter()
    for i, (state, play) in enumerate(zip(states, owner, strict=True)):
        running[play, state] += 1
        n = running[play, state]
        assert seen["visits"].values[i] == n
        assert seen["episodic_novelty"].values[i] == float(n == 1)
        assert seen["slow"].values[i] == pytest.approx(n**-0.5)
        assert seen["global_novelty"].values[i] == pytest.approx(total[state] ** -0.5)


@given(ragged_batches())
def test_each_state_of_a_play_is_new_once(batch):
    first = observe(batch, [episodic_novelty()])["episodic_novelty"].values
    pairs = set(zip(batch.trajectory_of_step.tolist(), batch["state"].tolist(), strict=True))
    assert first.sum() == len(pairs)


@given(KEYS, KEYS, KEYS)
def test_counts_add_up_in_any_order_and_survive_a_table(a, b, c):
    one, two, three = (Counts.of_keys(k) for k in (a, b, c))
    whole = Counts.of_keys(np.concatenate((a, b, c)))
    for added in (one + two + three, three + (two + one), Counts.of_table((one + two + three).table())):
        np.testing.assert_array_equal(added.key, whole.key)
        np.testing.assert_array_equal(added.count, whole.count)
    slow = Counter(a.tolist())
    assert one.of(b).tolist() == [slow[k] for k in b.tolist()]


def test_known_counts_make_the_known_less_new():
    batch = Batch.from_steps(group=[0] * 3, trajectory=[0, 0, 1], reward=[0.0] * 3, state=[5, 5, 6])
    assert observe(batch, [global_novelty()])["global_novelty"].tolist() == pytest.approx([0.5**0.5, 0.5**0.5, 1.0])
    known = Counts() + Counts.of_batch(batch)
    again = observe(batch, [global_novelty(known), global_novelty(known, "first", First())])
    assert again["global_novelty"].tolist() == pytest.approx([0.5, 0.5, 0.5**0.5])
    assert again["first"].tolist() == [0.0, 0.0, 0.0]


def test_a_missing_state_is_no_visit():
    batch = Batch.from_steps(group=[0] * 4, trajectory=[0] * 4, reward=[0.0] * 4)
    batch = batch.with_columns(state=Column("step", np.zeros(4, np.int64), np.array([True, False, False, True])))
    seen = observe(batch, [visits(), global_novelty()])
    assert seen["visits"].tolist() == [1.0, None, None, 2.0]
    assert seen["global_novelty"].tolist() == [pytest.approx(0.5**0.5), None, None, pytest.approx(0.5**0.5)]
    assert Counts.of_batch(batch).count.tolist() == [2]


def test_text_is_a_state_too():
    batch = Batch.from_steps(group=[0] * 2, trajectory=[0, 0], reward=[0.0] * 2, action=["a", "b"])
    batch = batch.with_columns(observation=Column.of("step", ["hall", "hall"]))
    assert observe(batch, [visits(column="observation")])["visits"].tolist() == [1.0, 2.0]


def test_counts_that_cannot_be_are_refused():
    with pytest.raises(ShapeError, match="rising"):
        Counts(np.array([2, 1]), np.array([1, 1]))
    with pytest.raises(RecordError, match="are needed"):
        Counts.of_table(pa.table({"a": [1]}))


def test_fractions_are_states_too_and_nan_is_none():
    states = [0.5, 0.5, 2.0, 0.0, -0.0, np.nan, np.nan, 1e300]
    batch = Batch.from_steps(group=[0] * 8, trajectory=[0] * 8, reward=[0.0] * 8)
    batch = batch.with_columns(state=Column.of("step", states), action=Column.of("step", ["a"] * 8))
    seen = observe(batch, [visits(), repeated, global_novelty(Counts.of_keys(np.array([2, 2, 2])))])
    assert seen["visits"].tolist() == [1.0, 2.0, 1.0, 1.0, 2.0, None, None, 1.0]
    assert seen["repeated"].tolist() == [0.0, 1.0, 0.0, 0.0, 1.0, None, None, 0.0]
    assert seen["global_novelty"].tolist()[2] == 0.5
