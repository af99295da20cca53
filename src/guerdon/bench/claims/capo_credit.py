"""CAPO's penalties: until which noise of the judge they say more than the outcome."""

from __future__ import annotations

import numpy as np

from guerdon.batch import Batch, Column
from guerdon.bench.claims.base import Claim, Effort, Generator, Result, over_seeds
from guerdon.bench.labs import plays_of_length, spearman
from guerdon.credit import Credit
from guerdon.recipes import capo_credit, grpo
from guerdon.rewards import Intersection, Majority, Vote
from guerdon.rewards.votes import Union

STEPS, PLAYS, GROUPS, JUDGES = 8, 16, 100, 4
FATAL, HARMLESS = 0.08, 0.08  # chances of a step that spoils the outcome, and of a wrong one that does not
NOISES = (0.05, 0.1, 0.2, 0.3, 0.4, 0.5)
VOTES: dict[str, Vote] = {"majority": Majority(), "intersection": Intersection(), "union": Union()}
Array = np.ndarray


def plays(rng: Generator, groups: int) -> tuple[Batch, Array]:
    """Chains of eight steps with planted wrong ones; right where none is fatal, and the wrong steps."""
    number = groups * PLAYS
    group, play, place = plays_of_length(np.repeat(np.arange(groups), PLAYS), np.full(number, STEPS))
    drawn = rng.random(len(play))
    fatal, wrong = drawn < FATAL, drawn < FATAL + HARMLESS
    right = np.bincount(play, weights=fatal, minlength=number) == 0
    batch = Batch.from_steps(group=group, trajectory=play, reward=np.where(place == STEPS - 1, right[play], 0.0))
    return batch, wrong


def one(rng: Generator, effort: Effort) -> dict[str, float]:
    """Rank correlation of the credit with which steps were right, by rule and noise."""
    batch, wrong = plays(rng, effort.of(GROUPS, least=20))

    def agreement(credit: Credit, heard: Batch) -> float:
        return spearman(credit(heard).filled(0.0), 1.0 - wrong)

    found = {"outcome alone": agreement(grpo.CREDIT, batch)}
    for noise in NOISES:
        flipped = rng.random((len(wrong), JUDGES)) < noise
        heard = batch.with_columns(wrong_votes=Column.of("step", (wrong[:, None] ^ flipped).astype(float)))
        for name, vote in VOTES.items():
            found[f"{name}, noise {noise:g}"] = agreement(capo_credit.credit(vote), heard)
    for price in (0.1, 2.0, 5.0):
        heard = batch.with_columns(
            wrong_votes=Column.of("step", (wrong[:, None] ^ (rng.random((len(wrong), JUDGES)) < 0.1)).astype(float))
        )
        found[f"majority, noise 0.1, price {price:g}"] = agreement(capo_credit.credit(process=price), heard)
    return found


def run(seed: int, effort: Effort) -> Result:
    """A judge that errs one time in ten, against the outcome alone."""
    found = over_seeds(lambda rng: one(rng, effort), seed, effort.seeds)
    figure, control = found.pop("majority, noise 0.1"), found.pop("outcome alone")
    crossed = [noise for noise in NOISES if f"majority, noise {noise:g}" in found
               and not found[f"majority, noise {noise:g}"].above(control)]  # fmt: skip
    where = f"from a noise of {min(crossed):g} on" if crossed else "at no noise tried"
    return Result(
        figure.named("rank correlation with right steps, majority, noise 0.1"),
        control.named("rank correlation with right steps, outcome alone"), figure.above(control), tuple(found.values()),
        f"Rank correlation of the credit with which of {STEPS} steps were right, {JUDGES} readings of a judge that "
        "errs either way. Holds if a judge that errs one time in ten says more than the outcome; by majority it "
        f"says no more {where}.",
    )  # fmt: skip


CLAIM = Claim(
    "capo-credit", "penalties for wrong steps from a noisy judge",
    "CAPO: Towards Enhancing LLM Reasoning through Verifiable Generative Credit Assignment, arXiv:2508.02298",
    "Several readings by a judge that lists wrong steps, voted and priced below the outcome, give better step "
    "credit than the outcome alone.",
    run,
)  # fmt: skip
