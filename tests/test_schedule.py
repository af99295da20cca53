"""Schedules: where they begin and end, and that they never leave their ends."""

import itertools
from math import cos, pi, sqrt

import pytest

from guerdon.schedule import After, Always, Cosine, Halving, Linear, Schedule


@pytest.mark.parametrize("schedule", [Linear(0.2, 1.0, 7), Cosine(0.2, 1.0, 7)])
def test_it_goes_from_start_to_end_and_stays(schedule):
    values = [schedule(t) for t in range(12)]
    assert values[0] == 0.2 and values[7:] == [1.0] * 5
    assert values == sorted(values)
    assert schedule(3) + schedule(4) == pytest.approx(1.2)  # symmetric about its middle


def test_the_cosines_of_the_paper():
    up, down = Cosine(0.0, 1.0, 200), Cosine(1.0, 0.0, 200)
    for t in range(0, 201, 20):
        assert up(t) == pytest.approx((1 - cos(pi * t / 200)) / 2)
        assert down(t) == pytest.approx((1 + cos(pi * t / 200)) / 2)
        assert up(t) + down(t) == pytest.approx(1.0)
    assert up(10**6) == 1.0 and down(10**6) == 0.0


def test_after_counts_from_where_it_begins():
    late = After(3, Linear(0.0, 1.0, 4))
    assert [late(t) for t in (0, 2, 3, 5, 7, 99)] == [0.0, 0.0, 0.0, 0.5, 1.0, 1.0]


@pytest.mark.parametrize("kind", [Linear, Cosine])
def test_no_iteration_at_all_is_refused(kind):
    with pytest.raises(ValueError, match="Always"):
        kind(0.0, 1.0, 0)


@pytest.mark.parametrize("schedule", [Linear(0.5, 0.125, 8), Cosine(0.5, 0.125, 8)])
def test_it_falls_too_and_before_the_first_iteration_it_is_at_its_start(schedule):
    values = [schedule(t) for t in range(-1, 12)]
    assert values[0] == values[1] == 0.5 and values[9:] == [0.125] * 4
    assert all(a >= b for a, b in itertools.pairwise(values))
    assert schedule(4) == pytest.approx(0.3125)


def test_halving_halves():
    assert [Halving(1.0, 4)(t) for t in (0, 4, 8)] == [1.0, 0.5, 0.25]
    assert Halving(1.0, 4)(2) == pytest.approx(sqrt(0.5))
    with pytest.raises(ValueError, match="Always"):
        Halving(1.0, 0)


def test_each_is_a_schedule():
    assert all(isinstance(s, Schedule) for s in (Linear(0, 1, 2), Cosine(0, 1, 2), Halving(1, 2), Always(1.0)))
    assert isinstance(After(1, Always(1.0)), Schedule)
