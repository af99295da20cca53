"""A small world whose truth is known: tables, and what the policy sees of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from types import MappingProxyType

import numpy as np

from guerdon.environments import tabular
from guerdon.environments.tabular import Tabular
from guerdon.errors import ShapeError

Array = np.ndarray


@dataclass(frozen=True, eq=False)
class World:
    """A task as tables: S states, A actions, at most `horizon` steps a play.

    Attributes:
        P: the next state, (S, A) whole numbers, or its probabilities, (S, A, S).
        R: what an action pays, (S, A).
        start: the probability of each first state, (S,).
        terminal: True where a play is over, (S,).
        horizon: how many actions a play may have.
        key: what the policy sees of each state, whole numbers from 0, (S,); the policy has one row of logits
            for each.
        name: what it is called in tables.
        facts: what can be said of each state, by name, (S,): `progress` and the like. A step's fact is that of
            the state after it.

    Raises:
        ShapeError: the tables do not fit together.

    Example:
        >>> stay, right = [0, 1], [1, 1]
        >>> world = World(np.array([stay, right]).T, np.array([[0.0, 1.0], [0.0, 0.0]]), np.array([1.0, 0.0]),
        ...               np.array([False, True]), 3, np.array([0, 0]))
        >>> tabular.expected_return(world.model, np.full((2, 2), 0.5))
        0.875
    """

    P: Array
    R: Array
    start: Array
    terminal: Array
    horizon: int
    key: Array
    name: str = "world"
    facts: Mapping[str, Array] = field(default_factory=dict)

    def __post_init__(self) -> None:
        object.__setattr__(self, "facts", MappingProxyType(dict(self.facts)))
        states = len(np.asarray(self.R))
        for name, values in (("key", self.key), *self.facts.items()):
            if np.shape(values) != (states,):
                raise ShapeError(
                    f"World: {name} is {np.shape(values)}; it has one entry for each of the {states} states; "
                    "give it that length"
                )
        if np.min(self.key, initial=0) < 0 or not np.issubdtype(np.asarray(self.key).dtype, np.integer):
            raise ShapeError(
                "World: a key is below 0 or not whole; keys are rows of the policy's logits, from 0; "
                "number them with np.unique(..., return_inverse=True)"
            )
        if self.horizon < 1:
            raise ShapeError(f"World: horizon is {self.horizon}; a play has at least one action; give 1 or more")
        _ = self.model  # the tables are checked here, not at the first play

    @cached_property
    def model(self) -> Tabular:
        """The same world as the exact mathematics takes it."""
        return Tabular(
            np.asarray(self.P), np.asarray(self.R, float), np.asarray(self.start, float),
            np.asarray(self.terminal, bool), int(self.horizon),
        )  # fmt: skip

    @property
    def keys(self) -> int:
        """How many rows of logits a policy has."""
        return int(np.max(self.key)) + 1

    @property
    def actions(self) -> int:
        """How many actions there are."""
        return np.shape(self.R)[1]


def gradient(world: World, logits: Array) -> Array:
    """The exact gradient of the undiscounted finite-horizon return, (keys, actions)."""
    return tabular.policy_gradient(world.model, logits, np.asarray(world.key))


def train(world: World, logits: Array, to: float, rate: float = 1.0, most: int = 5000) -> Array:
    """Follows the exact natural gradient until the expected return is `to`, or for `most` updates.

        logits[k] += rate * (mean advantage of each action in key k)

    How policies of several stages of training are made, without sampling.

    Returns:
        The logits.
    """
    logits = np.array(logits, float)
    key = np.asarray(world.key)
    seen = np.zeros(world.keys)
    for _ in range(most):
        policy = tabular.softmax(logits)[key]
        if tabular.expected_return(world.model, policy) >= to:
            break
        seen[:] = 0
        np.add.at(seen, key, tabular.occupancy(world.model, policy).sum(0))
        slope = gradient(world, logits) / (np.where(seen > 0, seen, 1.0)[:, None] * tabular.softmax(logits))
        size = np.abs(slope).max()
        logits += rate * slope / max(size, 1e-12) * 0.1
    return logits
