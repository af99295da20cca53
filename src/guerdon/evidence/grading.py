"""Grading item by item: rows of a batch become the arguments of a grader, its verdicts become columns.

A grader is a plain function that returns a `Verdict`. Where and how it runs (in this process, in
processes that are killed at a deadline, on other machines) and what is remembered is not its affair.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import pyarrow as pa

from guerdon import segments
from guerdon.batch import Batch, Column, Level
from guerdon.evidence.observer import Cost
from guerdon.records import Verdict

Grade = Callable[..., Verdict]


class Workers(Protocol):
    """Whatever runs a grader over many items."""

    def run(self, grade: Grade, items: Sequence[tuple], deadline: float | None) -> list[Verdict]:
        """One verdict per item, in order. A grader that raises, hangs or dies leaves its item unscored."""
        ...


class Cache(Protocol):
    """Whatever remembers verdicts by key. Only scored ones are given to it."""

    def get(self, keys: Sequence[str]) -> Mapping[str, Verdict]:
        """The verdicts that are known, by key."""
        ...

    def put(self, verdicts: Mapping[str, Verdict]) -> None:
        """Remembers verdicts by key."""
        ...


class Here:
    """Runs graders in this process, one after another; a deadline cannot be kept here, so none is."""

    def run(self, grade: Grade, items: Sequence[tuple], deadline: float | None) -> list[Verdict]:
        """One verdict per item; one that raises leaves its item unscored."""
        return [_graded(grade, item) for item in items]


@dataclass(frozen=True)
class Grading:
    """An observer that asks a grader about each item of its level.

    Attributes:
        grade: called with the values of `reads`, in that order. It is a function of a module, or a
            frozen dataclass with `__call__`, so that it can be sent to another process.
        reads: columns. One of a coarser level is read for each of its items; of a finer level, the
            last one counts (the last action of a play).
        deadline: seconds for one item, after which it is ended and unscored; None for a grader
            that is pure and quick, which runs in this process.
        version: changes whenever the same item could get another verdict.

    Example:
        >>> same = Grading("same", lambda said, wanted: Verdict.score(said == wanted), deadline=None)
        >>> batch = Batch.from_steps(group=[0, 0], trajectory=[0, 1], reward=[0.0, 0.0], action=["a", "b"])
        >>> batch = batch.with_columns(reference=Column.of("trajectory", ["a", "a"]))
        >>> same.observe(batch)["same"].values
        array([1., 0.])
    """

    name: str
    grade: Grade
    reads: tuple[str, ...] = ("action", "reference")
    level: Level = "trajectory"
    low: float = 0.0
    high: float = 1.0
    version: str = "1"
    cost: Cost = "seconds"
    deadline: float | None = 1.0

    def observe(self, batch: Batch) -> Batch:
        """The batch with the column `name`, its cause and its facts on it."""
        rows, verdicts = rows_of(batch, self.reads, self.level, self.name)
        asked = [i for i, verdict in enumerate(verdicts) if verdict is None]
        workers = Here() if self.deadline is None else _WORKERS.get(Here())
        for i, verdict in zip(asked, workers.run(self.grade, [rows[i] for i in asked], self.deadline), strict=True):
            verdicts[i] = verdict
        return with_verdicts(batch, self.name, self.level, verdicts)


_WORKERS: ContextVar[Workers] = ContextVar("workers")


@contextmanager
def using(workers: Workers):
    """Inside the block, graders that have a deadline run on these workers."""
    token = _WORKERS.set(workers)
    try:
        yield workers
    finally:
        _WORKERS.reset(token)


def rows_of(batch: Batch, reads: Sequence[str], level: Level, who: str) -> tuple[list[tuple], list[Verdict | None]]:
    """The values that a grader is asked about, one tuple per item, and the verdicts that stand already.

    A play that failed, and an item of which a column is missing, is unscored and not asked about. A
    play that ended without any step said nothing: its text is empty, and it is asked about.
    """
    batch.need(reads, who)
    n = batch.size(level)
    columns = [_at(batch, name, level) for name in reads]
    rows = list(zip(*(c.tolist() for c in columns), strict=True)) if columns else [()] * n
    verdicts: list[Verdict | None] = [None] * n
    for name, column in zip(reads, columns, strict=True):
        for i in np.flatnonzero(~column.valid).tolist():
            verdicts[i] = verdicts[i] or Verdict.unscored(f"{name} is missing")
    if "failed" in batch:
        failed = batch.lift(batch["failed"], level) if level != "group" else None
        for i in np.flatnonzero(failed.valid & np.asarray(failed.values, bool)).tolist() if failed else ():
            verdicts[i] = Verdict.unscored("the play failed")
    return rows, verdicts


def with_verdicts(batch: Batch, name: str, level: Level, verdicts: Sequence[Verdict]) -> Batch:
    """The batch with verdicts as columns: NAME, NAME/cause where one is unscored, NAME/FACT per fact.

    Items of verdicts become the relation NAME/items: the place of what they belong to, under the name
    of its level, then their own columns.
    """
    values = np.array([np.nan if v.value is None else v.value for v in verdicts], float)
    columns = {name: Column(level, values, np.array([v.scored for v in verdicts], bool))}
    if not all(v.scored for v in verdicts):
        columns[f"{name}/cause"] = Column.of(level, pa.array([v.cause for v in verdicts], pa.string()))
    for fact in dict.fromkeys(key for v in verdicts for key in v.facts):
        seen = [v.facts.get(fact) for v in verdicts]
        text = any(isinstance(s, str) for s in seen)
        columns[f"{name}/{fact}"] = Column.of(
            level, pa.array([None if s is None else str(s) for s in seen], pa.string()) if text
            else np.array([np.nan if s is None else float(s) for s in seen], float)
        )  # fmt: skip
    batch = batch.with_columns(**columns)
    items = [{level: i, **item} for i, verdict in enumerate(verdicts) for item in verdict.items]
    return batch.with_relations(**{f"{name}/items": pa.Table.from_pylist(items)}) if items else batch


def _graded(grade: Grade, item: tuple) -> Verdict:
    try:
        return grade(*item)
    except Exception as error:  # the grader's own fault is no score
        return Verdict.unscored(f"{type(error).__name__}: {error}")


def _at(batch: Batch, name: str, level: Level) -> Column:
    """The column at a level: lifted from a coarser one, the last of each item from a finer one."""
    column = batch[name]
    if column.level == "step" and level == "trajectory":
        end = segments.last(batch.trajectory_of_step)
        owner, n = batch.trajectory_of_step[end], batch.size("trajectory")
        at = np.zeros(n, np.int64)
        at[owner] = np.flatnonzero(end)
        spoke = np.zeros(n, bool)
        spoke[owner] = True
        if not len(column):
            return Column.of(level, pa.array([""] * n, pa.string()))
        last = column.take(at, level)
        texts = [text if s else "" for text, s in zip(last.tolist(), spoke, strict=True)]
        return Column(level, np.array(texts, object), last.valid | ~spoke) if not spoke.all() else last
    return column if column.level == level else batch.lift(column, level)
