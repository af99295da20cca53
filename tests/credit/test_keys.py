"""Keys: which items are alike, worked by hand and against slow loops."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from guerdon.batch import Batch, Column
from guerdon.credit import Everything, Fork, Key, Randomly, Turn, centred
from guerdon.credit.keys import Named, bucket_of, keys_of
from guerdon.errors import ColumnError, LevelError
from guerdon.rewards import fact
from strategies import ragged_batches


def steps(**columns) -> Batch:
    """Two groups: plays of 2, 1 and 1 steps, and one play of 2."""
    batch = Batch.from_steps(group=[0, 0, 0, 0, 1, 1], trajectory=[0, 0, 1, 2, 3, 3], reward=[0, 1, 0, 0, 5, 7.0])
    return batch.with_columns(**{k: Column.of("step", v) for k, v in columns.items()})


def same(bucket: np.ndarray) -> np.ndarray:
    """Which two items are in one bucket."""
    return bucket[:, None] == bucket[None, :]


# Worked by hand.


def test_prompt_is_the_group_at_every_level():
    batch = steps()
    assert Named("prompt")(batch, "step")[0].tolist() == [0, 0, 0, 0, 1, 1]
    assert Named("prompt")(batch, "trajectory")[0].tolist() == [0, 0, 0, 1]


def test_a_column_of_a_coarser_level_is_copied():
    batch = steps().with_columns(task=Column.of("trajectory", np.array([5, 5, 6, 5])))
    assert Named("task")(batch, "step")[0].tolist() == [5, 5, 5, 6, 5, 5]


def test_text_is_a_key_too():
    bucket, known = bucket_of(steps(room=["hall", "cellar", "hall", None, "hall", "cellar"]), "room", "step")
    assert same(bucket)[0].tolist() == [True, False, True, False, True, False]
    assert known.tolist() == [True, True, True, False, True, True]


def test_everything_is_one_bucket():
    assert set(Everything()(steps(), "trajectory")[0].tolist()) == {0}


def test_turns_start_again_in_each_play():
    assert Turn()(steps(), "step")[0].tolist() == [0, 1, 0, 0, 0, 1]


def test_tokens_have_the_turn_of_their_step():
    batch = Batch.from_steps(group=[0, 0], trajectory=[0, 0], reward=[0.0, 0.0], tokens_per_step=[2, 1])
    assert Turn()(batch, "token")[0].tolist() == [0, 0, 1]


def test_a_fork_is_where_a_step_left_from():
    # Plays 0 and 1 share node 7 and part; play 2 leaves from the root with another node.
    batch = Batch.from_steps(group=[0] * 5, trajectory=[0, 0, 1, 1, 2], reward=[0.0] * 5)
    bucket, known = Fork()(batch.with_columns(node=Column.of("step", [7, 8, 7, 9, 6])), "step")
    assert same(bucket)[0].tolist() == [True, False, True, False, True]
    assert same(bucket)[1].tolist() == [False, True, False, True, False] and known.all()


def test_the_roots_of_two_groups_are_two_places():
    batch = Batch.from_steps(group=[0, 1], trajectory=[0, 1], reward=[0.0, 0.0])
    bucket, _ = Fork()(batch.with_columns(node=Column.of("step", [4, 4])), "step")
    assert bucket[0] != bucket[1]


def test_a_step_after_a_missing_node_has_no_fork():
    batch = Batch.from_steps(group=[0] * 3, trajectory=[0] * 3, reward=[0.0] * 3)
    node = Column("step", np.array([1, 2, 3]), np.array([True, False, True]))
    assert Fork()(batch.with_columns(node=node), "step")[1].tolist() == [True, False, False]


def test_several_keys_are_all_to_agree():
    bucket, _ = bucket_of(steps(state=[1, 2, 1, 2, 1, 1]), ("prompt", "state", Turn()), "step")
    assert same(bucket)[0].tolist() == [True, False, True, False, False, False]


def test_keys_know_whether_they_stay_inside_a_prompt():
    assert [key.within for key in keys_of(("prompt", "state", Turn(), Fork(), Everything(), Randomly(2)))] == [
        True, False, False, True, False, False,
    ]  # fmt: skip
    assert all(isinstance(key, Key) for key in keys_of(("prompt", "state", Turn(), Fork(), Everything(), Randomly(2))))


def test_a_credit_says_what_its_keys_need():
    assert centred(fact("reward"), by=(Fork(), "state")).needs == ("node", "state")
    assert centred(fact("reward"), by=Everything()).compares == {"batch"}
    assert centred(fact("reward"), by=Fork()).compares == {"group"}


# Laws.


@given(ragged_batches(), st.integers(1, 6), st.integers(0, 99))
def test_random_buckets_hold_between_size_and_less_than_twice_that(batch, size, seed):
    for level in ("step", "trajectory"):
        bucket, known = Randomly(size, seed)(batch, level)
        sizes = np.unique(bucket[known], return_counts=True)[1]
        n = sizes.sum()
        assert known.tolist() == (~batch["failed"].values[batch.index("trajectory", at=level)]).tolist()
        assert (sizes < 2 * size).all() and (n < size or (sizes >= size).all())
        assert bucket.tolist() == Randomly(size, seed)(batch, level)[0].tolist()


def test_another_seed_is_another_draw():
    batch = Batch.from_steps(group=[0] * 40, trajectory=np.arange(40), reward=np.zeros(40))
    draws = [same(Randomly(4, seed)(batch, "step")[0]) for seed in (0, 1)]
    assert (draws[0] != draws[1]).any()


@given(ragged_batches())
def test_forks_written_slowly(batch):
    bucket, _ = Fork()(batch, "step")
    node, owner, group = batch["node"].values, batch.trajectory_of_step, batch.index("group", at="step")
    parent = [(group[s], node[s - 1] if s and owner[s - 1] == owner[s] else None) for s in range(len(node))]
    assert same(bucket).tolist() == [[a == b for b in parent] for a in parent]


@given(ragged_batches())
def test_one_key_says_the_same_as_a_tuple_of_one(batch):
    for key in ("prompt", "state", Turn(), Everything()):
        assert same(bucket_of(batch, key, "step")[0]).tolist() == same(bucket_of(batch, (key,), "step")[0]).tolist()


# Bad input.


def test_a_key_that_is_not_there_is_named():
    with pytest.raises(ColumnError, match="'nosuch'"):
        bucket_of(steps(), ("prompt", "nosuch"), "step")


def test_trajectories_have_no_turn():
    with pytest.raises(LevelError):
        Turn()(steps(), "trajectory")
