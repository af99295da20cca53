"""Does the last action say what the task wanted? A normalised comparison of two texts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from guerdon import segments
from guerdon.batch import Batch, Column
from guerdon.evidence.observer import Reading
from guerdon.evidence.texts.words import LIMIT, composed


def normalise(text: str) -> str:
    """Unicode in one form (NFKC), case folded, blanks joined, punctuation off both ends.

    Signs that carry meaning stay: a leading minus, a percent sign, inner punctuation.

    Example:
        >>> normalise("  The  ANSWER: forty-two. ")
        'the answer: forty-two'
        >>> normalise("-5."), normalise("50 %")
        ('-5', '50 %')
    """
    return " ".join(composed(text).casefold().split()).strip(".,;:!?\"'`()[]{} ")


def match(name: str = "match", reference: str = "reference", action: str = "action") -> Reading:
    """An observer: 1 where the last action equals the task's reference after `normalise`, else 0.

    An empty answer never matches, nor does one above 200,000 characters. A play that ended
    without any step was asked and said nothing: 0. Unscored where the task has no reference, the
    last action was not recorded, or the play failed.

    Args:
        reference: a trajectory column of text or numbers.
        action: a step column of text.

    Example:
        >>> batch = Batch.from_steps(group=[0, 0], trajectory=[0, 1], reward=[0.0, 0.0], action=["North.", "south"])
        >>> batch = batch.with_columns(reference=Column.of("trajectory", ["north", "north"]))
        >>> match().observe(batch)["match"].values
        array([1., 0.])
    """

    return Reading(name, Match(name, reference, action))


@dataclass(frozen=True)
class Match:
    """What `match` reads: see there. Equal ones are equal, so that one observer may be named twice."""

    name: str = "match"
    reference: str = "reference"
    action: str = "action"

    def __call__(self, batch: Batch) -> Column:
        """The column of matches."""
        batch.need([self.reference, self.action], self.name)
        wanted = batch[self.reference]
        end = segments.last(batch.trajectory_of_step)
        last, owner = batch[self.action].take(np.flatnonzero(end)), batch.trajectory_of_step[end]
        said = np.full(batch.size("trajectory"), "", object)
        said[owner] = [_read(text) for text in last.tolist()]
        goal = [_read(text) for text in wanted.tolist()]
        values = np.array([s == g and s != "" for s, g in zip(said, goal, strict=True)], float)
        valid = wanted.valid.copy()
        valid[owner] &= last.valid
        if "failed" in batch:
            valid &= ~(batch["failed"].valid & np.asarray(batch["failed"].values, bool))
        return Column("trajectory", values, valid)


def _read(value: Any) -> str:
    """What is compared; nothing of what is missing, or longer than what is read."""
    text = "" if value is None else str(value)
    return normalise(text) if len(text) <= LIMIT else ""
