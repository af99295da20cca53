"""From plays to answers: one batch, the observers, the reward, and what is to be said of each play.

A fault is kept to where it belongs. When an observer or the reward raises on a batch, the batch is halved until
the play it raises on is alone; the others are scored. Plays that came in different requests may be scored in one
batch, and are until that is seen to change an answer.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise
from typing import Any

import numpy as np

from guerdon import segments
from guerdon.batch import Batch, Column
from guerdon.errors import ColumnError, GuerdonError, LevelError, UnscoredError
from guerdon.evidence import observe
from guerdon.records import Step, Task, Trajectory
from guerdon.rewards import Term

Array = np.ndarray
LEAVES = 16  # faults that are traced to their play in one batch; more of them are no accident of one play
CHECKED = 8  # merged batches in which each request is also looked at by itself, before merging is trusted
PROBE = tuple(
    Trajectory("probe", Task("What is 1 + 1?", "2"), (Step("", said, reward=paid),), outcome=paid)
    for said, paid in (("2", 1.0), ("3", 0.0), ("2", 1.0))
)


@dataclass(frozen=True, slots=True)
class Answer:
    """What a reward says of one play.

    Attributes:
        value: the score; of a reward at step level, its sum over the play. None where it is unscored.
        cause: why there is no value; None where there is one.
        parts: the terms that it is the sum of, by name; None for one that has no value here.
        steps: of a reward at step level, one number a step, None where it has none; else None.
        facts: what the observers left, by column.
    """

    value: float | None
    cause: str | None = None
    parts: Mapping[str, float | None] = field(default_factory=dict)
    steps: Sequence[float | None] | None = None
    facts: Mapping[str, Any] = field(default_factory=dict)

    @property
    def scored(self) -> bool:
        """True when there is a value."""
        return self.value is not None

    def as_json(self) -> dict[str, Any]:
        """The object that the server sends: no NaN, and no key without something under it but value and cause."""
        out: dict[str, Any] = {"value": self.value, "cause": self.cause, "parts": self.parts}
        if self.steps is not None:
            out["steps"] = self.steps
        if self.facts:
            out["facts"] = self.facts
        return out


@dataclass
class Scoring:
    """Scores plays with a reward.

    Attributes:
        term: the reward.
        workers: where its graders run; None for the pool of this process.
        cache: what is remembered of their verdicts; None for nothing.
        merge: whether requests may share a batch; turned off for good when that changes an answer.

    Example:
        >>> from guerdon.rewards import fact
        >>> [a.value for a in Scoring(fact("outcome")).score([Trajectory("p", outcome=0.5), Trajectory("p")])]
        [0.5, None]
    """

    term: Term
    workers: Any = None
    cache: Any = None
    merge: bool = True

    def __post_init__(self) -> None:
        self._checks = CHECKED

    def score(self, plays: Sequence[Trajectory]) -> list[Answer]:
        """One answer per play, in order; plays of one group are scored together."""
        return self._score(plays, [LEAVES]) if plays else []

    def _score(self, plays: Sequence[Trajectory], left: list[int]) -> list[Answer]:
        several = left[0] > 0 and len({play.group for play in plays}) > 1
        try:
            batch = Batch.of(plays)
            seen = self._observed(batch)
            faulty = _faulty(seen, self.term)
            if not several or not faulty:
                left[0] -= bool(faulty)
                return _answers(self.term, batch, seen)
        except Exception as error:  # noqa: BLE001 (whatever the reward raises is a cause, not a crash)
            if not several or isinstance(error, ColumnError):  # what no play has, no half has
                left[0] -= 1
                return [Answer(None, sentence(error))] * len(plays)
        out: list[Answer | None] = [None] * len(plays)
        for half in _halves(plays):
            for i, answer in zip(half, self._score([plays[i] for i in half], left), strict=True):
                out[i] = answer
        return out

    def score_whole(self, plays: Sequence[Trajectory]) -> tuple[list[Answer], Batch]:
        """The answers, and the batch with the facts and the column `worth` on it, to be kept."""
        batch = seen = Batch.of(plays)
        try:
            seen = self._observed(batch)
            if not _faulty(seen, self.term):
                return _answers(self.term, batch, seen), seen.with_columns(worth=self.term(seen))
        except Exception:  # noqa: BLE001 (found again, play by play, below)
            seen = batch
        answers = self.score(plays)
        worth = [np.nan if a.value is None else a.value for a in answers]
        return answers, seen.with_columns(worth=Column.of("trajectory", np.array(worth, float)))

    def score_each(self, requests: Sequence[Sequence[Trajectory]]) -> list[list[Answer]]:
        """One list of answers per request; a group is never shared between requests."""
        if len(requests) < 2 or not self.merge or _mixed(requests):
            return [self.score(plays) for plays in requests]
        together = [replace_group(play, (n, play.group)) for n, asked in enumerate(requests) for play in asked]
        if self._checks > 0:
            try:
                return self._checked(together, list(map(len, requests)))
            except Exception:  # noqa: BLE001 (found again, request by request)
                return [self.score(plays) for plays in requests]
        answers = iter(self.score(together))
        return [[next(answers) for _ in asked] for asked in requests]

    def _checked(self, plays: Sequence[Trajectory], sizes: Sequence[int]) -> list[list[Answer]]:
        """The answers of requests that shared a batch, if they are those of each request by itself; else the latter."""
        batch = Batch.of(plays)
        seen = self._observed(batch)
        if faulty := _faulty(seen, self.term):
            raise UnscoredError(f"score: {faulty} broke on the batch")
        answers = iter(_answers(self.term, batch, seen))
        together = [[next(answers) for _ in range(size)] for size in sizes]
        apart = self._apart(batch, seen, np.repeat(np.arange(len(sizes)), sizes))
        if list(map(_numbers, together)) == list(map(_numbers, apart)):
            self._checks -= 1
            return together
        self.merge = False
        return apart

    def _apart(self, before: Batch, seen: Batch, owner: Array) -> list[list[Answer]]:
        """What each owner's plays get by themselves. Graders are not asked again: they see one play at a time."""
        free = tuple(o for o in self.term.observers if o.cost == "free")
        again = {o.name for o in free}
        out = []
        for n in range(int(owner.max(initial=-1)) + 1):
            mine = seen.select(owner == n)
            kept = {k: c for k, c in mine.columns.items() if k.partition("/")[0] not in again}
            out.append(_answers(self.term, before, observe(replace(mine, columns=kept), free)))
        return out

    def _observed(self, batch: Batch) -> Batch:
        if not self.term.observers:
            return batch
        return observe(batch, self.term.observers, workers=self.workers, cache=self.cache)

    def compares(self, plays: Sequence[Trajectory] = PROBE) -> str:
        """Why a play cannot be scored alone, or "": the reward, or an observer, looks at its group."""
        named = [o.name for o in self.term.observers if o.level == "group"]
        if named:
            return f"the observer {named[0]!r} grades whole groups"
        try:
            batch = Batch.of([replace_group(play, "probe") for play in plays])
            seen = self._observed(batch)
            together = _answers(self.term, batch, seen)
            alone = [answer for (answer,) in self._apart(batch, seen, np.arange(len(plays)))]
        except Exception:  # noqa: BLE001 (what the probe lacks, plays may have)
            return ""
        if _numbers(together) != _numbers(alone):
            return f"the reward {self.term.name!r} compares the plays of a group"
        return ""


def _numbers(answers: Sequence[Answer]) -> list[tuple]:
    return [(a.value, a.parts if a.scored else None, a.steps) for a in answers]


def replace_group(play: Trajectory, group: Any) -> Trajectory:
    """The same play in another group."""
    return Trajectory(group, play.task, play.steps, play.outcome, play.ended, play.extra)


# What to say of each play.


def _answers(term: Term, before: Batch, after: Batch) -> list[Answer]:
    column = term(after)
    if column.level == "token":
        raise LevelError(
            f"score: the reward {term.name!r} is at token level; a step, trajectory or group level is needed; "
            "bring it to steps first"
        )
    values, steps = _per_play(after, column)
    parts = _named_parts(after, column)
    facts = _facts(before, after)
    names = list(parts)
    rows = zip(*parts.values(), strict=True) if parts else [()] * len(values)
    seen = list(facts.items())
    out = []
    for i, (value, row) in enumerate(zip(values, rows, strict=True)):
        mine = {name: fact[i] for name, fact in seen if fact[i] is not None}
        cause = None if value is not None else _cause(term, after, column, parts, i)
        out.append(Answer(value, cause, dict(zip(names, row, strict=True)), steps[i] if steps else None, mine))
    return out


def _per_play(batch: Batch, column: Column) -> tuple[list[float | None], list[list[float | None]] | None]:
    """A number per play, None where there is none, and its steps where the column has steps."""
    if column.level == "group":
        column = batch.lift(column, "trajectory")
    flat = _finite(column)
    if column.level == "trajectory":
        return flat, None
    ends = np.searchsorted(batch.trajectory_of_step, np.arange(batch.size("trajectory") + 1)).tolist()
    steps = [flat[a:b] for a, b in pairwise(ends)]
    sums = segments.total(
        np.where(column.valid, column.values, 0.0), batch.trajectory_of_step, batch.size("trajectory")
    )
    failed = _failed(batch)
    whole = [None not in own and not fell for own, fell in zip(steps, failed, strict=True)]
    return [s if fine and math.isfinite(s) else None for s, fine in zip(sums.tolist(), whole, strict=True)], steps


def _finite(column: Column) -> list[float | None]:
    values = np.asarray(column.values, np.float64)
    there = column.valid & np.isfinite(values)
    values = values.tolist()
    return values if there.all() else [v if ok else None for v, ok in zip(values, there.tolist(), strict=True)]


def _failed(batch: Batch) -> list[bool]:
    if "failed" not in batch:
        return [False] * batch.size("trajectory")
    column = batch["failed"]
    return (column.valid & np.asarray(column.values, bool)).tolist()


def _named_parts(batch: Batch, column: Column) -> dict[str, list[float | None]]:
    out: dict[str, list[float | None]] = {}
    for name, part in column.parts:
        free, n = name, 2
        while free in out:  # two terms may have one name
            free, n = f"{name} ({n})", n + 1
        out[free] = _per_play(batch, part)[0]
    return out


def _facts(before: Batch, after: Batch) -> dict[str, list[Any]]:
    """The columns that observing added, as one value or one list a play; causes are told apart from them."""
    out = {}
    for name, column in after.columns.items():
        if name.endswith("/cause") or name in before or column.level == "token":
            continue
        if isinstance(column.values, np.ndarray) and column.values.ndim > 1:
            continue
        if column.level == "group":
            column = after.lift(column, "trajectory")
        numbers = isinstance(column.values, np.ndarray) and column.values.dtype.kind in "fiu"
        flat = _finite(column) if numbers else column.tolist()
        if column.level == "trajectory":
            out[name] = flat
            continue
        ends = np.searchsorted(after.trajectory_of_step, np.arange(after.size("trajectory") + 1)).tolist()
        out[name] = [flat[a:b] for a, b in pairwise(ends)]
    return out


def sentence(error: BaseException) -> str:
    """What an error says; with its type where it is not ours.

    Example:
        >>> sentence(ZeroDivisionError("by zero"))
        'ZeroDivisionError: by zero'
    """
    return str(error) if isinstance(error, GuerdonError) else f"{type(error).__name__}: {error}"


def _cause(term: Term, batch: Batch, column: Column, parts: Mapping[str, list], i: int) -> str:
    """Why play i has no value: how it ended, what its observers say, or which part is missing."""
    if _failed(batch)[i]:
        by = batch["ended_by"].tolist()[i] if "ended_by" in batch else None
        return f"the play failed{f': {by}' if by else ''}"
    found = [(o.name, why) for o in term.observers for why in [_unseen(batch, o.name, i)] if why]
    said = [why if why.startswith(f"{name}: ") else f"{name}: {why}" for name, why in found]
    if said:
        return "; ".join(dict.fromkeys(said))
    missing = [name for name, values in parts.items() if values[i] is None] or [term.name]
    if len(missing) == 1 and missing[0] in batch:  # a column that other plays fill
        return f"{missing[0]} is missing"
    return f"{' and '.join(missing)} {'have' if len(missing) > 1 else 'has'} no value for this play"


def _unseen(batch: Batch, name: str, i: int) -> str | None:
    """Why an observer left no fact for play i, or None where it left one."""
    if name not in batch:
        return "it left no fact"
    column = batch[name]
    at = _of_play(batch, column.level, i)
    missing = at[~column.valid[at]]
    if not len(missing):
        return None
    cause = f"{name}/cause"
    said = batch[cause].take(missing[:1]).tolist()[0] if cause in batch else None
    return said or "it could not say, and gave no cause"


def _of_play(batch: Batch, level: str, i: int) -> np.ndarray:
    if level == "group":
        return batch.group_of_trajectory[[i]]
    if level == "step":
        return np.flatnonzero(batch.trajectory_of_step == i)
    return np.array([i]) if level == "trajectory" else np.zeros(0, np.int64)


# Where a fault belongs.


def _faulty(batch: Batch, term: Term) -> list[str]:
    """Observers that broke on the batch as a whole: `observe` keeps no record of those."""
    if not term.observers:
        return []
    table = batch.relations.get("observers")
    kept = set() if table is None else set(table["name"].to_pylist())
    return [o.name for o in term.observers if o.name not in kept]


def _halves(plays: Sequence[Trajectory]) -> list[list[int]]:
    """The places of the plays in two halves that cut no group."""
    groups: dict[Any, list[int]] = {}
    for i, play in enumerate(plays):
        groups.setdefault(play.group, []).append(i)
    parts, half = list(groups.values()), len(groups) // 2
    return [[i for part in parts[:half] for i in part], [i for part in parts[half:] for i in part]]


def _mixed(requests: Sequence[Sequence[Trajectory]]) -> bool:
    """Whether a key is text in one play and a number in another: sharing a batch would make all of them text."""
    kinds: dict[tuple[str, str], bool] = {}
    for asked in requests:
        for play in asked:
            for key, value in play.task.extra.items():
                if value is not None and kinds.setdefault(("task", key), isinstance(value, str)) != isinstance(
                    value, str
                ):
                    return True
            for step in play.steps:
                for key, value in step.facts.items() if step.facts else ():
                    text = isinstance(value, str | list | dict)
                    if value is not None and kinds.setdefault(("fact", key), text) != text:
                        return True
    return False
