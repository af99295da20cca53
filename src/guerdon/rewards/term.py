"""What a play was worth, as an algebra: terms read facts, and a sum of terms is a term.

A `Term` is a named pure function `Batch -> Column`. Terms are closed under `+`, `-` and
scalar `*`, and under the functions of this package. A sum keeps its parts, and the parts
added in the order stored give the whole bit for bit, so a report can show what a reward
was made of. Levels never mix by accident: `at_end` and `broadcast` bring a trajectory term
to steps, `total`, `mean` and `final` bring a step term to trajectories.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from numbers import Real
from typing import Any

import numpy as np

from guerdon import segments
from guerdon.batch import Batch, Column, Level
from guerdon.errors import ColumnError, LevelError, RecordError, UnscoredError
from guerdon.evidence import Observer
from guerdon.evidence.observer import an_observer

Array = np.ndarray
Part = tuple[str, Column]
WAYS_OUT = (
    "use at_end or broadcast to bring a trajectory term to steps, total or mean to bring a step term to trajectories"
)


@dataclass(frozen=True)
class Term:
    """A named function from a batch to a column of floats, closed under `+` and scalar `*`.

    Attributes:
        name: what it scores; the name of its part when it stands in a sum.
        score: the function; pure.
        observers: what the evidence stage must run before this term can be read.
        affine_of: the fact that this is an affine map of, or None. A std-scaled comparison
            cancels such a map of a binary fact exactly, so credit can warn.
        gates: the conditions that it, or a part of it, stands behind: each a term and the threshold
            above which it is open, so that one that never opens can be told of.
        level: of its column, where an observer declared it; None where that is known of a batch only.

    Example:
        >>> batch = Batch.from_steps(group=[0, 0], trajectory=[0, 0], reward=[1.0, 2.0])
        >>> worth = fact("reward") + 0.5 * fact("terminated")
        >>> worth(batch).values, [name for name, _ in worth(batch).parts]
        (array([1. , 2.5]), ['reward', 'terminated'])
    """

    name: str
    score: Callable[[Batch], Column]
    observers: tuple[Observer, ...] = ()
    affine_of: str | None = None
    gates: tuple[tuple[Term, Real], ...] = ()
    level: Level | None = None

    __array_ufunc__ = None  # so that np.float64(2) * term comes here, not to numpy's broadcasting

    def __call__(self, batch: Batch) -> Column:
        try:
            return self.score(batch)
        except LevelError as error:
            if told := _faults(batch, str(error)):
                raise LevelError(f"{told}; and so {error}") from error
            raise

    def __add__(self, other: Term | Real) -> Term:
        if isinstance(other, Term):
            return _sum(self, other)
        if isinstance(other, Real) and other == 0:  # what Python's own sum() starts from
            return self
        if isinstance(other, Real):
            raise LevelError(
                f"Term: {self.name!r} + {other}; a number has no level, so it is not known how often it counts; "
                f"use affine({self.name!r}, offset={other})"
            )
        return NotImplemented

    __radd__ = __add__

    def __mul__(self, weight: Real) -> Term:
        if not isinstance(weight, Real):
            return NotImplemented
        if not np.isfinite(weight):
            raise UnscoredError(f"Term: {weight} * {self.name!r}; a weight must be finite; drop the term instead")
        times = mapped(self, lambda _, c: floats(c, weight * c.values, c.valid), level=self.level)
        return replace(times, affine_of=self.affine_of)

    __rmul__ = __mul__

    def __neg__(self) -> Term:
        return -1.0 * self

    def __sub__(self, other: Term | Real) -> Term:
        return self + -1.0 * other if isinstance(other, Term) else self + -other

    def named(self, name: str) -> Term:
        """The same term under another name; the parts of a sum keep theirs."""
        return replace(self, name=name)


def fact(what: str | Observer) -> Term:
    """Reads a fact as it stands; missing where it is missing.

    Args:
        what: the name of a numeric column, or an observer, which the term then holds and
            whose column it reads.

    Raises:
        RecordError: it is neither, such as a function that makes an observer and was not called.
        ColumnError: when called, if the batch has no such column, or it holds no single numbers.
        UnscoredError: when called, if a value that counts as present is infinite or NaN.

    Example:
        >>> batch = Batch.from_steps(group=[0], trajectory=[0], reward=[1.0])
        >>> fact("outcome")(batch).values
        array([1.])
    """
    observer = None if isinstance(what, str) else an_observer(what, "fact")
    name = what if observer is None else observer.name

    def score(batch: Batch) -> Column:
        column = batch[name]
        values = column.values
        if not isinstance(values, np.ndarray) or values.dtype.kind not in "biuf" or values.ndim > 1:
            raise ColumnError(
                f"fact: column {name!r} does not hold one number per item; a numeric column is needed; "
                "turn it into one with an observer"
            )
        values = np.asarray(values, values.dtype if values.dtype == np.float32 else np.float64)
        if not np.isfinite(values).all() and not np.isfinite(values[column.valid]).all():
            raise UnscoredError(
                f"fact: column {name!r} is not finite at an item that counts as scored; "
                "a missing score is not a number; say which are missing with Column.of(..., valid=)"
            )
        return floats(column, values, column.valid)

    if observer is None:
        return Term(name, score, affine_of=name)
    return Term(name, score, (observer,), name, level=observer.level)


def floats(like: Column, values: Array, valid: Array, level: Level | None = None) -> Column:
    """A column of floats without parts, NaN where it is missing, so that a forgotten mask shows."""
    valid = np.asarray(valid, bool)
    whole = like.whole if valid is like.valid else valid.all()
    return Column(level or like.level, values if whole else np.where(valid, values, np.nan), valid)


def add_up(parts: Iterable[Part]) -> Column:
    """The sum of the parts in this order; missing where any part is.

        values = ((p0 + p1) + p2) + ...

    Raises:
        LevelError: the parts are not all at one level.
    """
    parts = tuple(parts)
    first = parts[0][1]
    values, valid = first.values, first.valid
    for name, column in parts[1:]:
        one_level(parts[0][0], first.level, name, column.level)
        values, valid = values + column.values, valid & column.valid
    return Column(first.level, values, valid, parts)


def one_level(name: str, level: Level | None, other: str, its: Level | None) -> None:
    """Raises LevelError where both levels are known and differ."""
    if level and its and level != its:
        raise LevelError(
            f"sum: {name!r} is at {level} level and {other!r} at {its} level; one level is needed; {WAYS_OUT}"
        )


def a_term(given: Any, who: str) -> Term:
    """What is given, which is a term; else RecordError, with what to write."""
    if isinstance(given, Term):
        return given
    write = f"fact({given!r})" if isinstance(given, str) else "fact(observer)"
    raise RecordError(f"{who}: {given!r} is of the type {type(given).__name__}; a term is needed; write {write}")


def mapped(term: Term, f: Callable[[Batch, Column], Column], observers: tuple = (), level: Level | None = None) -> Term:
    """The term under a linear map of columns, part by part; the whole is added up again from the parts.

    Args:
        level: of what comes out, where it is known.
    """
    a_term(term, getattr(f, "__qualname__", "mapped").partition(".")[0])

    def score(batch: Batch) -> Column:
        column = term(batch)
        if not column.parts:
            return f(batch, column)
        return add_up((name, f(batch, part)) for name, part in column.parts)

    return Term(term.name, score, union(term.observers, observers), gates=term.gates, level=level)


def union(*several: tuple[Any, ...]) -> tuple[Any, ...]:
    """What any of them holds, each once, in order; equal observers are one."""
    out: list[Any] = []
    for item in (x for one in several for x in one):
        if item not in out:
            out.append(item)
    return tuple(out)


def at_end(term: Term) -> Term:
    """A trajectory term on the last step of each trajectory, 0 on the steps before.

    `total(at_end(x))` is `x`.

    Example:
        >>> batch = Batch.from_steps(group=[0, 0], trajectory=[0, 0], reward=[1.0, 2.0])
        >>> at_end(fact("outcome"))(batch).values
        array([0., 3.])
    """

    def place(batch: Batch, column: Column) -> Column:
        owner = batch.trajectory_of_step
        end = segments.last(owner)
        return floats(column, np.where(end, column.values[owner], 0.0), column.valid[owner] | ~end, "step")

    return replace(_moved("at_end", term, place, "step", "trajectory"), affine_of=term.affine_of)


def broadcast(term: Term) -> Term:
    """A trajectory (or group) term copied to every step, so that longer plays get it more often.

    Example:
        >>> batch = Batch.from_steps(group=[0, 0], trajectory=[0, 0], reward=[1.0, 2.0])
        >>> broadcast(fact("outcome"))(batch).values
        array([3., 3.])
    """

    def copy(batch: Batch, column: Column) -> Column:
        return batch.lift(column, "step")

    return replace(_moved("broadcast", term, copy, "step", "trajectory", "group"), affine_of=term.affine_of)


def total(term: Term) -> Term:
    """The sum of a step term over each trajectory: it changes level only; terms are added with `+`.

    A trajectory with a missing step, or one that failed, has no total.

    Example:
        >>> batch = Batch.from_steps(group=[0, 0, 0], trajectory=[0, 0, 1], reward=[1.0, 2.0, None])
        >>> total(fact("reward"))(batch).tolist()
        [3.0, None]
    """

    def add(batch: Batch, column: Column) -> Column:
        n = batch.size("trajectory")
        values = segments.total(np.where(column.valid, column.values, 0.0), batch.trajectory_of_step, n)
        return floats(column, values, _whole(batch, column), "trajectory")

    return _moved("total", term, add, "trajectory", "step")


def mean(term: Term) -> Term:
    """The mean of a step term over each trajectory; missing where `total` is, and where there are no steps.

    Example:
        >>> batch = Batch.from_steps(group=[0, 0], trajectory=[0, 0], reward=[1.0, 2.0])
        >>> mean(fact("reward"))(batch).values
        array([1.5])
    """

    def average(batch: Batch, column: Column) -> Column:
        n = batch.size("trajectory")
        values = segments.mean(np.where(column.valid, column.values, 0.0), batch.trajectory_of_step, n)
        some = segments.count(batch.trajectory_of_step, n) > 0
        return floats(column, values, _whole(batch, column) & some, "trajectory")

    return _moved("mean", term, average, "trajectory", "step")


def final(term: Term) -> Term:
    """The value of a step term at each trajectory's last step; missing where the play failed or has no steps.

    Example:
        >>> batch = Batch.from_steps(group=[0, 0], trajectory=[0, 0], reward=[1.0, 2.0])
        >>> final(fact("reward"))(batch).values
        array([2.])
    """

    def read(batch: Batch, column: Column) -> Column:
        end = segments.last(batch.trajectory_of_step)
        owner = batch.trajectory_of_step[end]
        values, valid = np.zeros(batch.size("trajectory")), np.zeros(batch.size("trajectory"), bool)
        values[owner], valid[owner] = column.values[end], column.valid[end]
        return floats(column, values, valid & ~failed(batch), "trajectory")

    return _moved("final", term, read, "trajectory", "step")


def failed(batch: Batch) -> Array:
    """True for each trajectory that broke through no fault of the candidate."""
    if "failed" not in batch:
        return np.zeros(batch.size("trajectory"), bool)
    column = batch["failed"]
    return column.valid & np.asarray(column.values, bool)


def need_level(caller: str, name: str, column: Column | Term, *levels: Level) -> None:
    """Raises LevelError, naming the ways out, where the column is at another level, or the term as it was declared."""
    if column.level is not None and column.level not in levels:
        raise LevelError(
            f"{caller}: {name!r} is at {column.level} level; {' or '.join(levels)} level is needed; {WAYS_OUT}"
        )


def _moved(caller: str, term: Term, f: Callable[[Batch, Column], Column], to: Level, *levels: Level) -> Term:
    """The term brought from one of the levels to another; what an observer declares is looked at here already."""
    need_level(caller, a_term(term, caller).name, term, *levels)

    def moved(batch: Batch, column: Column) -> Column:
        need_level(caller, term.name, column, *levels)
        return f(batch, column)

    return mapped(term, moved, level=to)


def _faults(batch: Batch, said: str) -> str:
    """What the observers of columns that a sentence names say where they left no score at all."""
    causes = {}
    for name, column in batch.columns.items():
        if repr(name) in said and f"{name}/cause" in batch and not column.valid.any():
            causes |= dict.fromkeys(why for why in batch[f"{name}/cause"].tolist() if why and why not in said)
    return "; ".join(list(causes)[:3])


def _whole(batch: Batch, column: Column) -> Array:
    """True for each trajectory that did not fail and has every step scored."""
    missing = segments.total((~column.valid).astype(float), batch.trajectory_of_step, batch.size("trajectory"))
    return (missing == 0) & ~failed(batch)


def _sum(left: Term, right: Term) -> Term:
    one_level(left.name, left.level, right.name, right.level)

    def score(batch: Batch) -> Column:
        a, b = left(batch), right(batch)
        return add_up((a.parts or ((left.name, a),)) + (b.parts or ((right.name, b),)))

    same = left.affine_of if left.affine_of == right.affine_of else None
    name, gates = f"{left.name} + {right.name}", union(left.gates, right.gates)
    return Term(name, score, union(left.observers, right.observers), same, gates, left.level or right.level)
