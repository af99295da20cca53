"""What can be observed: an observer looks at what was played and leaves facts.

Evidence may be costly and may fail, so it is taken once and recorded. What a fact is worth
is decided later, by a Term. A fact is a score in a declared range or unscored with a
cause: what the candidate did is scored, what the grader could not do is not.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from typing import Literal, Protocol, runtime_checkable

import numpy as np
import pyarrow as pa

from guerdon.batch import Batch, Column, Level
from guerdon.errors import GuerdonError, LevelError, UnknownNameError, UnscoredError
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
    """

    name: str
    read: Callable[[Batch], Column]
    level: Level = "trajectory"
    low: float = 0.0
    high: float = 1.0
    version: str = "1"
    cost: Cost = "free"

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

    Example:
        >>> from guerdon.evidence import turns
        >>> batch = Batch.from_steps(group=[0, 0], trajectory=[0, 0], reward=[0.0, 1.0])
        >>> observe(batch, [turns])["turns"].values
        array([2.])
    """
    wanted: dict[str, Observer] = {}
    for observer in observers:
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
    return seen, True


def _check(before: Batch, after: Batch, observer: Observer) -> None:
    column = after[observer.name]
    if column.level != observer.level:
        raise LevelError(
            f"observe: {observer.name!r} left a {column.level} column; it declares {observer.level} level; correct one"
        )
    values = np.asarray(column.values, np.float64)[column.valid]
    outside = ~((values >= observer.low) & (values <= observer.high))  # NaN is outside too
    if outside.any():
        raise UnscoredError(
            f"observe: {observer.name!r} scored {values[outside][0]}; it declares [{observer.low}, {observer.high}]; "
            "widen its range, or leave the item unscored"
        )
    if any(after.size(level) != before.size(level) for level in ("token", "step", "trajectory")):
        raise UnscoredError(f"observe: {observer.name!r} changed which items there are; it may only add columns")


def _recorded(batch: Batch) -> dict[str, dict]:
    table = batch.relations.get(RECORD)
    return {} if table is None else {row["name"]: row for row in table.to_pylist()}
