"""Weighted GRPO: a weight of failures inside the reward cancels under the group's mean and std."""

from __future__ import annotations

import warnings

import numpy as np

from guerdon.bench.claims.base import Claim, Effort, Generator, Result, over_seeds
from guerdon.bench.labs import single_steps
from guerdon.credit import Credit, Everything, Std, centred
from guerdon.recipes import wgrpo_pairing
from guerdon.rewards import affine, fact

PLAYS, PROMPTS, WEIGHTS = 16, 200, (1.0, 5.0)
OUTCOME = fact("outcome")


def of(weight: float, kind: str) -> Credit:
    """One of the places where the weight of a failure can act."""
    reward = affine(OUTCOME, scale=1.0 + weight, offset=-weight)
    return {
        "in the reward": wgrpo_pairing.as_reward(weight, 0.0),
        "after the comparison": wgrpo_pairing.credit(weight, 0.0),
        "in the reward, no std": centred(reward),
        "in the reward, statistics of the pool": centred(reward, by=Everything(), scale=Std(0.0)),
    }[kind]


KINDS = ("in the reward", "after the comparison", "in the reward, no std", "in the reward, statistics of the pool")


def one(rng: Generator, effort: Effort) -> dict[str, float]:
    """The relative change of the credit when a failure weighs five times as much."""
    prompts = effort.of(PROMPTS, least=20)
    chance = np.where(np.arange(prompts) % 2, 2.0 / PLAYS, 1 - 2.0 / PLAYS)
    won = (rng.random((prompts, PLAYS)) < chance[:, None]).astype(float)
    batch, found = single_steps(np.repeat(np.arange(prompts), PLAYS), won.ravel()), {}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the library warns of what is shown here
        for kind in KINDS:
            before, after = (of(weight, kind)(batch).values for weight in WEIGHTS)
            found[kind] = float(np.abs(after - before).max() / np.abs(before).max())
    return found


def run(seed: int, effort: Effort) -> Result:
    """Inside the reward, against after the comparison."""
    found = over_seeds(lambda rng: one(rng, effort), seed, effort.seeds)
    figure, control = found.pop("in the reward"), found.pop("after the comparison")
    return Result(
        figure.named("largest change, weight in the reward"),
        control.named("largest change, weight after the comparison"),
        max(figure.values) > 1e-6,
        tuple(found.values()),
        f"The largest change of a credit over the largest credit, when a failure weighs {WEIGHTS[1]:g} in place of "
        f"{WEIGHTS[0]:g}; prompts as paired by the paper. Holds if the weight acts inside a reward that is divided "
        "by a std; where outcomes are 0 or 1 it cannot, over the pool of both prompts as little as over the group.",
    )


CLAIM = Claim(
    "wgrpo-pairing", "a weight of failures that cancels",
    "Beyond Variance: Prompt-Efficient RLVR via Rare-Event Amplification and Bidirectional Pairing",
    "Rewards of +1 and -lambda, normalised in the group, make the negative signal of a failure stronger.",
    run,
)  # fmt: skip
