"""Policies at several stages of training, made without sampling."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from guerdon.bench.world import World, train
from guerdon.environments import tabular

Array = np.ndarray
UPDATES = 1200  # of the exact natural gradient; the return that they reach is called the best
SHARES = {"uniform": 0.0, "half-way": 0.5, "late": 0.9}
BETTER = 0.5  # how far the better policy is on the way from a stage to the best


@dataclass(frozen=True, eq=False)
class Stage:
    """A policy on its way from uniform to the best that was found.

    Attributes:
        name: "uniform", "half-way", "late".
        share: how much of the way from the uniform return to the best one it has done.
        logits: (keys, actions).
        value: its expected return.
        better: the logits of a policy further on the way, for rules that ask a better policy.
    """

    name: str
    share: float
    logits: Array
    value: float
    better: Array


def stages(world: World, updates: int = UPDATES) -> tuple[list[Stage], float]:
    """The stages of a world, and the best return found.

    Example:
        >>> from guerdon.bench.worlds import submit
        >>> found, best = stages(submit())
        >>> [round((s.value - found[0].value) / (best - found[0].value), 1) for s in found]
        [0.0, 0.5, 0.9]
    """
    zero = np.zeros((world.keys, world.actions))
    low = _worth(world, zero)
    top = train(world, zero, np.inf, most=updates)
    best = _worth(world, top)
    at, out = zero, []
    for name, share in SHARES.items():
        at = train(world, at, low + share * (best - low), most=updates) if share else zero
        value = _worth(world, at)
        better = train(world, at, value + BETTER * (best - value), most=updates)
        out.append(Stage(name, share, at, value, better))
    return out, best


def _worth(world: World, logits: Array) -> float:
    return tabular.expected_return(world.model, tabular.softmax(logits)[np.asarray(world.key)])
