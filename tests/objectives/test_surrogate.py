"""Clipped: REINFORCE at ratio 1, where the clip binds, the dual bound, and its measurements."""

from dataclasses import replace

import pytest
import torch

from guerdon.objectives import Clipped, ConstantLength, SequenceMean, Stream, TokenMean
from guerdon.objectives.surrogate import k3


def one(ratio, advantage):
    """A stream of one token with this ratio, and its log-probability."""
    lp = torch.tensor([ratio], dtype=torch.float64).log().requires_grad_()
    zero = torch.zeros(1, dtype=torch.long)
    s = Stream.of(lp, torch.zeros(1, dtype=torch.float64), torch.tensor([advantage], dtype=torch.float64), zero, zero)
    return s, lp


@pytest.mark.parametrize("reduce", [TokenMean(), SequenceMean(), ConstantLength()])
@pytest.mark.parametrize("dual", [None, 3.0])
def test_at_ratio_one_the_gradient_is_that_of_reinforce(reduce, dual, stream):
    s = replace(stream, old_logprob=stream.logprob.detach())
    (got,) = torch.autograd.grad(Clipped(reduce=reduce, dual=dual)(s)[0], s.logprob)
    (reinforce,) = torch.autograd.grad(-reduce(s.advantage * s.logprob, s), s.logprob)
    torch.testing.assert_close(got, reinforce)


@pytest.mark.parametrize("dual", [None, 3.0])
@pytest.mark.parametrize(
    ("ratio", "advantage", "gain", "pulls"),
    [
        (1.1, 2.0, 2.2, True),
        (1.29, 2.0, 2.58, True),  # high=0.3
        (1.31, 2.0, 2.6, False),
        (0.5, 2.0, 1.0, True),  # a good token that became unlikely is not held back
        (0.91, -2.0, -1.82, True),  # low=0.1
        (0.89, -2.0, -1.8, False),
        (1.5, -2.0, -3.0, True),  # a bad token that became likely is not held back
        (5.0, 0.0, 0.0, False),
    ],
)
def test_the_clip_binds_outside_its_bounds_on_the_side_that_gains(ratio, advantage, gain, pulls, dual):
    s, lp = one(ratio, advantage)
    loss, terms = Clipped(0.1, 0.3, dual=dual)(s)
    (gradient,) = torch.autograd.grad(loss, lp)
    assert loss.item() == pytest.approx(-gain)
    assert gradient.item() == pytest.approx(-ratio * advantage if pulls else 0.0)
    assert terms["ratio_clipped"].item() == float(not pulls and advantage != 0)


def test_the_dual_bound_stops_bad_tokens_that_became_very_likely():
    for ratio, expected in ((2.9, 5.8), (3.1, 6.0), (1e6, 6.0)):
        s, lp = one(ratio, -2.0)
        loss, terms = Clipped(dual=3.0)(s)
        assert loss.item() == pytest.approx(expected)
        (gradient,) = torch.autograd.grad(loss, lp)
        assert (gradient.item() == 0) == (ratio > 3)
        assert terms["dual_clipped"].item() == float(ratio > 3)
        assert Clipped()(s)[0].item() == pytest.approx(2 * ratio)


def test_the_dual_bound_holds_everywhere(stream_of):
    s = stream_of(0, far=5.0)
    for t in range(len(s.logprob)):
        token = s.take(torch.tensor([t]))
        loss = Clipped(dual=3.0)(token)[0].item() * s.tokens
        assert loss <= max(3.0 * -s.advantage[t].item(), 0.0) + 1e-9


def test_no_credit_no_gradient(stream):
    loss, _ = Clipped(dual=3.0)(replace(stream, advantage=torch.zeros_like(stream.advantage)))
    (gradient,) = torch.autograd.grad(loss, stream.logprob)
    assert loss.item() == 0
    assert (gradient == 0).all()


def test_no_credit_no_gradient_at_any_distance(stream_of):
    s = stream_of(0, far=200.0)
    loss, _ = Clipped()(replace(s, advantage=torch.zeros_like(s.advantage)))
    (gradient,) = torch.autograd.grad(loss, s.logprob)
    assert (gradient == 0).all()


def test_kl_old_estimates_the_distance_from_the_old_policy():
    old, new = (torch.randn(6, generator=torch.Generator().manual_seed(k)).double() for k in (0, 1))
    p, q = old.softmax(0), new.softmax(0)
    assert (p * k3(q.log() - p.log())).sum().item() == pytest.approx((p * (p.log() - q.log())).sum().item())


def test_kl_old_is_zero_on_the_first_update_and_never_negative(stream):
    s = replace(stream, old_logprob=stream.logprob.detach())
    assert Clipped()(s)[1]["kl_old"].item() == 0
    assert Clipped()(stream)[1]["kl_old"].item() > 0


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_k3_is_never_negative(dtype):
    small = torch.logspace(-12, 3, 20000, dtype=dtype)
    assert (k3(small) >= 0).all()
    assert (k3(-small) >= 0).all()


def test_a_wider_clip_pulls_at_least_as_many_tokens(stream):
    def moved(objective):
        (gradient,) = torch.autograd.grad(objective(stream)[0], stream.logprob)
        return int((gradient != 0).sum())

    widths = [moved(Clipped(w, w)) for w in (0.0, 0.1, 0.3, 0.9)]
    assert widths == sorted(widths)
    assert widths[0] < widths[-1]


def test_bf16_agrees_with_float32_as_far_as_bf16_goes(stream_of):
    s = stream_of(0, dtype=torch.float32, far=0.05)
    columns = [x.to(torch.bfloat16) for x in (s.logprob, s.old_logprob, s.advantage)]
    low, _ = Clipped()(Stream.of(*columns, s.step, s.sequence))
    high, _ = Clipped()(Stream.of(*(x.float() for x in columns), s.step, s.sequence))
    assert low.item() == pytest.approx(high.item(), rel=1e-6)


@pytest.mark.bad_input
@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"low": -0.1}, "low is -0.1"),
        ({"low": 1.5}, "low is 1.5"),
        ({"high": -1.0}, "high is -1.0"),
        ({"dual": 1.0}, "dual is 1.0"),
        ({"dual": 0.2}, "dual is 0.2"),
    ],
)
def test_bounds_out_of_range_are_refused(options, says):
    with pytest.raises(ValueError, match=says):
        Clipped(**options)
