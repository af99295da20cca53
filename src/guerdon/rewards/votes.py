"""Several judges and one verdict; runs of equal verdicts.

Judges vote on steps in a column with one row per step and one entry per judge. A `Vote` makes one
number of a row; `vectors` reads any such column. `merge_runs` and `thoughts` number the runs of equal verdicts.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import numpy as np
from jaxtyping import Float, Int, Shaped

from guerdon import segments
from guerdon.batch import Batch, Column
from guerdon.errors import ColumnError
from guerdon.rewards.term import Term, floats, need_level

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
        votes = vectors("verdict", name, column)
        spoke = ~np.isnan(votes)
        judges = spoke.sum(axis=1).astype(np.float64)
        yes = (np.where(spoke, votes, 0.0) > 0).sum(axis=1).astype(np.float64)
        said = vote(yes, np.maximum(judges, 1.0))
        return floats(column, said, column.valid & (judges > 0))

    return Term(f"{vote.__class__.__name__.lower()}({name})", score)


def vectors(caller: str, name: str, column: Column) -> Float[Array, "n entries"]:
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
