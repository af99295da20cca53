"""VeRPO's weights: thirty easy tests and five hard ones."""

from __future__ import annotations

import numpy as np

from guerdon.batch import Batch, Column
from guerdon.bench.claims.base import Claim, Effort, Generator, Result, over_seeds
from guerdon.bench.labs import single_steps
from guerdon.credit import Credit, centred
from guerdon.credit.progress import item_reward
from guerdon.recipes import verpo
from guerdon.rewards import Term, fact

EASY, HARD, GROUPS, PLAYS, UPDATES, RATE = 30, 5, 8, 10, 150, 1.0
START = np.array([0.5, -3.0])  # logits of writing the easy and the hard part
Array = np.ndarray


def share_passed() -> Term:
    """The plain pass rate, a column of this claim."""
    return fact("share_passed")


RULES: dict[str, Credit] = {
    "verpo": verpo.credit(), "all tests or nothing": verpo.credit(beta=0.0),
    "pass rate": centred(verpo.PLAYS) + verpo.BETA * centred(share_passed()),
    "rare tests only": verpo.credit(turns=item_reward("passed", verpo.ALPHA, 1e-6, 0.0)),
    "density only": verpo.credit(turns=item_reward("passed", 0.0, verpo.SIGMA, 0.0)),
    "tests shuffled": verpo.RECIPE.control.credit,
}  # fmt: skip


def attempt(rng: Generator, chance: Array) -> tuple[Batch, Array]:
    """Programs that have each part or not; a test of a part that is there passes nine times in ten.

    Returns:
        The batch, and for each program which parts it has, (plays, 2).
    """
    has = rng.random((GROUPS * PLAYS, 2)) < chance
    passed = np.repeat(has, [EASY, HARD], axis=1) & (rng.random((GROUPS * PLAYS, EASY + HARD)) < 0.98)
    batch = single_steps(np.repeat(np.arange(GROUPS), PLAYS), passed.all(1).astype(float))
    return batch.with_columns(
        passed=Column.of("step", passed.astype(float)), share_passed=Column.of("step", passed.mean(1))
    ), has


def slope(credit: Credit, batch: Batch, has: Array, chance: Array) -> Array:
    """The gradient by the two logits."""
    return (credit(batch).filled(0.0)[:, None] * (has - chance)).mean(0)


def one(rng: Generator, effort: Effort) -> dict[str, float]:
    """The hard part's share of the gradient at the start, and the chance of a full pass over training."""
    found: dict[str, float] = {}
    for name, credit in RULES.items():
        chance = 1 / (1 + np.exp(-START))
        mean = np.mean([slope(credit, *attempt(rng, chance), chance) for _ in range(effort.of(200, least=30))], axis=0)
        found[f"hard share, {name}"] = float(abs(mean[1]) / np.abs(mean).sum())
        logits, full = START.copy(), []
        for _ in range(effort.of(UPDATES, least=20)):
            chance = 1 / (1 + np.exp(-logits))
            batch, has = attempt(rng, chance)
            logits += RATE * slope(credit, batch, has, chance)
            full.append(chance.prod())
        found[f"mean chance of both parts, {name}"] = float(np.mean(full))
        batch, _ = attempt(rng, 1 / (1 + np.exp(-START)))
        dead = (np.abs(credit(batch).filled(0.0)).reshape(GROUPS, PLAYS) < 1e-12).all(1)
        found[f"share of silent groups at the start, {name}"] = float(dead.mean())
    return found


def run(seed: int, effort: Effort) -> Result:
    """Against the plain pass rate."""
    found = over_seeds(lambda rng: one(rng, effort), seed, effort.seeds)
    figure, control = found.pop("hard share, verpo"), found.pop("hard share, pass rate")
    return Result(
        figure, control, figure.above(control), tuple(found.values()),
        f"The share of the gradient on the hard part of the task, {EASY} easy and {HARD} hard tests, at the start. "
        "Holds if it is above that under the pass rate; how well each rule then learns is in the rows.",
    )  # fmt: skip


CLAIM = Claim(
    "verpo", "many easy tests against few hard ones",
    "VeRPO: Verifiable Dense Reward Policy Optimization for Code Generation, arXiv:2601.03525",
    "Weights by rarity and by how many tests are as hard keep many easy tests from drowning few hard ones, and groups "
    "without a full pass still speak.",
    run,
)  # fmt: skip
