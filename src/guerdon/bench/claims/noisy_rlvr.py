"""Corrections for a verifier that errs: bias and variance, where its rates are one and where they are many."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from guerdon.batch import Batch
from guerdon.bench.claims.base import Claim, Effort, Generator, Result, over_seeds
from guerdon.bench.labs import cosine, draw, single_steps
from guerdon.credit import Credit, step_term
from guerdon.environments import tabular
from guerdon.recipes import grpo
from guerdon.rewards import fact
from guerdon.rewards.noise import backward, forward, missed_share

TRAINED = 2  # prompts of each arm that are trained on, too
ANSWERS, RIGHT, PLAYS, UPDATES, RATE = 20, 5, 64, 120, 0.5
FP, FN, SPREAD = 0.15, 0.3, 0.9
SHARES = (0.01, 0.05, 0.2, 1.0)  # of the refused plays that are looked at again
VERDICT = fact("reward")
Array = np.ndarray

RULES: dict[str, Credit] = {
    "raw": step_term(VERDICT),
    "raw, at the size of backward": 1 / (1 - FP - FN) * step_term(VERDICT),
    "backward, mean rates": step_term(backward(VERDICT, FP, FN)),
    "backward, rates by answer": step_term(backward(VERDICT, fact("fp"), fact("fn"))),
    "forward, mean rate": step_term(forward(VERDICT, FN)),
    "forward, rates by answer": step_term(forward(VERDICT, fact("fn"))),
    "grpo": grpo.RECIPE.credit,
}


@dataclass(frozen=True, eq=False)
class Problem:
    """One prompt: which answers are right, how often the verifier passes each, and the logits at the start."""

    right: Array
    passes: Array
    logits: Array


def problem(rng: Generator, spread: float) -> Problem:
    """Rates of error around FP and FN; `spread` says how far single answers are from them, up to 1.

    Without more knowledge a rate by answer is that of right answers like it, or of wrong ones like it.
    """
    right = (np.arange(ANSWERS) < RIGHT).astype(float)
    errs = np.where(right > 0, FN, FP) * (1 + spread * rng.uniform(-1, 1, ANSWERS))
    return Problem(right, np.where(right > 0, 1 - errs, errs), rng.normal(size=ANSWERS))


def judged(p: Problem, group: Array, answer: Array, verdict: Array) -> Batch:
    """Plays of one answer with the verdict on each, and what is known of the rates."""
    right = p.right[answer] > 0
    fn, fp = np.where(right, 1 - p.passes[answer], FN), np.where(right, FP, p.passes[answer])
    return single_steps(group, verdict, fn=fn, fp=fp)


def moments(p: Problem, credit: Credit) -> tuple[Array, float]:
    """The expected gradient of one play, exactly, and its variance over its squared length."""
    answer, verdict = np.tile(np.arange(ANSWERS), 2), np.repeat([1.0, 0.0], ANSWERS)
    policy = tabular.softmax(p.logits[None])[0]
    chance = policy[answer] * np.where(verdict > 0, p.passes[answer], 1 - p.passes[answer])
    weight = credit(judged(p, np.zeros(len(answer), int), answer, verdict)).filled(0.0)
    score = np.eye(ANSWERS)[answer] - policy
    mean = (chance * weight) @ score
    return mean, float((chance * weight**2) @ (score**2).sum(1)) / float(mean @ mean) - 1


def truth(p: Problem) -> Array:
    """The gradient of the chance to be right."""
    policy = tabular.softmax(p.logits[None])[0]
    return policy * (p.right - policy @ p.right)


def trained(p: Problem, credit: Credit, start: int, updates: int) -> float:
    """The mean true success over training on groups of drawn plays."""
    rng, logits, success, key = np.random.default_rng(start), p.logits.copy(), [], np.zeros(PLAYS, int)
    for _ in range(updates):
        answer, _ = draw(logits[None], key, rng)
        verdict = (rng.random(PLAYS) < p.passes[answer]).astype(float)
        weight = credit(judged(p, key, answer, verdict)).filled(0.0)
        policy = tabular.softmax(logits[None])[0]
        logits = logits + RATE * (np.bincount(answer, weight, ANSWERS) - policy * weight.sum()) / PLAYS
        success.append(float(tabular.softmax(logits[None])[0] @ p.right))
    return float(np.mean(success))


def appeals(p: Problem, rng: Generator, plays: int = 4000) -> dict[str, float]:
    """How far the rate of false negatives is off, by how much of the refused is looked at again by an oracle."""
    answer, _ = draw(p.logits[None], np.zeros(plays, int), rng)
    right, passed = p.right[answer] > 0, rng.random(plays) < p.passes[answer]
    real = float((right & ~passed).sum() / max(right.sum(), 1))
    found = {}
    for share in SHARES:
        asked = ~passed & (rng.random(plays) < share)
        part = asked.sum() / max((~passed).sum(), 1)
        said = missed_share(int(passed.sum()), int((asked & right).sum()), float(part)) if part > 0 else 0.0
        found[f"fn by appeals less the true rate, {share:g} looked at again"] = said - real
    return found


def one(rng: Generator, effort: Effort) -> dict[str, float]:
    """Exact bias and variance over many prompts, and training on a few."""
    found: dict[str, list[float]] = {}
    updates, start = effort.of(UPDATES, least=5), int(rng.integers(2**32))
    for arm, spread in (("one rate", 0.0), ("many rates", SPREAD)):
        rules = {name: rule for name, rule in RULES.items() if arm == "many rates" or "by answer" not in name}
        for i in range(effort.of(30, least=3)):
            p = problem(rng, spread)
            clean, got = truth(p), {}
            for name, credit in rules.items():
                if name != "grpo":  # a comparison in the group has no gradient of a single play
                    mean, variance = moments(p, credit)
                    got[f"cosine to the truth, {arm}, {name}"] = cosine(mean, clean)
                    got[f"bias over the truth, {arm}, {name}"] = float(
                        np.linalg.norm(mean - clean) / np.linalg.norm(clean)
                    )
                    got[f"variance over squared mean, {arm}, {name}"] = variance
                if i < TRAINED:
                    got[f"mean success, {arm}, {name}"] = trained(p, credit, start, updates)
            if i < TRAINED and arm == "one rate":
                got |= appeals(p, rng)
            for name, value in got.items():
                found.setdefault(name, []).append(value)
    return {name: float(np.mean(values)) for name, values in found.items()}


def run(seed: int, effort: Effort) -> Result:
    """Where rates differ between answers: with the right rates against their means."""
    found = over_seeds(lambda rng: one(rng, effort), seed, effort.seeds)
    figure = found.pop("bias over the truth, many rates, backward, rates by answer")
    control = found.pop("bias over the truth, many rates, backward, mean rates")
    unbiased = max(found["bias over the truth, one rate, backward, mean rates"].values) < 1e-9
    return Result(
        figure, control, unbiased and max(figure.values) < 1e-9 and control.above(0.01), tuple(found.values()),
        f"Distance of the exact expected gradient from the true one, over its length; false positives {FP:g}, false "
        f"negatives {FN:g} on average. Holds if the backward correction has none with the right rates, and has some "
        "with mean rates where answers differ. With one rate all rules have cosine 1, so what training gains there "
        "over the raw verdict is size and a constant baseline: the row of the raw verdict at that size is its control. "
        "The forward weights need fewer rates and have the direction, not the size. Appeals are heard by an oracle.",
    )  # fmt: skip


CLAIM = Claim(
    "noisy-rlvr", "corrections for a verifier that errs",
    "Reinforcement Learning with Verifiable yet Noisy Rewards under Imperfect Verifiers, arXiv:2510.00915",
    "With its error rates known, a corrected verdict gives the true gradient on average, at a price in variance; where "
    "the rates depend on the answer, they must be known for each.",
    run,
)  # fmt: skip
