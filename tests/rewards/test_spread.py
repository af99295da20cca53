"""Spreading keeps the sum."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from guerdon.batch import Batch, Column
from guerdon.errors import LevelError, ShapeError
from guerdon.rewards import clip, fact, mean, rising_sigmoid, spread, total, uniform, weighted_mean
from strategies import ragged_batches


def batch_of(weights):
    batch = Batch.from_steps(group=[0] * 4, trajectory=[0, 0, 1, 1], reward=[1.0, 2.0, 3.0, 5.0])
    return batch.with_columns(w=Column.of("step", np.array(weights)))


def test_shares_by_hand():
    batch = batch_of([1.0, 2.0, 0.0, 0.0])
    assert spread(fact("outcome"))(batch).tolist() == [1.5, 1.5, 4.0, 4.0]
    assert spread(fact("outcome"), how=fact("w"))(batch).tolist() == [1.0, 2.0, 4.0, 4.0]


def test_a_missing_weight_leaves_its_play_unshared():
    assert spread(fact("outcome"), how=fact("w"))(batch_of([1.0, 2.0, np.nan, 1.0])).tolist() == [1.0, 2.0, None, None]


@given(ragged_batches(dyadic=False, ends=False))
@settings(max_examples=40, deadline=None)
def test_the_shares_add_up(batch):
    weights = clip(fact("closer"), low=0.0)
    shared = total(spread(fact("outcome"), how=weights))(batch)
    assert shared.values[shared.valid] == pytest.approx(batch["outcome"].values[shared.valid])


def test_weights_below_zero_or_at_another_level_are_refused():
    with pytest.raises(ShapeError, match="below 0"):
        spread(fact("outcome"), how=fact("w"))(batch_of([1.0, -2.0, 0.0, 0.0]))
    with pytest.raises(LevelError, match="'how'"):
        spread(fact("outcome"), how=fact("outcome"))(batch_of([1.0, 2.0, 0.0, 0.0]))


# Weighted means.


@given(ragged_batches())
def test_equal_weights_are_the_mean(batch):
    a, b = weighted_mean(fact("step_score"), uniform)(batch), mean(fact("step_score"))(batch)
    assert (a.valid == b.valid).all() and a.filled(0.0) == pytest.approx(b.filled(0.0))
    c = weighted_mean(fact("step_score"), rising_sigmoid(0.0))(batch)
    assert c.filled(0.0) == pytest.approx(b.filled(0.0))


@given(ragged_batches(), st.floats(-3.0, 3.0))
def test_weighted_slowly(batch, slope):
    y = weighted_mean(fact("step_score"), rising_sigmoid(slope))(batch)
    for play in np.flatnonzero(y.valid):
        x = batch["step_score"].values[batch.trajectory_of_step == play]
        along = np.linspace(-1, 1, len(x)) if len(x) > 1 else np.zeros(1)
        w = 1 / (1 + np.exp(-slope * along))
        assert y.values[play] == pytest.approx((w * x).sum() / w.sum())


@given(ragged_batches(), st.floats(0.1, 3.0))
def test_weights_rise_and_are_mirrored_around_a_half(batch, slope):
    w, owner = rising_sigmoid(slope)(batch).values, batch.trajectory_of_step
    for play in range(batch.size("trajectory")):
        own = w[owner == play]
        assert (np.diff(own) > 0).all() and own + own[::-1] == pytest.approx(1.0)


@given(ragged_batches())
def test_a_weight_may_be_a_term(batch):
    y, w = weighted_mean(fact("step_score"), fact("importance"))(batch), batch["importance"]
    for play in range(batch.size("trajectory")):
        own = batch.trajectory_of_step == play
        known = batch["step_score"].valid[own].all() and w.valid[own].all() and not batch["failed"].values[play]
        assert y.valid[play] == known
        if known:
            x = w.values[own] @ batch["step_score"].values[own]
            assert y.values[play] == pytest.approx(x / w.values[own].sum() if w.values[own].any() else 0.0)


@pytest.mark.bad_input
def test_weights_are_of_steps_and_not_below_zero():
    batch = batch_of([-1.0, 1.0, 1.0, 1.0])
    with pytest.raises(ShapeError, match="weighted_mean"):
        weighted_mean(fact("reward"), fact("w"))(batch)
    with pytest.raises(LevelError, match="weighted_mean"):
        weighted_mean(fact("outcome"), uniform)(batch)
    with pytest.raises(LevelError, match="how"):
        weighted_mean(fact("reward"), fact("outcome"))(batch)
