"""Credit averaged over what different plays share: one edge of a graph, one credit.

`merged` is flat; `merge_average` makes a credit of a credit with it, and `Recent` is the key
that tells the same place reached in different ways apart.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int

from guerdon import segments
from guerdon.batch import Batch, Column, Level
from guerdon.credit.base import Credit, on_steps, scored
from guerdon.credit.keys import Keys, bucket_of, keys_of
from guerdon.errors import ShapeError

Array = np.ndarray


@dataclass(frozen=True)
class Recent:
    """The state that a step left from, and the states before it in its play: `length` in all.

    With 1 it is the state alone, so two visits of a loop are one place. A play that is younger
    than `length` states is alike only to plays that are as young. A step has no key where one
    of the states that it looks back at is missing.

    Example (both plays are in state 5 at their second step; they came from different places):
        >>> batch = Batch.from_steps(group=[0] * 4, trajectory=[0, 0, 1, 1], reward=[0.0] * 4, state=[3, 5, 4, 5])
        >>> Recent(1)(batch, "step")[0], Recent(2)(batch, "step")[0]
        (array([0, 2, 1, 2]), array([0, 2, 1, 3]))

    Raises:
        ShapeError: the length is below 1.
    """

    length: int
    within: bool = False
    needs: tuple[str, ...] = ("state",)

    def __post_init__(self) -> None:
        if self.length < 1:
            raise ShapeError(
                f"Recent: length is {self.length}; it counts the state itself, so 1 or more is needed; "
                "use 1 for the state alone"
            )

    @property
    def name(self) -> str:
        """Says how many states."""
        return f"last {self.length} states"

    def __call__(self, batch: Batch, level: Level) -> tuple[Int[Array, "n"], Bool[Array, "n"]]:
        """The states as one number, of each step or of each token's step; one sort per state looked back at."""
        state, owner = batch["state"], batch.trajectory_of_step
        seen = segments.dense(np.where(state.valid, Batch.key(state.values), 0)) + 1
        known, place = np.asarray(state.valid, bool), segments.position(owner)
        bucket, sure = segments.dense(seen), known
        for back in range(1, min(self.length, int(place.max(initial=0)) + 1)):
            inside, at = place >= back, np.maximum(np.arange(len(seen)) - back, 0)
            bucket = segments.joint(bucket, np.where(inside, seen[at], 0))  # 0: before the play began
            sure = sure & (known[at] | ~inside)
        lifted = batch.lift(Column("step", bucket, sure), level)
        return np.asarray(lifted.values), np.asarray(lifted.valid, bool)


def merged(
    credit: Float[Array, "n"],
    by: Int[Array, "n"],
    owner: Int[Array, "n"],
    valid: Bool[Array, "n"] | None = None,
) -> Float[Array, "n"]:
    """Each credit replaced by the mean over the plays that share its bucket.

        c'[i] = mean over the owners p in i's bucket of (mean of p's own credits in the bucket)

    A play votes once, however often it passes, so an edge that all plays of a group share gets
    the mean of the group. What one owner alone has keeps its credit, to the last bit.

    Args:
        credit: one per item.
        by: the bucket of each item; only equality matters.
        owner: the play of each item.
        valid: False where an item has no score: it does not vote and gets 0.

    Returns:
        One credit per item.

    Example (two plays share bucket 7; the second passes twice):
        >>> merged(np.array([1.0, 3.0, -1.0, -1.0]), np.array([7, 8, 7, 7]), np.array([0, 0, 1, 1]))
        array([0., 3., 0., 0.])

    References:
        Li et al., SALT: Step-level Advantage Assignment for Long-horizon Agents via Trajectory
        Graph, 2025, arXiv:2510.20022.
    """
    segments.same_length("merged", credit, by)
    segments.same_length("merged", credit, owner)
    valid = np.ones(len(credit), bool) if valid is None else np.asarray(valid, bool)
    segments.same_length("merged", credit, valid)
    bucket, there = segments.dense(by), valid.astype(np.float64)
    own = segments.joint(bucket, owner)
    visits = segments.total(there, own)[own]
    vote = np.where(valid, 1.0 / np.maximum(visits, 1.0), 0.0)
    plays = np.rint(segments.total(vote, bucket))[bucket]
    mean = segments.total(vote * np.where(valid, credit, 0.0), bucket)[bucket] / np.maximum(plays, 1.0)
    return np.where(valid, np.where(plays > 1, mean, credit), 0.0)


def merge_average(credit: Credit, by: Keys) -> Credit:
    """A credit averaged over what is alike: steps that different plays share get one credit. See `merged`.

    Args:
        credit: at step or token level, already compared.
        by: what makes two steps one edge: ("prompt", Recent(2), "action", "next_state"). With
            "prompt" in it, plays of different prompts share nothing.

    Returns:
        A credit that compares with what `credit` compares with, and with "batch" where `by`
        does not stay within the prompt. A step without a key is shared with nobody. With no
        two plays alike it is `credit`.

    Example (the first steps are one edge, of a success and a failure):
        >>> from guerdon.credit import centred
        >>> from guerdon.rewards import fact
        >>> steps = {"group": [0] * 4, "trajectory": [0, 0, 1, 1], "state": [1, 2, 1, 2], "action": [0, 0, 0, 1]}
        >>> batch = Batch.from_steps(**steps, reward=[0.0, 1.0, 0.0, 0.0])
        >>> merge_average(centred(fact("outcome")), by=("prompt", "state", "action"))(batch).values
        array([ 0. ,  0.5,  0. , -0.5])
    """
    keys = keys_of(by)
    within = any(key.within for key in keys)

    def assign(batch: Batch) -> Column:
        column = credit(batch)
        bucket, known = bucket_of(batch, by, column.level)
        # One bucket of its own for what has no key; numbers below 0 are taken by no other.
        apart = np.where(known, segments.dense(bucket), -1 - np.arange(len(bucket)))
        owner = batch.index("trajectory", at=column.level)
        valid = np.asarray(column.valid, bool)
        return on_steps(batch, scored(Column(column.level, merged(column.values, apart, owner, valid), valid)))

    names = ", ".join(key.name for key in keys)
    needs = tuple(dict.fromkeys((*credit.needs, *(need for key in keys for need in key.needs))))
    compares = credit.compares if within else credit.compares | {"batch"}
    return Credit(f"merged({credit.name} by {names})", assign, compares, needs)
