"""How new a state is: in its play, and in all that was ever seen. Counts, and bonuses of them."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa
from jaxtyping import Int

from guerdon import segments
from guerdon.batch import Batch, Column
from guerdon.errors import RecordError, ShapeError
from guerdon.evidence.observer import Reading

Array = np.ndarray


@dataclass(frozen=True, eq=False)
class Counts:
    """How often each state was visited, over as many batches as were counted. Never changed in place.

    Attributes:
        key: int64 keys as `Batch.key` makes them, the same on every machine; each once, rising.
        count: visits of each, at least 1.

    Example:
        >>> a = Counts.of_keys(np.array([5, 5, 7]))
        >>> (a + Counts.of_keys(np.array([7]))).of(np.array([5, 7, 9]))
        array([2, 2, 0])
    """

    key: Int[Array, "k"] = field(default_factory=lambda: np.zeros(0, np.int64))
    count: Int[Array, "k"] = field(default_factory=lambda: np.zeros(0, np.int64))

    def __post_init__(self) -> None:
        if len(self.key) != len(self.count) or (self.key[1:] <= self.key[:-1]).any() or (self.count < 1).any():
            raise ShapeError(
                f"Counts: {len(self.key)} keys and {len(self.count)} counts; each key once, rising, with a count "
                "of at least 1; use Counts.of_keys"
            )

    @classmethod
    def of_keys(cls, keys: Int[Array, "n"]) -> Counts:
        """The counts of keys, in any order."""
        return cls(*np.unique(np.asarray(keys, np.int64), return_counts=True))

    @classmethod
    def of_batch(cls, batch: Batch, column: str = "state") -> Counts:
        """The counts of a step column, where it has a value."""
        keys, valid = _keys(batch, column, "Counts.of_batch")
        return cls.of_keys(keys[valid])

    @classmethod
    def of_table(cls, table: pa.Table) -> Counts:
        """The counts that `table` gave, read back from wherever they were kept.

        Raises:
            RecordError: it has no columns `key` and `count`.
        """
        if not {"key", "count"} <= set(table.column_names):
            raise RecordError(
                f"Counts.of_table: columns {', '.join(table.column_names)}; `key` and `count` are needed; "
                "give a table that Counts.table() made"
            )
        return cls(*(np.asarray(table[name], np.int64) for name in ("key", "count")))

    def table(self) -> pa.Table:
        """The counts as a table with the columns `key` and `count`, to be kept beside a run."""
        return pa.table({"key": self.key, "count": self.count})

    def __add__(self, other: Counts) -> Counts:
        keys, place = np.unique(np.concatenate((self.key, other.key)), return_inverse=True)
        count = np.zeros(len(keys), np.int64)
        np.add.at(count, place, np.concatenate((self.count, other.count)))
        return Counts(keys, count)

    def of(self, keys: Int[Array, "n"]) -> Int[Array, "n"]:
        """How often each of these keys was visited; 0 where never."""
        if not len(self.key):
            return np.zeros(len(keys), np.int64)
        at = np.minimum(np.searchsorted(self.key, keys), len(self.key) - 1)
        return np.where(self.key[at] == keys, self.count[at], 0)


def _keys(batch: Batch, column: str, who: str) -> tuple[Array, Array]:
    batch.need([column], who)
    return state_keys(batch[column])


def state_keys(column: Column) -> tuple[Array, Array]:
    """One int64 key per state, as `Batch.key` makes them, and which states are known; NaN is no state.

    Example:
        >>> keys, known = state_keys(Column.of("step", [2.0, 2.5, 2.5, np.nan]))
        >>> int(keys[0]), bool(keys[1] == keys[2]), known.tolist()
        (2, True, [True, True, True, False])
    """
    values, known = column.values, column.valid
    if isinstance(values, np.ndarray) and values.dtype.kind == "f":
        known = known & ~np.isnan(values)
    return Batch.key(values), known


@dataclass(frozen=True)
class Visits:
    """What `visits` reads: see there."""

    column: str = "state"

    def __call__(self, batch: Batch) -> Column:
        """The column of running counts."""
        keys, valid = _keys(batch, self.column, "visits")
        alone = np.where(valid, 0, np.arange(len(keys)) + 1)  # what is missing is never a visit of anything
        by = segments.joint(batch.trajectory_of_step, keys, alone)
        order = np.argsort(by, kind="stable")
        out = np.empty(len(keys))
        out[order] = segments.position(by[order]) + 1
        return Column("step", out, valid)


def visits(name: str = "visits", column: str = "state") -> Reading:
    """An observer at step level: how often the play has been in this state, this step included: 1, 2, ..

    Args:
        column: a step column of states: numbers, or text of which equal means equal state. With the map in it every
            new map is new: give positions or local views where a bonus shall carry over.

    Missing where the state is; a missing state is no visit.

    Example:
        >>> batch = Batch.from_steps(group=[0] * 4, trajectory=[0, 0, 0, 1], reward=[0.0] * 4, state=[5, 6, 5, 5])
        >>> visits().observe(batch)["visits"].values
        array([1., 1., 2., 1.])
    """
    return Reading(name, Visits(column), level="step", low=1.0, high=np.inf)


@dataclass(frozen=True)
class Decayed:
    """1 over a power of the visits."""

    power: float

    def __call__(self, count: Array) -> Array:
        """Of counts of at least 1 bonuses in (0, 1]."""
        return count**-self.power


@dataclass(frozen=True)
class First:
    """1 at the first visit, 0 after it."""

    def __call__(self, count: Array) -> Array:
        """Of counts of at least 1 bonuses of 0 or 1."""
        return (count == 1).astype(float)


@dataclass(frozen=True)
class Episodic:
    """What `episodic_novelty` reads: a bonus of the running count in the play."""

    bonus: First | Decayed = First()
    column: str = "state"

    def __call__(self, batch: Batch) -> Column:
        """The column of bonuses."""
        count = Visits(self.column)(batch)
        return Column("step", self.bonus(count.values), count.valid)


def episodic_novelty(
    name: str = "episodic_novelty", bonus: First | Decayed = First(), column: str = "state"
) -> Reading:
    """An observer at step level: how new the state is in its play.

        First():       1[N_e(s) = 1]
        Decayed(0.5):  1 / sqrt(N_e(s)),   N_e the visits in this play up to this step, this one included

    Missing where the state is.

    Source: "A Study of Global and Episodic Bonuses for Exploration in Contextual MDPs". Its product of both kinds is
    the Term fact(episodic_novelty()) * fact(global_novelty()). Bonuses change what is optimal: let them decay.

    Example:
        >>> batch = Batch.from_steps(group=[0] * 3, trajectory=[0] * 3, reward=[0.0] * 3, state=[5, 6, 5])
        >>> episodic_novelty().observe(batch)["episodic_novelty"].values
        array([1., 1., 0.])
    """
    return Reading(name, Episodic(bonus, column), level="step")


@dataclass(frozen=True)
class Global:
    """What `global_novelty` reads: a bonus of all visits, those known and those in the batch."""

    known: Counts = field(default_factory=Counts)
    bonus: First | Decayed = Decayed(0.5)
    column: str = "state"

    def __call__(self, batch: Batch) -> Column:
        """The column of bonuses."""
        keys, valid = _keys(batch, self.column, "global_novelty")
        count = self.known.of(keys) + Counts.of_keys(keys[valid]).of(keys)
        return Column("step", self.bonus(np.maximum(count, 1).astype(float)), valid)


def global_novelty(
    known: Counts | None = None,
    name: str = "global_novelty",
    bonus: First | Decayed = Decayed(0.5),
    column: str = "state",
) -> Reading:
    """An observer at step level: how new the state is among all that was ever seen, 1 / sqrt(N(s)).

        N(s) = visits in `known` + visits in the whole batch

    Args:
        known: counts of earlier batches. Count a batch after it was observed:
            `known = known + Counts.of_batch(batch)`; `known.table()` keeps them.

    Missing where the state is. Departure from the paper, which counts as it plays: plays of a batch are played side
    by side, so none comes before another; all visits of a state in a batch have one bonus, whatever their order.

    Example:
        >>> batch = Batch.from_steps(group=[0] * 2, trajectory=[0, 1], reward=[0.0] * 2, state=[5, 6])
        >>> seen = global_novelty(Counts.of_keys(np.array([5, 5, 5]))).observe(batch)
        >>> seen["global_novelty"].values
        array([0.5, 1. ])
    """
    return Reading(name, Global(known or Counts(), bonus, column), level="step")
