"""What a group's plays were worth together: terms at group level, one number a prompt."""

from __future__ import annotations

import numpy as np

from guerdon import segments
from guerdon.batch import Batch, Column
from guerdon.rewards.shaping import unfailed
from guerdon.rewards.term import Term, failed, floats, union


def group_mean(term: Term, among: Term | None = None) -> Term:
    """The mean of a term over each group: of an outcome, how often the prompt is solved.

    Args:
        among: only items at which this, at the term's level or coarser, is above 0.

    Returns:
        A group term. Items without a value, and those of plays that failed, do not count; a group
        in which nothing counts has no mean.

    Example:
        >>> from guerdon.rewards import fact
        >>> batch = Batch.from_steps(group=[0, 0, 1], trajectory=[0, 1, 2], reward=[1.0, 0.0, 0.0])
        >>> group_mean(fact("outcome"))(batch).values
        array([0.5, 0. ])
    """

    def average(batch: Batch) -> Column:
        column = term(batch)
        counts = column.valid & ~failed(batch)[batch.index("trajectory", at=column.level)]
        if among is not None:
            chosen = batch.lift(among(batch), column.level)
            counts = counts & chosen.valid & (chosen.filled(0.0) > 0)
        group, n = batch.index("group", at=column.level), batch.size("group")
        voters = segments.total(counts.astype(np.float64), group, n)
        whole = segments.total(np.where(counts, column.filled(0.0), 0.0), group, n)
        return floats(column, whole / np.maximum(voters, 1.0), voters > 0, "group")

    observers = term.observers if among is None else union(term.observers, among.observers)
    return Term(f"group_mean({term.name})", average, observers)


def group_std(term: Term) -> Term:
    """How far the items of each group differ: the std of the scored values, the count less one.

    Returns:
        A group term, missing where fewer than two are scored; plays that failed do not count. With
        `guerdon.credit.top_share` it keeps the groups that disagree most.

    Example:
        >>> from guerdon.rewards import fact
        >>> batch = Batch.from_steps(group=[0, 0, 1], trajectory=[0, 1, 2], reward=[2.0, 0.0, 1.0])
        >>> group_std(fact("outcome"))(batch).tolist()
        [1.4142135623730951, None]
    """

    def score(batch: Batch) -> Column:
        column = unfailed(term)(batch)
        at = np.flatnonzero(column.valid)
        home, n = batch.index("group", at=column.level)[at], batch.size("group")
        x = column.filled(0.0)[at]
        return floats(column, segments.std(x, home, n), segments.count(home, n) > 1, "group")

    return Term(f"group_std({term.name})", score, term.observers)


def group_percentile(term: Term, q: float = 0.5, among: Term | None = None) -> Term:
    """The q-quantile of the group means of the batch: one number, the same for every group; a group term.

    Args:
        q: 0.5 is the median.
        among: only items at which this is above 0 enter the means, as in `group_mean`.

    Example:
        >>> from guerdon.rewards import fact
        >>> batch = Batch.from_steps(group=[0, 0, 1], trajectory=[0, 1, 2], reward=[1.0, 0.0, 1.0])
        >>> group_percentile(fact("outcome"))(batch).values
        array([0.75, 0.75])
    """
    means = group_mean(term, among)

    def score(batch: Batch) -> Column:
        column = means(batch)
        there = column.valid
        level = float(np.quantile(column.values[there], q)) if there.any() else np.nan
        return floats(column, np.full(len(column), level), np.full(len(column), there.any()))

    return Term(f"group_percentile({term.name})", score, means.observers)
