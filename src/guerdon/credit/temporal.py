"""Credit through time: what came after this step, and what a critic expected instead.

`gae`, `n_step`, `lambda_return`, `next_values` and `known_to_go` are flat: one value a step, the
trajectory of each step, no padding; the steps of a trajectory lie side by side, in time order.
`to_go_of`, `gae_of`, `n_step_of` and `lambda_of` make credits of terms with them; a clock says
whether time passes by the token, the step or the option.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int

from guerdon import segments
from guerdon.batch import Batch, Column
from guerdon.credit.base import Credit, Signal, compares_of, need_steps, needs_of, scored
from guerdon.credit.clocks import Clock, PerStep, Ticks
from guerdon.errors import ColumnError, LevelError, ShapeError
from guerdon.rewards.term import Term, failed, floats

Array = np.ndarray
STEP = PerStep()


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
        One advantage per step: surprises in the precision of what is given, their sum in doubles.

    Example:
        >>> gae(np.array([0.0, 1.0]), np.array([0.5, 0.5]), np.array([0.5, 0.0]), np.zeros(2, int), 1.0, 1.0)
        array([0.5, 0.5])

    References:
        Schulman et al., High-Dimensional Continuous Control Using Generalized Advantage
        Estimation, 2015, arXiv:1506.02438, equation 16.
    """
    surprise = np.multiply(next_value, gamma, dtype=np.result_type(reward, value, next_value, np.float32))
    surprise += reward
    surprise -= value
    return segments.scan_back(surprise, gamma * lam, trajectory, overwrite=True)


def n_step(
    reward: Float[Array, "n"], next_value: Float[Array, "n"], trajectory: Int[Array, "n"], gamma: float, n: int
) -> Float[Array, "n"]:
    """The return of `n` steps, and from there on what the critic expects.

        G[t] = reward[t] + gamma reward[t+1] + ... + gamma^(m-1) reward[t+m-1] + gamma^m next_value[t+m-1]
        m = min(n, steps left)

    Args:
        next_value: the value after each step, as in `gae`; what it has at a trajectory's last step
            is read there too: 0 where the task terminated.
        n: 1 or more. From the length of a trajectory on it is the return to go.

    Example:
        >>> n_step(np.array([1.0, 1.0, 1.0]), np.array([8.0, 8.0, 0.0]), np.zeros(3, int), 0.5, 2)
        array([3.5, 1.5, 1. ])

    References:
        Sutton and Barto, Reinforcement Learning, 2nd edition, 2018, equation 7.1.
    """
    if n < 1:
        raise ShapeError(f"n_step: n is {n}; a return of 1 step or more is needed; n=1 is the critic's own target")
    left = segments.to_go(np.ones(len(reward)), trajectory).astype(np.int64)
    place, ahead = np.arange(len(reward)), segments.to_go(reward, trajectory, gamma)
    beyond = left > n
    later = np.where(beyond, ahead[np.where(beyond, place + n, place)], 0.0)
    span = np.minimum(n, left)
    return ahead - gamma**n * later + gamma**span * next_value[place + span - 1]


def lambda_return(
    reward: Float[Array, "n"], next_value: Float[Array, "n"], trajectory: Int[Array, "n"], gamma: float, lam: float
) -> Float[Array, "n"]:
    """The mean of all n-step returns, those of more steps fading by `lam`: what a critic should learn.

        G[t] = reward[t] + gamma * ((1 - lam) * next_value[t] + lam * G[t+1])
        G after a trajectory's last step = next_value there

    It is the advantage of `gae` plus the value. With lam 0 it is the return of one step, with lam 1
    the return to go.

    Example:
        >>> lambda_return(np.array([0.0, 1.0]), np.array([0.5, 0.0]), np.zeros(2, int), 1.0, 0.5)
        array([0.75, 1.  ])

    References:
        Sutton and Barto, Reinforcement Learning, 2nd edition, 2018, equation 12.2.
    """
    fade = np.where(segments.last(trajectory), 0.0, lam)
    return segments.scan_back(reward + gamma * (1 - fade) * next_value, gamma * fade, trajectory)


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
    last = segments.last_places("next_values", trajectory)
    kinds = (np.asarray(value).dtype, np.float32 if np.ndim(at_end) == 0 else np.asarray(at_end).dtype)
    after = np.empty(len(value), np.result_type(*kinds))
    after[:-1] = value[1:]
    after[last] = at_end if np.ndim(at_end) == 0 else at_end[last]
    return after


def known_to_go(valid: Bool[Array, "n"], trajectory: Int[Array, "n"]) -> Bool[Array, "n"]:
    """True where this step and all that follow in its trajectory are known.

    A sum to go over a missing reward is itself missing.

    Example:
        >>> known_to_go(np.array([True, False, True]), np.zeros(3, int))
        array([False, False,  True])
    """
    if valid.all():
        return np.ones(len(valid), bool)
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


def gae_of(signal: Signal, gamma: float, lam: float, clock: Clock = STEP) -> Credit:
    """Generalised advantages of a reward against a critic. See `gae`.

    Reads the column `value`, the critic's value of the state before the action, at the level of
    the clock's items. What comes after a trajectory's last step is worth 0, unless it was
    truncated: then it is worth `next_value` there, a step column that holds the critic's value of
    the state after the action.

    Args:
        signal: a reward per step, or per token under a clock of tokens.
        gamma: discount per tick of the clock.
        lam: see `gae`.
        clock: `PerStep()`; `PerToken()` with a value per token; `PerSegment("segment")` or `Every(n)` for
            one advantage per option, copied to its steps, with `value` read where an option begins.

    Returns:
        A credit that compares with "critic". A group of one, and a group that agrees, get
        whatever the critic did not expect. Missing where a reward or a value is missing at
        this tick or later, and in a play that failed.

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
        told = _told("gae_of", signal, clock, batch)
        advantage = gae(told.reward, told.value, told.after, told.ticks.trajectory, gamma, lam)
        return told.onto_items(batch, advantage, known_to_go(told.valued & told.known, told.ticks.trajectory))

    return _against_critic("gae", signal, clock, assign)


def n_step_of(signal: Signal, n: int, gamma: float, clock: Clock = STEP) -> Credit:
    """The return of `n` ticks and the critic's value from there on, compared with nothing yet. See `n_step`.

    Reads `value` and `next_value` as `gae_of` does. Missing where a reward or a value that goes into
    it is missing, and in a play that failed.

    Example:
        >>> from guerdon.batch import Column
        >>> from guerdon.rewards import fact
        >>> batch = Batch.from_steps(group=[0, 0], trajectory=[0, 0], reward=[0.0, 1.0])
        >>> batch = batch.with_columns(value=Column.of("step", [0.25, 0.5]))
        >>> n_step_of(fact("reward"), 1, 1.0)(batch).values
        array([0.5, 1. ])
    """

    def assign(batch: Batch) -> Column:
        told = _told("n_step_of", signal, clock, batch)
        play = told.ticks.trajectory
        values = n_step(told.reward, told.after, play, gamma, n)
        nothing = np.zeros(len(play))
        unpaid = n_step((~told.known).astype(np.float64), nothing, play, 1.0, n)
        unread = n_step(nothing, (~told.after_valued).astype(np.float64), play, 1.0, n)
        return told.onto_items(batch, values, unpaid + unread < 0.5)

    return _against_critic(f"{n}-step", signal, clock, assign)


def lambda_of(signal: Signal, gamma: float, lam: float, clock: Clock = STEP) -> Credit:
    """The lambda return of each tick, compared with nothing yet. See `lambda_return`.

    Reads `value` and `next_value` as `gae_of` does. Missing where a reward, or the value of a later
    tick, is missing, and in a play that failed.

    Example:
        >>> from guerdon.batch import Column
        >>> from guerdon.rewards import fact
        >>> batch = Batch.from_steps(group=[0, 0], trajectory=[0, 0], reward=[0.0, 1.0])
        >>> batch = batch.with_columns(value=Column.of("step", [0.25, 0.5]))
        >>> lambda_of(fact("reward"), 1.0, 0.5)(batch).values
        array([0.75, 1.  ])
    """

    def assign(batch: Batch) -> Column:
        told = _told("lambda_of", signal, clock, batch)
        play = told.ticks.trajectory
        values = lambda_return(told.reward, told.after, play, gamma, lam)
        return told.onto_items(batch, values, known_to_go(told.known & told.after_valued, play))

    return _against_critic("lambda", signal, clock, assign)


def least(column: str) -> Term:
    """The smallest number of each row of a vector column, such as the lower of two critics.

    It guards against a critic that hopes too much. But the least of two noisy numbers is low, by 0.56 of
    their standard deviation, so Q - V shifts unless both pairs are equally noisy.

    Example:
        >>> from guerdon.batch import Column
        >>> batch = Batch.from_steps(group=[0], trajectory=[0], reward=[0.0])
        >>> least("values")(batch.with_columns(values=Column.of("step", np.array([[2.0, 1.0]])))).values
        array([1.])
    """

    def score(batch: Batch) -> Column:
        rows = batch[column]
        if np.ndim(rows.values) != 2:
            raise ColumnError(
                f"least: column {column!r} does not hold a row of numbers per item; a vector column is needed; "
                "use fact for one number per item"
            )
        return floats(rows, np.min(np.asarray(rows.values, np.float64), axis=1), rows.valid)

    return Term(f"least of {column}", score)


@dataclass(frozen=True, eq=False)
class _Told:
    """What rewards and a critic say of each tick."""

    ticks: Ticks
    reward: Float[Array, "ticks"]
    known: Bool[Array, "ticks"]
    value: Float[Array, "ticks"]
    valued: Bool[Array, "ticks"]
    after: Float[Array, "ticks"]
    end_known: Bool[Array, "trajectories"]

    @property
    def after_valued(self) -> Bool[Array, "ticks"]:
        """Whether the value after each tick is known."""
        play = self.ticks.trajectory
        return next_values(self.valued.astype(np.float64), play, self.end_known[play].astype(np.float64)) > 0

    def onto_items(self, batch: Batch, values: Array, valid: Array) -> Column:
        """The credit of each item, none in plays that failed."""
        broke = failed(batch)
        return self.ticks.onto_items(values, valid & ~broke[self.ticks.trajectory] if broke.any() else valid)


def _told(caller: str, signal: Signal, clock: Clock, batch: Batch) -> _Told:
    ticks, reward, value = clock(batch), signal(batch), batch["value"]
    if ticks.level == "step":
        need_steps(caller, signal.name, reward)
    elif reward.level not in ("token", "step"):
        raise LevelError(
            f"{caller}: {signal.name!r} is at {reward.level} level; a number per step or token is needed; "
            "use at_end or broadcast to bring a trajectory term to steps"
        )
    if value.level != ticks.level:
        raise LevelError(
            f"{caller}: 'value' is at {value.level} level and a tick of {clock.name!r} is a run of {ticks.level}s; "
            f"a value per {ticks.level} is needed; choose another clock, or a critic that speaks there"
        )
    paid, known = ticks.paid(batch, reward)
    own, valued = value.filled(0.0), np.asarray(value.valid, bool)
    if not ticks.each:
        own, valued = own[ticks.first], valued[ticks.first]
    at_end, end_known = _after_the_end(caller, batch)
    play = ticks.trajectory
    after = next_values(own, play, at_end[play])
    if not end_known.all():
        known = known & (end_known[play] | ~segments.last(play))
    return _Told(ticks, paid, known, own, valued, after, end_known)


def _after_the_end(caller: str, batch: Batch) -> tuple[Array, Array]:
    """What is bootstrapped after each play's last step, and whether it is known."""
    plays, owner = batch.size("trajectory"), batch.trajectory_of_step
    worth, known = np.zeros(plays), np.ones(plays, bool)
    if "truncated" not in batch:
        return worth, known
    truncated = batch["truncated"]
    at = np.flatnonzero(segments.last(owner))
    at = at[(truncated.valid & np.asarray(truncated.values, bool))[owner[at]]]
    if not len(at):
        return worth, known
    if "next_value" not in batch:
        raise ColumnError(
            f"{caller}: {len(at)} trajectories were truncated and the batch has no column 'next_value'; "
            "a critic's value of the state that was cut off is needed; add it as a step column, read at last steps"
        )
    column = batch["next_value"]
    need_steps(caller, "next_value", column)
    worth[owner[at]], known[owner[at]] = column.filled(0.0)[at], column.valid[at]
    return worth, known


def _against_critic(what: str, signal: Signal, clock: Clock, assign: Callable[[Batch], Column]) -> Credit:
    by = "" if clock == STEP else f" by {clock.name}"
    needs = tuple(dict.fromkeys((*needs_of(signal), "value", *clock.needs)))
    return Credit(f"{what}({signal.name}{by})", assign, compares_of(signal) | {"critic"}, needs)
