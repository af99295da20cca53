"""Terms compared: `centred` and `ranked` by group or any key, `less` with a baseline from outside.

`whitened`, `per_batch_std` and `positive_part` change the size of a credit that was compared.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Collection

import numpy as np

from guerdon import segments
from guerdon.batch import LEVELS, Batch, Column
from guerdon.credit.base import Credit, Signal, compares_of, needs_of, on_steps, scored
from guerdon.credit.center import MEAN, Baseline, Rms, Scale, center, in_buckets
from guerdon.credit.keys import PROMPT, Keys, bucket_of, keys_of
from guerdon.credit.minform import all_sampled, tokens_of_step
from guerdon.rewards.idle import IdleWarning
from guerdon.rewards.term import Term, failed

Array = np.ndarray


def centred(
    signal: Signal,
    by: Keys = PROMPT,
    *,
    baseline: Baseline = MEAN,
    scale: Scale | None = None,
    weight: Term | None = None,
) -> Credit:
    """How much better an item did than the others like it. See `guerdon.credit.center`.

        A[i] = (x[i] - baseline of i's bucket) * scale,   copied to the item's steps

    Args:
        signal: a term, or a credit such as a return to go. It is compared at its own level:
            trajectories with trajectories, steps with steps.
        by: what makes two items alike: "prompt" for the batch's groups, the name of a key column
            such as "state", a key such as `Turn()`, or several of these. See `guerdon.credit.keys`.
        baseline: `Mean()`, `Percentile(q)`, or `Others()` and `BestOther()`, which leave out all of
            one's own trajectory.
        scale: None, `Std(eps)` or `Rms(eps)`.
        weight: how much each item votes, at the signal's level or coarser; missing is 0.

    Returns:
        A credit that compares with "group" if `by` holds "prompt" or another key within it,
        else with "batch". Within the prompt, a group with fewer than two scored trajectories
        says nothing. An item without a key is compared with nothing: credit 0. A play that failed
        neither votes nor gets credit, also where the signal knows something of it.

    Example:
        >>> from guerdon.rewards import fact
        >>> batch = Batch.from_steps(group=[0, 0, 1], trajectory=[0, 1, 2], reward=[1.0, 0.0, 1.0])
        >>> centred(fact("outcome"))(batch).values
        array([ 0.5, -0.5,  0. ])
    """

    def assign(batch: Batch) -> Column:
        column = of_plays(batch, signal(batch))
        bucket, comparable, owner = _alike(batch, column, by)
        _warn_if_cancelled(signal, column, batch, scale, bucket, comparable)
        votes = None if weight is None else batch.lift(weight(batch), column.level).filled(0.0)
        x = in_buckets(column.filled(0.0), bucket, baseline, scale, comparable, votes, owner)
        kind = np.result_type(np.asarray(column.values).dtype, np.float32)
        return on_steps(batch, Column(column.level, x.astype(kind, copy=False), np.asarray(column.valid, bool)))

    return _compared("centred", signal, by, assign)


def ranked(signal: Signal, by: Keys = PROMPT) -> Credit:
    """The place of an item among the others like it, from -1 for the last to 1 for the best.

        A[i] = 2 * rank[i] / (k - 1) - 1,   rank from 0, equal values share their mean rank

    It is blind to any rising map of the signal. Items that all agree get zero, and so does one
    that is alone; places sum to zero.

    Args:
        signal: compared at its own level, as in `centred`.
        by: what makes two items alike.

    Example:
        >>> from guerdon.rewards import fact
        >>> batch = Batch.from_steps(group=[0, 0, 0], trajectory=[0, 1, 2], reward=[9.0, 1.0, 1.0])
        >>> ranked(fact("outcome"))(batch).values
        array([ 1. , -0.5, -0.5])
    """

    def assign(batch: Batch) -> Column:
        column = of_plays(batch, signal(batch))
        bucket, comparable, _ = _alike(batch, column, by)
        at = np.flatnonzero(comparable)
        many = segments.count(bucket[at])[bucket[at]] - 1
        place = 2.0 * segments.rank(column.filled(0.0)[at], bucket[at]) / np.maximum(many, 1) - 1.0
        x = np.zeros(len(column))
        x[at] = np.where(many > 0, place, 0.0)
        return on_steps(batch, scored(Column(column.level, x, column.valid)))

    return _compared("ranked", signal, by, assign)


def less(signal: Signal, baseline: Term, compares: Collection[str] = ()) -> Credit:
    """The signal less a baseline that comes from outside the batch's plays: A = x - b.

    Args:
        baseline: at the signal's level or coarser, such as the outcome of a greedy play, or a
            running mean. Where it is missing the item is unscored.
        compares: what the baseline is made of: "history", "critic", "batch"; empty for a play
            that is not in the batch.

    Returns:
        A credit that a group of one has too, and a group that agrees.

    Example:
        >>> from guerdon.rewards import fact
        >>> batch = Batch.from_steps(group=[0, 0], trajectory=[0, 1], reward=[1.0, 0.0])
        >>> batch = batch.with_columns(greedy_outcome=Column.of("group", [0.25]))
        >>> less(fact("outcome"), fact("greedy_outcome"))(batch).values
        array([ 0.75, -0.25])
    """

    def assign(batch: Batch) -> Column:
        column = of_plays(batch, signal(batch))
        other = batch.lift(baseline(batch), column.level)
        valid = np.asarray(column.valid & other.valid, bool)
        away = column.filled(0.0) - other.filled(0.0)
        return on_steps(batch, scored(Column(column.level, away, valid)))

    name = f"{signal.name} less {baseline.name}"
    return Credit(name, assign, compares_of(signal) | frozenset(compares), needs_of(signal))


def whitened(credit: Credit, eps: float = 1e-8) -> Credit:
    """A credit with mean 0 and variance 1 over the scored items of the whole batch.

        y = (x - mean) / sqrt(var + eps),   var with the count less one

    Items are steps, or tokens for a credit at token level. A batch of one scored item, or one
    that agrees, gives zero.

    Elsewhere:
        verl whitens the advantages of its "gae" over tokens (`masked_whiten`), always.

    Example:
        >>> from guerdon.credit import step_term
        >>> from guerdon.rewards import fact
        >>> batch = Batch.from_steps(group=[0, 0], trajectory=[0, 1], reward=[1.0, 0.0])
        >>> whitened(step_term(fact("reward")))(batch).values.round(6)
        array([ 0.707107, -0.707107])
    """

    def assign(batch: Batch) -> Column:
        column = credit(batch)
        everything = np.zeros(len(column), np.int64)
        away = center(column.values, everything, valid=column.valid)
        variance = (away**2).sum() / max(int(column.valid.sum()) - 1, 1)
        return scored(Column(column.level, away / np.sqrt(variance + eps), column.valid))

    return Credit(f"whitened({credit.name})", assign, credit.compares | {"batch"}, credit.needs)


def per_batch_std(credit: Credit, of: Signal, eps: float = 1e-4) -> Credit:
    """The credit in units of the signal's spread over the whole batch.

        A' = A / (std of the signal's scored values + eps),   std with the count less one

    Unlike `Std`, one number for all groups: a group that nearly agrees is not amplified. Zero
    where the whole batch agrees.

    Args:
        of: what the spread is taken of, at its own level: mostly what the credit centred.

    Elsewhere:
        TRL   scale_rewards="batch", with eps 1e-4

    Example:
        >>> from guerdon.rewards import fact
        >>> batch = Batch.from_steps(group=[0, 0], trajectory=[0, 1], reward=[8.0, 0.0])
        >>> per_batch_std(centred(fact("outcome")), fact("outcome"), 0.0)(batch).values.round(3)
        array([ 0.707, -0.707])
    """

    def assign(batch: Batch) -> Column:
        column, whole = credit(batch), of_plays(batch, of(batch))
        x = whole.filled(0.0)[whole.valid]
        spread = float(np.std(x, ddof=1)) if len(x) > 1 and np.ptp(x) > 0 else 0.0
        return Column(column.level, column.values * (1.0 / (spread + eps) if spread > 0 else 0.0), column.valid)

    needs = tuple(dict.fromkeys((*credit.needs, *needs_of(of))))
    return Credit(f"{credit.name} per std of {of.name}", assign, credit.compares | {"batch"}, needs)


def positive_part(credit: Credit) -> Credit:
    """The credit where it is above zero, 0 elsewhere: A' = max(A, 0). Nothing is made less likely.

    Example:
        >>> from guerdon.rewards import fact
        >>> batch = Batch.from_steps(group=[0, 0], trajectory=[0, 1], reward=[1.0, 0.0])
        >>> positive_part(centred(fact("outcome")))(batch).values
        array([0.5, 0. ])
    """

    def assign(batch: Batch) -> Column:
        column = credit(batch)
        return Column(column.level, np.maximum(column.values, 0.0), column.valid)

    return Credit(f"positive part of {credit.name}", assign, credit.compares, credit.needs)


def _length(batch: Batch) -> Column:
    if batch.size("token") and all_sampled(batch):
        length = batch.counts("token", "trajectory").astype(np.float64)
        return Column("trajectory", length, np.ones(len(length), bool))
    tokens = segments.total(tokens_of_step(batch), batch.trajectory_of_step, batch.size("trajectory"))
    return Column.of("trajectory", tokens)


# How many tokens a play was sampled of (its steps, in a batch without tokens): a term, mostly for `weight=`.
LENGTH = Term("length", _length)


def of_plays(batch: Batch, column: Column) -> Column:
    """The column with nothing scored in plays that failed."""
    if "failed" not in batch or column.level == "group":
        return column
    lost = failed(batch)[batch.index("trajectory", at=column.level)]
    return Column(column.level, column.values, np.asarray(column.valid & ~lost, bool)) if lost.any() else column


def _alike(batch: Batch, column: Column, by: Keys) -> tuple[Array, Array, Array | None]:
    """The bucket of each item, whether it is compared with anything, and its trajectory if it is not one itself."""
    bucket, known = bucket_of(batch, by, column.level)
    comparable = known & column.valid
    if column.level == "trajectory":  # the only one of its group is alone in its bucket, so it gets nothing anyway
        return bucket, comparable, None
    owner = batch.index("trajectory", at=column.level)
    if any(key.within for key in keys_of(by)):
        comparable = comparable & in_company(batch, owner, comparable)
    return bucket, comparable, owner


def _compared(what: str, signal: Signal, by: Keys, assign: Callable[[Batch], Column]) -> Credit:
    keys = keys_of(by)
    names = tuple(key.name for key in keys)
    beside = "" if names == (PROMPT,) else f" by {', '.join(names)}"
    against = {"group" if any(key.within for key in keys) else "batch"}
    needs = tuple(dict.fromkeys((*needs_of(signal), *(need for key in keys for need in key.needs))))
    return Credit(f"{what}({signal.name}{beside})", assign, compares_of(signal) | against, needs)


def in_company(batch: Batch, owner: Array, comparable: Array) -> Array:
    """True for items whose group has two or more trajectories with something to compare.

    A group of one says nothing, even where its one play passes a state twice.
    """
    plays = np.zeros(batch.size("trajectory"), bool)
    plays[owner if comparable.all() else owner[comparable]] = True
    count = segments.total(plays.astype(np.float64), batch.group_of_trajectory, batch.size("group"))
    return (count > 1)[batch.group_of_trajectory][owner]


def _warn_if_cancelled(
    signal: Signal, column: Column, batch: Batch, scale: Scale | None, bucket: Array, comparable: Array
) -> None:
    """Warns where the fact that the signal is an affine map of would give the same credit, bucket by bucket."""
    if scale is None or not isinstance(signal, Term) or signal.affine_of is None or signal.affine_of not in batch:
        return
    fact = batch[signal.affine_of]
    if column.values is fact.values:  # the signal is the fact itself
        return
    if LEVELS.index(fact.level) < LEVELS.index(column.level):
        return
    fact = batch.lift(fact, column.level)
    votes = comparable & fact.valid
    x, y = fact.filled(0.0), column.filled(0.0)
    if (x[votes] == y[votes]).all():
        return
    of_fact, of_map = (center(values, bucket, scale=Rms(0.0), valid=votes) for values in (x, y))
    if of_fact.any() and np.abs(of_fact - of_map).max() < 1e-6:
        warnings.warn(
            f"centred: {signal.name!r} is an affine map of the fact {signal.affine_of!r} in each group under a scale; "
            "the scale cancels the map, so it has no effect; drop the map or the scale, or modulate the credit by it",
            IdleWarning,
            stacklevel=4,  # the line that calls the credit
        )
