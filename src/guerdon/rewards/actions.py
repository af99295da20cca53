"""What a play earned by its actions of one kind: its searches, its selections, its calls of a tool."""

from __future__ import annotations

from numbers import Real

import numpy as np

from guerdon import segments
from guerdon.batch import Batch, Column
from guerdon.rewards.term import Term, failed, floats, need_level, union


def mean_where(term: Term, when: Term, nothing: Real = 0.0) -> Term:
    """The mean of a step term over the steps of one kind.

        y = sum over t with when[t] > 0 of x[t] / how many they are;   `nothing` where there are none

    Steps of another kind are not read, so what is scored for one kind of action only may be missing
    everywhere else. One good step weighs more in a play with few of its kind: a mean favours a single safe
    action over several.

    Args:
        term: a step term.
        when: a step term, above 0 where the step is of the kind.
        nothing: what a play without such steps gets.

    Returns:
        A trajectory term, missing where a kind is not known, where a step of the kind has no score, and
        where the play failed or has no steps.

    Example (the second play never searched):
        >>> from guerdon.rewards import fact
        >>> batch = Batch.from_steps(group=[0] * 4, trajectory=[0, 0, 0, 1], reward=[1.0, None, 0.0, None])
        >>> batch = batch.with_columns(searched=Column.of("step", [1.0, 0.0, 1.0, 0.0]))
        >>> mean_where(fact("reward"), fact("searched"))(batch).values
        array([0.5, 0. ])
    """

    def average(batch: Batch) -> Column:
        column, kind = term(batch), when(batch)
        need_level("mean_where", term.name, column, "step")
        need_level("mean_where", when.name, kind, "step")
        owner, n = batch.trajectory_of_step, batch.size("trajectory")
        of_kind = kind.valid & (kind.filled(0.0) > 0)

        def per_play(x: np.ndarray) -> np.ndarray:
            return segments.total(np.asarray(x, np.float64), owner, n)

        lost = per_play(~kind.valid | (of_kind & ~column.valid)) > 0
        many = per_play(of_kind)
        values = per_play(np.where(of_kind, column.filled(0.0), 0.0)) / np.maximum(many, 1.0)
        some = segments.count(owner, n) > 0
        return floats(column, np.where(many > 0, values, float(nothing)), ~lost & some & ~failed(batch), "trajectory")

    return Term(f"{term.name} where {when.name}", average, union(term.observers, when.observers))
