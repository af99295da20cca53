"""Imitate: it is maximum likelihood, and looks at no advantage. Likelihood: the other half of a gradient."""

from dataclasses import replace

import pytest
import torch
from torch.nn.functional import cross_entropy

from guerdon.objectives import (
    Clipped,
    ConstantLength,
    Imitate,
    Likelihood,
    LogProbability,
    MeanProbability,
    On,
    Probability,
    SequenceMean,
    Stream,
)


def test_it_is_the_cross_entropy_of_the_tokens():
    rng = torch.Generator().manual_seed(0)
    logits = torch.randn(6, 4, generator=rng, dtype=torch.float64).requires_grad_()
    token, ids = torch.randint(0, 4, (6,), generator=rng), torch.arange(6)
    logprob = logits.log_softmax(-1).gather(-1, token[:, None])[:, 0]
    zero = torch.zeros(6, dtype=torch.float64)
    loss, _ = Imitate()(Stream.of(logprob, zero, zero, ids, ids))
    (got,) = torch.autograd.grad(loss, logits)
    (wanted,) = torch.autograd.grad(cross_entropy(logits, token), logits)
    torch.testing.assert_close(got, wanted)


def test_what_a_token_was_worth_does_not_matter(stream):
    loss, _ = Imitate()(stream)
    worthless, _ = Imitate()(replace(stream, advantage=torch.full_like(stream.advantage, -9.0)))
    assert loss.item() == worthless.item()


def test_it_follows_its_weight_and_its_reduction(stream_of):
    s = stream_of()
    means = [s.logprob[s.sequence == i].mean().item() for i in range(s.sequences)]
    assert Imitate(0.5, reduce=SequenceMean())(s)[0].item() == pytest.approx(-0.5 * sum(means) / len(means))


# The second term of a reward that is the policy's own probability of an answer.


@pytest.fixture
def world():
    """Three chains, and after each two answer tokens of a vocabulary of four; the reference is (2, 1)."""
    rng = torch.Generator().manual_seed(3)
    chain = torch.randn(3, generator=rng, dtype=torch.float64)
    answer = torch.randn(3, 2, 4, generator=rng, dtype=torch.float64)
    return chain.requires_grad_(), answer.requires_grad_()


def parts_of(world):
    chain, answer = world
    return chain.log_softmax(0), answer.log_softmax(-1)[:, [0, 1], [2, 1]]


VALUES = {
    MeanProbability(): lambda token: token.exp().mean(-1),
    Probability(): lambda token: token.sum(-1).exp(),
    LogProbability(): lambda token: token.sum(-1),
}


@pytest.mark.parametrize("form", VALUES, ids=str)
def test_the_two_terms_are_the_derivative_of_the_expected_likelihood(form, world):
    """Each chain once, weighed by its probability, as sampling does on average; then both terms are d E[f]."""
    log_chain, token = parts_of(world)
    value = VALUES[form](token)
    wanted = torch.autograd.grad((log_chain.exp() * value).sum(), world, retain_graph=True)
    p = log_chain.exp().detach()
    ids = torch.arange(3)
    chains = Stream.of(log_chain, log_chain.detach(), value.detach(), ids, ids, weight=3 * p)
    answers = Stream.of(
        token.reshape(-1), token.reshape(-1).detach(), torch.zeros(6).double(),
        torch.arange(6), ids.repeat_interleave(2), weight=3 * p.repeat_interleave(2),
    )  # fmt: skip
    both = Clipped(reduce=ConstantLength(1)) + On("answer", Likelihood(form))
    got = torch.autograd.grad(-both(replace(chains, beside={"answer": answers}))[0], world, retain_graph=True)
    for one, other in zip(got, wanted, strict=True):
        torch.testing.assert_close(one, other)
    alone = torch.autograd.grad(-Clipped(reduce=ConstantLength(1))(chains)[0], world, allow_unused=True)
    assert alone[1] is None  # without the second term the answers are not learnt


def test_the_second_term_of_the_log_probability_is_fine_tuning(stream_of):
    s = stream_of(3)
    (got,) = torch.autograd.grad(Likelihood(LogProbability())(s)[0], s.logprob)
    (wanted,) = torch.autograd.grad(Imitate(reduce=ConstantLength(1))(s)[0], s.logprob)
    torch.testing.assert_close(got, wanted)


def test_the_forms_by_hand():
    lp, ids = torch.tensor([0.5, 0.25, 0.5]).log(), torch.tensor([0, 0, 1])
    s = Stream.of(lp, lp, lp, ids, ids)
    measured = [Likelihood(form)(s)[1]["likelihood"].item() for form in VALUES]
    assert measured == pytest.approx([(0.375 + 0.5) / 2, (0.125 + 0.5) / 2, torch.log(torch.tensor(0.0625)).item() / 2])
