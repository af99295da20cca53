"""recurrence: against a loop, over segments shorter and much longer than a block, and what lies beyond an end."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from guerdon import recurrence

B = recurrence.BLOCK
lengths = st.lists(
    st.one_of(st.integers(1, 5), st.sampled_from([B - 1, B, B + 1, 2 * B - 1, 2 * B, 3 * B]), st.integers(1, 4 * B)),
    min_size=1, max_size=6,
)  # fmt: skip


def slow(x, decay, end):
    y = np.array(x, float)
    for t in reversed(range(len(x) - 1)):
        if t not in end:
            y[t] += decay[t] * y[t + 1]
    return y


def slow_least(x, end):
    y = np.array(x, float)
    for t in reversed(range(len(x) - 1)):
        if t not in end:
            y[t] = min(y[t], y[t + 1])
    return y


@settings(max_examples=60, deadline=None)
@given(lengths, st.integers(0, 2**32 - 1), st.floats(0, 1))
def test_linear_is_the_loop(length, seed, one):
    rng = np.random.default_rng(seed)
    end = np.cumsum(length) - 1
    x, decay = rng.normal(size=end[-1] + 1), rng.uniform(-1, 1, end[-1] + 1)
    ends = set(end.tolist())
    assert recurrence.linear(x, decay, end) == pytest.approx(slow(x, decay, ends), rel=1e-9, abs=1e-12)
    same = np.full(len(x), one)
    assert recurrence.linear(x, np.array(one), end) == pytest.approx(slow(x, same, ends), rel=1e-9, abs=1e-12)


@pytest.mark.parametrize("one", [0.9, None])
def test_a_few_ends_inside_blocks_of_long_segments_are_kept(one):
    # Block 2 is cut twice and also ends a segment; most blocks are not cut at all.
    end = np.array([2 * B + 3, 2 * B + 9, 3 * B - 1, 9 * B, 14 * B - 1, 20 * B + 5])
    rng = np.random.default_rng(0)
    x, decay = rng.normal(size=end[-1] + 1), rng.uniform(-1, 1, end[-1] + 1)
    decay = decay if one is None else np.full(len(x), one)
    expected = slow(x, decay, set(end.tolist()))
    assert recurrence.linear(x, decay if one is None else np.array(one), end) == pytest.approx(expected, abs=1e-12)
    assert recurrence.least(x, end).tolist() == slow_least(x, set(end.tolist())).tolist()


@settings(max_examples=60, deadline=None)
@given(lengths, st.integers(0, 2**32 - 1))
def test_least_is_the_loop(length, seed):
    end = np.cumsum(length) - 1
    x = np.random.default_rng(seed).normal(size=end[-1] + 1) + 2  # mostly above zero
    assert recurrence.least(x, end).tolist() == slow_least(x, set(end.tolist())).tolist()


def test_one_segment_of_many_blocks_of_blocks():
    n = B * B * 3 + 5  # the recurrence over blocks has blocks of its own
    x = np.random.default_rng(0).normal(size=n)
    end = np.array([n - 1])
    assert recurrence.linear(x, np.array(0.999), end) == pytest.approx(
        slow(x, np.full(n, 0.999), {n - 1}), rel=1e-9, abs=1e-11
    )
    assert recurrence.linear(x, np.array(1.0), end)[0] == pytest.approx(x.sum())


def test_it_is_stable_where_powers_of_the_decay_vanish():
    n = 5000
    y = recurrence.linear(np.ones(n), np.array(0.01), np.array([n - 1]))
    assert y[0] == pytest.approx(1 / 0.99, rel=1e-12) and np.isfinite(y).all()


@pytest.mark.parametrize("many", [3, B, 5 * B])
def test_what_is_not_finite_stays_in_its_segment(many):
    x = np.concatenate([np.ones(many), np.full(many, np.nan), np.ones(many)])
    decay = np.full(len(x), 0.5)
    decay[[many - 1, 2 * many - 1]] = np.inf
    end = np.array([many, 2 * many, 3 * many]) - 1
    for fade in (decay, np.array(0.5)):
        y = recurrence.linear(x, fade, end)
        assert np.isfinite(y[:many]).all() and np.isnan(y[many : 2 * many]).all() and np.isfinite(y[2 * many :]).all()
    assert recurrence.least(x, end)[:many].tolist() == [1.0] * many


def test_what_is_given_is_not_written_to():
    x, decay = np.ones(3 * B), np.full(3 * B, 0.5)
    recurrence.linear(x, decay, np.array([B - 1, 3 * B - 1]))
    recurrence.least(x, np.array([B - 1, 3 * B - 1]))
    assert (x == 1).all() and (decay == 0.5).all()
