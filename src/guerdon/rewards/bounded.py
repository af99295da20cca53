"""Scores of a reward model made safe to climb: bounded, centred on references, or kept near what is usual.

A learned score is a proxy: the further it is driven up, the less it says. `against_references` is the bounded
form; `rivals` are those that it is compared with.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from numbers import Real
from statistics import NormalDist
from typing import Protocol, runtime_checkable

import numpy as np
from jaxtyping import Float

from guerdon.batch import Batch, Column
from guerdon.errors import ShapeError
from guerdon.rewards.shaping import affine, clip
from guerdon.rewards.term import Term, failed, floats
from guerdon.rewards.votes import vectors

Array = np.ndarray


@runtime_checkable
class Squash(Protocol):
    """A map of numbers that never falls."""

    def __call__(self, x: Float[Array, "..."]) -> Float[Array, "..."]:
        """Returns one number for each."""
        ...


@dataclass(frozen=True)
class Sigmoid:
    """1 / (1 + exp(-k x)): in (0, 1), slope k/4 at 0; within |k x|^3 / 48 of the line 1/2 + k x / 4.

    Example:
        >>> Sigmoid()(np.array([0.0, np.log(3.0)]))
        array([0.5 , 0.75])
    """

    k: float = 1.0

    def __call__(self, x: Float[Array, "..."]) -> Float[Array, "..."]:
        """Far out it is 0 or 1 and never overflows."""
        return np.exp(-np.logaddexp(0.0, -self.k * np.asarray(x, np.float64)))


@dataclass(frozen=True)
class Tanh:
    """tanh(x): 2 Sigmoid(2)(x) - 1."""

    def __call__(self, x: Float[Array, "..."]) -> Float[Array, "..."]:
        """In (-1, 1)."""
        return np.tanh(x)


@dataclass(frozen=True)
class Unsquashed:
    """The number itself: against references this is the centred score, and nothing bounds it."""

    def __call__(self, x: Float[Array, "..."]) -> Float[Array, "..."]:
        """x."""
        return np.asarray(x, np.float64)


@dataclass(frozen=True)
class FittedPolynomial:
    """The polynomial nearest to the sigmoid on [-reach, reach]; 0 at and below it, 1 at and above it.

    Attributes:
        degree: of the polynomial.
        reach: how far it was fitted.
        points: at how many equally spaced places, by least squares.
    """

    degree: int = 5
    reach: float = 5.0
    points: int = 100

    @cached_property
    def coefficients(self) -> Array:
        """Of the highest power first."""
        at = np.linspace(-self.reach, self.reach, self.points)
        return np.polyfit(at, Sigmoid()(at), self.degree)

    def __call__(self, x: Float[Array, "..."]) -> Float[Array, "..."]:
        """In [0, 1] up to the error of the fit."""
        x = np.asarray(x, np.float64)
        inside = np.polyval(self.coefficients, np.clip(x, -self.reach, self.reach))
        return np.where(x <= -self.reach, 0.0, np.where(x >= self.reach, 1.0, inside))


SIGMOID = Sigmoid()


def squashed(term: Term, squash: Squash = SIGMOID) -> Term:
    """The term under a bounded map, counted from 0: right where 0 means the same for every prompt.

    Example:
        >>> from guerdon.rewards import fact
        >>> squashed(fact("reward"))(Batch.from_steps(group=[0], trajectory=[0], reward=[0.0])).values
        array([0.5])
    """

    def score(batch: Batch) -> Column:
        column = term(batch)
        return floats(column, squash(column.filled(0.0)), column.valid)

    return Term(f"squashed({term.name})", score, term.observers)


def against_references(score: Term, references: str, squash: Squash = SIGMOID) -> Term:
    """How a score stands against the scores of reference answers to the same prompt.

        r = mean over m of squash(score - reference[m])

    With `Sigmoid()` it is the chance, as a Bradley-Terry reward model sees it, that this answer beats a
    reference: between 0 and 1, a line near the references, flat far above them, and blind to a shift of the
    model's scale, which moves score and references alike.

    Args:
        score: what the model says of the answer.
        references: a column at the score's level or coarser, mostly group, with one number per
            reference, or with one number; NaN where a reference was not scored.

    Returns:
        A term at the score's level, missing where the score is, and where no reference was scored.

    Example (one reference at the score, one far above):
        >>> from guerdon.rewards import fact
        >>> batch = Batch.from_steps(group=[0], trajectory=[0], reward=[1.0])
        >>> batch = batch.with_columns(reference_scores=Column.of("group", np.array([[1.0, 900.0]])))
        >>> against_references(fact("outcome"), "reference_scores")(batch).values
        array([0.25])

    References:
        Reward Shaping to Mitigate Reward Hacking in RLHF, 2025 (PAR).
    """

    def stand(batch: Batch) -> Column:
        column = score(batch)
        other, there = _references("against_references", references, batch, column)
        won = squash(column.filled(0.0)[:, None] - np.where(there, other, 0.0))
        count = there.sum(axis=1)
        return floats(column, np.where(there, won, 0.0).sum(axis=1) / np.maximum(count, 1), column.valid & (count > 0))

    return Term(f"{score.name} against {references}", stand, score.observers)


def log_sigmoid_above(score: Term, references: str, q: Real = 0.85, eps: Real = 1e-5) -> Term:
    """log sigmoid(score - b), b the q-quantile of a normal with the references' mean and spread.

        b = mean + z(q) * (s + eps),   s with the count less one

    A line of slope 1 far below b, flat above it: 0 at most, and not bounded below.

    Args:
        references: as in `against_references`; of one reference the spread is 0.

    Example:
        >>> from guerdon.rewards import fact
        >>> batch = Batch.from_steps(group=[0], trajectory=[0], reward=[1.0])
        >>> batch = batch.with_columns(reference_scores=Column.of("group", np.array([[1.0]])))
        >>> log_sigmoid_above(fact("outcome"), "reference_scores")(batch).values.round(4)
        array([-0.6932])
    """
    if not 0 < q < 1:
        raise ShapeError(f"log_sigmoid_above: q is {q}; a share between 0 and 1 is needed; 0.5 is the mean")
    place = NormalDist().inv_cdf(q)

    def above(batch: Batch) -> Column:
        column = score(batch)
        other, there = _references("log_sigmoid_above", references, batch, column)
        count = there.sum(axis=1)
        middle = np.where(there, other, 0.0).sum(axis=1) / np.maximum(count, 1)
        square = np.where(there, (other - middle[:, None]) ** 2, 0.0).sum(axis=1)
        bar = middle + place * (np.sqrt(square / np.maximum(count - 1, 1)) + eps)
        return floats(column, -np.logaddexp(0.0, bar - column.filled(0.0)), column.valid & (count > 0))

    return Term(f"log sigmoid of {score.name}", above, score.observers)


@dataclass(frozen=True)
class Moments:
    """Mean, spread and range of all values seen so far; each batch makes a new one.

    Attributes:
        count: how many.
        mean: of them.
        square: the sum of their squared distances from the mean.
        low, high: the least and the greatest.

    Example:
        >>> seen = Moments().seen(np.array([1.0, 3.0])).seen(np.array([5.0]))
        >>> seen.mean, seen.std, seen.low, seen.high
        (3.0, 1.632993161855452, 1.0, 5.0)
    """

    count: int = 0
    mean: float = 0.0
    square: float = 0.0
    low: float = np.inf
    high: float = -np.inf

    @property
    def std(self) -> float:
        """The root of the mean squared distance; 0 before two values were seen."""
        return float(np.sqrt(self.square / self.count)) if self.count > 1 else 0.0

    def seen(self, x: Float[Array, "n"]) -> Moments:
        """The moments after these values too, in whatever portions they come."""
        if not len(x):
            return self
        count, away = self.count + len(x), float(np.mean(x)) - self.mean
        return replace(
            self, count=count, mean=self.mean + away * len(x) / count,
            square=self.square + float(np.var(x)) * len(x) + away**2 * self.count * len(x) / count,
            low=min(self.low, float(np.min(x))), high=max(self.high, float(np.max(x))),
        )  # fmt: skip

    def seen_of(self, term: Term, batch: Batch) -> Moments:
        """The moments after what a term says of a batch; plays that failed are not looked at."""
        column = term(batch)
        return self.seen(column.filled(0.0)[_counted(batch, column)])


def in_units(term: Term, moments: Moments) -> Term:
    """(x - mean) / std of all that was seen; x - mean while the spread is 0. Affine: it bounds nothing.

    Example:
        >>> from guerdon.rewards import fact
        >>> batch = Batch.from_steps(group=[0], trajectory=[0], reward=[5.0])
        >>> in_units(fact("reward"), Moments(2, 3.0, 8.0, 1.0, 5.0))(batch).values
        array([1.])
    """
    unit = 1.0 / (moments.std or 1.0)
    return affine(term, unit, -moments.mean * unit)


def near_mean(term: Term, moments: Moments) -> Term:
    """x, no further from the mean of all that was seen than one standard deviation.

    Example:
        >>> from guerdon.rewards import fact
        >>> batch = Batch.from_steps(group=[0], trajectory=[0], reward=[9.0])
        >>> near_mean(fact("reward"), Moments(2, 3.0, 8.0, 1.0, 5.0))(batch).values
        array([5.])
    """
    return clip(term, moments.mean - moments.std, moments.mean + moments.std)


def in_range(term: Term, moments: Moments) -> Term:
    """(x - low) / (high - low) of all that was seen, 0 while they are one. Affine: outliers squeeze the rest.

    Example:
        >>> from guerdon.rewards import fact
        >>> batch = Batch.from_steps(group=[0], trajectory=[0], reward=[2.0])
        >>> in_range(fact("reward"), Moments(2, 3.0, 8.0, 1.0, 5.0))(batch).values
        array([0.25])
    """
    width = moments.high - moments.low
    unit = 1.0 / width if 0 < width < np.inf else 0.0
    return affine(term, unit, -moments.low * unit if unit else 0.0)


def between_quantiles(term: Term, low: Real = 0.05, high: Real = 0.95) -> Term:
    """Where a value stands between two quantiles of the batch, from 0 to 1.

        u = clip((x - q_low) / (q_high - q_low), 0, 1);   1/2 where the two are equal

    What belongs to a play that failed neither counts nor has a place.

    Example:
        >>> from guerdon.rewards import fact
        >>> batch = Batch.from_steps(group=[0] * 3, trajectory=[0, 1, 2], reward=[1.0, 2.0, 9.0])
        >>> between_quantiles(fact("outcome"), 0.0, 0.5)(batch).values
        array([0., 1., 1.])
    """
    if not 0 <= low < high <= 1:
        raise ShapeError(f"between_quantiles: low={low} and high={high}; two shares in [0, 1], low first, are needed")

    def place(batch: Batch) -> Column:
        column = term(batch)
        counts = _counted(batch, column)
        x = column.filled(0.0)
        bottom, top = np.quantile(x[counts], (low, high)) if counts.any() else (0.0, 0.0)
        width = float(top - bottom)
        u = np.clip((x - bottom) / width, 0.0, 1.0) if width > 0 else np.full(len(x), 0.5)
        return floats(column, u, counts)

    return Term(f"between_quantiles({term.name})", place, term.observers)


def rivals(score: Term, references: str, moments: Moments, ceiling: Real = 0.0, late: Real = 3.0) -> dict[str, Term]:
    """The nine shapings that PAR is compared with, by name, of one score and its references.

        ceil      min(score, ceiling)
        centred   mean over m of score - reference[m]
        meanstd   in units of what was seen         (affine)
        clip      within one std of the mean seen
        minmax    in the range of what was seen     (affine)
        lsc       log sigmoid above the 0.85 quantile of the references
        tanh      tanh against the references
        poly      a polynomial of degree 5 fitted to the sigmoid, against the references
        sgfc      the sigmoid, `late` above the references: slow where training starts

    Under a comparison divided by its spread, meanstd and minmax do nothing, nor does centred within a prompt.

    Args:
        moments: of the scores seen so far, those of the batch at hand included.
    """
    return {
        "ceil": clip(score, high=ceiling),
        "centred": against_references(score, references, Unsquashed()),
        "meanstd": in_units(score, moments),
        "clip": near_mean(score, moments),
        "minmax": in_range(score, moments),
        "lsc": log_sigmoid_above(score, references),
        "tanh": against_references(score, references, Tanh()),
        "poly": against_references(score, references, FittedPolynomial()),
        "sgfc": against_references(affine(score, offset=-late), references),
    }


def _counted(batch: Batch, column: Column) -> Array:
    """True for what is scored and is not part of a play that failed."""
    fine = column.level == "group" or ~failed(batch)[batch.index("trajectory", at=column.level)]
    return np.asarray(column.valid & fine, bool)


def _references(caller: str, name: str, batch: Batch, column: Column) -> tuple[Array, Array]:
    """The references of each item, a row per item, and which of them are known."""
    stored = batch[name]
    if isinstance(stored.values, np.ndarray) and stored.values.ndim == 1:
        stored = Column(stored.level, stored.values[:, None], stored.valid)
    stored = Column(stored.level, vectors(caller, name, stored), stored.valid)
    lifted = batch.lift(stored, column.level)
    return lifted.values, ~np.isnan(lifted.values) & lifted.valid[:, None]
