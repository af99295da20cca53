"""RAPO's factor for dead groups: a larger step, under plain steps, tuned steps and Adam."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from guerdon.bench.claims.base import Claim, Effort, Generator, Result, over_seeds
from guerdon.bench.labs import Adam, Plain, Stepper, single_steps
from guerdon.credit import Credit, Std, centred, rescaled
from guerdon.recipes import rapo_fathom
from guerdon.rewards import fact

PROMPTS, PLAYS, FEATURES, UPDATES = 32, 5, 16, 200
Array = np.ndarray
GRPO = centred(fact("outcome"), scale=Std(rapo_fathom.EPS))
RAPO = rescaled(GRPO)


def trained(
    rng: Generator, credit: Credit, stepper: Stepper, updates: int, start: Array, skill: Array
) -> tuple[float, float]:
    """Mean success over training of a logistic policy whose prompts share parameters, and RAPO's mean factor."""
    weight, success, factor = np.zeros(FEATURES), [], []
    prompt = np.repeat(np.arange(PROMPTS), PLAYS)
    for _ in range(updates):
        chance = 1 / (1 + np.exp(-(start + skill @ weight)))
        success.append(chance.mean())
        won = rng.random((PROMPTS, PLAYS)) < chance[:, None]
        batch = single_steps(prompt, won.ravel().astype(float))
        away = credit(batch).values.reshape(PROMPTS, PLAYS) * (won - chance[:, None])
        weight = weight + stepper((away.mean(1)[:, None] * skill).mean(0))
        alive = won.any(1) & ~won.all(1)
        factor.append(PROMPTS / max(int(alive.sum()), 1))
    return float(np.mean(success)), float(np.mean(factor))


def one(rng: Generator, effort: Effort) -> dict[str, float]:
    """What the factor adds to mean success over training, by how steps are made."""
    chance = np.clip(rng.beta(0.2, 0.3, size=PROMPTS), 0.005, 0.995)
    begin, skill = np.log(chance / (1 - chance)), np.abs(rng.normal(size=(PROMPTS, FEATURES)))
    start, updates = int(rng.integers(2**32)), effort.of(UPDATES, least=40)

    def go(credit: Credit, stepper: Callable[[], Stepper]) -> tuple[float, float]:
        return trained(np.random.default_rng(start), credit, stepper(), updates, begin, skill)

    plain, _ = go(GRPO, lambda: Plain(0.05))
    scaled, factor = go(RAPO, lambda: Plain(0.05))
    tuned, _ = go(GRPO, lambda: Plain(0.05 * factor))
    adam, adam_scaled = go(GRPO, lambda: Adam(0.005))[0], go(RAPO, lambda: Adam(0.005))[0]
    return {
        "gain under Adam": adam_scaled - adam,
        "gain under plain steps": scaled - plain,
        "gain over plain steps of the mean factor's size": scaled - tuned,
        "mean factor": factor,
        "mean success, grpo, plain steps": plain,
        "mean success, grpo, Adam": adam,
    }


def run(seed: int, effort: Effort) -> Result:
    """Under Adam, against plain steps."""
    found = over_seeds(lambda rng: one(rng, effort), seed, effort.seeds)
    figure, control = found.pop("gain under Adam"), found.pop("gain under plain steps")
    tuned = found["gain over plain steps of the mean factor's size"]
    return Result(
        figure,
        control,
        figure.above(0.0) and figure.mean > 0.25 * control.mean and tuned.above(0.0),
        tuple(found.values()),
        "What the factor adds to mean success over training; prompts of which many are solved always or never. "
        "Holds if it adds something beyond a larger rate, and at least a quarter as much under Adam as under "
        "plain steps.",
    )


CLAIM = Claim(
    "rapo-fathom", "a factor for dead groups",
    "Fathom-DeepResearch: Unlocking Long Horizon Information Retrieval and Synthesis for SLMs, arXiv:2509.24107",
    "Making advantages larger by the share of groups that still differ keeps the gradient's size, and learns more "
    "than GRPO.",
    run,
)  # fmt: skip
