"""When time passes: once a token, once a step, or once for a run of steps that is one option.

A clock cuts each play into ticks. What is paid inside a tick is summed, a critic is read where a
tick begins, a discount acts between ticks, and all items of a tick share its credit.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import numpy as np
from jaxtyping import Bool, Float, Int

from guerdon import segments
from guerdon.batch import Batch, Column, Level
from guerdon.errors import LevelError, ShapeError
from guerdon.rewards.term import Term

Array = np.ndarray


@dataclass(frozen=True, eq=False)
class Ticks:
    """The ticks of a batch, in the order in which they happen, those of a play side by side.

    Attributes:
        level: of the items that the ticks are runs of: "token" or "step".
        item: the tick of each item; -1 for one in no tick, such as a token that was only read.
        first: the item at which each tick begins.
        trajectory: the play of each tick.
        within: the discount from one step to the next inside a tick.
    """

    level: Level
    item: Int[Array, "n"]
    first: Int[Array, "ticks"]
    trajectory: Int[Array, "ticks"]
    within: float = 1.0

    @property
    def each(self) -> bool:
        """Whether every item is a tick of its own."""
        return len(self.first) == len(self.item)

    def paid(self, batch: Batch, reward: Column) -> tuple[Float[Array, "ticks"], Bool[Array, "ticks"]]:
        """What each tick was paid, and whether all of it is known.

        The pay of a step goes to the last tick of its play that had begun when the step ended. So a
        step's reward is paid at its last sampled token, under a clock of tokens.
        """
        if self.each and reward.level == self.level:
            return reward.filled(0.0), np.asarray(reward.valid, bool)
        to, own = self._tick_of(batch, reward)
        value = reward.filled(0.0)
        if self.within != 1.0:
            value = value * self.within ** (np.arange(len(value)) - self.first[np.maximum(to, 0)])
        n = len(self.first)
        missing = segments.total((~reward.valid)[own].astype(np.float64), to[own], n)
        return segments.total(value[own], to[own], n), missing == 0

    def _tick_of(self, batch: Batch, reward: Column) -> tuple[Array, Array]:
        """The tick that each reward goes to, and False for rewards that no tick had begun before."""
        if reward.level == self.level:
            return self.item, self.item >= 0
        play = batch.index("trajectory", at=reward.level)
        if not len(self.first):
            return np.full(len(reward), -1), np.zeros(len(reward), bool)
        begins = batch.step_of_token[self.first]  # a reward per step, ticks of tokens
        to = np.searchsorted(begins, np.arange(len(reward)), side="right") - 1
        return to, (to >= 0) & (self.trajectory[np.maximum(to, 0)] == play)

    def onto_items(self, values: Float[Array, "ticks"], valid: Bool[Array, "ticks"]) -> Column:
        """A number per tick, copied to the tick's items; an item in no tick has none."""
        if self.each:
            return Column(self.level, np.where(valid, values, 0.0), valid)
        inside = self.item >= 0
        if not len(self.first):
            return Column(self.level, np.zeros(len(self.item)), inside)
        at = np.maximum(self.item, 0)
        known = inside & valid[at]
        return Column(self.level, np.where(known, values[at], 0.0), known)


@runtime_checkable
class Clock(Protocol):
    """From a batch to its ticks.

    Attributes:
        name: what one tick is called in the name of a credit.
        needs: columns that it reads.
    """

    @property
    def name(self) -> str:
        """What one tick is."""
        ...

    @property
    def needs(self) -> tuple[str, ...]:
        """The columns that it reads."""
        ...

    def __call__(self, batch: Batch) -> Ticks:
        """Returns the ticks."""
        ...


@dataclass(frozen=True)
class PerStep:
    """Each step is a tick: turns, control steps, denoising steps.

    Example:
        >>> batch = Batch.from_steps(group=[0, 0], trajectory=[0, 1], reward=[0.0, 0.0])
        >>> PerStep()(batch).first
        array([0, 1])
    """

    name: str = "step"
    needs: tuple[str, ...] = ()

    def __call__(self, batch: Batch) -> Ticks:
        """A tick for each step."""
        each = np.arange(batch.size("step"))
        return Ticks("step", each, each, batch.trajectory_of_step)


@dataclass(frozen=True)
class PerToken:
    """Each sampled token is a tick; tokens that were only read are in none.

    Example:
        >>> batch = Batch.from_steps(group=[0], trajectory=[0], reward=[1.0], tokens_per_step=[3])
        >>> PerToken()(batch).first
        array([0, 1, 2])
    """

    name: str = "token"
    needs: tuple[str, ...] = ("sampled",)

    def __call__(self, batch: Batch) -> Ticks:
        """A tick for each sampled token."""
        sampled = batch["sampled"]
        spoken = np.asarray(sampled.values, bool) & sampled.valid
        first = np.flatnonzero(spoken)
        item = np.where(spoken, np.cumsum(spoken) - 1, -1)
        return Ticks("token", item, first, batch.trajectory_of_step[batch.step_of_token[first]])


@dataclass(frozen=True)
class PerSegment:
    """Each run of steps of one play with an equal key is a tick: an option, a thought, a subtask.

    A step without a key is a tick of its own.

    Attributes:
        column: the step key.
        within: the discount from one step to the next inside an option, on its reward alone.

    Example:
        >>> batch = Batch.from_steps(group=[0] * 4, trajectory=[0, 0, 0, 1], reward=[0.0] * 4)
        >>> batch = batch.with_columns(segment=Column.of("step", [5, 5, 6, 6]))
        >>> PerSegment()(batch).item
        array([0, 0, 1, 2])
    """

    column: str = "segment"
    within: float = 1.0

    @property
    def name(self) -> str:
        """The key's name."""
        return self.column

    @property
    def needs(self) -> tuple[str, ...]:
        """The key."""
        return (self.column,)

    def __call__(self, batch: Batch) -> Ticks:
        """A tick for each run."""
        column = batch[self.column]
        if column.level != "step":
            raise LevelError(
                f"PerSegment: {self.column!r} is at {column.level} level; options are runs of steps; "
                "give the name of a step key"
            )
        key, known = np.where(column.valid, Batch.key(column.values), 0), np.asarray(column.valid, bool)
        begins = np.ones(len(key), bool)
        begins[1:] = (key[1:] != key[:-1]) | ~(known[1:] & known[:-1])
        return _runs(batch, begins, self.within)


@dataclass(frozen=True)
class Every:
    """Each `n` steps of a play, counted from its start, are a tick; the last one may be shorter.

    Attributes:
        n: steps of an option.
        within: the discount from one step to the next inside it.

    Example:
        >>> batch = Batch.from_steps(group=[0] * 4, trajectory=[0, 0, 0, 1], reward=[0.0] * 4)
        >>> Every(2)(batch).item
        array([0, 0, 1, 2])
    """

    n: int
    within: float = 1.0
    needs: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if self.n < 1:
            raise ShapeError(f"Every: n is {self.n}; an option has one step or more; give n=1 for PerStep()")

    @property
    def name(self) -> str:
        """Says how many."""
        return f"{self.n} steps"

    def __call__(self, batch: Batch) -> Ticks:
        """A tick for every n steps."""
        return _runs(batch, segments.position(batch.trajectory_of_step) % self.n == 0, self.within)


def tick_end(clock: Clock) -> Term:
    """A step term: 1 at the last step of each tick and 0 at the others, such as a price per option.

    Example:
        >>> batch = Batch.from_steps(group=[0] * 3, trajectory=[0] * 3, reward=[0.0] * 3)
        >>> tick_end(Every(2))(batch).values
        array([0., 1., 1.])
    """

    def score(batch: Batch) -> Column:
        ticks = clock(batch)
        if ticks.level != "step":
            raise LevelError(
                f"tick_end: a tick of {clock.name!r} is no run of steps; a price per step is needed; "
                "use PerStep, PerSegment or Every"
            )
        end = np.ones(len(ticks.item), bool)
        end[:-1] = ticks.item[1:] != ticks.item[:-1]
        return Column.of("step", end.astype(np.float64))

    return Term(f"end of {clock.name}", score)


def _runs(batch: Batch, begins: Array, within: float) -> Ticks:
    """Ticks that begin where this is true, and at each play's first step."""
    owner = batch.trajectory_of_step
    begins = begins | segments.starts("Clock", owner)
    first = np.flatnonzero(begins)
    return Ticks("step", np.cumsum(begins) - 1, first, owner[first], within)
