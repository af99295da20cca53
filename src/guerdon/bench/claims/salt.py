"""SALT against GiGPO: whose credit of a step ranks like the exact advantage."""

from __future__ import annotations

import numpy as np

from guerdon.bench.claims.base import Claim, Effort, Generator, Result, over_seeds
from guerdon.bench.labs import on_every_step, spearman
from guerdon.bench.sample import Player, cosine, estimate, exact, to_batch
from guerdon.bench.world import World, gradient, train
from guerdon.bench.worlds import keydoor
from guerdon.environments import tabular
from guerdon.recipes import gigpo, grpo, salt

STAGES = (0.25, 0.5, 0.75)  # success of the policies that are looked at
RULES = {"salt": salt.RECIPE.credit, "gigpo": gigpo.RECIPE.credit, "grpo": grpo.RECIPE.credit}


def one(rng: Generator, effort: Effort, world: World, policies: list[np.ndarray]) -> dict[str, float]:
    """Rank correlation and cosine of each rule, and the share of steps on shared edges, over policies."""
    found: dict[str, list[float]] = {}
    for logits in policies:
        plays = Player(world, tabular.softmax(logits)[np.asarray(world.key)]).play(effort.of(200, least=16), rng)
        batch, truth = to_batch(world, plays, observed=False), exact(world, logits, plays)
        slope = gradient(world, logits)
        for name, credit in RULES.items():
            advantage = on_every_step(batch, credit)
            found.setdefault(f"rank correlation, {name}", []).append(spearman(advantage, truth))
            step = estimate(world, logits, plays, advantage)
            found.setdefault(f"cosine to the gradient, {name}", []).append(cosine(step, slope))
        changed = np.abs(on_every_step(batch, RULES["salt"]) - on_every_step(batch, RULES["grpo"])) > 1e-9
        found.setdefault("share of steps that a shared edge changed", []).append(float(changed.mean()))
    return {name: float(np.mean(values)) for name, values in found.items()}


def run(seed: int, effort: Effort) -> Result:
    """On the key and the door, whole states as anchors, policies of three stages."""
    world = keydoor()
    policies = [train(world, np.zeros((world.keys, world.actions)), to) for to in STAGES]
    found = over_seeds(lambda rng: one(rng, effort, world, policies), seed, effort.seeds)
    figure, control = found.pop("rank correlation, salt"), found.pop("rank correlation, gigpo")
    return Result(
        figure, control, figure.above(control), tuple(found.values()),
        "Groups of 8 on keydoor, states whole, mean over policies that solve 1/4, 1/2 and 3/4 of the plays; the "
        "control is GiGPO on the same plays. Holds if SALT's ranks are closer to those of Q - V.",
    )  # fmt: skip


CLAIM = Claim(
    "salt", "SALT against GiGPO by exact advantages",
    "SALT: Step-level Advantage Assignment for Long-horizon Agents via Trajectory Graph, arXiv:2510.20022",
    "Steps that plays share get the mean of their advantages, so what decided carries the credit; better step "
    "credit than comparing plays. Here it is held against GiGPO, which compares the steps of one state.",
    run,
)  # fmt: skip
