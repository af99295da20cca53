"""Credit in retrospect: the batch before this one is judged by whether the policy got better for it.

The plays of the last batch ride along with the fresh ones, marked by a column. What they did is done again where
the fresh plays are worth more than plays used to be, and undone where they are worth less.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np
from jaxtyping import Float

from guerdon import segments
from guerdon.batch import Batch, Column
from guerdon.credit.base import Credit, at_one_level, scored
from guerdon.errors import ShapeError
from guerdon.rewards.term import Term, fact, failed, floats

Array = np.ndarray
MEAN, STD = fact("history_mean"), fact("history_std")


@dataclass(frozen=True, eq=False)
class RecentBatches:
    """The mean and the spread of the means of the last batches: a `guerdon.credit.history.History`.

    Attributes:
        signal: what plays are worth, a trajectory term.
        window: how many batches are remembered; nothing is known before there are as many.
        fresh: a trajectory term, above 0 for the plays that count; by default all do.
        mean: the state, oldest first.

    Example:
        >>> state = RecentBatches(fact("outcome"), window=2, mean=np.array([0.25, 0.75]))
        >>> batch = Batch.from_steps(group=[0], trajectory=[0], reward=[1.0])
        >>> state.columns(batch)["history_mean"].tolist(), state.columns(batch)["history_std"].tolist()
        ([0.5], [0.25])
        >>> state.update(batch).mean
        array([0.75, 1.  ])
    """

    signal: Term
    window: int = 8
    fresh: Term | None = None
    mean: Float[Array, "w"] = field(default_factory=lambda: np.zeros(0))

    def __post_init__(self) -> None:
        if self.window < 2:
            raise ShapeError(f"RecentBatches: window is {self.window}; a spread needs two batches at least")

    def update(self, batch: Batch) -> RecentBatches:
        """The last batches after this one; a batch without a scored play is not remembered."""
        counts, worth = _counting(batch, self.signal, self.fresh)
        if not counts.any():
            return self
        return replace(self, mean=np.append(self.mean, worth[counts].mean())[-self.window :])

    def columns(self, batch: Batch) -> Batch:
        """One number for every group of the batch."""
        groups = batch.size("group")
        known = np.full(groups, len(self.mean) >= self.window)
        mean, std = (float(f(self.mean)) if known.any() else np.nan for f in (np.mean, np.std))
        return batch.with_columns(
            history_mean=Column("group", np.full(groups, mean), known),
            history_std=Column("group", np.full(groups, std), known),
        )


def improvement(signal: Term, fresh: Term | None = None, mean: Term = MEAN, std: Term = STD, eps: float = 1e-6) -> Term:
    """How much more the fresh plays are worth than plays were, in units of what is usual from batch to batch.

        xi = (mean over the fresh plays of the signal - mean) / (std + eps)

    It is a verdict on the update before this batch. On a plateau it is noise: other prompts, other plays.

    Args:
        fresh: a trajectory term, above 0 for the plays that count.
        mean, std: group terms, by default the columns of `RecentBatches`.

    Returns:
        A group term, the same for all groups that have a history; missing without one, or without a fresh play.

    Example:
        >>> batch = Batch.from_steps(group=[0, 0], trajectory=[0, 1], reward=[1.0, 0.5])
        >>> batch = batch.with_columns(history_mean=Column.of("group", [0.5]), history_std=Column.of("group", [0.125]))
        >>> improvement(fact("outcome"), eps=0.0)(batch).values
        array([2.])

    References:
        Policy Improvement Reinforcement Learning (PIPO), 2026, arXiv:2604.00860.
    """

    def score(batch: Batch) -> Column:
        counts, worth = _counting(batch, signal, fresh)
        now = float(worth[counts].mean()) if counts.any() else 0.0
        usual, spread = mean(batch), std(batch)
        valid = np.asarray(usual.valid & spread.valid, bool) & counts.any()
        return floats(usual, (now - usual.filled(0.0)) / (spread.filled(1.0) + eps), valid)

    return Term(f"improvement({signal.name})", score, signal.observers)


def rectified(term: Term, harm: float, most: float = np.inf) -> Term:
    """What is above 0 as it is, what is below at a share: bad news counts less than good news.

        clip(x, -most, most) where x >= 0,   harm * clip(x, -most, most) where x < 0

    Example:
        >>> batch = Batch.from_steps(group=[0, 0], trajectory=[0, 0], reward=[2.0, -2.0])
        >>> rectified(fact("reward"), harm=0.25)(batch).values
        array([ 2. , -0.5])

    References:
        Policy Improvement Reinforcement Learning (PIPO), 2026, arXiv:2604.00860.
    """

    def score(batch: Batch) -> Column:
        column = term(batch)
        x = np.clip(column.values, -most, most)
        return floats(column, np.where(x < 0, harm * x, x), column.valid)

    return Term(f"rectified({term.name})", score, term.observers)


def attributed(credit: Credit) -> Credit:
    """The credit as shares of what moved a group: in every group the sizes add up to the number of its plays.

        a[i] = n * A[i] / sum of |A[j]| over the plays j of i's group,   n the plays of the group with a score

    A play's |A[j]| is the mean over its scored steps. A group that says nothing stays at 0.

    Example:
        >>> from guerdon.credit import centred
        >>> batch = Batch.from_steps(group=[0, 0], trajectory=[0, 1], reward=[9.0, 0.0])
        >>> attributed(centred(fact("outcome")))(batch).values
        array([ 1., -1.])

    References:
        Policy Improvement Reinforcement Learning (PIPO), 2026, arXiv:2604.00860.
    """

    def assign(batch: Batch) -> Column:
        column = credit(batch)
        play, plays = batch.index("trajectory", at=column.level), batch.size("trajectory")
        group, groups = batch.group_of_trajectory, batch.size("group")
        number = segments.total(column.valid.astype(np.float64), play, plays)
        size = segments.total(np.abs(column.filled(0.0)), play, plays) / np.maximum(number, 1)
        moved = segments.total(size, group, groups)
        there = segments.total((number > 0).astype(np.float64), group, groups)
        share = np.where(moved > 0, there / np.where(moved > 0, moved, 1.0), 0.0)
        return scored(Column(column.level, column.filled(0.0) * share[group[play]], column.valid))

    return Credit(f"attributed({credit.name})", assign, credit.compares | {"group"}, credit.needs)


def either(credit: Credit, fallback: Credit) -> Credit:
    """The first credit where it is scored, else the second: plays of two kinds, each judged in its own way.

    Example:
        >>> from guerdon.credit import step_term
        >>> batch = Batch.from_steps(group=[0, 0], trajectory=[0, 1], reward=[1.0, None], terminated=[False, True])
        >>> either(step_term(fact("reward")), step_term(fact("terminated")))(batch).values
        array([1., 1.])
    """

    def assign(batch: Batch) -> Column:
        first, second = at_one_level(batch, [credit(batch), fallback(batch)])
        values = np.where(first.valid, first.values, second.values)
        return scored(Column(first.level, values, np.asarray(first.valid | second.valid, bool)))

    needs = tuple(dict.fromkeys((*credit.needs, *fallback.needs)))
    return Credit(f"{credit.name}, else {fallback.name}", assign, credit.compares | fallback.compares, needs)


def _counting(batch: Batch, signal: Term, fresh: Term | None) -> tuple[Array, Array]:
    """Which plays count, and what each is worth."""
    column = signal(batch)
    counts = np.asarray(column.valid, bool) & ~failed(batch)
    if fresh is not None:
        counts &= fresh(batch).filled(0.0) > 0
    return counts, column.filled(0.0)
