"""Reductions: by hand, and against loops over the definition."""

from dataclasses import replace

import pytest
import torch

from guerdon.errors import ColumnError
from guerdon.objectives import ConstantCount, ConstantLength, SequenceMean, StepMean, Stream, TokenMean


@pytest.fixture
def uneven():
    """Trajectory 0: steps of 2 and 1 tokens. Trajectory 1: one step of 1 token. Values 1 2 6 10."""
    x = torch.zeros(4)
    step, sequence = torch.tensor([0, 0, 1, 2]), torch.tensor([0, 0, 0, 1])
    return torch.tensor([1.0, 2.0, 6.0, 10.0]), Stream.of(x, x, x, step, sequence)


@pytest.mark.parametrize(
    ("reduce", "expected"),
    [
        (TokenMean(), 19 / 4),
        (SequenceMean(), (9 / 3 + 10) / 2),
        (StepMean(), (3 / 2 + 6 + 10) / 3),
        (ConstantLength(), 19 / (2 * 3)),
        (ConstantLength(10), 19 / (2 * 10)),
        (ConstantLength(1), 19 / 2),
        (ConstantCount(1), 19),
        (ConstantCount(38), 0.5),
    ],
)
def test_four_tokens_by_hand(reduce, expected, uneven):
    x, stream = uneven
    assert reduce(x, stream).item() == pytest.approx(expected)


def slow_mean(x, s, ids):
    """Mean over segments with a kept token of the mean over their kept tokens, as a loop."""
    weight = torch.ones(len(x)) if s.weight is None else s.weight
    means = []
    for i in sorted(set(ids.tolist())):
        kept = [t for t in range(len(x)) if ids[t] == i and weight[t] != 0]
        if kept:
            means.append(sum((weight[t] * x[t]).item() for t in kept) / len(kept))
    return sum(means) / len(means)


def test_against_loops(stream):
    x = torch.randn(len(stream.logprob), dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    assert SequenceMean()(x, stream).item() == pytest.approx(slow_mean(x, stream, stream.sequence))
    assert StepMean()(x, stream).item() == pytest.approx(slow_mean(x, stream, stream.step))
    assert TokenMean()(x, stream).item() == pytest.approx(slow_mean(x, stream, torch.zeros(len(x))))


@pytest.mark.parametrize("reduce", [TokenMean(), SequenceMean(), StepMean()])
def test_the_mean_of_a_constant_is_the_constant(reduce, stream_of):
    s = stream_of(4)
    assert reduce(torch.full_like(s.logprob, 3.0), s).item() == pytest.approx(3.0)


@pytest.mark.parametrize("reduce", [TokenMean(), SequenceMean(), StepMean(), ConstantLength(), ConstantCount(3)])
def test_order_of_tokens_does_not_matter(reduce, stream):
    x = stream.logprob.detach()
    p = torch.randperm(len(x), generator=torch.Generator().manual_seed(0))
    assert reduce(x[p], stream.take(p)).item() == pytest.approx(reduce(x, stream).item())


def test_a_longer_trajectory_outvotes_only_under_the_token_mean(uneven):
    _, stream = uneven
    x = torch.tensor([1.0, 1.0, 1.0, -1.0])
    assert TokenMean()(x, stream).item() > 0
    assert SequenceMean()(x, stream).item() == 0


def test_plays_of_one_length_weigh_alike_under_every_reduction():
    """The reductions differ in what a play's length does, and in nothing else."""
    lp = torch.zeros(6)
    s = Stream.of(lp, lp, lp, step=torch.tensor([0, 0, 0, 1, 1, 1]), sequence=torch.tensor([0, 0, 0, 1, 1, 1]))
    x = torch.tensor([1.0, 2.0, 6.0, 10.0, 0.0, -1.0])
    got = [r(x, s).item() for r in (TokenMean(), SequenceMean(), StepMean(), ConstantLength(), ConstantCount(6))]
    assert got == pytest.approx([3.0] * 5)


def test_plays_of_one_token_are_their_tokens():
    lp, ids = torch.zeros(4), torch.arange(4)
    s, x = Stream.of(lp, lp, lp, step=ids, sequence=ids), torch.tensor([1.0, 2.0, 6.0, -1.0])
    assert {r(x, s).item() for r in (TokenMean(), SequenceMean(), StepMean(), ConstantLength())} == {2.0}


@pytest.mark.bad_input
@pytest.mark.parametrize("count", [0, -3.0])
def test_a_count_that_does_not_divide_is_refused(count):
    with pytest.raises(ValueError, match="ConstantCount: count is"):
        ConstantCount(count)


def test_step_mean_says_what_it_lacks(uneven):
    x, stream = uneven
    with pytest.raises(ColumnError, match=r"StepMean: .*tokens_of_step="):
        StepMean()(x, replace(stream, tokens_of_step=None))
