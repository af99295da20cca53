"""GRPO-VPS: were the belief the true chance of success, its gain alone would be the policy gradient."""

from __future__ import annotations

import numpy as np

from guerdon.batch import Column
from guerdon.bench.claims.base import Claim, Effort, Generator, Result, over_seeds
from guerdon.bench.labs import on_every_step
from guerdon.bench.sample import Player, cosine, estimate, to_batch
from guerdon.bench.world import World, gradient, train
from guerdon.bench.worlds import keydoor
from guerdon.credit import step_term
from guerdon.environments import tabular
from guerdon.recipes import grpo, grpo_vps

SOLVES, GROUPS = 0.5, 300
Array = np.ndarray


def beliefs(world: World, believed: Array) -> Array:
    """The chance of success under a policy, by time and state, (H + 1, S)."""
    return tabular.values(world.model, tabular.softmax(believed)[np.asarray(world.key)])[0]


def one(rng: Generator, effort: Effort, world: World, logits: Array) -> dict[str, float]:
    """The length of the mean gradient along the true one, and the cosine, for each belief."""
    slope = gradient(world, logits)
    plays = Player(world, tabular.softmax(logits)[np.asarray(world.key)]).play(effort.of(GROUPS, least=30), rng)
    wrong = logits + rng.normal(size=logits.shape)
    found = {}
    rules = {"gain": step_term(grpo_vps.GAIN), "recipe": grpo_vps.RECIPE.credit}
    for name, believed in (("of itself", logits), ("of a policy nearby", wrong), ("of a uniform policy", 0 * logits)):
        value = beliefs(world, believed)
        after = np.where(plays.terminated, plays.reward, value[plays.time + 1, plays.next_state])
        batch = to_batch(world, plays, False).with_columns(
            belief=Column.of("step", value[plays.time, plays.state]), next_belief=Column.of("step", after)
        )
        for rule, credit in rules.items():
            step = estimate(world, logits, plays, on_every_step(batch, credit))
            if rule == "gain":
                found[f"length along the gradient, belief {name}"] = float((step * slope).sum() / (slope**2).sum())
            found[f"cosine, {rule}, belief {name}"] = cosine(step, slope)
    found["cosine, grpo"] = cosine(estimate(world, logits, plays, on_every_step(batch, grpo.RECIPE.credit)), slope)
    return found


def run(seed: int, effort: Effort) -> Result:
    """On the key and the door, a policy that solves half."""
    world = keydoor()
    logits = train(world, np.zeros((world.keys, world.actions)), SOLVES)
    found = over_seeds(lambda rng: one(rng, effort, world, logits), seed, effort.seeds)
    figure = found.pop("length along the gradient, belief of itself")
    control = found.pop("length along the gradient, belief of a uniform policy")
    low, high = figure.interval
    return Result(
        figure, control, low <= 1 <= high and found["cosine, gain, belief of itself"].above(found["cosine, grpo"]),
        tuple(found.values()),
        "<estimate, gradient> / |gradient|^2 on keydoor: 1 without bias. The control believes what a uniform "
        "policy would reach. Holds if 1 is inside the interval, and the cosine is above GRPO's on the same plays.",
    )  # fmt: skip


CLAIM = Claim(
    "grpo-vps", "a true belief gives the policy gradient",
    "GRPO-VPS: Enhancing Group Relative Policy Optimization with Verifiable Process Supervision, arXiv:2604.20659",
    "The change of belief over a segment tells what the segment did: with the true chance of success it is the exact "
    "advantage, so its bias is the gap between belief and chance.",
    run,
)  # fmt: skip
