"""Min-form credit: a chain of steps is worth its worst step, not the sum of them.

With a sum, every harmless extra step that a process judge likes adds to the return, so the
policy learns to add steps. With a minimum it cannot.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import numpy as np
from jaxtyping import Bool, Float, Int

from guerdon import segments
from guerdon.batch import Batch, Column
from guerdon.credit.base import Credit, Signal, compares_of, need_steps, needs_of, scored
from guerdon.rewards.term import Term, failed, floats

Array = np.ndarray


@runtime_checkable
class Form(Protocol):
    """From process scores to the return of each step and of each whole trajectory."""

    def __call__(self, score: Float[Array, "n"], trajectory: Int[Array, "n"]) -> Float[Array, "n"]:
        """Returns G, one per step. A trajectory's own return is G at its first step."""
        ...


@dataclass(frozen=True)
class HardMin:
    """The exact form: G[t] = min over t' >= t of score[t'].

    Example:
        >>> HardMin()(np.array([0.5, -1.0, 0.5]), np.zeros(3, int))
        array([-1. , -1. ,  0.5])
    """

    def __call__(self, score: Float[Array, "n"], trajectory: Int[Array, "n"]) -> Float[Array, "n"]:
        """The smallest score from each step on."""
        return segments.min_to_go(score, trajectory)


@dataclass(frozen=True)
class SoftMin:
    """The form with which the paper's code reuses the ordinary sum.

        w = softmax over a trajectory's steps of (-score / temperature)
        G[t] = sum over t' >= t of w[t'] * score[t']

    G at the first step tends to the minimum as the temperature tends to 0. After the worst
    step G tends to 0, where the exact form has the minimum of what remains.

    Example:
        >>> SoftMin(0.01)(np.array([0.5, -1.0, 0.5]), np.zeros(3, int)).round(6) + 0.0
        array([-1., -1.,  0.])
    """

    temperature: float = 0.1

    def __call__(self, score: Float[Array, "n"], trajectory: Int[Array, "n"]) -> Float[Array, "n"]:
        """The sum to go of the transformed scores."""
        return segments.to_go(soft_min_rewards(score, trajectory, self.temperature), trajectory)


def soft_min_rewards(
    score: Float[Array, "n"], trajectory: Int[Array, "n"], temperature: float = 0.1
) -> Float[Array, "n"]:
    """The scores, each times its share of a softmax that looks for the worst step.

        y[t] = softmax_t(-score / temperature) * score[t],   over the steps of one trajectory

    Example:
        >>> soft_min_rewards(np.array([-1.0, 1.0]), np.zeros(2, int), 0.1).round(6)
        array([-1.,  0.])

    References:
        Cheng et al., Stop Summation: Min-Form Credit Assignment Is All Process Reward Model
        Needs for Reasoning, 2025, arXiv:2504.15275.
    """
    by = segments.dense(trajectory)
    worst = segments.minimum(score, by)
    weight = np.exp((worst[by] - score) / temperature)
    return weight / segments.total(weight, by)[by] * score


def soft_min(term: Term, temperature: float = 0.1) -> Term:
    """`soft_min_rewards` as a reward term: what each step of a chain is worth if its worst step decides.

    A play with a missing score, or one that failed, is missing from first to last.

    Example:
        >>> from guerdon.rewards import fact
        >>> batch = Batch.from_steps(group=[0, 0], trajectory=[0, 0], reward=[-1.0, 1.0])
        >>> soft_min(fact("reward"), 0.1)(batch).values.round(6)
        array([-1.,  0.])
    """

    def score(batch: Batch) -> Column:
        column, owner = term(batch), batch.trajectory_of_step
        need_steps("soft_min", term.name, column)
        valid = whole_plays(batch, column)[owner]
        return floats(column, soft_min_rewards(column.filled(0.0), owner, temperature), valid)

    return Term(f"soft_min({term.name})", score, term.observers)


def whole_plays(batch: Batch, column: Column) -> Bool[Array, "trajectories"]:
    """True for each trajectory that has steps, all of them scored, and did not fail."""
    owner, plays = batch.trajectory_of_step, batch.size("trajectory")
    played = np.zeros(plays, bool)
    played[owner] = True
    missing = segments.total((~column.valid).astype(np.float64), owner, plays)
    return played & (missing == 0) & ~failed(batch)


def rate_of_others(
    whole: Float[Array, "m"], length: Float[Array, "m"], group: Int[Array, "m"], valid: Bool[Array, "m"]
) -> tuple[Float[Array, "m"], Bool[Array, "m"]]:
    """How much the other trajectories of the group got per unit of length.

        b[i] = sum over j != i of whole[j]  /  sum over j != i of length[j]

    A rate, so a longer answer is charged for its length and not for its number of steps.

    Args:
        whole: what each trajectory got.
        length: how long it is, in tokens.
        group: what it is compared within.
        valid: False where a trajectory has no score; it does not vote.

    Returns:
        The rate of each trajectory's others, and False where it has none.

    Example:
        >>> rate_of_others(np.array([1.0, 4.0]), np.array([2.0, 8.0]), np.zeros(2, int), np.ones(2, bool))
        (array([0.5, 0.5]), array([ True,  True]))
    """
    by = segments.dense(group)

    def others(x: Array) -> Array:
        x = np.where(valid, x, 0.0)
        return segments.total(x, by)[by] - x

    there = (others(np.ones(len(whole))) > 0) & (others(length) > 0)
    return np.where(there, others(whole) / np.where(there, others(length), 1.0), 0.0), there & valid


def tokens_of_step(batch: Batch) -> Float[Array, "steps"]:
    """How many tokens were sampled at each step; 1 for every step of a batch without tokens.

    Example:
        >>> b = Batch.from_steps(group=[0, 0], trajectory=[0, 0], reward=[0.0, 0.0], tokens_per_step=[2, 3])
        >>> tokens_of_step(b)
        array([2., 3.])
    """
    steps = batch.size("step")
    if batch.size("token") == 0:
        return np.ones(steps)
    if all_sampled(batch):
        return batch.counts("token").astype(np.float64)
    sampled = np.asarray(batch["sampled"].values, bool) & batch["sampled"].valid
    return segments.total(sampled.astype(np.float64), batch.step_of_token, steps)


def all_sampled(batch: Batch) -> bool:
    """Whether the model sampled every token of the batch, as where the batch does not say."""
    return "sampled" not in batch or batch["sampled"].always


def min_form_of(signal: Signal, form: Form) -> Credit:
    """Process scores in min-form, less what the other plays of the group got per token.

        A[t] = G[t] - b * (tokens from step t to the end),   b = rate_of_others(G at first steps, tokens)

    Args:
        signal: one process score per step.
        form: `HardMin()`, or `SoftMin(temperature)`, with which the paper's code works.

    Returns:
        A credit that compares with "group". A group of one gets zero. Because the baseline is
        a rate, plays that are all alike get zero at their first step, and at later ones
        what their rest gets above or below the rate of the whole. A play with a missing score,
        or one that failed, is unscored from first to last.

    Example:
        >>> from guerdon.rewards import fact
        >>> batch = Batch.from_steps(group=[0, 0, 0], trajectory=[0, 0, 1], reward=[-1.0, 1.0, 0.5])
        >>> min_form_of(fact("reward"), HardMin())(batch).values
        array([-2. ,  0.5,  1. ])

    References:
        Cheng et al., 2025, arXiv:2504.15275.
    """

    def assign(batch: Batch) -> Column:
        column = signal(batch)
        need_steps("min_form_of", signal.name, column)
        owner, plays = batch.trajectory_of_step, batch.size("trajectory")
        first = segments.position(owner) == 0
        valid = whole_plays(batch, column)
        ahead = form(column.filled(0.0), owner)
        whole = segments.total(np.where(first, ahead, 0.0), owner, plays)
        tokens = tokens_of_step(batch)
        length = segments.total(tokens, owner, plays)
        rate, speaks = rate_of_others(whole, length, batch.group_of_trajectory, valid)
        credit = ahead - rate[owner] * segments.to_go(tokens, owner)
        return scored(Column("step", np.where(speaks[owner], credit, 0.0), valid[owner]))

    return Credit(f"min_form({signal.name})", assign, compares_of(signal) | {"group"}, needs_of(signal))
