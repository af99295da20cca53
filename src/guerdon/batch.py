"""The one data type: flat columns at nested levels, token < step < trajectory < group.

A stage is a function that takes a Batch and returns a Batch with more columns. There is
no padding but at the edge to a padded trainer (`to_padded`, `from_padded`).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from types import MappingProxyType
from typing import Any, Literal, get_args

import numpy as np
import pyarrow as pa
from jaxtyping import Bool, Int

from guerdon import segments
from guerdon.errors import ColumnError, LevelError, ShapeError
from guerdon.keys import keys
from guerdon.records import Trajectory

Array = np.ndarray
Level = Literal["token", "step", "trajectory", "group"]
LEVELS: tuple[Level, ...] = get_args(Level)  # finest first


@dataclass(frozen=True, eq=False)
class Column:
    """One value per item of a level, and whether it is there.

    Attributes:
        level: what an item is.
        values: the level's length on axis 0; numpy, or Arrow for text.
        valid: False where there is no value; what `values` holds there means nothing.
        parts: the named columns that `values` is the sum of, in the order they were added.
    """

    level: Level
    values: Any
    valid: Bool[Array, "n"]
    parts: tuple[tuple[str, Column], ...] = ()

    def __post_init__(self) -> None:
        if self.level not in LEVELS:
            raise LevelError(f"Column: level is {self.level!r}; it must be one of {LEVELS}")
        if len(self.values) != len(self.valid):
            raise ShapeError(
                f"Column: {len(self.values)} values and {len(self.valid)} entries in valid; they must be equally long"
            )

    @classmethod
    def of(cls, level: Level, values: Any, valid: Any = None, parts: Iterable = ()) -> Column:
        """A column from anything array-like; without `valid`, NaN and null are what is missing.

        Example:
            >>> Column.of("step", [1.0, None]).valid
            array([ True, False])
        """
        if not isinstance(values, pa.Array | pa.ChunkedArray | np.ndarray):
            values = _array(values)
        if isinstance(values, pa.ChunkedArray):
            values = values.combine_chunks()
        if valid is None:
            if isinstance(values, pa.Array):
                valid = ~np.asarray(values.is_null())
            elif values.dtype.kind == "f":
                valid = ~np.isnan(values)
                valid = valid if values.ndim == 1 else valid.all(axis=tuple(range(1, values.ndim)))
            else:
                valid = np.ones(len(values), bool)
        return cls(level, values, np.asarray(valid, bool), tuple(parts))

    def __len__(self) -> int:
        return len(self.values)

    @cached_property
    def whole(self) -> bool:
        """Whether every value is there; found once for a column."""
        return bool(self.valid.all())

    @cached_property
    def always(self) -> bool:
        """Whether every value is there and true; found once for a column."""
        return self.whole and bool(np.asarray(self.values).all())

    def filled(self, missing: float = np.nan) -> Array:
        """The values as floats, with `missing` where there is none."""
        values = np.array(self.values, np.float64)
        if not self.whole:
            values[~self.valid] = missing
        return values

    def take(self, index: Int[Array, "m"], level: Level | None = None) -> Column:
        """The items at `index`, in that order; `level` where they become another level's."""
        values = self.values.take(pa.array(index)) if isinstance(self.values, pa.Array) else self.values[index]
        parts = tuple((name, part.take(index, level)) for name, part in self.parts)
        return Column(level or self.level, values, self.valid[index], parts)

    def at(self, level: Level) -> Column:
        """The same items called another level's."""
        return Column(level, self.values, self.valid, tuple((name, part.at(level)) for name, part in self.parts))

    def repeat(
        self, times: Int[Array, "n"], level: Level | None = None, valid: Bool[Array, "m"] | None = None
    ) -> Column:
        """Each item as many times as `times` says, side by side; `level` where they become another level's.

        Args:
            valid: the new column's, where it is known.
        """
        if isinstance(self.values, pa.Array):
            return self.take(np.repeat(np.arange(len(self)), times), level)
        parts = tuple((name, part.repeat(times, level)) for name, part in self.parts)
        values = np.repeat(self.values, times, axis=0)
        valid = np.repeat(self.valid, times) if valid is None else valid
        return Column(level or self.level, values, valid, parts)

    def tolist(self) -> list:
        """Python values, None where there is none."""
        values = self.values.to_pylist() if isinstance(self.values, pa.Array) else self.values.tolist()
        return [v if ok else None for v, ok in zip(values, self.valid.tolist(), strict=True)]


@dataclass(frozen=True, eq=False)
class Batch:
    """Trajectories as flat columns.

    Attributes:
        step_of_token, trajectory_of_step, group_of_trajectory: each item's parent, from 0.
            The first two never fall, so the items of a parent lie side by side in order.
        columns: by name. Standard names are listed in docs/batch.md.
        relations: small tables beside the columns: `items`, `pairs`, `top`.
    """

    step_of_token: Int[Array, "tokens"]
    trajectory_of_step: Int[Array, "steps"]
    group_of_trajectory: Int[Array, "trajectories"]
    columns: Mapping[str, Column] = field(default_factory=dict)
    relations: Mapping[str, pa.Table] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for name, children, parents in (
            ("step_of_token", self.step_of_token, len(self.trajectory_of_step)),
            ("trajectory_of_step", self.trajectory_of_step, len(self.group_of_trajectory)),
        ):
            if len(children) and (children[0] < 0 or children[-1] >= parents or (children[1:] < children[:-1]).any()):
                raise ShapeError(
                    f"Batch: {name} must rise from 0 to at most {parents - 1}, the items of a parent "
                    "side by side; sort the items by parent first"
                )
        if self.group_of_trajectory.min(initial=0) < 0:
            raise ShapeError(
                f"Batch: group_of_trajectory has {self.group_of_trajectory.min()}; groups count from 0; "
                "renumber them with segments.dense"
            )
        for name, column in self.columns.items():
            self._fits(name, column)
        object.__setattr__(self, "columns", MappingProxyType(dict(self.columns)))
        object.__setattr__(self, "relations", MappingProxyType(dict(self.relations)))
        object.__setattr__(self, "_counts", {})  # see `counts`

    def __reduce__(self) -> tuple:
        """Lets a batch be pickled and copied, which its read-only mappings cannot be."""
        parents = (self.step_of_token, self.trajectory_of_step, self.group_of_trajectory)
        return Batch, (*parents, dict(self.columns), dict(self.relations))

    def _fits(self, name: str, column: Column) -> None:
        if not isinstance(column, Column):
            raise ColumnError(
                f"Batch: {name!r} is of the type {type(column).__name__}; a Column is needed; make it with "
                "Column.of(level, values), where level is token, step, trajectory or group"
            )
        if len(column) != self.size(column.level):
            raise ShapeError(
                f"Batch: column {name!r} has {len(column)} values and the batch has "
                f"{self.size(column.level)} {column.level}s; one value each is needed"
            )

    # Levels.

    def size(self, level: Level) -> int:
        """How many items the level has."""
        if level == "group":
            return int(self.group_of_trajectory.max(initial=-1)) + 1
        parents = {
            "token": self.step_of_token,
            "step": self.trajectory_of_step,
            "trajectory": self.group_of_trajectory,
        }
        return len(parents[level])

    def index(self, of: Level, at: Level) -> Int[Array, "n"]:
        """For each item of level `at`, which item of the same or coarser level `of` it is in.

        Example:
            >>> b = Batch.from_steps(group=[0, 0], trajectory=[0, 1], reward=[1.0, 0.0])
            >>> b.index("group", at="step")
            array([0, 0])
        """
        if LEVELS.index(of) < LEVELS.index(at):
            raise LevelError(f"index: a {at} is not inside a {of}; `of` must be the coarser level")
        path = [self._parents(level) for level in LEVELS[LEVELS.index(at) : LEVELS.index(of)]]
        if not path:
            return np.arange(self.size(at))
        out = path[0]
        for parents in path[1:]:
            out = parents[out]
        return out.copy() if out is path[0] else out

    def _parents(self, level: Level) -> Array:
        if level == "token":
            return self.step_of_token
        return self.trajectory_of_step if level == "step" else self.group_of_trajectory

    def counts(self, of: Literal["token", "step"], each: Level | None = None) -> Int[Array, "n"]:
        """How many items of a level each item of the next one has, or of `each`; found once for a batch.

        Example:
            >>> Batch.from_steps(group=[0] * 3, trajectory=[0, 0, 1], reward=[0.0] * 3).counts("step")
            array([2, 1])
        """
        if (of, each) == ("token", "trajectory"):
            return self._tokens_of_trajectory()
        if of not in self._counts:
            parents, n = self._parents(of), len(self.trajectory_of_step if of == "token" else self.group_of_trajectory)
            found, first = np.zeros(n, np.int64), segments.first_places("Batch", parents)
            found[parents[first]] = np.diff(first, append=len(parents))
            self._counts[of] = found
        return self._counts[of]

    def _alone(self, level: Level) -> bool:
        """Whether each item of the level is its parent's only one, and no parent is empty."""
        if ("alone", level) not in self._counts:
            parents, n = self._parents(level), len(self._parents(LEVELS[LEVELS.index(level) + 1]))
            self._counts["alone", level] = len(parents) == n and bool((parents[1:] > parents[:-1]).all())
        return self._counts["alone", level]

    def _tokens_of_trajectory(self) -> Array:
        if "of trajectory" not in self._counts:
            steps = self.counts("step")
            if self._alone("token"):
                return steps
            upto, end = np.append(0, np.cumsum(self.counts("token"))), np.cumsum(steps)
            self._counts["of trajectory"] = upto[end] - upto[end - steps]
        return self._counts["of trajectory"]

    def lift(self, column: Column, to: Level) -> Column:
        """Copies a coarser column's values to every item of the finer level `to`."""
        if column.level == to:
            return column
        if LEVELS.index(to) > LEVELS.index(column.level):
            raise LevelError(
                f"lift: a {column.level} column cannot become a {to} column by copying; "
                "say how it is summed up: at_end, broadcast, total or mean"
            )
        for level in reversed(LEVELS[LEVELS.index(to) : LEVELS.index(column.level)]):
            if level == "trajectory":
                column = column.take(self.group_of_trajectory, level)
            elif self._alone(level):
                column = column.at(level)
            else:
                column = column.repeat(self.counts(level), level, self._everywhere(level) if column.whole else None)
        return column

    def _everywhere(self, level: Level) -> Array:
        """True for each item of a level: one array for all columns of a batch that have every value, read-only."""
        if ("everywhere", level) not in self._counts:
            self._counts["everywhere", level] = everywhere = np.ones(self.size(level), bool)
            everywhere.flags.writeable = False
        return self._counts["everywhere", level]

    # Columns.

    def __getitem__(self, name: str) -> Column:
        try:
            return self.columns[name]
        except KeyError:
            raise ColumnError(
                f"Batch: there is no column {name!r}; the batch has {', '.join(sorted(self.columns)) or 'none'}; "
                "add it with batch.with_columns or run the stage that makes it"
            ) from None

    def __contains__(self, name: str) -> bool:
        return name in self.columns

    def with_columns(self, **columns: Column) -> Batch:
        """The same batch with these columns put on, replacing any of the same name."""
        for name, column in columns.items():
            self._fits(name, column)
        return self._like(columns={**self.columns, **columns})

    def with_relations(self, **tables: pa.Table) -> Batch:
        """The same batch with these tables put beside it."""
        return self._like(relations={**self.relations, **tables})

    def grouped(self, ids: Any) -> Batch:
        """The same plays in other groups: those whose ids, one a trajectory, are equal.

        Ids are numbers or text, such as the uids of a trainer; groups are numbered in the order
        in which they first appear.

        Example:
            >>> batch = Batch.from_steps(group=[0, 0], trajectory=[0, 1], reward=[1.0, 0.0])
            >>> batch.grouped(["b", "a"]).group_of_trajectory
            array([0, 1])
        """
        group = segments.number(np.asarray(ids))
        if len(group) != self.size("trajectory"):
            raise ShapeError(
                f"Batch.grouped: {len(group)} ids and {self.size('trajectory')} trajectories; one id each is needed"
            )
        out = self._like(group_of_trajectory=group)
        for name, column in self.columns.items():
            if column.level == "group":
                out._fits(name, column)
        return out

    def _like(self, **changed: Any) -> Batch:
        """This batch with what is changed, which fits: the rest is not looked at again."""
        out = object.__new__(Batch)
        mappings = {k: MappingProxyType(v) if isinstance(v, dict) else v for k, v in changed.items()}
        out.__dict__.update({**self.__dict__, **mappings})
        return out

    def need(self, names: Iterable[str], who: str) -> None:
        """Raises ColumnError that names what is missing and who needs it."""
        missing = [name for name in names if name not in self.columns]
        if missing:
            raise ColumnError(
                f"{who}: the batch has no column {', '.join(map(repr, missing))}; "
                f"it has {', '.join(sorted(self.columns))}; give it as a key of the task (`reference`; KEY becomes "
                "`task_KEY`) or as a field or fact of the step, or take a reward or recipe that does not need it"
            )

    @staticmethod
    def key(values: Any) -> Int[Array, "n"]:
        """int64 keys of states, actions and texts: see `guerdon.keys.keys`."""
        return keys(values)

    # Ways in and out.

    @classmethod
    def of(cls, trajectories: Sequence[Trajectory]) -> Batch:
        """A batch from records; groups are numbered in the order in which they first appear."""
        from guerdon.collate import batch_of

        return batch_of(trajectories)

    @classmethod
    def from_steps(cls, **arrays: Any) -> Batch:
        """A batch from arrays with one entry a step; see `guerdon.collate.batch_from_steps`."""
        from guerdon.collate import batch_from_steps

        return batch_from_steps(**arrays)

    @classmethod
    def from_padded(cls, **arrays: Any) -> Batch:
        """A batch from padded (B, T) arrays; see `guerdon.collate.batch_from_padded`."""
        from guerdon.collate import batch_from_padded

        return batch_from_padded(**arrays)

    def to_padded(self, *names: str) -> dict[str, Array]:
        """Token columns as (B, T) arrays, a row per model input; see `guerdon.collate.pad`."""
        from guerdon.collate import pad

        return pad(self, names)

    def select(self, keep: Any) -> Batch:
        """The trajectories where `keep` is true, whole, in order; groups are renumbered."""
        from guerdon.collate import select

        return select(self, keep)


def _array(values: Any) -> Any:
    values = list(values)
    if any(isinstance(v, str) for v in values):
        return pa.array(values, pa.string())
    if None in values:
        return np.array(values, np.float64)
    return np.asarray(values)
