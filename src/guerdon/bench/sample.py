"""Plays of a world, many at once, as the columns that a credit rule reads."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from guerdon import segments
from guerdon.batch import Batch, Column
from guerdon.bench.world import World
from guerdon.environments import tabular

Array = np.ndarray
GROUP = 8  # plays of one prompt


@dataclass(frozen=True, eq=False)
class Plays:
    """Flat arrays, one entry a step; the steps of a play lie side by side, in time order.

    Attributes:
        group, trajectory: of each step.
        time: how many actions came before, of each step.
        state, action, reward, next_state: of each step.
        terminated: the world was over after this step.
        truncated: the play was cut after this step, by the horizon.
        node: of each step of a tree of plays; equal where plays of a group share a step. None for plays that
            share nothing.
    """

    group: Array
    trajectory: Array
    time: Array
    state: Array
    action: Array
    reward: Array
    next_state: Array
    terminated: Array
    truncated: Array
    node: Array | None = None

    def __len__(self) -> int:
        return len(self.state)

    @cached_property
    def count(self) -> int:
        """How many plays there are."""
        return int(self.trajectory[-1]) + 1 if len(self.trajectory) else 0

    @property
    def steps(self) -> int:
        """How many steps of the environment they took: a step that several plays share was taken once."""
        return len(self) if self.node is None else int(segments.starts("Plays", np.sort(self.node)).sum())

    def part(self, first: int, last: int) -> Plays:
        """The steps `first` to `last`, which must be whole plays; groups and plays are numbered from 0 again."""
        given = {name: getattr(self, name) for name in self.__dataclass_fields__}
        arrays = {name: values[first:last] for name, values in given.items() if values is not None}
        arrays["group"] = arrays["group"] - arrays["group"][0]
        arrays["trajectory"] = arrays["trajectory"] - arrays["trajectory"][0]
        return Plays(**arrays)


class Player:
    """Samples plays of one world under one policy."""

    def __init__(self, world: World, policy: Array) -> None:
        self.world = world
        self.policy = np.cumsum(policy, 1)[:, :-1]  # an action is the number of bounds that a uniform draw exceeds
        self.over = np.asarray(world.terminal, bool)
        self.reward = np.asarray(world.R, float)
        self.next, self.bounds = _successors(world)

    def play(self, groups: int, rng: np.random.Generator, size: int = GROUP) -> Plays:
        """Groups of `size` plays; the plays of a group begin in the same state, drawn from `start`.

        Vectorised over plays: one pass over time.
        """
        world = self.world
        first = np.searchsorted(np.cumsum(world.start)[:-1], rng.random(groups), side="right")
        walked = self.walk(np.repeat(first, size), np.full(groups * size, world.horizon), rng)
        play, state, action, after = walked
        return self.plays(play // size, play, segments.position(play), state, action, after)

    def walk(self, state: Array, left: Array, rng: np.random.Generator) -> tuple[Array, Array, Array, Array]:
        """Goes on from these states, each for so many steps at most.

        Returns:
            Of each step its walk, state, action and next state; the steps of a walk lie side by side.
        """
        state, actions = np.array(state), self.world.actions
        alive = np.arange(len(state))
        rows: list[tuple[Array, Array, Array, Array]] = []
        for t in range(int(np.max(left, initial=0))):
            alive = alive[~self.over[state[alive]] & (left[alive] > t)]
            if not len(alive):
                break
            here = state[alive]
            action = (rng.random(len(here))[:, None] > self.policy[here]).sum(1)
            cell = here * actions + action
            after = self.next[cell, 0]
            if self.bounds is not None:
                after = self.next[cell, (rng.random(len(here))[:, None] > self.bounds[cell]).sum(1)]
            rows.append((alive, here, action, after))
            state[alive] = after
        return _flat(rows, len(state))

    def plays(
        self, group: Array, trajectory: Array, time: Array, state: Array, action: Array, after: Array,
        node: Array | None = None,
    ) -> Plays:  # fmt: skip
        """The steps as plays, with what they paid and how they ended."""
        terminated, last = self.over[after], segments.last(trajectory)
        return Plays(
            group, trajectory, time, state, action, self.reward[state, action], after, terminated, last & ~terminated,
            node,
        )  # fmt: skip


def to_batch(world: World, plays: Plays, observed: bool) -> Batch:
    """The plays as a batch: what `Batch.from_steps` makes, and the world's facts.

    Args:
        observed: True where the column `state` holds what the policy sees, False where it holds the whole state.
    """
    key = np.asarray(world.key) if observed else np.arange(len(world.key))
    batch = Batch.from_steps(
        group=plays.group, trajectory=plays.trajectory, reward=plays.reward, action=plays.action,
        state=key[plays.state], next_state=key[plays.next_state], terminated=plays.terminated,
        truncated=plays.truncated,
    )  # fmt: skip
    facts = {name: Column.of("step", np.asarray(v, float)[plays.next_state]) for name, v in world.facts.items()}
    if plays.node is not None:
        facts["node"] = Column.of("step", plays.node)
    return batch.with_columns(**facts)


def exact(world: World, logits: Array, plays: Plays) -> Array:
    """The exact advantage of every step: Q - V of its time, state and action."""
    table = tabular.advantages(world.model, tabular.softmax(logits)[np.asarray(world.key)])
    return table[plays.time, plays.state, plays.action]


def estimate(world: World, logits: Array, plays: Plays, advantage: Array) -> Array:
    """The gradient that a credit gives: sum of A grad log pi over the plays, divided by their number.

        g[k, a] = (1 / plays) * sum over steps with key k of A * (1[action = a] - pi(a | k))

    Returns:
        (keys, actions).
    """
    pi = tabular.softmax(logits)
    key, actions = np.asarray(world.key)[plays.state], world.actions
    taken = np.bincount(key * actions + plays.action, weights=advantage, minlength=world.keys * actions)
    taken = taken.reshape(world.keys, actions)
    return (taken - pi * taken.sum(1, keepdims=True)) / max(plays.count, 1)


def cosine(a: Array, b: Array) -> float:
    """The cosine between two gradients; 0 where one of them is zero."""
    size = float(np.linalg.norm(a) * np.linalg.norm(b))
    return float((a * b).sum()) / size if size > 0 else 0.0


def _flat(rows: list[tuple[Array, Array, Array, Array]], walks: int) -> tuple[Array, Array, Array, Array]:
    """From one array a moment to one place a step, walks side by side."""
    length = np.zeros(walks, np.int64)
    for alive, *_ in rows:
        length[alive] += 1
    begin = np.cumsum(length) - length
    out = tuple(np.empty(int(length.sum()), np.int64) for _ in range(3))
    for t, (alive, *what) in enumerate(rows):
        for into, values in zip(out, what, strict=True):
            into[begin[alive] + t] = values
    return np.repeat(np.arange(walks), length), *out


def _successors(world: World) -> tuple[Array, Array | None]:
    """Where each state and action leads, and the bounds between the choices; no bounds where there is no chance."""
    table = np.asarray(world.P)
    if table.ndim == 2:
        return table.reshape(-1, 1), None
    rows = table.reshape(-1, table.shape[-1])
    most = int((rows > 0).sum(1).max())
    order = np.argsort(-rows, axis=1, kind="stable")[:, :most]
    chance = np.take_along_axis(rows, order, 1)
    return order, np.cumsum(chance, 1)[:, :-1] / chance.sum(1, keepdims=True)
