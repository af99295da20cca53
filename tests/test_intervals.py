"""Intervals against what can be worked out by hand, and against how often they hold."""

import math

import numpy as np
import pytest

from guerdon.intervals import student, wilson

Z = 1.959964


@pytest.mark.parametrize(("k", "n"), [(0, 10), (1, 10), (5, 10), (64, 64), (37, 128)])
def test_wilson_ends_are_where_the_share_is_z_deviations_off(k, n):
    # (p - q)^2 = z^2 q (1 - q) / n, a quadratic in q
    p = k / n
    a, b, c = 1 + Z * Z / n, -(2 * p + Z * Z / n), p * p
    root = math.sqrt(b * b - 4 * a * c)
    assert wilson(k, n) == pytest.approx(((-b - root) / (2 * a), (-b + root) / (2 * a)), abs=1e-12)


def test_wilson_against_printed_values():
    assert wilson(81, 263) == pytest.approx((0.2553, 0.3662), abs=1e-4)  # Newcombe 1998, table I
    assert wilson(0, 20) == pytest.approx((0.0, 0.1611), abs=1e-4)


def test_wilson_of_nothing_is_everything():
    assert wilson(0, 0) == (0.0, 1.0)


def test_wilson_mirrors_and_stays_inside():
    for k in range(11):
        low, high = wilson(k, 10)
        assert 0 <= low <= k / 10 + 1e-12 and k / 10 - 1e-12 <= high <= 1
        assert wilson(10 - k, 10) == pytest.approx((1 - high, 1 - low))


@pytest.mark.parametrize(
    ("freedom", "t"), [(1, 12.706), (2, 4.303), (9, 2.262), (30, 2.042), (31, 2.0395), (60, 2.0003), (120, 1.9799)]
)
def test_student_against_the_table(freedom, t):
    x = np.random.default_rng(freedom).normal(size=freedom + 1)
    low, high = student(x)
    assert (low + high) / 2 == pytest.approx(x.mean())
    assert (high - low) / 2 == pytest.approx(t * x.std(ddof=1) / math.sqrt(freedom + 1), rel=1e-3)


def test_student_of_one_value_is_that_value():
    assert student([0.25]) == (0.25, 0.25)


def test_student_of_equal_values_has_no_width():
    assert student([0.5, 0.5, 0.5]) == (0.5, 0.5)


@pytest.mark.parametrize("n", [3, 40])
def test_student_covers_the_mean_as_often_as_it_says(n):
    rng = np.random.default_rng(n)
    held = [low <= 0 <= high for low, high in (student(rng.normal(size=n)) for _ in range(4000))]
    assert np.mean(held) == pytest.approx(0.95, abs=4 * math.sqrt(0.95 * 0.05 / 4000))
