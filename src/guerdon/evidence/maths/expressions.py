"""Do two expressions have the same value, wherever both have one? By fractions, and by 60 decimals at chosen points."""

from __future__ import annotations

from decimal import Context, Decimal, localcontext
from fractions import Fraction
from functools import lru_cache
from hashlib import blake2b

from guerdon.evidence.maths.numbers import Evaluator, TooBig, Undecided, Undefined, holds, symbols

POINTS = 6
WIDE = Context(prec=150, Emax=999_999, Emin=-999_999)
SHOWN = 6  # figures from which on a decimal may stand for the number it was rounded from


def equal_values(a: tuple, b: tuple, digits: int = SHOWN, factor: Fraction = Fraction(1)) -> bool | None:
    """Whether `a * factor` and `b` have the same value; None where this cannot tell.

    Without symbols: as fractions, or to 40 figures of 60, and where the difference is near nothing
    again with 130. A decimal of at least `digits` figures also equals the number that it was
    rounded from. With symbols: at six points drawn by a hash of both trees, so that no answer can be made
    to fit them; two different polynomials of degree d agree at all of them with probability at most
    (d / 560)^6 (Schwartz and Zippel). Where one has a value and the other has none, this cannot tell.

    Raises:
        TooBig: a number on the way is larger than the stated size.

    Example:
        >>> from guerdon.evidence.maths.parse import parse
        >>> equal_values(parse("1/3"), parse("0.333333")), equal_values(parse("1/3"), parse("0.33"))
        (True, False)
        >>> equal_values(parse("x^2-1"), parse("(x-1)(x+1)"))
        True
    """
    found = _equal(a, b, digits, factor)
    if found is False and (_logs(a) or _logs(b)):  # a logarithm without a base may be meant to base 10, in both
        found = _equal(_common(a), _common(b), digits, factor)
    return found


def _logs(tree: object) -> bool:
    return isinstance(tree, tuple) and (tree[:2] == ("f", "log") or any(map(_logs, tree)))


def _common(tree):
    if not isinstance(tree, tuple):
        return tree
    if tree[:2] == ("f", "log"):
        return ("/", ("f", "ln", _common(tree[2])), ("f", "ln", ("n", Fraction(10), None)))
    return tuple(map(_common, tree))


def _equal(a: tuple, b: tuple, digits: int, factor: Fraction) -> bool | None:
    if factor != 1:
        a = ("*", (a, ("n", factor, None)))
    names = sorted(symbols(a) | symbols(b))
    if "\\infty" in names or "\\ldots" in names:
        return _as_written(a, b)
    if not names:
        return _numbers(a, b, digits)
    return _everywhere(a, b, names)


def flaw(tree: tuple) -> str:
    """Why a tree without symbols can be compared with nothing: it has no value, or too large a one; "" for a good one.

    Example:
        >>> from guerdon.evidence.maths.parse import parse
        >>> flaw(parse("1/(2-2)")), flaw(parse("1/x")), flaw(parse(r"\\sqrt{-2}"))
        ('has no value', '', '')
    """
    if tree[0] in ("n", "s") or symbols(tree):
        return ""
    try:
        _known(tree, 60)
    except Undefined:
        return "has no value"
    except TooBig as error:
        return f"is too large: {error}"
    except Undecided:
        return ""
    return ""


def proportional(a: tuple, b: tuple) -> Fraction | Decimal | None:
    """The constant c with `a = c b` at every point, or None where there is none, or where this cannot tell.

    Example:
        >>> from guerdon.evidence.maths.parse import parse
        >>> proportional(parse("2x+2y"), parse("-x-y"))
        Fraction(-2, 1)
    """
    names = sorted(symbols(a) | symbols(b))
    ratios = []
    for point in points(a, b, names):
        try:
            work = Evaluator(point, complex_=False)
            top, bottom = work.value(a), work.value(b)
        except Undefined:
            continue
        except (Undecided, TooBig):
            return None
        if isinstance(top, tuple) or isinstance(bottom, tuple) or bottom == 0 or top == 0:
            return None
        ratios.append(Evaluator({}).value(("/", ("n", top, None), ("n", bottom, None))))
    if len(ratios) < 3 or any(not _close(r, ratios[0]) for r in ratios):
        return None
    return ratios[0]


def points(a: tuple, b: tuple, names: list[str]) -> list[dict[str, Fraction]]:
    """Where two trees are compared: the same for the same trees, and not to be foreseen otherwise."""
    whole = holds(a, ("!",)) or holds(b, ("!",)) or holds(a, ("f", "binom")) or holds(b, ("f", "binom"))
    seed = repr((a, b)).encode("utf-8", "replace")
    out = []
    for k in range(POINTS):
        point = {}
        for name in names:
            draw = int.from_bytes(blake2b(seed + f"{k}{name}".encode(), digest_size=8).digest(), "big")
            if whole:
                point[name] = Fraction(3 + draw % 38)
            else:
                size = Fraction(20 + draw % 280, 101)
                point[name] = -size if k % 2 and (draw >> 32) % 3 else size
        out.append(point)
    return out


def is_number(tree: tuple) -> bool:
    """Whether a tree is a numeral, perhaps with a sign."""
    return tree[0] == "n" or (tree[0] == "-" and tree[1][0] == "n")


def _numbers(a: tuple, b: tuple, digits: int) -> bool | None:
    try:
        x, y = _known(a, 60), _known(b, 60)
    except (Undecided, Undefined):
        return None
    if isinstance(x, Fraction) and isinstance(y, Fraction) and x == y:
        return True
    if _rounded(a, b, x, y, digits) or _rounded(b, a, y, x, digits):
        return True
    if isinstance(x, Fraction) and isinstance(y, Fraction):
        return False
    if not _near(x, y):
        return False
    x, y = _known(a, 130), _known(b, 130)
    if (x == 0 and lasting(b, y)) or (y == 0 and lasting(a, x)):
        return False
    return _near(x, y, 100)


def lasting(tree: tuple, value) -> bool:
    """Whether a value near nothing is one, such as e^{-300}, and not what rounding left: more figures leave it there.

    Example:
        >>> from guerdon.evidence.maths.parse import parse
        >>> [lasting(t, Evaluator({}, 130).value(t)) for t in (parse("e^{-300}"), parse(r"\\sqrt{8}-2\\sqrt{2}"))]
        [True, False]
    """
    if not isinstance(value, Decimal) or value == 0 or value.adjusted() >= -100:
        return False
    again = _known(tree, 420)
    return isinstance(again, Decimal) and again != 0 and again.adjusted() == value.adjusted()


def _rounded(shown: tuple, other: tuple, x, y, digits: int) -> bool:
    """Whether the decimal `shown` is the other number, rounded to the places that it shows."""
    tree = shown[1] if shown[0] == "-" else shown
    if tree[0] != "n" or tree[2] is None or isinstance(y, tuple):
        return False
    places, number = tree[2], other[1] if other[0] == "-" else other
    if abs(places) > 5000:
        return False
    figures = len(str(abs(tree[1] * Fraction(10) ** places).__floor__()).lstrip("0"))
    if figures in (16, 17) and isinstance(y, Fraction) and abs(x - y) <= abs(y) * Fraction(1, 2**51):
        return True  # a double as Python prints it, 0.30000000000000004
    if figures < digits or (number[0] == "n" and number[2] is not None and number[2] <= places):
        return False
    tenths = 10 if len(tree) == 4 else 5  # of the last place: what was cut off may be nearly all of it
    if isinstance(y, Fraction):
        return abs(x - y) <= Fraction(tenths, 10) * Fraction(10) ** -places
    with localcontext(WIDE):
        return abs(_plain(x) - y) <= Decimal(tenths).scaleb(-places - 1)


@lru_cache(maxsize=1024)
def _known(tree: tuple, figures: int):
    return Evaluator({}, figures).value(tree)


def _near(x, y, figures: int = 40) -> bool:
    """Whether two values agree to that many figures, or differ by what rounding leaves of nothing."""
    with localcontext(WIDE):
        return _agree(x, y, figures)


def _agree(x, y, figures: int) -> bool:
    if isinstance(x, tuple) or isinstance(y, tuple):
        (p, q), (r, s) = (v if isinstance(v, tuple) else (v, Fraction(0)) for v in (x, y))
        size = max(abs(_plain(v)) for v in (p, q, r, s))
        return all(abs(_plain(u) - _plain(v)) <= size.scaleb(-figures) for u, v in ((p, r), (q, s)))
    u, v = _plain(x), _plain(y)
    if u == v:
        return True
    size = max(abs(u), abs(v))
    if x == 0 or y == 0:  # an exact nothing: only what rounding left can equal it
        return not (isinstance(x, Fraction) and isinstance(y, Fraction)) and size < Decimal(10) ** -figures
    return abs(u - v) <= size.scaleb(-figures)


def _plain(v) -> Decimal:
    return Decimal(v.numerator) / Decimal(v.denominator) if isinstance(v, Fraction) else v


def _close(x, y) -> bool:
    return x == y if isinstance(x, Fraction) and isinstance(y, Fraction) else _near(x, y)


def _everywhere(a: tuple, b: tuple, names: list[str], complex_: bool = False) -> bool | None:
    met = lone = 0
    complex_ = complex_ or holds(a, ("s", "i")) or holds(b, ("s", "i"))
    for point in points(a, b, names):
        work = Evaluator(point, complex_=complex_)
        try:
            x = _or_none(work, a)
            y = _or_none(work, b)
        except Undecided:
            return None
        if x is None or y is None:
            lone += (x is None) != (y is None)
            continue
        if not _close(x, y):
            return False
        met += 1
    if met >= 3 and not lone:
        return True
    return None if complex_ else _everywhere(a, b, names, True)  # with imaginary roots where there are no real ones


def _or_none(work: Evaluator, tree: tuple):
    try:
        return work.value(tree)
    except Undefined:
        return None


def _as_written(a: tuple, b: tuple) -> bool | None:
    """Infinities and dots: the same where they are written the same."""
    if a == b:
        return True
    bare = {("s", "\\infty"): 1, ("-", ("s", "\\infty")): -1, ("s", "\\ldots"): 2}
    if a in bare and b in bare:
        return False
    if (a in bare and "\\infty" not in symbols(b)) or (b in bare and "\\infty" not in symbols(a)):
        return False
    return None
