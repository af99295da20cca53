"""JSON as it comes in columns, read safely: nothing twice, nothing too deep, nothing that is no number."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import numpy as np

from guerdon.batch import Batch
from guerdon.evidence.grading import rows_of
from guerdon.records import Verdict

DEPTH = 64
"""How deep lists and objects may lie in each other."""

Path = tuple[str | int, ...]


def loads(text: str) -> Any:
    """The value of a JSON text.

    Raises:
        ValueError: it is not JSON, names a key twice, holds NaN or Infinity, is nested more than 64 deep, or has a
            number of more digits than Python reads.

    Example:
        >>> loads('{"a": [1, true]}')
        {'a': [1, True]}
    """
    try:
        value = json.loads(text, object_pairs_hook=_once, parse_constant=_no_number)
    except RecursionError:
        raise ValueError(f"nested more than {DEPTH} deep") from None
    if depth(value) > DEPTH:
        raise ValueError(f"nested more than {DEPTH} deep")
    return value


def _once(pairs: list[tuple[str, Any]]) -> dict:
    out = dict(pairs)
    if len(out) < len(pairs):
        raise ValueError("a key is given twice")
    return out


def _no_number(name: str) -> Any:
    raise ValueError(f"{name} is not JSON")


def json_of(given: Any) -> Any:
    """A value that may come parsed or as JSON text; None where the text is not JSON.

    Example:
        >>> json_of("[1]"), json_of([1]), json_of("{")
        ([1], [1], None)
    """
    if not isinstance(given, str):
        return given
    try:
        return loads(given)
    except ValueError:
        return None


def depth(value: Any) -> int:
    """How deep lists and objects lie in each other; counting stops past 64, so it never recurses.

    Example:
        >>> depth(3), depth([[], {"a": [1]}])
        (0, 3)
    """
    found, layer = 0, [value]
    while found <= DEPTH:
        layer = [v for v in layer if isinstance(v, dict | list | tuple)]
        if not layer:
            return found
        found += 1
        layer = [inner for v in layer for inner in (v.values() if isinstance(v, dict) else v)]
    return found


def atom(value: Any) -> tuple:
    """A key of a value without members, equal where JSON's values are: 1 is 1.0, and neither is true.

    Example:
        >>> atom(1) == atom(1.0), atom(1) == atom(True)
        (True, False)
    """
    kind = "number" if isinstance(value, int | float) and not isinstance(value, bool) else type(value).__name__
    return kind, value


def same(a: Any, b: Any) -> bool:
    """Whether two JSON values are equal: by type, 1 equal to 1.0 and not to true; the order of keys is no matter.

    Never recurses, so depth cannot hurt it.

    Example:
        >>> same({"a": [1, None]}, {"a": [1.0, None]}), same([True], [1])
        (True, False)
    """
    waiting = [(a, b)]
    while waiting:
        x, y = waiting.pop()
        if isinstance(x, dict) and isinstance(y, dict):
            if x.keys() != y.keys():
                return False
            waiting += [(x[key], y[key]) for key in x]
        elif isinstance(x, list | tuple) and isinstance(y, list | tuple):
            if len(x) != len(y):
                return False
            waiting += zip(x, y, strict=True)
        elif isinstance(x, dict | list | tuple) or isinstance(y, dict | list | tuple) or atom(x) != atom(y):
            return False
    return True


def texts_of(given: Any) -> list[str] | None:
    """A list of ids or names, given as a list, as its JSON, or as one text; None where it is neither.

    Numbers become their text: `3` and `"3"` are one id. Truth values and members that are lists are refused.

    Example:
        >>> texts_of('["d1", 2]'), texts_of("d1"), texts_of("[1, [2]]")
        (['d1', '2'], ['d1'], None)
    """
    if isinstance(given, str):
        if not given.lstrip().startswith(("[", "{")):
            return [given] if given.strip() else []
        given = json_of(given)
    if not isinstance(given, list | tuple):
        return None
    if any(isinstance(item, bool) or not isinstance(item, str | int | float) for item in given):
        return None
    return [item if isinstance(item, str) else f"{item:g}" if isinstance(item, float) else str(item) for item in given]


def plays(batch: Batch, step: str, reads: Sequence[str], who: str) -> tuple[list[tuple], list[Verdict | None]]:
    """For each play the values of a step column, all of them in order, then those of `reads`; and what stands already.

    As `rows_of`, but every step counts and not the last. A play in which one of the values is missing is unscored.

    Args:
        step: a step column.
        reads: trajectory columns.
    """
    batch.need([step, *reads], who)
    column, n = batch[step], batch.size("trajectory")
    rows, verdicts = rows_of(batch, reads, "trajectory", who)
    values, end = column.tolist(), np.cumsum(batch.counts("step"))
    for i in np.unique(batch.trajectory_of_step[~column.valid]).tolist():
        verdicts[i] = verdicts[i] or Verdict.unscored(f"{step} is missing at a step")
    begin = [0, *end.tolist()]
    return [(values[begin[i] : begin[i + 1]], *rows[i]) for i in range(n)], verdicts
