"""KL and entropy: the estimators against exact divergences of a small categorical, in value and in gradient."""

from dataclasses import replace

import pytest
import torch

from guerdon.objectives import K1, K2, K3, KL, Entropy, Fixed, Forward, Given, SequenceMean, Tempered


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


# The forward direction.


def test_forward_is_unbiased_for_the_kl_from_the_reference(pair):
    logits, reference = pair
    exact = divergence(reference, logits.log_softmax(-1)).item()
    assert expected(Forward(), logits, reference).item() == pytest.approx(exact)


def test_what_forward_pulls_by_and_what_the_gradient_would_be(pair):
    """As a loss it pulls by -w log w; the gradient of the divergence is 1 - w, which K3 has."""
    logits, reference = pair
    new = logits.log_softmax(0)
    p, w = new.detach().exp(), (reference - new).detach().exp()

    def gradient(x):
        return torch.autograd.grad(x, logits, retain_graph=True)[0]

    got = gradient(expected(Forward(), logits, reference))
    torch.testing.assert_close(got, gradient(-(p * w * w.log() * new).sum()))
    exact = gradient(divergence(reference, new))
    torch.testing.assert_close(exact, gradient((p * (1 - w) * new).sum()))
    torch.testing.assert_close(exact, gradient(expected(K3(), logits, reference)))
    assert not torch.allclose(exact, got, atol=1e-3)


def test_forward_covers_what_the_reverse_direction_gives_up():
    """A word that the reference gives half of the time and the policy never: it costs K3 and Forward, not K1."""
    reference = torch.tensor([0.5, 0.5]).double().log()
    logits = torch.tensor([9.0, -9.0]).double()
    reverse, forward = (expected(e, logits, reference).item() for e in (K1(), Forward()))
    assert reverse == pytest.approx(0.693, abs=1e-3)
    assert forward > 8


def test_forward_is_never_negative_and_bounded():
    new = torch.linspace(-60, 0, 5001, dtype=torch.float64)
    values = Forward(3.0)(new, torch.full_like(new, -20.0))
    assert (values >= -1e-12).all() and values.max().item() == pytest.approx(
        2 * torch.tensor(3.0).exp().item() + 1, rel=1e-6
    )


# References.


def test_after_a_reset_there_is_no_distance_and_no_pull(stream):
    """A reference that is set to the policy is where the policy is, whatever it was before."""
    reset = replace(stream, ref_logprob=stream.logprob.detach())
    for estimator in (K2(), K3(), Forward()):
        loss, _ = KL(1.0, estimator)(reset)
        assert loss.item() == pytest.approx(0.0, abs=1e-12)
        assert torch.autograd.grad(loss, reset.logprob)[0].abs().max().item() < 1e-12


def test_the_policy_that_sampled_is_a_reference_too(stream):
    moved = replace(stream, ref_logprob=stream.old_logprob)
    assert KL(0.1, reference=Given("old_logprob"))(stream)[0].item() == KL(0.1)(moved)[0].item()
    assert KL(0.1, reference=Given("old_logprob")).needs == frozenset()


def test_a_tempered_reference_keeps_good_plays_and_flattens_bad_ones(stream):
    got = Tempered(0.25)(stream, "me")
    power = 0.25 + 0.75 * stream.outcome[stream.sequence]
    torch.testing.assert_close(got, stream.clean(power * stream.ref_logprob))
    torch.testing.assert_close(Tempered(1.0)(stream, "me"), Given()(stream, "me"))
    assert (Tempered(0.0)(stream, "me")[stream.outcome[stream.sequence] == 0] == 0).all()
    assert Tempered(0.5).needs == {"ref_logprob", "outcome"}


def test_a_power_beyond_one_is_refused():
    with pytest.raises(ValueError, match="low"):
        Tempered(1.5)


def test_a_fixed_reference_is_a_number(stream):
    assert set(Fixed(-3.0)(stream, "me").tolist()) == {-3.0}
