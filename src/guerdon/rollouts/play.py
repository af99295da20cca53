"""Plays tasks and writes down what happened; a broken environment is a record, never a crash."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol, runtime_checkable

import numpy as np

from guerdon.environments.base import Seen
from guerdon.environments.vector import Vector
from guerdon.errors import EnvironmentFault
from guerdon.records import Ended, Step, Task, Trajectory


@runtime_checkable
class Acted(Protocol):
    """What a player says for one turn."""

    text: str
    tokens: Sequence[int] | None
    logprobs: Sequence[float] | None
    sequence: int | None


Player = Callable[[Sequence[int], Sequence[Seen]], Sequence[Acted | EnvironmentFault]]
"""From slots and what each sees to one action each, or to why what it sees cannot be answered."""


class _Log:
    """One trajectory being written."""

    def __init__(self, task: Task, group: str | int, first: Seen | EnvironmentFault, horizon: int | None) -> None:
        self.task, self.group, self.now, self.horizon = task, group, first, horizon
        self.steps: list[Step] = []
        self.act: Acted | None = None
        self.at = 0  # where it failed, if it did

    @property
    def over(self) -> bool:
        cut = self.horizon is not None and len(self.steps) >= self.horizon
        return cut or isinstance(self.now, EnvironmentFault) or self.now.terminated or self.now.truncated

    def saw(self, after: Seen | EnvironmentFault) -> None:
        """Writes the step down: what was seen, what was done, what came of it."""
        before, act = self.now, self.act
        lost = isinstance(after, EnvironmentFault)
        self.steps.append(
            Step(
                observation=before.observation,
                action=act.text,
                reward=None if lost else after.reward,
                state=before.state,
                next_state=None if lost else after.state,
                facts={} if lost else after.facts,
                tokens=act.tokens,
                logprobs=act.logprobs,
                sequence=act.sequence,
                terminated=not lost and after.terminated,
            )
        )
        self.now, self.at = after, len(self.steps) - 1

    def broke(self, fault: EnvironmentFault) -> None:
        """Ends the play before the step that could not be taken."""
        self.now, self.at = fault, len(self.steps)

    def done(self) -> Trajectory:
        """The whole record."""
        if isinstance(self.now, EnvironmentFault):
            ended = Ended.failed(at=self.at, cause=str(self.now))
            return Trajectory(self.group, self.task, tuple(self.steps), None, ended)
        ended = Ended.finished() if self.now.terminated else Ended.truncated("horizon")
        return Trajectory(self.group, self.task, tuple(self.steps), self.now.outcome, ended)


def play(
    player: Player,
    vector: Vector,
    tasks: Sequence[Task],
    groups: Sequence[str | int] | None = None,
    progress: Callable[[int], None] | None = None,
    horizon: int | None = None,
) -> list[Trajectory]:
    """Plays every task once, all at the same time, to its end.

    Args:
        player: chooses the actions.
        vector: the environments, slot i for tasks[i].
        groups: what each play is compared with; by default each is alone.
        progress: called after each turn with the number of plays that are over.
        horizon: a play of so many actions is truncated, for environments that might not end by themselves.

    Returns:
        One trajectory per task, in order. A play whose environment raised, hung past its
        deadline or returned nonsense, more than the policy can read among it, ended as
        `failed(at, cause)`; the others go on.
    """
    groups = range(len(tasks)) if groups is None else groups
    logs = [_Log(t, g, first, horizon) for t, g, first in zip(tasks, groups, vector.reset(tasks), strict=True)]
    while active := [slot for slot, log in enumerate(logs) if not log.over]:
        acts = player(active, [logs[slot].now for slot in active])
        for slot, act in zip(active, acts, strict=True):
            if isinstance(act, EnvironmentFault):
                logs[slot].broke(act)
            else:
                logs[slot].act = act
        active = [slot for slot in active if not logs[slot].over]
        after = vector.step({slot: logs[slot].act.text for slot in active})
        for slot in active:
            logs[slot].saw(after[slot])
        if progress:
            progress(sum(log.over for log in logs))
    return [log.done() for log in logs]


def repeated(tasks: Sequence[Task], times: int) -> tuple[list[Task], list[int]]:
    """Each task `times` times, side by side, and the group number of each play.

    Example:
        >>> repeated([Task("a"), Task("b")], 2)[1]
        [0, 0, 1, 1]
    """
    return [t for t in tasks for _ in range(times)], np.repeat(np.arange(len(tasks)), times).tolist()
