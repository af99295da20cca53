"""Trees of plays: shared steps are the same step, every leaf is a play, and steps are paid once."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from guerdon.bench import WORLDS, Player, to_batch
from guerdon.bench.branch import branch, segments_from
from little import random_world


def tree(world, groups, seed=0, **sizes):
    policy = np.full((len(world.key), world.actions), 1 / world.actions)
    return branch(Player(world, policy), groups, np.random.default_rng(seed), **sizes)


@given(seed=st.integers(0, 9999))
def test_every_leaf_is_a_play(seed):
    world = random_world(seed)
    plays = tree(world, 3, seed)
    assert plays.count == 24 and (plays.group == plays.trajectory // 8).all()
    for k in range(plays.count):
        own = plays.part(*np.searchsorted(plays.trajectory, [k, k + 1]).tolist())
        assert own.time.tolist() == list(range(len(own)))
        assert (own.next_state[:-1] == own.state[1:]).all() and not world.terminal[own.state].any()
        assert world.terminal[own.next_state[-1]] or len(own) == world.horizon


@given(seed=st.integers(0, 9999))
def test_what_has_one_node_is_one_step_with_one_past(seed):
    plays = tree(random_world(seed), 3, seed)
    parent = np.where(plays.time > 0, np.append(-1, plays.node[:-1]), -1)
    what = np.stack([plays.group, plays.time, plays.state, plays.action, plays.next_state, parent], 1)
    for node in np.unique(plays.node):
        assert len(np.unique(what[plays.node == node], axis=0)) == 1


def test_shared_steps_are_paid_once():
    plays = tree(WORLDS["chain"](), 20)
    assert plays.steps == len(np.unique(plays.node)) < 0.8 * len(plays)
    assert len(np.unique(plays.node[plays.time == 0])) >= 2 * 20, "two roots a tree"


def test_without_branches_it_is_plain_plays():
    plays = tree(WORLDS["submit"](), 4, size=3, roots=3)
    assert plays.steps == len(plays) and plays.count == 12


def test_first_steps_are_the_policys():
    plays = tree(WORLDS["submit"](), 3000)
    first = plays.time == 0
    node, at = np.unique(plays.node[first], return_index=True)
    share = np.bincount(plays.action[first][at], minlength=3) / len(node)
    assert share == pytest.approx(1 / 3, abs=0.03)


def test_the_batch_has_the_nodes():
    world = WORLDS["submit"]()
    plays = tree(world, 2)
    assert to_batch(world, plays, False)["node"].values.tolist() == plays.node.tolist()


def test_runs_of_places():
    assert segments_from(np.array([5, 0, 7]), np.array([2, 0, 1])).tolist() == [5, 6, 7]
    assert segments_from(np.zeros(0, int), np.zeros(0, int)).tolist() == []
