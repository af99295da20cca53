"""Credit made larger or smaller, or silenced, after it was compared.

`modulate` multiplies by any term; `min_max`, `calibrated`, `clarity` and `top_share` make such terms of
a signal about steps or tokens. `selective` and `sign_scaled` look at the credit's own sign.
"""

from __future__ import annotations

from numbers import Real

import numpy as np
from jaxtyping import Bool, Float, Int

from guerdon import segments
from guerdon.batch import Batch, Column
from guerdon.credit.base import Credit, at_one_level, need_steps, scored
from guerdon.credit.keys import Everything, Keys, bucket_of
from guerdon.errors import ShapeError
from guerdon.rewards.term import Term, failed, floats

Array = np.ndarray
EVERYTHING = Everything()


def modulate(credit: Credit, by: Term) -> Credit:
    """The credit times a term: a signal that acts after normalisation.

        A'[i] = A[i] * by[i]

    Unscored where either is. Where the credit is zero it stays zero: a group that says nothing
    is not made to speak.

    Args:
        by: a term at any level; the coarser of the two is lifted.

    Example:
        >>> from guerdon.credit import centred
        >>> from guerdon.rewards import fact
        >>> batch = Batch.from_steps(group=[0, 0, 0], trajectory=[0, 0, 1], reward=[0.0, 1.0, 0.0])
        >>> (modulate(centred(fact("outcome")), by=fact("reward"))(batch).values + 0.0)
        array([0. , 0.5, 0. ])
    """

    def assign(batch: Batch) -> Column:
        column, factor = at_one_level(batch, [credit(batch), by(batch)])
        valid = np.asarray(column.valid & factor.valid, bool)
        return scored(Column(column.level, column.filled(0.0) * factor.filled(0.0), valid))

    return Credit(f"{credit.name} * {by.name}", assign, credit.compares, credit.needs)


def min_max(term: Term, by: Keys = EVERYTHING, eps: float = 1e-8) -> Term:
    """A signal on the scale from the lowest of its bucket, 0, to the highest, 1.

        u[i] = (x[i] - min) / (max - min + eps)

    Zero throughout a bucket that agrees. What is missing does not count, nor does what belongs
    to a play that failed; both stay missing.

    Args:
        by: what is put on one scale: the whole batch, "prompt", or another key.

    Example:
        >>> from guerdon.rewards import fact
        >>> batch = Batch.from_steps(group=[0, 0, 1], trajectory=[0, 0, 1], reward=[2.0, 4.0, 6.0])
        >>> min_max(fact("reward"))(batch).values.round(6), min_max(fact("reward"), by="prompt")(batch).values.round(6)
        (array([0. , 0.5, 1. ]), array([0., 1., 0.]))
    """

    def score(batch: Batch) -> Column:
        column = term(batch)
        x, bucket, counts = _counted(batch, column, by)
        low = segments.minimum(np.where(counts, x, np.inf), bucket)[bucket]
        high = segments.maximum(np.where(counts, x, -np.inf), bucket)[bucket]
        above = np.where(counts, x, 0.0) - np.where(counts, low, 0.0)
        return floats(column, above / (np.where(counts, high - low, 0.0) + eps), counts)

    return Term(f"min_max({term.name})", score, term.observers)


def calibrated(term: Term, k: float) -> Term:
    """A factor that is large where a signal is low, and 1 on average over the batch.

        g[i] = exp(-k u[i]) / mean over the batch of exp(-k u),   u = min_max(x)

    Of the entropies of steps it is a scale by which sure steps learn more and unsure ones
    less, at one average size: to be handed to `modulate`. With k = 0 it is 1 everywhere.

    Example:
        >>> from guerdon.rewards import fact
        >>> batch = Batch.from_steps(group=[0, 0], trajectory=[0, 0], reward=[0.0, 1.0])
        >>> calibrated(fact("reward"), np.log(3.0))(batch).values.round(6)
        array([1.5, 0.5])

    References:
        Harnessing Uncertainty: Entropy-Modulated Policy Gradients for Long-Horizon LLM Agents, 2025.
    """

    def score(batch: Batch) -> Column:
        column = min_max(term)(batch)
        size = np.exp(-k * column.filled(0.0))
        return floats(column, size / (size[column.valid].mean() if column.valid.any() else 1.0), column.valid)

    return Term(f"calibrated({term.name})", score, term.observers)


def clarity(term: Term, k: float) -> Term:
    """What a step gets for having led to a step at which a signal is low.

        f[t] = exp(-k u[t+1]),   u = min_max(x),   f = 0 at a play's last step

    Of entropies: a bonus for reaching a place where it is clear what to do. It is there
    whatever the outcome, and so it is a force of its own towards low entropy.

    Example:
        >>> from guerdon.rewards import fact
        >>> batch = Batch.from_steps(group=[0, 0], trajectory=[0, 0], reward=[1.0, 0.0])
        >>> clarity(fact("reward"), 1.0)(batch).values
        array([1., 0.])

    References:
        Harnessing Uncertainty: Entropy-Modulated Policy Gradients for Long-Horizon LLM Agents, 2025.
    """

    def score(batch: Batch) -> Column:
        column = min_max(term)(batch)
        need_steps("clarity", term.name, column)
        end = segments.last(batch.trajectory_of_step)
        ahead, known = np.append(column.filled(0.0)[1:], 0.0), np.append(column.valid[1:], True)
        bonus = np.where(end, 0.0, np.exp(-k * ahead[: len(end)]))
        fine = ~failed(batch)[batch.trajectory_of_step]
        return floats(column, bonus, (end | known[: len(end)]) & fine)

    return Term(f"clarity({term.name})", score, term.observers)


def top_share(term: Term, share: float, by: Keys = EVERYTHING) -> Term:
    """A mask: 1 for the items that stand highest in their bucket, 0 for the others.

        m[i] = 1 if (rank[i] + 1/2) / n > 1 - share, else 0

    With rank from 0 upwards among the n items of i's bucket, equal values sharing their mean rank, so
    that they are kept or dropped together; values that differ by less than 1e-9 of the largest are equal.
    Missing items do not count and stay missing.

    Args:
        share: how much of a bucket is kept, in [0, 1], up to ties.
        by: what competes: the whole batch, "prompt", or another key.

    Raises:
        ShapeError: share is not in [0, 1].

    Example (the upper half):
        >>> from guerdon.rewards import fact
        >>> batch = Batch.from_steps(group=[0] * 4, trajectory=[0] * 4, reward=[3.0, 1.0, 4.0, 2.0])
        >>> top_share(fact("reward"), 0.5)(batch).values
        array([1., 0., 1., 0.])
    """
    if not 0 <= share <= 1:
        raise ShapeError(f"top_share: share is {share}; a part of the whole, in [0, 1], is needed; 0.2 keeps a fifth")

    def score(batch: Batch) -> Column:
        column = term(batch)
        x, bucket, counts = _counted(batch, column, by)
        at = np.flatnonzero(counts)
        # Two sums of the same numbers in another order may differ in the last bit.
        unit = float(np.abs(x[at]).max(initial=0.0)) or 1.0
        place = segments.rank(np.round(x[at] / unit, 9), bucket[at]) + 0.5
        kept = np.zeros(len(column))
        kept[at] = place > (1.0 - share) * segments.total(counts.astype(np.float64), bucket)[bucket[at]]
        return floats(column, kept, counts)

    return Term(f"top_share({term.name})", score, term.observers)


def selective(credit: Credit, wrong: Term) -> Credit:
    """The credit where its sign agrees with a verdict on the step, 0 elsewhere.

        A'[i] = A[i]   if A[i] >= 0 and the step is not wrong, or A[i] < 0 and it is wrong
                0      else

    A right step is not blamed for a bad end, nor a wrong one praised for a good end. The verdict
    is never a reward, so there is nothing in it to collect.

    Args:
        wrong: above 0 where the step was judged wrong. Unscored where it is missing: a step that no
            judge spoke of is not known to be right.

    Example:
        >>> from guerdon.credit import centred
        >>> from guerdon.rewards import fact
        >>> batch = Batch.from_steps(group=[0] * 4, trajectory=[0, 0, 1, 1], reward=[0.0, 1.0, 0.0, 0.0])
        >>> batch = batch.with_columns(wrong=Column.of("step", [1.0, 0.0, 1.0, 0.0]))
        >>> selective(centred(fact("outcome")), fact("wrong"))(batch).values + 0.0
        array([ 0. ,  0.5, -0.5,  0. ])

    References:
        SPARK: Stepwise Process-Aware Rewards for Reference-Free Reinforcement Learning, 2025, arXiv:2512.03244.
    """

    def assign(batch: Batch) -> Column:
        column, verdict = at_one_level(batch, [credit(batch), wrong(batch)])
        agrees = (column.filled(0.0) < 0) == (verdict.filled(0.0) > 0)
        valid = np.asarray(column.valid & verdict.valid, bool)
        return scored(Column(column.level, np.where(agrees, column.filled(0.0), 0.0), valid))

    return Credit(f"selective({credit.name})", assign, credit.compares, credit.needs)


def sign_scaled(credit: Credit, by: Term, p: float, above: Term | Real) -> Credit:
    """The credit of the items that matter, a little more for one sign of a signal than for the other.

        A'[i] = 1[|s[i]| > above] * (1 + p * sign(s[i])) * A[i]

    Args:
        by: the signal s. Unscored where it is missing.
        p: above 0 what is positive counts more, below 0 less; 0 only selects.
        above: a number, or a term at the signal's level or coarser, such as a mean per group. -1 keeps
            everything.

    Example:
        >>> from guerdon.credit import step_term
        >>> from guerdon.rewards import fact
        >>> batch = Batch.from_steps(group=[0] * 3, trajectory=[0] * 3, reward=[1.0, 1.0, 1.0])
        >>> batch = batch.with_columns(influence=Column.of("step", [2.0, -2.0, 0.5]))
        >>> sign_scaled(step_term(fact("reward")), fact("influence"), 0.25, above=1.0)(batch).values
        array([1.25, 0.75, 0.  ])

    References:
        Token Hidden Reward: Steering Exploration-Exploitation in Group Relative Deep
        Reinforcement Learning, 2025, arXiv:2510.03669.
    """

    def assign(batch: Batch) -> Column:
        column, signal = at_one_level(batch, [credit(batch), by(batch)])
        level, s = signal.level, signal.filled(0.0)
        bar = Column.of(level, np.full(len(s), float(above))) if isinstance(above, Real) else above(batch)
        bar = batch.lift(bar, level)
        kept = np.where(np.abs(s) > bar.filled(0.0), 1.0 + p * np.sign(s), 0.0)
        valid = np.asarray(column.valid & signal.valid & bar.valid, bool)
        return scored(Column(level, column.filled(0.0) * kept, valid))

    return Credit(f"sign_scaled({credit.name}, {by.name})", assign, credit.compares, credit.needs)


def _counted(batch: Batch, column: Column, by: Keys) -> tuple[Float[Array, "n"], Int[Array, "n"], Bool[Array, "n"]]:
    """The values, the bucket of each, and True where one counts: it is there, has a key, and its play did not fail."""
    bucket, known = bucket_of(batch, by, column.level)
    fine = column.level == "group" or ~failed(batch)[batch.index("trajectory", at=column.level)]
    return column.filled(0.0), bucket, np.asarray(column.valid & known & fine, bool)
