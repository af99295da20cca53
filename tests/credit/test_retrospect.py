"""Credit in retrospect: histories of batches, the verdict on an update, and who caused it."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from guerdon.batch import Batch, Column
from guerdon.credit import centred, only_where
from guerdon.credit.history import History
from guerdon.credit.retrospect import RecentBatches, attributed, either, improvement, rectified
from guerdon.errors import ShapeError
from guerdon.rewards import affine, fact
from strategies import ragged_batches

OUTCOME, REPLAYED = fact("outcome"), fact("replayed")
FRESH = affine(REPLAYED, scale=-1.0, offset=1.0)


def outcomes(*values):
    n = len(values)
    return Batch.from_steps(group=[0] * n, trajectory=list(range(n)), reward=list(values))


def test_a_history_knows_nothing_before_it_is_full():
    state = RecentBatches(OUTCOME, window=3)
    assert isinstance(state, History)
    for mean in (0.0, 0.5):
        state = state.update(outcomes(mean, mean))
        assert state.columns(outcomes(1.0))["history_mean"].tolist() == [None]
    state = state.update(outcomes(1.0, 1.0))
    assert state.columns(outcomes(1.0))["history_mean"].tolist() == [0.5]
    assert state.columns(outcomes(1.0))["history_std"].tolist() == pytest.approx([np.std([0.0, 0.5, 1.0])])
    assert state.update(outcomes(0.25)).mean.tolist() == [0.5, 1.0, 0.25]


@given(ragged_batches())
def test_replayed_and_failed_plays_are_in_no_mean(batch):
    state = RecentBatches(OUTCOME, fresh=FRESH).update(batch)
    kept = ~batch["failed"].values & ~batch["replayed"].values
    wanted = [batch["outcome"].values[kept].mean()] if kept.any() else []
    assert state.mean.tolist() == pytest.approx(wanted)


def test_a_spread_of_one_batch_is_refused():
    with pytest.raises(ShapeError, match="window"):
        RecentBatches(OUTCOME, window=1)


@given(ragged_batches(), st.floats(-2, 2), st.floats(0.1, 3))
def test_the_verdict_is_shared_by_all_groups_and_knows_its_units(batch, shift, scale):
    column = improvement(OUTCOME, FRESH)(batch.with_columns(
        history_mean=Column.of("group", np.full(batch.size("group"), shift)),
        history_std=Column.of("group", np.full(batch.size("group"), scale)),
    ))  # fmt: skip
    kept = ~batch["failed"].values & ~batch["replayed"].values
    if not kept.any():
        assert not column.valid.any()
        return
    now = batch["outcome"].values[kept].mean()
    assert column.values == pytest.approx(np.full(len(column), (now - shift) / (scale + 1e-6)))


def test_without_a_history_there_is_no_verdict():
    batch = RecentBatches(OUTCOME).columns(outcomes(1.0, 0.0))
    assert improvement(OUTCOME)(batch).tolist() == [None]


@given(st.floats(-9, 9), st.floats(0, 1))
def test_good_news_counts_whole(x, harm):
    got = rectified(fact("reward"), harm, most=5.0)(outcomes(x)).values[0]
    assert got == pytest.approx(np.clip(x, -5, 5) * (harm if x < 0 else 1.0))


@given(ragged_batches())
def test_shares_of_a_group_add_up_to_its_plays(batch):
    credit = attributed(centred(OUTCOME))(batch)
    play = batch.trajectory_of_step
    for group in range(batch.size("group")):
        plays = np.flatnonzero(batch.group_of_trajectory == group)
        steps = [np.flatnonzero((play == p) & credit.valid) for p in plays]
        sizes = [np.abs(credit.values[s]).mean() for s in steps if len(s)]
        assert sum(sizes) == pytest.approx(len(sizes)) or sum(sizes) == 0


@given(ragged_batches(), st.floats(0.5, 9))
def test_shares_do_not_depend_on_the_unit(batch, scale):
    one, other = (attributed(centred(OUTCOME) * s)(batch) for s in (1.0, scale))
    assert one.values == pytest.approx(other.values)


@given(ragged_batches())
def test_the_first_credit_that_is_scored(batch):
    a, b = only_where(centred(OUTCOME), FRESH), centred(fact("length_score"))
    got, first, second = either(a, b)(batch), a(batch), b(batch)
    assert (got.valid == (first.valid | second.valid)).all()
    assert got.values.tolist() == np.where(first.valid, first.values, second.values).tolist()
