"""BRPO's variance by part of the thought, against the group's baseline alone."""

from __future__ import annotations

import numpy as np

from guerdon.batch import Batch, Column
from guerdon.bench.claims.base import Claim, Effort, Generator, Result, over_seeds
from guerdon.bench.labs import plays_of_length
from guerdon.credit import Turn, above_past, centred, stopping_prior, weighted_to_go
from guerdon.recipes import anytime_brpo
from guerdon.rewards import uniform

PARTS, PLAYS, GROUPS, ANSWERS, CLASSES = 4, 8, 300, 4, 4
Array = np.ndarray


def thoughts(rng: Generator, groups: int) -> Batch:
    """A solver that gathers noisy evidence for one of four answers; prompts and thoughts differ in how much.

    `probe` is the mean score of four answers forced after each part.
    """
    plays = groups * PLAYS
    clarity = np.repeat(rng.uniform(0.0, 1.2, size=groups), PLAYS)  # of the prompt
    gain = clarity[:, None] * rng.integers(0, 2, size=(plays, PARTS))  # informative parts or not
    heard = rng.normal(size=(plays, PARTS, CLASSES))
    heard[:, :, 0] += gain
    evidence = 1.5 * np.cumsum(heard, 1)
    right = np.exp(evidence[:, :, 0]) / np.exp(evidence).sum(2)
    probe = rng.binomial(ANSWERS, right) / ANSWERS
    group, play, _ = plays_of_length(np.repeat(np.arange(groups), PLAYS), np.full(plays, PARTS))
    batch = Batch.from_steps(group=group, trajectory=play, reward=np.zeros(len(play)))
    return batch.with_columns(probe=Column.of("step", probe.ravel()))


def one(rng: Generator, effort: Effort) -> dict[str, float]:
    """Variance of the credit of each part over that under the group's mean."""
    batch, found = thoughts(rng, effort.of(GROUPS, least=50)), {}
    after = stopping_prior(uniform)
    rules = {
        "both baselines": anytime_brpo.credit(), "own past alone": above_past(anytime_brpo.PROBE, after),
        "group alone": centred(weighted_to_go(anytime_brpo.PROBE, after), by=("prompt", Turn())),
    }  # fmt: skip
    spread = {name: credit(batch).filled(0.0).reshape(-1, PARTS).var(0) for name, credit in rules.items()}
    for name in ("both baselines", "own past alone"):
        for part in range(PARTS):
            found[f"variance over the group's, {name}, part {part + 1}"] = (
                spread[name][part] / spread["group alone"][part]
            )
    return found


def run(seed: int, effort: Effort) -> Result:
    """The last part against the first, where both baselines are one."""
    found = over_seeds(lambda rng: one(rng, effort), seed, effort.seeds)
    figure, control = (found.pop(f"variance over the group's, both baselines, part {part}") for part in (PARTS, 1))
    return Result(
        figure, control, figure.below(1.0) and figure.below(control), tuple(found.values()),
        "Variance of the credit of a part over that with the mean of the group as the only baseline, on the same "
        "thoughts; in the first part there is no past, so the ratio is 1. Holds if it is below 1 in the last part.",
    )  # fmt: skip


CLAIM = Claim(
    "anytime-brpo", "a thought's own past as a baseline",
    "Optimizing Anytime Reasoning via Budget Relative Policy Optimization",
    "Mixing the mean of the group with what the thought's own earlier parts scored gives less variance than the "
    "group's mean, and the more so the deeper in the thought.",
    run,
)  # fmt: skip
