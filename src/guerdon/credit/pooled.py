"""Credit by pooled futures: what a state leads to is learned from every play that passed it.

The plays of a batch meet in states, so together they are a graph. Counting the ways out of
each state gives a model of the world under this very policy; working backwards on it gives
the value of each state at each time, from all plays at once and without a network. A step
is then worth its surprise: what it paid, plus the value after it, less the value before.

What a state key leaves out comes back as a surprise later on. `trusted` finds, from the
plays themselves, after which actions that happens more than by chance, and lets later
surprises count there.
"""

from __future__ import annotations

import numpy as np
from jaxtyping import Bool, Float, Int

from guerdon import segments
from guerdon.batch import Batch, Column
from guerdon.credit.base import Credit, Signal, compares_of, need_steps, needs_of, scored
from guerdon.credit.center import center
from guerdon.credit.keys import Named
from guerdon.credit.minform import whole_plays
from guerdon.credit.trust import DECAYS, trusted

Array = np.ndarray
ENOUGH = 8  # ours: visits that make a state well known; as many as plays of a group usually are


def expected_to_go(
    gain: Float[Array, "n"],
    state: Int[Array, "n"],
    after: Int[Array, "n"],
    goes_on: Bool[Array, "n"],
    known: Bool[Array, "n"],
    time: Int[Array, "n"],
) -> tuple[Float[Array, "n"], Float[Array, "n"]]:
    """What is still to be gained from each state at each time, on the graph that the plays make.

        E[t, s] = mean gain at s + sum over s' of share of visits to s that go on to s' * E[t+1, s'],   E[H] = 0

    H is one more than the latest time. Shares and gains are pooled over time, so a state met
    early teaches what it is worth late. Linear in the distinct ways, times H.

    Args:
        gain: what each step gained.
        state, after: the states before and after each step, numbered from 0 together.
        goes_on: False where a step was the last of its play because nothing comes after it.
        known: False where it is not known what comes after a step; its way is not counted.
        time: how many steps of its play came before.

    Returns:
        E of each step's state at its time, and E of the state after it at the next time (0 where nothing goes on).

    Example (state 0 leads to state 1 once and ends once; state 1 gains 1):
        >>> flags = np.array([True, False, False]), np.ones(3, bool)
        >>> gain, state, after = np.array([0.0, 1.0, 0.0]), np.array([0, 1, 0]), np.array([1, 1, 0])
        >>> expected_to_go(gain, state, after, *flags, np.array([0, 1, 0]))
        (array([0.5, 1. , 0.5]), array([1., 0., 0.]))
    """
    states, horizon = int(max(state.max(initial=-1), after.max(initial=-1))) + 1, int(time.max(initial=-1)) + 1
    follows = goes_on & known
    way, seen = np.unique(state[follows] * states + after[follows], return_counts=True)
    out, to = way // max(states, 1), way % max(states, 1)
    share = seen / np.maximum(np.bincount(state[known], minlength=states), 1)[out]
    visits = np.maximum(np.bincount(state, minlength=states), 1)
    mean = np.bincount(state, weights=gain, minlength=states) / visits
    order = np.argsort(time, kind="stable")
    begin = np.searchsorted(time[order], np.arange(horizon + 1))
    here, later, e = np.zeros(len(gain)), np.zeros(len(gain)), np.zeros(states)
    for t in range(horizon - 1, -1, -1):
        now = order[begin[t] : begin[t + 1]]
        later[now] = np.where(goes_on[now], e[after[now]], 0.0)
        e = mean + np.bincount(out, weights=share * e[to], minlength=states)
        here[now] = e[state[now]]
    return here, later


def well_known(state: Int[Array, "n"], trajectory: Int[Array, "n"], enough: int = ENOUGH) -> Bool[Array, "n"]:
    """True where the state of a step was met by other plays too, and often enough to say what it is worth.

    Args:
        state: the state before each step.
        trajectory: the play of each step.
        enough: how many visits that takes, of two plays at least.

    Example:
        >>> well_known(np.array([0, 1, 0]), np.array([0, 0, 1]), enough=2)
        array([ True, False,  True])
    """
    by, play = segments.dense(state), trajectory.astype(np.float64)
    first, last = segments.minimum(play, by), segments.maximum(play, by)
    return ((first != last) & (segments.count(by) >= enough))[by]


def inherited(
    surprise: Float[Array, "n"], known: Bool[Array, "n"], root: Float[Array, "n"], trajectory: Int[Array, "n"]
) -> Float[Array, "n"]:
    """What a step in a state that is not well known takes over: all surprises since the last well known one.

    Alone in its state, a step has nothing to be compared with; it is measured from where its
    play left the others. Before the first well known state that is `root`.

    Returns:
        One number a step, its own surprise left out; 0 at steps in well known states.

    Example:
        >>> known = np.array([True, False, False])
        >>> inherited(np.array([0.5, 0.25, 0.0]), known, np.zeros(3), np.zeros(3, int))
        array([0.  , 0.5 , 0.75])
    """
    here = np.arange(len(surprise))
    begins = segments.starts("inherited", trajectory)
    mark = np.maximum.accumulate(np.where(known | begins, here, 0))
    before = np.cumsum(surprise) - surprise
    return np.where(known, 0.0, before - before[mark] + np.where(known[mark], 0.0, root))


def pooled(signal: Signal, by: str = "state", decays: tuple[float, ...] = DECAYS) -> Credit:
    """The surprise of each step on the graph of all states that the batch visited.

        A[t] = r[t] + V[t+1, s'] - V[t, s],   and of later surprises what `trusted` lets count

    V is what `expected_to_go` makes of the rewards. A step in a state that is not well known
    is measured from the last one that was; where no state is, that is the return less the mean
    of the group.

    Args:
        signal: what each step was paid; the credit is for its undiscounted sum.
        by: the step key of the state before an action; it should say which task it belongs to, since plays of
            different prompts that meet in a key are pooled. The key `next_KEY` is that of the state
            after it, and is needed only at last steps that did not terminate.

    Returns:
        A credit that compares with "batch". A group of one is compared with other plays that
        passed its states. A play with a missing reward, or one that failed, is unscored.

    Example (two plays leave state 0; one moves to 1 and wins, one stays and loses):
        >>> from guerdon.rewards import fact
        >>> batch = Batch.from_steps(group=[0] * 4, trajectory=[0, 0, 1, 1], reward=[0.0, 1.0, 0.0, 0.0],
        ...                          state=[0, 1, 0, 2], action=[1, 1, 0, 0])
        >>> pooled(fact("reward"))(batch).values
        array([ 0.5,  0.5, -0.5, -0.5])
    """

    def assign(batch: Batch) -> Column:
        reward = signal(batch)
        need_steps("pooled", signal.name, reward)
        whole = whole_plays(batch, reward)[batch.trajectory_of_step]
        out = np.zeros(len(reward))
        out[whole] = _credit(batch, reward.filled(0.0), whole, by, decays)
        return scored(Column("step", out, whole))

    return Credit(f"pooled({signal.name} by {by})", assign, compares_of(signal) | {"batch"}, (*needs_of(signal), by))


def _credit(batch: Batch, reward: Array, whole: Array, by: str, decays: tuple[float, ...]) -> Array:
    owner = batch.trajectory_of_step[whole]
    if not len(owner):
        return np.zeros(0)
    reward, trajectory = reward[whole], segments.dense(owner)
    time, last = segments.position(trajectory), segments.last(trajectory)
    state, after, goes_on, known = _graph(batch, whole, by, last, time)
    value, later = expected_to_go(reward, state, after, goes_on, known, time)
    surprise = reward + later - value
    _, spread = expected_to_go(surprise**2, state, after, goes_on, known, time)
    first = np.flatnonzero(time == 0)
    root = center(value[first], batch.group_of_trajectory[owner[first]])[trajectory]
    own = surprise + inherited(surprise, well_known(state, trajectory), root, trajectory)
    cell = segments.joint(state, Batch.key(batch["action"].values)[whole] if "action" in batch else after)
    return trusted(own, surprise, spread, cell, trajectory, decays)


def _graph(batch: Batch, whole: Array, by: str, last: Array, time: Array) -> tuple[Array, Array, Array, Array]:
    """The states before and after each step numbered together, whether a play goes on, and whether that is known."""
    key, there = Named(by)(batch, "step")
    own, there = key[whole], there[whole]
    follows = np.append(own[1:], 0)
    follows_there = np.append(there[1:], False) & ~last
    if f"next_{by}" in batch:  # the next step's own key rules; at a last step there is only this one
        column = batch[f"next_{by}"]
        follows = np.where(last, Batch.key(column.values)[whole], follows)
        follows_there |= last & np.asarray(column.valid, bool)[whole]
    over = last.copy()
    if "terminated" in batch:
        over = np.asarray(batch["terminated"].values, bool)[whole] & last
    goes_on = ~last | (~over & follows_there)
    # At the latest time an end may be the horizon's and not the world's: such ways are not counted.
    known = ~last | (over & (time < time.max())) | goes_on
    n = len(own)
    number = segments.dense(np.concatenate([own, follows]))
    lonely = number.max(initial=0) + 1 + np.arange(2 * n)  # a step without a key is in a state of its own
    lonely[n:-1] = np.where(last[:-1], lonely[n:-1], lonely[1:n])  # which the step before it leads to
    number = segments.dense(np.where(np.concatenate([there, follows_there]), number, lonely))
    return number[:n], number[n:], goes_on, known
