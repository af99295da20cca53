"""bench losses: both sides have the same loss and gradient, the conversion and the way back are inside the clock."""

import sys
import time
import warnings

import numpy as np
import pytest

from guerdon import objectives as o
from guerdon.bench import losses, speed
from guerdon.errors import MissingExtraError
from guerdon.objectives.padded import from_padded

torch = pytest.importorskip("torch")

SIZES = losses.Sizes(12, 16, 1)


@pytest.fixture(scope="module")
def rows():
    pytest.importorskip("verl")
    pytest.importorskip("trl")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return losses.measure(SIZES)


def test_every_loss_and_its_gradient_is_the_peers(rows):
    """Relative to the largest entry of the gradient."""
    assert max(row.apart for row in rows) < 1e-5
    both = (("verl", losses.verl_pairs), ("TRL", losses.trl_pairs))
    assert {(row.what, row.beside) for row in rows} == {
        (pair.name, stack) for stack, pairs in both for pair in pairs(1)
    }
    assert {row.where for row in rows} == {"dense (12 x 16)", "half padding (12 x 32)"}


def test_small_sizes_ask_for_nothing_and_the_table_reads(rows):
    assert {row.asked for row in rows} == {None}
    assert all(len(cells) == len(speed.HEADS) for cells in speed.table(rows))


def test_both_cases_have_as_many_tokens_and_no_row_is_empty():
    dense, half = losses.cases(SIZES)
    assert dense.mask.all() and dense.mask.sum() == half.mask.sum() == 12 * 16
    assert half.mask.float().mean() == 0.5 and half.mask.any(1).all()


@pytest.mark.parametrize("pairs", [losses.verl_pairs, losses.trl_pairs])
def test_some_tokens_are_clipped_in_every_pair_but_where_the_bound_is_five(pairs):
    """So agreement says something of the clip."""
    for x in losses.cases(SIZES):
        for pair in pairs(x.old.shape[1]):
            _, terms = pair.ours(from_padded(x.logprob, x.old, x.score, x.mask, ref_logprob=x.reference))
            assert terms["ratio_clipped"] > 0 or pair.theirs.get("high") == 5.0


def test_our_gradient_is_that_of_the_padded_tensor_and_zero_in_the_padding():
    _, half = losses.cases(SIZES)
    losses.our_loss(o.Clipped(), half, half.mask, half.score)().backward()
    gradient = half.logprob.grad
    assert gradient.shape == half.mask.shape and (gradient[~half.mask] == 0).all() and gradient.abs().max() > 0


def test_the_clock_counts_loss_and_backward_and_not_what_comes_before_a_start():
    leaf = torch.ones(3, requires_grad=True)

    def work(seconds):
        end = time.thread_time() + seconds
        while time.thread_time() < end:
            pass

    def plain():
        work(0.02)
        return leaf.sum()

    def late():
        work(0.02)
        losses.CLOCK.start()
        return 2 * leaf.sum()

    (a, (value, gradient)), (b, (other, twice)) = losses.in_turn((plain, late), leaf, 3)
    assert len(a) == len(b) == 3 and a.min() >= 0.02 and np.median(b) < 0.01
    assert (value, other) == (3.0, 6.0) and gradient.tolist() == [1.0] * 3 and twice.tolist() == [2.0] * 3
    assert leaf.grad is None


@pytest.mark.parametrize(("module", "name"), [("verl.trainer.ppo", "verl"), ("trl", "TRL")])
def test_without_a_peer_one_sentence_says_what_to_install(module, name, monkeypatch):
    if name == "TRL":
        pytest.importorskip("verl")
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(MissingExtraError, match=rf"bench speed: {name} cannot be imported .*guerdon\[{name.lower()}\]"):
        losses.measure(SIZES)


@pytest.mark.speed
@pytest.mark.slow
def test_every_figure_that_is_asked_for_holds():
    pytest.importorskip("verl")
    pytest.importorskip("trl")
    measured = losses.measure()
    missed = [cells for r, cells in zip(measured, speed.table(measured), strict=True) if r.holds is False]
    assert missed == []
