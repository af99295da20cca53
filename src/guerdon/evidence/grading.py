"""Grading item by item: rows of a batch become the arguments of a grader, its verdicts become columns.

A grader is a plain function that returns a `Verdict`. Where and how it runs (in this process, in
processes that are killed at a deadline, on other machines) and what is remembered is not its affair.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from numbers import Real
from typing import Any, Protocol, runtime_checkable

import numpy as np
import pyarrow as pa

from guerdon import segments
from guerdon.batch import Batch, Column, Level
from guerdon.errors import RecordError
from guerdon.evidence.cache import keys
from guerdon.evidence.observer import Cost, check_name, failures
from guerdon.evidence.use import Grade, Here, Workers, cache_in_use, progress_in_use, using, workers_in_use
from guerdon.evidence.use import Memory as Cache
from guerdon.records import Verdict

__all__ = ["Cache", "Grade", "Grading", "Here", "Workers", "remembered", "rows_of", "using", "with_verdicts"]

SLICE = 4096  # items graded before their verdicts are remembered


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

    def __post_init__(self) -> None:
        check_name(self.name, "Grading")
        check_reads(self.reads, "Grading")

    def observe(self, batch: Batch) -> Batch:
        """The batch with the column `name`, its cause and its facts on it."""
        rows, verdicts = rows_of(batch, self.reads, self.level, self.name)
        asked = [i for i, verdict in enumerate(verdicts) if verdict is None]
        items = [rows[i] for i in asked]
        if self.deadline is None:  # quicker than remembering
            found = Here().run(self.grade, items, None)
        else:
            workers = workers_in_use()

            def ask(some: list[tuple]) -> list[Verdict]:
                return list(map(self._within, workers.run(self.grade, some, self.deadline)))

            found = remembered(self, self.grade, items, ask)
        for i, verdict in zip(asked, found, strict=True):
            verdicts[i] = self._within(verdict)
        return with_verdicts(batch, self.name, self.level, verdicts)

    def _within(self, verdict: Verdict) -> Verdict:
        if verdict.value is None or self.low <= verdict.value <= self.high:
            return verdict
        return Verdict.unscored(f"the grader scored {verdict.value:g}, outside its range [{self.low:g}, {self.high:g}]")


@runtime_checkable
class Named(Protocol):
    """What verdicts are remembered under, beside the grader and the items: any observer."""

    name: str
    version: str
    low: float
    high: float


def remembered(
    observer: Named, grade: Grade, items: Sequence[tuple], ask: Callable[[list[tuple]], list[Verdict]]
) -> list[Verdict]:
    """A verdict per item: from the cache in use where it is known, else asked for, once for equal items.

    What is asked for is remembered when it is scored; unscored verdicts are asked for again next time.
    Whoever listens (`using(progress=...)`) hears how far it is.

    Args:
        observer: its name, version and range are part of what verdicts are remembered under.
        grade: with its settings, likewise.
        ask: from some items to a verdict each, in order.

    Example:
        >>> asked = []
        >>> def ask(some):
        ...     asked.extend(some)
        ...     return [Verdict.score(1.0) for _ in some]
        >>> verdicts = remembered(Grading("same", len), len, [("a",), ("b",), ("a",)], ask)
        >>> len(verdicts), asked
        (3, [('a',), ('b',)])
    """
    cache, progress = cache_in_use(), progress_in_use()
    named = keys(observer.name, observer.version, observer.low, observer.high, grade, items)
    known = dict(cache.get(list({key for key in named if key}))) if cache else {}
    first: dict[str | int, int] = {}  # where each different item that is not known stands first
    for i, key in enumerate(named):
        if key not in known:
            first.setdefault(key or i, i)
    to_ask, n = list(first.items()), len(items)
    fresh: dict[str | int, Verdict] = {}
    for at in range(0, len(to_ask), SLICE):
        some = to_ask[at : at + SLICE]
        verdicts = dict(zip((key for key, _ in some), ask([items[i] for _, i in some]), strict=True))
        if cache:
            cache.put({k: v for k, v in verdicts.items() if isinstance(k, str) and v.scored})
        fresh |= verdicts
        if progress:
            progress(observer.name, n - len(to_ask) + len(fresh), n)
    if progress and not to_ask:
        progress(observer.name, n, n)
    return [known[key] if key in known else fresh[key or i] for i, key in enumerate(named)]


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
    fell = [(i, why) for i, why in enumerate(failures(batch, level)) if why]
    for i, why in fell:
        verdicts[i] = Verdict.unscored(why)
    return rows, verdicts


def check_reads(reads: Any, who: str) -> None:
    """Raises RecordError where what is read is one text, which is no list of columns but a list of letters."""
    if isinstance(reads, str):
        raise RecordError(f"{who}: reads is {reads!r}; a list of columns is needed; write reads=({reads!r},)")


def with_verdicts(batch: Batch, name: str, level: Level, verdicts: Sequence[Verdict]) -> Batch:
    """The batch with verdicts as columns: NAME, NAME/cause where one is unscored, NAME/FACT per fact.

    Items of verdicts become the relation NAME/items: the place of what they belong to, under the name
    of its level, then their own columns.
    """
    values = np.array([np.nan if v.value is None else v.value for v in verdicts], float)
    columns = {name: Column(level, values, np.array([v.scored for v in verdicts], bool))}
    if not all(v.scored for v in verdicts):
        columns[f"{name}/cause"] = Column.of(level, _texts([v.cause for v in verdicts]))
    for fact in dict.fromkeys(key for v in verdicts for key in v.facts):
        label = f"{name}/{fact}"
        label += "_" * (label in columns)  # a fact called `cause` is none
        columns[label] = Column.of(level, _values([v.facts.get(fact) for v in verdicts]))
    batch = batch.with_columns(**columns)
    items = [{level: i, **item} for i, verdict in enumerate(verdicts) for item in verdict.items]
    return batch.with_relations(**{f"{name}/items": _table(items)}) if items else batch


def _table(rows: list[dict[str, Any]]) -> pa.Table:
    """The rows as a table with every column that any of them has; one of mixed types becomes text."""
    out = {}
    for name in dict.fromkeys(key for row in rows for key in row):
        values = [row.get(name) for row in rows]
        try:
            out[name] = pa.array(values)
        except (pa.ArrowException, UnicodeError, OverflowError, TypeError):
            out[name] = _texts(values)
    return pa.table(out)


def _values(seen: list[Any]) -> np.ndarray | pa.Array:
    """Numbers, NaN where there is none; else texts, as also for whole numbers that no float holds."""
    if all(s is None or isinstance(s, Real | np.bool_) for s in seen):
        with suppress(OverflowError):
            return np.array([np.nan if s is None else float(s) for s in seen], float)
    return _texts(seen)


def _texts(values: list[Any]) -> pa.Array:
    """Text as Arrow can hold it: no halves of surrogate pairs; what is no text is written as JSON."""
    said = [v if v is None or isinstance(v, str) else json.dumps(v, default=str) for v in values]
    return pa.array([None if s is None else s.encode("utf-8", "replace").decode() for s in said], pa.string())


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
