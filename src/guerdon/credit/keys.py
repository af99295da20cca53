"""What makes two items alike: the keys that `centred` compares by.

A key is a value: a name of a column ("state"), "prompt" for the batch's groups, or one of
the objects here. Several of them together are a tuple: `by=("prompt", Turn())`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import numpy as np
from jaxtyping import Bool, Int

from guerdon import segments
from guerdon.batch import Batch, Column, Level
from guerdon.rewards.term import failed

Array = np.ndarray
PROMPT = "prompt"


@runtime_checkable
class Key(Protocol):
    """Gives every item of a level the number of the bucket that it is compared in.

    Attributes:
        name: what it is called in the name of a credit.
        within: True where all items of a bucket are plays of one prompt.
        needs: columns that it reads.
    """

    @property
    def name(self) -> str:
        """What it is called."""
        ...

    @property
    def within(self) -> bool:
        """Whether a bucket never holds items of two prompts."""
        ...

    @property
    def needs(self) -> tuple[str, ...]:
        """The columns that it reads."""
        ...

    def __call__(self, batch: Batch, level: Level) -> tuple[Int[Array, "n"], Bool[Array, "n"]]:
        """Returns the bucket of each item, and False where it has none."""
        ...


@dataclass(frozen=True)
class Named:
    """The values of a key column, or the groups of the batch for "prompt"."""

    column: str

    @property
    def name(self) -> str:
        """The column's name."""
        return self.column

    @property
    def within(self) -> bool:
        """True for "prompt" alone."""
        return self.column == PROMPT

    @property
    def needs(self) -> tuple[str, ...]:
        """The column, unless it is the batch's own groups."""
        return () if self.within else (self.column,)

    def __call__(self, batch: Batch, level: Level) -> tuple[Int[Array, "n"], Bool[Array, "n"]]:
        """The column's values as keys; an item without a value has no bucket."""
        if self.within:
            return batch.index("group", at=level), np.ones(batch.size(level), bool)
        column = batch.lift(batch[self.column], level)
        ids = Batch.key(column.values)
        return ids if column.whole else np.where(column.valid, ids, 0), np.asarray(column.valid, bool)


@dataclass(frozen=True)
class Everything:
    """One bucket for the whole batch."""

    name: str = "everything"
    within: bool = False
    needs: tuple[str, ...] = ()

    def __call__(self, batch: Batch, level: Level) -> tuple[Int[Array, "n"], Bool[Array, "n"]]:
        """Zero for every item."""
        return np.zeros(batch.size(level), np.int64), np.ones(batch.size(level), bool)


@dataclass(frozen=True)
class Turn:
    """The place of a step in its play, from 0: first turns are compared with first turns.

    Example:
        >>> batch = Batch.from_steps(group=[0] * 3, trajectory=[0, 0, 1], reward=[0.0] * 3)
        >>> Turn()(batch, "step")[0]
        array([0, 1, 0])
    """

    name: str = "turn"
    within: bool = False
    needs: tuple[str, ...] = ()

    def __call__(self, batch: Batch, level: Level) -> tuple[Int[Array, "n"], Bool[Array, "n"]]:
        """The turn of each step, or of each token's step."""
        turn = Column.of("step", segments.position(batch.trajectory_of_step))
        return np.asarray(batch.lift(turn, level).values), np.ones(batch.size(level), bool)


@dataclass(frozen=True)
class Fork:
    """Where a step left from: steps that were taken at one place of a tree of plays.

    A tree is written as whole plays, one for each leaf. The step key `node` has the same value
    where two plays of a group share a step; the parent of a node is the node before it, and
    the first steps of a group all leave from its root.

    Example (two plays share their first step and part at the second):
        >>> batch = Batch.from_steps(group=[0] * 4, trajectory=[0, 0, 1, 1], reward=[0.0] * 4)
        >>> batch = batch.with_columns(node=Column.of("step", [7, 8, 7, 9]))
        >>> Fork()(batch, "step")[0]
        array([0, 1, 0, 1])
    """

    name: str = "fork"
    within: bool = True
    needs: tuple[str, ...] = ("node",)

    def __call__(self, batch: Batch, level: Level) -> tuple[Int[Array, "n"], Bool[Array, "n"]]:
        """The parent node of each step; a step whose own or parent node is missing has no bucket."""
        node, owner = batch["node"], batch.trajectory_of_step
        own = segments.dense(np.where(node.valid, Batch.key(node.values), 0)) + 1
        parent = segments.shift(own.astype(np.float64), owner, 0.0).astype(np.int64)  # 0: the root
        known = node.valid & (segments.shift(node.valid.astype(np.float64), owner, 1.0) > 0)
        bucket = Column("step", segments.joint(batch.index("group", at="step"), parent), np.asarray(known, bool))
        lifted = batch.lift(bucket, level)
        return np.asarray(lifted.values), np.asarray(lifted.valid, bool)


@dataclass(frozen=True)
class Randomly:
    """Buckets of `size` items thrown together by chance, from anywhere in the batch.

    The same batch and seed give the same buckets. The last one takes what is left over, so it
    has between `size` and `2 size - 1` items.
    """

    size: int
    seed: int = 0
    within: bool = False
    needs: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """Says the size."""
        return f"{self.size} at random"

    def __call__(self, batch: Batch, level: Level) -> tuple[Int[Array, "n"], Bool[Array, "n"]]:
        """A random bucket for each item; what belongs to a play that failed takes no place and has none."""
        there = ~failed(batch)[batch.index("trajectory", at=level)]
        n = int(there.sum())
        place = np.zeros(batch.size(level), np.int64)
        place[there] = np.random.default_rng([self.seed, n]).permutation(n)
        return np.minimum(place // self.size, max(n // self.size - 1, 0)), there


Keys = str | Key | tuple[str | Key, ...]


def keys_of(by: Keys) -> tuple[Key, ...]:
    """The keys as objects: a text is the name of a column, or "prompt".

    Example:
        >>> [key.name for key in keys_of(("prompt", Turn()))]
        ['prompt', 'turn']
    """
    several = by if isinstance(by, tuple) else (by,)
    return tuple(Named(key) if isinstance(key, str) else key for key in several)


def bucket_of(batch: Batch, keys: Keys, level: Level) -> tuple[Int[Array, "n"], Bool[Array, "n"]]:
    """The bucket of each item of a level under all the keys together, and False where one is missing.

    Example:
        >>> batch = Batch.from_steps(group=[0, 0], trajectory=[0, 0], reward=[0.0, 0.0], state=[5, 6])
        >>> bucket_of(batch, ("prompt", "state"), "step")[0]
        array([0, 1])
    """
    found = [key(batch, level) for key in keys_of(keys)]
    known = found[0][1]
    for _, valid in found[1:]:
        known = known & valid
    return segments.joint(*(ids for ids, _ in found)), known
