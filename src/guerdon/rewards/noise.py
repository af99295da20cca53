"""A verifier that errs: outcomes corrected for known error rates, and the appeals that estimate one of them.

    fp = P(passed | wrong)    false positives       fn = P(failed | right)    false negatives

Where a correction acts decides whether it does anything. Both are affine in the verdict, so with one rate for
all plays they cancel in a comparison within the prompt that is divided by its spread, and without the division
they change the size and nothing else. They matter where the rates differ between plays or prompts, against a
baseline from outside, and as weights that act after comparison.
"""

from __future__ import annotations

from collections.abc import Callable
from numbers import Real

import numpy as np
from jaxtyping import Bool, Float

from guerdon.batch import Batch, Column
from guerdon.errors import ShapeError
from guerdon.rewards.shaping import affine
from guerdon.rewards.term import Term, failed, floats, need_level, union

Array = np.ndarray
Rate = Term | Real  # at the outcome's level or coarser, or one number


def backward(outcome: Term, fp: Rate, fn: Rate) -> Term:
    """The verdict corrected so that its mean is the truth.

        R' = (R - fp) / (1 - fp - fn),    E[R' | truth] = truth

    Its variance is that of R times 1 / (1 - fp - fn)^2.

    Args:
        outcome: the verdict, 0 or 1.
        fp, fn: the error rates, as numbers or as terms, such as a rate per prompt.

    Returns:
        A term at the verdict's level. Missing where a rate is, and where fp + fn is 1 or more, when a
        verdict says nothing of the truth, or its opposite.

    Raises:
        ShapeError: the rates are numbers below 0, or add up to 1 or more.

    Example:
        >>> from guerdon.rewards import fact
        >>> batch = Batch.from_steps(group=[0, 0], trajectory=[0, 1], reward=[1.0, 0.0])
        >>> backward(fact("outcome"), fp=0.25, fn=0.25)(batch).values
        array([ 1.5, -0.5])

    References:
        Reinforcement Learning with Verifiable yet Noisy Rewards under Imperfect Verifiers, 2025,
        arXiv:2510.00915.
    """
    if isinstance(fp, Real) and isinstance(fn, Real):
        _check("backward", fp, fn)
        size = 1.0 / (1.0 - fp - fn)
        return affine(outcome, size, -fp * size).named(f"backward({outcome.name})")

    def correct(x: Array, fp: Array, fn: Array) -> tuple[Array, Array]:
        rest = 1.0 - fp - fn
        known = (fp >= 0) & (fn >= 0) & (rest > 0)
        return (x - fp) / np.where(known, rest, 1.0), known

    return _corrected(f"backward({outcome.name})", outcome, (fp, fn), correct)


def forward(outcome: Term, fn: Rate) -> Term:
    """A weight for the log-probability of what was played, for which only false negatives need be known.

        w = fn where R = 1,   fn - 1 where R = 0:   w = R - (1 - fn)
        E[w | right] = 0,     E[w | wrong] = -(1 - fp - fn)

    so the expected update has the direction of the true gradient at any rate of false positives, and no weight
    exceeds 1. It stands in place of an advantage: hand it to `step_term` or `modulate`. In a comparison by
    means only R is left of it.

    Args:
        outcome: the verdict, 0 or 1.
        fn: the rate of false negatives, a number or a term.

    Example:
        >>> from guerdon.rewards import fact
        >>> batch = Batch.from_steps(group=[0, 0], trajectory=[0, 1], reward=[1.0, 0.0])
        >>> forward(fact("outcome"), fn=0.25)(batch).values
        array([ 0.25, -0.75])

    References:
        As of `backward`.
    """
    if isinstance(fn, Real):
        _check("forward", 0.0, fn)
        return affine(outcome, offset=fn - 1.0).named(f"forward({outcome.name})")

    def weigh(x: Array, fn: Array) -> tuple[Array, Array]:
        return x - (1.0 - fn), (fn >= 0) & (fn <= 1)

    return _corrected(f"forward({outcome.name})", outcome, (fn,), weigh)


def missed_share(passed: Real, overturned: Real, share: Real = 1.0) -> float:
    """The rate of false negatives, from failed plays that a second verifier looked at again.

        fn = (overturned / share) / (passed + overturned / share)

    Passed plays that are wrong make it too low: at fp > 0 it estimates right ones among all that passed or
    should have.

    Args:
        passed: how many plays passed at once.
        overturned: how many of those looked at again passed then.
        share: how much of the failed plays was looked at again, drawn at random. Without it the estimate
            from a tenth of them would be about a tenth as large.

    Returns:
        The rate; NaN where nothing passed either time.

    Example (10 of 20 failed plays looked at, 3 overturned; so about 6 were missed, of 20 right ones):
        >>> missed_share(passed=14, overturned=3, share=0.5)
        0.3
    """
    if not 0 < share <= 1:
        raise ShapeError(f"missed_share: share is {share}; the part of failed plays looked at, above 0, is needed")
    missed = overturned / share
    return float(missed / (passed + missed)) if passed + missed > 0 else float("nan")


def appealed(outcome: Term, appeal: Term, unknown: Real | None = None) -> Term:
    """`missed_share` of a batch: one number, the same for every group.

    Args:
        outcome: the verdict of a play, above 0 where it passed.
        appeal: what a second verifier said, above 0 where it passed; missing where it was not asked. It is
            read of failed plays only.
        unknown: the rate where no play failed and was looked at again, or nothing passed; missing without.

    Returns:
        A group term. Plays that broke do not count.

    Example (one of two failed plays was looked at, and passed):
        >>> from guerdon.rewards import fact
        >>> batch = Batch.from_steps(group=[0] * 4, trajectory=[0, 1, 2, 3], reward=[1.0, 1.0, 0.0, 0.0])
        >>> batch = batch.with_columns(appeal=Column.of("trajectory", [None, None, 1.0, None]))
        >>> appealed(fact("outcome"), fact("appeal"))(batch).values
        array([0.5])
    """

    def rate(batch: Batch) -> Column:
        verdict, second = outcome(batch), appeal(batch)
        need_level("appealed", outcome.name, verdict, "trajectory")
        need_level("appealed", appeal.name, second, "trajectory")
        counts = verdict.valid & ~failed(batch)
        passed = counts & (verdict.filled(0.0) > 0)
        asked = counts & ~passed & second.valid
        overturned = asked & (second.filled(0.0) > 0)
        lost, heard = int((counts & ~passed).sum()), int(asked.sum())
        found = missed_share(int(passed.sum()), int(overturned.sum()), heard / lost) if heard else float("nan")
        level = found if np.isfinite(found) or unknown is None else float(unknown)
        n = batch.size("group")
        return floats(verdict, np.full(n, level), np.full(n, np.isfinite(level)), "group")

    return Term(f"missed({outcome.name})", rate, union(outcome.observers, appeal.observers))


def _corrected(
    name: str, outcome: Term, rates: tuple[Rate, ...],
    f: Callable[..., tuple[Float[Array, "n"], Bool[Array, "n"]]],
) -> Term:  # fmt: skip
    def score(batch: Batch) -> Column:
        column = outcome(batch)
        read = [_lifted(batch, rate, column) for rate in rates]
        known = np.logical_and.reduce([column.valid, *(rate.valid for rate in read)])
        values, fine = f(column.filled(0.0), *(rate.filled(0.0) for rate in read))
        return floats(column, values, known & fine)

    terms = tuple(rate for rate in rates if isinstance(rate, Term))
    return Term(name, score, union(outcome.observers, *(rate.observers for rate in terms)))


def _lifted(batch: Batch, rate: Rate, like: Column) -> Column:
    if isinstance(rate, Term):
        return batch.lift(rate(batch), like.level)
    return Column.of(like.level, np.full(len(like), float(rate)))


def _check(caller: str, fp: Real, fn: Real) -> None:
    if fp < 0 or fn < 0 or fp + fn >= 1:
        raise ShapeError(
            f"{caller}: error rates of {fp} and {fn}; two rates from 0 on that add up to less than 1 are needed; "
            "a verifier beyond that is better read the other way round"
        )
