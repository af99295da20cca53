"""Credit from comparisons of two plays of a prompt, which never become a score of one.

The relation `pairs` has a row for each comparison: `first` and `second`, two plays of one group by
their number, and `preference`, how much the first is preferred (below 0: the second). Two
rows for one pair, asked in both orders, are averaged, which takes out what a judge gives to a place.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from jaxtyping import Bool, Float, Int

from guerdon import segments
from guerdon.batch import Batch, Column
from guerdon.credit.base import Credit, on_steps, scored
from guerdon.errors import ColumnError, ShapeError
from guerdon.rewards.term import Term, failed, floats

Array = np.ndarray
Read = Callable[[Array], Array]


@dataclass(frozen=True, eq=False)
class Compared:
    """Every judged pair twice, once from each side: d[i, j] = -d[j, i].

    Attributes:
        one, other: numbers of trajectories.
        preferred: how much `one` is preferred to `other`.
    """

    one: Int[Array, "m"]
    other: Int[Array, "m"]
    preferred: Float[Array, "m"]


def as_given(preference: Float[Array, "m"]) -> Float[Array, "m"]:
    """Preferences as the judge gave them. `numpy.sign` in its place reads who won and not by how much."""
    return preference


def compared(batch: Batch, read: Read = as_given) -> Compared:
    """The comparisons of a batch, from both sides, without those of a play that failed.

    Args:
        read: an odd function of preferences, applied to each row: `as_given` or `numpy.sign`.

    Raises:
        ColumnError: the batch has no relation `pairs`.
        ShapeError: a row compares plays of two groups, or a play that is not there.

    Example:
        >>> batch = Batch.from_steps(group=[0, 0], trajectory=[0, 1], reward=[0.0, 0.0])
        >>> asked = pa.table({"first": [0, 1], "second": [1, 0], "preference": [3.0, 1.0]})
        >>> compared(batch.with_relations(pairs=asked)).preferred
        array([ 1., -1.])
    """
    table = _pairs(batch)
    first, second = (table[name].to_numpy().astype(np.int64) for name in ("first", "second"))
    preference = table["preference"].to_numpy().astype(np.float64)
    _check(batch, first, second)
    lost = failed(batch)
    use = np.isfinite(preference) & (first != second) & ~lost[first] & ~lost[second]
    first, second, preference = first[use], second[use], np.asarray(read(preference[use]), np.float64)
    low, high = np.minimum(first, second), np.maximum(first, second)
    pair, place, number = np.unique(low * batch.size("trajectory") + high, return_inverse=True, return_counts=True)
    towards = np.where(first < second, preference, -preference)
    mean = np.bincount(place, weights=towards, minlength=len(pair)) / number
    low, high = pair // max(batch.size("trajectory"), 1), pair % max(batch.size("trajectory"), 1)
    return Compared(np.append(low, high), np.append(high, low), np.append(mean, -mean))


def preferred(read: Read = as_given) -> Term:
    """How much each play is preferred to the plays of its group, itself counted in: a trajectory term.

        m[i] = sum over judged j of d[i, j] / (1 + number of them)

    With every pair judged the divisor is the group's size, and where d[i, j] = x[i] - x[j] it is x less the
    mean of the group. Missing for a play that failed, and for one that was compared with
    nobody though there was somebody.

    Example:
        >>> batch = Batch.from_steps(group=[0, 0], trajectory=[0, 1], reward=[0.0, 0.0])
        >>> asked = pa.table({"first": [0], "second": [1], "preference": [3.0]})
        >>> preferred()(batch.with_relations(pairs=asked)).values
        array([ 1.5, -1.5])
    """

    def score(batch: Batch) -> Column:
        margin, valid = _margin(batch, compared(batch, read))
        return floats(Column("trajectory", margin, valid), margin, valid)

    return Term("preferred", score)


@dataclass(frozen=True)
class PairStd:
    """The spread of a group read off its pairs.

        factor = 1 / sqrt(sum of d[i, j]^2 / (2 * judged ordered pairs) + eps)

    Where d is a difference of scores and every pair is judged, the root is their std with the count less one.
    With verdicts of +1 and -1 it is a constant, so an undecided group is not blown up.

    Attributes:
        eps: added inside the root.
    """

    eps: float = 1e-6

    def __call__(self, square: Float[Array, "g"], number: Float[Array, "g"]) -> Float[Array, "g"]:
        """One factor per group from its sum of squares and its number of ordered pairs; 0 where nothing differs."""
        mean = square / (2 * np.maximum(number, 1.0))
        return np.where(square > 0, 1.0 / np.sqrt(np.where(square > 0, mean, 1.0) + self.eps), 0.0)


def pairwise(scale: PairStd | None = None, read: Read = as_given) -> Credit:
    """Group-relative credit from pairs: how much a play is preferred to its group.

        A[i] = m[i] * factor of the group,   m as in `preferred`

    Args:
        scale: `PairStd(eps)`, or None to keep the unit of the preferences.
        read: `as_given`, or `numpy.sign` for who won.

    Returns:
        A credit that compares with "group"; a group of one gets zero, and so does one whose every
        pair is a draw. With PairStd(0) and d[i, j] = x[i] - x[j] it is GRPO's.

    Raises:
        ColumnError: when called, if the batch has no relation `pairs`.

    Example:
        >>> batch = Batch.from_steps(group=[0, 0], trajectory=[0, 1], reward=[0.0, 0.0])
        >>> asked = pa.table({"first": [0], "second": [1], "preference": [2.0]})
        >>> pairwise(PairStd(0.0))(batch.with_relations(pairs=asked)).values.round(3)
        array([ 0.707, -0.707])

    References:
        Think-RM, 2025 (pairwise RLHF).
    """

    def assign(batch: Batch) -> Column:
        pairs = compared(batch, read)
        credit, valid = _margin(batch, pairs)
        if scale is not None:
            group, groups = batch.group_of_trajectory, batch.size("group")
            home = group[pairs.one]
            square = segments.total(pairs.preferred**2, home, groups)
            credit = credit * scale(square, segments.count(home, groups).astype(np.float64))[group]
        return on_steps(batch, scored(Column("trajectory", credit, valid)))

    return Credit("pairwise", assign, frozenset({"group"}))


def against_one(seed: int = 0, read: Read = np.sign) -> Credit:
    """Each play against one play of its group, drawn at random: G - 1 comparisons in place of all.

        A[i] = d[i, ref],   A[ref] = 0

    With an antisymmetric judge the credit of a group has mean zero over the draw of `ref`, though not in
    any one draw. The same plays and seed give the same draw.

    Args:
        seed: another seed, another draw.
        read: `numpy.sign` for 1 or -1, 0 for a draw; or `as_given`.

    Returns:
        A credit that compares with "group". Unscored where the comparison with `ref` was not made.

    Example:
        >>> batch = Batch.from_steps(group=[0, 0], trajectory=[0, 1], reward=[0.0, 0.0])
        >>> asked = pa.table({"first": [0], "second": [1], "preference": [3.0]})
        >>> sorted(np.abs(against_one()(batch.with_relations(pairs=asked)).values).tolist())
        [0.0, 1.0]

    References:
        Writing-Zero, 2025, arXiv:2506.00103 (BRPO).
    """

    def assign(batch: Batch) -> Column:
        credit, valid = against(batch, draw_one(batch, seed), read)
        return on_steps(batch, scored(Column("trajectory", credit, valid)))

    return Credit("against one at random", assign, frozenset({"group"}))


def against(
    batch: Batch, reference: Bool[Array, "m"], read: Read = np.sign
) -> tuple[Float[Array, "m"], Bool[Array, "m"]]:
    """How much each play is preferred to its group's reference, and whether that is known.

    Args:
        reference: True for the plays that others are compared with, at most one of a group.

    Returns:
        Per trajectory: the preference, 0 for the reference itself; True where it was judged.

    Example:
        >>> batch = Batch.from_steps(group=[0, 0], trajectory=[0, 1], reward=[0.0, 0.0])
        >>> asked = pa.table({"first": [0], "second": [1], "preference": [3.0]})
        >>> against(batch.with_relations(pairs=asked), np.array([True, False]))
        (array([ 0., -1.]), array([ True,  True]))
    """
    pairs, plays = compared(batch, read), batch.size("trajectory")
    use = reference[pairs.other]
    values, valid = np.zeros(plays), np.asarray(reference, bool) & ~failed(batch)
    values[pairs.one[use]] = pairs.preferred[use]
    valid[pairs.one[use]] = True
    return values, valid


def draw_one(batch: Batch, seed: int = 0) -> Bool[Array, "m"]:
    """True for one play of each group, drawn at random from those that did not fail.

    Example:
        >>> batch = Batch.from_steps(group=[0, 0, 1], trajectory=[0, 1, 2], reward=[0.0, 0.0, 0.0])
        >>> drawn = draw_one(batch)
        >>> int(drawn[:2].sum()), bool(drawn[2])
        (1, True)
    """
    at = np.flatnonzero(~failed(batch))
    # The draw hangs on the plays that count alone, so that a failed one does not change it.
    lot = np.random.default_rng([seed, len(at)]).random(len(at))
    group = batch.group_of_trajectory[at]
    order = np.lexsort((lot, group))
    drawn = np.zeros(batch.size("trajectory"), bool)
    drawn[at[order[segments.starts("draw_one", group[order])]]] = True
    return drawn


def _margin(batch: Batch, pairs: Compared) -> tuple[Array, Array]:
    plays = batch.size("trajectory")
    number = segments.count(pairs.one, plays)
    margin = segments.total(pairs.preferred, pairs.one, plays) / (1.0 + number)
    there = ~failed(batch)
    company = segments.total(there.astype(np.float64), batch.group_of_trajectory, batch.size("group"))
    alone = company[batch.group_of_trajectory] <= 1
    return margin, np.asarray(there & ((number > 0) | alone), bool)


def _pairs(batch: Batch) -> pa.Table:
    table = batch.relations.get("pairs")
    missing = {"first", "second", "preference"} - set([] if table is None else table.column_names)
    if table is None or missing:
        what = "no relation 'pairs'" if table is None else f"no {', '.join(sorted(missing))} in its relation 'pairs'"
        raise ColumnError(
            f"pairs: the batch has {what}; a row per comparison with first, second and preference is needed; "
            "run a judge of pairs, or put them on with batch.with_relations(pairs=)"
        )
    return table


def _check(batch: Batch, first: Array, second: Array) -> None:
    plays = batch.size("trajectory")
    both = np.append(first, second)
    if len(both) and (both.min() < 0 or both.max() >= plays):
        raise ShapeError(
            f"pairs: a row names play {both.min() if both.min() < 0 else both.max()} and there are {plays}; "
            "first and second are numbers of trajectories of this batch; use batch.select to keep them in step"
        )
    if (batch.group_of_trajectory[first] != batch.group_of_trajectory[second]).any():
        raise ShapeError("pairs: a row compares plays of two groups; both must answer one prompt; take those rows out")
