"""Imitate: it is maximum likelihood, and looks at no advantage."""

from dataclasses import replace

import pytest
import torch
from torch.nn.functional import cross_entropy

from guerdon.objectives import Imitate, SequenceMean, Stream


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
