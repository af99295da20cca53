"""G-RA's collapse of the ungated sum: busy work that pays, and a submission that ends the play."""

from __future__ import annotations

import numpy as np

from guerdon.batch import Column
from guerdon.bench.claims.base import Claim, Effort, Generator, Result, over_seeds
from guerdon.bench.labs import Plain, learn, reaches
from guerdon.bench.sample import Plays
from guerdon.bench.world import World
from guerdon.credit import Credit, Std, centred
from guerdon.recipes import g_ra, grpo
from guerdon.rewards import fact, gate, total

WORK, BUSY, SUBMIT = range(3)
LEVELS, HORIZON, BUDGET = 3, 20, 120_000
SOLVED, UNSOLVED = LEVELS + 1, LEVELS + 2
WORTH = (0.1, 1.0, 2.0, 4.0)  # of a play that is busy to the end; a solved task is worth 1
Array = np.ndarray


def workshop() -> World:
    """Work raises the quality half of the time, busy work does nothing, submitting ends; the top quality is solved."""
    table, reward = np.zeros((LEVELS + 3, 3, LEVELS + 3)), np.zeros((LEVELS + 3, 3))
    for quality in range(LEVELS + 1):
        for after in (quality, min(quality + 1, LEVELS)):
            table[quality, WORK, after] += 0.5
        table[quality, BUSY, quality] = 1.0
        table[quality, SUBMIT, SOLVED if quality == LEVELS else UNSOLVED] = 1.0
    reward[LEVELS, SUBMIT] = 1.0
    table[[SOLVED, UNSOLVED], :, [SOLVED, UNSOLVED]] = 1.0
    over = np.arange(LEVELS + 3) > LEVELS
    return World(table, reward, np.eye(LEVELS + 3)[0], over, HORIZON, np.arange(LEVELS + 3), "workshop")


def facts(plays: Plays, logits: Array) -> dict[str, Column]:
    """What G-RA reads: the share of the task that was handed in, and that every action is valid."""
    submitted = plays.action == SUBMIT
    return {
        "progress": Column.of("step", np.where(submitted, plays.state / LEVELS, 0.0)),
        "action_valid": Column.of("step", np.ones(len(plays))),
    }


def rules(worth: float) -> dict[str, Credit]:
    """The gated and the plain sum, where being busy to the end is worth so much."""
    steps = total((worth / HORIZON) * fact("action_valid"))
    gated, plain = g_ra.LADDER + gate(steps, when=g_ra.LADDER, above=g_ra.DELTA), g_ra.LADDER + steps
    return {"gated": centred(gated, scale=Std(grpo.EPS)), "plain sum": centred(plain, scale=Std(grpo.EPS))}


def one(rng: Generator, effort: Effort) -> dict[str, float]:
    """Completion at the end of training, for each worth and rule; all see the same plays at the start."""
    world, found = workshop(), {}
    start = int(rng.integers(2**32))
    for worth in WORTH:
        for name, credit in rules(worth).items():
            curve = learn(world, credit, np.random.default_rng(start), effort.of(BUDGET), facts=facts,
                          watch=reaches(world, SOLVED), stepper=Plain(1.0))  # fmt: skip
            found[f"completion, {name}, busy worth {worth:g}"] = curve.final()[0]
    return found


def run(seed: int, effort: Effort) -> Result:
    """Completion where being busy is worth four times the task."""
    found = over_seeds(lambda rng: one(rng, effort), seed, effort.seeds)
    figure, control = (found.pop(f"completion, {name}, busy worth {WORTH[-1]:g}") for name in ("gated", "plain sum"))
    return Result(
        figure, control, figure.above(control) and control.below(0.2), tuple(found.values()),
        f"{BUDGET} environment steps each. Holds if the gate completes more and the plain sum ends below 0.2, "
        "where being busy to the end is worth four times a solved task; the other rows show from which worth on "
        "the sum collapses.",
    )  # fmt: skip


CLAIM = Claim(
    "g-ra", "the ungated sum collapses into busy work",
    "Stabilizing Long-term Multi-turn Reinforcement Learning with Gated Rewards",
    "Step rewards added to the outcome (D-RA) drive out the task, while the same rewards behind a gate on the "
    "outcome do not.",
    run,
)  # fmt: skip
