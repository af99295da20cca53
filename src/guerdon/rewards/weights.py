"""How much a reward counts: by how hard its prompt is, together with another, or early in training more than late.

`weighted` gives a prompt more say than another. Under a comparison within the prompt that is divided by its
spread such weights cancel exactly; there, hand the weight to `guerdon.credit.modulate`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from numbers import Real

import numpy as np
from jaxtyping import Float

from guerdon.batch import LEVELS, Batch, Column
from guerdon.errors import LevelError, ShapeError
from guerdon.rewards.groups import group_mean
from guerdon.rewards.shaping import affine, product
from guerdon.rewards.term import WAYS_OUT, Term, floats, mapped
from guerdon.schedule import Schedule

Array = np.ndarray
Curve = Callable[[Float[Array, "n"]], Float[Array, "n"]]  # of the share of plays that succeed


def weighted(term: Term, by: Term) -> Term:
    """The term times a weight that is the same for all that is compared: one number a prompt, say.

        y[i] = w[i] * x[i]

    Args:
        by: a term at the level of this one or coarser, such as `difficulty`. Missing where it is.

    Example:
        >>> from guerdon.rewards import fact
        >>> batch = Batch.from_steps(group=[0, 0, 1], trajectory=[0, 1, 2], reward=[1.0, 3.0, 1.0])
        >>> batch = batch.with_columns(weight=Column.of("group", [0.5, 2.0]))
        >>> weighted(fact("outcome"), fact("weight"))(batch).values
        array([0.5, 1.5, 2. ])
    """

    def times(batch: Batch, column: Column) -> Column:
        weight = by(batch)
        if LEVELS.index(weight.level) < LEVELS.index(column.level):
            raise LevelError(
                f"weighted: {term.name!r} is at {column.level} level and its weight {by.name!r} at the finer "
                f"{weight.level} level; a weight of the same or a coarser level is needed; {WAYS_OUT}"
            )
        weight = batch.lift(Column(weight.level, weight.values, weight.valid), column.level)
        return floats(column, weight.filled(0.0) * column.filled(0.0), weight.valid & column.valid)

    return replace(mapped(term, times, observers=by.observers), affine_of=term.affine_of)


@dataclass(frozen=True)
class Rare:
    """exp(-alpha p): what few plays achieve counts most.

    Example:
        >>> Rare(np.log(2.0))(np.array([0.0, 1.0]))
        array([1. , 0.5])
    """

    alpha: float = 1.0

    def __call__(self, p: Float[Array, "n"]) -> Float[Array, "n"]:
        """1 where nothing succeeds."""
        return np.exp(-self.alpha * p)


@dataclass(frozen=True)
class Frontier:
    """1 - 2 |p - 1/2|: 1 where half of the plays succeed, 0 where all do or none.

    Example:
        >>> Frontier()(np.array([0.0, 0.5, 0.75]))
        array([0. , 1. , 0.5])
    """

    def __call__(self, p: Float[Array, "n"]) -> Float[Array, "n"]:
        """Between 0 and 1."""
        return 1.0 - 2.0 * np.abs(p - 0.5)


def difficulty(outcome: Term, curve: Curve, among: Term | None = None) -> Term:
    """A weight per prompt from the share of its plays that succeed.

        w = curve(mean of the outcome over the group)

    A play's own outcome is in it, so it is not a constant of the prompt: in small groups it bends the gradient.

    Args:
        curve: `Rare(alpha)`, `Frontier()`, or any map of shares.
        among: only plays at which this is above 0 count, as in `group_mean`.

    Example:
        >>> from guerdon.rewards import fact
        >>> batch = Batch.from_steps(group=[0, 0, 1], trajectory=[0, 1, 2], reward=[1.0, 0.0, 1.0])
        >>> difficulty(fact("outcome"), Frontier())(batch).values
        array([1., 0.])
    """
    share = group_mean(outcome, among)

    def weigh(batch: Batch) -> Column:
        column = share(batch)
        return floats(column, curve(column.filled(0.0)), column.valid)

    return Term(f"difficulty({outcome.name})", weigh, share.observers)


def synergy(outcome: Term, signal: Term, eta: Real) -> Term:
    """An outcome and a signal beside it that pays a little always and the rest with the outcome only.

        y = r + eta * f + (1 - eta) * r * f

    With eta 1 it is the sum, which can be had in half without the outcome; with eta 0 the signal is a bonus on
    success, read nowhere else.

    Args:
        outcome: r, 0 or 1.
        signal: f, in [0, 1], at the same level.
        eta: in [0, 1].

    Example:
        >>> from guerdon.rewards import fact
        >>> batch = Batch.from_steps(group=[0, 0], trajectory=[0, 1], reward=[1.0, 0.0])
        >>> batch = batch.with_columns(grounding=Column.of("trajectory", [0.5, 0.5]))
        >>> synergy(fact("outcome"), fact("grounding"), 0.25)(batch).values
        array([1.5  , 0.125])

    References:
        LongRLVR: Long-Context Reinforcement Learning Requires Verifiable Context Rewards, 2026.
    """
    if not 0 <= eta <= 1:
        raise ShapeError(f"synergy: eta is {eta}; a share in [0, 1] is needed; 1 is the plain sum")
    floor = [eta * signal] if eta > 0 else []
    both = [(1.0 - eta) * product(outcome, signal)] if eta < 1 else []
    return sum([*floor, *both], start=outcome)


def anchored(score: Term, outcome: Term, centre: Real = 0.5) -> Term:
    """A score and the outcome, both counted from a centre, so that the outcome decides the sign.

        y = (p - centre) + (o - centre)

    With p in [0, 1], o 0 or 1 and centre 1/2, y is at least 0 where o is 1 and at most 0 where it is 0.

    Args:
        score, outcome: at one level; `broadcast` brings an outcome to steps.

    Example:
        >>> from guerdon.rewards import fact
        >>> batch = Batch.from_steps(group=[0, 0], trajectory=[0, 1], reward=[1.0, 0.0])
        >>> batch = batch.with_columns(score=Column.of("trajectory", [0.25, 0.25]))
        >>> anchored(fact("score"), fact("outcome"))(batch).values
        array([ 0.25, -0.75])

    References:
        Hybrid Reward Normalization for Process-supervised Non-verifiable Agentic Tasks, 2025.
    """
    return affine(score + outcome, offset=-2.0 * centre).named(f"anchored({score.name})")


def annealed(term: Term, bonus: Term, schedule: Schedule, iteration: Real) -> Term:
    """A reward with a bonus whose weight follows a schedule.

        y = x + schedule(iteration) * bonus

    The iteration is handed over as a value, so the term stays a pure function: a host makes a new one for each
    iteration. Once the weight is 0 the bonus is not read, and the reward is the term itself.

    Args:
        term, bonus: at one level.
        schedule: one of `guerdon.schedule`, or any function of the iteration.

    Example:
        >>> from guerdon.rewards import fact
        >>> from guerdon.schedule import Linear
        >>> batch = Batch.from_steps(group=[0], trajectory=[0], reward=[1.0])
        >>> [annealed(fact("reward"), fact("reward"), Linear(0.5, 0.0, 10), t)(batch).values[0] for t in (0, 5, 10)]
        [np.float64(1.5), np.float64(1.25), np.float64(1.0)]
    """
    weight = schedule(iteration)
    return term + weight * bonus if weight != 0 else term
