"""Shares a trajectory's worth out over its steps, keeping the sum."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from guerdon import segments
from guerdon.batch import Batch, Column
from guerdon.errors import ShapeError
from guerdon.rewards.term import Term, floats, mapped, need_level

Weights = Callable[[Batch], Column]


def uniform(batch: Batch) -> Column:
    """The same weight for every step."""
    return Column.of("step", np.ones(batch.size("step")))


def spread(term: Term, how: Weights = uniform) -> Term:
    """A trajectory term shared out over its steps in proportion to weights.

        s[t] = x * w[t] / sum of w over the trajectory

    so `total(spread(x))` is `x` up to rounding.

    Args:
        term: a trajectory term.
        how: what gives the weights, none below 0: a step term, or any function from a batch
            to a step column. Where a trajectory's weights are all 0, the steps share equally;
            where one is missing, its trajectory's shares are.

    Example:
        >>> from guerdon.rewards import fact
        >>> batch = Batch.from_steps(group=[0, 0], trajectory=[0, 0], reward=[1.0, 3.0])
        >>> spread(fact("outcome"))(batch).values, spread(fact("outcome"), how=fact("reward"))(batch).values
        (array([2., 2.]), array([1., 3.]))
    """

    def share(batch: Batch, column: Column) -> Column:
        need_level("spread", term.name, column, "trajectory")
        weight = how(batch)
        need_level("spread", "how", weight, "step")
        w = weight.filled(0.0)
        if (w < 0).any():
            raise ShapeError("spread: a weight is below 0; weights say how much of the whole a step gets; clip them")
        owner, n = batch.trajectory_of_step, batch.size("trajectory")
        missing = segments.total((~weight.valid).astype(float), owner, n) > 0
        w = np.where((segments.total(w, owner, n) == 0)[owner], 1.0, w)
        portion = w / segments.total(w, owner, n)[owner]
        return floats(column, column.values[owner] * portion, (column.valid & ~missing)[owner], "step")

    observers = how.observers if isinstance(how, Term) else ()
    return mapped(term, share, observers)
