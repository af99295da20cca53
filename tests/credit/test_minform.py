"""The min-form: exact and soft, the token rate of the others, and the credit made of them."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from guerdon.batch import Batch, Column
from guerdon.credit import (
    HardMin,
    SoftMin,
    min_form_of,
    rate_of_others,
    soft_min,
    soft_min_rewards,
    to_go,
    tokens_of_step,
)
from guerdon.rewards import fact
from strategies import ragged_batches


@st.composite
def scores(draw):
    """Process scores in [-1, 1] of plays of random lengths."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    length = rng.integers(1, 8, draw(st.integers(1, 5)))
    owner = np.repeat(np.arange(len(length)), length)
    return rng.uniform(-1, 1, len(owner)), owner


# Worked by hand.


def test_soft_min_by_hand():
    # softmax(-r / 1) of (0, log 3) is (3/4, 1/4).
    r = np.array([0.0, np.log(3.0)])
    assert soft_min_rewards(r, np.zeros(2, int), 1.0) == pytest.approx([0.0, np.log(3.0) / 4])


def test_the_share_that_filler_still_earns():
    # One step at 0.3 and n filler steps at 0.6 at temperature 0.1: the sum creeps up, the minimum does not.
    for n, expected in ((1, 0.31), (5, 0.36), (20, 0.45), (100, 0.55)):
        r, owner = np.array([0.3] + [0.6] * n), np.zeros(n + 1, int)
        assert soft_min_rewards(r, owner, 0.1).sum() == pytest.approx(expected, abs=0.006)
        assert HardMin()(r, owner)[0] == 0.3


def test_credit_by_hand():
    # Whole plays are worth -1 (two tokens) and 0.5 (four tokens in one step).
    batch = Batch.from_steps(group=[0, 0, 0], trajectory=[0, 0, 1], reward=[-1.0, 1.0, 0.5], tokens_per_step=[1, 1, 4])
    a = min_form_of(fact("reward"), HardMin())(batch)
    assert a.values.tolist() == [-1 - 0.125 * 2, 1 - 0.125 * 1, 0.5 + 0.5 * 4]


def test_only_sampled_tokens_are_counted():
    batch = Batch.from_steps(group=[0, 0], trajectory=[0, 0], reward=[0.0, 0.0], tokens_per_step=[2, 3])
    batch = batch.with_columns(sampled=Column.of("token", [True, False, True, True, False]))
    assert tokens_of_step(batch).tolist() == [1.0, 2.0]


# Laws.


@given(scores())
def test_one_step_is_its_own_return(s):
    r, _ = s
    alone = np.arange(len(r))
    assert HardMin()(r, alone).tolist() == r.tolist()
    assert SoftMin(0.1)(r, alone) == pytest.approx(r)


@given(scores())
def test_cold_soft_min_is_the_minimum_of_the_whole_play(s):
    r, owner = s
    r = np.round(r, 1)  # gaps of 0.1 and more, far above the temperature
    total = np.bincount(owner, weights=soft_min_rewards(r, owner, 1e-3))
    assert total == pytest.approx([r[owner == i].min() for i in range(owner.max() + 1)], abs=1e-9)


@given(scores())
def test_soft_min_lies_between_minimum_and_mean(s):
    r, owner = s
    total = np.bincount(owner, weights=soft_min_rewards(r, owner, 0.1))
    low = np.array([r[owner == i].min() for i in range(owner.max() + 1)])
    mean = np.array([r[owner == i].mean() for i in range(owner.max() + 1)])
    assert (total >= low - 1e-9).all() and (total <= mean + 1e-9).all()


@given(scores())
def test_the_exact_form_written_slowly(s):
    r, owner = s
    at = np.arange(len(r))
    slow = [r[(owner == owner[i]) & (at >= i)].min() for i in at]
    assert HardMin()(r, owner).tolist() == slow


def test_a_hot_score_does_not_overflow():
    assert np.isfinite(soft_min_rewards(np.array([-1e3, 1e3]), np.zeros(2, int), 1e-3)).all()


@given(ragged_batches())
def test_the_rate_written_slowly(batch):
    rng = np.random.default_rng(0)
    m = batch.size("trajectory")
    whole, length, group = rng.normal(size=m), rng.integers(1, 9, m).astype(float), batch.group_of_trajectory
    valid = ~batch["failed"].values
    rate, there = rate_of_others(whole, length, group, valid)
    for i in range(m):
        others = (group == group[i]) & (np.arange(m) != i) & valid
        assert there[i] == (others.any() and valid[i])
        if there[i]:
            assert rate[i] == pytest.approx(whole[others].sum() / length[others].sum())


@given(ragged_batches())
def test_plays_that_are_alike_get_zero_at_the_first_step(batch):
    n = batch.size("step")
    twice = Batch.from_steps(
        group=np.zeros(2 * n, int),
        trajectory=np.concatenate([np.zeros(n, int), np.ones(n, int)]),
        reward=np.tile(batch["closer"].filled(0.0), 2),
    )
    for form in (HardMin(), SoftMin(0.1)):
        a = min_form_of(fact("reward"), form)(twice).values
        assert a[[0, n]] == pytest.approx(0, abs=1e-9)


@given(ragged_batches())
def test_a_play_with_a_gap_is_unscored_whole(batch):
    a = min_form_of(fact("closer"), HardMin())(batch)
    term = soft_min(fact("closer"))(batch)
    for i in range(batch.size("trajectory")):
        own = batch.trajectory_of_step == i
        whole = batch["closer"].valid[own].all() and not batch["failed"].values[i]
        assert (a.valid[own] == whole).all() and (term.valid[own] == whole).all()


@given(ragged_batches(missing=False, ends=False))
def test_the_soft_return_is_the_sum_of_the_soft_rewards(batch):
    term, owner = soft_min(fact("closer"), 0.1)(batch), batch.trajectory_of_step
    assert to_go(term.values, owner) == pytest.approx(SoftMin(0.1)(batch["closer"].values, owner))
