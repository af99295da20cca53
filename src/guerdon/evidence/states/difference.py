"""What changed between two states, and was it what should have changed? Precision and recall of edits."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from numbers import Real
from typing import Any

from guerdon.evidence.grading import Grading
from guerdon.evidence.plain import DEPTH, atom, json_of, loads
from guerdon.evidence.texts.overlap import overlap
from guerdon.evidence.texts.words import shown
from guerdon.records import Verdict

LEAVES = 100_000
"""A state with more values than this is not compared."""

GONE = ("gone", None)
"""The value at a path where there is nothing."""

Path = tuple[str | int, ...]


class TooLarge(ValueError):
    """A state has more values, or lies deeper, than what is compared."""


def leaves(state: Any, by: Collection[str] = (), ignore: Collection[str] = ()) -> dict[Path, tuple]:
    """Every value of a nested state by its path; an empty list or object is a value.

    Args:
        by: keys that identify a record. A list of objects that all have one of them, each another text or number,
            is read as a table: its path has that id (`id=x`) for the place, so order does not matter and an
            insertion is one change.
        ignore: keys that are left out wherever they stand: time stamps, generated ids.

    Raises:
        TooLarge: more than 100,000 values, or nested more than 64 deep.

    Example:
        >>> leaves({"a": [1, {}]})
        {('a', 0): ('number', 1), ('a', 1): ('dict', None)}
        >>> list(leaves([{"id": "x", "n": 2}], by=("id",)))
        [('id=x', 'id'), ('id=x', 'n')]
    """
    out: dict[Path, tuple] = {}
    waiting: list[tuple[Path, Any]] = [((), state)]
    left_out = frozenset(ignore)
    while waiting:
        path, value = waiting.pop()
        if isinstance(value, dict):
            inner = [(key, v) for key, v in value.items() if key not in left_out]
        elif isinstance(value, list | tuple):
            inner = _places(value, by)
        else:
            out[path] = atom(value)
            continue
        if not inner:
            out[path] = ("list" if isinstance(value, list | tuple) else "dict", None)
        if len(path) >= DEPTH or len(out) + len(waiting) + len(inner) > LEAVES:
            raise TooLarge(f"more than {LEAVES} values, or more than {DEPTH} deep")
        waiting += [((*path, key), v) for key, v in reversed(inner)]
    return out


def _places(rows: list | tuple, by: Collection[str]) -> list[tuple[str | int, Any]]:
    for key in by:
        ids = [row.get(key) if isinstance(row, dict) else None for row in rows]
        if all(isinstance(i, str | int) and not isinstance(i, bool) for i in ids) and len(set(map(str, ids))) == len(
            ids
        ):
            return [(f"{key}={i}", row) for i, row in zip(ids, rows, strict=True)]
    return list(enumerate(rows))


def changes(before: dict[Path, tuple], after: dict[Path, tuple]) -> dict[Path, tuple]:
    """The paths whose value differs, with the value after; `GONE` where there is none any more.

    Example:
        >>> changes(leaves({"a": 1, "b": 2}), leaves({"a": 1, "c": 3}))
        {('c',): ('number', 3), ('b',): ('gone', None)}
    """
    out = {path: value for path, value in after.items() if before.get(path) != value}
    return out | dict.fromkeys((path for path in before if path not in after), GONE)


@dataclass(frozen=True)
class Edits:
    """How the edits made compare with the edits wanted.

    Attributes:
        made, wanted, right: how many were made, wanted, and both.
    """

    made: int
    wanted: int
    right: int

    @property
    def surplus(self) -> int:
        """Edits made and not wanted, among them wrong values at places that had to change."""
        return self.made - self.right

    @property
    def precision(self) -> float:
        """right / made; 1 where nothing was changed, so nothing wrongly."""
        return self.right / self.made if self.made else 1.0

    @property
    def recall(self) -> float:
        """right / wanted; 1 where nothing had to change."""
        return self.right / self.wanted if self.wanted else 1.0

    def f(self, beta: Real = 1.0) -> float:
        """The F of both; 1 where nothing had to change and nothing did, 0 where only one of these holds."""
        if not self.made or not self.wanted:
            return float(self.made == self.wanted)
        return overlap(self.right, self.made, self.wanted, beta).f


def edits(before: Any, after: Any, wanted: Any, by: Collection[str] = (), ignore: Collection[str] = ()) -> Edits:
    """The edits from `before` to `after` beside those from `before` to `wanted`. An edit is a path and its new value.

    Raises:
        TooLarge: as `leaves`.

    Example:
        >>> edits({"a": 1, "b": 2}, {"a": 5, "b": 3}, {"a": 5, "b": 2})
        Edits(made=2, wanted=1, right=1)
    """
    return _edits(*(leaves(state, by, ignore) for state in (before, after, wanted)))


def _edits(old: dict[Path, tuple], new: dict[Path, tuple], goal: dict[Path, tuple]) -> Edits:
    made, asked = changes(old, new), changes(old, goal)
    return Edits(len(made), len(asked), sum(asked.get(path) == value for path, value in made.items()))


@dataclass(frozen=True)
class StateMatch:
    """The grader of `state_match`: called with the states after, before and wanted."""

    by: tuple[str, ...] = ()
    ignore: tuple[str, ...] = ()
    beta: Real = 1.0

    def __call__(self, after: Any, before: Any, wanted: Any) -> Verdict:
        """The F of the edits."""
        old, goal = json_of(before), json_of(wanted)
        if not isinstance(old, dict | list) or not isinstance(goal, dict | list):
            return Verdict.unscored("the state before, or the one wanted, is no JSON object or list")
        try:
            old, goal = leaves(old, self.by, self.ignore), leaves(goal, self.by, self.ignore)
        except TooLarge as error:
            return Verdict.unscored(f"the state before, or the one wanted, has {error}")
        try:
            new = loads(after) if isinstance(after, str) else after
            found = _edits(old, leaves(new, self.by, self.ignore), goal)
        except TooLarge as error:
            return Verdict.score(0.0, why=f"the state has {error}")
        except ValueError as error:
            return Verdict.score(0.0, why=f"the state is not JSON: {shown(str(error))}")
        return Verdict.score(
            found.f(self.beta), precision=found.precision, recall=found.recall, made=found.made, wanted=found.wanted,
            right=found.right, equal=float(found.made == found.wanted == found.right),
            surplus=found.surplus / (found.wanted + 1),
        )  # fmt: skip


def state_match(
    name: str = "state",
    after: str = "final_state",
    before: str = "task_state",
    wanted: str = "reference",
    by: tuple[str, ...] = (),
    ignore: tuple[str, ...] = (),
    beta: Real = 1.0,
) -> Grading:
    """An observer: the F of the edits that a play made to a nested JSON state, in [0, 1].

        made = changes(before, after), wanted = changes(before, wanted), right = both, as (path, new value)
        precision = right / made, recall = right / wanted, F = (1 + beta^2) P R / (beta^2 P + R)

    Nothing had to change (an empty `wanted`): recall is 1, F is 1 where nothing was changed and 0 otherwise. Nothing
    was changed though something had to: precision 1, recall 0, F 0.

    Args:
        after: a column with the state that the play left, JSON text; a step column counts by its last step.
        before, wanted: trajectory columns, JSON text.
        by, ignore: as in `leaves`.

    Facts: `precision`, `recall`, `made`, `wanted`, `right`, `equal` (1 where the states are, but for what is
    ignored), `surplus` = (made - right) / (wanted + 1). A whole record that goes or comes counts by its values, and
    a list that is emptied by the values that went and the empty list that came.

    A state after that is no JSON, or too large, is the candidate's and scores 0; unscored: one of the other two is
    missing or no JSON; a failed play.

    Source: LOGIGEN (arXiv 2603.00540), of which the dense reward is not published. As derived it is the Term
    fact("state/recall") - lambda * fact("state/surplus") + fact("state/equal"); recall alone pays for changing
    everything.

    Example:
        >>> from guerdon.batch import Batch, Column
        >>> batch = Batch.from_steps(group=[0], trajectory=[0], reward=[0.0], action=["cancel"])
        >>> texts = {"final_state": '{"a": 0, "b": 9}', "task_state": '{"a": 1, "b": 2}'}
        >>> texts["reference"] = '{"a": 0, "b": 2}'
        >>> batch = batch.with_columns(**{k: Column.of("trajectory", [v]) for k, v in texts.items()})
        >>> seen = state_match().observe(batch)
        >>> seen["state/precision"].values, seen["state/recall"].values
        (array([0.5]), array([1.]))
    """
    return Grading(name, StateMatch(by, ignore, beta), reads=(after, before, wanted), cost="free", deadline=None)
