"""Means over actions of one kind."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from guerdon.batch import Batch, Column
from guerdon.errors import LevelError
from guerdon.rewards import fact, mean
from guerdon.rewards.actions import mean_where
from strategies import ragged_batches


@given(ragged_batches(), st.sampled_from([0.0, 1.0, -0.5]))
def test_mean_where_slowly(batch, nothing):
    x, kind = batch["tool_score"], batch["tool_used"]
    y = mean_where(fact("tool_score"), fact("tool_used"), nothing)(batch)
    for t in range(batch.size("trajectory")):
        steps = np.flatnonzero(batch.trajectory_of_step == t)
        mine = [s for s in steps if kind.valid[s] and kind.values[s] > 0]
        known = kind.valid[steps].all() and x.valid[mine].all() and not batch["failed"].values[t]
        assert y.valid[t] == known
        if known:
            assert y.values[t] == pytest.approx(np.mean(x.values[mine]) if mine else nothing)


@given(ragged_batches())
def test_where_all_steps_are_of_the_kind_it_is_the_mean(batch):
    every = batch.with_columns(all=Column.of("step", np.ones(batch.size("step"))))
    assert mean_where(fact("reward"), fact("all"))(every).tolist() == mean(fact("reward"))(batch).tolist()


@given(ragged_batches())
def test_it_never_reads_steps_of_another_kind(batch):
    batch = batch.with_columns(tool_score=Column.of("step", np.where(batch["tool_used"].filled(0.0) > 0, 0.5, np.nan)))
    assert set(mean_where(fact("tool_score"), fact("tool_used"))(batch).tolist()) <= {0.0, 0.5, None}


def test_of_a_play_without_steps_nothing_is_known():
    none = Batch(np.zeros(0, int), np.zeros(0, int), np.zeros(1, int))
    none = none.with_columns(x=Column.of("step", np.zeros(0)))
    assert mean_where(fact("x"), fact("x"))(none).tolist() == [None]


@pytest.mark.bad_input
def test_a_term_of_plays_is_refused():
    batch = Batch.from_steps(group=[0], trajectory=[0], reward=[0.0])
    for term in (mean_where(fact("outcome"), fact("reward")), mean_where(fact("reward"), fact("outcome"))):
        with pytest.raises(LevelError, match="mean_where"):
            term(batch)
