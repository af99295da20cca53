"""Sums, means, ranks and recurrences over segments: the vectorised kernel of everything.

Every function takes flat values and a segment id per value, and knows nothing of batches,
padding or levels. `by` may hold any integers; only equality matters. Where order matters
(`to_go`, `scan_back`, `shift`), the members of a segment must lie side by side, in time
order, as they do in a Batch. Costs are linear in the number of values unless said.
"""

from __future__ import annotations

import numpy as np
from jaxtyping import Bool, Float, Int, Shaped

from guerdon.errors import ShapeError

Array = np.ndarray


def dense(by: Shaped[Array, "n"]) -> Int[Array, "n"]:
    """Renumbers ids to 0, 1, 2, ... in sorted order of the ids.

    Linear where the ids are already small non-negative numbers, else one sort.

    Example:
        >>> dense(np.array([70, 7, 70]))
        array([1, 0, 1])
    """
    by = np.asarray(by)
    if len(by) == 0:
        return np.zeros(0, np.int64)
    if by.dtype.kind not in "iu":  # truth values, or labels that are text
        return np.unique(by, return_inverse=True)[1].astype(np.int64)
    low, high = int(by.min()), int(by.max())
    if low >= 0 and high < 4 * len(by) + 1024:
        used = np.zeros(high + 1, bool)
        used[by] = True
        return (np.cumsum(used) - 1)[by]
    return np.unique(by, return_inverse=True)[1].astype(np.int64)


def joint(*keys: Shaped[Array, "n"]) -> Int[Array, "n"]:
    """One dense id per distinct combination of keys: `joint(prompt, state)`.

    Example:
        >>> joint(np.array([0, 0, 1]), np.array([5, 6, 5]))
        array([0, 1, 2])
    """
    out = dense(keys[0])
    for key in keys[1:]:
        inner = dense(key)
        out = dense(out * (int(inner.max(initial=0)) + 1) + inner)
    return out


def count(by: Int[Array, "n"], n: int | None = None) -> Int[Array, "s"]:
    """How many members each of the segments 0..n-1 has."""
    _from_zero("count", by)
    return np.bincount(by, minlength=n or 0)


def total(x: Float[Array, "n"], by: Int[Array, "n"], n: int | None = None) -> Float[Array, "s"]:
    """The sum of each of the segments 0..n-1; an empty segment sums to zero.

    Example:
        >>> total(np.array([1.0, 2.0, 3.0]), np.array([0, 0, 1]))
        array([3., 3.])
    """
    same_length("total", x, by)
    _from_zero("total", by)
    return np.bincount(by, weights=x, minlength=n or 0).astype(
        np.float64, copy=False
    )  # of nothing, numpy counts in ints


def mean(x: Float[Array, "n"], by: Int[Array, "n"], n: int | None = None) -> Float[Array, "s"]:
    """The mean of each segment; an empty segment has mean zero."""
    return total(x, by, n) / np.maximum(count(by, n), 1)


def maximum(x: Float[Array, "n"], by: Int[Array, "n"], n: int | None = None) -> Float[Array, "s"]:
    """The largest member of each segment; -inf where a segment is empty."""
    same_length("maximum", x, by)
    _from_zero("maximum", by)
    out = np.full(_segments(by, n), -np.inf)
    np.maximum.at(out, by, x)
    return out


def minimum(x: Float[Array, "n"], by: Int[Array, "n"], n: int | None = None) -> Float[Array, "s"]:
    """The smallest member of each segment; +inf where a segment is empty."""
    return -maximum(-np.asarray(x), by, n)


def std(x: Float[Array, "n"], by: Int[Array, "n"], n: int | None = None, *, ddof: int = 1) -> Float[Array, "s"]:
    """The standard deviation of each segment, with `ddof` taken off the count; zero for one member."""
    away = np.asarray(x) - mean(x, by, n)[by]
    return np.sqrt(total(away**2, by, n) / np.maximum(count(by, n) - ddof, 1))


def rank(x: Float[Array, "n"], by: Int[Array, "n"]) -> Float[Array, "n"]:
    """The rank of each value inside its segment, from 0; equal values share their mean rank.

    One sort, so n log n.

    Example:
        >>> rank(np.array([3.0, 1.0, 1.0]), np.array([0, 0, 0]))
        array([2. , 0.5, 0.5])
    """
    same_length("rank", x, by)
    by = dense(by)
    order = np.lexsort((x, by))
    at = np.empty(len(x), np.int64)
    at[order] = np.arange(len(x))
    start = np.cumsum(count(by)) - count(by)
    position = (at - start[by]).astype(float)
    tie = np.empty(len(x), np.int64)
    new = np.ones(len(x), bool)
    new[1:] = (by[order][1:] != by[order][:-1]) | (np.asarray(x)[order][1:] != np.asarray(x)[order][:-1])
    tie[order] = np.cumsum(new) - 1
    return mean(position, tie)[tie]


def position(by: Int[Array, "n"]) -> Int[Array, "n"]:
    """The place of each value in its segment, from 0. Members lie side by side.

    Example:
        >>> position(np.array([4, 4, 9]))
        array([0, 1, 0])
    """
    start = starts("position", by)
    run = np.cumsum(start) - 1
    return np.arange(len(by)) - np.flatnonzero(start)[run]


def shift(x: Float[Array, "n"], by: Int[Array, "n"], fill: float | Float[Array, "s"]) -> Float[Array, "n"]:
    """The value one place earlier in the same segment; `fill` at each segment's first place.

    Example:
        >>> shift(np.array([1.0, 2.0, 3.0]), np.array([0, 0, 1]), 0.0)
        array([0., 1., 0.])
    """
    same_length("shift", x, by)
    first = starts("shift", by)
    out = np.empty(len(x), np.result_type(np.asarray(x).dtype, np.asarray(fill).dtype))
    out[1:] = np.asarray(x)[:-1]
    out[first] = fill
    return out


def last(by: Int[Array, "n"]) -> Bool[Array, "n"]:
    """True at the last place of each segment. Members lie side by side."""
    first = starts("last", by)
    out = np.ones(len(by), bool)
    out[:-1] = first[1:]
    return out


def scan_back(x: Float[Array, "n"], decay: Float[Array, "n"], by: Int[Array, "n"]) -> Float[Array, "n"]:
    """The backward linear recurrence inside each segment.

        y[t] = x[t] + decay[t] * y[t+1],   y after a segment's last place = 0

    Discounted returns, GAE and lambda returns are all of this form. One pass over time,
    vectorised over segments: the cost is linear in the values, plus one numpy call per
    place of the longest segment.

    Example:
        >>> scan_back(np.array([1.0, 1.0, 5.0]), np.full(3, 0.5), np.array([0, 0, 1]))
        array([1.5, 1. , 5. ])
    """
    same_length("scan_back", x, by)
    same_length("scan_back", decay, by)
    y = np.array(x, np.float64)
    if len(y) == 0:
        return y
    first = np.flatnonzero(starts("scan_back", by))
    end = np.append(first[1:], len(y)) - 1
    length = end - first + 1
    end = end[np.argsort(-length, kind="stable")]
    longer_than = len(first) - np.cumsum(np.bincount(length))  # [k]: segments with more than k places
    for back in range(1, int(length.max())):
        at = end[: longer_than[back]] - back
        y[at] += decay[at] * y[at + 1]
    return y


def to_go(x: Float[Array, "n"], by: Int[Array, "n"], gamma: float = 1.0) -> Float[Array, "n"]:
    """The discounted sum from each place to the end of its segment.

        y[t] = sum over k >= 0 of gamma^k x[t+k]

    Example:
        >>> to_go(np.array([0.0, 0.0, 1.0]), np.array([0, 0, 0]), 0.5)
        array([0.25, 0.5 , 1.  ])
    """
    return scan_back(x, np.full(len(x), gamma), by)


def min_to_go(x: Float[Array, "n"], by: Int[Array, "n"]) -> Float[Array, "n"]:
    """The smallest value from each place to the end of its segment.

    Example:
        >>> min_to_go(np.array([2.0, 1.0, 3.0]), np.array([0, 0, 0]))
        array([1., 1., 3.])
    """
    same_length("min_to_go", x, by)
    y = np.array(x, np.float64)
    first = starts("min_to_go", by)
    # Doubling: after round k each place holds the minimum of its next 2^k places.
    run = np.cumsum(first) - 1
    reach = 1
    longest = int(count(run).max(initial=0))
    while reach < longest:
        same = run[:-reach] == run[reach:]
        y[:-reach] = np.where(same, np.minimum(y[:-reach], y[reach:]), y[:-reach])
        reach *= 2
    return y


def starts(caller: str, by: Shaped[Array, "n"]) -> Bool[Array, "n"]:
    """True at the first place of each run of equal ids.

    Raises:
        ShapeError: a segment comes back after another began, so its order is not known.
    """
    by = np.asarray(by)
    first = np.ones(len(by), bool)
    first[1:] = by[1:] != by[:-1]
    runs = by[first]
    if len(runs) > 1 and not (runs[1:] > runs[:-1]).all() and len(np.unique(runs)) < len(runs):
        raise ShapeError(
            f"{caller}: the members of a segment do not lie side by side; "
            "time order inside a segment is needed; sort with np.argsort(by, kind='stable') first"
        )
    return first


def same_length(caller: str, x: Array, by: Array) -> None:
    """Raises ShapeError unless the two are equally long."""
    if len(x) != len(by):
        raise ShapeError(f"{caller}: {len(x)} values and {len(by)} segment ids; one id per value is needed")


def _from_zero(caller: str, by: Array) -> None:
    if np.min(by, initial=0) < 0:
        raise ShapeError(f"{caller}: a segment id is {np.min(by)}; ids count from 0; renumber them with dense(by)")


def _segments(by: Array, n: int | None) -> int:
    return max(int(np.max(by, initial=-1)) + 1, n or 0)
