"""Ratio levels: against loops, where they agree, and what their gradients do with a step's own credit."""

from dataclasses import replace

import pytest
import torch

from guerdon.errors import ColumnError
from guerdon.objectives import Clipped, SequenceRatio, StepRatio, Stream, TokenGradient, TokenRatio


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


def test_units_of_one_token_have_the_token_ratio(stream_of):
    s = stream_of(0)
    alone = torch.arange(len(s.logprob))
    single = Stream.of(s.logprob, s.old_logprob, s.advantage, alone, alone)
    expected, _ = Clipped()(single)
    (wanted,) = torch.autograd.grad(expected, s.logprob)
    for ratio in (StepRatio(), SequenceRatio(), TokenGradient(SequenceRatio())):
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
    assert TokenGradient(StepRatio()).whole == "step"


def test_step_ratio_says_what_it_lacks(stream_of):
    with pytest.raises(ColumnError, match=r"StepRatio: .*tokens_of_step="):
        StepRatio()(replace(stream_of(), tokens_of_step=None))
