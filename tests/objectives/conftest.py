"""Streams for the tests: a few trajectories of uneven steps of uneven numbers of tokens."""

import pytest
import torch

from guerdon.objectives import Stream


def random_stream(seed=0, *, far=0.4, dtype=torch.float64, weighted=False, requires_grad=True):
    """Five trajectories; `far` is the size of the log-ratios, so that some tokens are outside the clip."""
    rng = torch.Generator().manual_seed(seed)

    def normal(n):
        return torch.randn(n, generator=rng, dtype=torch.float64)

    steps_of = torch.randint(1, 4, (5,), generator=rng)
    sequence_of_step = torch.repeat_interleave(torch.arange(5), steps_of)
    tokens_of = torch.randint(1, 5, (len(sequence_of_step),), generator=rng)
    step = torch.repeat_interleave(torch.arange(len(tokens_of)), tokens_of)
    n = len(step)
    old = -normal(n).abs() - 0.1
    weight = torch.tensor([0.0, 1.0, 1.0, 0.5])[torch.randint(0, 4, (n,), generator=rng)] if weighted else None
    return Stream.of(
        (old + far * normal(n)).to(dtype).requires_grad_(requires_grad),
        old.to(dtype),
        normal(n).to(dtype),
        step,
        sequence_of_step[step],
        entropy=normal(n).abs().to(dtype),
        ref_logprob=(old + far * normal(n)).to(dtype),
        weight=weight,
    )


@pytest.fixture
def stream_of():
    return random_stream


@pytest.fixture(params=range(8))
def stream(request):
    """Eight random streams in float64, every second one with weights, some of them zero."""
    return random_stream(request.param, weighted=request.param % 2 == 1)
