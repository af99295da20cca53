"""All that the exact model of a world knows of a policy: values, advantages, and the best and the greedy policy."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from guerdon import segments
from guerdon.bench.sample import Plays
from guerdon.bench.world import World
from guerdon.environments import tabular

Array = np.ndarray
DISCOUNT = 0.95  # of the best policy's value, so that a detour shows


@dataclass(frozen=True, eq=False)
class Truth:
    """The tables of one world and one policy; each is computed when it is first read.

    Attributes:
        world: the world.
        logits: of the policy that plays, (keys, actions).
        better: of a better policy.

    Example:
        >>> from guerdon.bench.worlds import submit
        >>> truth = Truth(submit(), np.zeros((4, 3)), np.zeros((4, 3)))
        >>> truth.value.shape, truth.unit
        ((17, 6), 1.0)
    """

    world: World
    logits: Array
    better: Array

    @cached_property
    def policy(self) -> Array:
        """Probabilities of the policy that plays, (S, A)."""
        return tabular.softmax(self.logits)[np.asarray(self.world.key)]

    @cached_property
    def _tables(self) -> tuple[Array, Array]:
        return tabular.values(self.world.model, self.policy)

    @property
    def value(self) -> Array:
        """V, (H + 1, S)."""
        return self._tables[0]

    @property
    def action_value(self) -> Array:
        """Q, (H, S, A)."""
        return self._tables[1]

    @cached_property
    def advantage(self) -> Array:
        """Q - V, (H, S, A)."""
        return self.action_value - self.value[:-1, :, None]

    @cached_property
    def gradient(self) -> Array:
        """The exact gradient of the expected return, (keys, actions)."""
        return tabular.policy_gradient(self.world.model, self.logits, np.asarray(self.world.key))

    @cached_property
    def length(self) -> float:
        """The mean number of steps of a play."""
        return float(tabular.occupancy(self.world.model, self.policy).sum())

    @cached_property
    def better_value(self) -> Array:
        """V of the better policy, (H + 1, S)."""
        pi = tabular.softmax(self.better)[np.asarray(self.world.key)]
        return tabular.values(self.world.model, pi)[0]

    @cached_property
    def greedy(self) -> tuple[Array, Array]:
        """Of the policy that takes the likeliest action: its mean return and mean steps from each first state."""
        pi = np.eye(self.world.actions)[self.policy.argmax(1)]
        model = self.world.model
        ticks = tabular.Tabular(
            model.transition, np.ones_like(model.reward), model.start, model.terminal, model.horizon
        )
        return tabular.values(model, pi)[0][0], tabular.values(ticks, pi)[0][0]

    @cached_property
    def second(self) -> Array:
        """The second moment of the return from each first state.

        M[t, s] = sum over a of pi (R^2 + 2 R E V[t + 1] + E M[t + 1]),   E V[t + 1] = Q[t] - R
        """
        model, alive = self.world.model, ~self.world.model.terminal[:, None]
        moment = np.zeros(model.shape[0])
        for t in range(model.horizon - 1, -1, -1):
            r, q = model.reward, self.action_value[t]
            moment = (self.policy * alive * (r**2 + 2 * r * (q - r) + self._mean_after(moment))).sum(1)
        return moment

    @cached_property
    def best(self) -> Array:
        """V of the best policy that sees the whole state, discounted by `DISCOUNT`, (S,)."""
        model, alive = self.world.model, ~self.world.model.terminal
        v = np.zeros(model.shape[0])
        for _ in range(model.horizon):
            v = alive * (model.reward + DISCOUNT * self._mean_after(v)).max(1)
        return v

    @cached_property
    def unit(self) -> float:
        """The largest return that any play can have, at least 1: what brings expected outcomes into [0, 1]."""
        model, alive = self.world.model, ~self.world.model.terminal
        most = np.zeros(model.shape[0])
        for _ in range(model.horizon):
            most = alive * (model.reward + self._most_after(most)).max(1)
        return max(1.0, float(most[model.start > 0].max()))

    def _mean_after(self, v: Array) -> Array:
        table = self.world.model.transition
        return v[table] if np.ndim(table) == 2 else table @ v

    def _most_after(self, v: Array) -> Array:
        table = self.world.model.transition
        return v[table] if np.ndim(table) == 2 else np.where(table > 0, v, -np.inf).max(-1)


def expected_outcome(truth: Truth, value: Array, plays: Plays) -> tuple[Array, Array]:
    """What the whole play is expected to be worth, before and after each step, in units of `truth.unit`.

        before[t] = (r[0] + ... + r[t-1] + V[t, s[t]]) / unit,   after[t] = (r[0] + ... + r[t] + V[t+1, s[t+1]]) / unit

    With V of the policy that plays, the mean of after - before is the exact advantage. After a play's last step it
    is the outcome itself.
    """
    so_far = np.cumsum(plays.reward)
    first = np.flatnonzero(segments.starts("expected_outcome", plays.trajectory))
    run = np.cumsum(segments.starts("expected_outcome", plays.trajectory)) - 1
    so_far = so_far - (so_far - plays.reward)[first][run]
    before = so_far - plays.reward + value[plays.time, plays.state]
    after = so_far + value[plays.time + 1, plays.next_state]
    return before / truth.unit, after / truth.unit
