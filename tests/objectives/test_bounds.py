"""Weights: what each is at a ratio, their bounds, and where the trust region ends."""

import math

import pytest
import torch

from guerdon.objectives import BinaryKL, Bounded, BySign, Gamma, Same, Stream, TotalVariation, Within

GRID = torch.linspace(-20, 20, 4001, dtype=torch.float64)
IDS = torch.zeros(len(GRID), dtype=torch.long)
MOVED = Stream.of(GRID, 0 * GRID, 1 + 0 * GRID, IDS, IDS)  # tokens at these log-ratios


@pytest.mark.parametrize("weight", [Same(), Bounded(0.2, 0.3), Gamma(2.0, 3.0), Gamma(3.0, 2.0)])
def test_at_ratio_one_a_token_counts_once(weight):
    assert weight(GRID**0, MOVED).tolist() == [1.0] * len(GRID)


@pytest.mark.parametrize(("power", "decay"), [(2.0, 3.0), (3.0, 2.0), (0.0, 1.0), (5.0, 0.5)])
def test_gamma_against_its_formula_and_its_bound(power, decay):
    r = GRID.exp().clamp(min=1e-8)
    w = Gamma(power, decay)(GRID.exp(), MOVED)
    torch.testing.assert_close(w, (decay + power * r.log() - decay * r).exp())
    peak = math.exp(decay - power) * (power / decay) ** power if power else math.exp(decay)
    assert w.max().item() <= peak + 1e-12 and w.max().item() == pytest.approx(peak, rel=1e-3)
    assert (w >= 0).all()


def test_gamma_falls_off_on_both_sides_of_its_peak():
    w, peak = Gamma(2.0, 3.0)(GRID.exp(), MOVED), int((GRID - math.log(2 / 3)).abs().argmin())
    assert (w[:peak].diff() >= 0).all() and (w[peak + 1 :].diff() <= 0).all()
    assert w[0] < 1e-9 and w[-1] == 0


def stream(new, old, advantage):
    """Tokens with these chances under the new and the old policy."""
    x = [torch.tensor(p, dtype=torch.float64).log() for p in (new, old)]
    ids = torch.zeros(len(new), dtype=torch.long)
    return Stream.of(*x, torch.tensor(advantage, dtype=torch.float64), ids, ids)


def test_by_sign_counts_no_credit_as_negative():
    s = stream([0.5] * 3, [0.25] * 3, [1.0, -1.0, 0.0])
    assert BySign(Bounded(1.0, 0.5), Bounded(1.0, 9.0))(s.log_ratio().exp(), s).tolist() == pytest.approx(
        [1.5, 2.0, 2.0]
    )


@pytest.mark.parametrize(
    ("new", "old", "advantage", "weight"),
    [
        (0.75, 0.5, 1.0, 0.0),  # risen further than 0.2, and pushed up
        (0.75, 0.5, -1.0, 1.5),  # pushed back towards the old policy
        (0.25, 0.5, -1.0, 0.0),
        (0.25, 0.5, 1.0, 0.5),
        (0.6, 0.5, 1.0, 1.2),
        (0.02, 0.001, 1.0, 3.0),  # twenty times as likely, and still within reach: the cap
        (0.25, 0.5, 0.0, 0.0),  # no credit counts as negative
    ],
)
def test_the_trust_region_is_in_chances_and_on_the_side_that_is_pushed_to(new, old, advantage, weight):
    s = stream([new], [old], [advantage])
    assert Within(0.2, 0.2, cap=3.0)(s.log_ratio().exp(), s).tolist() == pytest.approx([weight])


def test_the_two_sides_have_bounds_of_their_own():
    s = stream([0.65, 0.35], [0.5, 0.5], [1.0, -1.0])
    assert (Within(0.1, 0.2)(s.log_ratio().exp(), s) == 0).tolist() == [False, True]
    assert (Within(0.2, 0.1)(s.log_ratio().exp(), s) == 0).tolist() == [True, False]


def test_distances_against_the_divergence_of_the_two_outcomes():
    p, q = torch.linspace(0.01, 0.99, 50).double(), torch.linspace(0.99, 0.01, 50).double()
    both = [torch.stack([x, 1 - x]) for x in (p, q)]
    torch.testing.assert_close(TotalVariation()(p.log(), q.log()), (both[0] - both[1]).abs().sum(0) / 2)
    exact = (both[1] * (both[1].log() - both[0].log())).sum(0)
    torch.testing.assert_close(BinaryKL()(p.log(), q.log()), exact, atol=1e-6, rtol=1e-6)
    assert (BinaryKL()(p.log(), p.log()) == 0).all()


def test_a_certain_token_is_a_finite_distance_away():
    x = BinaryKL()(torch.zeros(1), torch.tensor([0.5]).log())
    assert x.isfinite().all() and x.item() > 5


@pytest.mark.bad_input
@pytest.mark.parametrize(
    ("make", "says"),
    [
        (lambda: Bounded(1.5, 1.0), "Bounded: low is 1.5"),
        (lambda: Bounded(0.5, -1.0), "high is -1.0"),
        (lambda: Gamma(-1.0, 1.0), "Gamma: power is -1.0"),
        (lambda: Gamma(1.0, 0.0), "decay is 0.0"),
        (lambda: Within(-0.1, 0.1), "Within: low is -0.1"),
        (lambda: Within(0.1, 0.1, cap=0.0), "cap is 0.0"),
    ],
)
def test_bounds_out_of_range_are_refused(make, says):
    with pytest.raises(ValueError, match=says):
        make()
