"""What it is worth: the Term algebra, shaping, gates, potentials, shares, groups, votes. Pure numpy.

    worth = at_end(fact("outcome")) + 0.1 * potential(fact("progress"), gamma=1.0)
    batch = reward(batch, worth)

A term is a pure function of a batch, and a sum of terms is a term.
"""

from __future__ import annotations

from dataclasses import replace

from guerdon.batch import Batch
from guerdon.rewards.actions import mean_where
from guerdon.rewards.bounded import Sigmoid, Tanh, against_references, in_range, in_units, squashed
from guerdon.rewards.groups import group_mean, group_percentile, group_std
from guerdon.rewards.idle import IdleWarning, warn_of_idle, watch
from guerdon.rewards.length import excess, information_gain, overlong
from guerdon.rewards.noise import appealed, backward, forward
from guerdon.rewards.paths import record, repeated, worst_so_far
from guerdon.rewards.potential import interpolated, potential
from guerdon.rewards.shaping import (
    affine,
    backward_delta,
    clip,
    delta,
    gate,
    otherwise,
    product,
    root,
    slopes,
    tiers,
    unfailed,
)
from guerdon.rewards.spread import Weights, only_last, rising, rising_sigmoid, spread, uniform, weighted_mean
from guerdon.rewards.term import Term, at_end, broadcast, fact, final, mean, total
from guerdon.rewards.votes import Intersection, Majority, Share, Vote, thoughts, verdict
from guerdon.rewards.weights import anchored, annealed, difficulty, synergy, weighted

__all__ = [  # noqa: RUF022  (by module)
    # term
    "Term", "at_end", "broadcast", "fact", "final", "mean", "reward", "total",
    # shaping
    "affine", "backward_delta", "clip", "delta", "gate", "otherwise", "product", "root", "slopes", "tiers", "unfailed",
    # bounded
    "Sigmoid", "Tanh", "against_references", "in_range", "in_units", "squashed",
    # actions, paths, length
    "excess", "information_gain", "mean_where", "overlong", "record", "repeated", "worst_so_far",
    # weights, noise
    "anchored", "annealed", "appealed", "backward", "difficulty", "forward", "synergy", "weighted",
    # idle
    "IdleWarning", "warn_of_idle", "watch",
    # potential
    "interpolated", "potential",
    # spread
    "Weights", "only_last", "rising", "rising_sigmoid", "spread", "uniform", "weighted_mean",
    # groups
    "group_mean", "group_percentile", "group_std",
    # votes
    "Intersection", "Majority", "Share", "Vote", "thoughts", "verdict",
]  # fmt: skip


def reward(batch: Batch, term: Term) -> Batch:
    """Puts the term's column on the batch as `worth`, and each part as `worth/NAME`.

    A term that is no sum is its own one part. Parts of equal name are numbered: `worth/NAME`,
    `worth/NAME#2`. What an earlier reward left under these names is taken off.

    Example:
        >>> batch = Batch.from_steps(group=[0, 0], trajectory=[0, 0], reward=[1.0, 2.0])
        >>> sorted(c for c in reward(batch, fact("reward") - 0.5 * fact("terminated")).columns if "worth" in c)
        ['worth', 'worth/reward', 'worth/terminated']
    """
    column = term(batch)
    kept = {name: c for name, c in batch.columns.items() if name != "worth" and not name.startswith("worth/")}
    new = {"worth": column}
    seen: dict[str, int] = {}
    for name, part in column.parts or ((term.name, column),):
        seen[name] = seen.get(name, 0) + 1
        new[f"worth/{name}" if seen[name] == 1 else f"worth/{name}#{seen[name]}"] = part
    return replace(batch, columns={**kept, **new})
