"""What answering at every step would have got: sums under a prior of when to stop, and a play's own past as baseline.

The signal is what an answer forced after each step gets (a `probe`). A prior is a step term that says how
much each step counts: `stopping_prior` of `uniform`, `rising` or `only_last`, or any that adds up to 1.
"""

from __future__ import annotations

import numpy as np
from jaxtyping import Bool, Float, Int

from guerdon import segments
from guerdon.batch import Batch, Column
from guerdon.credit.base import Credit, need_steps, scored
from guerdon.credit.temporal import known_to_go
from guerdon.errors import ShapeError
from guerdon.rewards.spread import Weights, spread, uniform
from guerdon.rewards.term import Term, failed, floats

Array = np.ndarray


def elapsed() -> Term:
    """The share of the play that lies before each step: t / T, from 0 to (T - 1) / T.

    Example:
        >>> elapsed()(Batch.from_steps(group=[0, 0], trajectory=[0, 0], reward=[0.0, 0.0])).values
        array([0. , 0.5])
    """

    def score(batch: Batch) -> Column:
        owner = batch.trajectory_of_step
        length = segments.count(owner, batch.size("trajectory"))[owner]
        return Column.of("step", segments.position(owner) / np.maximum(length, 1))

    return Term("elapsed", score)


def stopping_prior(how: Weights = uniform) -> Term:
    """How likely a play is to be stopped after each step, adding up to 1 over the play.

    Args:
        how: weights of `guerdon.rewards.spread`: `uniform`, `rising`, `only_last`, or a step term.

    Example:
        >>> from guerdon.rewards import rising
        >>> batch = Batch.from_steps(group=[0] * 3, trajectory=[0, 0, 1], reward=[0.0] * 3)
        >>> stopping_prior(rising)(batch).values.round(3)
        array([0.333, 0.667, 1.   ])
    """
    one = Term("prior", lambda batch: Column.of("trajectory", np.ones(batch.size("trajectory"))))
    return spread(one, how)


def past_mean(
    x: Float[Array, "n"], valid: Bool[Array, "n"], trajectory: Int[Array, "n"], growth: float = 2.0
) -> tuple[Float[Array, "n"], Bool[Array, "n"]]:
    """The mean of a play's own earlier values, later ones weighing more.

        m[t] = sum over j < t of growth^j x[j]  /  sum over j < t of growth^j,   over the valid j

    What came before a step does not depend on its action, so as a baseline it moves no expected gradient.

    Args:
        growth: how much more each later value weighs; 1 for the plain mean.

    Returns:
        The mean before each step, and False where nothing valid came before.

    Example:
        >>> past_mean(np.array([1.0, 0.0, 5.0]), np.ones(3, bool), np.zeros(3, int), 2.0)[0].round(3)
        array([0.   , 1.   , 0.333])
    """
    if not growth >= 1:
        raise ShapeError(f"past_mean: growth is {growth}; it is 1 or more; with 1 all earlier values weigh the same")
    back = -trajectory[::-1]
    fade = np.full(len(x), 1.0 / growth)

    def before(values: Array) -> Array:
        """Of each step: values[t-1] + values[t-2] / growth + ..."""
        upto = segments.scan_back(values[::-1], fade, back)[::-1]
        return segments.shift(upto, trajectory, 0.0)

    votes = valid.astype(np.float64)
    weight = before(votes)
    # A vote from long ago fades to nothing in floating point, and then there is no mean to speak of.
    there = weight > 0
    return np.where(there, before(np.where(valid, x, 0.0)) / np.where(there, weight, 1.0), 0.0), there


def above_past(probe: Term, prior: Term, growth: float = 2.0) -> Credit:
    """What a play still got, less what its own past let expect.

        R[t] = sum over j >= t of prior[j] * probe[j]
        A[t] = R[t] - past_mean(probe)[t] * sum over j >= t of prior[j]

    Returns:
        A credit that compares with "history", the play's own. 0 at steps that nothing known came before. A group of
        one has it too, and one that agrees. Missing where a probe from the step on is, and in failed plays.

    Example:
        >>> from guerdon.rewards import fact, spread
        >>> batch = Batch.from_steps(group=[0, 0], trajectory=[0, 0], reward=[0.0, 0.0])
        >>> batch = batch.with_columns(probe=Column.of("step", [0.25, 1.0]), half=Column.of("step", [0.5, 0.5]))
        >>> above_past(fact("probe"), fact("half"))(batch).values
        array([0.   , 0.375])

    References:
        Qi et al., Optimizing Anytime Reasoning via Budget Relative Policy Optimization, 2025.
    """

    def assign(batch: Batch) -> Column:
        ahead, left, known = _tails(batch, probe, prior)
        column, owner = probe(batch), batch.trajectory_of_step
        past, there = past_mean(column.filled(0.0), np.asarray(column.valid, bool), owner, growth)
        return scored(Column("step", np.where(there, ahead - past * left, 0.0), known))

    return Credit(f"{probe.name} above its past", assign, frozenset({"history"}))


def weighted_to_go(probe: Term, prior: Term) -> Credit:
    """The prior's sum to go of a probe, compared with nothing yet: R[t] = sum over j >= t of prior[j] * probe[j].

    Example:
        >>> from guerdon.rewards import fact
        >>> batch = Batch.from_steps(group=[0, 0], trajectory=[0, 0], reward=[0.0, 0.0])
        >>> batch = batch.with_columns(probe=Column.of("step", [0.25, 1.0]), half=Column.of("step", [0.5, 0.5]))
        >>> weighted_to_go(fact("probe"), fact("half"))(batch).values
        array([0.625, 0.5  ])
    """

    def assign(batch: Batch) -> Column:
        ahead, _, known = _tails(batch, probe, prior)
        return scored(Column("step", ahead, known))

    return Credit(f"weighted_to_go({probe.name})", assign)


def phase_weight(signal: Term, gamma: float) -> Term:
    """How much of a play's later worth each step still has ahead, as a factor around 1.

        q[t] = sum over k >= 0 of gamma^k x[t+k]  /  sum over k >= 0 of gamma^k     over the rest of the play
        weight[t] = q[t] / mean of q over the play

    The sum is divided by the horizon, so that a constant signal has weight 1 everywhere. For signals that
    are not negative; a play of nothing but zeros has weight 1. Missing where a value from the step on is.

    Example:
        >>> from guerdon.rewards import fact
        >>> batch = Batch.from_steps(group=[0, 0], trajectory=[0, 0], reward=[0.0, 1.0])
        >>> phase_weight(fact("reward"), 1.0)(batch).values.round(3)
        array([0.667, 1.333])
    """

    def score(batch: Batch) -> Column:
        column, owner = signal(batch), batch.trajectory_of_step
        need_steps("phase_weight", signal.name, column)
        known = known_to_go(np.asarray(column.valid, bool), owner)
        if (column.filled(0.0)[known] < 0).any():
            raise ShapeError(
                f"phase_weight: {signal.name!r} is below 0 somewhere; a share of a sum of both signs says nothing; "
                "use affine to bring it above 0"
            )
        sums = segments.to_go(column.filled(0.0), owner, gamma)
        quality = sums / segments.to_go(np.ones(len(owner)), owner, gamma)
        plays = batch.size("trajectory")
        heard = np.maximum(segments.total(known.astype(np.float64), owner, plays), 1.0)
        usual = (segments.total(np.where(known, quality, 0.0), owner, plays) / heard)[owner]
        return floats(column, np.where(usual > 0, quality / np.where(usual > 0, usual, 1.0), 1.0), known)

    return Term(f"phase of {signal.name}", score, signal.observers)


def _tails(batch: Batch, probe: Term, prior: Term) -> tuple[Array, Array, Array]:
    """The prior's sum to go of the probe, of 1, and where both are known."""
    column, mass, owner = probe(batch), prior(batch), batch.trajectory_of_step
    need_steps("weighted_to_go", probe.name, column)
    need_steps("weighted_to_go", prior.name, mass)
    known = known_to_go(np.asarray(column.valid & mass.valid, bool), owner) & ~failed(batch)[owner]
    weight = mass.filled(0.0)
    return segments.to_go(weight * column.filled(0.0), owner), segments.to_go(weight, owner), known
