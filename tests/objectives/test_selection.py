"""An objective on some tokens: which ones, what of it, and that micro-batches agree on them."""

import math
from dataclasses import replace

import pytest
import torch

from guerdon.errors import ColumnError
from guerdon.objectives import (
    KL,
    Absolute,
    BandCovariance,
    Clipped,
    Given,
    Imitate,
    Only,
    TokenMean,
    TopCovariance,
)


def slow(s, share):
    """The tokens of the largest covariance of each group, in plain Python."""
    group = s.group[s.sequence].tolist()
    out = [False] * len(group)
    for g in set(group):
        mine = [t for t in range(len(group)) if group[t] == g and (s.weight is None or s.weight[t] != 0)]
        if not mine:
            continue
        a = [s.advantage[t].item() for t in mine]
        lp = [s.logprob[t].item() for t in mine]
        cov = {t: (x - sum(a) / len(a)) * (y - sum(lp) / len(lp)) for t, x, y in zip(mine, a, lp, strict=True)}
        for t in sorted(mine, key=lambda t: -cov[t])[: max(1, math.floor(share * len(mine)))]:
            out[t] = True
    return out


@pytest.mark.parametrize("share", [0.0002, 0.3, 1.0])
def test_the_top_against_a_loop(share, stream):
    assert TopCovariance(share)(stream).tolist() == slow(stream, share)


def test_top_and_bottom_are_the_two_ends(stream):
    top, bottom = TopCovariance(0.2)(stream), TopCovariance(0.2, sign=-1.0)(stream)
    mirrored = replace(stream, advantage=-stream.advantage)
    assert torch.equal(bottom, TopCovariance(0.2)(mirrored))
    assert not (top & bottom).any()


def test_credit_and_log_probability_are_compared_with_their_means(stream):
    """Shifting either changes nothing; scaling the credit keeps the order."""
    moved = replace(stream, advantage=3 * stream.advantage + 5, logprob=stream.logprob.detach() - 2)
    assert torch.equal(TopCovariance(0.3)(stream), TopCovariance(0.3)(moved))


def test_as_many_of_the_band_are_left_out_as_the_share_says(stream):
    band = BandCovariance(1.0, -1.0, 5.0)
    among, out = ~band(stream), ~BandCovariance(0.2, -1.0, 5.0)(stream)
    assert (among | ~out).all()  # none that is not in the band
    group, kept = stream.group[stream.sequence], stream.weight if stream.weight is not None else 1 + 0 * stream.sequence
    for g in range(2):
        mine = group == g
        most = max(1, math.floor(0.2 * int((mine & (kept != 0)).sum())))
        assert int((out & mine).sum()) == min(most, int((among & mine).sum()))


def test_no_token_that_the_clip_cuts_is_in_the_band(stream):
    objective, out = Clipped(0.2, 0.28), ~BandCovariance(1.0, -99.0, 99.0, 0.2, 0.28)(stream)
    (pull,) = torch.autograd.grad(objective(stream)[0], stream.logprob)
    kept = torch.ones_like(out) if stream.weight is None else stream.weight != 0
    assert torch.equal(out, (pull != 0) & kept)


def test_only_is_the_objective_with_the_others_at_weight_zero_and_the_totals_as_they_are(stream):
    where = TopCovariance(0.3)
    chosen = where(stream)
    expected = -(stream.logprob * chosen * (1.0 if stream.weight is None else stream.weight)).sum() / stream.tokens
    assert Only(where, Imitate())(stream)[0].item() == pytest.approx(expected.item())
    (gradient,) = torch.autograd.grad(Only(where, Imitate())(stream)[0], stream.logprob)
    assert (gradient[~chosen] == 0).all()


def test_the_two_halves_are_the_whole(stream):
    where = TopCovariance(0.3)
    rest = replace(stream, weight=(~where(stream)).double() * (1.0 if stream.weight is None else stream.weight))
    both = Only(where, Clipped())(stream)[0] + Clipped()(rest)[0]
    assert both.item() == pytest.approx(Clipped()(stream)[0].item())


def test_the_pull_of_kl_cov_is_the_sign_of_the_move(stream):
    objective = KL(0.5, Absolute(), TokenMean(), reference=Given("old_logprob"))
    (gradient,) = torch.autograd.grad(objective(stream)[0], stream.logprob)
    weight = 1.0 if stream.weight is None else stream.weight
    torch.testing.assert_close(gradient, 0.5 * weight * stream.log_ratio().detach().sign() / stream.tokens)


@pytest.mark.parametrize("where", [TopCovariance(), BandCovariance()])
def test_it_says_what_it_needs(where, stream_of):
    assert Only(where, Clipped()).needs == {"group"} and Only(where, Clipped()).whole == "group"
    with pytest.raises(ColumnError, match=f"{type(where).__name__}: .*group="):
        Only(where, Clipped())(replace(stream_of(), group=None))


@pytest.mark.bad_input
@pytest.mark.parametrize("share", [0.0, -0.1, 1.5])
@pytest.mark.parametrize("kind", [TopCovariance, BandCovariance])
def test_a_share_out_of_range_is_refused(kind, share):
    with pytest.raises(ValueError, match=f"{kind.__name__}: share is"):
        kind(share)
