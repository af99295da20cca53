"""Gradient pruning of trees: which branches are trained, while all of them are played and compared.

Masks of ones and zeros, for `modulate(credit, by=mask)`.
"""

from __future__ import annotations

import numpy as np

from guerdon import segments
from guerdon.batch import Batch, Column
from guerdon.credit.base import Signal
from guerdon.credit.tree import node_mean, tree_of
from guerdon.errors import ShapeError
from guerdon.rewards.term import Term, failed


def without_depths(*depths: int) -> Term:
    """0 at these turns, 1 elsewhere: depth pruning. The plays stay whole; only their gradient is cut.

    Example:
        >>> without_depths(1)(Batch.from_steps(group=[0] * 3, trajectory=[0] * 3, reward=[0.0] * 3)).values
        array([1., 0., 1.])
    """

    def score(batch: Batch) -> Column:
        kept = ~np.isin(segments.position(batch.trajectory_of_step), depths)
        return Column.of("step", kept.astype(np.float64))

    return Term(f"without depths {', '.join(map(str, depths))}", score)


def keep_best(worth: Signal, share: float = 0.5) -> Term:
    """Width pruning inside forks: after a play's last fork, only the best children of the fork keep their gradient.

        kept = rank among the fork's children + 1/2 >= (1 - share) * children;   steps before are all kept

    Children that tie over the border are all kept.

    Args:
        worth: one number per step, such as `backup(leaf)`; its mean where plays share the step.

    Example (three plays leave from one place):
        >>> from guerdon.rewards import fact
        >>> batch = Batch.from_steps(group=[0] * 3, trajectory=[0, 1, 2], reward=[1.0, 0.0, 0.5])
        >>> keep_best(fact("reward"))(batch.with_columns(node=Column.of("step", [1, 2, 3]))).values
        array([1., 0., 1.])
    """
    _need_share("keep_best", share)

    def score(batch: Batch) -> Column:
        tree, owner = tree_of(batch), batch.trajectory_of_step
        value = node_mean(worth)(batch)
        at = np.flatnonzero(tree.first & tree.forked & value.valid)
        fork = segments.dense(tree.fork[at])
        wide = segments.count(fork)[fork]
        dropped = np.zeros(len(tree.node), bool)  # by node: there are no more nodes than steps
        dropped[tree.node[at]] = segments.rank(value.values[at], fork) + 0.5 < (1 - share) * wide
        splits = np.zeros(len(tree.node), bool)
        splits[tree.node[at]] = wide > 1
        split, gone = splits[tree.node] & tree.known, dropped[tree.node] & tree.known
        ahead = segments.to_go(split.astype(np.float64), owner)
        last_split = split & (ahead == 1)
        cut = segments.total((last_split & gone).astype(np.float64), owner, batch.size("trajectory"))[owner] > 0
        # From the last split on: no further split follows it.
        after = (ahead - split) == 0
        return Column.of("step", (~(cut & after)).astype(np.float64))

    return Term(f"best {share:g} by {worth.name}", score)


def keep_extremes(leaf: Term, share: float = 0.25) -> Term:
    """Width pruning over the whole tree: after its last fork, a play keeps its gradient if its leaf is extreme.

        kept = leaf among the best or the worst `share` of its tree;   steps before the last fork are all kept

    Example (four plays leave from one place):
        >>> from guerdon.rewards import fact
        >>> batch = Batch.from_steps(group=[0] * 4, trajectory=[0, 1, 2, 3], reward=[1.0, 0.0, 0.5, 0.25])
        >>> keep_extremes(fact("outcome"))(batch.with_columns(node=Column.of("step", [1, 2, 3, 4]))).values
        array([1., 1., 0., 0.])
    """
    _need_share("keep_extremes", share)

    def score(batch: Batch) -> Column:
        tree, owner, column = tree_of(batch), batch.trajectory_of_step, leaf(batch)
        at = np.flatnonzero(column.valid & ~failed(batch))
        group = segments.dense(batch.group_of_trajectory[at])
        place, wide = segments.rank(column.values[at], group) + 0.5, segments.count(group)[group]
        dropped = np.zeros(batch.size("trajectory"), bool)
        dropped[at] = (place < (1 - share) * wide) & (place > share * wide)
        votes = (tree.first & tree.forked).astype(np.float64)
        split = (segments.total(votes, tree.fork)[tree.fork] > 1) & tree.known
        after = segments.to_go(split.astype(np.float64), owner) - split == 0
        return Column.of("step", (~(dropped[owner] & after)).astype(np.float64))

    return Term(f"extreme {share:g} by {leaf.name}", score)


def _need_share(caller: str, share: float) -> None:
    if not 0 < share <= 1:
        raise ShapeError(f"{caller}: share is {share}; a share of the branches in (0, 1] is kept; 1 keeps them all")
