"""How far later surprises count."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from guerdon.credit import to_go
from guerdon.credit.trust import trusted


def drawn(seed, plays=40, length=5, cells=6, reveal=0.0):
    """Plays of equal length: surprises at random, and at the last step what the first one decided, `reveal` strong."""
    rng = np.random.default_rng(seed)
    trajectory = np.repeat(np.arange(plays), length)
    cell = rng.integers(2, cells, len(trajectory))
    choice = rng.integers(0, 2, plays)
    surprise = rng.normal(size=len(trajectory))
    first, last = np.arange(plays) * length, np.arange(plays) * length + length - 1
    cell[first] = choice
    surprise[last] += reveal * (2 * choice - 1)
    spread = (length - 1 - np.arange(len(trajectory)) % length).astype(float)
    return surprise, spread, cell, trajectory, first, choice


seeds = st.integers(0, 2**32 - 1)


@given(seeds)
def test_without_later_surprises_a_step_has_its_own(seed):
    surprise, spread, cell, trajectory, *_ = drawn(seed)
    own = np.random.default_rng(seed).normal(size=len(surprise))
    last = np.append(trajectory[1:] != trajectory[:-1], True)
    only_last = np.where(last, surprise, 0.0)
    only_first = np.where(np.append(True, trajectory[1:] != trajectory[:-1]), surprise, 0.0)
    assert trusted(own, np.zeros_like(own), spread, cell, trajectory) == pytest.approx(own)
    assert trusted(own, only_first, spread, cell, trajectory) == pytest.approx(own)
    assert trusted(own, only_last, spread, cell, trajectory)[last] == pytest.approx(own[last])


@given(seeds)
def test_it_lies_between_its_own_surprise_and_all_of_them(seed):
    surprise, spread, cell, trajectory, *_ = drawn(seed)
    full = to_go(surprise, trajectory)
    credit = trusted(surprise, surprise, spread, cell, trajectory, decays=(0.0,))
    share = (credit - surprise) / np.where(full == surprise, 1.0, full - surprise)
    assert (share >= -1e-9).all() and (share <= 1 + 1e-9).all()


@given(seeds)
def test_without_fades_all_later_surprises_count(seed):
    surprise, spread, cell, trajectory, *_ = drawn(seed)
    assert trusted(surprise, surprise, spread, cell, trajectory, decays=()) == pytest.approx(
        to_go(surprise, trajectory)
    )


def test_surprises_without_memory_are_let_go():
    shares = []
    for seed in range(20):
        surprise, spread, cell, trajectory, *_ = drawn(seed, plays=1000)
        credit, full = trusted(surprise, surprise, spread, cell, trajectory), to_go(surprise, trajectory)
        shares.append(np.abs(credit - surprise).mean() / np.abs(full - surprise).mean())
    assert np.mean(shares) < 0.3


@pytest.mark.parametrize("seed", range(5))
def test_what_an_action_decided_much_later_is_kept_for_it(seed):
    surprise, spread, cell, trajectory, first, choice = drawn(seed, plays=400, reveal=3.0)
    credit = trusted(surprise, surprise, spread, cell, trajectory)
    gap = credit[first][choice == 1].mean() - credit[first][choice == 0].mean()
    assert gap > 0.8 * 6.0


def test_one_play_keeps_all_of_it():
    surprise = np.array([1.0, 2.0, 4.0])
    zero = np.zeros(3, int)
    assert trusted(surprise, surprise, np.ones(3), zero, zero).tolist() == [7.0, 6.0, 4.0]
