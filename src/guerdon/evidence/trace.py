"""Facts of the trace itself: how long, how repetitive, how often invalid. Pure and free.

Each is an observer. A trajectory that failed broke through no fault of the candidate, so
facts about the whole of it are unscored.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from guerdon import segments
from guerdon.batch import Batch, Column
from guerdon.errors import ShapeError
from guerdon.evidence.novelty import state_keys
from guerdon.evidence.observer import Reading
from guerdon.evidence.plain import json_of

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
    key, valid = _moves(batch, "repeated")
    first = np.zeros(len(key), bool)
    first[np.unique(key, return_index=True)[1]] = True
    return Column("step", (~first).astype(float), valid)


def _moves(batch: Batch, who: str) -> tuple[Array, Array]:
    """One key per play, place and action, and where both are known; what is missing has a key of its own."""
    batch.need(["action"], who)
    place, action = batch["state" if "state" in batch else "observation"], batch["action"]
    (there, known), (done, said) = state_keys(place), state_keys(action)
    valid = known & said
    alone = np.where(valid, 0, np.arange(len(valid)) + 1)  # never the earlier twin of anything
    return segments.joint(batch.trajectory_of_step, there, done, alone), valid


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


@dataclass(frozen=True)
class Looped:
    """What `looped` reads: see there."""

    longest: int = 8

    def __call__(self, batch: Batch) -> Column:
        """The column of facts."""
        key, valid = _moves(batch, "looped")
        out = np.zeros(len(key), bool)
        for period in range(1, min(self.longest, len(key) - 1) + 1):
            again = np.zeros(len(key), bool)
            again[period:] = key[period:] == key[:-period]
            start = again.copy()
            start[1:] &= ~again[:-1]
            run = np.cumsum(start)
            length = np.bincount(run[again], minlength=int(run[-1]) + 1)
            out |= again & (length[run] >= period)
        return Column("step", out.astype(float), valid)


def looped(name: str = "looped", longest: int = 8) -> Reading:
    """An observer at step level: 1 where the step is part of a cycle gone through again, else 0.

    A cycle of period p is p steps, each a place and an action, that are done once more in the same order right
    after: of A B A B the second A B is looped, of A B A nothing is. The first time round is never looped.

    Args:
        longest: periods from 1 to this are looked for; the cost is `longest` passes.

    The place is `state` where the batch has it, else the text of the observation. Missing where place or action is.

    Example:
        >>> moves = {"state": [1, 2, 1, 2], "action": ["a", "b", "a", "b"]}
        >>> batch = Batch.from_steps(group=[0] * 4, trajectory=[0] * 4, reward=[0.0] * 4, **moves)
        >>> looped().observe(batch)["looped"].values
        array([0., 0., 1., 1.])
    """
    if longest < 1:
        raise ShapeError(f"looped: longest is {longest}; a cycle has at least one step; give 1 or more")
    return Reading(name, Looped(longest), level="step")


@dataclass(frozen=True)
class ShareOf:
    """What `loop_share` reads: the mean over a play's steps of a step fact."""

    read: Callable[[Batch], Column]

    def __call__(self, batch: Batch) -> Column:
        """Unscored where a step's fact is missing, the play failed, or it has no steps."""
        column, owner, n = self.read(batch), batch.trajectory_of_step, batch.size("trajectory")
        missing = segments.total((~column.valid).astype(float), owner, n)
        share = segments.mean(column.filled(0.0), owner, n)
        return Column("trajectory", share, _whole(batch) & (missing == 0) & (segments.count(owner, n) > 0))


def loop_share(name: str = "loop_share", longest: int = 8) -> Reading:
    """An observer: the share of a play's steps that are `looped`. Unscored: a step not recorded, no steps, failed.

    Example:
        >>> moves = {"state": [1] * 4, "action": ["a"] * 4}
        >>> batch = Batch.from_steps(group=[0] * 4, trajectory=[0] * 4, reward=[0.0] * 4, **moves)
        >>> loop_share().observe(batch)["loop_share"].values
        array([0.75])
    """
    return Reading(name, ShareOf(looped(longest=longest).read))


def reads_as_error(text: str) -> bool:
    """Whether what a tool answered is an error, by the usual forms.

    It begins with "error", "exception" or "traceback (most recent call last)", or it is a JSON object with an `error`
    that is not empty, a `status` of "error" or "failed", or `success` or `ok` false.

    Example:
        >>> reads_as_error("Error: no such file"), reads_as_error('{"ok": true}'), reads_as_error("No errors.")
        (True, False, False)
    """
    start = text.lstrip()[:40].casefold()
    if start.startswith(("error", "exception", "traceback (most recent call last)")):
        return True
    if not start.startswith("{") or len(text) > 200_000:
        return False
    given = json_of(text)
    if not isinstance(given, dict):
        return False
    status = given.get("status")
    return (
        bool(given.get("error"))
        or (isinstance(status, str) and status.casefold() in ("error", "failed"))
        or given.get("success") is False
        or given.get("ok") is False
    )


@dataclass(frozen=True)
class ToolError:
    """What `tool_error` reads: see there."""

    says: Callable[[str], bool] = reads_as_error
    column: str = "observation"

    def __call__(self, batch: Batch) -> Column:
        """The column of facts; each distinct text is looked at once."""
        batch.need([self.column], "tool_error")
        seen = batch[self.column]
        values = seen.values if isinstance(seen.values, pa.Array) else pa.array(seen.tolist(), pa.string())
        coded = values if isinstance(values, pa.DictionaryArray) else values.dictionary_encode()
        says = np.array([t is not None and self.says(t) for t in coded.dictionary.to_pylist()] + [False], float)
        error = says[np.asarray(coded.indices.fill_null(len(says) - 1))]
        answered = ~segments.last(batch.trajectory_of_step)
        after = np.flatnonzero(answered) + 1
        out, valid = np.zeros(len(error)), np.zeros(len(error), bool)
        out[answered], valid[answered] = error[after], seen.valid[after]
        return Column("step", out, valid)


def tool_error(
    name: str = "tool_error", says: Callable[[str], bool] = reads_as_error, column: str = "observation"
) -> Reading:
    """An observer at step level: 1 where what came back for the step's action, the next observation, is an error.

    Missing at a play's last step, after which nothing was observed, and where the next observation was not recorded.

    Args:
        says: of a text, whether it is an error.

    Example:
        >>> from guerdon.records import Step, Trajectory
        >>> play = Trajectory("p", steps=(Step("go", "ls x"), Step("Error: no x", "ls"), Step("a b", "done")))
        >>> tool_error().observe(Batch.of([play]))["tool_error"].tolist()
        [1.0, 0.0, None]
    """
    return Reading(name, ToolError(says, column), level="step")


@dataclass(frozen=True)
class ToolErrors:
    """What `tool_errors` reads: see there."""

    at_steps: ToolError = ToolError()

    def __call__(self, batch: Batch) -> Column:
        """The column of counts."""
        column, owner, n = self.at_steps(batch), batch.trajectory_of_step, batch.size("trajectory")
        unknown = ~column.valid & ~segments.last(owner)
        lost = segments.total(unknown.astype(float), owner, n)
        return Column("trajectory", segments.total(column.filled(0.0), owner, n), _whole(batch) & (lost == 0))


def tool_errors(
    name: str = "tool_errors", says: Callable[[str], bool] = reads_as_error, column: str = "observation"
) -> Reading:
    """An observer: how many of a play's actions came back as an error; what the last one brought is not known.

    See `tool_error`. Unscored: an observation after the first was not recorded; a failed play.

    Example:
        >>> from guerdon.records import Step, Trajectory
        >>> play = Trajectory("p", steps=(Step("go", "ls x"), Step("Error: no x", "ls"), Step("a b", "done")))
        >>> tool_errors().observe(Batch.of([play]))["tool_errors"].values
        array([1.])
    """
    return Reading(name, ToolErrors(ToolError(says, column)), high=np.inf)
