"""OTA's staircase: the gap of values far from the goal, with one discount per option."""

from __future__ import annotations

import numpy as np

from guerdon.batch import Batch, Column
from guerdon.bench.claims.base import Claim, Effort, Generator, Result, over_seeds
from guerdon.credit import Every, lambda_of
from guerdon.recipes import ota

CELLS, AHEAD, NOISE, OPTIONS = 1000, 25, 0.5, (1, 5, 20)
FAR = (100, 200, 400, 800)  # distances to the goal at which signs are read
Array = np.ndarray


def exact_values(option: int) -> Array:
    """The value at each distance from 1 on, on the best way, read off one play by the recipe's reward."""
    batch = Batch.from_steps(
        group=np.zeros(CELLS, int), trajectory=np.zeros(CELLS, int), reward=np.arange(CELLS) == CELLS - 1
    )
    clock = Every(option)
    batch = batch.with_columns(value=Column.of("step", np.zeros(CELLS)))
    return lambda_of(ota.reward(clock), ota.GAMMA, 1.0, clock)(batch).values[::-1]


def one(rng: Generator, effort: Effort) -> dict[str, float]:
    """The share of right signs of V(d - 25) - V(d) under noise, by option length and distance."""
    found, draws = {}, effort.of(20_000, least=2000)
    for option in OPTIONS:
        value = exact_values(option)
        for far in FAR:
            gap = value[far - AHEAD - 1] - value[far - 1]
            noisy = gap + NOISE * (rng.normal(size=draws) - rng.normal(size=draws))
            found[f"right signs, option {option}, distance {far}"] = float((noisy > 0).mean())
            found[f"gap, option {option}, distance {far}"] = float(gap)
    return found


def run(seed: int, effort: Effort) -> Result:
    """Options of five steps against single steps, at distance 800."""
    found = over_seeds(lambda rng: one(rng, effort), seed, effort.seeds)
    figure, control = (found.pop(f"right signs, option {n}, distance 800") for n in (5, 1))
    near = found["right signs, option 5, distance 100"].above(found["right signs, option 1, distance 100"])
    return Result(
        figure, control, figure.above(control), tuple(found.values()),
        f"Share of right signs of V(d - {AHEAD}) - V(d) with noise of {NOISE:g} on each value, on the best way. "
        f"Holds if options do better at distance 800; at distance 100 they do {'better too' if near else 'not'}.",
    )  # fmt: skip


CLAIM = Claim(
    "ota", "one discount per option",
    "Option-aware Temporally Abstracted Value for Offline Goal-Conditioned Reinforcement Learning",
    "Values learned by options keep a gap far from the goal where one-step values have none left, so the sign of "
    "a subgoal's advantage is right more often.",
    run,
)  # fmt: skip
