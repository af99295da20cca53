"""Intervals and the inequalities that describe them, in one form: a sorted run of pieces with ends."""

from __future__ import annotations

from fractions import Fraction
from functools import cmp_to_key

from guerdon.evidence.maths.expressions import equal_values
from guerdon.evidence.maths.numbers import Evaluator, Undecided, Undefined, symbols

LOW, HIGH = ("-", ("s", "\\infty")), ("s", "\\infty")
TURNED = {"<": ">", ">": "<", "<=": ">=", ">=": "<=", "=": "=", "!=": "!="}
Piece = tuple[tuple, tuple, bool, bool]  # from, to, and whether each end is left out


def pieces(tree: tuple) -> tuple[str, list[Piece]] | None:
    """A variable ("" where none is named) and the pieces of the line; None for what is no such set.

    Two numbers in brackets are read as an interval.

    Example:
        >>> from guerdon.evidence.maths.parse import parse
        >>> pieces(parse("2<x")) == ("x", [(("n", Fraction(2), None), HIGH, True, True)])
        True
    """
    kind = tree[0]
    if kind == "seq" and len(tree[2]) == 2:
        return "", [(tree[2][0], tree[2][1], tree[1] == "(", tree[3] == ")")]
    if kind == "cup" or (kind == "list" and tree[2] == "or"):
        parts = [pieces(part) if part[0] != "set" else ("", _points(part)) for part in tree[1]]
        if any(part is None for part in parts):
            return None
        names = {part[0] for part in parts if part and part[0]}
        return (
            (names.pop() if names else "", [p for part in parts if part for p in part[1]]) if len(names) < 2 else None
        )
    if kind == "list" and tree[2] == "and":  # all of them hold
        parts = [pieces(part) for part in tree[1]]
        names = {part[0] for part in parts if part}
        if len(names) != 1 or None in parts:
            return None
        run = parts[0][1]
        for part in parts[1:]:
            run = [_meet(p, q) for p in run for q in part[1]]
        return names.pop(), run
    if kind == "cut":
        whole = pieces(tree[1])
        if whole is None or tree[2][0] != "set":
            return None
        run = whole[1]
        for point in tree[2][1]:
            run = [_meet(p, q) for p in run for q in _half("!=", point)]
        return whole[0], run
    if kind == "rel":
        return _relation(tree)
    return None


def same_pieces(a: list[Piece], b: list[Piece]) -> bool | None:
    """Whether two runs of pieces are the same set; None where an end cannot be placed."""
    first, second = merged(a), merged(b)
    if first is None or second is None:
        return None
    if len(first) != len(second):
        return False
    verdict: bool | None = True
    for (p, q, po, qo), (r, s, ro, so) in zip(first, second, strict=True):
        if (po, qo) != (ro, so):
            return False
        for x, y in ((p, r), (q, s)):
            same = x == y or (False if _endless(x) or _endless(y) else equal_values(x, y))
            if same is False:
                return False
            verdict = None if same is None else verdict
    return verdict


def merged(run: list[Piece]) -> list[Piece] | None:
    """Pieces from left to right, those that touch joined; None where an end has no value."""
    try:
        keyed = sorted(((_place(p[0]), _place(p[1]), p) for p in run), key=cmp_to_key(_before))
    except (Undecided, Undefined):
        return None
    out: list[tuple] = []
    for low, high, (a, b, open_a, open_b) in keyed:
        if low > high or (low == high and (open_a or open_b)):
            continue
        if out and (low < out[-1][1] or (low == out[-1][1] and not (open_a and out[-1][2][3]))):
            _, last, piece = out[-1]
            if high > last or (high == last and not open_b):
                out[-1] = (out[-1][0], high, (piece[0], b, piece[2], open_b))
        else:
            out.append((low, high, (a, b, open_a, open_b)))
    return [piece for _, _, piece in out]


def _relation(tree: tuple) -> tuple[str, list[Piece]] | None:
    signs, sides = tree[1], tree[2]
    if signs == ("in",):
        inner = pieces(sides[1])
        return (_name(sides[0]), inner[1]) if inner else None
    if any(sign not in ("<", "<=", ">", ">=", "!=") for sign in signs):
        return None
    run: list[Piece] = [(LOW, HIGH, True, True)]
    names = set()
    for sign, left, right in zip(signs, sides, sides[1:], strict=False):
        found = _linear(sign, left, right)
        if found is None:
            return None
        names.add(found[0])
        if sign == "!=" and len(signs) > 1:
            return None
        run = found[1] if len(signs) == 1 else [_meet(p, q) for p in run for q in found[1]]
    return (names.pop(), run) if len(names) == 1 else None


def _linear(sign: str, left: tuple, right: tuple) -> tuple[str, list[Piece]] | None:
    """The half-line of an inequality that is linear in one name."""
    for side, other, turned in ((left, right, sign), (right, left, TURNED[sign])):
        if side[:2] == ("f", "abs") and symbols(side) and not symbols(other):
            return _within(turned, side[2], other)
        name = _name(side)
        if name and not symbols(other) - {"\\infty"}:
            return name, _half(turned, other)
    names = symbols(left) | symbols(right)
    if len(names) != 1 or "\\infty" in names:
        return None
    name = next(iter(names))
    gap = ("+", (left, ("-", right)))
    try:
        values = [Evaluator({name: Fraction(x)}, complex_=False).value(gap) for x in (0, 1, 3, 7)]
    except (Undecided, Undefined):
        return None
    if any(not isinstance(v, Fraction) for v in values):
        return None
    slope = values[1] - values[0]
    if slope == 0 or any(v != values[0] + slope * x for v, x in zip(values, (0, 1, 3, 7), strict=True)):
        return None
    return name, _half(sign if slope > 0 else TURNED[sign], ("n", -values[0] / slope, None))


def _within(sign: str, inside: tuple, size: tuple) -> tuple[str, list[Piece]] | None:
    """|x| < c as -c < x < c, and |x| > c as what is left of the line."""
    if sign == "!=" or _place(size) < 0:
        return None
    above, below = _linear(sign, inside, size), _linear(TURNED[sign], inside, ("-", size))
    if above is None or below is None:
        return None
    if sign[0] == ">":
        return above[0], [*below[1], *above[1]]
    return above[0], [_meet(above[1][0], below[1][0])]


def _half(sign: str, end: tuple) -> list[Piece]:
    if sign == "!=":
        return [(LOW, end, True, True), (end, HIGH, True, True)]
    return [(end, HIGH, sign == ">", True)] if sign[0] == ">" else [(LOW, end, True, sign == "<")]


def _meet(p: Piece, q: Piece) -> Piece:
    low = max(((_place(p[0]), p[2]), (_place(q[0]), q[2])))
    high = min(((_place(p[1]), not p[3]), (_place(q[1]), not q[3])))
    return (
        p[0] if (_place(p[0]), p[2]) == low else q[0], p[1] if (_place(p[1]), not p[3]) == high else q[1],
        low[1], not high[1],
    )  # fmt: skip


def _name(tree: tuple) -> str:
    """What an inequality is about: a symbol, or f(x), or the size of a symbol; "" for anything else."""
    if tree[0] == "s":
        return tree[1] if tree[1] not in ("\\infty", "\\pi", "e", "\\ldots") else ""
    if tree[0] == "*" and len(tree[1]) == 2 and all(part[0] == "s" for part in tree[1]) and tree[1][0][1] in "fghFGPWp":
        return f"{tree[1][0][1]}({tree[1][1][1]})"
    return ""


def _points(tree: tuple) -> list[Piece]:
    return [(item, item, False, False) for item in tree[1]]


def _endless(tree: tuple) -> bool:
    return tree in (LOW, HIGH)


def _place(tree: tuple) -> Fraction | float:
    """Where an end lies, well enough to sort by."""
    if _endless(tree):
        return float("inf") if tree == HIGH else float("-inf")
    if tree[0] == "-" and tree[1] == LOW:
        return float("inf")
    value = Evaluator({}).value(tree)
    if isinstance(value, tuple):
        raise Undecided("a complex end")
    return value if isinstance(value, Fraction) else Fraction(value)


def _before(a: tuple, b: tuple) -> int:
    x, y = (a[0], a[2][2], a[1]), (b[0], b[2][2], b[1])
    return (x > y) - (x < y)
