"""segments: each function against a slow loop on random ragged ids, its laws, and bad input."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from guerdon import segments
from guerdon.errors import ShapeError


@st.composite
def ragged(draw, sorted_ids=False, min_size=0):
    """Values with an id each: runs of random length, ids far apart, some of them negative."""
    lengths = draw(st.lists(st.integers(1, 6), min_size=min_size, max_size=8))
    n = sum(lengths)
    ids = draw(st.lists(st.integers(-(2**40), 2**40), min_size=len(lengths), max_size=len(lengths), unique=True))
    x = draw(st.lists(st.floats(-100, 100, width=32), min_size=n, max_size=n))
    by = np.repeat(np.array(sorted(ids) if sorted_ids else ids, np.int64), lengths)
    return np.array(x, np.float64), by


@st.composite
def numbered(draw):
    """Values with an id from 0, in any order, some ids without a member; and how many ids there are."""
    n = draw(st.integers(1, 8))
    by = draw(st.lists(st.integers(0, n - 1), max_size=20))
    x = draw(st.lists(st.floats(-100, 100, width=32), min_size=len(by), max_size=len(by)))
    return np.array(x, np.float64), np.array(by, np.int64), n


def members(x, by, segment):
    return [float(v) for v, s in zip(x, by, strict=True) if s == segment]


# Against a loop.


@given(ragged())
def test_dense_numbers_the_sorted_ids(sample):
    _, by = sample
    order = sorted(set(by.tolist()))
    assert segments.dense(by).tolist() == [order.index(b) for b in by.tolist()]


@given(numbered())
def test_dense_gives_the_same_on_its_short_way(sample):
    _, by, _ = sample
    order = sorted(set(by.tolist()))
    assert segments.dense(by).tolist() == [order.index(b) for b in by.tolist()]


@given(st.lists(st.tuples(st.integers(-3, 3), st.integers(10**12, 10**12 + 2), st.booleans()), max_size=30))
def test_joint_is_equal_exactly_where_all_keys_are(rows):
    keys = [np.array([row[k] for row in rows]) for k in range(3)]
    keys = [key.astype(np.int64) if len(rows) == 0 else key for key in keys]
    order = sorted(set(rows))
    assert segments.joint(*keys).tolist() == [order.index(row) for row in rows]


@given(
    st.lists(st.lists(st.sampled_from([-(2**63), -(2**63) + 1, -1, 0, 1, 2**62, 2**63 - 1]), min_size=1), min_size=1)
)
def test_joint_of_ids_side_by_side_tells_apart_what_differs_in_its_last_bit(groups):
    # Few ids fit one word together with their group; those that differ in the bits left out are found.
    rows = [(g, key) for g, keys in enumerate(groups) for key in keys]
    outer, key = (np.array([row[k] for row in rows], np.int64) for k in range(2))
    order = sorted(set(rows))
    assert segments.joint(outer, key).tolist() == [order.index(row) for row in rows]
    scattered = np.random.default_rng(0).permutation(len(rows))
    assert segments.joint(outer[scattered], key[scattered]).tolist() == [order.index(rows[i]) for i in scattered]


def test_joint_of_many_hashed_states_is_that_of_whole_rows():
    rng = np.random.default_rng(0)
    outer, key = np.arange(5000) // 40, rng.integers(-(2**63), 2**63 - 1, 300)[rng.integers(0, 300, 5000)]
    found = segments.joint(outer, key)
    _, slow = np.unique(np.stack([outer, key], 1), axis=0, return_inverse=True)
    assert (found == slow.reshape(-1)).all()


@given(numbered())
def test_sums_means_and_extremes_are_those_of_a_loop(sample):
    x, by, n = sample
    groups = [members(x, by, s) for s in range(n)]
    assert segments.count(by, n).tolist() == [len(g) for g in groups]
    assert segments.total(x, by, n) == pytest.approx([math.fsum(g) for g in groups])
    assert segments.mean(x, by, n) == pytest.approx([math.fsum(g) / max(len(g), 1) for g in groups])
    assert segments.maximum(x, by, n).tolist() == [max(g, default=-np.inf) for g in groups]
    assert segments.minimum(x, by, n).tolist() == [min(g, default=np.inf) for g in groups]


@given(numbered(), st.sampled_from([0, 1]))
def test_std_is_that_of_numpy(sample, ddof):
    x, by, n = sample
    groups = [members(x, by, s) for s in range(n)]
    slow = [np.std(g, ddof=ddof) if len(g) > ddof else 0.0 for g in groups]
    assert segments.std(x, by, n, ddof=ddof) == pytest.approx(slow, abs=1e-9)


@given(ragged(), st.randoms())
def test_rank_counts_the_smaller_and_half_of_the_equal(sample, random):
    x, by = sample
    order = list(range(len(x)))
    random.shuffle(order)
    x, by = np.round(x[order] / 50), by[order]  # rounded, so that some are equal
    slow = [
        sum(v < x[i] for v in members(x, by, by[i])) + (sum(v == x[i] for v in members(x, by, by[i])) - 1) / 2
        for i in range(len(x))
    ]
    assert segments.rank(x, by) == pytest.approx(slow)


@given(ragged())
def test_position_shift_and_last_are_those_of_a_loop(sample):
    x, by = sample
    n = len(x)
    position = [by[:i].tolist().count(by[i]) for i in range(n)]
    assert segments.position(by).tolist() == position
    assert segments.shift(x, by, -1.0).tolist() == [x[i - 1] if position[i] else -1.0 for i in range(n)]
    assert segments.last(by).tolist() == [i == n - 1 or by[i + 1] != by[i] for i in range(n)]
    assert segments.starts("test", by).tolist() == [p == 0 for p in position]


@given(ragged(min_size=1))
def test_shift_takes_one_fill_for_each_segment(sample):
    x, by = sample
    first = segments.starts("test", by)
    fill = np.arange(first.sum(), dtype=float)
    assert segments.shift(x, by, fill)[first].tolist() == fill.tolist()


@given(ragged(), st.integers(0, 2**32 - 1))
def test_scan_back_is_the_recurrence(sample, seed):
    x, by = sample
    decay = np.random.default_rng(seed).uniform(-1, 1, len(x))
    slow = np.zeros(len(x))
    for t in reversed(range(len(x))):
        ahead = slow[t + 1] if t + 1 < len(x) and by[t + 1] == by[t] else 0.0
        slow[t] = x[t] + decay[t] * ahead
    assert segments.scan_back(x, decay, by) == pytest.approx(slow)


@given(ragged(), st.floats(0, 1))
def test_to_go_is_the_discounted_sum(sample, gamma):
    x, by = sample
    slow = [sum(gamma ** (k - t) * x[k] for k in range(t, len(x)) if by[k] == by[t]) for t in range(len(x))]
    assert segments.to_go(x, by, gamma) == pytest.approx(slow, abs=1e-6)


@given(ragged())
def test_min_to_go_is_the_smallest_ahead(sample):
    x, by = sample
    assert segments.min_to_go(x, by).tolist() == [min(members(x[t:], by[t:], by[t])) for t in range(len(x))]


@given(st.lists(st.sampled_from(["b", "a", "room 7", ""]), max_size=200), st.booleans())
def test_number_counts_ids_as_they_appear_and_dense_as_they_sort(ids, runs):
    ids = np.repeat(np.array(ids, object), 3 if runs else 1)
    seen = list(dict.fromkeys(ids.tolist()))
    assert segments.number(ids).tolist() == [seen.index(i) for i in ids]
    assert segments.dense(ids).tolist() == [sorted(seen).index(i) for i in ids]


@given(st.lists(st.sampled_from([-(2**63), -(2**63) + 1, -1, 0, 1, 2**62, 2**63 - 2, 2**63 - 1]), min_size=1))
def test_dense_tells_ids_apart_that_differ_in_their_last_bit(ids):
    order = sorted(set(ids))
    assert segments.dense(np.array(ids, np.int64)).tolist() == [order.index(i) for i in ids]
    large = np.array([i + 2**63 for i in ids], np.uint64)
    assert segments.dense(large).tolist() == [order.index(i) for i in ids]


@given(ragged(), st.floats(-1, 1))
def test_one_decay_is_as_good_as_one_for_each_value(sample, decay):
    x, by = sample
    each = segments.scan_back(x, np.full(len(x), decay), by)
    assert segments.scan_back(x, decay, by) == pytest.approx(each)
    assert segments.scan_back(x.copy(), decay, by, overwrite=True) == pytest.approx(each)


# Laws.


@given(ragged(), st.integers(0, 2**32 - 1))
def test_scan_back_is_linear_so_its_gradient_is_exact(sample, seed):
    # d y[t] / d x[k] is the product of the decays from t to k - 1; a unit impulse shows it.
    x, by = sample
    if len(x) == 0:
        return
    rng = np.random.default_rng(seed)
    decay, k = rng.uniform(0, 1, len(x)), int(rng.integers(len(x)))
    impulse = np.zeros(len(x))
    impulse[k] = 1.0
    slope = segments.scan_back(x + impulse, decay, by) - segments.scan_back(x, decay, by)
    expected = [np.prod(decay[t:k]) if t <= k and by[t] == by[k] else 0.0 for t in range(len(x))]
    assert slope == pytest.approx(expected, abs=1e-9)


@given(ragged(), st.floats(0, 1))
def test_no_segment_touches_another(sample, gamma):
    x, by = sample
    whole = segments.to_go(x, by, gamma)
    for s in set(by.tolist()):
        assert whole[by == s].tolist() == segments.to_go(x[by == s], by[by == s], gamma).tolist()


@given(ragged())
def test_without_discount_the_first_place_has_the_whole_sum(sample):
    x, by = sample
    first = segments.starts("test", by)
    run = np.cumsum(first) - 1
    assert segments.to_go(x, by)[first] == pytest.approx(segments.total(x, run), abs=1e-9)


@given(ragged())
def test_ranks_of_a_segment_add_up_to_those_of_distinct_values(sample):
    x, by = sample
    by = segments.dense(by)
    k = segments.count(by)
    assert segments.total(segments.rank(x, by), by) == pytest.approx(k * (k - 1) / 2)


# Edges.


def test_empty_input_gives_empty_output():
    x, by = np.zeros(0), np.zeros(0, np.int64)
    for y in (
        segments.dense(by),
        segments.joint(by, by),
        segments.count(by),
        segments.total(x, by),
        segments.mean(x, by),
        segments.maximum(x, by),
        segments.minimum(x, by),
        segments.std(x, by),
        segments.rank(x, by),
        segments.position(by),
        segments.shift(x, by, 0.0),
        segments.last(by),
        segments.scan_back(x, x, by),
        segments.to_go(x, by),
        segments.min_to_go(x, by),
    ):
        assert len(y) == 0
    assert segments.total(x, by, 3).tolist() == [0.0, 0.0, 0.0]


def test_one_long_segment_beside_many_short_ones():
    n = 5000
    by = np.concatenate([np.zeros(n, int), np.arange(1, n)])
    x = np.ones(len(by))
    y = segments.to_go(x, by, 0.5)
    assert y[:3] == pytest.approx(2.0)
    assert y[n:].tolist() == [1.0] * (n - 1)
    assert segments.to_go(x, by)[0] == n


def test_labels_that_are_text_or_truth_values_can_be_numbered():
    assert segments.dense(np.array(["b", "a", "b"])).tolist() == [1, 0, 1]
    assert segments.dense(np.array([True, False, True])).tolist() == [1, 0, 1]


def test_what_lies_beyond_a_segments_end_does_not_enter_even_if_it_is_nan():
    x, decay = np.array([1.0, np.nan]), np.array([np.nan, 1.0])
    assert segments.scan_back(x, decay, np.array([0, 1]))[0] == 1.0


# Bad input.


@pytest.mark.bad_input
@pytest.mark.parametrize(
    "call",
    [
        lambda: segments.total(np.zeros(3), np.zeros(2, int)),
        lambda: segments.maximum(np.zeros(3), np.zeros(2, int)),
        lambda: segments.rank(np.zeros(3), np.zeros(2, int)),
        lambda: segments.shift(np.zeros(3), np.zeros(2, int), 0.0),
        lambda: segments.scan_back(np.zeros(3), np.zeros(3), np.zeros(2, int)),
        lambda: segments.scan_back(np.zeros(2), np.zeros(3), np.zeros(2, int)),
        lambda: segments.min_to_go(np.zeros(3), np.zeros(2, int)),
    ],
)
def test_unequal_lengths_are_said(call):
    with pytest.raises(ShapeError, match=r"(3 values and 2|3 values and 2) segment ids; one id per value"):
        call()


@pytest.mark.parametrize("name", ["position", "last", "min_to_go", "to_go", "shift"])
def test_a_segment_in_two_places_has_no_order(name):
    by = np.array([1, 0, 1])
    arguments = {"position": (by,), "last": (by,), "shift": (np.zeros(3), by, 0.0)}.get(name, (np.zeros(3), by))
    with pytest.raises(ShapeError, match=r"side by side.*argsort"):
        getattr(segments, name)(*arguments)


@pytest.mark.parametrize("name", ["total", "mean", "maximum", "minimum", "std"])
def test_an_id_below_zero_is_refused_not_wrapped_around(name):
    with pytest.raises(ShapeError, match=r"-1; ids count from 0; .*dense"):
        getattr(segments, name)(np.zeros(2), np.array([0, -1]))
