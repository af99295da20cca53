"""Weights of steps: a play's worth shared out over its steps, and the weighted mean of its steps."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from guerdon import segments
from guerdon.batch import Batch, Column
from guerdon.errors import ShapeError
from guerdon.rewards.term import Term, failed, floats, mapped, need_level

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


def only_last(batch: Batch) -> Column:
    """All weight on each play's last step: nobody stops early.

    Example:
        >>> only_last(Batch.from_steps(group=[0, 0], trajectory=[0, 0], reward=[0.0, 0.0])).values
        array([0., 1.])
    """
    return Column.of("step", segments.last(batch.trajectory_of_step).astype(np.float64))


def rising(batch: Batch) -> Column:
    """Weights 1, 2, 3, ... along each play: later stops are likelier.

    Example:
        >>> rising(Batch.from_steps(group=[0, 0], trajectory=[0, 0], reward=[0.0, 0.0])).values
        array([1., 2.])
    """
    return Column.of("step", segments.position(batch.trajectory_of_step) + 1.0)


def rising_sigmoid(slope: float) -> Weights:
    """Weights that rise along each trajectory, by a sigmoid over its length.

        w[i] = 1 / (1 + exp(-slope * (2 i / (m - 1) - 1))),   i = 0 .. m - 1;   1/2 if m = 1

    Example:
        >>> batch = Batch.from_steps(group=[0] * 3, trajectory=[0] * 3, reward=[0.0] * 3)
        >>> rising_sigmoid(np.log(3.0))(batch).values.round(6)
        array([0.25, 0.5 , 0.75])
    """

    def weights(batch: Batch) -> Column:
        owner = batch.trajectory_of_step
        last = (segments.count(owner, batch.size("trajectory")) - 1)[owner]
        along = np.where(last > 0, 2.0 * segments.position(owner) / np.maximum(last, 1) - 1.0, 0.0)
        return Column.of("step", 1.0 / (1.0 + np.exp(-slope * along)))

    return weights


def weighted_mean(term: Term, how: Weights) -> Term:
    """The weighted mean of a step term over each trajectory.

        y = sum of w[t] x[t] / sum of w[t]

    Missing where a step or a weight is missing, where the play failed, and without steps. With weights
    that are all 0 it is 0.

    Args:
        how: weights of steps, none below 0: a step term, or a function such as `rising_sigmoid(slope)`.

    Example:
        >>> from guerdon.rewards import fact
        >>> batch = Batch.from_steps(group=[0] * 3, trajectory=[0] * 3, reward=[0.0, 0.0, 3.0])
        >>> weighted_mean(fact("reward"), rising_sigmoid(np.log(3.0)))(batch).values.round(6)
        array([1.5])
    """

    def average(batch: Batch) -> Column:
        column, weight = term(batch), how(batch)
        need_level("weighted_mean", term.name, column, "step")
        need_level("weighted_mean", "how", weight, "step")
        w, owner, n = weight.filled(0.0), batch.trajectory_of_step, batch.size("trajectory")
        if (w < 0).any():
            raise ShapeError("weighted_mean: a weight is below 0; weights say how much a step counts; clip them")
        whole = segments.total(w, owner, n)
        lost = segments.total((~(column.valid & weight.valid)).astype(np.float64), owner, n)
        some = segments.count(owner, n) > 0
        values = segments.total(w * column.filled(0.0), owner, n) / np.where(whole > 0, whole, 1.0)
        return floats(column, values, (lost == 0) & some & ~failed(batch), "trajectory")

    return Term(f"weighted_mean({term.name})", average, term.observers)
