"""Shaping by potentials, and the interpolated progress that serves as one."""

from __future__ import annotations

from numbers import Real

import numpy as np

from guerdon import segments
from guerdon.batch import Batch, Column
from guerdon.errors import ShapeError
from guerdon.rewards.term import Term, failed, floats, need_level

Array = np.ndarray


def potential(phi: Term, gamma: Real = 1.0, start: Real = 0.0, bootstrapped: bool = False) -> Term:
    """Potential-based shaping: what a step did to the potential of the state.

        F[t] = gamma * Phi[t+1] - Phi[t],   Phi[0] = start,   Phi = 0 at an end without a bootstrap

    `phi` gives Phi[t+1], the potential seen after step t, as facts are. Over a trajectory
    the discounted sum of F is `-start` when the end counts as 0, whatever was done between: the
    shaping moves returns-to-go and never the total, so it cannot change which policy is
    best. Where Phi stays, the sum is `gamma^T Phi[T] - start`.

    Args:
        phi: a step term.
        gamma: the discount of the returns that this goes into; in [0, 1].
        start: the potential before the first step.
        bootstrapped: True where a critic's value stands for what comes after a truncation: then
            Phi stays at the end of a trajectory whose `truncated` is true. A batch without that column
            has no truncations.

    Returns:
        A step term. Missing where Phi before or after is missing, but Phi at an end that
        counts as 0 is never read. The last step of a play that failed is missing too: what
        followed is not known.

    Example:
        >>> from guerdon.rewards import fact
        >>> batch = Batch.from_steps(group=[0, 0], trajectory=[0, 0], reward=[0.5, 1.0])
        >>> potential(fact("reward"), gamma=1.0)(batch).values
        array([ 0.5, -0.5])

    References:
        Ng, Harada, Russell, Policy Invariance under Reward Transformations, 1999.
        Grzes, Reward Shaping in Episodic Reinforcement Learning, 2017: Phi is 0 at the end.
    """
    if not 0 <= gamma <= 1:
        raise ShapeError(f"potential: gamma is {gamma}; a discount in [0, 1] is needed")

    def score(batch: Batch) -> Column:
        column = phi(batch)
        need_level("potential", phi.name, column, "step")
        owner = batch.trajectory_of_step
        end = segments.last(owner)
        zero = end & ~_truncated(batch)[owner] if bootstrapped else end
        after = np.where(zero, 0.0, column.values)
        before = segments.shift(column.values, owner, float(start))
        known = segments.shift(column.valid.astype(float), owner, 1.0) > 0
        valid = (zero | column.valid) & known & ~(end & failed(batch)[owner])
        return floats(column, gamma * after - before, valid)

    return Term(f"potential({phi.name})", score, phi.observers)


def interpolated(progress: Term) -> Term:
    """Progress drawn as straight lines in time between the moments at which it rises.

        psi[t] = p_i + (p_j - p_i) * (t - t_i) / (t_j - t_i)     for t_i <= t <= t_j

    with t_i, t_j neighbouring times at which progress reached p_i, p_j; time 0 with
    progress 0 is the first. After the last rise psi is flat. Progress that falls back is
    read as its running maximum: a milestone once reached stays reached. A success, whose
    progress ends at 1, ends at 1.

    psi looks ahead (the slope before a milestone is known once it was reached), so it is a
    label for what was played, to be made after the play.

    Args:
        progress: a step term seen after each step: the share of milestones complete, in [0, 1].

    Returns:
        A step term: psi after each step (time t = 1 after the first). Where progress is
        missing, or the play failed, psi is missing from after the last rise known before.

    Example:
        >>> from guerdon.rewards import fact
        >>> batch = Batch.from_steps(group=[0] * 5, trajectory=[0] * 5, reward=[0.0, 0.5, 0.5, 1.0, 1.0])
        >>> interpolated(fact("reward"))(batch).values
        array([0.25, 0.5 , 0.75, 1.  , 1.  ])

    References:
        The progress label psi of MiRA, A Subgoal-driven Framework for Improving Long-Horizon
        LLM Agents.
    """

    def score(batch: Batch) -> Column:
        column = progress(batch)
        need_level("interpolated", progress.name, column, "step")
        owner = batch.trajectory_of_step
        known = _before_first_false(column.valid, owner)
        reached = _running_maximum(np.where(known, column.values, 0.0), owner)
        rise = reached > segments.shift(reached, owner, 0.0)
        time = segments.position(owner) + 1
        here, step = np.arange(len(owner)), segments.starts("interpolated", owner)
        # The time of the last rise at or before, 0 at a trajectory's start; the place of the next one.
        mark = np.maximum.accumulate(np.where(rise | step, here, 0))
        since = np.where(rise[mark], time[mark], 0)
        ahead = np.minimum.accumulate(np.where(rise, here, len(owner))[::-1])[::-1]
        inside = np.append(owner, -1)[ahead] == owner
        to = np.where(inside, ahead, here)
        slope = (reached[to] - reached) / np.maximum(time[to] - since, 1)
        psi = np.where(inside & ~rise, reached + slope * (time - since), reached)
        sure = _sure(known, owner, failed(batch)[owner])
        return floats(column, psi, inside | sure)

    return Term(f"interpolated({progress.name})", score, progress.observers)


def _truncated(batch: Batch) -> Array:
    if "truncated" not in batch:
        return np.zeros(batch.size("trajectory"), bool)
    column = batch["truncated"]
    return column.valid & np.asarray(column.values, bool)


def _before_first_false(valid: Array, owner: Array) -> Array:
    """True up to, and not with, the first False of each segment."""
    lost = np.cumsum(~valid)
    first = segments.starts("interpolated", owner)
    before = np.maximum.accumulate(np.where(first, lost - ~valid, 0))  # lost ahead of the segment; never falls
    return lost == before


def _sure(known: Array, owner: Array, broke: Array) -> Array:
    """True where nothing of the segment is missing, so that no later rise can have been overlooked."""
    missing = segments.total((~known).astype(float), owner)
    return (missing[owner] == 0) & ~broke


def _running_maximum(x: Array, owner: Array) -> Array:
    """The largest value so far in each segment, and 0 where all are below; exact, by ranks."""
    values, code = np.unique(np.append(np.maximum(x, 0.0), 0.0), return_inverse=True)
    return values[np.maximum.accumulate(owner * len(values) + code[:-1]) - owner * len(values)]
