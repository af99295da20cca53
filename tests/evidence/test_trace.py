"""Trace facts: accepted, rejected and unscored cases, and agreement with slow loops."""

import numpy as np
from hypothesis import given, settings

from guerdon.batch import Batch, Column
from guerdon.evidence import invalid_share, observe, repeated, tokens, turns
from strategies import ragged_batches

ALL = (turns, tokens, invalid_share, repeated)


def plays(**columns):
    """Steps a a b | a | a a, the third play failed; the first two share states."""
    batch = Batch.from_steps(
        group=[0] * 6, trajectory=[0, 0, 0, 1, 2, 2], reward=[0.0] * 6, state=[5, 5, 5, 5, 7, 8],
        action=["a", "a", "b", "a", "a", "a"], tokens_per_step=[1, 2, 3, 4, 1, 1],
    )  # fmt: skip
    return batch.with_columns(
        failed=Column.of("trajectory", np.array([False, False, True])),
        action_valid=Column.of("step", np.array([1, 0, 1, np.nan, 1, 1])),
        **columns,
    )


def test_by_hand():
    seen = observe(plays(), ALL)
    assert seen["turns"].tolist() == [3.0, 1.0, None]
    assert seen["tokens"].tolist() == [6.0, 4.0, None]
    assert seen["invalid_share"].tolist() == [1 / 3, None, None]
    # The second `a` of play 0 repeats; play 1 is another play; in play 2 the state differs.
    assert seen["repeated"].tolist() == [0.0, 1.0, 0.0, 0.0, 0.0, 0.0]


def test_repeated_reads_the_observation_where_there_is_no_state():
    batch = plays(observation=Column.of("step", ["x", "y", "x", "x", "z", "z"]))
    bare = Batch(batch.step_of_token, batch.trajectory_of_step, batch.group_of_trajectory,
                 {name: c for name, c in batch.columns.items() if name != "state"})  # fmt: skip
    assert observe(bare, [repeated])["repeated"].tolist() == [0.0, 0.0, 0.0, 0.0, 0.0, 1.0]


def test_a_step_whose_action_is_missing_is_unscored_and_no_twin():
    batch = plays(action=Column.of("step", ["a", None, "a", "a", None, None]))
    assert observe(batch, [repeated])["repeated"].tolist() == [0.0, None, 1.0, 0.0, None, None]
    numbers = plays(action=Column("step", np.zeros(6, int), np.array([False, True, True, True, True, True])))
    assert observe(numbers, [repeated])["repeated"].tolist() == [None, 0.0, 1.0, 0.0, 0.0, 0.0]


def test_without_its_columns_a_fact_is_unscored_and_says_so():
    bare = Batch(np.zeros(0, int), np.array([0, 0]), np.array([0]))
    seen = observe(bare, ALL)
    assert seen["turns"].tolist() == [2.0]
    for name in ("tokens", "invalid_share", "repeated"):
        assert not seen[name].valid.any()
        assert "no column" in seen[f"{name}/cause"].tolist()[0]


def test_a_play_recorded_without_tokens_is_unscored():
    sampled = Column.of("token", np.ones(2, bool))
    batch = Batch(np.array([0, 0]), np.array([0, 1]), np.array([0, 0]), {"sampled": sampled})
    assert observe(batch, [tokens])["tokens"].tolist() == [2.0, None]


@given(ragged_batches())
@settings(max_examples=40, deadline=None)
def test_facts_agree_with_loops_over_plays(batch):
    seen = observe(batch, ALL)
    owner, state, action = batch.trajectory_of_step, batch["state"].values, batch["action"].values
    for i in range(batch.size("trajectory")):
        mine = np.flatnonzero(owner == i)
        broke = batch["failed"].values[i]
        assert seen["turns"].tolist()[i] == (None if broke else len(mine))
        count = int(np.isin(batch.step_of_token, mine).sum())
        assert seen["tokens"].tolist()[i] == (None if broke else count)
        valid = batch["action_valid"]
        if broke or not valid.valid[mine].all():
            assert not seen["invalid_share"].valid[i]
        else:
            assert abs(seen["invalid_share"].values[i] - (valid.values[mine] == 0).mean()) < 1e-12
        done = set()
        for t in mine:
            assert seen["repeated"].values[t] == ((state[t], action[t]) in done)
            done.add((state[t], action[t]))
