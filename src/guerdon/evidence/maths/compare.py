"""Do two trees state the same answer? True, False, or None where this has no rule for it.

The rules are those of docs/maths.md: sets have no order and no repeats, bare lists have no order but
count repeats, tuples have both; a name before an equals sign is dropped where the other side has none;
an inequality is the interval that it describes.
"""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction

from guerdon.evidence.maths.expressions import equal_values, is_number, proportional
from guerdon.evidence.maths.intervals import TURNED, pieces, same_pieces
from guerdon.evidence.maths.numbers import symbols
from guerdon.evidence.maths.units import CURRENCY, measure, together

MANY = 60  # items of a list or a set; longer ones are left to the checker
SCALES = {"thousand": 10**3, "million": 10**6, "billion": 10**9, "trillion": 10**12, "dozen": 12, "hundred": 100}
STRUCTURES = frozenset(("rel", "list", "set", "seq", "cup", "mat", "ratio", "base"))


def same(reference: tuple, answer: tuple, digits: int = 6) -> bool | None:
    """Whether the answer states what the reference states.

    Example:
        >>> from guerdon.evidence.maths.parse import parse
        >>> same(parse("(2,\\\\infty)"), parse("x>2")), same(parse("3"), parse("3=3")), same(parse("5"), parse("x=5"))
        (True, False, True)
    """
    if reference == answer and reference[0] not in ("unit", "%"):
        return True if not _odd(reference) else None
    r, a = _shape(reference), _shape(answer)
    if (_either(reference) and a in ("seq", "cup", "rel")) or (_either(answer) and r in ("seq", "cup", "rel")):
        return _lines(reference, answer)
    if r == "rel" or a == "rel":
        return _relations(reference, answer, r, a, digits)
    rule = _RULES.get((r, a))
    if rule is not None:
        return rule(reference, answer, digits)
    if "cup" in (r, a):
        return _lines(reference, answer)
    return False


def _either(tree: tuple) -> bool:
    """Inequalities of which one holds: x < -1 or x > 1."""
    return tree[0] == "list" and tree[2] == "or" and all(t[0] == "rel" and not _equation(t) for t in tree[1])


def _odd(tree: tuple) -> bool:
    """A number that has no value, such as 1/0, is not even equal to itself."""
    return tree[0] == "/" and tree[2] == ("n", Fraction(0), None)


def _shape(tree: tuple) -> str:
    if tree[0] in ("pm", "group"):
        return "list"
    if tree[0] in STRUCTURES:
        return tree[0]
    return "list" if _signed(tree) else "value"


def _items(tree: tuple) -> tuple:
    """What a list, a set or a tuple has in it, each plus-or-minus as two."""
    if tree[0] not in STRUCTURES:
        return _both(tree)
    items = tree[2] if tree[0] == "seq" else tree[1]
    return tuple(part for item in items for part in (_both(item) if _splits(item) else (item,)))


def _splits(tree: tuple) -> bool:
    return tree[0] in ("pm", "group") or (tree[0] in ("/", "*", "-", "+", "rel") and _signed(tree))


def _signed(tree: object) -> bool:
    return isinstance(tree, tuple) and (tree[:1] == ("pm",) or any(_signed(part) for part in tree))


def _both(tree: tuple) -> tuple:
    return _chosen(tree, 1), _chosen(tree, -1)


def _chosen(tree, sign: int):
    if not isinstance(tree, tuple):
        return tree
    if tree[:1] == ("pm",):
        right = _chosen(tree[2], sign)
        right = right if sign > 0 else ("-", right)
        return right if tree[1] is None else ("+", (_chosen(tree[1], sign), right))
    if tree[:1] == ("group",):
        return _chosen(tree[1], sign)
    return tuple(_chosen(part, sign) for part in tree)


# --- values --------------------------------------------------------------------------------------
def _values(reference: tuple, answer: tuple, digits: int) -> bool | None:
    r, r_unit, r_percent = _measured(reference)
    a, a_unit, a_percent = _measured(answer)
    if (r_unit or a_unit) and (r_percent or a_percent):
        return False
    factor = together(a_unit, r_unit)
    if factor is None:
        return False
    if r_percent != a_percent:
        plain, per_cent = (a, r) if r_percent else (r, a)
        hundredth = equal_values(("%", per_cent), plain, digits)
        if hundredth is not False or not _above_one(per_cent):
            return hundredth
    return equal_values(a, r, digits, factor)


def _above_one(tree: tuple) -> bool:
    value = tree[1] if tree[0] == "-" else tree
    return is_number(value) and value[1] > 1


def _measured(tree: tuple) -> tuple[tuple, str | None, bool]:
    """A value, its unit and whether it is in per cent; words such as "million" are worked in."""
    if tree[0] == "-" and tree[1][0] in ("unit", "deg", "%"):
        core, unit, percent = _measured(tree[1])
        return ("-", core), unit, percent
    if tree[0] == "deg":
        return tree[1], "degree", False
    if tree[0] == "%":
        return tree[1], None, True
    if tree[0] != "unit":
        return tree, None, False
    core, unit = tree[1], tree[2]
    first, _, rest = unit.partition(" ")
    if first.lower() in SCALES:
        core, unit = ("*", (core, ("n", Fraction(SCALES[first.lower()]), None))), rest
    inner, before, percent = _measured(core)
    low = unit.lower().strip()
    if low in ("percent", "percentage", "pct", "per cent") or percent:
        return inner, None, True
    return inner, unit if measure(unit) or unit in CURRENCY else before, False


# --- several things ------------------------------------------------------------------------------
def _tuples(reference: tuple, answer: tuple, digits: int) -> bool | None:
    r, a = _items(reference), _items(answer)
    if len(r) != len(a):
        return False
    if len(r) == 2 and reference[0] == answer[0] == "seq" and (reference[1], reference[3]) != (answer[1], answer[3]):
        return False
    return _all(same(x, y, digits) for x, y in zip(r, a, strict=True))


def _lists(reference: tuple, answer: tuple, digits: int) -> bool | None:
    """In any order, each item once."""
    r, a = _items(reference), list(_items(answer))
    if len(r) != len(a):
        return False
    if len(r) > MANY:
        return None
    named = [_named(x) for x in r]
    if all(named) and not any(map(_named, a)):  # x=1, y=2 and 1, 2
        return _all(same(x, y, digits) for x, y in zip(r, a, strict=True))
    unsure = False
    for x in r:
        verdicts = [same(x, y, digits) for y in a]
        if True in verdicts:
            a.pop(verdicts.index(True))
        elif None in verdicts:
            unsure = True
        else:
            return False
    return None if unsure else True


def _sets(reference: tuple, answer: tuple, digits: int) -> bool | None:
    """Each is in the other."""
    r, a = _items(reference), _items(answer)
    if len(r) > MANY or len(a) > MANY:
        return None
    table = [[same(x, y, digits) for y in a] for x in r]
    rows = [True if True in row else None if None in row else False for row in table]
    columns = [True if True in c else None if None in c else False for c in zip(*table, strict=True)] if r else []
    if bool(r) != bool(a):
        return False
    return _all(rows + columns)


def _single(reference: tuple, answer: tuple, digits: int) -> bool | None:
    """A value beside a set, a list or a tuple: the same where that has one item."""
    several, value, turned = (answer, reference, False) if _shape(reference) == "value" else (reference, answer, True)
    items = _items(several)
    if len(items) == 1:
        return same(items[0], value, digits) if turned else same(value, items[0], digits)
    if several[0] == "list" and (comma := _decimal_comma(several)) is not None:
        return same(comma, value, digits) if turned else same(value, comma, digits)
    return False


def _decimal_comma(tree: tuple) -> tuple | None:
    """1,5 as one and a half: two whole numbers and nothing else."""
    items = tree[1]
    if len(items) != 2 or tree[2] or any(item[0] != "n" or item[1].denominator != 1 for item in items):
        return None
    after = str(items[1][1])
    return ("n", items[0][1] + Fraction(int(after), 10 ** len(after)), len(after))


def _matrices(reference: tuple, answer: tuple, digits: int) -> bool | None:
    r, a = _rows(reference), _rows(answer)
    if r is None or a is None or [len(row) for row in r] != [len(row) for row in a]:
        return False
    return _all(same(x, y, digits) for p, q in zip(r, a, strict=True) for x, y in zip(p, q, strict=True))


def _rows(tree: tuple) -> Sequence[Sequence[tuple]] | None:
    if tree[0] == "mat":
        return tree[1]
    if all(item[0] == "seq" for item in tree[2]):
        return [item[2] for item in tree[2]]
    return [(item,) for item in tree[2]] if tree[1] == "(" else None  # a tuple is a column


def _ratios(reference: tuple, answer: tuple, digits: int) -> bool | None:
    if len(reference[1]) != len(answer[1]):
        return False
    return _all(same(x, y, digits) for x, y in zip(reference[1], answer[1], strict=True))


def _bases(reference: tuple, answer: tuple, digits: int) -> bool:
    return reference[1:] == answer[1:]


def _lines(reference: tuple, answer: tuple) -> bool | None:
    r, a = pieces(reference), pieces(answer)
    if r is None or a is None:
        return None if reference[0] != "value" else False
    return same_pieces(r[1], a[1])


def _union(reference: tuple, answer: tuple, digits: int) -> bool | None:
    return _lines(reference, answer)


# --- relations -----------------------------------------------------------------------------------
def _relations(reference: tuple, answer: tuple, r: str, a: str, digits: int) -> bool | None:
    first, second = _named(reference), _named(answer)
    if r == a == "rel":
        if first and second and first[0] == second[0]:
            return same(first[1], second[1], digits)
        if _equation(reference) and _equation(answer):
            if first and second and not (symbols(first[1]) or symbols(second[1])):
                return False
            return _same_equation(reference, answer)
        if _equation(reference) or _equation(answer):
            return False
        return _same_inequality(reference, answer)
    if r == "rel":
        if first:
            return same(first[1], answer, digits)
        return _lines(reference, answer) if a in ("seq", "cup", "list") and not _equation(reference) else False
    if second:
        return same(reference, second[1], digits)
    if _equation(answer):
        worked = _worked(answer)
        return same(reference, worked, digits) if worked is not None else False
    return _lines(reference, answer) if r in ("seq", "cup", "list") else False


def _equation(tree: tuple) -> bool:
    return tree[0] == "rel" and set(tree[1]) <= {"=", "~"}


def _named(tree: tuple) -> tuple[tuple, tuple] | None:
    """A name and the last thing that it is said to be: x = 1 + 1 = 2 is x and 2. What is only near is left off."""
    if tree[0] != "rel":
        return None
    signs, sides = tree[1], tree[2]
    if signs == ("in",):
        return (sides[0], sides[1]) if _is_name(sides[0]) else None
    if not set(signs) <= {"=", "~"}:
        return None
    until = signs.index("~") if "~" in signs[1:] else len(signs)
    left, right = sides[0], sides[until]
    if _is_name(left):
        return left, right
    return (right, left) if len(sides) == 2 and _is_name(right) and not symbols(left) else None


def _is_name(tree: tuple) -> bool:
    """A symbol, f(x), |AB|, AB, (x, y) or A:B, that is, something that an equation can be the value of."""
    if tree[0] == "s":
        return tree[1] not in ("\\infty", "\\pi", "e", "i")
    if tree[0] == "*":
        return len(tree[1]) <= 3 and all(part[0] == "s" or (part[0] == "*" and _is_name(part)) for part in tree[1])
    if tree[0] in ("seq", "ratio"):
        return all(_is_name(part) for part in (tree[2] if tree[0] == "seq" else tree[1]))
    if tree[0] == "/":
        return _is_name(tree[1]) and _is_name(tree[2])
    return tree[0] == "f" and tree[1] == "abs" and _is_name(tree[2])


def _worked(tree: tuple) -> tuple | None:
    """The result of a calculation with numbers, 3 + 4 = 7; a bare claim such as 3 = 3 is none."""
    sides = tree[2]
    if is_number(sides[0]) or any(symbols(side) for side in sides) or any(s[0] in STRUCTURES for s in sides):
        return None
    return sides[-1] if all(equal_values(sides[0], side) for side in sides[1:]) else None


def _same_equation(reference: tuple, answer: tuple) -> bool | None:
    if len(reference[2]) != 2 or len(answer[2]) != 2 or "~" in reference[1] + answer[1]:
        return None
    if any(side[0] in STRUCTURES or side[0] in ("pm", "group") for side in reference[2] + answer[2]):
        return None
    r, a = (("+", (tree[2][0], ("-", tree[2][1]))) for tree in (reference, answer))
    if symbols(r) != symbols(a):
        return False
    both = [equal_values(tree, ("n", Fraction(0), None)) for tree in (r, a)]
    if True in both:
        return both[0] == both[1]
    return True if proportional(r, a) is not None else _unlike(r, a)


def _unlike(r: tuple, a: tuple) -> bool | None:
    """Two equations that are no multiples: surely different where both are linear."""
    return False if _linear(r) and _linear(a) else None


def _linear(tree: tuple) -> bool:
    kind = tree[0]
    if not symbols(tree):
        return True
    if kind in ("s", "-"):
        return kind == "s" or _linear(tree[1])
    if kind == "+":
        return all(map(_linear, tree[1]))
    if kind == "*":
        return sum(bool(symbols(part)) for part in tree[1]) == 1 and all(map(_linear, tree[1]))
    return kind == "/" and _linear(tree[1]) and not symbols(tree[2])


def _same_inequality(reference: tuple, answer: tuple) -> bool | None:
    r, a = pieces(reference), pieces(answer)
    if r is not None and a is not None:
        return False if r[0] and a[0] and r[0] != a[0] else same_pieces(r[1], a[1])
    if len(reference[1]) == len(answer[1]) == 1:
        (p,), (q,) = reference[1], answer[1]
        if p not in TURNED or q not in TURNED:
            return None
        left, right = (("+", (tree[2][0], ("-", tree[2][1]))) for tree in (reference, answer))
        if symbols(left) != symbols(right):
            return False
        ratio = proportional(left, right)
        if ratio is not None:
            return p == (q if ratio > 0 else TURNED[q])
    return None


def _all(verdicts) -> bool | None:
    verdicts = list(verdicts)
    return False if False in verdicts else None if None in verdicts else True


_RULES = {
    ("value", "value"): _values, ("seq", "seq"): _tuples, ("list", "list"): _lists, ("set", "set"): _sets,
    ("list", "set"): _sets, ("set", "list"): _sets, ("seq", "list"): _tuples, ("list", "seq"): _tuples,
    ("value", "set"): _single, ("set", "value"): _single, ("value", "list"): _single, ("list", "value"): _single,
    ("value", "seq"): _single, ("seq", "value"): _single, ("mat", "mat"): _matrices, ("mat", "seq"): _matrices,
    ("seq", "mat"): _matrices, ("ratio", "ratio"): _ratios, ("base", "base"): _bases, ("cup", "cup"): _union,
    ("cup", "seq"): _union, ("seq", "cup"): _union,
}  # fmt: skip
