"""What a credit is, how credits add, and how a term becomes one.

A `Credit` is called on a batch and gives one number per step (or per token): how much more
likely its action should become. Credits are closed under `+` and scalar `*`; a coarser one
is lifted to the finer. A step that has no score has credit 0 and is marked not valid.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from numbers import Real
from typing import Protocol, runtime_checkable

import numpy as np

from guerdon.batch import LEVELS, Batch, Column, Level
from guerdon.errors import LevelError
from guerdon.rewards.term import Term

Array = np.ndarray


@runtime_checkable
class Signal(Protocol):
    """A Term or a Credit: something with a name that gives a column of numbers."""

    name: str

    def __call__(self, batch: Batch) -> Column:
        """One number per item, some of them missing."""
        ...


@dataclass(frozen=True)
class Credit:
    """A named function from a batch to an advantage per step or token.

    Attributes:
        name: what it is; the name of its part when it stands in a sum.
        assign: the function; pure.
        compares: with what it compares: "group", "batch", "history" or "critic"; empty for
            a credit that compares with nothing, such as a bonus per step.
        needs: columns that it reads beside those of its terms.
        parts: what it is the sum of.

    Example:
        >>> from guerdon.credit import centred
        >>> from guerdon.rewards import fact
        >>> batch = Batch.from_steps(group=[0, 0, 0], trajectory=[0, 0, 1], reward=[0.0, 1.0, 0.0])
        >>> a = centred(fact("outcome")) + 0.5 * step_term(fact("reward"))
        >>> a(batch).values, [name for name, _ in a(batch).parts]
        (array([ 0.5,  1. , -0.5]), ['centred(outcome)', 'reward'])
    """

    name: str
    assign: Callable[[Batch], Column]
    compares: frozenset[str] = frozenset()
    needs: tuple[str, ...] = ()
    parts: tuple[Credit, ...] = ()

    __array_ufunc__ = None  # so that np.float64(2) * credit comes here, not to numpy's broadcasting

    def __call__(self, batch: Batch) -> Column:
        batch.need(self.needs, self.name)
        return self.assign(batch)

    def __add__(self, other: Credit) -> Credit:
        if isinstance(other, Real) and other == 0:  # what Python's own sum() starts from
            return self
        if not isinstance(other, Credit):
            return NotImplemented
        return _sum((self.parts or (self,)) + (other.parts or (other,)))

    __radd__ = __add__

    def __mul__(self, weight: float) -> Credit:
        if not isinstance(weight, Real):
            return NotImplemented
        if self.parts:
            return replace(_sum(tuple(weight * part for part in self.parts)), name=self.name)

        def scaled(batch: Batch) -> Column:
            column = self(batch)
            return Column(column.level, weight * column.values, column.valid)

        return replace(self, assign=scaled)

    __rmul__ = __mul__

    def __neg__(self) -> Credit:
        return -1.0 * self

    def __sub__(self, other: Credit) -> Credit:
        return self + -1.0 * other

    def named(self, name: str) -> Credit:
        """The same credit under another name."""
        return replace(self, name=name)


def assign(batch: Batch, credit: Credit) -> Batch:
    """The stage: puts the credit on the batch as `advantage`.

    Example:
        >>> from guerdon.credit import centred
        >>> from guerdon.rewards import fact
        >>> batch = Batch.from_steps(group=[0, 0], trajectory=[0, 1], reward=[1.0, 0.0])
        >>> assign(batch, centred(fact("outcome")))["advantage"].values
        array([ 0.5, -0.5])
    """
    return batch.with_columns(advantage=credit(batch))


def step_term(term: Term) -> Credit:
    """The term as it stands, each step's (or token's) own number, compared with nothing.

    A trajectory term is copied to its steps. Unlike a reward it is not summed to go: it acts
    on the action of its own step and on no other.

    Example:
        >>> from guerdon.rewards import fact
        >>> step_term(fact("reward"))(Batch.from_steps(group=[0], trajectory=[0], reward=[2.0])).values
        array([2.])
    """
    return Credit(term.name, lambda batch: on_steps(batch, scored(term(batch))))


def scored(column: Column) -> Column:
    """The column with 0 where it has no value, and no parts: the form that a credit has."""
    values = np.asarray(column.values)
    if values.dtype != np.float32:  # which a host may keep; everything else is counted in doubles
        values = values.astype(np.float64, copy=False)
    keep = column.valid.reshape(-1, *[1] * (values.ndim - 1))
    return Column(column.level, np.where(keep, values, values.dtype.type(0)), np.asarray(column.valid, bool))


def on_steps(batch: Batch, column: Column) -> Column:
    """A column at step or token level; what is coarser is copied to its steps."""
    return column if LEVELS.index(column.level) <= LEVELS.index("step") else batch.lift(column, "step")


def at_one_level(batch: Batch, columns: list[Column]) -> list[Column]:
    """The columns, each lifted to the finest level among them."""
    finest: Level = min((c.level for c in columns), key=LEVELS.index)
    return [batch.lift(c, finest) for c in columns]


def need_steps(caller: str, name: str, column: Column) -> None:
    """Raises LevelError unless the column is at step level."""
    if column.level != "step":
        raise LevelError(
            f"{caller}: {name!r} is at {column.level} level; a number per step is needed; "
            "use at_end or broadcast to bring a trajectory term to steps"
        )


def compares_of(signal: Signal) -> frozenset[str]:
    """With what a signal compares; a term compares with nothing."""
    return signal.compares if isinstance(signal, Credit) else frozenset()


def needs_of(signal: Signal) -> tuple[str, ...]:
    """The columns that a credit says it needs; a term says so when it reads them."""
    return signal.needs if isinstance(signal, Credit) else ()


def _sum(parts: tuple[Credit, ...]) -> Credit:
    def add(batch: Batch) -> Column:
        columns = at_one_level(batch, [part(batch) for part in parts])
        valid = np.logical_and.reduce([c.valid for c in columns])
        # Zero in every part where any is missing, so that the parts still add up to the whole.
        kept = [Column(c.level, np.where(valid, c.values, 0.0), valid) for c in columns]
        values = kept[0].values
        for column in kept[1:]:
            values = values + column.values
        names = (part.name for part in parts)
        return Column(kept[0].level, values, valid, tuple(zip(names, kept, strict=True)))

    return Credit(
        " + ".join(part.name for part in parts),
        add,
        frozenset().union(*(part.compares for part in parts)),
        tuple(dict.fromkeys(need for part in parts for need in part.needs)),
        parts,
    )
