"""Trees of plays: some begin at the start, the others leave from a step of an earlier one."""

from __future__ import annotations

import numpy as np

from guerdon import segments
from guerdon.bench.sample import GROUP, Player, Plays

Array = np.ndarray
ROOTS = 2  # plays of a tree that begin at the start


def branch(player: Player, groups: int, rng: np.random.Generator, size: int = GROUP, roots: int = ROOTS) -> Plays:
    """Trees of `size` whole plays, one tree a group; the steps that plays share have the same `node`.

    `roots` plays begin at the start. Each further play takes one of those before it, every one as likely as
    another, shares its steps up to one of them, every one as likely as another, and goes on alone from the state
    before that step. A shared step is taken, and paid, once.

    Vectorised over groups: one pass for each play of a group.

    Example:
        >>> from guerdon.bench.worlds import submit
        >>> tree = branch(Player(submit(), np.full((6, 3), 1 / 3)), 1, np.random.default_rng(0))
        >>> tree.count, tree.steps < len(tree)
        (8, True)
    """
    first = player.play(groups, rng, roots)
    leaf = first.trajectory % roots
    steps = _Steps(first.group * size + leaf, first.time, first.state, first.action, first.next_state,
                   np.arange(len(first)))  # fmt: skip
    home = np.arange(groups) * size
    for new in range(roots, size):
        order = np.argsort(steps.play, kind="stable")
        length = np.bincount(steps.play, minlength=groups * size)
        begin = np.cumsum(length) - length
        parent = home + rng.integers(0, new, groups)
        at = (rng.random(groups) * length[parent]).astype(np.int64)  # the step that is taken anew
        there = order[np.minimum(begin[parent] + at, len(order) - 1)]
        shared = order[segments_from(begin[parent], at)]
        walk, state, action, after = player.walk(steps.state[there], player.world.horizon - at, rng)
        told = np.repeat(home + new, at)
        steps = steps.join(_Steps(told, *(getattr(steps, name)[shared] for name in _Steps.names)))
        fresh = np.arange(len(walk)) + int(steps.node.max(initial=-1)) + 1
        time = at[walk] + segments.position(walk)
        steps = steps.join(_Steps(home[walk] + new, time, state, action, after, fresh))
    order = np.lexsort((steps.time, steps.play))
    play = steps.play[order]
    return player.plays(
        play // size, play, steps.time[order], steps.state[order], steps.action[order], steps.after[order],
        steps.node[order],
    )  # fmt: skip


def segments_from(begin: Array, length: Array) -> Array:
    """The places begin, begin + 1, ... of each run, one run after the other.

    Example:
        >>> segments_from(np.array([5, 0]), np.array([2, 1]))
        array([5, 6, 0])
    """
    end = np.cumsum(length)
    return np.repeat(begin - (end - length), length) + np.arange(int(end[-1]) if len(end) else 0)


class _Steps:
    """Steps of growing trees, in any order."""

    names = ("time", "state", "action", "after", "node")

    def __init__(self, play: Array, time: Array, state: Array, action: Array, after: Array, node: Array) -> None:
        self.play, self.time, self.state, self.action, self.after, self.node = play, time, state, action, after, node

    def join(self, other: _Steps) -> _Steps:
        """These and the others."""
        return _Steps(*(np.concatenate([getattr(self, n), getattr(other, n)]) for n in ("play", *self.names)))
