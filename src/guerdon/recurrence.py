"""Recurrences that run backward in time inside segments, without a Python loop over steps.

The values are cut into blocks of equal length, the rows of a table. Its columns are gone through
from the last to the first, all blocks side by side; where a segment ends, y starts anew. A segment
that goes on into the next block needs what that block hands on: so first each block tells what it
hands on if it is handed nothing (its head), and the same recurrence over whole blocks joins these.
The cost is linear in the values, for many short segments and for one long one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np

Array = np.ndarray
# Nine lines of cache: places a power of two apart would push each other out of it.
BLOCK = 72
WIDTH = 4096  # blocks that are gone through side by side: a place of each fits the cache
Step = Callable[[Array, int], object]
Columns = list[Array]


def linear(x: Array, decay: Array, end: Array, *, overwrite: bool = False) -> Array:
    """y[t] = x[t] + decay[t] * y[t+1] in each segment; y = x at its last place, where decay is not read.

    Args:
        decay: one per value, or a scalar array for all.
        end: the last place of each segment, rising; the last one is the last value's.
        overwrite: the memory of x, which holds doubles, may be used for y.

    Example:
        >>> linear(np.array([1.0, 1.0, 5.0]), np.array(0.5), np.array([1, 2]))
        array([1.5, 1. , 5. ])
    """
    table = _blocks(x, end, overwrite)
    fade = (_blocks(decay, end),) if decay.ndim else ()
    one = None if decay.ndim else float(decay)

    def step(here: Columns, by: Columns | None = None) -> Step:
        def back(y: Array, t: int) -> None:
            y *= one if by is None else by[t]
            y += here[t]

        return back

    def over(head: Array, closed: Array) -> Array:
        through = one ** table.shape[1] if one is not None else np.multiply.reduce(fade[0], axis=1)
        return linear(head, np.asarray(through), closed)

    def heads(row: Array, column: Array) -> Array:
        if one is None:
            return _heads((table, *fade), row, column, step, 0.0)
        inside, at = np.unique(row, return_index=True)  # a row is a sum up to the first end in it
        power = decay ** np.arange(table.shape[1])
        head = np.einsum("ij,j->i", table, power)
        upto = np.arange(table.shape[1]) <= column[at][:, None]
        head[inside] = np.einsum("ij,j->i", np.where(upto, table[inside], 0.0), power)
        return head

    with np.errstate(invalid="ignore"):  # what stands beyond an end is multiplied before it is left out
        return _backward((table, *fade), end + (table.size - len(x)), step, heads, over)[table.size - len(x) :]


def least(x: Array, end: Array) -> Array:
    """y[t] = min(x[t], y[t+1]) in each segment; y = x at its last place.

    Example:
        >>> least(np.array([2.0, 1.0, 3.0]), np.array([1, 2]))
        array([1., 1., 3.])
    """
    table = _blocks(x, end)

    def step(here: Columns) -> Step:
        return lambda y, t: np.minimum(y, here[t], out=y)

    def heads(row: Array, column: Array) -> Array:
        return _heads((table,), row, column, step, np.inf)

    return _backward((table,), end + (table.size - len(x)), step, heads, least)[table.size - len(x) :]


def _blocks(x: Array, end: Array, overwrite: bool = False) -> Array:
    """The values as a table with a block a row, zeros before the first value; a copy, unless it may not be.

    Segments that are all of one length, and not longer than two blocks, are the blocks themselves.
    """
    size = max(min(BLOCK, len(x)), 1)
    if len(end) and end[0] < 2 * BLOCK and (np.diff(end) == end[0] + 1).all():
        size = int(end[0]) + 1
    if overwrite and x.dtype == np.float64 and len(x) % size == 0:
        return x.reshape(-1, size)
    table = np.empty((-(-len(x) // size), size))
    flat = table.reshape(-1)
    flat[: table.size - len(x)] = 0.0
    flat[table.size - len(x) :] = x
    return table


def _backward(
    tables: tuple[Array, ...],
    end: Array,
    step: Callable[..., Step],
    heads: Callable[[Array, Array], Array],
    over: Callable[[Array, Array], Array],
) -> Array:
    """The recurrence y[t] = step(y[t+1], t), where y = x at each segment's last place; flat.

    Args:
        tables: the values, in whose memory y is put, and what else a step reads: a decay for each value.
        step: for the columns of some rows of the tables, what turns the y of one column into that of the
            column before, in place.
        heads: takes the rows and columns of the ends, and gives the y at the first place of each
            block if nothing followed it.
        over: the same recurrence over whole blocks: takes the heads, and the blocks in which a segment ends.
    """
    table = tables[0]
    row, column = np.divmod(end, table.shape[1])
    inside = column < table.shape[1] - 1
    ahead = np.zeros(len(table))
    if len(end) - np.count_nonzero(inside) < len(table):  # a segment goes on into the next block
        closed = np.zeros(len(table), bool)
        closed[row] = True
        ahead[:-1] = over(heads(row, column), np.flatnonzero(closed))[1:]
    cut = np.zeros(len(table), bool)
    cut[row[inside]] = True
    if 2 * np.count_nonzero(cut) > len(table):
        _run(tables, row, column, step, ahead)
    else:  # the few blocks that an end cuts are gone through apart, so that the others need not look for ends
        apart, there = tuple(t[cut] for t in tables), cut[row]
        _run(apart, (np.cumsum(cut) - 1)[row[there]], column[there], step, ahead[cut])
        _run(tables, row[~there], column[~there], step, ahead)
        table[cut] = apart[0]
    return table.reshape(-1)


def _run(tables: tuple[Array, ...], row: Array, column: Array, step: Callable[..., Step], ahead: Array) -> None:
    """Puts y in the place of the values."""
    for rows, t, y in _columns(tables, row, column, step, ahead):
        tables[0][rows, t] = y


def _heads(tables: tuple[Array, ...], row: Array, column: Array, step: Callable[..., Step], nothing: float) -> Array:
    """What each block hands on if it is handed `nothing`, which changes nothing."""
    head = np.empty(len(tables[0]))
    for rows, t, y in _columns(tables, row, column, step, np.full(len(head), nothing)):
        if t == 0:
            head[rows] = y
    return head


def _columns(
    tables: tuple[Array, ...], row: Array, column: Array, step: Callable[..., Step], ahead: Array
) -> Iterator[tuple[slice, int, Array]]:
    """The columns of `_backward`, last first, some rows at a time: the rows, the column, y there."""
    table = tables[0]
    for low in range(0, len(table), WIDTH):
        rows = slice(low, min(low + WIDTH, len(table)))
        some = slice(*np.searchsorted(row, (rows.start, rows.stop)))
        order = np.argsort(column[some].astype(np.uint8), kind="stable")
        closed = row[some][order]
        upto = np.append(0, np.cumsum(np.bincount(column[some], minlength=table.shape[1]))).tolist()
        y, back = ahead[rows].copy(), step(*(list(t[rows].T) for t in tables))
        for t in range(table.shape[1] - 1, -1, -1):
            back(y, t)
            if upto[t] < upto[t + 1]:
                at = closed[upto[t] : upto[t + 1]]
                y[at - low] = table[at, t]
            yield rows, t, y
