"""SLATE's variance ratio, in a game whose rewards add: whole plays against candidates from one prefix."""

from __future__ import annotations

import numpy as np

from guerdon.batch import Batch, Column
from guerdon.bench.claims.base import Claim, Effort, Generator, Result, over_seeds
from guerdon.bench.labs import plays_of_length
from guerdon.credit import Credit, Scale, Std, centred
from guerdon.environments import tabular
from guerdon.recipes import slate
from guerdon.rewards import fact, total

STAGES, ACTIONS, CANDIDATES, ESTIMATES = 6, 4, 8, 2000
Array = np.ndarray


def whole_plays(reward: Array, policy: Array, action: Array, credit: Credit) -> Array:
    """One gradient estimate per group, (groups, stages, actions), from plays that are compared as wholes.

    Args:
        action: what each play did, (groups, plays, stages).
    """
    groups, plays, stages = action.shape
    group, play, stage = plays_of_length(np.repeat(np.arange(groups), plays), np.full(groups * plays, stages))
    acts = action.ravel()
    batch = Batch.from_steps(group=group, trajectory=play, reward=reward[stage, acts])
    return gradients(policy, groups, group, stage, acts, credit(batch).values) / plays


def candidates(reward: Array, policy: Array, action: Array, credit: Credit) -> Array:
    """The same from candidates of every step: of each stage the first is gone on from, the others end there.

    Args:
        action: the candidates, (groups, candidates, stages).
    """
    groups, tried, stages = action.shape
    places = [[(t, 0) for t in range(stages)]]
    places += [[*((u, 0) for u in range(t)), (t, j)] for t in range(stages) for j in range(1, tried)]
    stage, which = np.array([cell for path in places for cell in path]).T
    length = np.tile([len(path) for path in places], groups)
    group, play, _ = plays_of_length(np.repeat(np.arange(groups), len(places)), length)
    stage, which = np.tile(stage, groups), np.tile(which, groups)
    acts = action[group, which, stage]
    paid = reward[stage, acts]
    batch = Batch.from_steps(group=group, trajectory=play, reward=paid).with_columns(
        node=Column.of("step", stage * tried + which), step_score=Column.of("step", paid)
    )
    return gradients(policy, groups, group, stage, acts, credit(batch).values) / tried


def gradients(policy: Array, groups: int, group: Array, stage: Array, action: Array, advantage: Array) -> Array:
    """Sum of A grad log pi, by group."""
    stages, actions = policy.shape
    cell = (group * stages + stage) * actions + action
    taken = np.bincount(cell, weights=advantage, minlength=groups * stages * actions).reshape(groups, stages, actions)
    return taken - policy * taken.sum(2, keepdims=True)


def variances(rng: Generator, effort: Effort, scale: Scale | None) -> dict[str, float]:
    """How many times the variance of whole plays is that of candidates: as it is, and per squared mean."""
    reward = rng.normal(size=(STAGES, ACTIONS))
    policy = tabular.softmax(rng.normal(size=(STAGES, ACTIONS)))
    shape = (effort.of(ESTIMATES, least=100), CANDIDATES, STAGES)
    bounds = np.cumsum(policy, 1)[:, :-1]
    drawn = [(rng.random(shape)[..., None] > bounds).sum(-1) for _ in range(3)]
    plays = centred(total(fact("reward")), scale=scale)
    found = {
        "plays": whole_plays(reward, policy, drawn[0], plays),
        "candidates": candidates(reward, policy, drawn[1], slate.credit(scale=scale)),
        "again": whole_plays(reward, policy, drawn[2], plays),
    }
    spread = {name: g.var(0, ddof=1).sum() for name, g in found.items()}
    signal = {name: (g.mean(0) ** 2).sum() for name, g in found.items()}
    return {
        "variance ratio": spread["plays"] / spread["candidates"],
        "variance ratio of whole plays to themselves": spread["plays"] / spread["again"],
        "ratio of variance / squared mean": spread["plays"]
        / signal["plays"]
        / spread["candidates"]
        * signal["candidates"],
    }


def ratios(seed: int, effort: Effort, scale: Scale | None, note: str) -> Result:
    """The experiment with one scale on both sides; it holds where at least half of T is reached."""
    found = over_seeds(lambda rng: variances(rng, effort, scale), seed, effort.seeds)
    figure = found["variance ratio"]
    return Result(
        figure, found["variance ratio of whole plays to themselves"], figure.above(STAGES / 2),
        (found["ratio of variance / squared mean"],), note,
    )  # fmt: skip


def run(seed: int, effort: Effort) -> Result:
    """Centred, without a division."""
    return ratios(seed, effort, None, f"T = {STAGES}, {CANDIDATES} samples a step on both sides, equal steps sampled; "
                  "credit is centred and not divided; holds from T / 2 on.")  # fmt: skip


CLAIM = Claim(
    "slate", "variance of candidates from one prefix, centred",
    "SLATE: Truncated Step-Level Sampling with Process Rewards for Retrieval-Augmented Reasoning",
    "With the same dense reward, comparing candidates of one step from one prefix gives a gradient estimate with up to "
    "T times less variance than comparing whole plays of T steps.",
    run,
)  # fmt: skip

STD = Std(slate.EPS)
