"""Credit through time: what came after this step, and what a critic expected instead.

`gae`, `next_values` and `known_to_go` are flat: one value a step, the trajectory of each
step, no padding; the steps of a trajectory lie side by side, in time order. `to_go_of` and
`gae_of` make credits of terms with them.
"""

from __future__ import annotations

import numpy as np
from jaxtyping import Bool, Float, Int

from guerdon import segments
from guerdon.batch import Batch, Column
from guerdon.credit.base import Credit, Signal, compares_of, need_steps, needs_of, scored
from guerdon.errors import ColumnError
from guerdon.rewards.term import failed

Array = np.ndarray


def gae(
    reward: Float[Array, "n"],
    value: Float[Array, "n"],
    next_value: Float[Array, "n"],
    trajectory: Int[Array, "n"],
    gamma: float,
    lam: float,
) -> Float[Array, "n"]:
    """Generalised advantage estimation.

        d[t] = reward[t] + gamma * next_value[t] - value[t]
        A[t] = d[t] + gamma * lam * A[t+1],   A after a trajectory's last step = 0

    Args:
        reward: what each step was paid.
        value: the critic's value of the state before the action.
        next_value: the value of the state after it: 0 where the task terminated, the
            critic's value where the trajectory was truncated. See `next_values`.
        trajectory: the trajectory of each step.
        gamma: discount per step.
        lam: 0 trusts the critic alone, 1 the rewards alone (less the value as a baseline).

    Returns:
        One advantage per step.

    Example:
        >>> gae(np.array([0.0, 1.0]), np.array([0.5, 0.5]), np.array([0.5, 0.0]), np.zeros(2, int), 1.0, 1.0)
        array([0.5, 0.5])

    References:
        Schulman et al., High-Dimensional Continuous Control Using Generalized Advantage
        Estimation, 2015, arXiv:1506.02438, equation 16.
    """
    surprise = reward + gamma * next_value - value
    return segments.scan_back(surprise, np.full(len(surprise), gamma * lam), trajectory)


def next_values(
    value: Float[Array, "n"], trajectory: Int[Array, "n"], at_end: Float[Array, "n"] | float = 0.0
) -> Float[Array, "n"]:
    """The value after each step: the next step's value, and `at_end` after the last one.

    Args:
        value: the value before each action.
        trajectory: the trajectory of each step.
        at_end: read at each trajectory's last step: 0 where the task terminated, the value of
            the state that was cut off where it was truncated.

    Example:
        >>> next_values(np.array([1.0, 2.0, 3.0]), np.array([0, 0, 1]), 9.0)
        array([2., 9., 9.])
    """
    end = segments.last(trajectory)
    after = np.zeros(len(value), np.float64)
    after[:-1] = value[1:]
    return np.where(end, at_end, after)


def known_to_go(valid: Bool[Array, "n"], trajectory: Int[Array, "n"]) -> Bool[Array, "n"]:
    """True where this step and all that follow in its trajectory are known.

    A sum to go over a missing reward is itself missing.

    Example:
        >>> known_to_go(np.array([True, False, True]), np.zeros(3, int))
        array([False, False,  True])
    """
    return segments.min_to_go(valid.astype(np.float64), trajectory) > 0


def to_go_of(signal: Signal, gamma: float = 1.0) -> Credit:
    """The return to go of each step, compared with nothing yet: hand it to `centred`.

        G[t] = sum over k >= 0 of gamma^k x[t+k]

    Missing where x is missing at this step or a later one, and everywhere in a play that
    failed: what it would still have been paid is not known.

    Example:
        >>> from guerdon.rewards import fact
        >>> batch = Batch.from_steps(group=[0, 0], trajectory=[0, 0], reward=[0.0, 1.0])
        >>> to_go_of(fact("reward"), 0.5)(batch).values
        array([0.5, 1. ])
    """

    def assign(batch: Batch) -> Column:
        column = signal(batch)
        need_steps("to_go_of", signal.name, column)
        owner = batch.trajectory_of_step
        valid = known_to_go(column.valid, owner) & ~failed(batch)[owner]
        return scored(Column("step", segments.to_go(column.filled(0.0), owner, gamma), valid))

    return Credit(f"to_go({signal.name})", assign, compares_of(signal), needs_of(signal))


def gae_of(signal: Signal, gamma: float, lam: float) -> Credit:
    """Generalised advantages of a step reward against a critic. See `gae`.

    Reads the step column `value`, the critic's value of the state before the action. What
    comes after a trajectory's last step is worth 0, unless it was truncated: then it is worth
    `next_value` there, a step column that holds the critic's value of the state after the
    action.

    Returns:
        A credit that compares with "critic". A group of one, and a group that agrees, get
        whatever the critic did not expect. Missing where a reward or a value is missing at
        this step or later, and in a play that failed.

    Raises:
        ColumnError: when called, if `value` is missing, or a trajectory was truncated and
            there is no `next_value`.

    Example:
        >>> from guerdon.batch import Column
        >>> from guerdon.rewards import fact
        >>> batch = Batch.from_steps(group=[0, 0], trajectory=[0, 0], reward=[0.0, 1.0])
        >>> batch = batch.with_columns(value=Column.of("step", [0.25, 0.5]))
        >>> gae_of(fact("reward"), 1.0, 0.0)(batch).values
        array([0.25, 0.5 ])
    """

    def assign(batch: Batch) -> Column:
        reward, value = signal(batch), batch["value"]
        need_steps("gae_of", signal.name, reward)
        need_steps("gae_of", "value", value)
        owner = batch.trajectory_of_step
        at_end, known = _after_the_end(batch)
        after = next_values(value.filled(0.0), owner, at_end)
        advantage = gae(reward.filled(0.0), value.filled(0.0), after, owner, gamma, lam)
        valid = known_to_go(reward.valid & value.valid & known, owner) & ~failed(batch)[owner]
        return scored(Column("step", advantage, valid))

    return Credit(f"gae({signal.name})", assign, compares_of(signal) | {"critic"}, (*needs_of(signal), "value"))


def _after_the_end(batch: Batch) -> tuple[Array, Array]:
    """What is bootstrapped after each step, to be read at last steps, and whether it is known."""
    owner = batch.trajectory_of_step
    cut = np.zeros(len(owner), bool)
    if "truncated" in batch:
        truncated = batch["truncated"]
        cut = segments.last(owner) & (truncated.valid & np.asarray(truncated.values, bool))[owner]
    if not cut.any():
        return np.zeros(len(owner)), np.ones(len(owner), bool)
    if "next_value" not in batch:
        raise ColumnError(
            f"gae_of: {int(cut.sum())} trajectories were truncated and the batch has no column 'next_value'; "
            "a critic's value of the state that was cut off is needed; add it as a step column, read at last steps"
        )
    column = batch["next_value"]
    need_steps("gae_of", "next_value", column)
    return np.where(cut, column.filled(0.0), 0.0), column.valid | ~cut
