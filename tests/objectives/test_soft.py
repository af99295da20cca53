"""The soft clip: its gate, where it lets go, and the clip that it becomes."""

import math

import pytest
import torch

from guerdon.objectives import Clipped, SoftClipped, Stream, TokenMean


def token(ratio, advantage):
    lp = torch.tensor([ratio], dtype=torch.float64).log().requires_grad_()
    zero, none = torch.zeros(1, dtype=torch.long), torch.zeros(1, dtype=torch.float64)
    return Stream.of(lp, none, torch.tensor([advantage], dtype=torch.float64), zero, zero)


def pull(objective, s):
    return torch.autograd.grad(objective(s)[0], s.logprob)[0]


@pytest.mark.parametrize("advantage", [2.0, -0.5])
@pytest.mark.parametrize("ratio", [0.01, 0.5, 1.0, 1.3, 4.0])
def test_the_loss_and_its_gradient_in_closed_form(ratio, advantage):
    hot, cold = 0.7, 1.9
    t = hot if advantage > 0 else cold
    g = 1 / (1 + math.exp(-t * (ratio - 1)))
    s, objective = token(ratio, advantage), SoftClipped(hot, cold)
    assert objective(s)[0].item() == pytest.approx(-4 / t * g * advantage)
    assert pull(objective, s).item() == pytest.approx(-4 * g * (1 - g) * ratio * advantage)
    assert objective(s)[1]["gate"].item() == pytest.approx(4 * g * (1 - g))


def test_no_edge_where_the_clip_has_one():
    """A good token on either side of the clip's bound: the clip's pull falls to 0 at once, the gate's hardly moves."""
    below, above = 1.2 - 1e-6, 1.2 + 1e-6
    clip, soft = ([pull(f, token(r, 1.0)).item() for r in (below, above)] for f in (Clipped(), SoftClipped()))
    assert clip == pytest.approx([-1.2, 0.0], abs=1e-5)
    assert soft[0] == pytest.approx(soft[1], abs=1e-5) and soft[0] < -1


@pytest.mark.parametrize("advantage", [1.0, -1.0])
def test_what_is_far_away_is_let_go_on_both_sides(advantage):
    pulls = [abs(pull(SoftClipped(), token(r, advantage)).item()) for r in (1e-9, 1e-3, 1.0, 30.0, 1e6)]
    assert pulls[0] < pulls[1] < 1e-2 and pulls[2] == pytest.approx(1.0)
    assert pulls[3] < 1e-9 and pulls[4] == 0


def test_a_higher_temperature_lets_go_sooner():
    pulls = [abs(pull(SoftClipped(1.0, t), token(3.0, -1.0)).item()) for t in (0.5, 1.0, 2.0, 4.0)]
    assert pulls == sorted(pulls, reverse=True)


def test_as_the_temperature_falls_it_becomes_the_unclipped_surrogate(stream):
    got = pull(SoftClipped(1e-6, 1e-6, reduce=TokenMean()), stream)
    torch.testing.assert_close(got, pull(Clipped(1.0, math.inf), stream), atol=1e-6, rtol=1e-6)


@pytest.mark.bad_input
@pytest.mark.parametrize("temperatures", [(0.0, 1.0), (1.0, -1.0)])
def test_a_temperature_that_is_not_above_zero_is_refused(temperatures):
    with pytest.raises(ValueError, match="SoftClipped: positive is"):
        SoftClipped(*temperatures)
