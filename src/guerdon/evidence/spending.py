"""What a play cost: tokens at their prices, or what was recorded as paid."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from guerdon import segments
from guerdon.batch import Batch, Column
from guerdon.errors import LevelError, ShapeError
from guerdon.evidence.observer import Reading


@dataclass(frozen=True)
class TokenCost:
    """What `token_cost` reads: see there."""

    read: float
    written: float
    reread: float = 0.0

    def __call__(self, batch: Batch) -> Column:
        """The column of costs."""
        batch.need(["sampled"], "token_cost")
        owner, n = batch.trajectory_of_step, batch.size("trajectory")
        sampled = batch["sampled"]
        drawn = sampled.valid & np.asarray(sampled.values, bool)
        written = segments.total(drawn.astype(float), batch.step_of_token, len(owner))
        tokens = segments.count(batch.step_of_token, len(owner)).astype(float)
        paid = self.written * written + self.read * (tokens - written) + self.reread * _before(batch, tokens)
        told = segments.total(tokens, owner, n) > 0
        whole = _unfailed(batch) & (told | (segments.count(owner, n) == 0))
        return Column("trajectory", segments.total(paid, owner, n), whole)


def _before(batch: Batch, tokens: np.ndarray) -> np.ndarray:
    """For each step how many tokens of its model input were read or written at earlier steps."""
    run = np.asarray(batch["sequence"].values) if "sequence" in batch else batch.trajectory_of_step
    by = segments.joint(batch.trajectory_of_step, run)
    order = np.argsort(by, kind="stable")
    upto = np.cumsum(tokens[order]) - tokens[order]
    first = segments.first_places("token_cost", by[order])
    upto -= np.repeat(upto[first], np.diff(first, append=len(order)))
    out = np.empty(len(tokens))
    out[order] = upto
    return out


def _unfailed(batch: Batch) -> np.ndarray:
    n = batch.size("trajectory")
    if "failed" not in batch:
        return np.ones(n, bool)
    column = batch["failed"]
    return ~(column.valid & np.asarray(column.values, bool))


def token_cost(name: str = "cost", read: float = 0.0, written: float = 1.0, reread: float = 0.0) -> Reading:
    """An observer: what the tokens of a play cost, in the unit of the prices.

        cost = written * sampled tokens + read * tokens newly read + reread * tokens of earlier steps in each input

    Args:
        read, written: per token; each token counts once, at the step at which it was new.
        reread: per token that a model input holds already, for providers that bill the whole context at every
            call, or its cached price; 0 where it is kept.

    Unscored: a play with steps that was not recorded by token; a failed play. Router-R1's cost term is 1 minus this,
    as its square root between running percentiles: a Term's affair.

    Example:
        >>> batch = Batch.from_steps(group=[0, 0], trajectory=[0, 0], reward=[0.0, 0.0], tokens_per_step=[3, 2])
        >>> token_cost(written=2.0).observe(batch)["cost"].values
        array([10.])
    """
    if not all(0 <= price < np.inf for price in (read, written, reread)):
        raise ShapeError(
            f"token_cost: read={read}, written={written}, reread={reread}; a price is at least 0 and finite; "
            "take the cost off the reward instead"
        )
    return Reading(name, TokenCost(read, written, reread), high=np.inf)


@dataclass(frozen=True)
class Spent:
    """What `spent` reads: see there."""

    column: str

    def __call__(self, batch: Batch) -> Column:
        """The column of sums."""
        batch.need([self.column], "spent")
        column = batch[self.column]
        if column.level not in ("token", "step"):
            raise LevelError(
                f"spent: {self.column!r} is a {column.level} column; one of tokens or of steps is summed up; "
                "use the column as it is"
            )
        owner, n = batch.index("trajectory", at=column.level), batch.size("trajectory")
        missing = segments.total((~column.valid).astype(float), owner, n)
        return Column("trajectory", segments.total(column.filled(0.0), owner, n), _unfailed(batch) & (missing == 0))


def spent(name: str = "spent", column: str = "price") -> Reading:
    """An observer: the sum over a play of a column of tokens or steps, such as the price of each.

    Unscored: a value of the play is missing (what it cost is then not known); a failed play.

    Raises:
        LevelError: when observing, the column is of plays or groups already.

    Example:
        >>> batch = Batch.from_steps(group=[0, 0], trajectory=[0, 0], reward=[0.0, 0.0])
        >>> batch = batch.with_columns(price=Column.of("step", [0.25, 0.5]))
        >>> spent().observe(batch)["spent"].values
        array([0.75])
    """
    return Reading(name, Spent(column), low=-np.inf, high=np.inf)
