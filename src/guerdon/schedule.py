"""How a number changes over a run: schedules as values, pure functions of the iteration.

They serve a bonus that fades from the reward as well as a term that grows in the loss.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import cos, pi
from typing import Protocol, runtime_checkable


@runtime_checkable
class Schedule(Protocol):
    """`schedule(iteration) -> number`, iterations counted from 0."""

    def __call__(self, iteration: int) -> float: ...


@dataclass(frozen=True)
class Linear:
    """From `start` to `end` in a straight line over `over` iterations, and then `end`.

        start + (end - start) * min(t / over, 1)

    Raises:
        ValueError: over is below 1.

    Example:
        >>> [Linear(1.0, 0.0, over=4)(t) for t in (0, 1, 4, 9)]
        [1.0, 0.75, 0.0, 0.0]
    """

    start: float
    end: float
    over: int

    def __post_init__(self) -> None:
        _some(self.over, "Linear")

    def __call__(self, iteration: int) -> float:
        share = min(max(iteration / self.over, 0.0), 1.0)
        return float(self.end) if share == 1 else self.start + share * (self.end - self.start)


@dataclass(frozen=True)
class Cosine:
    """From `start` to `end` along half a cosine over `over` iterations, and then `end`.

        start + (end - start) * (1 - cos(pi * min(t / over, 1))) / 2

    `Cosine(0, 1, T)` rises as (1 - cos(pi t / T)) / 2, `Cosine(1, 0, T)` falls as (1 + cos(pi t / T)) / 2.

    Raises:
        ValueError: over is below 1.

    Example:
        >>> [round(Cosine(0.0, 1.0, over=4)(t), 3) for t in (0, 1, 2, 4, 9)]
        [0.0, 0.146, 0.5, 1.0, 1.0]
    """

    start: float
    end: float
    over: int

    def __post_init__(self) -> None:
        _some(self.over, "Cosine")

    def __call__(self, iteration: int) -> float:
        iteration = max(iteration, 0)
        if iteration >= self.over:
            return float(self.end)
        return self.start + (self.end - self.start) * (1 - cos(pi * iteration / self.over)) / 2


@dataclass(frozen=True)
class Halving:
    """`start`, halved every so many iterations; between them it falls along the same curve.

        start * 2^(-t / every)

    Example:
        >>> [Halving(1.0, every=5)(t) for t in (0, 5, 10)]
        [1.0, 0.5, 0.25]
    """

    start: float
    every: int

    def __post_init__(self) -> None:
        _some(self.every, "Halving")

    def __call__(self, iteration: int) -> float:
        return self.start * 0.5 ** (iteration / self.every)


@dataclass(frozen=True)
class Always:
    """The same at every iteration; `After(n, Always(x))` is switched on once.

    Example:
        >>> Always(0.1)(7)
        0.1
    """

    value: float

    def __call__(self, iteration: int) -> float:
        return self.value


@dataclass(frozen=True)
class After:
    """Nothing for the first iterations, and then a schedule that counts from there.

        0 where t < first,   schedule(t - first) else

    Example:
        >>> [After(2, Linear(0.0, 1.0, over=2))(t) for t in (0, 2, 3, 4)]
        [0.0, 0.0, 0.5, 1.0]
    """

    first: int
    schedule: Schedule

    def __call__(self, iteration: int) -> float:
        return 0.0 if iteration < self.first else self.schedule(iteration - self.first)


def _some(iterations: int, asker: str) -> None:
    if iterations < 1:
        raise ValueError(
            f"{asker}: it is to take {iterations} iterations; at least one is needed; use Always(value) for no change"
        )
