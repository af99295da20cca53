"""From padded tensors: the stream is the one that indexing by the mask gives, with its gradient and its totals."""

from dataclasses import fields

import pytest
import torch

from guerdon.errors import ShapeError
from guerdon.objectives import KL, Clipped, Entropy, SequenceMean, StepRatio, Stream
from guerdon.objectives.padded import Rows, from_padded

B, T = 5, 7
MASKS = {
    "right": [[1] * n + [0] * (T - n) for n in (7, 1, 4, 0, 6)],
    "left": [[0] * (T - n) + [1] * n for n in (3, 7, 0, 1, 2)],
    "holes": [[1, 0, 1, 0, 0, 1, 1], [0] * 7, [1] * 7, [0, 1, 0, 0, 0, 0, 0], [0, 0, 0, 1, 1, 0, 1]],
    "none": [[1] * T] * B,
}


@pytest.fixture(params=MASKS)
def mask(request):
    return torch.tensor(MASKS[request.param])


def numbers(mask, seed=0):
    """Seven padded tensors and two of plays, NaN in the padding: nothing may read it."""
    g = torch.Generator().manual_seed(seed)
    padded = [torch.randn(B, T, generator=g).where(mask != 0, torch.nan) for _ in range(6)]
    return padded, torch.randn(B, generator=g), torch.tensor([0, 0, 1, 2, 2])


def both(mask, dtype):
    (new, old, advantage, entropy, ref, teacher), outcome, group = numbers(mask)
    new.requires_grad_()
    more = {"outcome": outcome, "group": group, "longest": 9, "iteration": 3}
    kept = {"entropy": entropy, "ref_logprob": ref, "teacher_logprob": teacher}
    step = torch.arange(B)[:, None] * 3 + torch.arange(T) // 3
    row, column = mask.nonzero(as_tuple=True)
    at = (row, column)
    mine = from_padded(new, old, advantage, mask.to(dtype), step=step, **kept, **more)
    plain = Stream.of(
        new[at], old[at], advantage[at], step[at], row, **{k: x[at] for k, x in kept.items()}, **more
    )  # fmt: skip
    return mine, plain, new


@pytest.mark.parametrize("dtype", [torch.bool, torch.int64, torch.float32, torch.bfloat16])
def test_it_is_the_stream_that_indexing_by_the_mask_gives(mask, dtype):
    mine, plain, _ = both(mask, dtype)
    for name in (f.name for f in fields(Stream)):
        a, b = getattr(mine, name), getattr(plain, name)
        if name == "lengths":  # how the tokens lie is known here, and not where they are indexed
            a = [a] * len(mask) if isinstance(a, int) else a.tolist()
            assert b is None and a == (mask != 0).sum(1).tolist()
        elif name in (
            "tokens_of_sequence",
            "tokens_of_step",
        ):  # here rows and steps at the end without a token count too
            n = len(b)
            assert a[:n].tolist() == b.tolist() and not a[n:].any()
        elif isinstance(b, torch.Tensor):
            assert a.dtype == b.dtype and torch.equal(a, b), name
        else:
            assert a == b, name


def test_loss_and_gradient_are_the_same_and_the_padding_has_none(mask):
    mine, plain, new = both(mask, torch.bool)
    objective = Clipped(ratio=StepRatio(), reduce=SequenceMean(), dual=3.0) + KL(0.1) + Entropy(0.01)
    got, want = objective(mine)[0], objective(plain)[0]
    assert torch.equal(got, want)
    a, b = (torch.autograd.grad(x, new)[0] for x in (got, want))
    torch.testing.assert_close(a, b)
    assert (a[mask == 0] == 0).all() and a.abs().max() > 1e-3


def test_without_steps_a_row_is_one_and_one_advantage_a_play_is_that_of_its_tokens(mask):
    (new, old, *_), outcome, _ = numbers(mask)
    flat, column, whole = (
        from_padded(new, old, x, mask) for x in (outcome, outcome[:, None], outcome[:, None].expand(B, T))
    )
    assert torch.equal(flat.advantage, whole.advantage) and torch.equal(column.advantage, whole.advantage)
    assert torch.equal(flat.step, flat.sequence) and flat.steps == flat.sequences == int((mask.sum(1) > 0).sum())
    assert flat.longest == int(mask.sum(1).max()) and flat.tokens_of_sequence.tolist() == mask.sum(1).tolist()


def test_without_padding_nothing_is_copied():
    x = torch.zeros(B, T)
    s = from_padded(x, x, x, torch.ones(B, T))
    assert s.logprob.data_ptr() == x.data_ptr() == s.advantage.data_ptr()


def test_rows_are_found_once_and_serve_again(mask):
    (new, old, advantage, *_), *_ = numbers(mask)
    rows = Rows.of(mask)
    a, b = from_padded(new, old, advantage, rows), from_padded(new, old, advantage, mask)
    assert a.sequence is rows.row and torch.equal(a.logprob, b.logprob) and a.tokens == b.tokens


@pytest.mark.parametrize("shape", [(0, 4), (3, 0), (3, 4)])
def test_nothing_at_all(shape):
    x = torch.zeros(shape, requires_grad=True)
    s = from_padded(x, x, x.detach(), torch.zeros(shape))
    assert (s.tokens, s.steps, s.sequences, s.longest) == (0, 0, 0, 0)
    loss = Clipped()(s)[0]
    loss.backward()
    assert loss == 0 and (x.grad is None or not x.grad.any())


@pytest.mark.bad_input
def test_shapes_that_do_not_fit():
    x = torch.zeros(B, T)
    with pytest.raises(ShapeError, match=r"Rows: the mask has shape \(35,\); \(B, T\) is needed"):
        from_padded(x, x, x, torch.ones(B * T))
    with pytest.raises(ShapeError, match=r"Rows: a tensor has shape \(5, 8\) and the mask \(5, 7\)"):
        from_padded(x, torch.zeros(B, T + 1), x, torch.ones(B, T))


def test_sums_over_plays_are_the_same_however_the_tokens_lie(mask):
    mine, plain, new = both(mask, torch.bool)
    weights = torch.linspace(0.1, 1.0, len(mine.logprob))
    got, want = (s.per_play(weights * s.logprob) for s in (mine, plain))
    torch.testing.assert_close(got[: len(want)], want)
    a, b = (torch.autograd.grad((x**2).sum(), new)[0] for x in (got, want))
    torch.testing.assert_close(a, b)


def test_a_piece_of_a_padded_batch_no_longer_knows_how_its_tokens_lie():
    mine, _, _ = both(torch.ones(B, T), torch.bool)
    assert mine.lengths == T and mine.take(torch.arange(3)).lengths is None
