"""Ratio levels: against loops, where they agree, and what their gradients do with a step's own credit."""

import math
from dataclasses import replace

import pytest
import torch

from guerdon.errors import ColumnError
from guerdon.objectives import (
    Clipped,
    GeometricRatio,
    SequenceProduct,
    SequenceRatio,
    StepRatio,
    Stream,
    TokenGradient,
    TokenRatio,
)


def slow(s, ids):
    out = []
    kept = torch.ones(len(ids)) if s.weight is None else (s.weight != 0).float()
    for i in ids.tolist():
        mine = [t for t in range(len(ids)) if ids[t] == i and kept[t]]
        out.append(sum((s.logprob[t] - s.old_logprob[t]).item() for t in mine) / max(len(mine), 1))
    return out


def test_against_loops(stream):
    assert StepRatio()(stream).tolist() == pytest.approx(slow(stream, stream.step))
    assert SequenceRatio()(stream).tolist() == pytest.approx(slow(stream, stream.sequence))


def test_the_product_against_a_loop(stream):
    """The mean of the logs times their number."""
    kept = torch.ones(len(stream.sequence)) if stream.weight is None else (stream.weight != 0).float()
    counts = [float(kept[stream.sequence == i].sum()) for i in stream.sequence]
    expected = [x * n for x, n in zip(slow(stream, stream.sequence), counts, strict=True)]
    assert SequenceProduct()(stream).tolist() == pytest.approx(expected)


def slow_geometric(s, low, high):
    out = {}
    for i in set(s.sequence.tolist()):
        mine = [t for t in range(len(s.sequence)) if s.sequence[t] == i and (s.weight is None or s.weight[t] != 0)]
        held = []
        for t in mine:
            x, a = (s.logprob[t] - s.old_logprob[t]).item(), s.advantage[t].item()
            held.append(min(x, high) if a > 0 else max(x, -low) if a < 0 else 0.0)
        out[i] = sum(held) / max(len(held), 1)
    return [out[i] for i in s.sequence.tolist()]


@pytest.mark.parametrize(("low", "high"), [(0.4, 0.4), (0.1, 0.3), (0.0, 0.0)])
def test_the_geometric_ratio_against_a_loop(low, high, stream):
    assert GeometricRatio(low, high)(stream).tolist() == pytest.approx(slow_geometric(stream, low, high))


def test_the_geometric_ratio_without_its_clip_is_the_sequence_ratio(stream):
    torch.testing.assert_close(GeometricRatio(math.inf, math.inf)(stream), SequenceRatio()(stream))


def test_the_geometric_ratio_cuts_a_token_where_the_sequence_ratio_cuts_all():
    """Three tokens of a good play, one of them far off: it has no gradient, and the two others have theirs."""
    lp = torch.tensor([0.0, 0.0, 3.0], dtype=torch.float64, requires_grad=True)
    ids, zero = torch.arange(3), torch.zeros(3, dtype=torch.long)
    s = Stream.of(lp, torch.zeros(3).double(), torch.ones(3).double(), ids, zero)
    inside = Clipped(1.0, math.inf, ratio=GeometricRatio())
    (mine,) = torch.autograd.grad(inside(s)[0], lp)
    (theirs,) = torch.autograd.grad(Clipped(ratio=SequenceRatio())(s)[0], lp)
    share = math.exp(0.4 / 3) / 3
    assert mine.tolist() == pytest.approx([-share, -share, 0.0])
    assert theirs.tolist() == [0.0, 0.0, 0.0]


@pytest.mark.parametrize("far", [0.1, 3.0, 100.0])
def test_what_is_good_never_gains_more_and_what_is_bad_never_loses_less_than_the_bound(far, stream_of):
    """The promise of the clip inside: at most e^high a token that is good, at least e^-low one that is bad."""
    s = stream_of(3, far=far)
    s = replace(s, advantage=(s.sequence % 2).double() * 2 - 1)
    ratio, good = GeometricRatio(0.4, 0.4)(s).exp(), s.advantage > 0
    assert ratio[good].max().item() <= math.exp(0.4) + 1e-12
    assert ratio[~good].min().item() >= math.exp(-0.4) - 1e-12


@pytest.mark.bad_input
@pytest.mark.parametrize(("low", "high"), [(-0.1, 0.4), (0.4, -1.0)])
def test_a_negative_distance_is_refused(low, high):
    with pytest.raises(ValueError, match="GeometricRatio: low is"):
        GeometricRatio(low, high)


def test_units_of_one_token_have_the_token_ratio(stream_of):
    s = stream_of(0)
    alone = torch.arange(len(s.logprob))
    single = Stream.of(s.logprob, s.old_logprob, s.advantage, alone, alone)
    expected, _ = Clipped()(single)
    (wanted,) = torch.autograd.grad(expected, s.logprob)
    for ratio in (StepRatio(), SequenceRatio(), SequenceProduct(), TokenGradient(SequenceRatio())):
        loss, _ = Clipped(ratio=ratio)(single)
        (got,) = torch.autograd.grad(loss, s.logprob)
        assert loss.item() == pytest.approx(expected.item())
        torch.testing.assert_close(got, wanted)


def test_one_step_per_trajectory_makes_step_and_sequence_one(stream):
    same = Stream.of(
        stream.logprob, stream.old_logprob, stream.advantage, stream.step, stream.step, weight=stream.weight
    )
    torch.testing.assert_close(StepRatio()(same), SequenceRatio()(same))


def test_token_gradient_keeps_the_value_and_gives_each_token_its_own_advantage(stream_of):
    s = stream_of(2, far=0.01)  # inside the clip
    coarse, fine = Clipped(ratio=SequenceRatio()), Clipped(ratio=TokenGradient(SequenceRatio()))
    assert fine(s)[0].item() == pytest.approx(coarse(s)[0].item())
    (gradient,) = torch.autograd.grad(fine(s)[0], s.logprob)
    ratio = SequenceRatio()(s).detach().exp()
    torch.testing.assert_close(gradient, -ratio * s.advantage / s.tokens)


def test_token_gradient_is_the_plain_one_where_the_advantage_is_constant(stream_of):
    s = stream_of(2)
    flat = replace(s, advantage=s.sequence.double() - 2.0)
    got = [
        torch.autograd.grad(Clipped(ratio=ratio)(flat)[0], s.logprob)[0]
        for ratio in (SequenceRatio(), TokenGradient(SequenceRatio()))
    ]
    torch.testing.assert_close(*got)


def test_the_plain_sequence_ratio_averages_the_credit_of_the_steps():
    """Why TokenGradient exists: opposite credit in one trajectory cancels without it."""
    lp, ids = torch.zeros(2, requires_grad=True), torch.tensor([0, 1])
    s = Stream.of(lp, torch.zeros(2), torch.tensor([1.0, -1.0]), ids, torch.zeros(2, dtype=torch.long))
    (coarse,) = torch.autograd.grad(Clipped(ratio=SequenceRatio())(s)[0], lp)
    (fine,) = torch.autograd.grad(Clipped(ratio=TokenGradient(SequenceRatio()))(s)[0], lp)
    assert coarse.tolist() == [0, 0]
    assert fine.tolist() == [-0.5, 0.5]


def test_a_level_says_what_must_stay_together():
    assert [r.whole for r in (TokenRatio(), StepRatio(), SequenceRatio())] == ["token", "step", "sequence"]
    assert SequenceProduct().whole == GeometricRatio().whole == "sequence"
    assert TokenGradient(StepRatio()).whole == "step"


def test_step_ratio_says_what_it_lacks(stream_of):
    with pytest.raises(ColumnError, match=r"StepRatio: .*tokens_of_step="):
        StepRatio()(replace(stream_of(), tokens_of_step=None))
