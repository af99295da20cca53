"""What can be observed: an observer looks at what was played and leaves facts.

Evidence may be costly and may fail, so it is taken once and recorded. What a fact is worth
is decided later, by a Term. A fact is a score in a declared range or unscored with a
cause: what the candidate did is scored, what the grader could not do is not.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from typing import Any, Literal, Protocol, runtime_checkable

import numpy as np
import pyarrow as pa

from guerdon.batch import Batch, Column, Level
from guerdon.errors import GuerdonError, LevelError, RecordError, UnknownNameError, UnscoredError
from guerdon.evidence.use import Memory, Progress, Workers, using

Cost = Literal["free", "seconds", "minutes"]
RECORD = "observers"  # the relation that says which version of which observer left its facts


@runtime_checkable
class Observer(Protocol):
    """Looks at a batch and adds the column `name`, and other facts where it likes.

    Attributes:
        name: of its fact's column; a Term reads it by `fact(observer)` or `fact(name)`.
        version: changes whenever the same play could get another fact.
        low, high: the range that every score is in.
        level: of the column.
        cost: what a batch costs: "free" (reads columns), "seconds", "minutes".
    """

    name: str
    version: str
    low: float
    high: float
    level: Level
    cost: Cost

    def observe(self, batch: Batch) -> Batch:
        """The batch with its facts on. A text column `NAME/cause` may say why one is unscored."""
        ...


@dataclass(frozen=True)
class Reading:
    """An observer that only reads columns: a pure function with a name and a range.

    Attributes:
        read: from a batch to the column of facts.
        level, low, high: of that column; what is outside the range leaves the whole batch unscored.

    Example:
        >>> words = Reading("words", lambda b: Column.of("step", [len(a.split()) for a in b["action"].tolist()]),
        ...                 level="step", high=np.inf)
        >>> batch = Batch.from_steps(group=[0], trajectory=[0], reward=[0.0], action=["go north"])
        >>> words.observe(batch)["words"].values
        array([2])
    """

    name: str
    read: Callable[[Batch], Column]
    level: Level = "trajectory"
    low: float = 0.0
    high: float = 1.0
    version: str = "1"
    cost: Cost = "free"

    def __post_init__(self) -> None:
        check_name(self.name, "Reading")

    def observe(self, batch: Batch) -> Batch:
        """The batch with the column `name` on it."""
        return batch.with_columns(**{self.name: self.read(batch)})


def observe(
    batch: Batch,
    observers: Iterable[Observer],
    *,
    workers: Workers | None = None,
    cache: Memory | None = None,
    progress: Progress | None = None,
) -> Batch:
    """Runs each observer once and records its version.

    An observer whose column is on the batch in its present version is not run again. One
    that raises, or returns what it did not declare, leaves a column that is unscored
    throughout and the text column `NAME/cause` with the reason; the others still run.

    Args:
        observers: as in `term.observers`; equal ones run once.
        workers: where graders that have a deadline run; None: those of `using`, else a pool of this process.
        cache: where scored verdicts are looked up and kept; None: that of `using`, else none.
        progress: called with an observer's name, how many of its items are done, and of how many.

    Returns:
        The batch with their facts, and the relation `observers`: name, version, level, low, high, cost.

    Raises:
        UnknownNameError: two different observers have one name.
        RecordError: what is given is no list of observers.

    Example:
        >>> from guerdon.evidence import turns
        >>> batch = Batch.from_steps(group=[0, 0], trajectory=[0, 0], reward=[0.0, 1.0])
        >>> observe(batch, [turns])["turns"].values
        array([2.])
    """
    wanted: dict[str, Observer] = {}
    if not isinstance(observers, Iterable):
        raise RecordError(
            f"observe: {_shown(observers)} is given for the observers; a list of them is needed; write "
            "observe(batch, [match(), turns]), or observe(batch, term.observers)"
        )
    for observer in (an_observer(given, "observe") for given in observers):
        if wanted.setdefault(observer.name, observer) != observer:
            raise UnknownNameError(
                f"observe: two observers are named {observer.name!r}; a name stands for one column of facts; rename one"
            )
    known = _recorded(batch)
    for name, observer in wanted.items():
        if name in batch and name in known and known[name]["version"] == observer.version:
            continue
        with using(workers, cache, progress):
            batch, fine = _observed(batch, observer)
        if fine:  # a fault is never kept as an answer, so it is tried again next time
            known[name] = {k: getattr(observer, k) for k in ("name", "version", "level", "low", "high", "cost")}
        else:
            known.pop(name, None)
    if not known:
        return replace(batch, relations={k: t for k, t in batch.relations.items() if k != RECORD})
    return batch.with_relations(**{RECORD: pa.Table.from_pylist(list(known.values()))})


def unscored(batch: Batch, name: str) -> dict[str, int]:
    """How many items of a fact are unscored, by cause; "" where none was given.

    Example:
        >>> batch = Batch.from_steps(group=[0, 0], trajectory=[0, 0], reward=[0.0, None])
        >>> unscored(batch, "reward")
        {'': 1}
    """
    missing = ~batch[name].valid
    cause = f"{name}/cause"
    texts = np.array(batch[cause].tolist() if cause in batch else [""] * len(missing), object)[missing]
    out: dict[str, int] = {}
    for text in texts.tolist():
        out[text or ""] = out.get(text or "", 0) + 1
    return out


def an_observer(given: Any, who: str) -> Observer:
    """What is given, which is an observer with a text for a name; else RecordError, with what to write.

    Example:
        >>> from guerdon.evidence import match
        >>> an_observer(match, "fact")
        Traceback (most recent call last):
        ...
        guerdon.errors.RecordError: fact: match itself is given, uncalled; an observer is needed; call it: match()
    """
    if isinstance(given, Observer) and not isinstance(given, type):
        check_name(given.name, who)
        return given
    if callable(given) and (name := getattr(given, "__name__", None)):
        raise RecordError(f"{who}: {name} itself is given, uncalled; an observer is needed; call it: {name}()")
    raise RecordError(
        f"{who}: {_shown(given)} is given; an observer is needed, such as match() or turns; see docs/observers.md"
    )


def check_name(name: Any, who: str) -> None:
    """Raises RecordError unless the name of an observer is a text that is not empty: an option in its place is told."""
    if not isinstance(name, str) or not name:
        raise RecordError(
            f"{who}: {_shown(name)} is given for the name of an observer; a text is needed; the name comes first, so "
            "give options by keyword, as in length_band(low=1, high=50, slack=10)"
        )


def failures(batch: Batch, level: Level) -> list[str | None]:
    """For each item of a level why its play failed, as it was recorded; None where it did not.

    Example:
        >>> from guerdon.records import Ended, Trajectory
        >>> failures(Batch.of([Trajectory("a", ended=Ended.failed(0, "it hung")), Trajectory("a")]), "trajectory")
        ['the play failed: it hung', None]
    """
    failed = batch["failed"] if "failed" in batch and level != "group" else None
    if failed is None or not (failed.valid & np.asarray(failed.values, bool)).any():
        return [None] * batch.size(level)
    ended = batch["ended_by"].tolist() if "ended_by" in batch else [None] * len(failed)
    whys = [f"the play failed{f': {by}' if by else ''}" if fell else None
            for fell, by in zip(failed.tolist(), ended, strict=True)]  # fmt: skip
    return [whys[i] for i in batch.index("trajectory", at=level).tolist()]


def _shown(given: Any) -> str:
    """The value and its kind, short enough for a sentence."""
    said = repr(given)
    return f"{said if len(said) <= 60 else said[:57] + '...'} ({type(given).__name__})"


def _observed(batch: Batch, observer: Observer) -> tuple[Batch, bool]:
    cause = f"{observer.name}/cause"
    try:
        seen = observer.observe(batch)
        _check(batch, seen, observer)
    except Exception as error:  # the boundary to the world: whatever broke is a cause, not a crash
        why = str(error) if isinstance(error, GuerdonError) else f"{type(error).__name__}: {error}"
        n = batch.size(observer.level)
        return batch.with_columns(
            **{
                observer.name: Column(observer.level, np.full(n, np.nan), np.zeros(n, bool)),
                cause: Column.of(observer.level, pa.array([why] * n, pa.string())),
            }
        ), False
    if cause in batch and seen[cause] is batch[cause]:  # left by an earlier fault, and no longer true
        seen = replace(seen, columns={name: c for name, c in seen.columns.items() if name != cause})
    return _with_failures(seen, observer.name), True


def _with_failures(batch: Batch, name: str) -> Batch:
    """The batch with the recorded cause of a play that failed, where the observer left neither score nor cause."""
    column, cause = batch[name], f"{name}/cause"
    ends = [] if column.whole else failures(batch, column.level)
    if not any(ends):
        return batch
    said = batch[cause].tolist() if cause in batch else [None] * len(column)
    told = [why or (None if ok else end) for why, ok, end in zip(said, column.valid.tolist(), ends, strict=True)]
    return (
        batch if told == said else batch.with_columns(**{cause: Column.of(column.level, pa.array(told, pa.string()))})
    )


def _check(before: Batch, after: Batch, observer: Observer) -> None:
    column = after[observer.name]
    if column.level != observer.level:
        raise LevelError(
            f"observe: {observer.name!r} left a {column.level} column; it declares {observer.level} level; declare "
            f"it with level={column.level!r}, or leave a {observer.level} column"
        )
    values = np.asarray(column.values, np.float64)[column.valid]
    outside = ~((values >= observer.low) & (values <= observer.high))  # NaN is outside too
    if outside.any():
        raise UnscoredError(
            f"observe: {observer.name!r} scored {values[outside][0]}; it declares [{observer.low}, {observer.high}]; "
            "declare the range with low= and high=, or leave the item unscored"
        )
    if any(after.size(level) != before.size(level) for level in ("token", "step", "trajectory")):
        raise UnscoredError(f"observe: {observer.name!r} changed which items there are; it may only add columns")


def _recorded(batch: Batch) -> dict[str, dict]:
    table = batch.relations.get(RECORD)
    return {} if table is None else {row["name"]: row for row in table.to_pylist()}
