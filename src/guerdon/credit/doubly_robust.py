"""Doubly robust advantages: what happened and what a critic expects, mixed step by step.

Near the end of a play what happened is nearly all there is; far from it a critic is less noisy.
"""

from __future__ import annotations

import numpy as np
from jaxtyping import Float, Int

from guerdon import segments
from guerdon.batch import Batch, Column
from guerdon.credit.base import Credit, Signal, at_one_level, compares_of, need_steps, needs_of, scored
from guerdon.credit.temporal import n_step_of, to_go_of
from guerdon.errors import ShapeError

Array = np.ndarray


def doubly_robust(
    returns: Float[Array, "n"],
    target: Float[Array, "n"],
    value: Float[Array, "n"],
    trajectory: Int[Array, "n"],
    lam: float,
) -> Float[Array, "n"]:
    """The advantage of what happened and that of one step ahead, mixed by how near the end is.

        A[t] = w[t] * (returns[t] - value[t]) + (1 - w[t]) * (target[t] - value[t]),   w[t] = lam^(steps after t)

    At the last step w is 1. With lam 1 it is the Monte Carlo advantage throughout, with lam 0 it is the critic's
    everywhere but at last steps.

    Args:
        returns: what each step and those after it were paid.
        target: what each step was paid, and what the critic expects from there on.
        value: the critic's value of the state before the action.
        trajectory: the trajectory of each step.
        lam: in [0, 1].

    Returns:
        One advantage per step. Where the critic is right both parts have the mean of the true advantage,
        so that any mixture has it; where it is wrong the first part still has.

    Raises:
        ShapeError: lam is outside [0, 1].

    Example:
        >>> value, play = np.array([0.5, 0.75]), np.zeros(2, int)
        >>> doubly_robust(np.array([1.0, 1.0]), np.array([0.75, 1.0]), value, play, 0.5)
        array([0.375, 0.25 ])

    References:
        MiRA: A Subgoal-driven Framework for Improving Long-Horizon LLM Agents, 2026, arXiv:2603.19685.
    """
    if not 0 <= lam <= 1:
        raise ShapeError(f"doubly_robust: lam is {lam}; a number in [0, 1] is needed; 1 trusts what happened alone")
    after = segments.to_go(np.ones(len(value)), trajectory) - 1
    weight = np.power(float(lam), after)
    return weight * (returns - value) + (1 - weight) * (target - value)


def doubly_robust_of(signal: Signal, gamma: float, lam: float, returns: Signal | None = None) -> Credit:
    """Doubly robust advantages of a reward against a critic. See `doubly_robust`.

    Reads `value` and `next_value` as `gae_of` does.

    Args:
        signal: the reward of each step, which the critic's part is paid.
        gamma: discount per step.
        lam: see `doubly_robust`.
        returns: the reward of each step that the Monte Carlo part adds up, where that is another one (the outcome
            without its shaping, say).

    Returns:
        A credit that compares with "critic". Missing where a reward of this step or a later one, this value or the
        next is missing, and in a play that failed.

    Example:
        >>> from guerdon.rewards import fact
        >>> batch = Batch.from_steps(group=[0, 0], trajectory=[0, 0], reward=[0.0, 1.0])
        >>> batch = batch.with_columns(value=Column.of("step", [0.5, 0.75]))
        >>> doubly_robust_of(fact("reward"), 1.0, 0.5)(batch).values
        array([0.375, 0.25 ])
    """
    happened = to_go_of(signal if returns is None else returns, gamma)
    ahead = n_step_of(signal, 1, gamma)

    def assign(batch: Batch) -> Column:
        value = batch["value"]
        need_steps("doubly_robust_of", "value", value)
        a, b, v = at_one_level(batch, [happened(batch), ahead(batch), value])
        valid = np.asarray(a.valid & b.valid & v.valid, bool)
        mixed = doubly_robust(a.filled(0.0), b.filled(0.0), v.filled(0.0), batch.trajectory_of_step, lam)
        return scored(Column("step", mixed, valid))

    needs = tuple(dict.fromkeys((*needs_of(signal), *happened.needs, "value")))
    return Credit(f"doubly_robust({signal.name})", assign, compares_of(signal) | {"critic"}, needs)
