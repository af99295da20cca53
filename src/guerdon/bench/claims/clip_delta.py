"""Clip and Delta against raw process scores: a judge that likes restating, and answers that cannot be mended."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from guerdon.batch import Column
from guerdon.bench.claims.base import Claim, Effort, Generator, Result, over_seeds
from guerdon.bench.labs import Plain, learn, on_every_step, reaches
from guerdon.bench.sample import Player, Plays, to_batch
from guerdon.bench.world import World
from guerdon.credit import to_go_of
from guerdon.credit.base import step_term
from guerdon.recipes import clip_delta
from guerdon.rewards import Term, affine, at_end, backward_delta, clip, fact

RIGHT, WRONG, RESTATE = range(3)
LIKES = np.array([0.8, 0.2, 0.9])  # what the judge gives, in [0, 1]; a judge of this claim
PLACES, HORIZON, NOISE, BUDGET, RATE = 4, 20, 0.05, 30_000, 0.1
SOLVED, FAILED = 2 * PLACES, 2 * PLACES + 1
OUTCOME = at_end(fact("outcome"))
SCORE = affine(fact("closer"), scale=0.5, offset=0.5)
CLIPPED = clip(affine(SCORE, offset=-clip_delta.ETA), high=0.0)
Array = np.ndarray

RULES: dict[str, Term] = {
    "clip and delta": clip_delta.reward(),
    "raw": OUTCOME + clip_delta.ALPHA * SCORE,
    "outcome alone": OUTCOME,
    "clip": OUTCOME + clip_delta.ALPHA * CLIPPED,
    "delta": OUTCOME + clip_delta.ALPHA * backward_delta(SCORE),
    "clip and delta, scores shuffled": clip_delta.RECIPE.control.reward,
}


def chain() -> World:
    """Places in a row, twice: once with all right so far, once with a mistake made; the policy sees the place."""
    place = np.arange(2 * PLACES) % PLACES
    lost = np.arange(2 * PLACES) >= PLACES
    last = place == PLACES - 1
    after = np.full((2 * PLACES + 2, 3), FAILED)
    here = np.arange(2 * PLACES)
    after[here, RIGHT] = np.where(last, np.where(lost, FAILED, SOLVED), here + 1)
    after[here, WRONG] = np.where(last, FAILED, place + PLACES + 1)
    after[here, RESTATE] = here
    after[SOLVED:] = [[SOLVED] * 3, [FAILED] * 3]
    reward = np.zeros(after.shape)
    reward[PLACES - 1, RIGHT] = 1.0
    terminal = np.arange(len(after)) >= SOLVED
    key = np.append(place, [PLACES - 1, PLACES - 1])
    return World(after, reward, np.eye(len(after))[0], terminal, HORIZON, key, "chain")


def judge(rng: Generator) -> Callable[[Plays, Array], dict[str, Column]]:
    """A noisy judge, of actions alone."""

    def look(plays: Plays, logits: Array) -> dict[str, Column]:
        score = np.clip(LIKES[plays.action] + NOISE * rng.normal(size=len(plays)), 0, 1)
        return {"closer": Column.of("step", 2 * score - 1)}

    return look


def telescopes(rng: Generator) -> float:
    """The largest distance of Delta's return to go from the score of the step, or 0 at the last."""
    world = chain()
    plays = Player(world, np.full((len(world.R), 3), 1 / 3)).play(50, rng)
    batch = to_batch(world, plays, False).with_columns(**judge(rng)(plays, np.zeros(0)))
    to_go = on_every_step(batch, step_term(to_go_of(backward_delta(SCORE))))
    score = SCORE(batch).values * (np.append(np.diff(plays.trajectory), 1) == 0)
    return float(np.abs(to_go - score).max())


def one(rng: Generator, effort: Effort) -> dict[str, float]:
    """Success and length at the end of training for each reward."""
    world, start = chain(), int(rng.integers(2**32))
    found = {}
    for name, reward in RULES.items():
        own = np.random.default_rng(start)
        curve = learn(world, clip_delta.credit(reward), own, effort.of(BUDGET), facts=judge(own),
                      watch=reaches(world, SOLVED), stepper=Plain(RATE))  # fmt: skip
        found[f"success, {name}"], found[f"length, {name}"] = curve.final()
        found[f"mean success, {name}"] = float(curve.area()[0])
    return found | {"largest distance of Delta's return to go from the step's score": telescopes(rng)}


def run(seed: int, effort: Effort) -> Result:
    """Against the raw score and against the outcome alone."""
    found = over_seeds(lambda rng: one(rng, effort), seed, effort.seeds)
    figure, control = found.pop("success, clip and delta"), found.pop("success, raw")
    alone = found["success, outcome alone"]
    return Result(
        figure, control, figure.above(control) and alone.above(control) and not figure.below(alone),
        tuple(found.values()),
        f"Chance to be right at the end of training, {BUDGET} environment steps; {PLACES} right steps in a row solve, "
        f"restating costs a step of {HORIZON}. Holds if the raw score ends below the outcome alone, and Clip and Delta "
        "above the raw score and not below the outcome alone.",
    )  # fmt: skip


CLAIM = Claim(
    "clip-delta", "clip and delta against raw process scores",
    "On Designing Effective RL Reward at Training Time for LLM Reasoning, arXiv:2410.15115",
    "Raw process scores added to the outcome are farmed by steps that look good and do nothing; clipped from above "
    "and paid as differences they do no harm and help.",
    run,
)  # fmt: skip
