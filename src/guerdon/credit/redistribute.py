"""A whole play's worth shared out over its steps, by what the steps have in common across plays.

Shares by given weights are `guerdon.rewards.spread`. Here the shares are learnt: one linear function of
the step's features whose sum over a play comes closest to what the play was worth, solved once for
the batch. Closest is in the least-squares sense, so a play's shares add up to its worth only as far as
the features can tell; `keeping_sum` makes up the rest.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import numpy as np
from jaxtyping import Float, Int

from guerdon import segments
from guerdon.batch import Batch, Column
from guerdon.credit.minform import whole_plays
from guerdon.errors import ShapeError
from guerdon.rewards.shaping import clip
from guerdon.rewards.spread import Weights, spread, uniform
from guerdon.rewards.term import Term, failed, floats, need_level, total
from guerdon.rewards.votes import vectors

Array = np.ndarray


@runtime_checkable
class Rows(Protocol):
    """What the sum over a play is matched by: one or more rows of features for each play."""

    @property
    def name(self) -> str:
        """What it is called in the name of a term."""
        ...

    def __call__(
        self, features: Float[Array, "n d"], play: Int[Array, "n"]
    ) -> tuple[Float[Array, "r d"], Int[Array, "r"]]:
        """Returns the rows, and the play of each; plays are counted from 0."""
        ...


@dataclass(frozen=True)
class WholeSum:
    """All steps of a play: row = sum of its features."""

    name: str = ""

    def __call__(
        self, features: Float[Array, "n d"], play: Int[Array, "n"]
    ) -> tuple[Float[Array, "r d"], Int[Array, "r"]]:
        """One row a play."""
        plays = int(play.max(initial=-1)) + 1
        rows = np.stack([segments.total(x, play, plays) for x in features.T], axis=1)
        return rows, np.arange(plays)


@dataclass(frozen=True)
class RandomSubset:
    """A random subset of a play's steps, blown up to stand for them all.

        row = T / K * sum of the features of K steps drawn without replacement;   K = min(size, T)

    In expectation the squared error has T^2 (1 - K/T) S^2 / K on top, S^2 being the variance of the shares
    inside the play (with T - 1), so the shares are also pulled towards equal ones. Costs a sort a draw.

    Attributes:
        size: steps a subset, 1 or more.
        draws: subsets a play.
        seed: another seed, another draw; the same batch and seed give the same one.

    References:
        Ren et al., Learning Long-Term Reward Redistribution via Randomized Return Decomposition, 2021,
        arXiv:2111.13485.
    """

    size: int
    draws: int = 1
    seed: int = 0

    def __post_init__(self) -> None:
        if self.size < 1 or self.draws < 1:
            raise ShapeError(
                f"RandomSubset: size is {self.size} and draws {self.draws}; both are 1 or more; "
                "use WholeSum() for all steps"
            )

    @property
    def name(self) -> str:
        """Says the size."""
        return f" on {self.size} steps at random"

    def __call__(
        self, features: Float[Array, "n d"], play: Int[Array, "n"]
    ) -> tuple[Float[Array, "r d"], Int[Array, "r"]]:
        """`draws` rows a play."""
        rng = np.random.default_rng([self.seed, len(play)])
        length = segments.count(play)
        taken = np.minimum(self.size, length)
        found = []
        for _ in range(self.draws):
            at = np.lexsort((rng.random(len(play)), play))  # play by play, inside one in random order
            at = at[segments.position(play[at]) < taken[play[at]]]
            rows, _ = WholeSum()(features[at], play[at])
            found.append(rows * (length / taken)[:, None])
        return np.concatenate(found), np.tile(np.arange(len(length)), self.draws)


WHOLE = WholeSum()


def least_squares(rows: Float[Array, "r d"], worth: Float[Array, "r"], ridge: float = 0.0) -> Float[Array, "d"]:
    """The weights whose sums come closest to what the plays were worth.

        w = argmin  sum over r of (row[r] . w - worth[r])^2  +  ridge * |w|^2

    With ridge 0 and more than one solution, the one of smallest norm. With a feature of its own for
    each step that solution is the equal split.

    Args:
        ridge: 0 or more; what keeps features that hardly differ from getting large weights of opposite sign.

    Example:
        >>> least_squares(np.array([[1.0, 1.0]]), np.array([4.0]))
        array([2., 2.])
    """
    if not ridge >= 0:
        raise ShapeError(f"least_squares: ridge is {ridge}; it is 0 or more; 0 fits as closely as the features can")
    size = rows.shape[1]
    if ridge > 0:
        rows = np.concatenate([rows, np.sqrt(ridge) * np.eye(size)])
        worth = np.concatenate([worth, np.zeros(size)])
    if not len(rows) or not size:
        return np.zeros(size)
    return np.linalg.lstsq(rows, worth, rcond=None)[0]


def by_features(term: Term, column: str = "features", *, ridge: float = 0.0, rows: Rows = WHOLE) -> Term:
    """A trajectory term shared out by a linear function of the steps' features, fitted on this batch.

        s[t] = features[t] . w,   w from `least_squares` over all plays of the batch

    With a constant feature alone every step of every play gets the same number, sum(R T) / sum(T^2): what
    sets plays apart is then lost. As many features as plays fit any worth and explain nothing.

    Args:
        term: a trajectory term.
        column: a step column with a row of numbers per step; a play that lacks a row does not enter the fit.
        ridge: see `least_squares`.
        rows: `WholeSum()` or `RandomSubset(size)`.

    Returns:
        A step term. It adds up to the term in the least-squares sense only. Missing where a row is, and
        in plays that failed; in a play without a worth the steps still have shares.

    Example (two kinds of step; the second kind is what earned it):
        >>> from guerdon.rewards import fact
        >>> batch = Batch.from_steps(group=[0] * 3, trajectory=[0, 0, 1], reward=[0.0, 1.0, 0.0])
        >>> batch = batch.with_columns(features=Column.of("step", np.array([[1.0, 0.0], [0.0, 1.0], [1.0, 0.0]])))
        >>> (by_features(fact("outcome"))(batch).values.round(6) + 0.0)
        array([0., 1., 0.])

    References:
        Efroni et al., Reinforcement Learning with Trajectory Feedback, 2021, arXiv:2008.06036.
    """

    def score(batch: Batch) -> Column:
        worth, given, owner = term(batch), batch[column], batch.trajectory_of_step
        need_level("by_features", term.name, worth, "trajectory")
        need_level("by_features", column, given, "step")
        vectors("by_features", column, given)
        x = given.filled(0.0)
        whole = whole_plays(batch, given)
        used = whole & worth.valid
        at = np.flatnonzero(used[owner])
        number = np.cumsum(used) - 1  # of the plays that enter the fit, from 0
        matched, play = rows(x[at], number[owner[at]])
        weights = least_squares(matched, worth.values[used][play], ridge)
        return floats(given, x @ weights, given.valid & ~failed(batch)[owner])

    return Term(f"{term.name} by {column}{rows.name}", score, term.observers)


def keeping_sum(shares: Term, term: Term, how: Weights = uniform) -> Term:
    """Shares made to add up: what they lack of the play's worth, or have too much, is spread over its steps.

        s'[t] = s[t] + (x - sum of s over the play) * w[t] / sum of w over the play

    Args:
        shares: a step term.
        term: the trajectory term that they are to add up to.
        how: weights of `guerdon.rewards.spread`; equal ones without it.

    Example:
        >>> from guerdon.rewards import fact
        >>> batch = Batch.from_steps(group=[0, 0], trajectory=[0, 0], reward=[0.0, 1.0])
        >>> batch = batch.with_columns(guess=Column.of("step", [0.5, 0.25]))
        >>> keeping_sum(fact("guess"), fact("outcome"))(batch).values
        array([0.625, 0.375])
    """
    rest = spread(term - total(shares), how)
    return Term(f"{shares.name} adding up", lambda batch: _plain((shares + rest)(batch)), shares.observers)


def credit_or_blame(term: Term, importance: Term) -> Term:
    """A trajectory term shared out by importance: the most important step gets most of a gain and least of a loss.

        s[t] = x * i[t] / sum of i               where x >= 0
        s[t] = x * (m - i[t]) / sum of (m - i)   where x < 0,   m = largest i of the play

    With `spread` alone the step that helped most is charged most for a loss. The shares add up to x.

    Args:
        term: a trajectory term.
        importance: a step term, none below 0.

    Example:
        >>> from guerdon.rewards import fact
        >>> batch = Batch.from_steps(group=[0] * 4, trajectory=[0, 0, 1, 1], reward=[0.0] * 4)
        >>> batch = batch.with_columns(
        ...     importance=Column.of("step", [3.0, 1.0, 3.0, 1.0]), gain=Column.of("trajectory", [4.0, -4.0])
        ... )
        >>> (credit_or_blame(fact("gain"), fact("importance"))(batch).values + 0.0).tolist()
        [3.0, 1.0, 0.0, -4.0]
    """

    def blame(batch: Batch) -> Column:
        column, owner = importance(batch), batch.trajectory_of_step
        most = segments.maximum(column.filled(0.0), owner, batch.size("trajectory"))
        return floats(column, np.where(column.valid, most[owner] - column.filled(0.0), np.nan), column.valid)

    blamed = spread(clip(term, high=0.0), how=blame)
    shares = spread(clip(term, low=0.0), how=importance) + blamed
    return Term(f"{term.name} by {importance.name}", lambda batch: _plain(shares(batch)), shares.observers)


def _plain(column: Column) -> Column:
    return Column(column.level, column.values, column.valid)
