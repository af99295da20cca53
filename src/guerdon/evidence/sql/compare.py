"""Are two query results the same? Rows, columns and values, with what may differ said as options."""

from __future__ import annotations

import bisect
import datetime
import decimal
import itertools
import math
import re
import uuid
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

Rows = Sequence[Sequence[Any]]
Arrange = Callable[["Table", "Table", float], Iterator[tuple[int, ...]]]
TRIES = 50  # arrangements of columns that are compared before giving up
STEPS = 20_000  # partial arrangements that are looked at before giving up
PAIRS = 1_000_000  # pairs of rows that are compared for a maximum matching; beyond, rows are paired as sorted


@dataclass(frozen=True)
class Table:
    """A query's result.

    Attributes:
        rows: of plain values; see `plain`.
        columns: their names, as the engine gives them; empty where they are not known.
    """

    rows: Rows
    columns: tuple[str, ...] = ()

    @property
    def width(self) -> int:
        """How many columns there are."""
        return len(self.columns) or (len(self.rows[0]) if len(self.rows) else 0)


@dataclass(frozen=True)
class Exact:
    """A whole number, text, bytes or nested value that matches only itself; `kind` keeps 1 and '1' apart."""

    kind: str
    value: Any


def plain(value: Any) -> Any:
    """A value as it is compared: None, a float, or something `Exact`.

    Whole numbers, of whatever type, are exact; so true is 1, and 2.0 as a decimal is 2. A float stays
    one, also where it is whole, and then equals the integer within the tolerance. Dates, times and
    UUIDs are their ISO text, so that they equal the text that sqlite keeps; with a time zone, in UTC.
    Numbers within lists and structs are compared exactly.

    Example:
        >>> plain(True) == plain(1), plain(decimal.Decimal("2.00")) == plain(2), plain("1") == plain(1)
        (True, True, False)
        >>> plain(datetime.date(2024, 2, 29)) == plain("2024-02-29")
        True
    """
    if value is None or isinstance(value, float):
        return value
    if isinstance(value, bool | int):
        return Exact("number", int(value))
    if isinstance(value, str):
        return Exact("text", value)
    if isinstance(value, decimal.Decimal):
        whole = value.is_finite() and value == value.to_integral_value()
        return Exact("number", int(value)) if whole else float(value)
    if isinstance(value, bytes | bytearray | memoryview):
        return Exact("bytes", bytes(value))
    if isinstance(value, datetime.datetime):
        return Exact("text", (value.astimezone(datetime.UTC) if value.tzinfo else value).isoformat(" "))
    if isinstance(value, datetime.date | datetime.time):
        return Exact("text", value.isoformat())
    if isinstance(value, datetime.timedelta):
        return Exact("interval", value)
    if isinstance(value, dict):
        return Exact("struct", tuple(sorted((str(k), repr(plain(v))) for k, v in value.items())))
    if isinstance(value, list | tuple):
        return Exact("list", tuple(repr(plain(v)) for v in value))
    return Exact("text", str(value)) if isinstance(value, uuid.UUID) else Exact(type(value).__name__, repr(value))


def same_value(a: Any, b: Any, tolerance: float) -> bool:
    """Whether two plain values are the same: |a - b| <= tolerance * max(1, |a|, |b|) where one is a float.

    NULL equals NULL and nothing else; NaN equals NaN; an infinity equals itself.

    Example:
        >>> same_value(plain(1), plain(1.0000001), 1e-6), same_value(None, plain(0), 1e-6)
        (True, False)
    """
    if isinstance(a, float) or isinstance(b, float):
        a, b = _number(a), _number(b)
        if a is None or b is None:
            return False
        if math.isnan(a) or math.isnan(b):
            return math.isnan(a) and math.isnan(b)
        return a == b or (math.isfinite(a) and math.isfinite(b) and abs(a - b) <= tolerance * max(1.0, abs(a), abs(b)))
    return a == b


_SKIPPED = re.compile(r"""'(?:[^']|'')*'|"(?:[^"]|"")*"|`[^`]*`|--[^\n]*|/\*.*?(?:\*/|\Z)""", re.S)


def where_ordered(query: str) -> bool:
    """Whether a query orders its rows itself: an ORDER BY outside of all brackets, texts and comments.

    Example:
        >>> where_ordered("select a from t order by a"), where_ordered("select a from (select a from t order by a)")
        (True, False)
    """
    words, depth = [], 0
    for token in re.findall(r"[()]|\w+", _SKIPPED.sub(" x ", query)):
        depth += (token == "(") - (token == ")")
        if not depth:
            words.append(token.casefold())
    return ("order", "by") in itertools.pairwise(words)


def in_order(said: Table, wanted: Table, tolerance: float) -> Iterator[tuple[int, ...]]:
    """Columns count by position; names do not."""
    if said.width == wanted.width:
        yield tuple(range(wanted.width))


def by_name(said: Table, wanted: Table, tolerance: float) -> Iterator[tuple[int, ...]]:
    """Columns count by name, without regard to case, in any order; of equal names, the first is the first."""
    places = defaultdict(list)
    for place, name in reversed(list(enumerate(said.columns))):
        places[name.casefold()].append(place)
    names = [name.casefold() for name in wanted.columns]
    if Counter(names) == {name: len(found) for name, found in places.items()}:
        yield tuple(places[name].pop() for name in names)


def any_order(said: Table, wanted: Table, tolerance: float) -> Iterator[tuple[int, ...]]:
    """Columns in any order, whatever their names: every arrangement in which each column has the right values.

    At most 50 arrangements are tried; more can only stand open where many columns hold nearly the same.
    """
    if said.width != wanted.width or len(said.rows) == 0:
        yield from in_order(said, wanted, tolerance)
        return
    mine, theirs = ([_profile(table, i) for i in range(table.width)] for table in (said, wanted))
    fits = [[i for i, m in enumerate(mine) if _alike(m, t, tolerance)] for t in theirs]
    if _maximum_matching(fits, said.width) == wanted.width:
        yield from itertools.islice(_arrangements(fits), TRIES)


@dataclass(frozen=True)
class Comparison:
    """What has to agree for two results to be the same.

    Attributes:
        ordered: whether rows have to come in the same order; or a function of the reference query that says so, such
            as `where_ordered`: as the reference asks. Rows that are given without a query have no order then.
        duplicates: whether a row that comes twice has to come twice; without it, results are sets.
        tolerance: of floats: |a - b| <= tolerance * max(1, |a|, |b|). Whole numbers have to be equal.
        columns: `in_order`, `by_name` or `any_order`, or a function like them that yields, per arrangement,
            which of the said columns stands where.
    """

    ordered: bool | Callable[[str], bool] = False
    duplicates: bool = True
    tolerance: float = 1e-6
    columns: Arrange = in_order

    def of(self, query: str) -> Comparison:
        """The same for one reference query, with the order settled."""
        return self if isinstance(self.ordered, bool) else replace(self, ordered=bool(self.ordered(query)))


@dataclass(frozen=True)
class Agreement:
    """How far two results agree.

    Attributes:
        same: whether they are the same.
        matched: rows that found their equal; of each row at most as many as the other result has.
        said, wanted: rows that were counted.
    """

    same: bool
    matched: int
    said: int
    wanted: int

    @property
    def precision(self) -> float:
        """The share of the said rows that are wanted; 1 where none was said and none wanted."""
        return self.matched / self.said if self.said else float(not self.wanted)

    @property
    def recall(self) -> float:
        """The share of the wanted rows that were said; 1 where none is wanted."""
        return self.matched / self.wanted if self.wanted else 1.0


def agreement(said: Table, wanted: Table, comparison: Comparison = Comparison()) -> Agreement:
    """How far a result agrees with the wanted one; of several arrangements of columns, the best.

    Without an order, rows are matched one to one: by what is exact first, then within the tolerance.
    Closeness is not transitive, so sorting alone would not do; where several floats stand in a row, a
    maximum matching decides.

    Example:
        >>> said = Table([(1, "a"), (2, "b")])
        >>> agreement(said, Table([(2, "b"), (3, "c")])).recall
        0.5
    """
    comparison, best = comparison.of(""), Agreement(False, 0, len(said.rows), len(wanted.rows))
    b = [tuple(map(plain, row)) for row in wanted.rows]
    a = [tuple(map(plain, row)) for row in said.rows]
    for arrangement in comparison.columns(said, wanted, comparison.tolerance):
        moved = [tuple(row[i] for i in arrangement) for row in a]
        found = _compared(moved, b, comparison)
        if found.same:
            return found
        best = max(best, found, key=lambda one: one.matched)
    return best


def same_result(
    rows: Rows, wanted: Rows, ordered: bool = False, tolerance: float = 1e-6, duplicates: bool = True
) -> bool:
    """Whether two results have the same rows; columns count by position.

    Args:
        rows, wanted: lists of rows, as an engine or JSON gives them.
        ordered, tolerance, duplicates: see `Comparison`.

    Example:
        >>> same_result([(1, 0.5), (2, None)], [(2, None), (1, 0.5000001)])
        True
        >>> same_result([(1,), (1,)], [(1,)]), same_result([(1,), (1,)], [(1,)], duplicates=False)
        (False, True)
    """
    return agreement(Table(rows), Table(wanted), Comparison(ordered, duplicates, tolerance)).same


def _number(value: Any) -> float | None:
    if isinstance(value, float):
        return value
    if not (isinstance(value, Exact) and value.kind == "number"):
        return None
    try:
        return float(value.value)
    except OverflowError:
        return math.inf if value.value > 0 else -math.inf


def _compared(a: list[tuple], b: list[tuple], comparison: Comparison) -> Agreement:
    tolerance = comparison.tolerance
    if not comparison.duplicates:
        a, b = _distinct(a, tolerance), _distinct(b, tolerance)
    if comparison.ordered:
        matched = sum(_same_row(x, y, tolerance) for x, y in zip(a, b, strict=False))
    else:
        matched = _matched(a, b, tolerance)
    return Agreement(matched == len(a) == len(b), matched, len(a), len(b))


def _same_row(x: tuple, y: tuple, tolerance: float) -> bool:
    return len(x) == len(y) and all(same_value(i, j, tolerance) for i, j in zip(x, y, strict=True))


def _distinct(rows: list[tuple], tolerance: float) -> list[tuple]:
    """Each row once, in the order of first appearance; rows within the tolerance of the one before, sorted, are one."""
    out: list[tuple] = []
    for group in _grouped(rows).values():
        kept: tuple | None = None
        for place in sorted(group, key=lambda i: _floats(rows[i])):
            if kept is None or not _same_row(rows[kept[0]], rows[place], tolerance):
                kept = (place,)
                out.append(kept)
    return [rows[place] for (place,) in sorted(out)]


def _grouped(rows: Iterable[tuple]) -> dict[tuple, list[int]]:
    """Places by what can only match exactly. Any number may match a float, so all numbers leave the key."""
    out: dict[tuple, list[int]] = defaultdict(list)
    for place, row in enumerate(rows):
        out[tuple("number" if _number(v) is not None else v for v in row)].append(place)
    return out


def _floats(row: tuple) -> tuple:
    numbers = [n for n in map(_number, row) if n is not None]
    return tuple((math.isnan(n), 0.0 if math.isnan(n) else n) for n in numbers)


def _matched(a: list[tuple], b: list[tuple], tolerance: float) -> int:
    matched, theirs = 0, _grouped(b)
    for key, mine in _grouped(a).items():
        matched += _most([a[i] for i in mine], [b[i] for i in theirs.get(key, ())], tolerance)
    return matched


def _most(a: list[tuple], b: list[tuple], tolerance: float) -> int:
    """The most pairs of rows that are the same. Those that are equal outright are paired first where that is enough."""
    equal = Counter(a) & Counter(b)
    if sum(equal.values()) == min(len(a), len(b)):
        return sum(equal.values())
    a, b = sorted(a, key=_floats), sorted(b, key=_floats)
    pairs = [_same_row(x, y, tolerance) for x, y in zip(a, b, strict=False)]
    if all(pairs):
        return len(pairs)
    first = [next(iter(_floats(row)), (False, 0.0)) for row in b]
    if sum(len(_window(first, x, tolerance)) for x in a) > PAIRS:
        return sum(pairs)
    near = [[j for j in _window(first, x, tolerance) if _same_row(x, b[j], tolerance)] for x in a]
    return _maximum_matching(near, len(b))


def _window(first: list[tuple], row: tuple, tolerance: float) -> range:
    """Places of `first`, sorted, that may be within the tolerance of the row's first number."""
    nan, x = next(iter(_floats(row)), (False, 0.0))
    if not math.isfinite(x) or nan:
        return range(bisect.bisect_left(first, (nan, x)), bisect.bisect_right(first, (nan, x)))
    reach = tolerance * max(1.0, abs(x)) * (1 + 2 * tolerance) if tolerance < 0.5 else math.inf
    return range(bisect.bisect_left(first, (False, x - reach)), bisect.bisect_right(first, (False, x + reach)))


def _maximum_matching(near: list[list[int]], n: int) -> int:
    """Augmenting paths, without recursion: what each row of one side may be paired with on the other."""
    owner, held = [-1] * n, [-1] * len(near)
    for start in range(len(near)):
        came: dict[int, int] = {}  # place on the other side -> row that reached it
        queue, end = [start], -1
        while queue and end < 0:
            row = queue.pop()
            for place in near[row]:
                if place not in came:
                    came[place] = row
                    if owner[place] < 0:
                        end = place
                        break
                    queue.append(owner[place])
        while end >= 0:
            row = came[end]
            owner[end], held[row], end = row, end, held[row]
    return sum(place >= 0 for place in held)


def _profile(table: Table, place: int) -> list[tuple]:
    return [(plain(row[place]),) for row in table.rows]


def _alike(mine: list[tuple], theirs: list[tuple], tolerance: float) -> bool:
    """Whether two columns hold values that are the same as sets, which every right arrangement needs."""
    mine, theirs = _distinct(mine, tolerance), _distinct(theirs, tolerance)
    return _matched(mine, theirs, 2 * tolerance) == max(len(mine), len(theirs))


def _arrangements(fits: list[list[int]]) -> Iterator[tuple[int, ...]]:
    """One of each list, no place twice; depth first without recursion, the narrowest list first."""
    order = sorted(range(len(fits)), key=lambda i: len(fits[i]))
    stack: list[tuple[int, ...]] = [()]
    for _ in range(STEPS):
        if not stack:
            return
        chosen = stack.pop()
        if len(chosen) == len(fits):
            out = [0] * len(fits)
            for where, place in zip(order, chosen, strict=True):
                out[where] = place
            yield tuple(out)
            continue
        stack += [(*chosen, p) for p in reversed(fits[order[len(chosen)]]) if p not in chosen]
