"""Several judges and one verdict; runs of equal verdicts; what is paid where nothing was reached.

Judges vote on steps in a column with one row per step and one entry per judge. A `Vote` makes one
number of a row. `otherwise`, `group_mean` and `weighted` make rewards that look at the whole group
before they pay.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from numbers import Real
from typing import Protocol, runtime_checkable

import numpy as np
from jaxtyping import Float, Int, Shaped

from guerdon import segments
from guerdon.batch import LEVELS, Batch, Column
from guerdon.errors import ColumnError, LevelError, ShapeError
from guerdon.rewards.spread import Weights
from guerdon.rewards.term import WAYS_OUT, Term, failed, floats, need_level, union

Array = np.ndarray


@runtime_checkable
class Vote(Protocol):
    """What several judges say together. It sees how many spoke, not who."""

    def __call__(self, yes: Float[Array, "n"], judges: Float[Array, "n"]) -> Float[Array, "n"]:
        """Returns the verdict of each item from its votes for yes and the judges that spoke, at least one."""
        ...


@dataclass(frozen=True)
class Intersection:
    """Yes where every judge says so. Few false alarms, many misses.

    Example:
        >>> Intersection()(np.array([1.0, 2.0]), np.array([2.0, 2.0]))
        array([0., 1.])
    """

    def __call__(self, yes: Float[Array, "n"], judges: Float[Array, "n"]) -> Float[Array, "n"]:
        """1 or 0 per item."""
        return (yes >= judges).astype(np.float64)


@dataclass(frozen=True)
class Majority:
    """Yes where half of the judges or more say so; a tie is a yes.

    Example:
        >>> Majority()(np.array([1.0, 1.0]), np.array([2.0, 3.0]))
        array([1., 0.])
    """

    def __call__(self, yes: Float[Array, "n"], judges: Float[Array, "n"]) -> Float[Array, "n"]:
        """1 or 0 per item."""
        return (2.0 * yes >= judges).astype(np.float64)


@dataclass(frozen=True)
class Union:
    """Yes where any judge says so. Few misses, many false alarms.

    Example:
        >>> Union()(np.array([0.0, 1.0]), np.array([3.0, 3.0]))
        array([0., 1.])
    """

    def __call__(self, yes: Float[Array, "n"], judges: Float[Array, "n"]) -> Float[Array, "n"]:
        """1 or 0 per item."""
        return (yes > 0).astype(np.float64)


@dataclass(frozen=True)
class Share:
    """The share of the judges that say yes.

    Example:
        >>> Share()(np.array([1.0]), np.array([4.0]))
        array([0.25])
    """

    def __call__(self, yes: Float[Array, "n"], judges: Float[Array, "n"]) -> Float[Array, "n"]:
        """A number in [0, 1] per item."""
        return yes / judges


def verdict(name: str, vote: Vote) -> Term:
    """One number per item from a column with one entry per judge.

    Args:
        name: a column of two dimensions, item by judge; above 0 is a yes, NaN a judge that did not
            speak. A row without a value, or in which nobody spoke, has no verdict: silence is no no.
        vote: `Intersection()`, `Majority()`, `Union()` or `Share()`.

    Raises:
        ColumnError: when called, if there is no such column, or it has not one entry per judge.

    Example:
        >>> batch = Batch.from_steps(group=[0, 0], trajectory=[0, 0], reward=[0.0, 0.0])
        >>> batch = batch.with_columns(wrong_votes=Column.of("step", np.array([[1, 1, 0], [0, 1, 0]])))
        >>> verdict("wrong_votes", Majority())(batch).values
        array([1., 0.])

    References:
        CAPO: Towards Enhancing LLM Reasoning through Verifiable Generative Credit Assignment, 2025,
        arXiv:2508.02298.
    """

    def score(batch: Batch) -> Column:
        column = batch[name]
        votes = rows("verdict", name, column)
        spoke = ~np.isnan(votes)
        judges = spoke.sum(axis=1).astype(np.float64)
        yes = (np.where(spoke, votes, 0.0) > 0).sum(axis=1).astype(np.float64)
        said = vote(yes, np.maximum(judges, 1.0))
        return floats(column, said, column.valid & (judges > 0))

    return Term(f"{vote.__class__.__name__.lower()}({name})", score)


def rows(caller: str, name: str, column: Column) -> Float[Array, "n entries"]:
    """The values of a column of two dimensions; ColumnError for any other."""
    values = column.values
    if not isinstance(values, np.ndarray) or values.dtype.kind not in "biuf" or values.ndim != 2:
        raise ColumnError(
            f"{caller}: column {name!r} does not hold a row of numbers per item; two dimensions are needed; "
            "stack what each judge or criterion says with np.stack(..., axis=1)"
        )
    return np.asarray(values, np.float64)


def merge_runs(label: Shaped[Array, "n"], trajectory: Int[Array, "n"]) -> Int[Array, "n"]:
    """Numbers the runs of equal labels inside each trajectory: steps of one label become one thought.

    Args:
        label: anything that can be compared; NaN equals nothing, so it is a run of its own.
        trajectory: the trajectory of each step; its steps lie side by side.

    Returns:
        The number of each step's run, from 0, rising: a segment id.

    Example:
        >>> merge_runs(np.array([1, 1, 0, 1, 1]), np.array([0, 0, 0, 0, 1]))
        array([0, 0, 1, 2, 3])
    """
    new = segments.starts("merge_runs", trajectory)
    segments.same_length("merge_runs", label, trajectory)
    new[1:] |= np.asarray(label)[1:] != np.asarray(label)[:-1]
    return np.cumsum(new) - 1


def thoughts(term: Term) -> Callable[[Batch], Column]:
    """The run of equal values that each step is in, as a segment key: see `merge_runs`.

    Example:
        >>> from guerdon.rewards import fact
        >>> batch = Batch.from_steps(group=[0] * 3, trajectory=[0] * 3, reward=[1.0, 1.0, 0.0])
        >>> thoughts(fact("reward"))(batch).values
        array([0, 0, 1])
    """

    def key(batch: Batch) -> Column:
        column = term(batch)
        need_level("thoughts", term.name, column, "step")
        return Column("step", merge_runs(column.filled(np.nan), batch.trajectory_of_step), column.valid)

    return key


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


def rising(slope: float) -> Weights:
    """Weights that rise along each trajectory, by a sigmoid over its length.

        w[i] = 1 / (1 + exp(-slope * (2 i / (m - 1) - 1))),   i = 0 .. m - 1;   1/2 if m = 1

    Example:
        >>> batch = Batch.from_steps(group=[0] * 3, trajectory=[0] * 3, reward=[0.0] * 3)
        >>> rising(np.log(3.0))(batch).values.round(6)
        array([0.25, 0.5 , 0.75])
    """

    def weights(batch: Batch) -> Column:
        owner = batch.trajectory_of_step
        last = (segments.count(owner, batch.size("trajectory")) - 1)[owner]
        along = np.where(last > 0, 2.0 * segments.position(owner) / np.maximum(last, 1) - 1.0, 0.0)
        return Column.of("step", 1.0 / (1.0 + np.exp(-slope * along)))

    return weights


def weighted(term: Term, how: Weights) -> Term:
    """The weighted mean of a step term over each trajectory.

        y = sum of w[t] x[t] / sum of w[t]

    Missing where a step or a weight is missing, where the play failed, and without steps. With weights
    that are all 0 it is 0.

    Args:
        how: weights of steps, none below 0: a step term, or a function such as `rising(slope)`.

    Example:
        >>> from guerdon.rewards import fact
        >>> batch = Batch.from_steps(group=[0] * 3, trajectory=[0] * 3, reward=[0.0, 0.0, 3.0])
        >>> weighted(fact("reward"), rising(np.log(3.0)))(batch).values.round(6)
        array([1.5])
    """

    def average(batch: Batch) -> Column:
        column, weight = term(batch), how(batch)
        need_level("weighted", term.name, column, "step")
        need_level("weighted", "how", weight, "step")
        w, owner, n = weight.filled(0.0), batch.trajectory_of_step, batch.size("trajectory")
        if (w < 0).any():
            raise ShapeError("weighted: a weight is below 0; weights say how much a step counts; clip them")
        whole = segments.total(w, owner, n)
        lost = segments.total((~(column.valid & weight.valid)).astype(np.float64), owner, n)
        some = segments.count(owner, n) > 0
        values = segments.total(w * column.filled(0.0), owner, n) / np.where(whole > 0, whole, 1.0)
        return floats(column, values, (lost == 0) & some & ~failed(batch), "trajectory")

    return Term(f"weighted({term.name})", average, term.observers)
