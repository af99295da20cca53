"""Progress: what a step did to a value of the state, and what is earned by items such as tests.

A value of the state comes as two step columns: `X` before the action and `next_X` after it.
`gain` and `closed_gain` are terms of their difference; whether it acts on its own step
(`step_term`) or is summed to go (`to_go_of`) is what the papers disagree about. Summed to go
it telescopes; on its own step it does not.
"""

from __future__ import annotations

from numbers import Real

import numpy as np
from jaxtyping import Float, Int

from guerdon import segments
from guerdon.batch import Batch, Column
from guerdon.credit.base import Credit, Signal, compares_of, need_steps, needs_of, on_steps, scored
from guerdon.credit.center import MEAN, Baseline, center
from guerdon.credit.minform import tokens_of_step, whole_plays
from guerdon.errors import ShapeError
from guerdon.rewards.shaping import unfailed
from guerdon.rewards.term import Term, fact, failed, floats, mapped, need_level
from guerdon.rewards.votes import vectors

Array = np.ndarray


def gain(name: str, gamma: Real = 1.0) -> Term:
    """What a step did to a value of the state.

        d[t] = gamma * next_X[t] - X[t]

    With gamma 1 the steps of a play add up to its last next_X less its first X. Missing where
    either is missing, and in plays that failed.

    Args:
        name: X, the step column with the value before the action; `next_X` has the one after it.

    Example:
        >>> batch = Batch.from_steps(group=[0, 0], trajectory=[0, 0], reward=[0.0, 0.0])
        >>> pair = {"belief": Column.of("step", [0.25, 0.5]), "next_belief": Column.of("step", [0.5, 1.0])}
        >>> gain("belief")(batch.with_columns(**pair)).values
        array([0.25, 0.5 ])
    """

    def score(batch: Batch) -> Column:
        before, after = _pair("gain", name, batch)
        return floats(before, gamma * after.filled(0.0) - before.filled(0.0), before.valid & after.valid)

    return unfailed(Term(f"gain({name})", score))


def closed_gain(name: str, gamma: Real = 1.0) -> Term:
    """`gain` with the value after the last step counted as 0: potential-based shaping, closed at the end.

        d[t] = gamma * next_X[t] - X[t]  before the last step,   -X[t]  at the last step

    The discounted sum over a play is minus its first X whatever was done between, so it
    cannot change which policy is best. `potential` is the same for a potential that is known
    after each step only, from a fixed start. Missing where `gain` is; but next_X at the last
    step is never read.

    Example:
        >>> batch = Batch.from_steps(group=[0, 0], trajectory=[0, 0], reward=[0.0, 0.0])
        >>> pair = {"belief": Column.of("step", [0.25, 0.5]), "next_belief": Column.of("step", [0.5, 1.0])}
        >>> closed_gain("belief")(batch.with_columns(**pair)).values
        array([ 0.25, -0.5 ])

    References:
        Ng, Harada, Russell, Policy Invariance under Reward Transformations, 1999.
    """

    def score(batch: Batch) -> Column:
        before, after = _pair("closed_gain", name, batch)
        end = segments.last(batch.trajectory_of_step)
        known = before.valid & (after.valid | end)
        return floats(before, gamma * np.where(end, 0.0, after.filled(0.0)) - before.filled(0.0), known)

    return unfailed(Term(f"closed_gain({name})", score))


def before_end(term: Term) -> Term:
    """A step term on all steps but the last of each play, where it is 0: the last answers for the outcome alone.

    At the last step the term is not read, so it is 0 and scored there even where it is missing.

    Example:
        >>> batch = Batch.from_steps(group=[0, 0], trajectory=[0, 0], reward=[1.0, 2.0])
        >>> before_end(fact("reward"))(batch).values
        array([1., 0.])
    """

    def cut(batch: Batch, column: Column) -> Column:
        need_level("before_end", term.name, column, "step")
        end = segments.last(batch.trajectory_of_step)
        return floats(column, np.where(end, 0.0, column.values), column.valid | end)

    return mapped(term, cut)


def discounted_by_length(term: Term, gamma: Real) -> Term:
    """A trajectory term worth less the more steps the play took: x * gamma^steps.

    Example:
        >>> batch = Batch.from_steps(group=[0, 0], trajectory=[0, 0], reward=[0.0, 1.0])
        >>> discounted_by_length(fact("outcome"), 0.5)(batch).values
        array([0.25])
    """

    def discounted(batch: Batch, column: Column) -> Column:
        need_level("discounted_by_length", term.name, column, "trajectory")
        steps = segments.count(batch.trajectory_of_step, batch.size("trajectory"))
        return floats(column, column.values * float(gamma) ** steps, column.valid)

    return mapped(term, discounted)


def termination_baseline(term: Term, stop: Term) -> Credit:
    """What a play got above stopping at once: a baseline that is measured, in place of the group's mean.

        A[i] = x[i] - (stop at the first step of i's play),   copied to the steps

    Where a play goes on from a prefix, its first step is the first after the prefix, and `stop`
    there is what an answer forced at that point would get. It does not depend on what is
    then done, so it moves the variance and never the expected gradient. Not to be centred again
    in a group whose plays share the prefix: the mean would take the term out exactly.

    Args:
        term: a trajectory term, such as the outcome.
        stop: a step term, the value of stopping before the step.

    Returns:
        A credit that compares with "critic": a group of one gets what stopping did not. Unscored
        where either is missing, or the play failed.

    Example:
        >>> batch = Batch.from_steps(group=[0, 0], trajectory=[0, 0], reward=[0.0, 1.0])
        >>> batch = batch.with_columns(stop_value=Column.of("step", [0.25, 0.5]))
        >>> termination_baseline(fact("outcome"), fact("stop_value"))(batch).values
        array([0.75, 0.75])

    References:
        Qu et al., Optimizing Test-Time Compute via Meta Reinforcement Fine-Tuning, 2025,
        arXiv:2503.07572.
    """

    def assign(batch: Batch) -> Column:
        column, value = term(batch), stop(batch)
        need_level("termination_baseline", term.name, column, "trajectory")
        need_steps("termination_baseline", stop.name, value)
        owner, plays = batch.trajectory_of_step, batch.size("trajectory")
        first = segments.position(owner) == 0
        base, known = np.zeros(plays), np.zeros(plays, bool)
        base[owner[first]], known[owner[first]] = value.filled(0.0)[first], value.valid[first]
        valid = column.valid & known & ~failed(batch)
        return on_steps(batch, scored(Column("trajectory", column.filled(0.0) - base, valid)))

    return Credit(f"{term.name} above {stop.name}", assign, frozenset({"critic"}))


def to_go_above_rate(signal: Signal, baseline: Baseline = MEAN) -> Credit:
    """The sum to go of a step signal, less what the group earned per token.

        u[i] = (sum of x over play i) / (tokens of play i)
        A[t] = sum over t' >= t of (x[t'] - b[i] * tokens[t']),   b[i] = `baseline` of u over the group

    With `Others()`, b is the mean over the other plays of their own averages: each play votes
    once. (`rate_of_others` divides the sum by the sum, so long plays vote more.)

    Returns:
        A credit that compares with "group". A group of one gets zero. Because the baseline is
        a rate, plays that are all alike get at each step what their rest is above or below it.
        A play with a missing value, or one that failed, is unscored from first to last.

    Example (the other play earned 1 per step):
        >>> from guerdon.credit import Others
        >>> batch = Batch.from_steps(group=[0] * 3, trajectory=[0, 0, 1], reward=[3.0, 1.0, 1.0])
        >>> to_go_above_rate(fact("reward"), Others())(batch).values
        array([ 2.,  0., -1.])

    References:
        Cui et al., Process Reinforcement through Implicit Rewards, 2025, arXiv:2502.01456.
    """

    def assign(batch: Batch) -> Column:
        column = signal(batch)
        need_steps("to_go_above_rate", signal.name, column)
        owner, plays = batch.trajectory_of_step, batch.size("trajectory")
        tokens = tokens_of_step(batch)
        length = segments.total(tokens, owner, plays)
        valid = whole_plays(batch, column) & (length > 0)
        x = column.filled(0.0)
        rate = segments.total(x, owner, plays) / np.where(length > 0, length, 1.0)
        group = batch.group_of_trajectory
        above = center(rate, group, baseline=baseline, valid=valid)
        company = segments.total(valid.astype(np.float64), group, batch.size("group"))[group] > 1
        ahead = segments.to_go(x - (rate - above)[owner] * tokens, owner)
        return scored(Column("step", np.where(company[owner], ahead, 0.0), valid[owner]))

    return Credit(f"to_go_above_rate({signal.name})", assign, compares_of(signal) | {"group"}, needs_of(signal))


# Items: tests, criteria, subgoals; many per step, each passed or not.


def pass_rates(
    passed: Float[Array, "n items"], by: Int[Array, "n"], groups: int | None = None
) -> Float[Array, "groups items"]:
    """The share of a group's rows that passed each item; NaN where no row has the item.

    Example:
        >>> pass_rates(np.array([[1.0, 0.0], [0.0, 0.0]]), np.zeros(2, int))
        array([[0.5, 0. ]])
    """
    n, items = max(groups or 0, int(np.max(by, initial=-1)) + 1), passed.shape[1]
    cell = (by[:, None] * items + np.arange(items)).ravel()
    there = ~np.isnan(passed).ravel()
    seen = segments.total(there.astype(np.float64), cell, n * items)
    some = segments.total(np.where(there, passed.ravel(), 0.0), cell, n * items)
    return np.where(seen > 0, some / np.maximum(seen, 1.0), np.nan).reshape(n, items)


def calibrated_weights(
    rate: Float[Array, "groups items"], alpha: float, sigma: float, delta: float
) -> Float[Array, "groups items"]:
    """How much each item weighs: more where few pass it, less where many items are as hard.

        N[j] = sum over the group's items j' of exp(-(rate[j] - rate[j'])^2 / (2 sigma^2))
        w[j] = exp(-alpha rate[j]) / (N[j] + delta)

    N counts the items of about the same rate, so twenty easy tests weigh together about as
    much as one, and do not drown a hard one.

    Args:
        rate: of each group and item, NaN where the group lacks it: it weighs 0.
        alpha: how much the rare weigh more; 0 for not at all.
        sigma: how close two rates are that count as one difficulty; above 0.
        delta: 0 or more, takes weight off items that stand alone.

    Raises:
        ShapeError: sigma is not above 0, or delta is below 0.

    Example (two easy tests share the weight of one):
        >>> calibrated_weights(np.array([[1.0, 1.0, 0.0]]), alpha=0.0, sigma=0.01, delta=0.0)
        array([[0.5, 0.5, 1. ]])

    References:
        VeRPO: Verifiable Dense Reward Policy Optimization for Code Generation, 2026,
        arXiv:2601.03525.
    """
    if not sigma > 0 or delta < 0:
        raise ShapeError(
            f"calibrated_weights: sigma={sigma} and delta={delta}; a bandwidth above 0 and a delta of 0 or more "
            "are needed; for no calibration give one item per rate"
        )
    there = ~np.isnan(rate)
    known = np.where(there, rate, 0.0)
    near = np.exp(-((known[:, :, None] - known[:, None, :]) ** 2) / (2.0 * sigma**2))
    alike = (near * there[:, None, :]).sum(axis=2)
    return np.where(there, np.exp(-alpha * known) / (np.where(there, alike, 1.0) + delta), 0.0)


def item_reward(name: str, alpha: float, sigma: float, delta: float) -> Term:
    """What a step earned by the items that it passed, each weighed by how hard it is in its group.

        r[t] = sum over items j of w[j] * passed[t, j],   w = calibrated_weights(rates over the group's steps)

    Linear in the steps; in a group quadratic in the items.

    Args:
        name: a step column with one number per item; NaN marks an item that the prompt does not have.

    Returns:
        A step term. A step is missing where it is not scored, where it lacks an item that other
        steps of its group have, and in plays that failed; such steps do not enter the rates.

    Raises:
        ColumnError: when called, if the column is missing or does not hold a vector per step.

    Example (the second test is passed by one step of two, so it weighs more):
        >>> batch = Batch.from_steps(group=[0, 0], trajectory=[0, 1], reward=[0.0, 0.0])
        >>> batch = batch.with_columns(passed=Column.of("step", [[1.0, 1.0], [1.0, 0.0]]))
        >>> item_reward("passed", alpha=2.0, sigma=0.01, delta=0.0)(batch).values.round(3)
        array([0.503, 0.135])
    """

    def score(batch: Batch) -> Column:
        column = batch[name]
        need_level("item_reward", name, column, "step")
        values = vectors("item_reward", name, column)
        group, groups = batch.index("group", at="step"), batch.size("group")
        rows = np.asarray(column.valid, bool) & ~failed(batch)[batch.trajectory_of_step]
        passed = np.where(rows[:, None], values, np.nan)
        has = ~np.isnan(pass_rates(passed, group, groups))
        whole = rows & ~(np.isnan(passed) & has[group]).any(axis=1)
        rate = pass_rates(np.where(whole[:, None], passed, np.nan), group, groups)
        weight = calibrated_weights(rate, alpha, sigma, delta)[group]
        return floats(column, (weight * np.nan_to_num(passed)).sum(axis=1), whole)

    return Term(f"items({name})", score)


def _pair(caller: str, name: str, batch: Batch) -> tuple[Column, Column]:
    """The columns X and next_X as facts, both at step level."""
    before, after = fact(name)(batch), fact(f"next_{name}")(batch)
    need_level(caller, name, before, "step")
    need_level(caller, f"next_{name}", after, "step")
    return before, after
