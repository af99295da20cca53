"""Exact answers for a small world: values, advantages, where a policy goes, and its true gradient.

A `Tabular` is a whole task written as tables. Time runs from 0 to `horizon`; a play ends
when it reaches a terminal state or the horizon, and nothing comes after either. A policy is
a table of probabilities, (states, actions), or (horizon, states, actions) where it depends
on time.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from guerdon.errors import ShapeError

Array = np.ndarray


@dataclass(frozen=True, eq=False)
class Tabular:
    """A task as tables: S states, A actions, H steps at most.

    Attributes:
        transition: the next state, (S, A) whole numbers; or its probabilities, (S, A, S).
        reward: what an action pays on average, (S, A); a terminal state's row is not used.
        start: the probability of each first state, (S,).
        terminal: True where a play is over, (S,).
        horizon: H, how many actions a play may have.
        states: a name of each state, as the environment's state keys; may be empty.
        actions: a name of each action; may be empty.

    Raises:
        ShapeError: the tables do not fit together, or probabilities do not sum to one.

    Example:
        >>> moves, pay = np.array([[1], [1]]), np.array([[1.0], [0.0]])
        >>> corridor = Tabular(moves, pay, np.array([1.0, 0.0]), np.array([False, True]), 3)
        >>> expected_return(corridor, np.ones((2, 1)))
        1.0
    """

    transition: Array
    reward: Array
    start: Array
    terminal: Array
    horizon: int
    states: tuple[str, ...] = ()
    actions: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if np.ndim(self.reward) != 2 or np.shape(self.transition) not in (self.shape, (*self.shape, self.shape[0])):
            raise ShapeError(
                f"Tabular: transition is {np.shape(self.transition)} and reward is {np.shape(self.reward)}; "
                "reward is (S, A), transition (S, A) or (S, A, S); give both for the same states and actions"
            )
        count = self.shape[0]
        if np.shape(self.start) != (count,) or np.shape(self.terminal) != (count,):
            raise ShapeError(
                f"Tabular: start is {np.shape(self.start)} and terminal is {np.shape(self.terminal)}; "
                f"each has one entry for each of the {count} states; give them that length"
            )
        sums = [np.sum(self.start)] + ([np.sum(self.transition, -1)] if np.ndim(self.transition) == 3 else [])
        if not all(np.allclose(total, 1.0) for total in sums):
            raise ShapeError(
                "Tabular: probabilities do not sum to one; start and each transition row must; divide by the sum"
            )
        if np.ndim(self.transition) == 2 and not np.issubdtype(np.asarray(self.transition).dtype, np.integer):
            raise ShapeError(
                "Tabular: transition of (S, A) holds fractions; it must hold state numbers; use an integer array"
            )

    @property
    def shape(self) -> tuple[int, int]:
        """How many states and actions there are."""
        return np.shape(self.reward)[0], np.shape(self.reward)[1]


def values(model: Tabular, policy: Array, gamma: float = 1.0) -> tuple[Array, Array]:
    """Exact V and Q of a policy, by dynamic programming backwards from the horizon.

        Q[t, s, a] = R[s, a] + gamma * sum over s' of P[s, a, s'] * V[t + 1, s']
        V[t, s]    = sum over a of policy[t, s, a] * Q[t, s, a]
        V[H, s]    = 0,  and V = Q = 0 in a terminal state

    Args:
        model: the task.
        policy: probabilities, (S, A) or (H, S, A).
        gamma: discount per step.

    Returns:
        V, (H + 1, S), and Q, (H, S, A), in the unit of the reward. t is how many actions were done.

    Raises:
        ShapeError: the policy does not fit the model.

    Example:
        >>> moves, pay = np.array([[0, 1], [1, 1]]), np.array([[0.0, 1.0], [0.0, 0.0]])
        >>> two = Tabular(moves, pay, np.eye(2)[0], np.array([False, True]), 2)
        >>> values(two, np.full((2, 2), 0.5))[0][:, 0]
        array([0.75, 0.5 , 0.  ])

    References:
        Sutton and Barto, Reinforcement Learning, 2nd edition, 2018, chapter 4.
    """
    pi = _timed(model, policy, "values")
    alive = ~np.asarray(model.terminal, bool)
    v = np.zeros((model.horizon + 1, model.shape[0]))
    q = np.zeros((model.horizon, *model.shape))
    for t in range(model.horizon - 1, -1, -1):
        q[t] = alive[:, None] * (model.reward + gamma * _expect(model, v[t + 1]))
        v[t] = (pi[t] * q[t]).sum(-1)
    return v, q


def advantages(model: Tabular, policy: Array, gamma: float = 1.0) -> Array:
    """Exact advantages: Q[t, s, a] - V[t, s].

    Args:
        model: the task.
        policy: probabilities, (S, A) or (H, S, A).
        gamma: discount per step.

    Returns:
        (H, S, A), in the unit of the reward. The mean under the policy is zero in every state.

    Raises:
        ShapeError: the policy does not fit the model.

    Example:
        >>> moves, pay = np.array([[0, 1], [1, 1]]), np.array([[0.0, 1.0], [0.0, 0.0]])
        >>> two = Tabular(moves, pay, np.eye(2)[0], np.array([False, True]), 1)
        >>> advantages(two, np.full((2, 2), 0.5))[0, 0]
        array([-0.5,  0.5])
    """
    v, q = values(model, policy, gamma)
    return q - v[:-1, :, None]


def occupancy(model: Tabular, policy: Array) -> Array:
    """How likely it is that action t is taken in state s.

    Args:
        model: the task.
        policy: probabilities, (S, A) or (H, S, A).

    Returns:
        (H, S) probabilities, not discounted. A play that is over takes no action, so terminal
        states hold zero, row t sums to the share of plays still going, and the total is the
        mean length of a play.

    Raises:
        ShapeError: the policy does not fit the model.

    Example:
        >>> moves, pay = np.array([[0, 1], [1, 1]]), np.array([[0.0, 1.0], [0.0, 0.0]])
        >>> two = Tabular(moves, pay, np.eye(2)[0], np.array([False, True]), 3)
        >>> occupancy(two, np.full((2, 2), 0.5))[:, 0]
        array([1.  , 0.5 , 0.25])
    """
    pi = _timed(model, policy, "occupancy")
    alive = ~np.asarray(model.terminal, bool)
    there = np.zeros((model.horizon, model.shape[0]))
    mass = np.asarray(model.start, float)
    for t in range(model.horizon):
        there[t] = mass * alive
        flow = there[t][:, None] * pi[t]
        mass = (
            np.bincount(np.ravel(model.transition), weights=flow.ravel(), minlength=model.shape[0])
            if np.ndim(model.transition) == 2
            else np.einsum("sa,saz->z", flow, model.transition)
        )
    return there


def expected_return(model: Tabular, policy: Array, gamma: float = 1.0) -> float:
    """The mean return of a play: V at time 0, averaged over the first states.

    Args:
        model: the task.
        policy: probabilities, (S, A) or (H, S, A).
        gamma: discount per step.

    Returns:
        One number, in the unit of the reward; where only solving pays 1 it is the probability of success.

    Raises:
        ShapeError: the policy does not fit the model.

    Example:
        >>> moves, pay = np.array([[0, 1], [1, 1]]), np.array([[0.0, 1.0], [0.0, 0.0]])
        >>> two = Tabular(moves, pay, np.eye(2)[0], np.array([False, True]), 2)
        >>> expected_return(two, np.full((2, 2), 0.5))
        0.75
    """
    return float(np.asarray(model.start) @ values(model, policy, gamma)[0][0])


def softmax(logits: Array) -> Array:
    """Probabilities from logits along the last axis: exp(x) / sum of exp(x).

    Args:
        logits: any real numbers.

    Returns:
        The same shape, summing to one along the last axis.

    Example:
        >>> softmax(np.array([0.0, 0.0]))
        array([0.5, 0.5])
    """
    odds = np.exp(logits - np.max(logits, axis=-1, keepdims=True))
    return odds / odds.sum(-1, keepdims=True)


def policy_gradient(model: Tabular, logits_by_key: Array, key: Array, gamma: float = 1.0) -> Array:
    """The true gradient of the expected return, for a softmax policy that sees only a key of the state.

        d J / d logits[k, a] = sum over t and the states s with key k of
                               gamma^t * occupancy[t, s] * policy[s, a] * (Q[t, s, a] - V[t, s])

    Args:
        model: the task.
        logits_by_key: the parameters, (K, A).
        key: which row of the parameters each state uses, (S,). `arange(S)` gives each state its own.
        gamma: discount per step.

    Returns:
        (K, A), in the unit of the reward. Each row sums to zero.

    Raises:
        ShapeError: the logits or the keys do not fit the model.

    Example:
        >>> moves, pay = np.array([[0, 1], [1, 1]]), np.array([[0.0, 1.0], [0.0, 0.0]])
        >>> two = Tabular(moves, pay, np.eye(2)[0], np.array([False, True]), 1)
        >>> policy_gradient(two, np.zeros((1, 2)), np.array([0, 0]))
        array([[-0.25,  0.25]])

    References:
        Sutton, McAllester, Singh, Mansour. Policy Gradient Methods for Reinforcement Learning with
        Function Approximation, 1999, theorem 1.
    """
    key, logits = np.asarray(key), np.asarray(logits_by_key, float)
    states, actions = model.shape
    if key.shape != (states,) or logits.ndim != 2 or logits.shape[1] != actions:
        raise ShapeError(
            f"policy_gradient: logits_by_key is {logits.shape} and key is {key.shape}; they must be (K, {actions}) and "
            f"({states},); give one logit per action and one key per state"
        )
    if key.min() < 0 or key.max() >= len(logits):
        raise ShapeError(
            f"policy_gradient: keys run from {key.min()} to {key.max()} and there are {len(logits)} rows of logits; "
            "each key must name a row; number the keys from 0 with np.unique(..., return_inverse=True)"
        )
    pi = softmax(logits)[key]
    weight = occupancy(model, pi) * gamma ** np.arange(model.horizon)[:, None]
    by_state = pi * np.einsum("ts,tsa->sa", weight, advantages(model, pi, gamma))
    gradient = np.zeros_like(logits)
    np.add.at(gradient, key, by_state)
    return gradient


def shortest(transition: Sequence[Sequence[int]] | Array, end: int) -> list[int]:
    """How many actions lead to the end by the shortest way, from each state of a world without chance.

    Args:
        transition: the next state of each state and action, (S, A).
        end: the state to reach.

    Returns:
        One number a state; -1 where no way leads to the end.

    Example:
        >>> shortest([[0, 1], [0, 2], [2, 2], [3, 3]], end=2)
        [2, 1, 0, -1]
    """
    before: list[list[int]] = [[] for _ in transition]
    for i, row in enumerate(transition):
        for j in row:
            before[j].append(i)
    distance = [-1] * len(before)
    distance[end] = 0
    queue = deque([end])
    while queue:
        j = queue.popleft()
        for i in before[j]:
            if distance[i] < 0:
                distance[i] = distance[j] + 1
                queue.append(i)
    return distance


def _expect(model: Tabular, value: Array) -> Array:
    """The mean of a value per state over where each action leads, (S, A)."""
    return value[model.transition] if np.ndim(model.transition) == 2 else model.transition @ value


def _timed(model: Tabular, policy: Array, caller: str) -> Array:
    """The policy with a time axis in front, as a view."""
    full = (model.horizon, *model.shape)
    if np.shape(policy) not in (full, model.shape):
        raise ShapeError(
            f"{caller}: the policy is {np.shape(policy)}; it must be {model.shape} or {full}; "
            "give a probability for each state and action"
        )
    return np.broadcast_to(policy, full)
