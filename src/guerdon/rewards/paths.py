"""What a path did, read off its steps: progress beyond the best so far, and the ways in which a path goes wrong.

`record` and `worst_so_far` are step terms. `repeated`, `left`, `receded` and `false_stop` look at a whole path and
say 1 or 0 of the play: to be taken off a reward, not to be learned from alone.
"""

from __future__ import annotations

from numbers import Real

import numpy as np

from guerdon import segments
from guerdon.batch import Batch, Column
from guerdon.rewards.shaping import gate
from guerdon.rewards.term import Term, failed, final, floats, need_level

Array = np.ndarray


def record(term: Term, start: Real = 0.0) -> Term:
    """How far a step got beyond the best so far; 0 where it did not.

        r[t] = max(x[t] - m[t], 0),   m[t] = max(start, x[0], ..., x[t-1])

    The steps of a play add up to its best x less `start`, so going back and coming again is not paid twice
    (`delta` takes the first way back off, and pays the second way there). From the first missing value on the
    best is not known, and neither is what came beyond it.

    Args:
        term: a step term, such as the completion of a route.
        start: what counts as reached before the first step.

    Example:
        >>> from guerdon.rewards import fact
        >>> batch = Batch.from_steps(group=[0] * 4, trajectory=[0] * 4, reward=[0.5, 0.25, 0.5, 1.0])
        >>> record(fact("reward"))(batch).values
        array([0.5, 0. , 0. , 0.5])

    References:
        CaRL: Learning Scalable Planning Policies with Simple Rewards, 2025: route completion.
    """

    def beyond(batch: Batch) -> Column:
        column, owner = term(batch), batch.trajectory_of_step
        need_level("record", term.name, column, "step")
        known = _until_missing(column.valid, owner)
        best = _best_so_far(np.where(known, np.maximum(column.filled(start), start), start), owner)
        return floats(column, best - segments.shift(best, owner, float(start)), known)

    return Term(f"record({term.name})", beyond, term.observers)


def worst_so_far(term: Term) -> Term:
    """The least value up to and with each step: what is once lost stays lost for the rest of the play.

    Missing from the first missing value on.

    Example:
        >>> from guerdon.rewards import fact
        >>> batch = Batch.from_steps(group=[0] * 3, trajectory=[0] * 3, reward=[1.0, 0.5, 1.0])
        >>> worst_so_far(fact("reward"))(batch).values
        array([1. , 0.5, 0.5])
    """

    def least(batch: Batch) -> Column:
        column, owner = term(batch), batch.trajectory_of_step
        need_level("worst_so_far", term.name, column, "step")
        known = _until_missing(column.valid, owner)
        return floats(column, -_best_so_far(-np.where(known, column.values, 0.0), owner), known)

    return Term(f"worst_so_far({term.name})", least, term.observers)


def repeated(key: str) -> Term:
    """1 for a play that stood in the same place at two steps or more, 0 for the others.

    Args:
        key: a step column with the place after each step: numbers or text. A place that is missing
            equals no other.

    Returns:
        A trajectory term, missing where the play failed and where it has no steps.

    Example:
        >>> batch = Batch.from_steps(group=[0] * 4, trajectory=[0, 0, 1, 1], reward=[0.0] * 4, state=[5, 5, 5, 6])
        >>> repeated("state")(batch).values
        array([1., 0.])
    """

    def twice(batch: Batch) -> Column:
        column, owner = batch[key], batch.trajectory_of_step
        need_level("repeated", key, column, "step")
        at = np.flatnonzero(column.valid)
        visit = segments.joint(owner[at], segments.number(np.asarray(column.values)[at]))
        again = np.zeros(batch.size("trajectory"))
        again[owner[at][segments.count(visit)[visit] > 1]] = 1.0
        return floats(Column("trajectory", again, _seen(batch)), again, _seen(batch))

    return Term(f"repeated({key})", twice)


def left(distance: Term) -> Term:
    """1 for a play that was at its goal and ended elsewhere, 0 for the others.

    Args:
        distance: a step term, how far the place after the step is from the goal; 0 or below is there.

    Returns:
        A trajectory term, missing where a distance is missing or the play failed.

    Example:
        >>> from guerdon.rewards import fact
        >>> batch = Batch.from_steps(group=[0] * 4, trajectory=[0, 0, 1, 1], reward=[0.0, 2.0, 2.0, 0.0])
        >>> left(fact("reward"))(batch).values
        array([1., 0.])
    """

    def gone(batch: Batch) -> Column:
        column, owner, n = distance(batch), batch.trajectory_of_step, batch.size("trajectory")
        need_level("left", distance.name, column, "step")
        there = np.zeros(n, bool)
        there[owner[column.valid & (column.filled(1.0) <= 0)]] = True
        end = final(distance)(batch)
        lost = segments.total((~column.valid).astype(np.float64), owner, n) > 0
        return floats(end, (there & (end.filled(0.0) > 0)).astype(np.float64), end.valid & ~lost)

    return Term(f"left({distance.name})", gone, distance.observers)


def receded(distance: Term) -> Term:
    """1 for a play that ended further from its goal than its first step had come, 0 for the others.

    Args:
        distance: a step term, how far the place after the step is from the goal.

    Returns:
        A trajectory term, missing where the first or the last distance is, or the play failed.

    Example:
        >>> from guerdon.rewards import fact
        >>> batch = Batch.from_steps(group=[0] * 4, trajectory=[0, 0, 1, 1], reward=[1.0, 2.0, 2.0, 2.0])
        >>> receded(fact("reward"))(batch).values
        array([1., 0.])
    """

    def worse(batch: Batch) -> Column:
        column, owner, n = distance(batch), batch.trajectory_of_step, batch.size("trajectory")
        need_level("receded", distance.name, column, "step")
        first = segments.starts("receded", owner)
        begin, known = np.zeros(n), np.zeros(n, bool)
        begin[owner[first]], known[owner[first]] = column.filled(0.0)[first], column.valid[first]
        end = final(distance)(batch)
        return floats(end, (end.filled(0.0) > begin).astype(np.float64), end.valid & known)

    return Term(f"receded({distance.name})", worse, distance.observers)


def false_stop(stopped: Term, distance: Term) -> Term:
    """1 for a play that ended by saying that it was there, and was not; 0 for the others.

    A play that did not stop of itself is not asked where it ended.

    Args:
        stopped: a step term, above 0 where the action was to stop.
        distance: as in `left`.

    Example:
        >>> from guerdon.rewards import fact
        >>> batch = Batch.from_steps(group=[0] * 3, trajectory=[0, 1, 2], reward=[2.0, 0.0, 2.0])
        >>> batch = batch.with_columns(stopped=Column.of("step", [1.0, 1.0, 0.0]))
        >>> false_stop(fact("stopped"), fact("reward"))(batch).values
        array([1., 0., 0.])
    """

    def away(batch: Batch) -> Column:
        end = final(distance)(batch)
        return floats(end, (end.filled(0.0) > 0).astype(np.float64), end.valid)

    outside = Term(f"outside({distance.name})", away, distance.observers)
    return gate(outside, when=final(stopped)).named(f"false_stop({distance.name})")


def _seen(batch: Batch) -> Array:
    steps = segments.count(batch.trajectory_of_step, batch.size("trajectory"))
    return (steps > 0) & ~failed(batch)


def _until_missing(valid: Array, owner: Array) -> Array:
    """True up to, and not with, the first missing item of each play."""
    gaps = segments.to_go((~valid[::-1]).astype(np.float64), owner[::-1])[::-1]
    return gaps == 0


def _best_so_far(x: Array, owner: Array) -> Array:
    """The largest value up to each place of its play."""
    return -segments.min_to_go(-x[::-1], owner[::-1])[::-1]
