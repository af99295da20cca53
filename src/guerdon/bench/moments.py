"""What many independent estimates of a gradient say: cosine, bias and variance, and the budget that a cosine takes."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from guerdon.intervals import student

Array = np.ndarray
Z95 = 1.959964


@dataclass(frozen=True, eq=False)
class Moments:
    """Independent estimates of one gradient, and the truth.

    Attributes:
        estimates: (batches, parameters).
        truth: (parameters,).
    """

    estimates: Array
    truth: Array

    @cached_property
    def along(self) -> Array:
        """The part of each estimate along the truth."""
        size = float(np.linalg.norm(self.truth))
        return self.estimates @ self.truth / (size if size > 0 else 1.0)

    @cached_property
    def gram(self) -> Array:
        """The inner products of the estimates with each other."""
        return self.estimates @ self.estimates.T

    @cached_property
    def cosines(self) -> Array:
        """The cosine of each estimate to the truth; 0 for an estimate of zero."""
        size = np.sqrt(np.diag(self.gram))
        return np.where(size > 0, self.along / np.where(size > 0, size, 1.0), 0.0)

    @cached_property
    def _square(self) -> tuple[float, Array]:
        """The squared norm of the mean, from products of different estimates so that noise adds nothing to it;
        and the same without each estimate in turn."""
        n, diagonal, rows = len(self.gram), np.diag(self.gram), self.gram.sum(1)
        rest = rows.sum() - diagonal.sum()
        return rest / (n * (n - 1)), (rest - 2 * (rows - diagonal)) / ((n - 1) * (n - 2))

    @property
    def limit(self) -> tuple[float, float, float] | None:
        """The cosine of the mean estimate to the truth, what no budget gets past, with its 95 % interval.

            mean along / sqrt(|mean|^2),   |mean|^2 unbiased; the interval by leaving one out

        None where the mean cannot be told from zero.
        """
        return self.at(np.inf)

    def at(self, times: float) -> tuple[float, float, float] | None:
        """The cosine that is to be expected of a budget `times` as large, with its 95 % interval.

            mean along / sqrt(|mean|^2 + variance / times)

        It holds for rules whose estimate is a mean over groups. None where the mean cannot be told from zero.
        """
        n, (square, others) = len(self.along), self._square
        spread = Z95 * np.sqrt((n - 1) * np.var(others))
        if square <= spread:
            return None
        trace = np.diag(self.gram)
        value = _ratio(self.along.mean(), square, trace.mean() - square, times)
        without = (self.along.sum() - self.along) / (n - 1)
        noise = (trace.sum() - trace) / (n - 1) - others
        half = Z95 * float(np.sqrt((n - 1) * np.var(_ratio(without, others, noise, times))))
        return float(value), max(float(value) - half, -1.0), min(float(value) + half, 1.0)

    @property
    def bias(self) -> tuple[float, float, float] | None:
        """How far the mean estimate, scaled as suits it best, is from the truth, relative to the truth.

        min over c >= 0 of |c mean - truth| / |truth| = sqrt(1 - limit^2),   1 where the limit is below 0
        """
        if self.limit is None:
            return None
        value, low, high = (float(np.sqrt(1 - min(max(x, 0.0), 1.0) ** 2)) for x in self.limit)
        return value, high, low

    @property
    def variance(self) -> float | None:
        """The trace of the covariance of an estimate, relative to the squared norm of the mean."""
        if self.limit is None:
            return None
        square = self._square[0]
        return float((np.diag(self.gram).mean() - square) / square)


def _ratio(along: Array | float, square: Array | float, noise: Array | float, times: float) -> Array:
    size = np.maximum(square, 0.0) + np.maximum(noise, 0.0) / times
    return np.where(size > 0, np.clip(along / np.sqrt(np.where(size > 0, size, 1.0)), -1.0, 1.0), 0.0)


def crossing(steps: Array, curve: Array, target: float) -> tuple[float, bool]:
    """The budget at which a curve first reaches the target, on straight lines over the logarithm of the steps.

    Returns:
        The steps, infinite where it is not reached; and True where the first point is already there, so that the
        budget is at most that.

    Example:
        >>> crossing(np.array([100, 400]), np.array([0.8, 1.0]), 0.9)
        (200.0, False)
    """
    there = np.flatnonzero(curve >= target)
    if not len(there):
        return np.inf, False
    k = int(there[0])
    if k == 0:
        return float(steps[0]), True
    share = (target - curve[k - 1]) / (curve[k] - curve[k - 1])
    low, high = np.log(steps[k - 1]), np.log(steps[k])
    return float(np.round(np.exp(low + share * (high - low)), 6)), False


def redraws(batches: int, times: int, rng: np.random.Generator) -> Array:
    """How often each batch is in each redraw of as many, with replacement: (batches, times), columns sum to one."""
    return rng.multinomial(batches, np.full(batches, 1 / batches), times).T / batches


def budget(steps: Array, cosines: Array, target: float, draws: Array) -> dict[str, float | bool | None]:
    """The budget for a cosine, with its 95 % interval by redrawing the batches.

    Args:
        steps: of each level.
        cosines: (levels, batches).
        draws: see `redraws`.

    Returns:
        steps, low, high: None where it is not reached. at_most: True where the first level was enough.
    """
    value, at_most = crossing(steps, cosines.mean(1), target)
    each = np.array([crossing(steps, one, target)[0] for one in (cosines @ draws).T])
    low, high = np.quantile(each, [0.025, 0.975], method="nearest")
    return {"steps": _finite(value), "low": _finite(low), "high": _finite(high), "at_most": at_most}


def ratio(
    ours: tuple[Array, Array], other: tuple[Array, Array], target: float, draws: Array
) -> dict[str, float | bool | None] | None:
    """How many times fewer steps we need than the other for the same cosine; above 1 we are better.

        other's budget / our budget,   at the target, or at the higher cosine that both reach

    Args:
        ours, other: the steps of each level, and the cosines, (levels, batches). The batches of the two are paired.

    Returns:
        value, low, high (95 %, by redrawing the batches of both together), and `at`, the cosine; `bound` is
        "at least" where our first level was already enough, "at most" where the other's was.
        None where one of them never rises.
    """
    means = [cosines.mean(1) for _, cosines in (ours, other)]
    at = min(target, *(float(mean.max()) for mean in means))
    if at <= 0:
        return None
    (mine, early), (theirs, soon) = (
        crossing(steps, mean, at) for (steps, _), mean in zip((ours, other), means, strict=True)
    )
    found = []
    for one, two in zip((ours[1] @ draws).T, (other[1] @ draws).T, strict=True):
        level = min(target, float(one.max()), float(two.max()))
        if level > 0:
            found.append(crossing(other[0], two, level)[0] / crossing(ours[0], one, level)[0])
    low, high = np.quantile(found, [0.025, 0.975]) if found else (np.nan, np.nan)
    bound = "" if early == soon else "at least" if early else "at most"
    return {"value": theirs / mine, "low": float(low), "high": float(high), "at": at, "bound": bound}


def mean_of(values: Array) -> tuple[float, float, float]:
    """The mean over batches with its 95 % interval."""
    return float(np.mean(values)), *student(values.tolist())


def _finite(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None
