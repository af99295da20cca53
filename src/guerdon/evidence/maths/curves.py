"""Two equations that are no multiples of each other: is there a point that solves one and not the other?"""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction

from guerdon.evidence.maths.expressions import points
from guerdon.evidence.maths.numbers import Evaluator, TooBig, Undecided, Undefined, symbols

GRID = [Fraction(k, 3) for k in (-300, -90, -30, -17, -10, -7, -4, -2, -1, 0, 1, 2, 4, 7, 10, 17, 30, 90, 300)]
HALVINGS = 100
CLEAR = Fraction(1, 10**12)  # from nought, at a root that is known to 10^-28


def apart(a: tuple, b: tuple) -> bool:
    """Whether `a = 0` and `b = 0`, polynomials over the fractions, have different solutions, shown by a root of one.

    False says nothing: no root was found where the other is not nought.

    Example:
        >>> from guerdon.evidence.maths.parse import parse
        >>> apart(parse("x^2+y^2-2"), parse("x^2+y^2-4")), apart(parse("x^2+1"), parse("x^2+2"))
        (True, False)
    """
    if not (polynomial(a) and polynomial(b)):
        return False
    names = sorted(symbols(a) | symbols(b))
    try:
        return any(_misses(p, q, point, name) for point in points(a, b, names) for name in names
                   for p, q in ((a, b), (b, a)))  # fmt: skip
    except (Undecided, Undefined, TooBig):
        return False


def polynomial(tree: tuple) -> bool:
    """Whether a tree is a polynomial with fractions before its powers.

    Example:
        >>> from guerdon.evidence.maths.parse import parse
        >>> polynomial(parse("x^2/3-y")), polynomial(parse("1/x")), polynomial(parse(r"x-\\pi"))
        (True, False, False)
    """
    kind = tree[0]
    if kind == "s":
        return tree[1] not in ("\\pi", "e", "i", "\\infty", "\\ldots")
    if kind == "^":
        power = tree[2]
        return power[0] == "n" and power[1].denominator == 1 and 0 <= power[1] <= 9 and polynomial(tree[1])
    if kind == "/":
        return tree[2][0] == "n" and tree[2][1] != 0 and polynomial(tree[1])
    parts = {"n": (), "-": tree[1:], "+": tree[1], "*": tree[1]}.get(kind)
    return parts is not None and all(map(polynomial, parts))


def _misses(p: tuple, q: tuple, point: dict[str, Fraction], name: str) -> bool:
    """Whether a root of p on the line through the point, along one name, is none of q."""

    def along(tree: tuple) -> Callable[[Fraction], Fraction]:
        return lambda t: Evaluator({**point, name: t}, complex_=False).value(tree)

    f, g = along(p), along(q)
    values = [f(t) for t in GRID]
    for low, high, below, above in zip(GRID, GRID[1:], values, values[1:], strict=False):
        if below * above < 0:
            root = _root(f, low, high, below)
            return abs(g(root)) > CLEAR
    return False


def _root(f: Callable[[Fraction], Fraction], low: Fraction, high: Fraction, below: Fraction) -> Fraction:
    for _ in range(HALVINGS):
        middle = (low + high) / 2
        value = f(middle)
        if value == 0:
            return middle
        low, high = (middle, high) if value * below > 0 else (low, middle)
    return low
