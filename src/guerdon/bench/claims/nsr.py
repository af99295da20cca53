"""NSR against PSR: one gradient in expectation, and what staleness, noise and the clip make of it."""

from __future__ import annotations

from math import inf

import numpy as np

from guerdon.bench.claims.base import Claim, Effort, Generator, Result, over_seeds
from guerdon.bench.labs import Said, at_level, cosine, downhill, draw, single_steps
from guerdon.credit import Credit
from guerdon.environments import tabular
from guerdon.objectives import Bounded, Objective, Reinforce
from guerdon.recipes import nsr

PROMPTS, ANSWERS, RIGHT, PLAYS = 32, 32, 4, 8
LEVEL, MANY, MOST = 0.5, 32, 400
Array = np.ndarray

RULES: dict[str, tuple[Credit, float]] = {  # the credit, and what its exact gradient is in units of grad p
    "nsr": (nsr.NSR, 1.0), "psr": (nsr.PSR, 1.0), "w-reinforce": (nsr.W_REINFORCE, 1.0 + nsr.LAMBDA),
    "both": (nsr.REINFORCE, 2.0),
}  # fmt: skip
RATE = 12.0
ARMS: dict[str, tuple[int, Objective]] = {  # how many updates on one batch, and by which objective
    "fresh": (1, Reinforce()), "stale": (8, Reinforce(Bounded(1.0, inf))),
    "stale and clipped": (8, nsr.METHOD.objective),
}  # fmt: skip


def problems(rng: Generator) -> tuple[Array, Array]:
    """Logits that know something and differ between prompts, and which answers are right."""
    logits = 1.5 * rng.normal(size=(PROMPTS, ANSWERS))
    right = np.zeros((PROMPTS, ANSWERS))
    np.put_along_axis(right, rng.random((PROMPTS, ANSWERS)).argsort(1)[:, :RIGHT], 1.0, 1)
    return logits, right


def scores(logits: Array, right: Array) -> Array:
    """pass@1, pass@MANY and how many right answers are kept, as the exponential of the entropy among them."""
    policy = tabular.softmax(logits)
    chance = (policy * right).sum(1)
    among = np.maximum(policy * right / np.maximum(chance, 1e-300)[:, None], 1e-300)
    kept = np.exp(-(among * np.log(among) * right).sum(1))
    return np.array([chance.mean(), (1 - (1 - chance) ** MANY).mean(), kept.mean()])


def exact(credit: Credit, logits: Array, right: Array) -> Array:
    """The expected update: each answer of each prompt, by its chance."""
    key = np.repeat(np.arange(PROMPTS), ANSWERS)
    policy = tabular.softmax(logits)
    weight = credit(single_steps(key, right.ravel())).filled(0.0).reshape(policy.shape) * policy
    return (weight - policy * weight.sum(1, keepdims=True)) / PROMPTS


def exactly(credit: Credit, unit: float, logits: Array, right: Array) -> dict[str, float]:
    """Exact updates, of one size for all rules, up to the level."""
    rows = [scores(logits, right)]
    while rows[-1][0] < LEVEL and len(rows) < MOST:
        logits = logits + RATE / unit * exact(credit, logits, right)
        rows.append(scores(logits, right))
    return _at(np.array(rows), "exact")


def sampled(arm: str, credit: Credit, logits: Array, right: Array, start: int, most: int) -> dict[str, float]:
    """Updates on drawn plays, up to the level."""
    rng, key = np.random.default_rng(start), np.repeat(np.arange(PROMPTS), PLAYS)
    updates, objective = ARMS[arm]
    rows = [scores(logits, right)]
    while rows[-1][0] < LEVEL and len(rows) < most:
        word, old = draw(logits, key, rng)
        advantage = credit(single_steps(key, right[key, word])).filled(0.0)
        said = Said(key, word, old, advantage, np.arange(len(key)), key)
        for _ in range(updates):
            logits = logits + RATE * downhill(objective, logits, said)
        rows.append(scores(logits, right))
    return _at(np.array(rows), arm)


def _at(rows: Array, arm: str) -> dict[str, float]:
    names = (f"pass@{MANY}", "right answers kept")
    return {"pass@1, " + arm: rows[-1, 0]} | {
        f"{name}, {arm}": at_level(LEVEL, rows[:, 0], rows[:, i + 1]) for i, name in enumerate(names)
    }


def one(rng: Generator, effort: Effort) -> dict[str, float]:
    """Every rule in every arm from the same start, read off at one pass@1."""
    logits, right = problems(rng)
    start, most = int(rng.integers(2**32)), effort.of(MOST, least=10)
    slope = exact(nsr.PSR, logits, right)
    found = {
        "smallest cosine of exact gradients": min(cosine(slope, exact(c, logits, right)) for c, _ in RULES.values())
    }
    for name, (credit, unit) in RULES.items():
        got = exactly(credit, unit, logits, right)
        for arm in ARMS:
            got |= sampled(arm, credit, logits, right, start, most)
        found |= {f"{key}, {name}": value for key, value in got.items()}
    return found


def run(seed: int, effort: Effort) -> Result:
    """NSR against PSR at one pass@1, on stale data under the clip."""
    found = over_seeds(lambda rng: one(rng, effort), seed, effort.seeds)
    figure, control = (found.pop(f"pass@{MANY}, stale and clipped, {rule}") for rule in ("nsr", "psr"))
    return Result(
        figure, control, figure.above(control), tuple(found.values()),
        f"At a pass@1 of {LEVEL:g}, {PROMPTS} prompts of {RIGHT} right answers in {ANSWERS}, {PLAYS} plays each, "
        f"{ARMS['stale and clipped'][0]} clipped updates a batch. With exact gradients the rules are one; what "
        "the fresh arm adds to it is noise, the stale ones add staleness and then the clip. Holds if NSR is above PSR, "
        "stale and clipped.",
    )  # fmt: skip


CLAIM = Claim(
    "nsr", "wrong answers alone against right ones alone",
    "The Surprising Effectiveness of Negative Reinforcement in LLM Reasoning, arXiv:2506.01347",
    "Learning from wrong answers alone keeps pass@k at large k, learning from right ones alone lowers it. Their exact "
    "gradients on policy are parallel, so a difference comes from noise, staleness, the clip or shared parameters.",
    run,
)  # fmt: skip
