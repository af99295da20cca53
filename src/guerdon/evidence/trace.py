"""Facts of the trace itself: how long, how repetitive, how often invalid. Pure and free.

Each is an observer. A trajectory that failed broke through no fault of the candidate, so
facts about the whole of it are unscored.
"""

from __future__ import annotations

import numpy as np

from guerdon import segments
from guerdon.batch import Batch, Column
from guerdon.evidence.observer import Reading

Array = np.ndarray


def _turns(batch: Batch) -> Column:
    count = segments.count(batch.trajectory_of_step, batch.size("trajectory"))
    return Column("trajectory", count.astype(float), _whole(batch))


def _tokens(batch: Batch) -> Column:
    """Sampled tokens. A trajectory with steps and no token at all was not recorded by token, so it is unscored."""
    owner, n = batch.index("trajectory", at="token"), batch.size("trajectory")
    batch.need(["sampled"], "tokens")
    sampled = batch["sampled"]
    some = segments.count(owner, n) > 0
    values = segments.total((sampled.valid & np.asarray(sampled.values, bool)).astype(float), owner, n)
    return Column("trajectory", values, _whole(batch) & (some | (segments.count(batch.trajectory_of_step, n) == 0)))


def _invalid_share(batch: Batch) -> Column:
    """The share of steps whose action meant nothing to the environment."""
    column, owner, n = batch["action_valid"], batch.trajectory_of_step, batch.size("trajectory")
    missing = segments.total((~column.valid).astype(float), owner, n)
    share = segments.mean(1.0 - column.filled(0.0), owner, n)
    return Column("trajectory", share, _whole(batch) & (missing == 0) & (segments.count(owner, n) > 0))


def _repeated(batch: Batch) -> Column:
    """1 where the same action was done before at the same place in this trajectory, else 0.

    The place is `state` where the batch has it, else the text of the observation.
    """
    batch.need(["action"], "repeated")
    place, action = batch["state" if "state" in batch else "observation"], batch["action"]
    valid = place.valid & action.valid
    # A key of its own for what is missing, so that it is never the earlier twin of anything.
    alone = np.where(valid, 0, np.arange(len(valid)) + 1)
    key = segments.joint(batch.trajectory_of_step, Batch.key(place.values), Batch.key(action.values), alone)
    first = np.zeros(len(key), bool)
    first[np.unique(key, return_index=True)[1]] = True
    return Column("step", (~first).astype(float), valid)


def _whole(batch: Batch) -> Array:
    n = batch.size("trajectory")
    if "failed" not in batch:
        return np.ones(n, bool)
    column = batch["failed"]
    return ~(column.valid & np.asarray(column.values, bool))


turns = Reading("turns", _turns, high=np.inf)
tokens = Reading("tokens", _tokens, high=np.inf)
invalid_share = Reading("invalid_share", _invalid_share)
repeated = Reading("repeated", _repeated, level="step")
