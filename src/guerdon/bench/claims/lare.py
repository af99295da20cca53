"""LaRe's few factors: what irrelevant features do to a least-squares redistribution."""

from __future__ import annotations

import numpy as np

from guerdon.batch import Batch, Column
from guerdon.bench.claims.base import Claim, Effort, Generator, Result, over_seeds
from guerdon.bench.labs import plays_of_length
from guerdon.credit import by_features
from guerdon.recipes import lare
from guerdon.rewards import fact, spread

PLAYS, FACTORS, NOISES = 64, 3, (0, 10, 30, 100)
Array = np.ndarray


def one(rng: Generator, effort: Effort) -> dict[str, float]:
    """Correlation of redistributed with true step rewards, as irrelevant features are added."""
    found: dict[str, list[float]] = {}
    for _ in range(effort.of(30, least=5)):
        length = rng.integers(10, 31, size=PLAYS)
        group, play, _ = plays_of_length(np.zeros(PLAYS, int), length)
        factors = rng.normal(size=(len(play), FACTORS))
        truth = factors @ rng.normal(size=FACTORS)
        noise = rng.normal(size=(len(play), max(NOISES)))
        outcome = np.bincount(play, weights=truth) + 0.5 * rng.normal(size=PLAYS)
        batch = Batch.from_steps(group=group, trajectory=play, reward=np.zeros(len(play)))
        batch = batch.with_columns(outcome=Column.of("trajectory", outcome))

        def correlation(features: Array, batch: Batch = batch, truth: Array = truth) -> float:
            shares = by_features(fact("outcome"), "features", ridge=lare.RIDGE)
            given = shares(batch.with_columns(features=Column.of("step", features))).values
            return float(np.corrcoef(given, truth)[0, 1])

        for count in NOISES:
            found.setdefault(f"correlation, {FACTORS} factors and {count} irrelevant", []).append(
                correlation(np.hstack([factors, noise[:, :count]]))
            )
        found.setdefault("correlation, wrong factors", []).append(correlation(noise[:, :FACTORS]))
        equal = spread(fact("outcome"))(batch).values
        found.setdefault("correlation, equal shares", []).append(float(np.corrcoef(equal, truth)[0, 1]))
    return {name: float(np.mean(values)) for name, values in found.items()}


def run(seed: int, effort: Effort) -> Result:
    """The factors alone against the factors among a hundred others."""
    found = over_seeds(lambda rng: one(rng, effort), seed, effort.seeds)
    figure = found.pop(f"correlation, {FACTORS} factors and {NOISES[0]} irrelevant")
    control = found.pop(f"correlation, {FACTORS} factors and {NOISES[-1]} irrelevant")
    return Result(
        figure,
        control,
        figure.above(control) and figure.above(found["correlation, wrong factors"]),
        tuple(found.values()),
        f"{PLAYS} plays of 10 to 30 steps, linear fit of the outcome. The control has the same factors among "
        "irrelevant features; wrong factors are a row. Holds if fewer features give better shares, and right ones "
        "more than wrong ones.",
    )


CLAIM = Claim(
    "lare", "irrelevant features blur the shares",
    "Latent Reward: LLM-Empowered Credit Assignment in Episodic Reinforcement Learning",
    "A few factors that matter redistribute a return better than raw states: leaving out what is irrelevant "
    "tightens the estimate of the step rewards.",
    run,
)  # fmt: skip
