"""How a number changes over a run: schedules as values, and an objective whose weight follows one.

A schedule is a pure function of the iteration, so it serves a bonus that fades from the reward as well as a
term that grows in the loss.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import cos, pi
from typing import TYPE_CHECKING, Protocol, runtime_checkable

from guerdon.objectives.base import Objective, Operators, Scaled, Unit
from guerdon.objectives.stream import Stream

if TYPE_CHECKING:
    import torch


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
        return self.start + (self.end - self.start) * min(iteration / self.over, 1.0)


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
        if iteration >= self.over:
            return float(self.end)
        return self.start + (self.end - self.start) * (1 - cos(pi * iteration / self.over)) / 2


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


@dataclass(frozen=True)
class Scheduled(Operators):
    """An objective times a number that changes over the run.

        loss = schedule(stream.iteration) * objective(stream)

    Its parts scale with the number; measurements stay as they are.

    Example:
        >>> import torch
        >>> from guerdon.objectives import Imitate, Stream
        >>> lp, ids = torch.tensor([-1.0, -3.0]), torch.tensor([0, 0])
        >>> fading = Scheduled(Imitate(), Linear(1.0, 0.0, over=4))
        >>> float(fading(Stream.of(lp, lp, lp, ids, ids, iteration=1))[0])
        1.5
    """

    objective: Objective
    schedule: Schedule

    @property
    def needs(self) -> frozenset[str]:
        """What its objective reads."""
        return self.objective.needs

    @property
    def parts(self) -> tuple[str, ...]:
        """Names of the terms that add up to the loss."""
        return self.objective.parts

    @property
    def reports(self) -> tuple[str, ...]:
        """Names of all its terms."""
        return self.objective.reports

    @property
    def whole(self) -> Unit:
        """The unit that must not be split between micro-batches."""
        return self.objective.whole

    def __call__(self, stream: Stream) -> tuple[torch.Tensor, dict[str, torch.Tensor]]:
        return Scaled(self.objective, self.schedule(stream.iteration))(stream)


def _some(over: int, asker: str) -> None:
    if over < 1:
        raise ValueError(f"{asker}: over is {over}; at least one iteration is needed; use Always(value) for no change")
