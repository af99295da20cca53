"""What the claims share: a learner of tables that plays, credits and steps, and batches of single plays.

`learn` is REINFORCE with any credit in any `World`, scored by exact mathematics and counted in
environment steps. How large a step is, is handed over as a value: `Plain`, `Unit` or `Adam`.
`downhill` is the step of any objective for a policy that is a table of logits.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol, runtime_checkable

import numpy as np

from guerdon import segments
from guerdon.batch import Batch, Column
from guerdon.bench.sample import GROUP, Player, Plays, estimate, to_batch
from guerdon.bench.world import World
from guerdon.credit import Credit
from guerdon.environments import tabular
from guerdon.errors import ShapeError
from guerdon.objectives import Objective, Stream, Top

if TYPE_CHECKING:
    import torch

Array = np.ndarray
Facts = Callable[[Plays, Array], Mapping[str, Column]]


@runtime_checkable
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

    def final(self, share: float = 0.1) -> Array | float:
        """The mean score over the last share of the budget."""
        return self.score[self.steps >= (1 - share) * self.steps[-1]].mean(0)

    def area(self) -> Array | float:
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


@dataclass(frozen=True, eq=False)
class Said:
    """Tokens that a table of logits said, as an objective reads them; one entry a token, plays side by side.

    Attributes:
        key: the row of the table that each was drawn from.
        word: which column it was.
        old: its log-probability then.
        advantage: its credit.
        play: its play, from 0 on.
        group: of each play, its prompt.
        outcome: of each play; None where nothing reads it.
        reference: each token's log-probability under a frozen policy, or None.
        teacher: (tokens, words) log-probabilities of a teacher, or None.
    """

    key: Array
    word: Array
    old: Array
    advantage: Array
    play: Array
    group: Array
    outcome: Array | None = None
    reference: Array | None = None
    teacher: Array | None = None


def draw(logits: Array, key: Array, rng: np.random.Generator) -> tuple[Array, Array]:
    """One word from each of these rows of the table, and its log-probability."""
    policy = tabular.softmax(logits)[key]
    word = (rng.random((len(key), 1)) > np.cumsum(policy, 1)[:, :-1]).sum(1)
    return word, np.log(policy[np.arange(len(key)), word])


def downhill(objective: Objective, logits: Array, said: Said) -> Array:
    """Minus the gradient of the loss by the table of logits, the whole sample as one batch.

    Example:
        >>> from guerdon.objectives import Reinforce
        >>> one, ids = np.ones(1), np.zeros(1, int)
        >>> downhill(Reinforce(), np.zeros((1, 2)), Said(ids, ids, np.log(0.5) * one, one, ids, ids))
        array([[ 0.5, -0.5]])
    """
    import torch

    table = torch.tensor(logits, dtype=torch.float64, requires_grad=True)
    stream = _stream(torch.log_softmax(table, -1)[torch.from_numpy(said.key)], said)
    loss, _ = objective(stream)
    loss.backward()
    return -table.grad.numpy()


def pulls(objective: Objective, logits: Array, said: Said) -> Array:
    """Minus the gradient of the loss by the log-probability of each token: who pulls, and how hard."""
    import torch

    rows = torch.from_numpy(np.log(tabular.softmax(logits)))[torch.from_numpy(said.key)]
    stream = _stream(rows, said)
    stream.logprob.requires_grad_()
    loss, _ = objective(stream)
    return -torch.autograd.grad(loss, stream.logprob)[0].numpy()


def _stream(rows: torch.Tensor, said: Said) -> Stream:
    """The tokens as an objective's stream, from the rows of log-probabilities that they were drawn from."""
    import torch

    def tensor(x: Array | None) -> torch.Tensor | None:
        return None if x is None else torch.from_numpy(np.ascontiguousarray(x))

    logprob = rows.gather(1, tensor(said.word)[:, None])[:, 0]
    return Stream.of(
        logprob, tensor(said.old), tensor(said.advantage), torch.arange(len(rows)), tensor(said.play),
        entropy=-(rows.exp() * rows).sum(1), ref_logprob=tensor(said.reference), outcome=tensor(said.outcome),
        group=tensor(said.group), top=None if said.teacher is None else Top(rows, tensor(said.teacher)),
    )  # fmt: skip


def at_level(level: float, along: Array, value: Array) -> float:
    """What `value` was when `along` first reached a level, on the line between two readings; the last if never.

    Example:
        >>> at_level(0.5, np.array([0.0, 0.4, 0.6]), np.array([9.0, 8.0, 6.0]))
        7.0
    """
    there = np.nonzero(along >= level)[0]
    if not len(there) or there[0] == 0:
        return float(value[there[0] if len(there) else -1])
    i = there[0]
    return float(value[i - 1] + (level - along[i - 1]) / (along[i] - along[i - 1]) * (value[i] - value[i - 1]))


def cosine(a: Array, b: Array) -> float:
    """The cosine of the angle between two arrays; 0 where one is zero."""
    size = float(np.linalg.norm(a) * np.linalg.norm(b))
    return float(np.sum(a * b)) / size if size > 0 else 0.0


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
