"""BranchGRPO's tree: the gradient from sixteen leaves that share their first steps, at equal calls of the network."""

from __future__ import annotations

import numpy as np

from guerdon.batch import Batch, Column
from guerdon.bench.claims.base import Claim, Effort, Generator, Result, over_seeds
from guerdon.bench.labs import plays_of_length
from guerdon.bench.sample import cosine
from guerdon.credit import Credit, Std, at_depth, backup, bounded, centred
from guerdon.recipes import branchgrpo
from guerdon.rewards import fact

STEPS, SPLITS, LEAVES, TREES = 20, (0, 3, 6, 9), 16, 400
Array = np.ndarray
WAYS = 2 ** np.searchsorted(SPLITS, np.arange(STEPS), side="right")  # branches that are alive at each step
CALLS = int(WAYS.sum())  # of the network, by one tree
FLAT = max(round(CALLS / STEPS), 2)  # plays from start to end for as many calls


def tree(groups: int, action: Array) -> tuple[Array, Array]:
    """Actions and nodes of every leaf's path, (groups, leaves, steps), from one action per node."""
    branch = np.arange(LEAVES)[:, None] // (LEAVES // WAYS)
    node = np.arange(STEPS) * LEAVES + branch
    own = np.arange(groups)[:, None, None]
    return action[own, np.arange(STEPS), branch], np.broadcast_to(node, (groups, LEAVES, STEPS))


def batch_of(action: Array, node: Array, worth: Array) -> Batch:
    """Plays whose reward at the end is the sum of what their actions are worth."""
    groups, plays, steps = action.shape
    group, play, place = plays_of_length(np.repeat(np.arange(groups), plays), np.full(groups * plays, steps))
    total = (action * worth).sum(2).ravel()
    batch = Batch.from_steps(group=group, trajectory=play, reward=np.where(place == steps - 1, total[play], 0.0))
    return batch.with_columns(node=Column.of("step", node.ravel()))


def slopes(credit: Credit, batch: Batch, action: Array, chance: Array) -> Array:
    """One gradient by the logits for each group."""
    advantage = credit(batch).filled(0.0).reshape(action.shape)
    return (advantage * (action - chance)).sum(1)


def one(rng: Generator, effort: Effort) -> dict[str, float]:
    """Mean cosine of a group to the exact gradient, and relative variance, for trees and for plays apart."""
    worth, chance = rng.normal(size=STEPS), 1 / (1 + np.exp(-rng.normal(size=STEPS)))
    exact, groups = worth * chance * (1 - chance), effort.of(TREES, least=40)
    drawn = (rng.random((groups, STEPS, LEAVES)) < chance[:, None]).astype(float)
    paths, node = tree(groups, drawn)
    apart = (rng.random((groups, FLAT, STEPS)) < chance).astype(float)
    alone = np.broadcast_to(np.arange(FLAT * STEPS).reshape(FLAT, STEPS), apart.shape)
    whole = bounded(at_depth(backup(fact("outcome")), Std(branchgrpo.EPS)), branchgrpo.BOUND)
    flat = centred(fact("outcome"), scale=Std())
    rules: dict[str, tuple[Credit, Array, Array]] = {
        "tree": (branchgrpo.credit(), paths, node), "plays apart": (flat, apart, alone),
        "tree, each path counted": (whole, paths, node),
        "tree, leaves compared": (flat, paths, node),
    }  # fmt: skip
    found = {}
    for name, (credit, action, nodes) in rules.items():
        g = slopes(credit, batch_of(action, nodes, worth), action, chance)
        found[f"cosine to the gradient, {name}"] = float(np.mean([cosine(row, exact) for row in g]))
        found[f"cosine of the mean of all groups, {name}"] = cosine(g.mean(0), exact)
        found[f"variance / squared mean, {name}"] = float(g.var(0, ddof=1).sum() / (g.mean(0) ** 2).sum())
    return found


def run(seed: int, effort: Effort) -> Result:
    """A tree against plays from start to end, at equal calls."""
    found = over_seeds(lambda rng: one(rng, effort), seed, effort.seeds)
    figure, control = (found.pop(f"cosine to the gradient, {name}") for name in ("tree", "plays apart"))
    return Result(
        figure, control, figure.above(control), tuple(found.values()),
        f"Chains of {STEPS} steps with an additive reward; a tree of {LEAVES} leaves that splits at {SPLITS} takes "
        f"{CALLS} calls, the control {FLAT} plays of {STEPS}. Mean cosine of one group's gradient to the exact "
        "one. Holds if the tree's is above. A node trained once weighs the steps before the last split less than "
        "the gradient does; the row with each path counted does not.",
    )  # fmt: skip


CLAIM = Claim(
    "branchgrpo", "a tree of denoising steps at equal calls",
    "BranchGRPO: Stable and Efficient GRPO with Structured Branching in Diffusion Models",
    "Leaves that share their first steps, compared depth by depth, give a better gradient for the same calls of "
    "the network than plays that share nothing.",
    run,
)  # fmt: skip
