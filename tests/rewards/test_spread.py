"""Spreading keeps the sum."""

import numpy as np
import pytest
from hypothesis import given, settings

from guerdon.batch import Batch, Column
from guerdon.errors import LevelError, ShapeError
from guerdon.rewards import clip, fact, spread, total
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
