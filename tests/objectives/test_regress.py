"""Regression: log-ratios fitted to advantages, in value, gradient and fixed point; advantage-weighted imitation."""

from dataclasses import replace

import pytest
import torch

from guerdon.errors import ColumnError
from guerdon.objectives import (
    AdvantageWeighted,
    Fixed,
    Imitate,
    Outcome,
    Regress,
    SequenceMean,
    StepMean,
    StepProduct,
    StepRatio,
    Stream,
    TokenMean,
    class_balance,
)


@pytest.mark.parametrize("reduce", [TokenMean(), SequenceMean(), StepMean()])
def test_the_gradient_of_tokens_in_closed_form(reduce, stream):
    s, beta = stream, 0.3
    (got,) = torch.autograd.grad(Regress(beta, reduce=reduce)(s)[0], s.logprob)
    away = (beta * (s.logprob - s.ref_logprob) - s.advantage).detach()
    (wanted,) = torch.autograd.grad(reduce(2 * beta * away * s.logprob, s), s.logprob)
    torch.testing.assert_close(got, wanted)


def test_an_action_is_fitted_as_a_whole(stream_of):
    """The mean over steps of (beta * sum over tokens of the log-ratio - A)^2, and its gradient by hand."""
    s, beta = stream_of(4), 0.3
    of_step = torch.randn(len(s.tokens_of_step), generator=torch.Generator().manual_seed(0)).double()
    s = replace(s, advantage=of_step[s.step])
    x = torch.stack([(s.logprob - s.ref_logprob)[s.step == i].sum() for i in range(len(of_step))])
    loss, _terms = Regress(beta, ratio=StepProduct(), reduce=StepMean())(s)
    assert loss.item() == pytest.approx((beta * x - of_step).square().mean().item())
    (got,) = torch.autograd.grad(loss, s.logprob)
    torch.testing.assert_close(got, (2 * beta * (beta * x - of_step) / len(x))[s.step].detach())
    mean = torch.stack([(s.logprob - s.ref_logprob)[s.step == i].mean() for i in range(len(of_step))])
    as_webrl = Regress(beta, ratio=StepRatio(), reduce=StepMean())(s)[0]
    assert as_webrl.item() == pytest.approx((beta * mean - of_step).square().mean().item())


def test_at_the_reference_it_is_reinforce(stream):
    s = replace(stream, ref_logprob=stream.logprob.detach())
    (got,) = torch.autograd.grad(Regress(0.5)(s)[0], s.logprob)
    (reinforce,) = torch.autograd.grad(-TokenMean()(s.advantage * s.logprob, s), s.logprob)
    torch.testing.assert_close(got, 2 * 0.5 * reinforce)


def test_it_rests_where_the_log_ratio_is_the_advantage_in_units_of_beta(stream):
    s = replace(stream, logprob=(stream.ref_logprob + stream.advantage / 0.2).requires_grad_())
    loss, _ = Regress(0.2)(s)
    (gradient,) = torch.autograd.grad(loss, s.logprob)
    assert loss.item() == pytest.approx(0.0, abs=1e-20)
    torch.testing.assert_close(gradient, torch.zeros_like(gradient), atol=1e-12, rtol=0)


def test_a_reserved_token_becomes_a_judge():
    """LaSeR: fitted to outcomes, beta * (log pi - c_ref) reads 1 after a right answer and 0 after a wrong one."""
    logprob = torch.tensor([-13.0, -23.0, -18.0], dtype=torch.float64).requires_grad_()
    zero, ids = torch.zeros(3).double(), torch.arange(3)
    s = Stream.of(logprob, zero, zero, ids, ids, outcome=torch.tensor([1.0, 0.0, 1.0]).double())
    loss, terms = Regress(0.1, Outcome(), reference=Fixed(-23.0))(s)
    assert loss.item() == pytest.approx(0.25 / 3)
    assert terms["regression_implied"].item() == pytest.approx(0.5)
    assert torch.autograd.grad(loss, logprob)[0].tolist() == pytest.approx([0.0, 0.0, 2 * 0.1 * -0.5 / 3])


def test_what_it_reads_is_held_fixed(stream):
    free = {name: getattr(stream, name).clone().requires_grad_() for name in ("advantage", "ref_logprob")}
    Regress(0.1)(replace(stream, **free))[0].backward()
    assert all(x.grad is None for x in free.values())


@pytest.mark.parametrize("beta", [0.0, -1.0])
def test_beta_is_a_unit(beta):
    with pytest.raises(ValueError, match="beta"):
        Regress(beta)
    with pytest.raises(ValueError, match="beta"):
        AdvantageWeighted(beta)


def test_a_stream_without_a_reference_or_outcome_is_refused(stream):
    with pytest.raises(ColumnError, match="ref_logprob"):
        Regress(0.1)(replace(stream, ref_logprob=None))
    with pytest.raises(ColumnError, match="outcome"):
        Regress(0.1, Outcome())(replace(stream, outcome=None))


def test_weighted_imitation_in_closed_form(stream):
    weight = (stream.advantage / 0.5).exp().clamp(max=3.0)
    loss, _ = AdvantageWeighted(0.5, most=3.0)(stream)
    assert loss.item() == pytest.approx(-TokenMean()(weight * stream.logprob.detach(), stream).item())
    (gradient,) = torch.autograd.grad(loss, stream.logprob)
    assert (gradient <= 0).all()  # nothing is made less likely


def test_where_all_is_worth_the_same_it_is_imitation(stream):
    s = replace(stream, advantage=torch.zeros_like(stream.advantage))
    assert AdvantageWeighted(0.7)(s)[0].item() == pytest.approx(Imitate()(s)[0].item())
    patient = AdvantageWeighted(1e9)(stream)[0]
    assert patient.item() == pytest.approx(Imitate()(stream)[0].item(), rel=1e-6)


def test_both_lead_to_the_same_policy():
    """Over three actions drawn from the reference, both end at ref * exp(A / beta), up to its normaliser."""
    reference = torch.tensor([0.5, 0.3, 0.2]).double().log()
    advantage, beta = torch.tensor([1.0, 0.0, -1.0]).double(), 0.5
    logits = (reference + advantage / beta).requires_grad_()
    best, ids = logits.log_softmax(0), torch.arange(3)
    drawn = Stream.of(best, best, advantage, ids, ids, ref_logprob=reference, weight=3 * reference.exp())
    (gradient,) = torch.autograd.grad(AdvantageWeighted(beta, most=1e9)(drawn)[0], logits, retain_graph=True)
    torch.testing.assert_close(gradient, torch.zeros(3).double(), atol=1e-12, rtol=0)
    shift = beta * (reference + advantage / beta).logsumexp(0)
    assert Regress(beta)(replace(drawn, advantage=advantage - shift))[0].item() == pytest.approx(0.0, abs=1e-20)


def test_an_unbounded_weight_is_refused():
    with pytest.raises(ValueError, match="most"):
        AdvantageWeighted(1.0, most=0.0)


def test_two_classes_weigh_the_same():
    label = torch.tensor([1.0, 1.0, 1.0, 0.0, 0.0]).double()
    weight = class_balance(label)
    assert weight[label > 0.5].sum().item() == pytest.approx(weight[label < 0.5].sum().item())
    assert weight.mean().item() == pytest.approx(1.0)
    assert class_balance(torch.ones(3)).tolist() == [1.0] * 3
    assert class_balance(torch.zeros(3)).tolist() == [1.0] * 3
