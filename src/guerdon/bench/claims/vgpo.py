"""VGPO's weights of steps under a constant reward."""

from __future__ import annotations

import numpy as np

from guerdon import segments
from guerdon.batch import Batch, Column
from guerdon.bench.claims.base import Claim, Effort, Generator, Result, over_seeds
from guerdon.bench.labs import plays_of_length
from guerdon.credit import phase_weight
from guerdon.recipes import vgpo
from guerdon.rewards import fact

PLAYS, STEPS = 16, 10
Array = np.ndarray


def published(reward: Array, play: Array) -> Array:
    """Q over its mean in the play."""
    ahead = segments.to_go(reward, play, vgpo.GAMMA)
    return ahead / segments.mean(ahead, play)[play]


def one(rng: Generator, effort: Effort) -> dict[str, float]:
    """Largest less smallest weight of a play whose reward is constant; and how weights follow a reward that peaks."""
    group, play, place = plays_of_length(np.zeros(PLAYS, int), np.full(PLAYS, STEPS))
    batch = Batch.from_steps(group=group, trajectory=play, reward=np.zeros(len(play)))

    def weights(reward: Array) -> tuple[Array, Array]:
        ours = phase_weight(fact("probe"), vgpo.GAMMA)(batch.with_columns(probe=Column.of("step", reward))).values
        return published(reward, play), ours

    found = {}
    level = rng.uniform(0.5, 2.0)
    for name, w in zip(("published", "per step left"), weights(np.full(len(play), level)), strict=True):
        found[f"spread at a constant reward, {name}"] = float(w.max() - w.min())
        found[f"first weight at a constant reward, {name}"] = float(w[0])
        found[f"last weight at a constant reward, {name}"] = float(w[STEPS - 1])
    peak = np.where(place >= STEPS // 2, 2.0, 1.0) * level + 0.1 * rng.random(len(play))
    for name, w in zip(("published", "per step left"), weights(peak), strict=True):
        found[f"late weight over early, late steps worth twice, {name}"] = float(
            w[place >= STEPS // 2].mean() / w[place < STEPS // 2].mean()
        )
    return found


def run(seed: int, effort: Effort) -> Result:
    """The published form against the one divided by the horizon."""
    found = over_seeds(lambda rng: one(rng, effort), seed, effort.seeds)
    figure, control = (found.pop(f"spread at a constant reward, {name}") for name in ("published", "per step left"))
    return Result(
        figure, control, figure.below(0.01), tuple(found.values()),
        f"Largest less smallest weight of the steps of a play of {STEPS} whose reward is constant, so that no "
        "phase is more critical; the control divides by the discounted number of steps left. Holds if it is below "
        "0.01.",
    )  # fmt: skip


CLAIM = Claim(
    "vgpo", "step weights at a constant reward",
    "Anchoring Values in Temporal and Group Dimensions for Flow Matching Model Alignment",
    "The return from a step on, over its mean in the play, says how critical that phase of the generation is.",
    run,
)  # fmt: skip
