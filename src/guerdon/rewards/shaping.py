"""Maps of a term's values: clip, affine, tiers, slopes, gates, products, choices and differences.

`gate` and `unfailed` keep the parts of a sum. Under the others a sum becomes one term; to see its parts,
map each summand and add.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from numbers import Real

import numpy as np

from guerdon import segments
from guerdon.batch import LEVELS, Batch, Column
from guerdon.errors import LevelError, ShapeError
from guerdon.rewards.term import WAYS_OUT, Term, a_term, failed, floats, mapped, need_level, union

Array = np.ndarray


def affine(term: Term, scale: Real = 1.0, offset: Real = 0.0) -> Term:
    """`scale * x + offset`, per item of the term's own level.

    Example:
        >>> from guerdon.rewards import fact
        >>> batch = Batch.from_steps(group=[0, 0], trajectory=[0, 0], reward=[-1.0, 1.0])
        >>> affine(fact("reward"), scale=0.5, offset=0.5)(batch).values
        array([0., 1.])
    """
    return replace(_pointwise(term, term.name, lambda x: scale * x + offset), affine_of=term.affine_of)


def clip(term: Term, low: Real | None = None, high: Real | None = None) -> Term:
    """Values below `low` become `low`, values above `high` become `high`.

    Example:
        >>> from guerdon.rewards import fact
        >>> batch = Batch.from_steps(group=[0, 0], trajectory=[0, 0], reward=[-1.0, 1.0])
        >>> clip(fact("reward"), high=0.0)(batch).values
        array([-1.,  0.])

    References:
        Gao et al., On Designing Effective RL Reward at Training Time for LLM Reasoning, 2024,
        arXiv:2410.15115: clip of `p - eta` with high=0.
    """
    if low is None and high is None:
        raise ShapeError(f"clip: {term.name!r} got neither low nor high; one is needed; give low= or high=")
    if low is not None and high is not None and low > high:
        raise ShapeError(f"clip: low={low} and high={high}; low must not be above high; swap them")
    return _pointwise(term, f"clip({term.name})", lambda x: np.clip(x, low, high))


def tiers(term: Term, at: Sequence[Real], values: Sequence[Real]) -> Term:
    """A ladder: which of the ascending thresholds a value reaches decides what it is worth.

        worth = values[number of thresholds at or below x]

    Args:
        at: k ascending thresholds.
        values: k + 1 worths: below the first, from the first on, ..., from the last on.

    Example:
        >>> from guerdon.rewards import fact
        >>> batch = Batch.from_steps(group=[0, 0, 0], trajectory=[0, 0, 0], reward=[0.2, 0.5, 1.0])
        >>> tiers(fact("reward"), at=(0.5, 1.0), values=(-1.0, 0.0, 1.0))(batch).values
        array([-1.,  0.,  1.])
    """
    edges, worth = np.asarray(at, np.float64), np.asarray(values, np.float64)
    if len(worth) != len(edges) + 1:
        raise ShapeError(f"tiers: {len(edges)} thresholds and {len(worth)} values; one value more than thresholds is "
                         "needed; the first is for what is below every threshold")  # fmt: skip
    if (np.diff(edges) <= 0).any():
        raise ShapeError(f"tiers: thresholds {tuple(at)} do not ascend; sort them, each once")
    return _pointwise(term, f"tiers({term.name})", lambda x: worth[np.searchsorted(edges, x, side="right")])


def slopes(term: Term, at: Sequence[Real], values: Sequence[Real]) -> Term:
    """Straight lines through the given points, flat outside them: what `tiers` is for stairs.

    Args:
        at: ascending places, one or more.
        values: what the term is worth at each of them.

    Example (free up to 2, half lost at 4):
        >>> from guerdon.rewards import fact
        >>> batch = Batch.from_steps(group=[0] * 3, trajectory=[0] * 3, reward=[1.0, 3.0, 9.0])
        >>> slopes(fact("reward"), at=(2.0, 4.0), values=(1.0, 0.5))(batch).values
        array([1.  , 0.75, 0.5 ])
    """
    places, worth = np.asarray(at, np.float64), np.asarray(values, np.float64)
    if not len(places) or len(worth) != len(places):
        raise ShapeError(f"slopes: {len(places)} places and {len(worth)} values; one value per place is needed, one "
                         "place or more")  # fmt: skip
    if (np.diff(places) <= 0).any():
        raise ShapeError(f"slopes: places {tuple(at)} do not ascend; sort them, each once")
    return _pointwise(term, f"slopes({term.name})", lambda x: np.interp(x, places, worth))


def root(term: Term) -> Term:
    """The square root of what is above 0; 0 at and below it.

    Example:
        >>> from guerdon.rewards import fact
        >>> root(fact("reward"))(Batch.from_steps(group=[0, 0], trajectory=[0, 0], reward=[4.0, -1.0])).values
        array([2., 0.])
    """
    return _pointwise(term, f"root({term.name})", lambda x: np.sqrt(np.maximum(x, 0.0)))


def product(first: Term, *others: Term) -> Term:
    """The terms multiplied, so that no one of them can be traded against another.

        y[i] = x1[i] * x2[i] * ...

    A factor that is known to be 0 decides: the value is 0 and scored whatever is missing from the others, as
    behind a shut gate. Else the value is missing where any factor is.

    Args:
        first, others: at one level.

    Raises:
        LevelError: when called, if they are not at one level.

    Example:
        >>> from guerdon.rewards import fact
        >>> batch = Batch.from_steps(group=[0] * 3, trajectory=[0] * 3, reward=[0.0, 2.0, 2.0])
        >>> batch = batch.with_columns(share=Column.of("step", [None, 0.25, None]))
        >>> product(fact("reward"), fact("share"))(batch).tolist()
        [0.0, 0.5, None]
    """

    def multiply(batch: Batch) -> Column:
        columns = [term(batch) for term in (first, *others)]
        for term, column in zip(others, columns[1:], strict=True):
            need_level("product", term.name, column, columns[0].level)
        shut = np.logical_or.reduce([c.valid & (c.values == 0) for c in columns])
        known = np.logical_and.reduce([c.valid for c in columns])
        values = columns[0].filled(0.0)
        for column in columns[1:]:
            values = values * column.filled(0.0)
        return floats(columns[0], np.where(shut, 0.0, values), shut | known)

    name = " * ".join(term.name for term in (first, *others))
    return Term(name, multiply, union(*(term.observers for term in (first, *others))))


def gate(term: Term, *, when: Term, above: Real = 0.0) -> Term:
    """The term where `when` is above `above`, 0 elsewhere.

        g[i] = x[i] if when[i] > above else 0

    Where the gate is shut the term is not read, so the value is 0 and scored even where the
    term is missing. Where `when` is missing the value is missing.

    Args:
        when: a term at the same level, or coarser: a step term may stand behind a
            trajectory's condition. This is the one place where a level is lifted without
            being asked for.

    Raises:
        LevelError: when called, if `when` is finer than the term.

    Example:
        >>> from guerdon.rewards import fact
        >>> batch = Batch.from_steps(group=[0, 0, 0], trajectory=[0, 0, 1], reward=[1.0, 2.0, -3.0])
        >>> gate(fact("reward"), when=fact("outcome"))(batch).values
        array([1., 2., 0.])

    References:
        Gated Reward Accumulation: a lower-priority reward counts only while every higher one
        clears its gate.
    """

    def shut(batch: Batch, column: Column) -> Column:
        key = when(batch)
        if LEVELS.index(key.level) < LEVELS.index(column.level):
            raise LevelError(
                f"gate: {term.name!r} is at {column.level} level and its condition {when.name!r} at the finer "
                f"{key.level} level; a condition of the same or a coarser level is needed; {WAYS_OUT}"
            )
        key = batch.lift(Column(key.level, key.values, key.valid), column.level)
        is_open = key.valid & (key.filled(-np.inf) > above)
        return floats(column, np.where(is_open, column.values, 0.0), key.valid & (column.valid | ~is_open))

    through = mapped(term, shut, a_term(when, "gate").observers, a_term(term, "gate").level)
    return replace(through, gates=union(((when, above),), when.gates, term.gates))


def delta(term: Term, start: Real = 0.0) -> Term:
    """Forward difference, progress: what a step added.

        d[0] = x[0] - start,   d[t] = x[t] - x[t-1]

    The steps of a trajectory add up to its last x less `start`. A missing value makes its
    own step and the next one missing.

    Example:
        >>> from guerdon.rewards import fact
        >>> batch = Batch.from_steps(group=[0, 0, 0], trajectory=[0, 0, 0], reward=[0.5, 0.5, 1.0])
        >>> delta(fact("reward"))(batch).values
        array([0.5, 0. , 0.5])
    """

    def score(batch: Batch) -> Column:
        column, owner = term(batch), batch.trajectory_of_step
        need_level("delta", term.name, column, "step")
        before = segments.shift(column.values, owner, float(start))
        known = segments.shift(column.valid.astype(float), owner, 1.0) > 0
        return floats(column, column.values - before, column.valid & known)

    return Term(f"delta({term.name})", score, term.observers)


def backward_delta(term: Term) -> Term:
    """Backward difference: the return from a step is that step's own score, however many follow.

        r[k] = p[k] - p[k+1]  for k < K-1,   r[K-1] = p[K-1],   r[K] = 0      (steps 1..K)

    so the sum of r from step k on is p[k] for k < K, and 0 from the last step, which is left
    to the outcome. This is not `delta` with the sign turned: `delta` pays for what rose,
    this one for standing high. It telescopes undiscounted only.

    Example:
        >>> from guerdon.rewards import fact
        >>> batch = Batch.from_steps(group=[0, 0, 0], trajectory=[0, 0, 0], reward=[0.5, 0.25, 1.0])
        >>> backward_delta(fact("reward"))(batch).values
        array([0.25, 0.25, 0.  ])

    References:
        Gao et al., 2024, arXiv:2410.15115, the Delta mechanism.
    """

    def score(batch: Batch) -> Column:
        column, owner = term(batch), batch.trajectory_of_step
        need_level("backward_delta", term.name, column, "step")
        follow = segments.count(owner, batch.size("trajectory"))[owner] - 1 - segments.position(owner)
        after, known = np.append(column.values[1:], 0.0), np.append(column.valid[1:], True)
        values = np.where(follow == 1, column.values, column.values - after)
        valid = column.valid & (known | (follow == 1))
        return floats(column, np.where(follow == 0, 0.0, values), valid | (follow == 0))

    return Term(f"backward_delta({term.name})", score, term.observers)


def _pointwise(term: Term, name: str, f: Callable[[Array], Array]) -> Term:
    def score(batch: Batch) -> Column:
        column = term(batch)
        return floats(column, f(np.where(column.valid, column.values, 0.0)), column.valid)

    return Term(name, score, term.observers)


def otherwise(term: Term, fallback: Term, *, when: Term, above: Real = 0.0) -> Term:
    """The term where a condition holds, and another where it does not.

        y[i] = x[i] if when[i] > above else z[i]

    With a condition on the group, such as `group_mean(outcome)`, a group that never succeeds is paid
    for something else, and every comparison stays within one kind of reward.

    Args:
        term, fallback: at one level.
        when: at their level or coarser. What is not chosen is not read; where the condition is missing
            so is the value.

    Raises:
        LevelError: when called, if the two differ in level, or `when` is finer.

    Example:
        >>> from guerdon.rewards import fact
        >>> batch = Batch.from_steps(group=[0, 0, 1], trajectory=[0, 1, 2], reward=[1.0, 0.0, 0.0])
        >>> from guerdon.rewards import group_mean
        >>> batch = batch.with_columns(effort=Column.of("trajectory", [0.5, 0.5, 0.5]))
        >>> otherwise(fact("outcome"), fact("effort"), when=group_mean(fact("outcome")))(batch).values
        array([1. , 0. , 0.5])
    """

    def choose(batch: Batch) -> Column:
        first, second, condition = term(batch), fallback(batch), when(batch)
        if first.level != second.level or LEVELS.index(condition.level) < LEVELS.index(first.level):
            raise LevelError(
                f"otherwise: {term.name!r} is at {first.level} level, {fallback.name!r} at {second.level} level and "
                f"the condition {when.name!r} at {condition.level} level; two of one level and a condition no finer "
                f"are needed; {WAYS_OUT}"
            )
        condition = batch.lift(Column(condition.level, condition.values, condition.valid), first.level)
        holds = condition.valid & (condition.filled(-np.inf) > above)
        values = np.where(holds, first.filled(0.0), second.filled(0.0))
        return floats(first, values, condition.valid & np.where(holds, first.valid, second.valid))

    return Term(f"{term.name} or {fallback.name}", choose, union(term.observers, fallback.observers, when.observers))


def unfailed(term: Term) -> Term:
    """The term, missing in every play that failed, so that what was seen before the fault does not vote.

    Example:
        >>> from guerdon.rewards import fact
        >>> batch = Batch.from_steps(group=[0, 0], trajectory=[0, 1], reward=[1.0, 2.0])
        >>> batch = batch.with_columns(failed=Column.of("trajectory", [True, False]))
        >>> unfailed(fact("reward"))(batch).tolist()
        [None, 2.0]
    """

    def kept(batch: Batch, column: Column) -> Column:
        broke = failed(batch)[batch.index("trajectory", at=column.level)]
        return floats(column, column.values, column.valid & ~broke)

    return replace(mapped(term, kept, level=a_term(term, "unfailed").level), affine_of=term.affine_of)
