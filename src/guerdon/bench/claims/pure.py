"""PURE's filler steps: a process judge that likes filler, summed and in min-form."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from guerdon import segments
from guerdon.batch import Column
from guerdon.bench.claims.base import Claim, Effort, Generator, Result, over_seeds
from guerdon.bench.labs import Plain, learn, reaches
from guerdon.bench.sample import Plays
from guerdon.bench.world import World
from guerdon.credit import Credit, HardMin, Others, SoftMin, Turn, centred, min_form_of, to_go_of
from guerdon.recipes import pure
from guerdon.rewards import fact

START, SOLVED, FAILED = range(3)
LIKES = np.array(
    [0.6, 0.3, -0.8]
)  # what the judge gives filler, the right step and the wrong one; a judge of this claim
NOISE, HORIZON, BUDGET = 0.1, 20, 15_000
SCORE = fact("closer")
Array = np.ndarray


@dataclass(frozen=True)
class Sum:
    """The ordinary return, as a form: G[t] = sum over k of gamma^k score[t + k]."""

    gamma: float = 1.0

    def __call__(self, score: Array, trajectory: Array) -> Array:
        """The discounted sum to go."""
        return segments.to_go(score, trajectory, self.gamma)


def choice() -> World:
    """Filler goes on, the right step solves, the wrong step fails; a play of filler alone fails at the horizon."""
    after, reward = np.array([[START, SOLVED, FAILED], [SOLVED] * 3, [FAILED] * 3]), np.zeros((3, 3))
    reward[START, 1] = 1.0
    return World(after, reward, np.eye(3)[0], np.array([False, True, True]), HORIZON, np.arange(3), "filler")


def judge(rng: Generator) -> Callable[[Plays, Array], dict[str, Column]]:
    """A noisy judge, of actions alone."""
    return lambda plays, logits: {
        "closer": Column.of("step", LIKES[plays.action] + NOISE * rng.normal(size=len(plays)))
    }


RULES: dict[str, Credit] = {
    "soft min, T 0.1": min_form_of(SCORE, SoftMin(0.1)),
    "sum": min_form_of(SCORE, Sum()),
    "sum, gamma 0.9": min_form_of(SCORE, Sum(0.9)),
    "sum less the others at the same turn": centred(to_go_of(SCORE), by=("prompt", Turn()), baseline=Others()),
    "hard min": min_form_of(SCORE, HardMin()),
    "soft min, T 1": min_form_of(SCORE, SoftMin(1.0)),
    "soft min, T 0.01": min_form_of(SCORE, SoftMin(0.01)),
    "soft min and outcome (PURE)": pure.credit(),
}


def one(rng: Generator, effort: Effort) -> dict[str, float]:
    """Success and length at the end of training for each rule."""
    world, found, start = choice(), {}, int(rng.integers(2**32))
    for name, credit in RULES.items():
        own = np.random.default_rng(start)
        curve = learn(world, credit, own, effort.of(BUDGET), facts=judge(own), watch=reaches(world, SOLVED),
                      stepper=Plain(0.1))  # fmt: skip
        found[f"success, {name}"], found[f"length, {name}"] = curve.final()
    return found


def run(seed: int, effort: Effort) -> Result:
    """Success of the soft minimum against the sum, both without the outcome."""
    found = over_seeds(lambda rng: one(rng, effort), seed, effort.seeds)
    figure, control = found.pop("success, soft min, T 0.1"), found.pop("success, sum")
    longer = found["length, sum"].above(found["length, soft min, T 0.1"])
    return Result(
        figure, control, figure.above(control) and longer, tuple(found.values()),
        f"{BUDGET} environment steps each, at most {HORIZON} a play, no outcome in the credit but in the last row. "
        "Holds if the soft minimum solves more than the sum and its plays are shorter.",
    )  # fmt: skip


CLAIM = Claim(
    "pure", "filler steps under the sum and the minimum",
    "Stop Summation: Min-Form Credit Assignment Is All Process Reward Model Needs for Reasoning, arXiv:2504.15275",
    "Summed process scores pay for every further step that looks good, so plays grow and success falls; the "
    "minimum pays for none.",
    run,
)  # fmt: skip
