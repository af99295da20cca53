"""An objective whose weight follows a schedule."""

from dataclasses import replace

import pytest
import torch

from guerdon.objectives import After, Always, Clipped, Cosine, Entropy, Linear, Scheduled
from guerdon.schedule import Schedule

SCHEDULES = (Linear(0.2, 1.0, 7), Cosine(1.0, 0.0, 5), Always(0.3), After(3, Linear(0.0, 1.0, 4)))


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
