"""Turn rewards against one reward at the end, under PPO, GRPO and leave-one-out: a quest of subgoals."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from guerdon import segments
from guerdon.batch import Column
from guerdon.bench.claims.base import Claim, Effort, Generator, Result, over_seeds
from guerdon.bench.labs import Curve, Plain, learn, reaches
from guerdon.bench.sample import Plays
from guerdon.bench.world import World
from guerdon.credit import Credit, Others, Std, centred, gae_of, whitened
from guerdon.recipes import grpo, ppo
from guerdon.rewards import fact, total

SUBGOALS, OBJECTS, BUDGET = 8, 5, 50_000
HORIZON, SHORT = 24, 16  # with the short one hardly a play succeeds at the start
DENSITIES = {"end": SUBGOALS, "quarters": SUBGOALS // 4, "every": 1}  # a reward for every so many subgoals
GAMMA, LAM, CRITIC_RATE = 1.0, 0.95, 0.3
REWARD = fact("reward")
Array = np.ndarray


def quest(every: int, horizon: int) -> World:
    """Subgoals in a row, one right object each; a wrong one costs a step.

    Args:
        every: how many subgoals are paid at once; a full solution is worth 1 at each density.
    """
    states = SUBGOALS + 1
    table, reward = np.zeros((states, OBJECTS, states)), np.zeros((states, OBJECTS))
    for at in range(SUBGOALS):
        right = (at * 3) % OBJECTS
        for thing in range(OBJECTS):
            if thing == right:
                table[at, thing, at + 1] = 1.0
                reward[at, thing] = every / SUBGOALS if (at + 1) % every == 0 else 0.0
            else:
                table[at, thing, at] = 1.0
    table[SUBGOALS, :, SUBGOALS] = 1.0
    return World(table, reward, np.eye(states)[0], np.arange(states) == SUBGOALS, horizon, np.arange(states), "quest")


class TableCritic:
    """A value per state, moved towards what plays returned from it: the trainer's critic, as a table."""

    def __init__(self, states: int) -> None:
        self.value = np.zeros(states)

    def __call__(self, plays: Plays, logits: Array) -> dict[str, Column]:
        """Puts the values before this batch on it, then learns the targets of `gae` from the batch."""
        value, after = self.value[plays.state], np.where(plays.terminated, 0.0, self.value[plays.next_state])
        surprise = plays.reward + GAMMA * after - value
        target = value + segments.scan_back(surprise, np.full(len(value), GAMMA * LAM), plays.trajectory)
        seen = np.bincount(plays.state, minlength=len(self.value))
        mean = np.bincount(plays.state, weights=target, minlength=len(self.value)) / np.maximum(seen, 1)
        self.value = np.where(seen > 0, self.value + CRITIC_RATE * (mean - self.value), self.value)
        return {"value": Column.of("step", value), "next_value": Column.of("step", after)}


RULES: dict[str, Credit] = {
    "ppo": whitened(gae_of(REWARD, GAMMA, LAM), ppo.EPS),
    "grpo": centred(total(REWARD), scale=Std(grpo.EPS)),
    "rloo": whitened(centred(total(REWARD), baseline=Others()), ppo.EPS),
}


def trained(rule: str, every: int, horizon: int, rng: Generator, budget: int) -> Curve:
    """One rule at one density."""
    world = quest(every, horizon)
    return learn(world, RULES[rule], rng, budget, facts=TableCritic(len(world.R)), watch=reaches(world, SUBGOALS),
                 stepper=Plain(0.1))  # fmt: skip


def one(rng: Generator, effort: Effort) -> dict[str, float]:
    """Mean success over the budget for each rule and density."""
    start, found = int(rng.integers(2**32)), {}
    for rule in RULES:
        for horizon, place in ((HORIZON, ""), (SHORT, ", hard")):
            for density, every in DENSITIES.items():
                curve = trained(rule, every, horizon, np.random.default_rng(start), effort.of(BUDGET))
                found[f"{rule}, {density}{place}"] = float(curve.area()[0])
            found[f"gain of dense, {rule}{place}"] = found[f"{rule}, every{place}"] - found[f"{rule}, end{place}"]
    return found


def run(seed: int, effort: Effort) -> Result:
    """What dense rewards add for PPO, against what they add for leave-one-out."""
    found = over_seeds(lambda rng: one(rng, effort), seed, effort.seeds)
    figure, control = found.pop("gain of dense, ppo"), found.pop("gain of dense, rloo")
    return Result(
        figure, control, figure.above(0.0) and figure.above(control),
        tuple(replace(m, name=f"mean success, {m.name}") if "gain" not in m.name else m for m in found.values()),
        f"Mean success over {BUDGET} steps; a full solution is worth 1 at each density; ppo and rloo are whitened "
        f"over the batch. At most {HORIZON} steps a play, in the rows called hard {SHORT}. Holds if dense rewards help "
        "PPO, and more than they help leave-one-out.",
    )  # fmt: skip


CLAIM = Claim(
    "meow-tea-taro", "turn rewards against one at the end, three estimators",
    "A Practitioner's Guide to Multi-turn Agentic Reinforcement Learning",
    "Dense turn rewards speed up training; which density is best depends on the algorithm: PPO profits most, and "
    "leave-one-out hardly depends on it.",
    run,
)  # fmt: skip
