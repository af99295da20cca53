"""Which call made stands for which call wanted: greedy, Hungarian, Sinkhorn, in order.

A matcher takes the matrix of similarities, rows made, columns wanted, entries in [0, 1], and gives the score
of the whole, what each call made is worth, and what each call wanted obtained.

    one to one   score = 2 * sum of matched similarities / (rows + columns)   (1 where there are neither)

so a missing and a surplus call cost alike.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from guerdon.errors import MissingExtraError, ShapeError

Array = np.ndarray


@dataclass(frozen=True, eq=False)
class Matched:
    """What a matcher found.

    Attributes:
        score: of the whole, in [0, 1].
        made: what each row obtained.
        wanted: what each column obtained.
        row_of: for each column the row that stands for it, -1 where none does.
    """

    score: float
    made: Array
    wanted: Array
    row_of: Array


Matcher = Callable[[Array], Matched]


def _checked(caller: str, similarity: Array) -> Array:
    s = np.asarray(similarity, float)
    if s.ndim != 2 or not ((s >= 0) & (s <= 1)).all():
        raise ShapeError(
            f"{caller}: an array of shape {s.shape}; a matrix of numbers between 0 and 1 is needed, "
            "rows for calls made, columns for calls wanted; scale the similarities"
        )
    return s


def _pairs(s: Array, rows: Array, columns: Array) -> Matched:
    """One to one; pairs of similarity 0 are no pairs."""
    held = s[rows, columns] > 0
    rows, columns = rows[held], columns[held]
    made, wanted, row_of = np.zeros(s.shape[0]), np.zeros(s.shape[1]), np.full(s.shape[1], -1)
    made[rows] = wanted[columns] = s[rows, columns]
    row_of[columns] = rows
    size = sum(s.shape)
    return Matched(min(1.0, 2 * float(made.sum()) / size) if size else 1.0, made, wanted, row_of)


def in_sequence(similarity: Array) -> Matched:
    """The first call stands for the first wanted, the second for the second; 1 where all are there and equal, else 0.

    Example:
        >>> in_sequence(np.eye(2)).score, in_sequence(np.eye(3)[:2]).score
        (1.0, 0.0)
    """
    s = _checked("in_sequence", similarity)
    both = np.arange(min(s.shape))
    found = _pairs(s, both, both)
    return Matched(float(s.shape[0] == s.shape[1] and (found.made == 1).all()), found.made, found.wanted, found.row_of)


def greedy(similarity: Array) -> Matched:
    """The most similar pair first, then the most similar of what is left; of equal ones the earlier row, then column.

    At least half of the best total. Needs nothing but numpy; n m log(n m).

    Elsewhere: the released "hungarian" of MatchTIR is this.

    Example:
        >>> greedy(np.array([[0.9, 0.8], [0.8, 0.0]])).made
        array([0.9, 0. ])
    """
    s = _checked("greedy", similarity)
    order = np.argsort(-s, axis=None, kind="stable")
    free_row, free_column = np.ones(s.shape[0], bool), np.ones(s.shape[1], bool)
    rows, columns = [], []
    for cell in order[: np.count_nonzero(s)].tolist():
        i, j = divmod(cell, s.shape[1])
        if free_row[i] and free_column[j]:
            free_row[i] = free_column[j] = False
            rows.append(i)
            columns.append(j)
            if len(rows) == min(s.shape):
                break
    return _pairs(s, np.array(rows, np.int64), np.array(columns, np.int64))


def hungarian(similarity: Array) -> Matched:
    """The pairs of the largest total similarity, one to one (MatchTIR's hard assignment as its paper has it).

    Raises:
        MissingExtraError: scipy is not installed.

    Example:
        >>> hungarian(np.array([[0.9, 0.8], [0.8, 0.0]])).made
        array([0.8, 0.8])
    """
    s = _checked("hungarian", similarity)
    try:
        from scipy.optimize import linear_sum_assignment
    except ImportError:
        raise MissingExtraError(
            "hungarian: scipy is not installed; the best assignment needs it; "
            "pip install 'guerdon[tools]', or use greedy"
        ) from None
    rows, columns = linear_sum_assignment(s, maximize=True)
    return _pairs(s, rows, columns)


def ordered(similarity: Array) -> Matched:
    """The pairs of the largest total similarity that do not cross: what comes earlier stands for what comes earlier.

        D[i, j] = max(D[i-1, j], D[i, j-1], D[i-1, j-1] + s[i, j]),   score = 2 D[n, m] / (n + m)

    REVER's ordered bipartite matching. Repeating the whole reference k times scores 2 / (k + 1). Where more than one
    order is right, only one is paid: prefer `hungarian` there.

    Example:
        >>> ordered(np.array([[0.0, 1.0], [1.0, 0.0]])).score
        0.5
    """
    s = _checked("ordered", similarity)
    n, m = s.shape
    best = np.zeros((n + 1, m + 1))
    for i in range(n):
        best[i + 1, 1:] = np.maximum.accumulate(np.maximum(best[i, 1:], best[i, :-1] + s[i]))
    rows, columns, i, j = [], [], n, m
    while i and j:
        if best[i, j] == best[i, j - 1]:
            j -= 1
        elif best[i, j] == best[i - 1, j]:
            i -= 1
        else:
            i, j = i - 1, j - 1
            rows.append(i)
            columns.append(j)
    return _pairs(s, np.array(rows[::-1], np.int64), np.array(columns[::-1], np.int64))


def transport(similarity: Array, temperature: float = 0.1, rounds: int = 500) -> Array:
    """The entropic optimal transport plan of uniform rows to uniform columns, cost -s (Sinkhorn, in logarithms).

        T = argmax <T, s> + temperature * H(T),   rows sum to 1/n, columns to 1/m

    After at most `rounds` rounds the plan is made exact: what rows and columns have too much is scaled off, what they
    lack is added as a product (Altschuler et al. 2017), so the sums hold at every temperature.

    Raises:
        ShapeError: a temperature that is not above 0.

    Example:
        >>> transport(np.eye(2), temperature=0.1).round(4)
        array([[0.5, 0. ],
               [0. , 0.5]])
    """
    s = _checked("transport", similarity)
    if not temperature > 0:
        raise ShapeError(f"transport: temperature is {temperature}; it must be above 0; use hungarian for none")
    n, m = s.shape
    if not n or not m:
        return np.zeros((n, m))
    k, log_n, log_m = s / temperature, -np.log(n), -np.log(m)
    u, v = np.zeros(n), np.zeros(m)
    for _ in range(rounds):
        before, u = u, log_n - _log_sum(k + v, 1)
        v = log_m - _log_sum(k + u[:, None], 0)
        if np.abs(u - before).max() < 1e-10:
            break
    plan = np.exp(k + u[:, None] + v)
    plan *= np.minimum(1, 1 / (n * plan.sum(1)))[:, None]
    plan *= np.minimum(1, 1 / (m * plan.sum(0)))
    row, column = np.maximum(1 / n - plan.sum(1), 0), np.maximum(1 / m - plan.sum(0), 0)
    return plan + np.outer(row, column) / max(row.sum(), 1e-300)


def _log_sum(x: Array, axis: int) -> Array:
    top = x.max(axis)
    return top + np.log(np.exp(x - np.expand_dims(top, axis)).sum(axis))


@dataclass(frozen=True)
class Sinkhorn:
    """A matcher: soft assignment by optimal transport (MatchTIR's, at its regulariser 0.1).

        score = <T, s>,   a row's worth = n * sum over j of T[i, j] s[i, j],   a column's: m * sum over i of the same

    A row's worth is the mean similarity of what it is matched with, in [0, 1], and the score is the mean over rows. As
    calls that are alike share, the score of exactly the right calls is a little below 1. 500 rounds leave an error of
    some 1e-4 at a temperature of 0.1; colder ones need more.

    Departure: the paper pays a call sum_j T s, without the n, so each reward shrinks as calls are added; multiply
    by 1/n for it. A surplus call is still paid something: prefer a one-to-one matcher where that matters.

    Example:
        >>> Sinkhorn()(np.eye(2)).made.round(3)
        array([1., 1.])
    """

    temperature: float = 0.1
    rounds: int = 500

    def __call__(self, similarity: Array) -> Matched:
        """The match of a matrix."""
        s = _checked("Sinkhorn", similarity)
        n, m = s.shape
        if not n or not m:
            return Matched(float(n == m), np.zeros(n), np.zeros(m), np.full(m, -1))
        paid = transport(s, self.temperature, self.rounds) * s
        row_of = np.where(paid.max(0) > 0, paid.argmax(0), -1)
        made, wanted = np.clip(n * paid.sum(1), 0, 1), np.clip(m * paid.sum(0), 0, 1)
        return Matched(float(np.clip(paid.sum(), 0, 1)), made, wanted, row_of)
