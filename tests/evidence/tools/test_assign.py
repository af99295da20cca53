"""Matchers: laws against each other and against brute force."""

import sys
import time
from itertools import combinations, permutations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from guerdon.errors import MissingExtraError, ShapeError
from guerdon.evidence.tools import Sinkhorn, greedy, hungarian, in_sequence, ordered, transport

ALL = (greedy, hungarian, ordered, in_sequence, Sinkhorn())
TO_ONE = (greedy, hungarian, ordered, in_sequence)


@st.composite
def matrices(draw, most=5, square=False):
    n = draw(st.integers(0, most))
    m = n if square else draw(st.integers(0, most))
    cells = draw(
        st.lists(st.sampled_from([0.0, 0.25, 0.5, 0.75, 1.0]) | st.floats(0, 1), min_size=n * m, max_size=n * m)
    )
    return np.array(cells, float).reshape(n, m)


def slow_best(s, crossing=True):
    """The largest total over all ways to pair."""
    n, m = s.shape
    best = 0.0
    for k in range(min(n, m) + 1):
        for rows in combinations(range(n), k):
            for columns in permutations(range(m), k) if crossing else combinations(range(m), k):
                best = max(best, sum(s[i, j] for i, j in zip(rows, columns, strict=True)))
    return best


# Laws.


@pytest.mark.parametrize("match", ALL)
@given(s=matrices())
def test_scores_and_worths_are_between_nothing_and_one(match, s):
    found = match(s)
    assert 0 <= found.score <= 1
    assert found.made.shape == s.shape[:1] and found.wanted.shape == found.row_of.shape == s.shape[1:]
    for worth in (found.made, found.wanted):
        assert ((worth >= 0) & (worth <= 1)).all()


@pytest.mark.parametrize("match", TO_ONE)
@given(s=matrices())
def test_pairs_are_one_to_one_and_worth_their_similarity(match, s):
    found = match(s)
    columns = np.flatnonzero(found.row_of >= 0)
    rows = found.row_of[columns]
    assert len(set(rows.tolist())) == len(rows)
    np.testing.assert_array_equal(found.wanted[columns], s[rows, columns])
    np.testing.assert_array_equal(found.made[rows], s[rows, columns])
    assert found.made.sum() == pytest.approx(found.wanted.sum())
    if match is not in_sequence and sum(s.shape):
        assert found.score == pytest.approx(2 * found.made.sum() / sum(s.shape))


@given(matrices(4))
def test_hungarian_is_the_best_and_ordered_the_best_without_crossing(s):
    assert hungarian(s).made.sum() == pytest.approx(slow_best(s))
    assert ordered(s).made.sum() == pytest.approx(slow_best(s, crossing=False))


@given(matrices())
def test_no_more_than_the_best_and_greedy_at_least_half_of_it(s):
    best = hungarian(s).made.sum()
    assert greedy(s).made.sum() <= best + 1e-9 and ordered(s).made.sum() <= best + 1e-9
    assert greedy(s).made.sum() >= best / 2 - 1e-9


@given(st.permutations(range(5)), st.integers(0, 5))
def test_greedy_is_the_best_where_each_call_is_like_one_alone(order, gone):
    s = np.eye(5)[list(order)][gone:]
    assert greedy(s).score == hungarian(s).score == pytest.approx(2 * (5 - gone) / (10 - gone))


@pytest.mark.parametrize("match", [greedy, hungarian, Sinkhorn()])
@given(s=matrices(), seed=st.integers(0, 99))
def test_the_order_of_calls_does_not_matter_where_it_should_not(match, s, seed):
    if match is greedy and len(np.unique(s)) < s.size:
        return  # ties are broken by place
    rng = np.random.default_rng(seed)
    rows, columns = rng.permutation(s.shape[0]), rng.permutation(s.shape[1])
    one, other = match(s), match(s[rows][:, columns])
    assert other.score == pytest.approx(one.score, abs=1e-3 if isinstance(match, Sinkhorn) else 1e-9)
    if not isinstance(match, Sinkhorn):
        assert sorted(other.made) == pytest.approx(sorted(one.made)) or match is hungarian


@pytest.mark.parametrize("match", [greedy, hungarian, ordered, Sinkhorn()])
@given(s=matrices())
def test_made_and_wanted_change_places(match, s):
    if match is greedy and len(np.unique(s)) < s.size:
        return
    one, other = match(s), match(s.T)
    assert one.score == pytest.approx(other.score, abs=1e-3 if isinstance(match, Sinkhorn) else 1e-9)


@given(matrices(), st.sampled_from([0.01, 0.1, 1.0]))
def test_a_plan_has_the_sums_that_it_must_have(s, temperature):
    plan = transport(s, temperature)
    assert plan.shape == s.shape and (plan >= 0).all()
    if s.size:
        np.testing.assert_allclose(plan.sum(1), 1 / s.shape[0], atol=1e-9)
        np.testing.assert_allclose(plan.sum(0), 1 / s.shape[1], atol=1e-9)


@settings(max_examples=15)
@given(matrices(4, square=True))
def test_sinkhorn_comes_to_hungarian_as_it_cools(s):
    n = len(s)
    best = hungarian(s).made.sum() / n if n else 1.0
    for temperature in (0.3, 0.02):
        score = Sinkhorn(temperature, rounds=5000)(s).score
        assert score <= best + 1e-9
        # The entropy of a plan is between that of its sums and twice that, so this is all that it can cost.
        assert score >= best - temperature * np.log(max(n, 1)) - 0.02


# Worked numbers.


def test_hungarian_beats_greedy():
    s = np.array([[0.9, 0.8], [0.8, 0.0]])
    assert greedy(s).score == pytest.approx(0.45) and hungarian(s).score == pytest.approx(0.8)


def test_copies_of_an_ordered_reference():
    for k in (1, 2, 3):
        assert ordered(np.tile(np.eye(4), (k, 1))).score == pytest.approx(2 / (k + 1))


def test_a_surplus_call_is_paid_by_transport_alone():
    s = np.array([[1.0], [1.0]])
    np.testing.assert_allclose(Sinkhorn()(s).made, [1.0, 1.0])
    np.testing.assert_array_equal(greedy(s).made, [1.0, 0.0])


def test_of_nothing():
    for match in ALL:
        assert match(np.zeros((0, 0))).score == 1.0
        assert match(np.zeros((2, 0))).score == match(np.zeros((0, 2))).score == 0.0


def test_zero_is_no_pair():
    assert (hungarian(np.zeros((2, 2))).row_of == -1).all() and (Sinkhorn()(np.zeros((2, 2))).row_of == -1).all()


@pytest.mark.parametrize("s", [np.zeros(3), np.array([[2.0]]), np.array([[np.nan]]), np.array([[-0.1]])])
@pytest.mark.parametrize("match", ALL)
def test_what_is_no_similarity_is_refused(match, s):
    with pytest.raises(ShapeError, match="between 0 and 1"):
        match(s)


def test_a_temperature_of_nothing_is_refused():
    with pytest.raises(ShapeError, match="above 0"):
        transport(np.eye(2), 0.0)


def test_without_scipy_the_message_names_the_extra(monkeypatch):
    monkeypatch.setitem(sys.modules, "scipy.optimize", None)
    with pytest.raises(MissingExtraError, match=r"guerdon\[tools\]"):
        hungarian(np.eye(2))
    assert greedy(np.eye(2)).score == ordered(np.eye(2)).score == 1.0


@pytest.mark.parametrize("match", ALL)
@pytest.mark.parametrize("odd", [np.inf, -np.inf, np.nan, -1.0, 1.5])
def test_numbers_that_are_no_similarities_are_refused(match, odd):
    with pytest.raises(ShapeError):
        match(np.array([[odd, 0.0]]))


@pytest.mark.parametrize("match", ALL)
def test_a_thousand_by_a_thousand_ends_soon(match):
    began = time.monotonic()
    found = match(np.random.default_rng(0).random((1000, 1000)))
    assert 0 <= found.score <= 1 and time.monotonic() - began < 8


@pytest.mark.parametrize("temperature", [1e-300, 1e-5, np.inf])
def test_transport_at_the_ends_of_temperature(temperature):
    found = Sinkhorn(temperature)(np.eye(3))
    assert np.isfinite(found.made).all() and 0 <= found.score <= 1
    with pytest.raises(ShapeError):
        Sinkhorn(np.nan)(np.eye(2))
