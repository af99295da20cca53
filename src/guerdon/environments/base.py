"""What every environment is: a family of tasks, and a way to play one.

Text in, text out. Facts are numbers that are seen after an action and never shown to the
policy: milestones, validity, progress. Rewards are not decided here; `reward` is only what
the environment itself pays.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol, runtime_checkable

from guerdon.records import Task


@dataclass(frozen=True, slots=True)
class Seen:
    """What is seen after a reset or an action.

    Attributes:
        observation: the text that the policy reads next.
        state: the anchor of the state; equal text means equal state.
        reward: what the environment pays for the action; None on reset.
        terminated: the task itself is over.
        truncated: a horizon or another limit from outside cut it.
        facts: named numbers seen after the action; None for one that could not be had.
        outcome: on the last one, what the play was worth; None before.
    """

    observation: str
    state: str | None = None
    reward: float | None = None
    terminated: bool = False
    truncated: bool = False
    facts: Mapping[str, float | None] = field(default_factory=dict)
    outcome: float | None = None


@runtime_checkable
class Environment(Protocol):
    """One play at a time: `reset(task)`, then `step(action)` until an end."""

    def reset(self, task: Task) -> Seen:
        """Begins a play of this task."""
        ...

    def step(self, action: str) -> Seen:
        """Does what the text says; text that means nothing here is a no-op, counted in the fact `action_valid`."""
        ...

    def expert(self) -> str:
        """A good action from here, by the environment's own knowledge."""
        ...

    def close(self) -> None:
        """Frees what the environment holds."""
        ...


@runtime_checkable
class Branching(Protocol):
    """An environment whose state can be kept and gone back to."""

    def snapshot(self) -> Any:
        """The state, as something that `restore` takes."""
        ...

    def restore(self, snapshot: Any) -> None:
        """Goes back to a snapshot."""
        ...


@runtime_checkable
class Family(Protocol):
    """Tasks of one kind, and the environment that plays them.

    Attributes:
        name: as on the command line.
        horizon: how many actions a play may have.
        options: what it was made with; it can be made again from these.
    """

    name: str
    horizon: int
    options: Mapping[str, Any]

    def tasks(self, split: str) -> Sequence[Task]:
        """The tasks of "train" or "test"; the two share none."""
        ...

    def make(self) -> Environment:
        """A fresh environment; several may be alive at once."""
        ...

    def words(self) -> Sequence[str]:
        """Every word that an observation or an action may hold, split on spaces."""
        ...

    def actions(self) -> Sequence[str]:
        """Actions that random play draws from; empty where they differ by state (then the fact list says)."""
        ...


@runtime_checkable
class Preparing(Protocol):
    """A family that makes something, once, before it can be played."""

    def prepare(self, told: Callable[[int, int], None] | None = None) -> None:
        """Makes what is not there yet; `told` hears how much is done, and of how much."""
        ...
