"""Derivatives and words such as lim: what looks like a product of letters and is none."""

from __future__ import annotations

import re

from guerdon.evidence.maths.tokens import Unreadable

WORDS = frozenset(["int", "lim", "sum", "max", "min", "det", "sup", "mod", "gcd", "lcm", "arg", "dim", "ker"])
D = ("s", "d")
_D = r"(?:(?<![A-Za-z\\])d|\\(?:mathrm|text|rm|operatorname)\s*\{\s*d\s*\}|\\partial(?![A-Za-z]))"
_RAISED = r"\s*\^\s*(?:\w|\{\s*\w\s*\})"
MISREAD = re.compile(
    r"(?<![A-Za-z\\])(?:int|lim|sum|det|sup|mod|gcd|lcm|arg|dim|ker|(?:max|min)(?=\s*[({_\\]))(?![A-Za-z])"
    r"|\\gcd(?![A-Za-z])|\\(?:text|mathrm|operatorname)\s*\{\s*(?:gcd|lcm)\s*\}"
    rf"|{_D}(?:{_RAISED})?\s*[A-Za-z]?\s*(?:/|\\over(?![A-Za-z]))\s*{_D}\s*[A-Za-z]"
    rf"|\\[dtc]?frac\s*\{{\s*{_D}{_RAISED}\s*[^{{}}]{{0,60}}\}}\s*\{{\s*{_D}"
)


def misread(text: str) -> bool:
    """Whether a formula has in it what math-verify reads as something else, and says so to no one.

    It takes `\\frac{d^2}{dx^2}` for a fraction of d^2, `d/dx` for d by dx, `lim` for l i m and `\\gcd(a, b)` for 1.

    Example:
        >>> misread(r"\\frac{d^2y}{dx^2}"), misread("dy/dx"), misread(r"\\frac{d}{dx}x^2"), misread("y/x")
        (True, True, False, False)
    """
    return MISREAD.search(text) is not None


def factors(tree: tuple) -> tuple[tuple, ...]:
    """The factors of a product, in their order; of anything else, itself.

    Example:
        >>> factors(("*", (("*", (("s", "a"), ("s", "b"))), ("s", "c"))))
        (('s', 'a'), ('s', 'b'), ('s', 'c'))
    """
    return tuple(part for item in tree[1] for part in factors(item)) if tree[0] == "*" else (tree,)


def leibniz(above: tuple, below: tuple) -> tuple | None:
    """What `dy` over `dx` is: a name of its own, dy/dx, with the factors before it; None where it is no derivative.

    It is one where both sides have a letter d, and a letter follows the one below. It is never worked out here.

    Raises:
        Unreadable: it is an operator, as in d/dx, or what it is applied to is more than a letter.

    Example:
        >>> from guerdon.evidence.maths.parse import parse
        >>> leibniz(parse("dy"), parse("dx")), leibniz(parse("y"), parse("x"))
        (('s', "('s', 'y') by ('s', 'x')"), None)
    """
    under, over = factors(below), factors(above)
    if len(under) < 2 or under[0] != D or not all(_letter(part) for part in under):
        return None
    at = next((k for k in range(len(over) - 1, -1, -1) if _base(over[k]) == D), None)
    if at is None:
        return None
    before, order, named = over[:at], over[at], over[at + 1 :]
    if len(named) != 1 or named[0][0] != "s":
        raise Unreadable("a derivative")
    what = repr(named[0]) if order == D else f"{named[0]!r} {order[2]!r}"
    name = ("s", f"{what} by {', '.join(repr(part) for part in under if part != D)}")
    return ("*", (*before, name)) if before else name


def _base(tree: tuple) -> tuple:
    return tree[1] if tree[0] == "^" else tree


def _letter(tree: tuple) -> bool:
    return _base(tree)[0] == "s"
