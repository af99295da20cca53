"""FAKER-Air's ranks: what ties are worth, by the released rule and by the mean of ranks."""

from __future__ import annotations

import numpy as np

from guerdon.bench.claims.base import Claim, Effort, Generator, Result, over_seeds
from guerdon.bench.labs import single_steps
from guerdon.credit import ranked
from guerdon.rewards import fact

PLAYS, GROUPS, UPDATES, RATE = 4, 64, 200, 0.1
CHANCE = 0.8  # that a group agrees: the class of a pixel is mostly the same in all plays
Array = np.ndarray


def by_index(reward: Array) -> Array:
    """Ranks from -1 to 1 whose ties are broken by place, as the released code has it, (groups, plays)."""
    return 2.0 * reward.argsort(1, kind="stable").argsort(1, kind="stable") / (PLAYS - 1) - 1.0


def by_mean(reward: Array) -> Array:
    """The same with the mean rank for ties, as the library has it."""
    batch = single_steps(np.repeat(np.arange(len(reward)), PLAYS), reward.ravel())
    return ranked(fact("outcome"))(batch).values.reshape(reward.shape)


def one(rng: Generator, effort: Effort) -> dict[str, float]:
    """Size of the credit in groups that agree, and how far a parameter that does nothing wanders."""
    found = {}
    start, groups = int(rng.integers(2**32)), GROUPS
    for name, rank in (("ties by index", by_index), ("ties by mean rank", by_mean)):
        own, away, sizes = np.random.default_rng(start), [0.0], []
        for _ in range(effort.of(UPDATES, least=20)):
            agree = own.random((groups, 1)) < CHANCE
            reward = np.where(agree, 1.0, (own.random((groups, PLAYS)) < 0.5).astype(float))
            noise = own.normal(size=(groups, PLAYS))  # a Gaussian policy of which the reward knows nothing
            advantage = rank(reward)
            sizes.append(np.sqrt((advantage[agree[:, 0]] ** 2).mean()))
            away.append(away[-1] + RATE * float((advantage * noise).mean()))
        found[f"credit in groups that agree, {name}"] = float(np.mean(sizes))
        found[f"how far an idle parameter wandered, {name}"] = float(np.sqrt(np.mean(np.square(away))))
    return found


def run(seed: int, effort: Effort) -> Result:
    """The released rule against mean ranks."""
    found = over_seeds(lambda rng: one(rng, effort), seed, effort.seeds)
    figure, control = (
        found.pop(f"credit in groups that agree, {name}") for name in ("ties by index", "ties by mean rank")
    )
    return Result(
        figure, control, figure.below(0.01), tuple(found.values()),
        f"Root mean square credit of groups of {PLAYS} whose plays are worth the same. Holds if the released rule "
        "gives such groups nothing, below 0.01.",
    )  # fmt: skip


CLAIM = Claim(
    "faker-air", "ranks where plays tie",
    "Real-Time Long Horizon Air Quality Forecasting via Group-Relative Policy Optimization",
    "Centred ranks in the group are a robust credit, blind to the scale of the reward; plays that are worth the "
    "same should then be told apart by nothing.",
    run,
)  # fmt: skip
