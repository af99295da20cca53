"""Surrogates: REINFORCE at ratio 1, where a clip binds, the dual bound, detached weights, and what is measured."""

import math
from dataclasses import replace

import pytest
import torch

from guerdon.objectives import (
    Bounded,
    BySign,
    Clipped,
    ConstantLength,
    Gamma,
    PlayClipped,
    Reinforce,
    Same,
    SequenceMean,
    SequenceProduct,
    SequenceRatio,
    SoftClipped,
    Stream,
    TokenMean,
    TotalVariation,
    Within,
)
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


# Detached weights.


def pull(objective, s):
    """The gradient of the loss in the log-probabilities."""
    return torch.autograd.grad(objective(s)[0], s.logprob)[0]


WEIGHTS = (
    Same(), Bounded(0.2, 0.28), Bounded(1.0, math.inf), BySign(Bounded(0.2, 10.0), Bounded(1.0, 100.0)),
    BySign(Gamma(2.0, 3.0), Gamma(3.0, 2.0)), Within(0.1, 0.2, cap=3.0), Within(0.1, 0.2, TotalVariation()),
)  # fmt: skip
REDUCTIONS = (TokenMean(), SequenceMean(), ConstantLength())


@pytest.mark.parametrize("weight", WEIGHTS, ids=str)
@pytest.mark.parametrize("reduce", REDUCTIONS)
def test_a_detached_weight_scales_the_policy_gradient_and_has_none_of_its_own(weight, reduce, stream):
    """The closed form: -reduce(w A d logprob)."""
    for ratio in (SequenceRatio(), SequenceProduct(), Clipped().ratio):
        fixed = weight(ratio(stream).detach().clamp(-20, 20).exp(), stream).detach()
        expected = torch.autograd.grad(-reduce(fixed * stream.advantage * stream.logprob, stream), stream.logprob)[0]
        torch.testing.assert_close(pull(Reinforce(weight, ratio, reduce), stream), expected)


@pytest.mark.parametrize("weight", WEIGHTS, ids=str)
@pytest.mark.parametrize("reduce", REDUCTIONS)
def test_at_ratio_one_every_weight_is_reinforce(weight, reduce, stream):
    s = replace(stream, old_logprob=stream.logprob.detach())
    torch.testing.assert_close(pull(Reinforce(weight, reduce=reduce), s), pull(Reinforce(reduce=reduce), s))
    torch.testing.assert_close(pull(Reinforce(weight, reduce=reduce), s), pull(Clipped(reduce=reduce), s))
    torch.testing.assert_close(pull(SoftClipped(reduce=reduce), s), pull(Clipped(reduce=reduce), s))


def test_same_is_the_plain_policy_gradient_to_the_last_bit(stream):
    """GPG: -A logprob, no ratio anywhere."""
    s = replace(stream, old_logprob=stream.old_logprob - 3.0)
    (plain,) = torch.autograd.grad(-TokenMean()(s.advantage * s.logprob, s), s.logprob)
    assert torch.equal(pull(Reinforce(), s), plain)
    assert Reinforce()(s)[0].item() == Reinforce()(stream)[0].item()


def test_without_bounds_the_weight_is_the_ratio_and_the_gradient_that_of_the_unclipped_surrogate(stream):
    torch.testing.assert_close(pull(Reinforce(Bounded(1.0, math.inf)), stream), pull(Clipped(1.0, math.inf), stream))


def test_where_no_bound_binds_the_weight_is_the_clip(stream_of):
    s = stream_of(0, far=0.01)
    torch.testing.assert_close(pull(Reinforce(Bounded(0.2, 0.2)), s), pull(Clipped(0.2, 0.2), s))


@pytest.mark.parametrize(
    ("ratio", "advantage", "weight"), [(2.0, 1.0, 1.2), (2.0, -1.0, 1.2), (0.5, 1.0, 0.8), (0.5, -1.0, 0.8)]
)
def test_a_token_outside_the_bounds_keeps_a_pull_that_the_clip_takes(ratio, advantage, weight):
    s, _ = one(ratio, advantage)
    assert pull(Reinforce(Bounded(0.2, 0.2)), s).item() == pytest.approx(-weight * advantage)
    clipped = (ratio > 1) == (advantage > 0)
    assert (pull(Clipped(), s).item() == 0) == clipped


@pytest.mark.parametrize("far", [0.5, 5.0, 500.0])
@pytest.mark.parametrize(
    ("objective", "bound"),
    [
        (Reinforce(), 1.0),
        (Reinforce(Bounded(0.2, 4.0)), 5.0),
        (Reinforce(BySign(Bounded(0.2, 10.0), Bounded(1.0, 100.0))), 101.0),
        (Reinforce(Within(0.1, 0.1, cap=3.0)), 3.0),
        (Reinforce(BySign(Gamma(2.0, 3.0), Gamma(3.0, 2.0)), SequenceProduct()), math.exp(-1) * 1.5**3),
        (SoftClipped(reduce=TokenMean()), 1.6),
        (SoftClipped(2.0, 2.0, reduce=TokenMean()), 1.2),
    ],
    ids=str,
)
def test_the_gradient_of_a_token_is_bounded_however_far_it_is(objective, bound, far, stream_of):
    s = stream_of(0, far=far)
    share = pull(objective, s) * s.tokens / -s.advantage
    assert share.max().item() <= bound + 1e-9 and share.min().item() >= 0


def test_the_clip_alone_has_no_such_bound():
    s, _ = one(1000.0, -1.0)
    assert pull(Clipped(), s).item() == pytest.approx(1000.0)


def test_cispo_lies_inside_the_bounds_of_dispo(stream):
    """Equal bounds for both signs are CISPO; wider ones change no weight that lies within them."""
    cispo = Bounded(0.2, 0.5)
    torch.testing.assert_close(pull(Reinforce(BySign(cispo, cispo)), stream), pull(Reinforce(cispo), stream))
    x, s = stream.log_ratio().detach().exp(), stream
    narrow, wide = cispo(x, s), BySign(Bounded(0.4, 10.0), Bounded(1.0, 100.0))(x, s)
    inside = (x >= 0.8) & (x <= 1.5)
    assert torch.equal(narrow[inside], wide[inside]) and 0 < int(inside.sum()) < len(inside)
    assert ((narrow - 1).abs() <= (wide - 1).abs() + 1e-12).all()


def test_each_of_the_four_bounds_of_dispo_acts_in_its_own_quarter():
    dispo = Reinforce(BySign(Bounded(0.1, 0.2), Bounded(0.3, 0.4)))
    expected = {(3.0, 1.0): 1.2, (0.2, 1.0): 0.9, (3.0, -1.0): 1.4, (0.2, -1.0): 0.7}
    for (ratio, advantage), weight in expected.items():
        s, _ = one(ratio, advantage)
        assert pull(dispo, s).item() == pytest.approx(-weight * advantage)


def test_the_weight_and_the_share_that_is_not_its_ratio_are_measured():
    s = Stream.of(
        torch.tensor([0.0, 2.0, -2.0, 0.1]), torch.zeros(4), torch.ones(4), torch.arange(4), torch.zeros(4).long()
    )
    terms = Reinforce(Bounded(0.2, 1.0))(s)[1]
    assert terms["ratio_clipped"].item() == 0.5
    assert terms["weight"].item() == pytest.approx((1.0 + 2.0 + 0.8 + math.exp(0.1)) / 4)
    assert set(Reinforce(name="mine")(s)[1]) == {"mine", "mine/weight", "mine/ratio_clipped", "mine/kl_old"}


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


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("seed", range(4))
def test_a_clip_per_play_is_the_clip_per_token_of_the_ratio_of_plays(seed, weighted, stream_of):
    s = stream_of(seed, weighted=weighted, far=0.6)
    whole, tokens = PlayClipped(0.1, 0.2), Clipped(0.1, 0.2, ratio=SequenceRatio(), reduce=SequenceMean())
    (mine, terms), (theirs, _) = whole(s), tokens(s)
    torch.testing.assert_close(mine, theirs)
    a, b = (torch.autograd.grad(x, s.logprob)[0] for x in (mine, theirs))
    torch.testing.assert_close(a, b)
    assert 0 <= terms["ratio_clipped"] <= 1 and terms["kl_old"] >= 0


def test_what_a_clip_per_play_reports_is_of_plays():
    lp, ids = torch.tensor([0.5, 0.5, -0.5]), torch.tensor([0, 0, 1])
    s = Stream.of(lp, torch.zeros(3), torch.tensor([1.0, 1.0, 1.0]), ids, ids)
    _, terms = PlayClipped(0.2, 0.2)(s)
    assert float(terms["ratio_clipped"]) == 0.5  # a good play that became unlikely is not held back
    assert math.isclose(float(terms["kl_old"]), float((k3(torch.tensor([0.5])) + k3(torch.tensor([-0.5])))[0]) / 2)


def test_a_clip_per_play_refuses_bounds_out_of_range():
    with pytest.raises(ValueError, match="low lies in"):
        PlayClipped(low=1.5)
