"""Distillation: divergences of small distributions exactly, buckets, and their gradients in the student's logits."""

import itertools
from dataclasses import replace
from math import log

import pytest
import torch
from torch.nn.functional import kl_div

from guerdon.errors import ColumnError, ShapeError
from guerdon.objectives import (
    K2,
    KL,
    Distil,
    ForwardKL,
    Given,
    JensenShannon,
    Mixture,
    Renormalised,
    ReverseKL,
    Stream,
    Top,
    WithTail,
)
from guerdon.recipes import sd_zero, sdpo, ssb

DIVERGENCES = (ForwardKL(), ReverseKL(), JensenShannon(), JensenShannon(0.2), sd_zero.logits().divergence)
divergences = pytest.mark.parametrize("divergence", DIVERGENCES, ids=str)


@pytest.fixture(params=range(5))
def both(request):
    """Logits of a student, with gradient, and log-probabilities of a teacher: 6 tokens, a vocabulary of 9."""
    rng = torch.Generator().manual_seed(request.param)
    student = (2 * torch.randn(6, 9, generator=rng, dtype=torch.float64)).requires_grad_()
    return student, (2 * torch.randn(6, 9, generator=rng, dtype=torch.float64)).log_softmax(-1)


def flat(top, **more):
    zero, ids = top.logprob.detach()[:, 0] * 0, torch.arange(len(top.logprob))
    return Stream.of(zero, zero, zero, ids, ids, top=top, **more)


def test_the_two_kls_are_those_of_torch(both):
    student, teacher = both[0].log_softmax(-1), both[1]
    forward = kl_div(student, teacher, log_target=True, reduction="none").sum(-1)
    reverse = kl_div(teacher, student, log_target=True, reduction="none").sum(-1)
    torch.testing.assert_close(ForwardKL()(student, teacher), forward)
    torch.testing.assert_close(ReverseKL()(student, teacher), reverse)


def test_the_gradient_of_the_forward_kl_is_p_less_q(both):
    logits, teacher = both
    (got,) = torch.autograd.grad(ForwardKL()(logits.log_softmax(-1), teacher).sum(), logits)
    torch.testing.assert_close(got, logits.softmax(-1) - teacher.exp())


def test_the_gradient_of_the_reverse_kl_is_in_closed_form(both):
    logits, teacher = both
    log_p = logits.log_softmax(-1)
    (got,) = torch.autograd.grad(ReverseKL()(log_p, teacher).sum(), logits, retain_graph=True)
    away = (log_p - teacher).detach()
    p = log_p.exp().detach()
    torch.testing.assert_close(got, p * (away - (p * away).sum(-1, keepdim=True)))


@divergences
def test_finite_differences(divergence, both):
    logits, teacher = both
    assert torch.autograd.gradcheck(lambda x: divergence(x.log_softmax(-1), teacher), [logits])


def test_jensen_shannon_is_symmetric_and_bounded(both):
    student, teacher = both[0].detach().log_softmax(-1), both[1]
    there, back = JensenShannon()(student, teacher), JensenShannon()(teacher, student)
    torch.testing.assert_close(there, back)
    torch.testing.assert_close(JensenShannon(0.2)(student, teacher), JensenShannon(0.8)(teacher, student))
    assert (there >= 0).all() and (there <= log(2)).all()
    apart = torch.tensor([[1.0, 0.0], [0.0, 1.0]]).double().log().clamp(min=-1e4)
    assert JensenShannon()(apart, apart.flip(0)).tolist() == pytest.approx([log(2)] * 2)


def test_jensen_shannon_near_its_ends_is_a_share_of_a_kl(both):
    student, teacher = both[0].detach().log_softmax(-1), both[1]
    little = 1e-6
    near_forward = JensenShannon(little)(student, teacher) / little
    near_reverse = JensenShannon(1 - little)(student, teacher) / little
    torch.testing.assert_close(near_forward, ForwardKL()(student, teacher), rtol=1e-3, atol=1e-3)
    torch.testing.assert_close(near_reverse, ReverseKL()(student, teacher), rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize("share", [0.0, 1.0, -1.0, 2.0])
def test_jensen_shannon_has_no_ends(share):
    with pytest.raises(ValueError, match="ForwardKL"):
        JensenShannon(share)


@divergences
def test_no_distance_no_loss_no_pull(divergence, both):
    logits, _ = both
    log_p = logits.log_softmax(-1)
    distance = divergence(log_p, log_p.detach())
    (gradient,) = torch.autograd.grad(distance.sum(), logits)
    torch.testing.assert_close(distance, torch.zeros_like(distance))
    torch.testing.assert_close(gradient, torch.zeros_like(gradient), atol=1e-12, rtol=0)


@divergences
def test_the_whole_vocabulary_with_a_tail_is_the_whole_divergence(divergence, both):
    logits, teacher = both
    student = logits.log_softmax(-1)
    whole = divergence(student, teacher)
    in_buckets = divergence(WithTail()(student), WithTail()(teacher))
    torch.testing.assert_close(in_buckets, whole, atol=1e-9, rtol=0)
    (a,) = torch.autograd.grad(whole.sum(), logits, retain_graph=True)
    (b,) = torch.autograd.grad(in_buckets.sum(), logits, retain_graph=True)
    torch.testing.assert_close(a, b, atol=1e-9, rtol=0)


@pytest.mark.parametrize("divergence", DIVERGENCES[:4], ids=str)
def test_fewer_tokens_with_a_tail_are_a_lower_bound_that_rises(divergence, both):
    student, teacher = both[0].detach().log_softmax(-1), both[1]
    order = teacher.argsort(-1, descending=True)
    values = []
    for k in range(1, 10):
        top = order[:, :k]
        values.append(divergence(WithTail()(student.gather(1, top)), WithTail()(teacher.gather(1, top))))
    for fewer, more in itertools.pairwise(values):
        assert (fewer <= more + 1e-9).all()
    assert (values[0] >= -1e-9).all()
    torch.testing.assert_close(values[-1], divergence(student, teacher), atol=1e-9, rtol=0)


def test_buckets_are_distributions(both):
    some = both[1][:, :4]
    for buckets in (WithTail(), Renormalised(), Renormalised(2.0)):
        torch.testing.assert_close(buckets(some).exp().sum(-1), torch.ones(6).double())


def test_softening_the_whole_vocabulary_is_a_temperature(both):
    logits, teacher = both
    torch.testing.assert_close(Renormalised(2.0)(logits.log_softmax(-1)), (logits / 2).log_softmax(-1))
    got = ssb.objective(2.0)(flat(Top(logits.log_softmax(-1), teacher)))[0]
    soft = kl_div((logits / 2).log_softmax(-1), (teacher / 2).softmax(-1), reduction="batchmean")
    assert got.item() == pytest.approx(4 * soft.item())


def test_rows_of_fewer_tokens_are_filled_with_minus_infinity(both):
    student, teacher = both[0].detach().log_softmax(-1)[:, :3], both[1][:, :3]
    filler = torch.full((6, 2), -torch.inf, dtype=torch.float64)
    wide = Top(torch.cat([student, filler], 1).requires_grad_(), torch.cat([teacher, filler], 1))
    for divergence in DIVERGENCES:
        loss = Distil(divergence)(flat(wide))[0]
        assert loss.item() == pytest.approx(Distil(divergence)(flat(Top(student, teacher)))[0].item(), abs=1e-9)
        assert torch.autograd.grad(loss, wide.logprob)[0].isfinite().all()


def test_sd_zero_without_a_mix_is_the_forward_kl(stream):
    assert sd_zero.logits(0.0) == Distil(ForwardKL())
    mixed = Distil(Mixture(((1.0, ForwardKL()), (0.0, ReverseKL()))))
    assert mixed(stream)[0].item() == pytest.approx(Distil(ForwardKL())(stream)[0].item())
    half = 0.5 * Distil(ForwardKL())(stream)[0] + 0.5 * Distil(ReverseKL())(stream)[0]
    assert sd_zero.logits(0.5)(stream)[0].item() == pytest.approx(half.item())


def test_the_teacher_and_the_importance_weight_are_held_fixed(stream):
    teacher = stream.top.teacher_logprob.clone().requires_grad_()
    s = replace(stream, top=Top(stream.top.logprob, teacher))
    Distil(JensenShannon(), most=2.0)(s)[0].backward()
    assert teacher.grad is None and stream.logprob.grad is None
    assert stream.top.logprob.grad is not None


def test_the_importance_weight_is_bounded(stream_of):
    s = stream_of(2)
    weight = (s.logprob - s.old_logprob).exp().clamp(max=1.1).detach()
    each = JensenShannon()(*(WithTail()(x) for x in (s.top.logprob, s.top.teacher_logprob)))
    loss, terms = Distil(JensenShannon(), most=1.1)(s)
    assert loss.item() == pytest.approx((weight * each).mean().item())
    assert terms["teacher"].item() == pytest.approx(each.mean().item())
    assert sdpo.logits().most == 2.0


def test_the_pull_of_sampled_tokens_is_that_of_the_reverse_kl_on_average(both):
    """Over draws from the student, K2 to the teacher has the gradient of KL(student, teacher), and so has their gap."""
    logits, teacher = both
    log_p = logits.log_softmax(-1)
    p = log_p.exp().detach()
    (wanted,) = torch.autograd.grad(ReverseKL()(log_p, teacher).sum(), logits, retain_graph=True)
    (k2,) = torch.autograd.grad((p * K2()(log_p, teacher)).sum(), logits, retain_graph=True)
    credit = (teacher - log_p).detach()  # what sd-zero and sdpo give a token
    (reinforce,) = torch.autograd.grad(-(p * credit * log_p).sum(), logits)
    torch.testing.assert_close(k2, wanted)
    torch.testing.assert_close(reinforce, wanted)


def test_a_pull_to_the_teacher_from_sampled_tokens_alone(stream):
    loss, terms = KL(1.0, K2(), reference=Given("teacher_logprob"), name="teacher")(stream)
    assert loss.isfinite() and "teacher_loss" in terms
    assert KL(1.0, reference=Given("teacher_logprob")).needs == {"teacher_logprob"}


def test_a_stream_without_top_is_refused(stream):
    with pytest.raises(ColumnError, match="no top"):
        Distil()(replace(stream, top=None))


@pytest.mark.bad_input
def test_rows_that_do_not_fit_are_refused(stream):
    with pytest.raises(ShapeError, match="same k"):
        Top(torch.zeros(3, 2), torch.zeros(3, 4))
    with pytest.raises(ShapeError, match="one row per sampled token"):
        replace(stream, top=Top(torch.zeros(1, 2), torch.zeros(1, 2)))


def test_a_temperature_of_nothing_is_refused():
    with pytest.raises(ValueError, match="temperature"):
        Renormalised(0.0)
