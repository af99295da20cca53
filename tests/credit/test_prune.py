"""Masks that keep the gradient of some branches: by depth, inside forks, over the whole tree."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from guerdon.batch import Batch, Column
from guerdon.credit.prune import keep_best, keep_extremes, without_depths
from guerdon.credit.tree import backup
from guerdon.errors import ShapeError
from guerdon.rewards import fact
from strategies import ragged_batches

OUTCOME = fact("outcome")


def full_tree(outcomes) -> Batch:
    """Four plays of two steps: a root with two children, each with two leaves."""
    batch = Batch.from_steps(group=[0] * 8, trajectory=[0, 0, 1, 1, 2, 2, 3, 3], reward=np.zeros(8))
    return batch.with_columns(
        node=Column.of("step", [1, 3, 1, 4, 2, 5, 2, 6]), outcome=Column.of("trajectory", np.array(outcomes, float))
    )


def test_the_better_child_of_each_last_parent_is_kept():
    a = keep_best(backup(OUTCOME))(full_tree([1.0, 0.5, 0.25, 0.75]))
    assert a.values.tolist() == [1, 1, 1, 0, 1, 0, 1, 1]


def test_the_best_and_the_worst_quarter_of_leaves_are_kept():
    a = keep_extremes(OUTCOME)(full_tree([1.0, 0.5, 0.25, 0.75]))
    assert a.values.tolist() == [1, 1, 1, 0, 1, 1, 1, 0]


def test_what_ties_is_kept():
    assert keep_best(backup(OUTCOME))(full_tree([1.0, 1.0, 0.0, 0.0])).values.tolist() == [1] * 8


@given(ragged_batches(), st.floats(0.1, 1))
def test_before_the_last_fork_all_is_kept(batch, share):
    """And after it, of each fork something is, while a share of 1 keeps all."""
    mask = keep_best(backup(OUTCOME), share)(batch).values
    assert keep_best(backup(OUTCOME), 1.0)(batch).values.all()
    owner, node, group = batch.trajectory_of_step, batch["node"].values, batch.index("group", at="step")
    alive = ~batch["failed"].values[owner]
    parent = np.where(np.append(-1, owner[:-1]) == owner, np.append(0, node[:-1]), 0)
    for play in range(batch.size("trajectory")):
        steps = np.flatnonzero(owner == play)
        forks = [s for s in steps if len(set(node[(group == group[s]) & (parent == parent[s]) & alive])) > 1]
        if alive[steps[0]] and forks:
            assert mask[steps[steps < forks[-1]]].all()
        if not forks:
            assert mask[steps].all()


@given(ragged_batches(), st.sets(st.integers(0, 9)))
def test_a_depth_is_cut_in_all_plays(batch, depths):
    turn = np.concatenate([np.arange(k) for k in np.bincount(batch.trajectory_of_step)])
    assert without_depths(*depths)(batch).values.tolist() == [float(t not in depths) for t in turn]


@given(ragged_batches())
def test_half_on_either_side_is_everything(batch):
    assert keep_extremes(OUTCOME, 0.5)(batch).values.all()


@pytest.mark.parametrize("mask", [lambda share: keep_best(OUTCOME, share), lambda share: keep_extremes(OUTCOME, share)])
def test_no_share_is_refused(mask):
    with pytest.raises(ShapeError, match="share"):
        mask(0.0)
