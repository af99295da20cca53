"""Recipes for trees of plays and for redistributed returns: their formulas, written slowly, and where they meet."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from guerdon import recipes
from guerdon.batch import Batch, Column
from guerdon.credit import Std, Turn, centred, to_go_of
from guerdon.credit.prune import keep_best, keep_extremes, without_depths
from guerdon.credit.redistribute import RandomSubset
from guerdon.credit.tree import backup, once
from guerdon.recipes import branchgrpo, grpo, lare, portool, revibranch, slate
from guerdon.rewards import at_end, fact, spread
from strategies import ragged_batches

whole = ragged_batches(missing=False, ends=False)
OUTCOME = fact("outcome")


def disjoint(batch: Batch) -> Batch:
    """The batch with plays that share no step."""
    return batch.with_columns(node=Column.of("step", np.arange(batch.size("step"))))


def tree(batch: Batch) -> tuple[dict, dict]:
    """The steps of each (group, node), and the nodes of each (group, parent); the parent of first steps is None."""
    owner, node = batch.trajectory_of_step, batch["node"].values
    nodes, forks = {}, {}
    for s, play in enumerate(owner):
        key = (int(batch.group_of_trajectory[play]), int(node[s]))
        if key not in nodes:
            parent = int(node[s - 1]) if s and owner[s - 1] == play else None
            forks.setdefault((key[0], parent), []).append(key)
        nodes.setdefault(key, []).append(s)
    return nodes, forks


def zscores(x, eps: float) -> np.ndarray:
    """x less its mean, over its sample standard deviation; zero for one or for equal ones."""
    x = np.asarray(x, float)
    spread_ = x.std(ddof=1) if len(x) > 1 and np.ptp(x) > 1e-12 else 0.0
    return (x - x.mean()) / (spread_ + eps) if spread_ else np.zeros(len(x))


@given(whole)
def test_portool(batch):
    nodes, forks = tree(batch)
    owner, outcome, group = batch.trajectory_of_step, batch["outcome"].values, batch.group_of_trajectory
    length = np.bincount(owner)
    turn = np.concatenate([np.arange(k) for k in length])
    play = np.zeros(len(outcome))
    for g in set(group.tolist()):
        play[group == g] = zscores(outcome[group == g], 1e-6)
    worth = {}
    for key, steps in nodes.items():
        leaves = [0.95 ** (length[owner[s]] - 1 - turn[s]) * outcome[owner[s]] for s in steps]
        worth[key] = np.mean(leaves) + batch["action_valid"].values[steps].mean()
    expected = np.zeros(len(owner))
    for children in forks.values():
        for child, z in zip(children, zscores([worth[c] for c in children], 1e-6)):
            steps = nodes[child]
            expected[steps] = (play[owner[steps]].mean() + z) / len(steps)
    assert recipes.get("portool").credit(batch).values == pytest.approx(expected, abs=1e-7)


@given(ragged_batches())
def test_portool_without_forks_is_grpo_on_plays_that_share_nothing(batch):
    batch = disjoint(batch)
    plain = centred(OUTCOME, scale=Std(portool.EPS))(batch)
    assert portool.credit(fork=0.0)(batch).values == pytest.approx(
        np.where(batch["action_valid"].valid, plain.values, 0.0), abs=1e-9
    )


def test_portool_speaks_of_a_step_that_grpo_punishes():
    """The failure's first step is the winner's too, so only the second one is to blame."""
    batch = Batch.from_steps(group=[0] * 4, trajectory=[0, 0, 1, 1], reward=[0.0, 1.0, 0.0, 0.0])
    batch = batch.with_columns(node=Column.of("step", [1, 2, 1, 3]), action_valid=Column.of("step", np.ones(4)))
    a, plain = portool.RECIPE.credit(batch).values, grpo.RECIPE.credit(batch).values
    assert a[2] == pytest.approx(0.0) and plain[2] < 0 and a[3] < plain[3]


@given(whole)
def test_slate(batch):
    nodes, forks = tree(batch)
    score, expected = batch["step_score"].values, np.zeros(batch.size("step"))
    alone = np.bincount(batch.group_of_trajectory) < 2
    for (group, _), children in forks.items():
        for child, z in zip(children, zscores([score[nodes[c]].mean() for c in children], 1e-6)):
            expected[nodes[child]] = 0.0 if alone[group] else z / len(nodes[child])
    assert recipes.get("slate").credit(batch).values == pytest.approx(expected, abs=1e-6)


@given(whole, st.floats(-3, 3), st.floats(0.5, 4))
def test_slate_does_not_mind_the_judges_unit(batch, shift, unit):
    other = batch.with_columns(step_score=Column.of("step", unit * batch["step_score"].values + shift))
    assert slate.RECIPE.credit(other).values == pytest.approx(slate.RECIPE.credit(batch).values, abs=1e-3)


def test_slates_variance_without_the_std_is_that_of_one_step():
    """With additive scores of T independent steps, plays of whole trajectories vary T times as much."""
    rng = np.random.default_rng(0)
    k, turns, groups = 8, 6, 400
    score = rng.normal(size=(groups, k, turns))
    plays = score.sum(axis=2) - score.sum(axis=2).mean(axis=1, keepdims=True)
    n = groups * k
    fork = Batch.from_steps(group=np.repeat(np.arange(groups), k), trajectory=np.arange(n), reward=np.zeros(n))
    fork = fork.with_columns(
        node=Column.of("step", np.arange(n)), step_score=Column.of("step", score[:, :, 0].reshape(-1))
    )
    steps = slate.credit(scale=None)(fork).values
    assert plays.var() / steps.var() == pytest.approx(turns, rel=0.1)


@given(whole)
def test_branchgrpo(batch):
    nodes, _ = tree(batch)
    owner, outcome = batch.trajectory_of_step, batch["outcome"].values
    depths, expected = {}, np.zeros(len(owner))
    for key, steps in nodes.items():
        depths.setdefault((key[0], int((owner[: steps[0]] == owner[steps[0]]).sum())), []).append(key)
    for keys in depths.values():
        for key, z in zip(keys, zscores([outcome[owner[nodes[k]]].mean() for k in keys], 1e-6)):
            expected[nodes[key]] = np.clip(z, -5, 5) / len(nodes[key])
    assert recipes.get("branchgrpo").credit(batch).values == pytest.approx(expected, abs=1e-6)


@given(ragged_batches())
def test_branchgrpo_of_disjoint_plays_compares_plays_turn_by_turn(batch):
    batch = disjoint(batch)
    plain = centred(to_go_of(at_end(OUTCOME)), by=("prompt", Turn()), scale=Std(branchgrpo.EPS))(batch)
    assert branchgrpo.RECIPE.credit(batch).values == pytest.approx(np.clip(plain.values, -5, 5), abs=1e-9)


@given(whole)
def test_equal_edges_are_the_mean_of_children_not_of_leaves(batch):
    """Where no node has more than two plays through it the two fusions agree; they need not elsewhere."""
    flat = batch.with_columns(logprob=Column.of("token", np.zeros(batch.size("token"))))
    if once()(batch).values.min() >= 0.5:
        a = branchgrpo.credit(fusion=branchgrpo.PROBABLE)(flat).values
        assert a == pytest.approx(branchgrpo.RECIPE.credit(batch).values, abs=1e-9)


@given(whole)
def test_pruning_leaves_the_credit_of_what_it_keeps(batch):
    plain = branchgrpo.RECIPE.credit(batch).values
    for mask in (without_depths(0, 2), keep_best(backup(OUTCOME)), keep_extremes(OUTCOME)):
        a, kept = branchgrpo.credit(mask=mask)(batch).values, mask(batch).values > 0
        assert a[kept].tolist() == plain[kept].tolist() and (a[~kept] == 0).all()


# Redistribution.


def turn_by_turn(batch: Batch, x: np.ndarray) -> np.ndarray:
    """x less the mean of the group's other plays at the same turn; zero where there are none."""
    owner, group = batch.trajectory_of_step, batch.index("group", at="step")
    turn = np.concatenate([np.arange(k) for k in np.bincount(owner)])
    out = np.zeros(len(x))
    for s in range(len(x)):
        others = (group == group[s]) & (turn == turn[s]) & (owner != owner[s])
        out[s] = x[s] - x[others].mean() if others.any() else 0.0
    return out


def ahead(batch: Batch, x: np.ndarray) -> np.ndarray:
    """The sum of x to the end of each play."""
    owner = batch.trajectory_of_step
    return np.array([x[s:][owner[s:] == owner[s]].sum() for s in range(len(x))])


@given(whole)
def test_revibranch(batch):
    owner, w = batch.trajectory_of_step, batch["importance"].values
    total = np.bincount(owner, w)
    share = np.where(total[owner] > 0, w / np.where(total > 0, total, 1)[owner], 1 / np.bincount(owner)[owner])
    reward = batch["outcome"].values[owner] * share
    assert recipes.get("revibranch").reward(batch).values == pytest.approx(reward)
    expected = turn_by_turn(batch, ahead(batch, reward))
    assert recipes.get("revibranch").credit(batch).values == pytest.approx(expected, abs=1e-9)


@given(ragged_batches(), st.floats(0.1, 4))
def test_revibranch_with_equal_importances_spreads_evenly(batch, level):
    flat = batch.with_columns(importance=Column.of("step", np.full(batch.size("step"), level)))
    a = revibranch.RECIPE.credit(flat)
    plain = revibranch.credit(spread(OUTCOME))(batch)
    assert a.values == pytest.approx(plain.values, abs=1e-9) and (a.valid == plain.valid).all()


@given(whole)
def test_lare(batch):
    owner, x, outcome = batch.trajectory_of_step, batch["features"].values, batch["outcome"].values
    rows = np.array([x[owner == t].sum(axis=0) for t in range(len(outcome))])
    weights = np.linalg.solve(rows.T @ rows + lare.RIDGE * np.eye(2), rows.T @ outcome)
    expected = turn_by_turn(batch, ahead(batch, x @ weights))
    assert recipes.get("lare").credit(batch).values == pytest.approx(expected, abs=1e-8)


def test_lare_finds_the_step_that_wins_and_a_wrong_factor_does_not():
    rng = np.random.default_rng(0)
    owner, key = np.repeat(np.arange(200), 4), rng.random(800) < 0.2
    outcome = np.bincount(owner, key).astype(float)
    batch = Batch(np.zeros(0, int), owner, np.repeat(np.arange(50), 4)).with_columns(
        outcome=Column.of("trajectory", outcome), features=Column.of("step", np.stack([key, 1.0 - key], axis=1)),
        noise=Column.of("step", rng.normal(size=(800, 2))),
    )  # fmt: skip
    right, wrong = (lare.credit(column=name)(batch).values for name in ("features", "noise"))
    drawn = lare.credit(rows=RandomSubset(2, draws=8))(batch).values
    truth = turn_by_turn(batch, ahead(batch, key.astype(float)))
    assert np.corrcoef(right, truth)[0, 1] > 0.99 and np.corrcoef(drawn, truth)[0, 1] > 0.99
    assert abs(np.corrcoef(wrong, truth)[0, 1]) < 0.5
