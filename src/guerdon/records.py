"""What one play leaves behind: frozen records, before anything is counted.

A `Trajectory` is whole: one play of one task, from the first observation to how it
ended. `Batch.of(trajectories)` turns records into columns; everything after that reads
columns.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from numbers import Integral, Real
from typing import Any, Literal

import numpy as np

from guerdon.errors import RecordError


@dataclass(frozen=True, slots=True)
class Task:
    """What is asked.

    Attributes:
        prompt: the text that sets the task; may be empty when the first observation says it.
        reference: what a verifier compares with; any JSON value.
        extra: every other key of the record, kept as it came.
    """

    prompt: str = ""
    reference: Any = None
    extra: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Step:
    """One turn: an observation, the action that answered it, and what was then observed.

    Attributes:
        observation: the text before the action.
        action: the text of the action.
        reward: what the environment paid for this step; None when it said nothing.
        state: the anchor of the state before the action; equal text means equal state.
        next_state: the same after the action; None takes the next step's `state`.
        facts: named numbers seen after the action; None for one that could not be had.
        tokens: the tokens newly read at this step, observation first, action last.
        logprobs: log-probability of each sampled token. They belong to the last
            `len(logprobs)` tokens, and only those are trained. None: all tokens were sampled
            and their log-probabilities are not known.
        sequence: which steps were one model input: equal numbers inside a trajectory were
            concatenated. None: the whole trajectory is one.
        terminated: the task itself ended here, so nothing comes after.
        extra: every other key of the record, kept as it came.
    """

    observation: str = ""
    action: str = ""
    reward: Real | None = None
    state: str | Integral | None = None
    next_state: str | Integral | None = None
    facts: Mapping[str, Any] = field(default_factory=dict)
    tokens: Sequence[int] | np.ndarray | None = None
    logprobs: Sequence[float] | np.ndarray | None = None
    sequence: Integral | None = None
    terminated: bool = False
    extra: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Ended:
    """How a trajectory ended: `finished`, `truncated` by something, or `failed` at a step.

    Example:
        >>> Ended.failed(at=3, cause="the environment hung").how
        'failed'
    """

    how: Literal["finished", "truncated", "failed"]
    by: str | None = None
    at: int | None = None
    cause: str | None = None
    extra: Mapping[str, Any] = field(default_factory=dict, hash=False)

    def __post_init__(self) -> None:
        if self.how not in ("finished", "truncated", "failed"):
            raise RecordError(
                f"Ended: how is {self.how!r}; it must be 'finished', 'truncated' or 'failed'; "
                "use Ended.finished(), Ended.truncated(by) or Ended.failed(at, cause)"
            )

    @classmethod
    def finished(cls) -> Ended:
        """The task came to its own end."""
        return cls("finished")

    @classmethod
    def truncated(cls, by: str) -> Ended:
        """Something outside the task stopped it: a horizon, a token budget."""
        return cls("truncated", by=by)

    @classmethod
    def failed(cls, at: int, cause: str) -> Ended:
        """The play broke at step `at` through no fault of the candidate."""
        return cls("failed", at=at, cause=cause)


@dataclass(frozen=True, slots=True)
class Trajectory:
    """One play of one task.

    Attributes:
        group: what it is compared with; plays of one prompt share it.
        outcome: what the whole play was worth; None when that is not known.
    """

    group: str | Integral
    task: Task = field(default_factory=Task)
    steps: Sequence[Step] = ()
    outcome: Real | None = None
    ended: Ended = field(default_factory=Ended.finished)
    extra: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for name, given, kind in (("task", self.task, Task), ("ended", self.ended, Ended)):
            if not isinstance(given, kind):
                raise _other(name, given, kind)
        if not isinstance(self.steps, Iterable):
            raise _other("steps", self.steps, Step)
        for i, step in enumerate(self.steps):
            if not isinstance(step, Step):
                raise _other(f"steps[{i}]", step, Step)


def _other(name: str, given: Any, kind: type) -> RecordError:
    way = {"Task": "Task(prompt=..., reference=...)", "Step": "steps=[Step(observation=..., action=...)]"}
    return RecordError(
        f"Trajectory: {name} is of the type {type(given).__name__}; a {kind.__name__} is needed; write "
        f"{way.get(kind.__name__, 'Ended.finished()')}, or read the play as JSON with guerdon.store.from_json"
    )


@dataclass(frozen=True, slots=True)
class Verdict:
    """A score in a declared range, or unscored with a cause. Never both, never neither.

    What the candidate did under its own stated limits is a score, the lowest where it failed; why
    it failed is then a fact (`why`). A cause is the grader's: it could not say.

    Attributes:
        value: the score; None where there is none.
        cause: why there is no score; None where there is one.
        low, high: the range.
        facts: what else was seen, by name: numbers and text.
        items: one mapping per test, criterion or reference, where the verdict was made of many.

    Example:
        >>> Verdict.score(0.5).value, Verdict.unscored("the judge answered 429").value
        (0.5, None)
        >>> Verdict.score(0.0, why="timeout").facts
        {'why': 'timeout'}
    """

    value: float | None
    cause: str | None = None
    low: float = 0.0
    high: float = 1.0
    facts: Mapping[str, Any] = field(default_factory=dict, hash=False)
    items: Sequence[Mapping[str, Any]] = field(default=(), hash=False)

    def __post_init__(self) -> None:
        if self.value is None and not self.cause:
            raise RecordError("Verdict: no value and no cause; say why it is unscored with cause=")
        if self.value is not None and self.cause is not None:
            raise RecordError(
                f"Verdict: a value, {self.value}, and a cause, {self.cause!r}; a cause says why there is no value; "
                "say why a score is low with a fact"
            )
        if self.value is not None and not self.low <= self.value <= self.high:
            raise RecordError(
                f"Verdict: {self.value} is outside [{self.low}, {self.high}]; declare the range with low= and high="
            )

    @classmethod
    def score(cls, value: float, low: float = 0.0, high: float = 1.0, items: Sequence = (), **facts: Any) -> Verdict:
        """What the candidate did was worth this."""
        return cls(float(value), None, low, high, facts, tuple(items))

    @classmethod
    def unscored(cls, cause: str, items: Sequence = (), **facts: Any) -> Verdict:
        """The grader could not say; `cause` says why."""
        return cls(None, cause, facts=facts, items=tuple(items))

    @property
    def scored(self) -> bool:
        """True when there is a value."""
        return self.value is not None
