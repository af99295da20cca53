"""Terms compared inside a batch: `centred` by group or any key, `whitened` over everything."""

from __future__ import annotations

import warnings

import numpy as np

from guerdon import segments
from guerdon.batch import Batch, Column
from guerdon.credit.base import Credit, Signal, compares_of, needs_of, on_steps, scored
from guerdon.credit.center import MEAN, Baseline, Scale, center
from guerdon.credit.keys import PROMPT, Keys, bucket_of, keys_of
from guerdon.rewards.term import Term

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
        baseline: `Mean()` or `Others()`, which leaves out all of one's own trajectory.
        scale: None, or `Std(eps)`.
        weight: how much each item votes, at the signal's level or coarser; missing is 0.

    Returns:
        A credit that compares with "group" if `by` holds "prompt" or another key within it,
        else with "batch". Within the prompt, a group with fewer than two scored trajectories
        says nothing. An item without a key is compared with nothing: credit 0.

    Example:
        >>> from guerdon.rewards import fact
        >>> batch = Batch.from_steps(group=[0, 0, 1], trajectory=[0, 1, 2], reward=[1.0, 0.0, 1.0])
        >>> centred(fact("outcome"))(batch).values
        array([ 0.5, -0.5,  0. ])
    """
    keys = keys_of(by)
    within = any(key.within for key in keys)

    def assign(batch: Batch) -> Column:
        column = signal(batch)
        _warn_if_cancelled(signal, column, batch, scale)
        bucket, comparable = bucket_of(batch, by, column.level)
        comparable = comparable & column.valid
        owner = batch.index("trajectory", at=column.level)
        if within:
            comparable = comparable & in_company(batch, owner, comparable)
        votes = None if weight is None else batch.lift(weight(batch), column.level).filled(0.0)
        x = center(
            column.filled(0.0), bucket, baseline=baseline, scale=scale, valid=comparable, weight=votes, owner=owner
        )
        return on_steps(batch, scored(Column(column.level, x, column.valid)))

    names = tuple(key.name for key in keys)
    beside = () if names == (PROMPT,) else (f" by {', '.join(names)}",)
    return Credit(
        f"centred({''.join((signal.name, *beside))})",
        assign,
        compares_of(signal) | {"group" if within else "batch"},
        tuple(dict.fromkeys((*needs_of(signal), *(need for key in keys for need in key.needs)))),
    )


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


def in_company(batch: Batch, owner: Array, comparable: Array) -> Array:
    """True for items whose group has two or more trajectories with something to compare.

    A group of one says nothing, even where its one play passes a state twice.
    """
    plays = np.zeros(batch.size("trajectory"), bool)
    plays[owner[comparable]] = True
    count = segments.total(plays.astype(np.float64), batch.group_of_trajectory, batch.size("group"))
    return count[batch.group_of_trajectory[owner]] > 1


def _warn_if_cancelled(signal: Signal, column: Column, batch: Batch, scale: Scale | None) -> None:
    if scale is None or not isinstance(signal, Term) or signal.affine_of is None or signal.affine_of not in batch:
        return
    fact = batch[signal.affine_of]
    levels = np.unique(fact.filled(0.0)[fact.valid])
    if len(levels) == 2 and not np.isin(np.unique(column.values[column.valid]), levels).all():
        warnings.warn(
            f"centred: {signal.name!r} is an affine map of the binary fact {signal.affine_of!r} under a scale; "
            "the scale cancels the map, so it has no effect; drop the map or the scale",
            stacklevel=2,
        )
