"""Did the agent judge its own searches rightly? Its word on each against an oracle's."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from guerdon.batch import Batch, Column
from guerdon.errors import ShapeError
from guerdon.evidence.observer import Reading


@dataclass(frozen=True)
class Judged:
    """What `self_judgement` reads: see there."""

    claim: str
    oracle: str
    threshold: float
    right: float
    false_accept: float
    false_reject: float

    def __call__(self, batch: Batch) -> Column:
        """The column of worths."""
        batch.need([self.claim, self.oracle], "self_judgement")
        claim, oracle = batch[self.claim], batch[self.oracle]
        yes, ideal = claim.filled(0.0) > 0.5, oracle.filled(0.0) > self.threshold
        wrong = np.where(yes, self.false_accept, self.false_reject)
        return Column("step", np.where(yes == ideal, self.right, wrong), claim.valid & oracle.valid)


def self_judgement(
    name: str = "self_judgement",
    claim: str = "accepted",
    oracle: str = "similarity",
    threshold: float = 0.7,
    right: float = 0.3,
    false_accept: float = -0.6,
    false_reject: float = -0.3,
) -> Reading:
    """An observer at step level: what the agent's own verdict on a search is worth beside an oracle's.

        ideal = 1[oracle > threshold];  right where claim = ideal, false_accept for yes | no, false_reject for no | yes

    Args:
        claim: a step column, 1 where the agent accepts what it found, 0 where not.
        oracle: a step column: how like the answer what was found is, or a verdict in [0, 1].

    Missing where either is. Right judgements pay for each search, so that needless ones can be farmed: cap them or
    gate by the outcome.

    Raises:
        ShapeError: being wrong is worth more than being right.

    Source: ReSeek; its numbers are the defaults, its oracle a reranker's similarity.

    Example:
        >>> batch = Batch.from_steps(group=[0] * 3, trajectory=[0] * 3, reward=[0.0] * 3)
        >>> batch = batch.with_columns(
        ...     accepted=Column.of("step", [1.0, 1.0, 0.0]), similarity=Column.of("step", [0.9, 0.1, None])
        ... )
        >>> self_judgement().observe(batch)["self_judgement"].tolist()
        [0.3, -0.6, None]
    """
    if not right >= max(false_accept, false_reject):
        raise ShapeError(
            f"self_judgement: right={right}, false_accept={false_accept}, false_reject={false_reject}; "
            "being right is worth at least as much as being wrong; swap them"
        )
    read = Judged(claim, oracle, threshold, right, false_accept, false_reject)
    return Reading(name, read, "step", min(false_accept, false_reject), right)
