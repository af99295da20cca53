"""Intervals around what was measured: a share of successes, a mean over seeds."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

_Z95 = 1.959964
# Two-sided 95 % points of Student's t for 1 to 30 degrees of freedom; beyond, the first terms of its expansion
# around the normal point are right to the third decimal.
_T95 = (
    12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228, 2.201, 2.179, 2.160, 2.145, 2.131,
    2.120, 2.110, 2.101, 2.093, 2.086, 2.080, 2.074, 2.069, 2.064, 2.060, 2.056, 2.052, 2.048, 2.045, 2.042,
)  # fmt: skip


def wilson(successes: float, n: int, z: float = _Z95) -> tuple[float, float]:
    """The 95 % Wilson score interval of a share.

        centre = (p + z^2 / 2n) / (1 + z^2 / n)
        half   = z sqrt(p (1 - p) / n + z^2 / 4n^2) / (1 + z^2 / n)

    Returns:
        (low, high); (0, 1) when n is 0, since nothing was seen.

    Example:
        >>> [round(x, 3) for x in wilson(0, 10)]
        [0.0, 0.278]

    References:
        Wilson, Probable Inference, the Law of Succession, and Statistical Inference, 1927.
    """
    if n == 0:
        return 0.0, 1.0
    p = successes / n
    scale = 1 + z * z / n
    centre = (p + z * z / (2 * n)) / scale
    half = z * math.sqrt(p * (1 - p) / n + z * z / (4 * n * n)) / scale
    return max(0.0, centre - half), min(1.0, centre + half)


def student(values: Sequence[float]) -> tuple[float, float]:
    """The 95 % Student interval of a mean; the value itself when there is one, for nothing is known of its spread.

        mean +- t(n - 1) * s / sqrt(n)

    Example:
        >>> [round(x, 2) for x in student([1.0, 2.0, 3.0])]
        [-0.48, 4.48]
    """
    x = np.asarray(values, float)
    mean = float(x.mean())
    if len(x) < 2:
        return mean, mean
    freedom = len(x) - 1
    t = _T95[freedom - 1] if freedom <= len(_T95) else _t95(freedom)
    half = t * float(x.std(ddof=1)) / math.sqrt(len(x))
    return mean - half, mean + half


def _t95(freedom: int) -> float:
    z = _Z95
    return z + (z**3 + z) / (4 * freedom) + (5 * z**5 + 16 * z**3 + 3 * z) / (96 * freedom**2)
