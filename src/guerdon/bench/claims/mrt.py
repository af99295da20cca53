"""MRT's progress: credited block by block, and summed to go as a null control."""

from __future__ import annotations

import numpy as np

from guerdon.batch import Column
from guerdon.bench.claims.base import Claim, Effort, Generator, Result, over_seeds
from guerdon.bench.labs import Plain, learn, reaches
from guerdon.bench.sample import Plays
from guerdon.bench.world import World
from guerdon.recipes import mrt, rloo

BOXES, HORIZON, BUDGET = 6, 12, 40_000
OPEN, RECHECK, ANSWER = range(3)
FOUND, WON, LOST = BOXES, BOXES + 1, BOXES + 2
Array = np.ndarray


def search() -> World:
    """One of six boxes has the prize. Opening finds it by chance, looking again does nothing, answering ends."""
    table, reward = np.zeros((BOXES + 3, 3, BOXES + 3)), np.zeros((BOXES + 3, 3))
    for opened in range(BOXES):
        chance = 1 / (BOXES - opened)
        table[opened, OPEN, FOUND] += chance
        table[opened, OPEN, min(opened + 1, BOXES - 1)] += 1 - chance
        table[opened, RECHECK, opened] = 1.0
        table[opened, ANSWER, [WON, LOST]] = chance, 1 - chance
    table[FOUND, [OPEN, RECHECK], FOUND] = 1.0
    table[FOUND, ANSWER, WON] = 1.0
    table[[WON, LOST], :, [WON, LOST]] = 1.0
    over = np.arange(BOXES + 3) > FOUND
    # What is won is known by where the play ends; the table holds its mean, for the exact return.
    reward[:, ANSWER] = np.where(over, 0.0, table[:, ANSWER, WON])
    return World(table, reward, np.eye(BOXES + 3)[0], over, HORIZON, np.arange(BOXES + 3), "boxes")


def facts(plays: Plays, logits: Array) -> dict[str, Column]:
    """The chance of being right if one had to answer now; the outcome is what was won, not its mean."""
    value = np.append(1 / (BOXES - np.arange(BOXES)), [1.0, 1.0, 0.0])
    won = np.bincount(plays.trajectory, weights=plays.next_state == WON, minlength=plays.count)
    return {
        "stop_value": Column.of("step", value[plays.state]),
        "next_stop_value": Column.of("step", value[plays.next_state]),
        "outcome": Column.of("trajectory", won),
    }


RULES = {
    "block by block": (mrt.credit(), 0.2),
    "summed to go": (mrt.to_go_form(), 0.2),
    "no progress": (mrt.credit(alpha=0.0), 0.2),
    "no progress, step (1 + alpha) times": (mrt.credit(alpha=0.0), 0.2 * (1 + mrt.ALPHA)),
    "progress shuffled": (mrt.RECIPE.control.credit, 0.2),
    "leave-one-out": (rloo.RECIPE.credit, 0.2),
}


def one(rng: Generator, effort: Effort) -> dict[str, float]:
    """Mean success over the budget, and length at its end."""
    world, start, found = search(), int(rng.integers(2**32)), {}
    for name, (credit, rate) in RULES.items():
        curve = learn(world, credit, np.random.default_rng(start), effort.of(BUDGET), facts=facts,
                      watch=reaches(world, WON), stepper=Plain(rate))  # fmt: skip
        found[f"mean success, {name}"], found[f"length at the end, {name}"] = curve.area()[0], curve.final()[1]
    return found


def run(seed: int, effort: Effort) -> Result:
    """Against the same progress summed to go, which should be the outcome alone with a larger step."""
    found = over_seeds(lambda rng: one(rng, effort), seed, effort.seeds)
    figure, control = found.pop("mean success, block by block"), found.pop("mean success, summed to go")
    null = control - found["mean success, no progress, step (1 + alpha) times"]
    return Result(
        figure,
        control,
        figure.above(control),
        (null.named("summed to go less its null form"), *found.values()),
        f"{BUDGET} environment steps each; the summed form should equal the outcome alone with a step (1 + alpha) "
        "times as large. Holds if progress credited to its own block succeeds more over the budget than summed to "
        "go.",
    )


CLAIM = Claim(
    "mrt", "progress by block, and its null control",
    "Optimizing Test-Time Compute via Meta Reinforcement Fine-Tuning, arXiv:2503.07572",
    "Paying each block of reasoning for what it adds to the chance of being right if stopped learns better than "
    "the outcome; summed over what follows the same progress says nothing new.",
    run,
)  # fmt: skip
