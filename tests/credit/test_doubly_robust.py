"""Doubly robust advantages: ends of the mixture, a slow version, and that either part alone keeps the mean right."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from guerdon.batch import Batch, Column
from guerdon.credit import gae_of, to_go_of
from guerdon.credit.doubly_robust import doubly_robust, doubly_robust_of
from guerdon.errors import ShapeError
from guerdon.rewards import at_end, fact
from strategies import ragged_batches

REWARD = at_end(fact("outcome"))
shares = st.floats(0, 1)


@given(ragged_batches(), shares, shares)
def test_it_is_the_slow_version(batch, gamma, lam):
    column = doubly_robust_of(fact("reward"), gamma, lam, returns=REWARD)(batch)
    for play in range(batch.size("trajectory")):
        steps = np.flatnonzero(batch.trajectory_of_step == play)
        value, reward = batch["value"].filled(np.nan)[steps], batch["reward"].filled(np.nan)[steps]
        outcome = batch["outcome"].filled(np.nan)[play]
        truncated = bool(batch["truncated"].values[play])
        for k, step in enumerate(steps):
            if not column.valid[step]:
                continue
            left = len(steps) - 1 - k
            end = batch["next_value"].filled(np.nan)[step] if truncated else 0.0
            after = value[k + 1] if left else end
            weight = lam**left
            wanted = weight * (gamma**left * outcome - value[k]) + (1 - weight) * (reward[k] + gamma * after - value[k])
            assert column.values[step] == pytest.approx(wanted)


@given(ragged_batches(ends=False), shares)
def test_with_lam_1_it_is_what_happened(batch, gamma):
    value = batch["value"]
    got, happened = doubly_robust_of(REWARD, gamma, 1.0)(batch), to_go_of(REWARD, gamma)(batch)
    assert got.values[got.valid] == pytest.approx((happened.values - value.filled(0.0))[got.valid])


@given(ragged_batches(ends=False), shares)
def test_with_lam_0_it_is_the_critic_and_of_terminated_plays_their_temporal_difference(batch, gamma):
    got, one = doubly_robust_of(fact("reward"), gamma, 0.0)(batch), gae_of(fact("reward"), gamma, 0.0)(batch)
    both = got.valid & one.valid
    assert got.values[both] == pytest.approx(one.values[both])


@given(ragged_batches())
def test_what_is_not_known_is_not_scored(batch):
    column = doubly_robust_of(REWARD, 1.0, 0.5)(batch)
    assert not column.valid[batch["failed"].values[batch.trajectory_of_step]].any()
    assert not column.valid[~batch["value"].valid].any()
    assert (column.values[~column.valid] == 0).all() and np.isfinite(column.values).all()


def test_a_wrong_critic_is_forgiven_where_what_happened_is_trusted():
    """A coin with heads 3/4 after one silent step: the mean advantage of what happened is 3/4 - V, whatever V' is."""
    play, lam = np.array([0, 0]), 1.0
    for wrong in (-5.0, 0.0, 5.0):
        means = [
            share * doubly_robust(np.full(2, r), np.array([wrong, r]), np.array([0.5, wrong]), play, lam)[0]
            for r, share in ((1.0, 0.75), (0.0, 0.25))
        ]
        assert sum(means) == pytest.approx(0.25)


@given(st.floats(0, 1))
def test_where_the_critic_is_right_any_mixture_has_the_true_mean(lam):
    play, true = np.array([0, 0]), 0.75
    means = [
        share * doubly_robust(np.full(2, r), np.array([true, r]), np.array([0.5, true]), play, lam)[0]
        for r, share in ((1.0, 0.75), (0.0, 0.25))
    ]
    assert sum(means) == pytest.approx(true - 0.5)


def test_one_step_is_what_happened():
    assert doubly_robust(np.ones(1), np.zeros(1), np.full(1, 0.25), np.zeros(1, int), 0.3).tolist() == [0.75]


@pytest.mark.parametrize("lam", [-0.1, 1.1])
def test_lam_is_a_share(lam):
    with pytest.raises(ShapeError, match="lam"):
        doubly_robust(np.ones(1), np.ones(1), np.ones(1), np.zeros(1, int), lam)


def test_no_step_at_all():
    batch = Batch(np.zeros(0, int), np.zeros(0, int), np.zeros(0, int))
    columns = {"value": Column.of("step", np.zeros(0)), "reward": Column.of("step", np.zeros(0))}
    assert len(doubly_robust_of(fact("reward"), 1.0, 0.5)(batch.with_columns(**columns))) == 0
