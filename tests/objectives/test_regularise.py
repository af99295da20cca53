"""KL and entropy: the estimators against exact divergences of a small categorical, in value and in gradient."""

from dataclasses import replace

import pytest
import torch

from guerdon.objectives import K1, K2, K3, KL, Entropy, SequenceMean


@pytest.fixture(params=range(5))
def pair(request):
    """The logits of a policy, with gradient, and log-probabilities of a reference, over five outcomes."""
    rng = torch.Generator().manual_seed(request.param)
    logits = torch.randn(5, generator=rng, dtype=torch.float64).requires_grad_()
    return logits, torch.randn(5, generator=rng, dtype=torch.float64).log_softmax(0)


def expected(estimator, logits, reference):
    """The exact mean over outcomes drawn from the policy, the draw itself held fixed."""
    new = logits.log_softmax(0)
    return (new.detach().exp() * estimator(new, reference)).sum()


def divergence(one, other):
    return (one.exp() * (one - other)).sum()


def test_k1_and_k3_are_unbiased(pair):
    logits, reference = pair
    exact = divergence(logits.log_softmax(0), reference).item()
    assert expected(K1(), logits, reference).item() == pytest.approx(exact)
    assert expected(K3(), logits, reference).item() == pytest.approx(exact)


def test_k2_is_near_where_the_policies_are_near(pair):
    logits, _ = pair
    noise = 0.02 * torch.randn(5, dtype=torch.float64, generator=torch.Generator().manual_seed(9))
    reference = (logits.detach() + noise).log_softmax(0)
    exact = divergence(logits.log_softmax(0), reference).item()
    assert expected(K2(), logits, reference).item() == pytest.approx(exact, rel=0.05)


def test_k2_is_biased_far_away():
    logits, reference = torch.zeros(2).double(), torch.tensor([0.99, 0.01]).double().log()
    exact = divergence(logits.log_softmax(0), reference).item()
    assert abs(expected(K2(), logits, reference).item() - exact) > 0.5


def test_what_each_pulls_towards(pair):
    logits, reference = pair

    def gradient(x):
        return torch.autograd.grad(x, logits, retain_graph=True)[0]

    new = logits.log_softmax(0)
    zero = torch.zeros(5, dtype=torch.float64)
    torch.testing.assert_close(gradient(expected(K1(), logits, reference)), zero)
    torch.testing.assert_close(gradient(expected(K2(), logits, reference)), gradient(divergence(new, reference)))
    torch.testing.assert_close(gradient(expected(K3(), logits, reference)), gradient(divergence(reference, new)))


@pytest.mark.parametrize("estimator", [K1(), K2(), K3()])
def test_no_distance_no_loss_no_pull(estimator, stream):
    s = replace(stream, ref_logprob=stream.logprob.detach())
    loss, terms = KL(0.5, estimator)(s)
    assert loss.item() == 0
    assert terms["kl_ref"].item() == 0
    if not isinstance(estimator, K1):
        assert (torch.autograd.grad(loss, s.logprob)[0] == 0).all()


def test_k2_and_k3_are_never_negative():
    new = torch.linspace(-60, 0, 5001)
    reference = torch.full_like(new, -20.0)
    for estimator in (K2(), K3()):
        assert (estimator(new, reference) >= 0).all()


def test_the_reference_is_held_fixed(stream):
    reference = stream.ref_logprob.clone().requires_grad_()
    KL(0.1)(replace(stream, ref_logprob=reference))[0].backward()
    assert reference.grad is None
    assert stream.logprob.grad is not None


def test_beta_scales_the_loss_and_not_the_measurement(stream_of):
    s = stream_of()
    (small, a), (large, b) = KL(0.1)(s), KL(1.0)(s)
    assert large.item() == pytest.approx(10 * small.item())
    assert a["kl_ref"].item() == b["kl_ref"].item() == pytest.approx(large.item())


def test_entropy_is_a_bonus(stream_of):
    s = stream_of()
    entropy = s.entropy.clone().requires_grad_()
    loss, terms = Entropy(0.2)(replace(s, entropy=entropy))
    loss.backward()
    assert loss.item() == pytest.approx(-0.2 * s.entropy.mean().item())
    assert terms["entropy"].item() == pytest.approx(s.entropy.mean().item())
    assert entropy.grad.tolist() == pytest.approx([-0.2 / s.tokens] * s.tokens)


def test_entropy_follows_its_reduction(stream_of):
    s = stream_of()
    means = [s.entropy[s.sequence == i].mean().item() for i in range(s.sequences)]
    assert Entropy(1.0, SequenceMean())(s)[0].item() == pytest.approx(-sum(means) / len(means))
