"""Cosine, bias and variance of estimates whose law is known, and the budget that a curve takes."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from guerdon.bench import cosine
from guerdon.bench.moments import Moments, budget, crossing, mean_of, ratio, redraws

TRUTH = np.array([3.0, 4.0, 0.0, 0.0])


def noisy(mean, spread, seed=0, batches=64):
    rng = np.random.default_rng(seed)
    return Moments(mean + spread * rng.normal(size=(batches, len(TRUTH))), TRUTH)


@given(seed=st.integers(0, 999))
def test_cosines_are_those_of_each_estimate(seed):
    found = noisy(TRUTH, 3.0, seed, 5)
    assert found.cosines == pytest.approx([cosine(g, TRUTH) for g in found.estimates])


def test_an_estimate_of_zero_has_cosine_zero_and_nothing_else_is_known():
    found = Moments(np.zeros((64, 4)), TRUTH)
    assert (found.cosines == 0).all() and found.limit is found.bias is found.variance is None


def test_pure_noise_has_no_limit():
    assert sum(noisy(0 * TRUTH, 1.0, seed).limit is None for seed in range(40)) >= 36


def test_without_noise_all_is_known():
    off = np.array([3.0, 4.0, 5.0, 0.0])  # the truth and as much across it
    found = noisy(off, 0.0)
    assert found.limit == pytest.approx([np.sqrt(0.5)] * 3)
    assert found.bias == pytest.approx([np.sqrt(0.5)] * 3) and found.variance == pytest.approx(0.0)
    assert noisy(7 * TRUTH, 0.0).bias == pytest.approx([0.0] * 3, abs=1e-6)
    assert noisy(-TRUTH, 0.0).bias == pytest.approx([1.0] * 3), "the wrong way is not mended by scaling"


def test_intervals_hold_the_truth_about_95_times_in_100():
    off = np.array([3.0, 4.0, 2.0, 0.0])
    true = 5 / np.sqrt(29)
    held = [noisy(off, 4.0, seed).limit for seed in range(200)]
    assert 0.88 <= np.mean([low <= true <= high for _, low, high in held]) <= 0.99
    assert np.mean([value for value, _, _ in held]) == pytest.approx(true, abs=0.01)


def test_the_cosine_of_a_larger_budget_is_foretold():
    told = np.mean([noisy(TRUTH, 6.0, seed).at(9.0)[0] for seed in range(50)])
    seen = np.mean([noisy(TRUTH, 2.0, seed).cosines.mean() for seed in range(50)])
    assert told == pytest.approx(seen, abs=0.02)
    assert noisy(TRUTH, 6.0).at(1.0)[0] < told < noisy(TRUTH, 6.0).limit[0] + 1e-9


def test_variance_is_relative_to_the_mean():
    assert np.mean([noisy(TRUTH, 1.0, seed).variance for seed in range(30)]) == pytest.approx(4 / 25, rel=0.05)


@pytest.mark.parametrize(
    ("curve", "expected"),
    [([0.5, 1.0], (200.0, False)), ([0.75, 0.8], (np.inf, False)), ([0.8, 0.9], (100.0, True)),
     ([0.0, 0.75], (400.0, False))],
)  # fmt: skip
def test_the_budget_is_read_off_the_logarithm_of_the_steps(curve, expected):
    assert crossing(np.array([100, 400]), np.array(curve), 0.75 if expected[0] < 1e9 else 0.9) == expected


def curves(factor=1.0, top=1.0, seed=0):
    """Steps, and cosines of 64 batches that rise to `top`."""
    steps = 100.0 * np.sqrt(2.0) ** np.arange(12)
    rise = top * (1 - np.exp(-steps / 1500))
    return steps * factor, rise[:, None] + 0.02 * np.random.default_rng(seed).normal(size=(12, 64))


def test_a_rule_with_a_quarter_of_the_steps_is_four_times_better():
    draws = redraws(64, 200, np.random.default_rng(0))
    found = ratio(curves(0.25), curves(), 0.9, draws)
    assert found["value"] == pytest.approx(4.0) and found["at"] == 0.9 and found["bound"] == ""
    assert found["low"] == pytest.approx(4.0) == found["high"], "the same batches: nothing is left to chance"
    other = ratio(curves(0.25, seed=1), curves(), 0.9, draws)
    assert 3.5 < other["low"] < other["value"] < other["high"] < 4.5


def test_where_one_does_not_arrive_the_higher_cosine_of_both_counts():
    draws = redraws(64, 200, np.random.default_rng(0))
    low = curves(0.5, top=0.5)
    found = ratio(low, curves(), 0.9, draws)
    assert found["at"] == pytest.approx(low[1].mean(1).max()) and found["at"] < 0.9
    assert budget(*low, 0.9, draws) == {"steps": None, "low": None, "high": None, "at_most": False}
    assert ratio((low[0], low[1] * 0), curves(), 0.9, draws) is None


def test_a_first_level_that_is_enough_bounds_the_ratio():
    draws = redraws(64, 50, np.random.default_rng(0))
    steps, rise = curves()
    assert ratio((steps[-1:], rise[-1:]), (steps, rise), 0.9, draws)["bound"] == "at least"
    assert ratio((steps, rise), (steps[-1:], rise[-1:]), 0.9, draws)["bound"] == "at most"


def test_budgets_have_intervals():
    found = budget(*curves(), 0.9, redraws(64, 400, np.random.default_rng(0)))
    assert found["low"] < found["steps"] < found["high"] and not found["at_most"]
    assert found["steps"] == pytest.approx(1500 * np.log(10), rel=0.05)


def test_redraws_are_weights():
    draws = redraws(64, 30, np.random.default_rng(0))
    assert draws.shape == (64, 30) and draws.sum(0) == pytest.approx(1.0)
    assert mean_of(np.array([1.0, 1.0])) == (1.0, 1.0, 1.0)
