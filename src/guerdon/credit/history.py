"""What plays were worth before this batch: baselines and multipliers that live from batch to batch.

A state is a frozen value. `update(batch)` gives the next one, `columns(batch)` puts what is known so far on
a batch. Put the columns on first and update after, or a batch is compared with itself:

    batch = state.columns(batch)
    state = state.update(batch)
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Protocol, runtime_checkable

import numpy as np
from jaxtyping import Bool, Float, Int

from guerdon import segments
from guerdon.batch import Batch, Column
from guerdon.credit.base import Credit, Signal, compares_of, needs_of, on_steps, scored
from guerdon.credit.compare import of_plays
from guerdon.credit.keys import Everything, Key
from guerdon.errors import ShapeError
from guerdon.rewards.groups import group_mean, group_std
from guerdon.rewards.term import Term, fact

Array = np.ndarray
MEAN, STD = fact("history_mean"), fact("history_std")


@runtime_checkable
class History(Protocol):
    """What is remembered of earlier batches."""

    def update(self, batch: Batch) -> History:
        """The state after this batch."""
        ...

    def columns(self, batch: Batch) -> Batch:
        """The batch with the group columns `history_mean` and `history_std`, missing where nothing is known."""
        ...


def _none() -> Array:
    return np.zeros(0)


def _no_keys() -> Array:
    return np.zeros(0, np.int64)


@dataclass(frozen=True, eq=False)
class Ema:
    """The exponential moving average of group means, and their spread around it.

        m' = m + (1 - decay) * (x - m)
        v' = decay * (v + (1 - decay) * (x - m)^2),   x the mean of a group's scored plays

    The first x of a key is its m, with v = 0. Where a key has several groups in one batch, x is the mean of
    theirs. history_std = sqrt(v): the spread of group means, not of single plays.

    Attributes:
        signal: what plays are worth, a trajectory term.
        decay: between 0 and 1; how much is kept per batch.
        by: a key at group level: `Everything()` for one average, or `Named(column)` for one per value
            of a group column such as the task.
        keys, mean, var, seen: the state, by key.

    Example:
        >>> batch = Batch.from_steps(group=[0, 0], trajectory=[0, 1], reward=[1.0, 0.0])
        >>> state = Ema(fact("outcome"), decay=0.5).update(batch)
        >>> state.columns(batch)["history_mean"].tolist(), state.columns(batch)["history_std"].tolist()
        ([0.5], [None])
    """

    signal: Term
    decay: float = 0.9
    by: Key = field(default_factory=Everything)
    keys: Int[Array, "k"] = field(default_factory=_no_keys)
    mean: Float[Array, "k"] = field(default_factory=_none)
    var: Float[Array, "k"] = field(default_factory=_none)
    seen: Int[Array, "k"] = field(default_factory=_no_keys)

    def __post_init__(self) -> None:
        if self.by.within:
            raise ShapeError(
                f"Ema: by is {self.by.name!r}, which numbers the groups of one batch; a key that means the same in "
                "every batch is needed; use Everything(), or Named() with a group column such as the task's name"
            )
        if not 0 <= self.decay < 1:
            raise ShapeError(f"Ema: decay is {self.decay}; a share from 0 to below 1 is needed; 0.9 keeps ten batches")

    def update(self, batch: Batch) -> Ema:
        """The averages after this batch; keys that it does not have stay as they are."""
        key, known = self.by(batch, "group")
        column = group_mean(self.signal)(batch)
        x, use = column.values, known & column.valid
        new, place = np.unique(key[use], return_inverse=True)
        x = segments.mean(x[use], place, len(new))
        keys = np.union1d(self.keys, new).astype(np.int64)
        mean, var, seen = (_at(keys, self.keys, old) for old in (self.mean, self.var, self.seen))
        at = np.searchsorted(keys, new)
        away = np.where(seen[at] > 0, x - mean[at], 0.0)
        mean[at] = np.where(seen[at] > 0, mean[at] + (1 - self.decay) * away, x)
        var[at] = self.decay * (var[at] + (1 - self.decay) * away**2)
        seen[at] += 1
        return replace(self, keys=keys, mean=mean, var=var, seen=seen.astype(np.int64))

    def columns(self, batch: Batch) -> Batch:
        """`history_mean` of keys seen before, `history_std` of keys seen at least twice."""
        key, known = self.by(batch, "group")
        if not len(self.keys):
            return _with(batch, np.zeros(len(key)), np.zeros(len(key)), known & False, known & False)
        at = np.minimum(np.searchsorted(self.keys, key), len(self.keys) - 1)
        there = known & (self.keys[at] == key)
        return _with(batch, self.mean[at], np.sqrt(self.var[at]), there, there & (self.seen[at] > 1))


@dataclass(frozen=True, eq=False)
class RecentQuantile:
    """The q-quantile of the group means of the last plays, and that of their stds.

    Attributes:
        signal: what plays are worth, a trajectory term.
        plays: how many plays are remembered; whole groups, the oldest forgotten first.
        q: 0.5 is the median.
        mean, std, size: the state, one entry a group, oldest first; std is missing (NaN) in a group of one.

    Example:
        >>> batch = Batch.from_steps(group=[0, 0, 1], trajectory=[0, 1, 2], reward=[1.0, 0.0, 1.0])
        >>> RecentQuantile(fact("outcome")).update(batch).columns(batch)["history_mean"].tolist()
        [0.75, 0.75]
    """

    signal: Term
    plays: int = 10240
    q: float = 0.5
    mean: Float[Array, "g"] = field(default_factory=_none)
    std: Float[Array, "g"] = field(default_factory=_none)
    size: Float[Array, "g"] = field(default_factory=_none)

    def update(self, batch: Batch) -> RecentQuantile:
        """The last groups after this batch."""
        means = group_mean(self.signal)(batch)
        mean, there = means.values, means.valid
        column = of_plays(batch, self.signal(batch))
        home = batch.index("group", at=column.level)[column.valid]
        size = segments.count(home, batch.size("group")).astype(np.float64)
        std = group_std(self.signal)(batch).filled()
        mean, std, size = (
            np.append(old, new[there]) for old, new in ((self.mean, mean), (self.std, std), (self.size, size))
        )
        since = np.cumsum(size[::-1])[::-1]  # plays in this group and in all later ones
        keep = since <= self.plays
        return replace(self, mean=mean[keep], std=std[keep], size=size[keep])

    def columns(self, batch: Batch) -> Batch:
        """One number for every group of the batch."""
        groups = batch.size("group")
        spread = self.std[np.isfinite(self.std)]
        mean = float(np.quantile(self.mean, self.q)) if len(self.mean) else 0.0
        std = float(np.quantile(spread, self.q)) if len(spread) else 0.0
        known, spread_known = (np.full(groups, len(x) > 0) for x in (self.mean, spread))
        return _with(batch, np.full(groups, mean), np.full(groups, std), known, spread_known)


def standardised(signal: Signal, mean: Term = MEAN, std: Term = STD, eps: float = 0.0) -> Credit:
    """How far the signal is above what was usual, in units of what was usual.

        A[i] = (x[i] - mean) / (std + eps)

    Where nothing is remembered yet, and where std is 0, there is nothing to compare with: credit 0.

    Args:
        mean, std: at the signal's level or coarser; by default the columns of a `History`.

    Returns:
        A credit that compares with "history": a group of one has it too, and a group that agrees.

    Example:
        >>> batch = Batch.from_steps(group=[0, 0], trajectory=[0, 1], reward=[1.0, 0.0])
        >>> batch = batch.with_columns(history_mean=Column.of("group", [0.5]), history_std=Column.of("group", [0.25]))
        >>> standardised(fact("outcome"))(batch).values
        array([ 2., -2.])
    """

    def assign(batch: Batch) -> Column:
        column = of_plays(batch, signal(batch))
        usual, spread = (batch.lift(term(batch), column.level) for term in (mean, std))
        unit = spread.filled(0.0)
        speaks = column.valid & usual.valid & spread.valid & (unit > 0)
        away = (column.filled(0.0) - usual.filled(0.0)) / (np.where(speaks, unit, 1.0) + eps)
        return on_steps(batch, scored(Column(column.level, np.where(speaks, away, 0.0), column.valid)))

    return Credit(f"standardised({signal.name})", assign, compares_of(signal) | {"history"}, needs_of(signal))


@dataclass(frozen=True)
class Multiplier:
    """The weight of a constraint, moved until the constraint holds: a multiplicative PI controller.

        I'     = leak * I + e,   e > 0 where the constraint is violated
        value' = clip(value * exp(kp * e + ki * I'), 0, most)

    Attributes:
        value: the weight now.
        integral: I, what has been violated so far.
        kp, ki: how fast it answers to a violation, and to a lasting one.
        leak: how much of the past is kept.
        most: the largest weight.

    Example:
        >>> round(Multiplier(value=0.2, kp=0.05, ki=0.01).update(1.0).value, 4)
        0.2124
    """

    value: float = 0.2
    integral: float = 0.0
    kp: float = 0.05
    ki: float = 0.01
    leak: float = 0.95
    most: float = 3.0

    def update(self, violation: float) -> Multiplier:
        """The controller after one batch with that violation."""
        integral = self.leak * self.integral + violation
        moved = self.value * np.exp(self.kp * violation + self.ki * integral)
        return replace(self, value=float(np.clip(moved, 0.0, self.most)), integral=float(integral))


def _at(keys: Array, old: Array, values: Array) -> Array:
    """The values of the old keys at their places among all keys, 0 for new ones."""
    out = np.zeros(len(keys))
    out[np.searchsorted(keys, old)] = values
    return out


def _with(batch: Batch, mean: Array, std: Array, mean_known: Bool[Array, "g"], std_known: Bool[Array, "g"]) -> Batch:
    return batch.with_columns(
        history_mean=Column("group", np.where(mean_known, mean, np.nan), np.asarray(mean_known, bool)),
        history_std=Column("group", np.where(std_known, std, np.nan), np.asarray(std_known, bool)),
    )
