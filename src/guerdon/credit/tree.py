"""Trees of plays: what the leaves below a step were worth, compared with the branches beside it.

A tree is written as whole plays, one for each leaf. The step key `node` is equal where plays of a
group share a step; the parent of a node is the node before it (see `guerdon.credit.keys.Fork`). A
shared step stands in the batch once for each play through it, so it has to be kept from
counting several times: `first_through` lets it vote once, `once` divides its credit.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import numpy as np
from jaxtyping import Bool, Float, Int

from guerdon import segments
from guerdon.batch import Batch, Column
from guerdon.credit.base import Credit, Signal, compares_of, need_steps, needs_of, scored
from guerdon.credit.center import Scale
from guerdon.credit.compare import centred
from guerdon.credit.keys import PROMPT, Fork, Turn
from guerdon.errors import LevelError, ShapeError
from guerdon.rewards.shaping import affine
from guerdon.rewards.term import Term, failed, floats

Array = np.ndarray


@dataclass(frozen=True, eq=False)
class Tree:
    """The nodes and forks that the steps of a batch belong to.

    Attributes:
        node: of each step, counted from 0; equal where two plays of a group share the step.
        fork: where each step left from, counted from 0; equal for the children of one node.
        known: False where the step has no node, or its play failed: it is no part of the tree.
        forked: False where the step's parent is not known.
    """

    node: Int[Array, "steps"]
    fork: Int[Array, "steps"]
    known: Bool[Array, "steps"]
    forked: Bool[Array, "steps"]

    @property
    def first(self) -> Bool[Array, "steps"]:
        """True at the first play through each node."""
        out = np.zeros(len(self.node), bool)
        at = np.flatnonzero(self.known)
        earliest = np.zeros(int(self.node.max(initial=-1)) + 1, np.int64)
        earliest[self.node[at[::-1]]] = at[::-1]  # the last to be written is the first play
        out[earliest[self.node[at]]] = True
        return out

    def mean(
        self, x: Float[Array, "steps"], valid: Bool[Array, "steps"], weight: Array | None = None
    ) -> tuple[Float[Array, "steps"], Bool[Array, "steps"]]:
        """The mean over the plays through each step's node, and whether any was scored."""
        votes = np.where(valid & self.known, 1.0 if weight is None else weight, 0.0)
        # Measured from the lowest, so that leaves that agree have the same mean to the last bit.
        low = segments.minimum(np.where(votes > 0, x, np.inf), self.node)
        low = np.where(np.isfinite(low), low, 0.0)
        heard = segments.total(votes, self.node)
        above = segments.total(votes * np.where(votes > 0, x - low[self.node], 0.0), self.node)
        mean = low + above / np.where(heard > 0, heard, 1.0)
        there = (heard[self.node] > 0) & self.known
        return np.where(there, mean[self.node], 0.0), there


def tree_of(batch: Batch) -> Tree:
    """Reads the step key `node`.

    Raises:
        ShapeError: a node was reached from two places, so the plays form no tree.

    Example (two plays share their first step):
        >>> batch = Batch.from_steps(group=[0] * 4, trajectory=[0, 0, 1, 1], reward=[0.0] * 4)
        >>> tree_of(batch.with_columns(node=Column.of("step", [7, 8, 7, 9]))).node
        array([0, 1, 0, 2])
    """
    batch.need(["node"], "tree_of")
    column, owner = batch["node"], batch.trajectory_of_step
    need_steps("tree_of", "node", column)
    fork, forked = Fork()(batch, "step")
    key = np.where(column.valid, Batch.key(column.values), 0)
    node = segments.joint(batch.index("group", at="step"), key)
    at = np.flatnonzero(forked)
    parent = np.full(int(node.max(initial=-1)) + 1, -1)
    parent[node[at]] = fork[at]  # any of the places it was reached from; all have to be this one
    if (bad := at[parent[node[at]] != fork[at]]).size:
        raise ShapeError(
            f"tree_of: step {int(bad[0])} is in a node that was reached from two places; in a tree each node has one "
            "parent; give steps that only look alike nodes of their own, or compare them by 'state'"
        )
    return Tree(node, fork, np.asarray(column.valid, bool) & ~failed(batch)[owner], forked & ~failed(batch)[owner])


# How much each leaf says of the nodes above it.


@runtime_checkable
class Fusion(Protocol):
    """Weighs the leaves below a node, for the mean that the node is worth."""

    @property
    def name(self) -> str:
        """What it is called in the name of a credit."""
        ...

    def __call__(self, batch: Batch, tree: Tree) -> Float[Array, "steps"]:
        """Returns, for each step, how much the leaf of its play says of the step's node."""
        ...


@dataclass(frozen=True)
class Leaves:
    """Every leaf says the same: a node is worth the mean of its leaves."""

    name: str = "leaves"

    def __call__(self, batch: Batch, tree: Tree) -> Float[Array, "steps"]:
        """One for each."""
        return np.ones(len(tree.node))


@dataclass(frozen=True)
class PathProbability:
    """A leaf says as much as it is likely to be reached from the node.

        V(node) = sum over children c of softmax_c(edge[c] / temperature) * V(c),   V(leaf) = its outcome

    Written out along the paths: a leaf's weight at a node is the product of the softmaxes below it.

    Attributes:
        edge: a step term, the log-probability of the step; its mean where plays share a step. A child
            without one says nothing to its parent, unless it is the only child.
        temperature: large for equal children, small for the likeliest alone.

    References:
        Li et al., BranchGRPO, 2025, path-probability fusion.
    """

    edge: Term
    temperature: float = 1.0

    @property
    def name(self) -> str:
        """Says the edges."""
        return f"paths by {self.edge.name}"

    def __call__(self, batch: Batch, tree: Tree) -> Float[Array, "steps"]:
        """The probability of the rest of each play, as far as the largest at its node."""
        column = self.edge(batch)
        need_steps("PathProbability", self.edge.name, column)
        edge, there = tree.mean(column.filled(0.0), column.valid)
        votes = tree.first & tree.forked
        alone = segments.total(votes.astype(np.float64), tree.fork)[tree.fork] < 2
        inner = tree.forked & ~alone
        log = np.where(inner & there, _log_softmax(edge / self.temperature, tree.fork, votes & there), 0.0)
        below = _later(log, batch.trajectory_of_step)
        cut = _later((inner & ~there).astype(np.float64), batch.trajectory_of_step) > 0
        most = segments.maximum(np.where(tree.known & ~cut, below, -np.inf), tree.node)
        most = np.where(np.isfinite(most), most, 0.0)[tree.node]
        return np.where(cut, 0.0, np.exp(np.minimum(below - most, 0.0)))


LEAVES = Leaves()


def backup(leaf: Term, gamma: float = 1.0, fusion: Fusion = LEAVES) -> Credit:
    """What a step turned out to be worth: the mean of the leaves below it, compared with nothing yet.

        V(node) = sum over plays i through the node of w[i] * gamma^(T[i] - t) * leaf[i]  /  sum of w[i]

    T[i] - t is how many steps follow in play i.

    Args:
        leaf: a trajectory term. A play without one does not vote; the nodes that it shares with
            plays that have one are worth what those say.
        gamma: below 1, of two ways to the same outcome the shorter is worth more.
        fusion: `Leaves()` or `PathProbability(edge)`.

    Returns:
        One number per step, equal where plays share the step. Missing where no leaf below is scored,
        where the step has no node, and in a play that failed.

    Example (the two plays share their first step):
        >>> from guerdon.rewards import fact
        >>> batch = Batch.from_steps(group=[0] * 4, trajectory=[0, 0, 1, 1], reward=[0.0, 1.0, 0.0, 0.0])
        >>> batch = batch.with_columns(node=Column.of("step", [7, 8, 7, 9]))
        >>> backup(fact("outcome"), 0.5)(batch).values
        array([0.25, 1.  , 0.25, 0.  ])
    """

    def assign(batch: Batch) -> Column:
        tree, column, owner = tree_of(batch), leaf(batch), batch.trajectory_of_step
        if column.level != "trajectory":
            raise LevelError(
                f"backup: {leaf.name!r} is at {column.level} level; one number per leaf is needed; "
                "use total, mean or final to bring a step term to trajectories"
            )
        follow = segments.to_go(np.ones(len(owner)), owner) - 1
        worth = column.filled(0.0)[owner] * gamma**follow
        values, there = tree.mean(worth, column.valid[owner], fusion(batch, tree))
        return scored(Column("step", values, there))

    return Credit(f"backup({leaf.name})", assign, needs=("node",))


def node_mean(signal: Signal) -> Credit:
    """A signal with one number for each node: its mean over the plays that share the step.

    Example:
        >>> from guerdon.rewards import fact
        >>> batch = Batch.from_steps(group=[0] * 4, trajectory=[0, 0, 1, 1], reward=[1.0, 0.0, 0.5, 0.0])
        >>> node_mean(fact("reward"))(batch.with_columns(node=Column.of("step", [7, 8, 7, 9]))).values
        array([0.75, 0.  , 0.75, 0.  ])
    """

    def assign(batch: Batch) -> Column:
        column = signal(batch)
        need_steps("node_mean", signal.name, column)
        values, there = tree_of(batch).mean(column.filled(0.0), column.valid)
        return scored(Column("step", values, there))

    return Credit(f"{signal.name} of nodes", assign, compares_of(signal), (*needs_of(signal), "node"))


def among_siblings(signal: Signal, scale: Scale | None = None) -> Credit:
    """Fork-relative credit: a step less the mean of the steps that were taken from the same place.

        A(node) = (x(node) - mean over the children of its parent of x) * scale

    Each node counts once, however many plays go through it. Zero where a place has one child.

    Args:
        signal: what a step was worth, such as `backup(leaf)`, or a judge's score; `node_mean` of it is taken.
        scale: None, or `Std(eps)`, over the children.

    Example (three plays: two share their first step):
        >>> from guerdon.rewards import fact
        >>> steps = {"group": [0] * 5, "trajectory": [0, 0, 1, 1, 2], "reward": [0.0, 1.0, 0.0, 0.0, 0.0]}
        >>> batch = Batch.from_steps(**steps).with_columns(node=Column.of("step", [7, 8, 7, 9, 6]))
        >>> among_siblings(backup(fact("outcome")))(batch).values
        array([ 0.25,  0.5 ,  0.25, -0.5 , -0.25])

    References:
        Fork-relative advantage of PORTool, 2025, arXiv:2510.26020.
    """
    return centred(node_mean(signal), by=Fork(), scale=scale, weight=first_through())


def at_depth(signal: Signal, scale: Scale | None = None) -> Credit:
    """Depth-wise credit: a step less the mean of all nodes of its tree that are as deep.

    As `among_siblings`, but the steps of one prompt at one turn are compared, wherever they left from.

    References:
        Li et al., BranchGRPO, 2025, depth-wise normalisation.
    """
    return centred(node_mean(signal), by=(PROMPT, Turn()), scale=scale, weight=first_through())


def over_parent(leaf: Term, gamma: float = 1.0) -> Credit:
    """Monte Carlo advantage from branches: the leaves below the step against all leaves of where it left from.

        A(step) = mean of the leaves below the step - mean of the leaves below any child of its parent

    Leaves are discounted to the step's own time, as in `backup`. The second mean is over plays, so a child
    that more plays went through says more. Without a discount the credits of a play add up to its leaf less
    the mean of its tree.

    Example (of three plays two share their first step; one of the two wins):
        >>> from guerdon.rewards import fact
        >>> steps = {"group": [0] * 5, "trajectory": [0, 0, 1, 1, 2], "reward": [0.0, 1.0, 0.0, 0.0, 0.0]}
        >>> batch = Batch.from_steps(**steps).with_columns(node=Column.of("step", [7, 8, 7, 9, 6]))
        >>> over_parent(fact("outcome"))(batch).values.round(3)
        array([ 0.167,  0.5  ,  0.167, -0.5  , -0.333])

    References:
        Kazemnejad et al., VinePPO, 2024, arXiv:2410.01679, has values from branches.
    """
    worth = backup(leaf, gamma)
    return centred(worth, by=Fork(), weight=affine(leaf, 0.0, 1.0)).named(f"{worth.name} over its parent's")


def branch_values(batch: Batch, leaf: Term) -> Batch:
    """The stage: puts on the batch as `value` and `next_value` what the branches say of each state.

    `next_value` is the mean of the leaves below the step, `value` that of all leaves of the place it left
    from. Columns of these names are what `gae_of` and `n_step_of` read.

    Example:
        >>> from guerdon.rewards import fact
        >>> batch = Batch.from_steps(group=[0] * 4, trajectory=[0, 0, 1, 1], reward=[0.0, 1.0, 0.0, 0.0])
        >>> batch = batch.with_columns(node=Column.of("step", [7, 8, 7, 9]))
        >>> branch_values(batch, fact("outcome"))["value"].values
        array([0.5, 0.5, 0.5, 0.5])
    """
    after, tree, owner = backup(leaf)(batch), tree_of(batch), batch.trajectory_of_step
    column = leaf(batch)
    votes = (column.valid[owner] & tree.forked).astype(np.float64)
    heard, worth = (segments.total(x, tree.fork)[tree.fork] for x in (votes, votes * column.filled(0.0)[owner]))
    before = floats(after, worth / np.maximum(heard, 1.0), (heard > 0) & tree.forked)
    return batch.with_columns(value=before, next_value=floats(after, after.values, after.valid))


# Which steps count, and how much.


def first_through() -> Term:
    """1 at the first play through each node, 0 at the others: one vote a node, for `centred(weight=)`.

    Example:
        >>> batch = Batch.from_steps(group=[0] * 4, trajectory=[0, 0, 1, 1], reward=[0.0] * 4)
        >>> first_through()(batch.with_columns(node=Column.of("step", [7, 8, 7, 9]))).values
        array([1., 1., 0., 1.])
    """
    return Term("first through", lambda batch: Column.of("step", tree_of(batch).first.astype(np.float64)))


def once() -> Term:
    """1 / (plays through the step's node): with `modulate`, a shared step is trained once, not once a play.

    Plays that failed are not counted. A step without a node counts as its own.

    Example:
        >>> batch = Batch.from_steps(group=[0] * 4, trajectory=[0, 0, 1, 1], reward=[0.0] * 4)
        >>> once()(batch.with_columns(node=Column.of("step", [7, 8, 7, 9]))).values
        array([0.5, 1. , 0.5, 1. ])
    """

    def score(batch: Batch) -> Column:
        tree = tree_of(batch)
        plays = segments.total(tree.known.astype(np.float64), tree.node)[tree.node]
        return Column.of("step", np.where(tree.known, 1.0 / np.maximum(plays, 1.0), 1.0))

    return Term("once a node", score)


def _log_softmax(x: Array, by: Array, votes: Array) -> Array:
    """x less the logarithm of the sum of exp(x) over the voters of its bucket."""
    most = segments.maximum(np.where(votes, x, -np.inf), by)
    most = np.where(np.isfinite(most), most, 0.0)[by]
    summed = segments.total(np.where(votes, np.exp(np.minimum(x - most, 0.0)), 0.0), by)[by]
    return x - most - np.log(np.where(summed > 0, summed, 1.0))


def _later(x: Array, owner: Array) -> Array:
    """The sum over the steps after each step of its play."""
    return segments.to_go(x, owner) - x
