"""Trees of plays: nodes, backups, comparisons at a fork and at a depth, and what counts once."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from guerdon.batch import Batch, Column
from guerdon.credit import Std, Turn, centred, gae_of, modulate, to_go_of
from guerdon.credit.tree import (
    PathProbability,
    among_siblings,
    at_depth,
    backup,
    branch_values,
    first_through,
    node_mean,
    once,
    over_parent,
    tree_of,
)
from guerdon.errors import ColumnError, LevelError, ShapeError
from guerdon.rewards import at_end, fact
from strategies import ragged_batches

whole = ragged_batches(missing=False, ends=False)
OUTCOME = fact("outcome")


def disjoint(batch: Batch) -> Batch:
    """The batch with plays that share no step."""
    return batch.with_columns(node=Column.of("step", np.arange(batch.size("step"))))


def slow_nodes(batch: Batch) -> dict:
    """Of each (group, node): its steps, those of plays that did not fail."""
    out = {}
    for s, play in enumerate(batch.trajectory_of_step):
        if not batch["failed"].values[play]:
            out.setdefault((int(batch.group_of_trajectory[play]), int(batch["node"].values[s])), []).append(s)
    return out


def slow_forks(batch: Batch) -> dict:
    """Of each (group, parent node, None for the root): the (group, node) of its children."""
    owner, node, out = batch.trajectory_of_step, batch["node"].values, {}
    for key, steps in slow_nodes(batch).items():
        s = steps[0]
        parent = int(node[s - 1]) if s and owner[s - 1] == owner[s] else None
        out.setdefault((key[0], parent), []).append(key)
    return out


def slow_backup(batch: Batch, gamma: float = 1.0) -> dict:
    """Of each node: the mean of its discounted scored leaves, or None."""
    owner, outcome = batch.trajectory_of_step, batch["outcome"]
    out = {}
    for key, steps in slow_nodes(batch).items():
        worth = [
            gamma ** int((owner[s:] == owner[s]).sum() - 1) * outcome.values[owner[s]]
            for s in steps if outcome.valid[owner[s]]
        ]  # fmt: skip
        out[key] = np.mean(worth) if worth else None
    return out


# Backups against brute force over leaves.


@given(ragged_batches(), st.floats(0, 1))
def test_a_node_is_worth_the_mean_of_its_leaves(batch, gamma):
    a, worth = backup(OUTCOME, gamma)(batch), slow_backup(batch, gamma)
    expected, valid = np.zeros(batch.size("step")), np.zeros(batch.size("step"), bool)
    for key, steps in slow_nodes(batch).items():
        if worth[key] is not None:
            expected[steps], valid[steps] = worth[key], True
    assert a.values == pytest.approx(expected, abs=1e-9) and a.valid.tolist() == valid.tolist()


@given(whole, st.floats(0.2, 5))
def test_a_node_is_worth_its_children_by_their_probability(batch, temperature):
    """The recursion, node by node from the leaves up."""
    edge = node_mean(fact("step_score"))(batch).values
    nodes, forks = slow_nodes(batch), slow_forks(batch)
    children = {}
    for (group, parent), found in forks.items():
        children[group, parent] = found

    def worth(key):
        below = children.get(key)
        if not below:
            return batch["outcome"].values[batch.trajectory_of_step[nodes[key][0]]]
        weight = np.exp([edge[nodes[child][0]] / temperature for child in below])
        return (weight * [worth(child) for child in below]).sum() / weight.sum()

    a = backup(OUTCOME, fusion=PathProbability(fact("step_score"), temperature))(batch)
    for key, steps in nodes.items():
        assert a.values[steps] == pytest.approx(worth(key), abs=1e-9)


def test_hot_paths_are_all_alike_and_cold_ones_are_the_likeliest():
    batch = Batch.from_steps(group=[0] * 6, trajectory=[0, 0, 1, 1, 2, 2], reward=[0.0, 1, 0, 0, 0, 0])
    batch = batch.with_columns(
        node=Column.of("step", [1, 2, 1, 3, 1, 4]), edge=Column.of("step", [0.0, 2.0, 0.0, 1.0, 0.0, 1.0])
    )
    first = [backup(OUTCOME, fusion=PathProbability(fact("edge"), t))(batch).values[0] for t in (1e9, 1e-2)]
    assert first == pytest.approx([1 / 3, 1.0])


def test_a_child_without_an_edge_says_nothing_to_its_parent():
    batch = Batch.from_steps(group=[0] * 4, trajectory=[0, 0, 1, 1], reward=[0.0, 1, 0, 0])
    batch = batch.with_columns(node=Column.of("step", [1, 2, 1, 3]), edge=Column.of("step", [0.0, None, 0.0, 1.0]))
    a = backup(OUTCOME, fusion=PathProbability(fact("edge")))(batch)
    assert a.values.tolist() == [0, 1, 0, 0] and a.valid.all()


@given(ragged_batches())
def test_unlikely_edges_do_not_underflow(batch):
    edge = Column.of("step", -1000.0 * (1 + np.arange(batch.size("step")) % 3))
    a = backup(OUTCOME, fusion=PathProbability(fact("edge")))(batch.with_columns(edge=edge))
    assert np.isfinite(a.values).all() and (a.valid == backup(OUTCOME)(batch).valid).all()


@given(ragged_batches())
def test_a_signal_of_a_node_is_its_mean_over_plays(batch):
    a = node_mean(fact("reward"))(batch)
    expected, valid = np.zeros(batch.size("step")), np.zeros(batch.size("step"), bool)
    for steps in slow_nodes(batch).values():
        scored = [batch["reward"].values[s] for s in steps if batch["reward"].valid[s]]
        if scored:
            expected[steps], valid[steps] = np.mean(scored), True
    assert a.values == pytest.approx(expected) and a.valid.tolist() == valid.tolist()


# Comparisons.


@given(ragged_batches(), st.floats(0, 1), st.booleans())
def test_siblings_written_slowly(batch, gamma, scaled):
    credit = among_siblings(backup(OUTCOME, gamma), Std(1e-3) if scaled else None)
    worth, nodes = slow_backup(batch, gamma), slow_nodes(batch)
    expected = np.zeros(batch.size("step"))
    for children in slow_forks(batch).values():
        scored = [child for child in children if worth[child] is not None]
        x = np.array([worth[child] for child in scored], float)
        spread = x.std(ddof=1) if len(x) > 1 else 0.0
        for child, value in zip(scored, x):
            away = value - x.mean() if len(x) > 1 else 0.0
            expected[nodes[child]] = away / (spread + 1e-3) if scaled else away
    assert credit(batch).values == pytest.approx(expected, abs=1e-7)


@given(ragged_batches(), st.booleans())
def test_depths_written_slowly(batch, scaled):
    worth, nodes, owner = slow_backup(batch), slow_nodes(batch), batch.trajectory_of_step
    depths = {}
    for key, steps in nodes.items():
        if worth[key] is not None:
            depths.setdefault((key[0], int((owner[: steps[0]] == owner[steps[0]]).sum())), []).append(key)
    expected = np.zeros(batch.size("step"))
    for keys in depths.values():
        x = np.array([worth[key] for key in keys])
        spread = x.std(ddof=1) if len(x) > 1 else 0.0
        for key, value in zip(keys, x):
            away = value - x.mean()
            expected[nodes[key]] = away / (spread + 1e-3) if scaled else away
    credit = at_depth(backup(OUTCOME), Std(1e-3) if scaled else None)
    assert credit(batch).values == pytest.approx(expected, abs=1e-7)


@given(ragged_batches())
def test_credit_of_nodes_adds_up_to_nothing_at_each_fork(batch):
    a = modulate(among_siblings(backup(OUTCOME)), by=once())(batch).values
    for children in slow_forks(batch).values():
        assert sum(a[slow_nodes(batch)[child]].sum() for child in children) == pytest.approx(0, abs=1e-9)


@given(ragged_batches(), st.floats(0, 1))
def test_without_shared_steps_the_first_step_is_compared_in_the_group(batch, gamma):
    batch = disjoint(batch)
    first = np.append(True, np.diff(batch.trajectory_of_step) != 0)
    plain = centred(to_go_of(at_end(OUTCOME), gamma), by=("prompt", Turn()), scale=Std())(batch).values
    siblings = among_siblings(backup(OUTCOME, gamma), Std())(batch).values
    assert siblings[first] == pytest.approx(plain[first], abs=1e-9) and (siblings[~first] == 0).all()
    assert at_depth(backup(OUTCOME, gamma), Std())(batch).values == pytest.approx(plain, abs=1e-9)


@given(whole)
def test_credit_over_the_parent_adds_up_to_the_outcome_less_the_groups_mean(batch):
    a = over_parent(OUTCOME)(batch).values
    paid = np.bincount(batch.trajectory_of_step, a)
    outcome, group = batch["outcome"].values, batch.group_of_trajectory
    mean = np.bincount(group, outcome) / np.bincount(group)
    assert paid == pytest.approx(outcome - mean[group], abs=1e-9)


@given(whole)
def test_branches_are_a_critic(batch):
    """At each step the surprise that gae sees, with values from branches, is the step's advantage."""
    valued = branch_values(batch, OUTCOME)
    a = gae_of(at_end(OUTCOME), 1.0, 0.0)(valued)
    alone = np.bincount(batch.group_of_trajectory)[batch.index("group", at="step")] < 2
    assert a.values[~alone] == pytest.approx(over_parent(OUTCOME)(batch).values[~alone], abs=1e-9)
    assert valued["next_value"].values == pytest.approx(backup(OUTCOME)(batch).values)


@given(ragged_batches())
def test_values_from_branches_are_means_of_scored_leaves(batch):
    value, worth = branch_values(batch, OUTCOME)["value"], slow_backup(batch)
    outcome, owner, nodes = batch["outcome"], batch.trajectory_of_step, slow_nodes(batch)
    for children in slow_forks(batch).values():
        steps = [s for child in children for s in nodes[child]]
        leaves = [outcome.values[owner[s]] for s in steps if outcome.valid[owner[s]]]
        assert (value.valid[steps] == bool(leaves)).all()
        if leaves:
            assert value.values[steps] == pytest.approx(np.mean(leaves))
    assert all((worth[key] is None) == (not value.valid[nodes[key]].any()) for key in nodes if worth[key] is not None)


# What counts once.


@given(ragged_batches())
def test_each_node_votes_once_and_weighs_one(batch):
    votes, weight = first_through()(batch).values, once()(batch).values
    for steps in slow_nodes(batch).values():
        assert votes[steps].sum() == 1 and votes[min(steps)] == 1
        assert weight[steps].sum() == pytest.approx(1)


@given(ragged_batches())
def test_a_play_twice_is_no_more_than_once(batch):
    """A play recorded a second time adds no node, so no node's credit moves."""
    batch = batch.with_columns(reward=Column.of("step", batch["node"].values * 7 % 5 / 4))
    batch = batch.with_columns(node=Column.of("step", batch["node"].values + 100 * batch.index("group", at="step")))
    credit = modulate(among_siblings(fact("reward"), Std()), by=once())
    twice = repeated(batch, np.append(np.arange(batch.size("trajectory")), 0))
    a, b = (np.bincount(x["node"].values, credit(x).values) for x in (batch, twice))
    assert b == pytest.approx(a, abs=1e-9)


def repeated(batch: Batch, plays: np.ndarray) -> Batch:
    """The plays at these places, as a batch of steps."""
    steps = np.concatenate([np.flatnonzero(batch.trajectory_of_step == t) for t in plays])
    owner = np.repeat(np.arange(len(plays)), np.bincount(batch.trajectory_of_step)[plays])
    columns = {n: c.take(steps if c.level == "step" else plays) for n, c in batch.columns.items()
               if c.level in ("step", "trajectory")}  # fmt: skip
    return Batch(np.zeros(0, int), owner, batch.group_of_trajectory[plays], columns)


# Where a node is missing, and bad input.


def test_a_step_without_a_node_is_no_part_of_the_tree():
    batch = Batch.from_steps(group=[0] * 4, trajectory=[0, 0, 1, 1], reward=[0.0, 1, 0, 0])
    batch = batch.with_columns(node=Column("step", np.array([1, 2, 1, 3]), np.array([True, True, True, False])))
    assert backup(OUTCOME)(batch).valid.tolist() == [True, True, True, False]
    assert among_siblings(backup(OUTCOME))(batch).values.tolist() == [0, 0, 0, 0]
    assert once()(batch).values.tolist() == [0.5, 1, 0.5, 1]


def test_states_are_no_tree():
    batch = Batch.from_steps(group=[0] * 4, trajectory=[0, 0, 1, 1], reward=[0.0] * 4)
    with pytest.raises(ShapeError, match="two places"):
        tree_of(batch.with_columns(node=Column.of("step", [1, 2, 2, 1])))
    with pytest.raises(ShapeError, match="two places"):
        tree_of(batch.with_columns(node=Column.of("step", [1, 1, 2, 3])))


def test_other_groups_have_trees_of_their_own():
    batch = Batch.from_steps(group=[0, 0, 1, 1], trajectory=[0, 0, 1, 1], reward=[0.0] * 4)
    assert tree_of(batch.with_columns(node=Column.of("step", [1, 2, 2, 1]))).node.tolist() == [0, 1, 3, 2]


def test_what_is_missing_is_named():
    batch = Batch.from_steps(group=[0], trajectory=[0], reward=[0.0])
    with pytest.raises(ColumnError, match="'node'"):
        backup(OUTCOME)(batch)
    with pytest.raises(LevelError, match="total"):
        backup(fact("reward"))(disjoint(batch))
