"""What the claims share: a learner of tables that plays, credits and steps, and batches of single plays.

`learn` is REINFORCE with any credit in any `World`, scored by exact mathematics and counted in
environment steps. How large a step is, is handed over as a value: `Plain`, `Unit` or `Adam`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np

from guerdon import segments
from guerdon.batch import Batch, Column
from guerdon.bench.sample import GROUP, Player, Plays, estimate, to_batch
from guerdon.bench.world import World
from guerdon.credit import Credit
from guerdon.environments import tabular
from guerdon.errors import ShapeError

Array = np.ndarray
Facts = Callable[[Plays, Array], Mapping[str, Column]]


class Stepper(Protocol):
    """From a gradient to the change of the parameters; may remember earlier ones."""

    def __call__(self, gradient: Array) -> Array:
        """Returns what to add to the parameters."""
        ...


@dataclass(frozen=True)
class Plain:
    """The gradient times a rate: a credit of twice the size makes twice the step."""

    rate: float = 1.0

    def __call__(self, gradient: Array) -> Array:
        """rate * gradient."""
        return self.rate * gradient


@dataclass(frozen=True)
class Unit:
    """A step of one length along the gradient: credits are compared by direction alone."""

    length: float = 0.3

    def __call__(self, gradient: Array) -> Array:
        """length * gradient / |gradient|, and nothing where the gradient is zero."""
        size = float(np.linalg.norm(gradient))
        return self.length / size * gradient if size > 0 else np.zeros_like(gradient)


@dataclass(eq=False)
class Adam:
    """Adam, the one object here that changes: it remembers two moments.

    Attributes:
        rate, beta, beta_square, eps: as in its paper.
    """

    rate: float = 0.05
    beta: float = 0.9
    beta_square: float = 0.999
    eps: float = 1e-8
    count: int = 0
    moments: list[Array] = field(default_factory=list)

    def __call__(self, gradient: Array) -> Array:
        """rate * m / (sqrt(v) + eps), both moments corrected for their start at zero."""
        if not self.moments:
            self.moments = [np.zeros_like(gradient), np.zeros_like(gradient)]
        self.count += 1
        first, second = self.moments
        first += (1 - self.beta) * (gradient - first)
        second += (1 - self.beta_square) * (gradient**2 - second)
        size = np.sqrt(second / (1 - self.beta_square**self.count))
        return self.rate * first / (1 - self.beta**self.count) / (size + self.eps)


@dataclass(frozen=True, eq=False)
class Curve:
    """How learning went.

    Attributes:
        steps: environment steps spent before each score.
        score: what `watch` said, one row an update; a first row before any.
        logits: the policy at the end.
    """

    steps: Array
    score: Array
    logits: Array

    def final(self, share: float = 0.1) -> Array:
        """The mean score over the last share of the budget."""
        return self.score[self.steps >= (1 - share) * self.steps[-1]].mean(0)

    def area(self) -> Array:
        """The mean score over the steps spent: early learning counts."""
        return (
            self.score.mean(0) if self.steps[-1] == 0 else np.trapezoid(self.score, self.steps, axis=0) / self.steps[-1]
        )


def learn(
    world: World,
    credit: Credit,
    rng: np.random.Generator,
    budget: int,
    *,
    facts: Facts,
    watch: Callable[[Array], Array],
    stepper: Stepper,
    groups: int = 8,
    size: int = GROUP,
    logits: Array | None = None,
    observed: bool = False,
) -> Curve:
    """REINFORCE until a budget of environment steps is spent.

        logits += stepper(sum of A grad log pi / plays)

    Args:
        credit: the rule; it reads what `to_batch` and `facts` put on the batch.
        facts: from plays and the policy's logits to further columns.
        watch: what is scored, from the logits: a number, or an array of several.
        logits: where to begin; uniform by default.

    Raises:
        ShapeError: the budget is below one step.
    """
    if budget < 1:
        raise ShapeError(f"learn: budget is {budget}; at least one environment step is needed; give more")
    logits = np.zeros((world.keys, world.actions)) if logits is None else np.array(logits, float)
    steps, scores, spent = [0], [watch(logits)], 0
    while spent < budget:
        player = Player(world, tabular.softmax(logits)[np.asarray(world.key)])
        plays = player.play(groups, rng, size)
        batch = to_batch(world, plays, observed).with_columns(**facts(plays, logits))
        advantage = on_every_step(batch, credit)
        logits = logits + stepper(estimate(world, logits, plays, advantage))
        spent += len(plays)
        steps.append(spent)
        scores.append(watch(logits))
    return Curve(np.array(steps), np.array(scores, float), logits)


def on_every_step(batch: Batch, credit: Credit) -> Array:
    """A credit as one number per step, 0 where there is none; token credits are of batches of one token a step."""
    return credit(batch).filled(0.0)


def no_facts(plays: Plays, logits: Array) -> Mapping[str, Column]:
    """Nothing beside what a batch has."""
    return {}


def returns(world: World) -> Callable[[Array], float]:
    """The exact expected return, as a `watch`."""
    key = np.asarray(world.key)
    return lambda logits: tabular.expected_return(world.model, tabular.softmax(logits)[key])


def reaches(world: World, state: int) -> Callable[[Array], Array]:
    """The exact chance that a play ends in a state, and the mean length of a play, as a `watch`.

    Args:
        state: a terminal state.
    """
    key, model = np.asarray(world.key), world.model

    def watch(logits: Array) -> Array:
        policy = tabular.softmax(logits)[key]
        there = tabular.occupancy(model, policy)
        into = model.transition[..., state] if np.ndim(model.transition) == 3 else model.transition == state
        return np.array([float((there.sum(0)[:, None] * policy * into).sum()), float(there.sum())])

    return watch


def single_steps(group: Array, reward: Array, **columns: Array) -> Batch:
    """A batch of plays of one step each: a bandit. Columns are of steps.

    Example:
        >>> single_steps(np.array([0, 0]), np.array([1.0, 0.0]))["outcome"].values
        array([1., 0.])
    """
    batch = Batch.from_steps(group=group, trajectory=np.arange(len(group)), reward=reward)
    return batch.with_columns(**{name: Column.of("step", values) for name, values in columns.items()})


def plays_of_length(group: Array, length: Array) -> tuple[Array, Array, Array]:
    """The group, play and place of each step, for plays of given lengths.

    Example:
        >>> plays_of_length(np.array([0, 0]), np.array([1, 2]))
        (array([0, 0, 0]), array([0, 1, 1]), array([0, 0, 1]))
    """
    play = np.repeat(np.arange(len(length)), length)
    place = np.arange(len(play)) - np.repeat(np.cumsum(length) - length, length)
    return np.repeat(group, length), play, place


def spearman(a: Array, b: Array) -> float:
    """The rank correlation of two lists; 0 where one of them is constant."""
    one = np.zeros(len(a), np.int64)
    x, y = segments.rank(np.asarray(a, float), one), segments.rank(np.asarray(b, float), one)
    spread = x.std() * y.std()
    return float(((x - x.mean()) * (y - y.mean())).mean() / spread) if spread > 0 else 0.0
