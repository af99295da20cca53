"""Credit by comparison: how much better was this than the others like it?

`center` serves every group-relative method. What the papers differ in is handed over as
values: the bucket (`by`), what is subtracted (`Mean`, `Others`, `Percentile`, `BestOther`), what it
is divided by (`None`, `Std`, `Rms`), who votes (`valid`, `weight`) and what counts as oneself (`owner`).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import numpy as np
from jaxtyping import Bool, Float, Int

from guerdon import segments
from guerdon.errors import ShapeError, UnscoredError

Array = np.ndarray


@runtime_checkable
class Baseline(Protocol):
    """What is subtracted from each item, and whether there was anything to compare it with."""

    def __call__(
        self, x: Float[Array, "n"], votes: Float[Array, "n"], bucket: Int[Array, "n"], owner: Int[Array, "n"] | None
    ) -> tuple[Float[Array, "n"], Bool[Array, "n"]]:
        """Returns the baseline of each item, and False where no other item votes."""
        ...


@runtime_checkable
class Scale(Protocol):
    """What each difference is multiplied by."""

    def __call__(self, x: Float[Array, "n"], votes: Float[Array, "n"], bucket: Int[Array, "n"]) -> Float[Array, "n"]:
        """Returns one factor per item."""
        ...


@dataclass(frozen=True)
class Mean:
    """The weighted mean of the bucket's voters, oneself included: b[i] = sum w x / sum w."""

    def __call__(
        self, x: Float[Array, "n"], votes: Float[Array, "n"], bucket: Int[Array, "n"], owner: Int[Array, "n"] | None
    ) -> tuple[Float[Array, "n"], Bool[Array, "n"]]:
        """The mean; an item is alone where no item but itself votes."""
        voter = votes > 0
        weight = np.bincount(bucket, votes)
        voters = weight if (voter == votes).all() else np.bincount(bucket, voter)
        mean = np.bincount(bucket, votes * x) / np.where(weight > 0, weight, 1.0)
        return mean.take(bucket), voters.take(bucket) > voter


@dataclass(frozen=True)
class Others:
    """The weighted mean of the bucket's voters that are not one's own: leave-one-out.

        b[i] = sum of w[j] x[j] / sum of w[j],   over j in i's bucket with owner[j] != owner[i]

    Own actions do not enter one's own baseline, so the policy gradient stays unbiased. For
    steps the owner is the trajectory: leaving out only the step would leave in its
    consequences.
    """

    def __call__(
        self, x: Float[Array, "n"], votes: Float[Array, "n"], bucket: Int[Array, "n"], owner: Int[Array, "n"] | None
    ) -> tuple[Float[Array, "n"], Bool[Array, "n"]]:
        """The mean of the others; an item is alone where nobody else votes."""
        own = None if owner is None else segments.joint(bucket, owner)

        def others(values: Array) -> Array:
            mine = values if own is None else np.bincount(own, values).take(own)
            return np.bincount(bucket, values).take(bucket) - mine

        speaks = others((votes > 0).astype(np.float64)) > 0
        return others(votes * x) / np.where(speaks, others(votes), 1.0), speaks


@dataclass(frozen=True)
class Percentile:
    """The q-quantile of the bucket's voters, oneself included; on the line between two of them.

        b = x at place 1 + q (k - 1) of the voters in ascending order, where all k weigh the same

    With weights, voter j stands at w(1) + ... + w(j) - (w(1) + w(j)) / 2, equal values in ascending
    order of weight, and b at the share q of the way from the first to the last. q = 0.5 is the
    median: one outlier does not move it.

    Attributes:
        q: between 0 and 1.

    Example:
        >>> center(np.array([0.0, 1.0, 8.0]), np.zeros(3, int), baseline=Percentile(0.5))
        array([-1.,  0.,  7.])
    """

    q: float = 0.5

    def __post_init__(self) -> None:
        if not 0 <= self.q <= 1:
            raise ShapeError(f"Percentile: q is {self.q}; a share between 0 and 1 is needed; the median is 0.5")

    def __call__(
        self, x: Float[Array, "n"], votes: Float[Array, "n"], bucket: Int[Array, "n"], owner: Int[Array, "n"] | None
    ) -> tuple[Float[Array, "n"], Bool[Array, "n"]]:
        """The quantile; an item is alone where no item but itself votes."""
        voters = (votes > 0).astype(np.float64)
        speaks = segments.total(voters, bucket)[bucket] - voters > 0
        at = np.flatnonzero(votes > 0)
        at = at[np.lexsort((votes[at], x[at], bucket[at]))]
        if not len(at):
            return np.zeros(len(x)), speaks
        home = segments.dense(bucket[at])
        first = np.flatnonzero(segments.starts("Percentile", home))
        end = np.append(first[1:], len(at)) - 1
        heaped = np.cumsum(votes[at]) - votes[at] / 2
        place = heaped - heaped[first][home]
        reach = self.q * place[end]
        below = first + np.maximum(segments.total((place <= reach[home]).astype(np.float64), home).astype(int) - 1, 0)
        above = np.minimum(below + 1, end)
        gap = place[above] - place[below]
        share = np.where(gap > 0, (reach - place[below]) / np.where(gap > 0, gap, 1.0), 0.0)
        level = np.zeros(int(bucket.max()) + 1)
        level[bucket[at[first]]] = x[at[below]] + share * (x[at[above]] - x[at[below]])
        return level[bucket], speaks


@dataclass(frozen=True)
class BestOther:
    """The best voter of the bucket that is not one's own: what had to be beaten.

        b[i] = max of x[j] over j in i's bucket with owner[j] != owner[i]

    x - b is above zero for the best alone, and there it is the margin over the second.

    Example:
        >>> center(np.array([5.0, 3.0, 1.0]), np.zeros(3, int), baseline=BestOther())
        array([ 2., -2., -4.])
    """

    def __call__(
        self, x: Float[Array, "n"], votes: Float[Array, "n"], bucket: Int[Array, "n"], owner: Int[Array, "n"] | None
    ) -> tuple[Float[Array, "n"], Bool[Array, "n"]]:
        """The best of the others; an item is alone where nobody else votes."""
        own = np.arange(len(x)) if owner is None else segments.joint(bucket, owner)
        best = segments.maximum(np.where(votes > 0, x, -np.inf), own)
        home = np.zeros(len(best), np.int64)
        home[own] = bucket
        order = np.lexsort((-best, home))
        place = segments.position(home[order])
        leader, second = np.zeros(int(home.max(initial=-1)) + 1, np.int64), np.full(len(best), -np.inf)
        leader[home[order[place == 0]]] = order[place == 0]
        second[home[order[place == 1]]] = best[order[place == 1]]
        rival = np.where(leader[bucket] == own, second[bucket], best[leader[bucket]])
        speaks = np.isfinite(rival)
        return np.where(speaks, rival, 0.0), speaks


@dataclass(frozen=True)
class Std:
    """Divide by the bucket's sample standard deviation, so that credit has no unit.

        factor = 1 / (s + eps),   s^2 = sum w (x - m)^2 / (sum w - sum w^2 / sum w)

    With equal weights the divisor is the count less one. Every bucket gets equal say, so
    one that nearly agrees is amplified. Where the voters agree, s = 0 and the factor is 0.

    Attributes:
        eps: added to s, never to its square.
    """

    eps: float = 1e-6

    def __call__(self, x: Float[Array, "n"], votes: Float[Array, "n"], bucket: Int[Array, "n"]) -> Float[Array, "n"]:
        """1 / (s + eps) of each item's bucket."""
        weight, square = _squares(x, votes, bucket)
        squares = votes * votes
        free = weight - (1.0 if (squares == votes).all() else np.bincount(bucket, squares) / weight)
        spread = np.sqrt(square / np.where(free > 0, free, 1.0))
        return np.where(spread > 0, 1.0 / (np.where(spread > 0, spread, 1.0) + self.eps), 0.0).take(bucket)


@dataclass(frozen=True)
class Rms:
    """Divide by the root of the mean square deviation: `Std` with the count as divisor.

        factor = 1 / (s + eps),   s^2 = sum w (x - m)^2 / sum w

    Some papers' code takes this one, which in a bucket of two is 1 / sqrt(2) of the other.

    Attributes:
        eps: added to s, never to its square.

    Example:
        >>> center(np.array([1.0, 0.0]), np.zeros(2, int), scale=Rms(0.0))
        array([ 1., -1.])
    """

    eps: float = 1e-6

    def __call__(self, x: Float[Array, "n"], votes: Float[Array, "n"], bucket: Int[Array, "n"]) -> Float[Array, "n"]:
        """1 / (s + eps) of each item's bucket."""
        weight, square = _squares(x, votes, bucket)
        spread = np.sqrt(square / weight)
        return np.where(spread > 0, 1.0 / (np.where(spread > 0, spread, 1.0) + self.eps), 0.0).take(bucket)


def _squares(x: Array, votes: Array, bucket: Array) -> tuple[Array, Array]:
    """The weight of each bucket, 1 where nobody votes, and the weighted sum of squares around its mean."""
    weight = np.bincount(bucket, votes)
    weight = np.where(weight > 0, weight, 1.0)
    away = x - (np.bincount(bucket, votes * x) / weight).take(bucket)
    return weight, np.bincount(bucket, votes * away * away)


MEAN = Mean()


def center(
    x: Float[Array, "n"],
    by: Int[Array, "n"],
    *,
    baseline: Baseline = MEAN,
    scale: Scale | None = None,
    valid: Bool[Array, "n"] | None = None,
    weight: Float[Array, "n"] | None = None,
    owner: Int[Array, "n"] | None = None,
) -> Float[Array, "n"]:
    """Subtracts from each value what others like it got.

        c[i] = (x[i] - b[i]) * factor[i]

    b comes from `baseline`, factor from `scale` (1 without one).

    Args:
        x: one value per item; an item is whatever is compared, a trajectory or a step.
        by: the bucket of each item; only equality matters.
        baseline: `Mean()`, `Others()`, `Percentile(q)` or `BestOther()`. With every weight 1 and no
            owners, Others gives k / (k - 1) times what Mean gives, k being the bucket's valid items.
        scale: `Std(eps)` or `Rms(eps)`, or None to keep the unit of x.
        valid: False where an item has no score. It gets zero and does not vote.
        weight: how much each item votes; default 1. An item of weight 0 does not vote, but
            gets credit.
        owner: with `Others` and `BestOther`, items of one owner are left out together: the trajectory of a
            step. Default: each item is its own.

    Returns:
        One credit per item. Exactly zero for an item that no other item can be compared
        with, and for a bucket whose members all agree.

    Raises:
        ShapeError: `by`, `valid`, `weight` or `owner` is not as long as `x`; a weight below 0.
        UnscoredError: a valid item is NaN or infinite.

    Example:
        >>> center(np.array([1.0, 0.0, 0.5]), by=np.array([7, 7, 9]))
        array([ 0.5, -0.5,  0. ])
        >>> center(np.array([3.0, 0.0, 0.0]), by=np.zeros(3, int), baseline=Others())
        array([ 3. , -1.5, -1.5])

    Elsewhere:
        TRL GRPOTrainer  Mean, Std(1e-4)
        TRL RLOOTrainer  Others
        verl "grpo"      Mean, Std(1e-6); a bucket of one keeps its raw score / (1 + eps)
        verl "rloo"      Others; a bucket of one keeps its raw score

    References:
        Shao et al., DeepSeekMath, 2024, arXiv:2402.03300, section 4.1.2.
        Kool et al., Buy 4 REINFORCE Samples, Get a Baseline for Free!, 2019.
    """
    return in_buckets(x, segments.dense(by), baseline, scale, valid, weight, owner)


def in_buckets(
    x: Array,
    bucket: Array,
    baseline: Baseline,
    scale: Scale | None,
    valid: Array | None,
    weight: Array | None,
    owner: Array | None,
) -> Array:
    """`center` where the buckets are numbered already, from 0 and without a gap."""
    x = np.asarray(x, np.float64)
    valid = np.ones(len(x), bool) if valid is None else np.asarray(valid, bool)
    weight = None if weight is None else np.asarray(weight, np.float64)
    _check(x, bucket, valid, weight, owner)
    votes = valid.astype(np.float64) if weight is None else np.where(valid, weight, 0.0)
    # Measured from one of the bucket's votes, the last, so that a bucket that agrees is zero to the last bit.
    voter, vote = votes > 0, np.zeros(int(bucket.max(initial=-1)) + 1)
    at, of = (bucket, x) if voter.all() else (bucket[voter], x[voter])
    vote[at] = of
    above = _minus(x, vote.take(bucket), valid)
    reference, speaks = baseline(above, votes, bucket, owner)
    away = _minus(above, reference, valid & speaks)
    return away if scale is None else away * scale(above, votes, bucket)


def _minus(x: Array, y: Array, where: Array) -> Array:
    """x - y, and 0 elsewhere."""
    return x - y if where.all() else np.subtract(x, y, out=np.zeros(len(x)), where=where)


def _check(x: Array, by: Array, valid: Array, weight: Array | None, owner: Array | None) -> None:
    for name, other in (("by", by), ("valid", valid), ("weight", weight), ("owner", owner)):
        if other is not None and len(other) != len(x):
            raise ShapeError(
                f"center: x has {len(x)} items and {name} has {len(other)}; one entry per item is needed; "
                "take both from the same level of the batch"
            )
    if not np.isfinite(x).all() and (bad := np.flatnonzero(valid & ~np.isfinite(x))).size:
        raise UnscoredError(
            f"center: x is not finite at {bad[:5].tolist()}; an item without a score is not a zero; "
            "say which items are scored with valid="
        )
    if weight is not None and not 0 <= weight.min(initial=0) <= weight.max(initial=0) < np.inf:
        raise ShapeError("center: a weight is negative or not finite; a vote is 0 or more; use 0 for no vote")
