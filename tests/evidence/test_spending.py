"""What a play cost."""

import numpy as np
import pytest
from hypothesis import given

from guerdon.batch import Batch, Column
from guerdon.errors import ShapeError
from guerdon.evidence import observe, tokens
from guerdon.evidence.spending import spent, token_cost
from strategies import ragged_batches


def plays():
    """Two plays; 2 + 3 tokens and 4; the last of each step is sampled."""
    batch = Batch.from_steps(group=[0] * 3, trajectory=[0, 0, 1], reward=[0.0] * 3, tokens_per_step=[2, 3, 4])
    sampled = np.array([0, 1, 0, 0, 1, 0, 0, 0, 1], bool)
    return batch.with_columns(sampled=Column.of("token", sampled))


def test_by_hand():
    # Read 3 and 3, sampled 2 and 1; the second input of play 0 holds 2 tokens already.
    seen = observe(plays(), [token_cost("a", 1.0, 10.0), token_cost("b", 0.0, 0.0, reread=1.0)])
    assert seen["a"].tolist() == [23.0, 13.0] and seen["b"].tolist() == [2.0, 0.0]


def test_what_is_no_longer_in_the_input_is_not_read_again():
    alone = plays().with_columns(sequence=Column.of("step", np.arange(3)))
    assert observe(alone, [token_cost("b", 0.0, 0.0, reread=1.0)])["b"].tolist() == [0.0, 0.0]


@given(ragged_batches())
def test_agrees_with_a_loop_and_with_the_count_of_tokens(batch):
    seen = observe(batch, [token_cost("cost", 0.5, 2.0, 0.25), token_cost("count", 0.0, 1.0), tokens])
    assert seen["count"].tolist() == seen["tokens"].tolist()
    steps = batch.counts("token")
    for i, value in enumerate(seen["cost"].tolist()):
        own = np.flatnonzero(batch.trajectory_of_step == i)
        flat = np.isin(batch.step_of_token, own)
        drawn = int(np.asarray(batch["sampled"].values)[flat].sum())
        run = batch["sequence"].values[own] if "sequence" in batch else np.zeros(len(own), int)
        before = sum(int(steps[own[:k]][run[:k] == run[k]].sum()) for k in range(len(own)))
        if value is not None:
            assert value == pytest.approx(2.0 * drawn + 0.5 * (flat.sum() - drawn) + 0.25 * before)


def test_a_recorded_price_is_summed_at_either_level_and_missing_is_not_nothing():
    batch = plays().with_columns(
        price=Column.of("token", [1.0] * 8 + [None]), paid=Column.of("step", [0.5, 0.25, 1.0]),
        worth=Column.of("trajectory", [1.0, 1.0]),
    )  # fmt: skip
    seen = observe(batch, [spent(), spent("fees", "paid"), spent("wrong", "worth")])
    assert seen["spent"].tolist() == [5.0, None] and seen["fees"].tolist() == [0.75, 1.0]
    assert "trajectory column" in seen["wrong/cause"].tolist()[0]


def test_a_failed_play_and_one_without_tokens_are_unscored():
    failed = plays().with_columns(failed=Column.of("trajectory", [True, False]))
    assert observe(failed, [token_cost()])["cost"].tolist() == [None, 1.0]
    bare = Batch(np.zeros(0, int), np.array([0]), np.array([0, 0]), {"sampled": Column.of("token", np.zeros(0, bool))})
    assert observe(bare, [token_cost()])["cost"].tolist() == [None, 0.0]


def test_a_price_below_nothing_is_refused():
    for price in (-1.0, float("nan"), float("inf")):
        with pytest.raises(ShapeError, match="at least 0 and finite"):
            token_cost(written=price)
