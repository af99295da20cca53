"""Schedules as values, and an objective whose weight follows one."""

from dataclasses import replace
from math import cos, pi

import pytest
import torch

from guerdon.objectives import After, Always, Clipped, Cosine, Entropy, Linear, Scheduled
from guerdon.objectives.schedule import Schedule

SCHEDULES = (Linear(0.2, 1.0, 7), Cosine(1.0, 0.0, 5), Always(0.3), After(3, Linear(0.0, 1.0, 4)))


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


@pytest.mark.parametrize("schedule", SCHEDULES)
def test_the_loss_and_its_parts_scale_and_measurements_do_not(schedule, stream):
    assert isinstance(schedule, Schedule)
    base = Clipped()
    for t in (0, 3, 5, 50):
        (loss, terms), (plain, those) = Scheduled(base, schedule)(replace(stream, iteration=t)), base(stream)
        assert loss.item() == pytest.approx(schedule(t) * plain.item())
        assert terms["surrogate"].item() == pytest.approx(schedule(t) * those["surrogate"].item())
        assert terms["kl_old"].item() == those["kl_old"].item()


def test_at_weight_zero_it_is_as_if_it_were_not_there(stream):
    base = Clipped()
    with_more = base + Scheduled(Entropy(5.0), After(10, Always(1.0)))
    one, other = (torch.autograd.grad(o(stream)[0], stream.logprob)[0] for o in (base, with_more))
    torch.testing.assert_close(one, other)
    assert with_more(stream)[0].item() == base(stream)[0].item()


def test_schedules_nest(stream):
    twice = Scheduled(Scheduled(Clipped(), Always(0.5)), Always(0.5))
    assert twice(stream)[0].item() == pytest.approx(0.25 * Clipped()(stream)[0].item())
