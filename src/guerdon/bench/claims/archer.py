"""ArCHer's twin minimum: the offset of min Q - min V where critics are noisy."""

from __future__ import annotations

import numpy as np

from guerdon.batch import Column
from guerdon.bench.claims.base import Claim, Effort, Generator, Result, over_seeds
from guerdon.bench.labs import single_steps
from guerdon.recipes import archer

STEPS, NOISES = 20_000, ((0.5, 0.5), (1.0, 0.5), (0.5, 1.0), (1.0, 0.0))
LOWER = 1 / np.sqrt(np.pi)  # the least of two standard normal numbers is below 0 by this on average


def offset(rng: Generator, steps: int, q_noise: float, v_noise: float) -> tuple[float, float]:
    """The mean of credit less true advantage, and the share of its signs that are right."""
    value, advantage = rng.normal(size=steps), rng.normal(size=steps)
    twins = {
        "q_values": (value + advantage)[:, None] + q_noise * rng.normal(size=(steps, 2)),
        "values": value[:, None] + v_noise * rng.normal(size=(steps, 2)),
    }
    batch = single_steps(np.zeros(steps, int), np.zeros(steps))
    batch = batch.with_columns(**{name: Column.of("step", x) for name, x in twins.items()})
    credit = archer.RECIPE.credit(batch).values
    return float((credit - advantage).mean()), float((np.sign(credit) == np.sign(advantage)).mean())


def one(rng: Generator, effort: Effort) -> dict[str, float]:
    """Offsets for several sizes of noise, and their distance from the law."""
    found, steps = {}, effort.of(STEPS, least=2000)
    for q_noise, v_noise in NOISES:
        name = f"noise {q_noise:g} of Q and {v_noise:g} of V"
        found[f"offset, {name}"], found[f"share of right signs, {name}"] = offset(rng, steps, q_noise, v_noise)
        found[f"offset less -(noise of Q - noise of V) / sqrt(pi), {name}"] = found[f"offset, {name}"] + LOWER * (
            q_noise - v_noise
        )
    return found


def run(seed: int, effort: Effort) -> Result:
    """Unequal noise against equal noise."""
    found = over_seeds(lambda rng: one(rng, effort), seed, effort.seeds)
    figure, control = found.pop("offset, noise 1 of Q and 0.5 of V"), found.pop("offset, noise 0.5 of Q and 0.5 of V")
    law = [m for name, m in found.items() if name.startswith("offset less")]
    return Result(
        figure, control, not (figure.above(0.0) or figure.below(0.0)), tuple(found.values()),
        "Mean of min Q - min V less the true advantage, Q twice as noisy as V; the control has equal noise. Holds "
        "if there is no offset. The law -0.56 (noise of Q - noise of V) is met "
        f"{'within' if max(abs(m.mean) for m in law) < 0.05 else 'not within'} 0.05 in all cases.",
    )  # fmt: skip


CLAIM = Claim(
    "archer", "the twin minimum as an advantage",
    "ArCHer: Training Language Model Agents via Hierarchical Multi-Turn RL",
    "The lower of two critics of the action less the lower of two critics of the state is a careful estimate of the "
    "advantage, to be used as it is.",
    run,
)  # fmt: skip
