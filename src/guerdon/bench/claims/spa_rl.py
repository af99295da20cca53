"""SPA-RL's grounding bonus, farmed where wandering pays more than finishing."""

from __future__ import annotations

import numpy as np

from guerdon.batch import Column
from guerdon.bench.claims.base import Claim, Effort, Generator, Result, over_seeds
from guerdon.bench.labs import Plain, learn, reaches
from guerdon.bench.sample import Plays
from guerdon.bench.world import World
from guerdon.credit import Credit, Others, Turn, centred, to_go_of
from guerdon.recipes import rloo, spa_rl

NEEDED, HORIZON, BUDGET = 3, 15, 40_000
GO_ON, WANDER, REFUSED = range(3)
BETAS = (0.0, 0.25, 0.5, 1.0, 2.0)  # as parts of alpha * R / (longest - shortest success), where farming breaks even
LINE = spa_rl.ALPHA / (HORIZON - NEEDED)
Array = np.ndarray


def chain() -> World:
    """Three needed actions; wandering is accepted and changes nothing, the last action is refused."""
    after, reward = np.zeros((NEEDED + 1, 3), int), np.zeros((NEEDED + 1, 3))
    for at in range(NEEDED):
        after[at] = at + 1, at, at
    after[NEEDED], reward[NEEDED - 1, GO_ON] = NEEDED, 1.0
    return World(
        after, reward, np.eye(NEEDED + 1)[0], np.arange(NEEDED + 1) == NEEDED, HORIZON, np.arange(NEEDED + 1), "errand"
    )


def facts(plays: Plays, logits: Array) -> dict[str, Column]:
    """Features that tell needed steps from others, and whether the environment accepted the action."""
    kinds = np.eye(NEEDED + 2)[np.where(plays.action == GO_ON, plays.state, NEEDED + np.minimum(plays.action - 1, 1))]
    return {
        "features": Column.of("step", kinds),
        "action_valid": Column.of("step", (plays.action != REFUSED).astype(float)),
    }


def credit(beta: float) -> Credit:
    """The recipe's reward, its return compared with the others' at the same turn in place of a critic."""
    return centred(to_go_of(spa_rl.reward(beta=beta)), by=("prompt", Turn()), baseline=Others())


def one(rng: Generator, effort: Effort) -> dict[str, float]:
    """Success and length at the end for each weight of the bonus, and for outcome alone."""
    world, start, found = chain(), int(rng.integers(2**32)), {}
    rules = {f"bonus {share:g} of the line": credit(share * LINE) for share in BETAS} | {
        "leave-one-out": rloo.RECIPE.credit
    }
    for name, rule in rules.items():
        curve = learn(world, rule, np.random.default_rng(start), effort.of(BUDGET), facts=facts,
                      watch=reaches(world, NEEDED), stepper=Plain(0.3))  # fmt: skip
        found[f"success, {name}"], found[f"length, {name}"] = curve.final()
        found[f"mean success, {name}"] = curve.area()[0]
    return found


def run(seed: int, effort: Effort) -> Result:
    """Above the line where farming breaks even, against no bonus."""
    found = over_seeds(lambda rng: one(rng, effort), seed, effort.seeds)
    figure, control = found.pop("length, bonus 2 of the line"), found.pop("length, bonus 0 of the line")
    below = found["length, bonus 0.5 of the line"]
    return Result(
        figure, control, figure.above(below) and figure.above(2 * control.mean) and below.below(1.5 * control.mean),
        tuple(found.values()),
        f"Length of plays at the end, {NEEDED} needed and at most {HORIZON}; {BUDGET} environment steps each; the "
        "line is beta * (longest - shortest) = alpha * R. Holds, as we expect, if twice the line "
        "doubles the length and half of it does not lengthen plays by half.",
    )  # fmt: skip


CLAIM = Claim(
    "spa-rl", "a bonus for accepted actions, farmed",
    "SPA-RL: Reinforcing LLM Agents via Stepwise Progress Attribution",
    "Contributions of steps and a bonus for actions that the environment accepts raise success; the bonus is paid "
    "a step, so above a line that can be computed it pays to wander.",
    run,
)  # fmt: skip
