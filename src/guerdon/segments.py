"""Sums, means, ranks and recurrences over segments: the vectorised kernel of everything.

Every function takes flat values and a segment id per value, and knows nothing of batches,
padding or levels. `by` may hold any integers; only equality matters. Where order matters
(`to_go`, `scan_back`, `shift`), the members of a segment must lie side by side, in time
order, as they do in a Batch. Costs are linear in the number of values unless said.
"""

from __future__ import annotations

import numpy as np
from jaxtyping import Bool, Float, Int, Shaped

from guerdon import recurrence
from guerdon.errors import ShapeError

Array = np.ndarray


def dense(by: Shaped[Array, "n"]) -> Int[Array, "n"]:
    """Renumbers ids to 0, 1, 2, ... in sorted order of the ids.

    Linear where the ids are small non-negative numbers, or labels that come back often; else
    one sort.

    Example:
        >>> dense(np.array([70, 7, 70]))
        array([1, 0, 1])
    """
    by = np.asarray(by)
    if len(by) == 0:
        return np.zeros(0, np.int64)
    if by.dtype.kind in "OU":
        code, labels = _coded(by)
        place = np.empty(len(labels), np.int64)
        place[sorted(range(len(labels)), key=labels.__getitem__)] = np.arange(len(labels))
        return place[code]
    if by.dtype.kind not in "iu":  # truth values, floats
        return np.unique(by, return_inverse=True)[1].astype(np.int64)
    low, high = int(by.min()), int(by.max())
    if low >= 0 and high < 4 * len(by) + 1024:
        used = np.zeros(high + 1, bool)
        used[by] = True
        return by.astype(np.int64) if used.all() else (np.cumsum(used) - 1)[by]
    found = _sorted_places(by)
    return np.unique(by, return_inverse=True)[1].astype(np.int64) if found is None else found


def number(by: Shaped[Array, "n"]) -> Int[Array, "n"]:
    """Renumbers ids of any kind to 0, 1, 2, ... in the order in which they first appear.

    One look-up an id, nothing is sorted: the way from a trainer's text ids to groups.

    Example:
        >>> number(np.array(["b", "a", "b"], dtype=object))
        array([0, 1, 0])
    """
    return _coded(np.asarray(by))[0]


def _coded(by: Array) -> tuple[Array, list]:
    """The number of each id in order of appearance, and the ids."""
    run = None
    if (by[1:65] == by[:64][: len(by) - 1]).any():  # equal ids side by side: one look-up a run
        new = np.ones(len(by), bool)
        new[1:] = by[1:] != by[:-1]
        run = np.cumsum(new) - 1
        by = by[new]
    ids = by.tolist()
    labels = list(dict.fromkeys(ids))
    if len(labels) == len(ids):
        return np.arange(len(ids)) if run is None else run, labels
    place = dict(zip(labels, range(len(labels)), strict=True))
    code = np.fromiter(map(place.__getitem__, ids), np.int64, len(ids))
    return code if run is None else code[run], labels


def _sorted_places(by: Array, outer: Array | None = None) -> Array | None:
    """`dense` of numbers far apart, by one sort of (leading bits of the id, its place) packed in one word.

    Words sort several times faster than an argsort.

    Args:
        outer: numbers from 0 that never fall: the ids are then those of pairs (outer, by). What is written
            and read stays near where it lies.

    Returns:
        None where ids differ only in bits for which there was no room.
    """
    size = np.array([len(by)]) if outer is None else np.bincount(outer)
    start = np.repeat(np.cumsum(size) - size, size)
    low, high = int(by.min()), int(by.max())
    bits, width = (int(size.max()) - 1).bit_length(), (high - low).bit_length()
    left_out = max(width + bits + (len(size) - 1).bit_length() - 64, 0)
    if left_out >= max(width, 1):
        return None
    word = by.astype(np.int64 if by.dtype.kind == "i" else np.uint64).view(np.uint64)
    word -= np.uint64(low % 2**64)  # wraps around, as it should
    word >>= np.uint64(left_out)
    if outer is not None:
        lead = outer.astype(np.uint64)
        lead <<= np.uint64(width - left_out)
        word |= lead
    word <<= np.uint64(bits)
    place = np.arange(len(by))
    place -= start
    word |= place.view(np.uint64)
    word.sort()
    order = (word & np.uint64((1 << bits) - 1)).view(np.int64)
    order += start
    word >>= np.uint64(bits)
    new = word[1:] != word[:-1]
    if left_out:
        ids = by[order]
        apart = ids[1:] != ids[:-1]
        apart = apart if outer is None else apart | (outer[1:] != outer[:-1])
        if np.count_nonzero(new) < np.count_nonzero(apart):
            return None
    out = np.empty(len(by), np.int64)
    out[order[0]] = 0
    out[order[1:]] = np.cumsum(new)
    return out


def joint(*keys: Shaped[Array, "n"]) -> Int[Array, "n"]:
    """One dense id per distinct combination of keys: `joint(prompt, state)`.

    Example:
        >>> joint(np.array([0, 0, 1]), np.array([5, 6, 5]))
        array([0, 1, 2])
    """
    out = dense(keys[0])
    for key in keys[1:]:
        out = _paired(out, np.asarray(key))
    return out


def _paired(outer: Array, key: Array) -> Array:
    if len(key) and key.dtype.kind in "iu" and (outer[1:] >= outer[:-1]).all():
        found = _sorted_places(key, outer)
        if found is not None:
            return found
    inner = dense(key)
    return dense(outer * (int(inner.max(initial=0)) + 1) + inner)


def count(by: Int[Array, "n"], n: int | None = None) -> Int[Array, "s"]:
    """How many members each of the segments 0..n-1 has."""
    return _summed("count", by, None, n)


def total(x: Float[Array, "n"], by: Int[Array, "n"], n: int | None = None) -> Float[Array, "s"]:
    """The sum of each of the segments 0..n-1; an empty segment sums to zero.

    Example:
        >>> total(np.array([1.0, 2.0, 3.0]), np.array([0, 0, 1]))
        array([3., 3.])
    """
    same_length("total", x, by)
    return _summed("total", by, x, n).astype(np.float64, copy=False)  # of nothing, numpy counts in ints


def _summed(caller: str, by: Array, x: Array | None, n: int | None) -> Array:
    try:
        return np.bincount(by, weights=x, minlength=n or 0)
    except ValueError:
        _from_zero(caller, by)  # numpy looks for ids below zero anyway; here it is only put into words
        raise


def mean(x: Float[Array, "n"], by: Int[Array, "n"], n: int | None = None) -> Float[Array, "s"]:
    """The mean of each segment; an empty segment has mean zero."""
    return total(x, by, n) / np.maximum(count(by, n), 1)


def maximum(x: Float[Array, "n"], by: Int[Array, "n"], n: int | None = None) -> Float[Array, "s"]:
    """The largest member of each segment; -inf where a segment is empty."""
    same_length("maximum", x, by)
    _from_zero("maximum", by)
    return _extreme(np.maximum, x, by, n, -np.inf)


def minimum(x: Float[Array, "n"], by: Int[Array, "n"], n: int | None = None) -> Float[Array, "s"]:
    """The smallest member of each segment; +inf where a segment is empty."""
    same_length("minimum", x, by)
    _from_zero("minimum", by)
    return _extreme(np.minimum, x, by, n, np.inf)


def _extreme(which: np.ufunc, x: Array, by: Array, n: int | None, nothing: float) -> Array:
    out = np.full(_segments(by, n), nothing)
    which.at(out, by, x)
    return out


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
    first = first_places("position", by)
    return np.arange(len(by)) - np.repeat(first, np.diff(first, append=len(by)))


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
    out = np.zeros(len(by), bool)
    out[last_places("last", by)] = True
    return out


def scan_back(
    x: Float[Array, "n"], decay: Float[Array, "n"] | float, by: Int[Array, "n"], *, overwrite: bool = False
) -> Float[Array, "n"]:
    """The backward linear recurrence inside each segment.

        y[t] = x[t] + decay[t] * y[t+1],   y after a segment's last place = 0

    Discounted returns, GAE and lambda returns are all of this form. The cost is linear in the
    values, for many short segments and for one long one: the values are cut into blocks, which
    are gone through side by side, first to learn what each hands on to the block before it.

    Args:
        decay: one per value, or one number for all; never read at a segment's last place.
        overwrite: x holds doubles and is not needed any more: its memory may be used.

    Example:
        >>> scan_back(np.array([1.0, 1.0, 5.0]), 0.5, np.array([0, 0, 1]))
        array([1.5, 1. , 5. ])
    """
    same_length("scan_back", x, by)
    if np.ndim(decay):
        same_length("scan_back", decay, by)
    end = last_places("scan_back", by)
    return recurrence.linear(np.asarray(x), np.asarray(decay, np.float64), end, overwrite=overwrite)


def to_go(x: Float[Array, "n"], by: Int[Array, "n"], gamma: float = 1.0) -> Float[Array, "n"]:
    """The discounted sum from each place to the end of its segment.

        y[t] = sum over k >= 0 of gamma^k x[t+k]

    Example:
        >>> to_go(np.array([0.0, 0.0, 1.0]), np.array([0, 0, 0]), 0.5)
        array([0.25, 0.5 , 1.  ])
    """
    return scan_back(x, gamma, by)


def min_to_go(x: Float[Array, "n"], by: Int[Array, "n"]) -> Float[Array, "n"]:
    """The smallest value from each place to the end of its segment.

    Example:
        >>> min_to_go(np.array([2.0, 1.0, 3.0]), np.array([0, 0, 0]))
        array([1., 1., 3.])
    """
    same_length("min_to_go", x, by)
    end = last_places("min_to_go", by)
    x = np.asarray(x, np.float64)
    if len(x) == 0 or x.min() == x.max():
        return x.copy()
    return recurrence.least(x, end)


def starts(caller: str, by: Shaped[Array, "n"]) -> Bool[Array, "n"]:
    """True at the first place of each run of equal ids.

    Raises:
        ShapeError: a segment comes back after another began, so its order is not known.
    """
    first = np.zeros(len(by), bool)
    first[first_places(caller, by)] = True
    return first


def first_places(caller: str, by: Shaped[Array, "n"]) -> Int[Array, "s"]:
    """The first place of each segment, in the order in which they lie. See `starts`."""
    by = np.asarray(by)
    first = np.flatnonzero(by[1:] != by[:-1]) + 1
    first = np.concatenate((np.zeros(min(len(by), 1), np.int64), first))
    runs = by[first]
    if len(runs) > 1 and not (runs[1:] > runs[:-1]).all() and len(np.unique(runs)) < len(runs):
        raise ShapeError(
            f"{caller}: the members of a segment do not lie side by side; "
            "time order inside a segment is needed; sort with np.argsort(by, kind='stable') first"
        )
    return first


def last_places(caller: str, by: Shaped[Array, "n"]) -> Int[Array, "s"]:
    """The last place of each segment, in the order in which they lie. See `starts`."""
    first = first_places(caller, by)
    return np.append(first[1:], len(by))[: len(first)] - 1


def same_length(caller: str, x: Array, by: Array) -> None:
    """Raises ShapeError unless the two are equally long."""
    if len(x) != len(by):
        raise ShapeError(f"{caller}: {len(x)} values and {len(by)} segment ids; one id per value is needed")


def _from_zero(caller: str, by: Array) -> None:
    if np.min(by, initial=0) < 0:
        raise ShapeError(f"{caller}: a segment id is {np.min(by)}; ids count from 0; renumber them with dense(by)")


def _segments(by: Array, n: int | None) -> int:
    return max(int(np.max(by, initial=-1)) + 1, n or 0)
