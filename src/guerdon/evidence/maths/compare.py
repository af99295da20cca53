"""Do two trees state the same answer? True, False, or None where this has no rule for it.

The rules are those of docs/maths.md: sets have no order and no repeats, bare lists have no order but
count repeats, tuples have both; a name before an equals sign is dropped where the other side has none;
an inequality is the interval that it describes.
"""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction

from guerdon.evidence.maths.amounts import equal_amounts
from guerdon.evidence.maths.curves import apart
from guerdon.evidence.maths.expressions import equal_values, is_number, proportional
from guerdon.evidence.maths.intervals import TURNED, pieces, same_pieces
from guerdon.evidence.maths.numbers import symbols

MANY = 60  # items of a list or a set; longer ones are left to the checker
STRUCTURES = frozenset(("rel", "list", "set", "seq", "cup", "cut", "mat", "ratio", "base"))


def same(reference: tuple, answer: tuple, digits: int = 6) -> bool | None:
    """Whether the answer states what the reference states.

    Example:
        >>> from guerdon.evidence.maths.parse import parse
        >>> same(parse("(2,\\\\infty)"), parse("x>2")), same(parse("3"), parse("3=3")), same(parse("5"), parse("x=5"))
        (True, False, True)
    """
    if reference == answer and reference[0] not in ("unit", "%"):
        return True if not _odd(reference) else None
    r, a = shape(reference), shape(answer)
    if _both_hold(reference) or _both_hold(answer):
        found = _lines(reference, answer)
        if found is not None:
            return found
    if (_either(reference) and a in ("seq", "cup", "cut", "rel")) or (
        _either(answer) and r in ("seq", "cup", "cut", "rel")
    ):
        return _lines(reference, answer)
    if r == "rel" or a == "rel":
        return _relations(reference, answer, r, a, digits)
    rule = _RULES.get((r, a))
    if rule is not None:
        return rule(reference, answer, digits)
    if "cup" in (r, a) or "cut" in (r, a):
        return _lines(reference, answer)
    return False


def _either(tree: tuple) -> bool:
    """Inequalities of which one holds: x < -1 or x > 1."""
    return tree[0] == "list" and tree[2] == "or" and all(t[0] == "rel" and not _equation(t) for t in tree[1])


def _both_hold(tree: tuple) -> bool:
    """Inequalities that hold at once: x > 1 and x < 3."""
    return tree[0] == "list" and tree[2] == "and" and all(t[0] == "rel" and not _equation(t) for t in tree[1])


def _odd(tree: tuple) -> bool:
    """A number that has no value, such as 1/0, is not even equal to itself."""
    return tree[0] == "/" and tree[2] == ("n", Fraction(0), None)


def shape(tree: tuple) -> str:
    """Of what kind an answer is: a key of `STRUCTURES`, or "value".

    Example:
        >>> from guerdon.evidence.maths.parse import parse
        >>> shape(parse("1, 2")), shape(parse("x = 1")), shape(parse("\\\\pm 1")), shape(parse("1"))
        ('list', 'rel', 'list', 'value')
    """
    if tree[0] in ("pm", "group"):
        return "list"
    if tree[0] in STRUCTURES:
        return tree[0]
    return "list" if _signed(tree) else "value"


def items_of(tree: tuple) -> tuple:
    """What a list, a set or a tuple has in it, each plus-or-minus as two.

    Example:
        >>> from guerdon.evidence.maths.parse import parse
        >>> len(items_of(parse("\\\\{1, 2, 3\\\\}"))), len(items_of(parse("1, \\\\pm 2")))
        (3, 3)
    """
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


# --- several things ------------------------------------------------------------------------------
def _tuples(reference: tuple, answer: tuple, digits: int) -> bool | None:
    r, a = items_of(reference), items_of(answer)
    if len(r) != len(a):
        return False
    if len(r) == 2 and reference[0] == answer[0] == "seq" and (reference[1], reference[3]) != (answer[1], answer[3]):
        return False
    return _all(_member(x, y, digits) for x, y in zip(r, a, strict=True))


def _member(x: tuple, y: tuple, digits: int) -> bool | None:
    """As `same`, inside of something: there, a set of one is not its element."""
    return False if (x[0] == "set") != (y[0] == "set") else same(x, y, digits)


def _lists(reference: tuple, answer: tuple, digits: int) -> bool | None:
    """In any order, each item once."""
    r, a = items_of(reference), list(items_of(answer))
    if len(r) != len(a):
        return False
    if len(r) > MANY:
        return None
    names = [named(x) for x in r]
    if all(names) and not any(map(named, a)):  # x=1, y=2 and 1, 2
        return _all(same(x, y, digits) for x, y in zip(r, a, strict=True))
    if all(names) and _numbered(r) != _numbered(a) and _numbered(r, bare=True) == _numbered(a, bare=True) != "":
        return _lists(*(("list", tuple(named(x)[1] for x in side), "") for side in (r, a)), digits)  # x_1=1, x=1
    unsure = False
    for x in r:
        verdicts = [_member(x, y, digits) for y in a]
        if True in verdicts:
            a.pop(verdicts.index(True))
        elif None in verdicts:
            unsure = True
        else:
            return False
    return None if unsure else True


def _numbered(items: Sequence[tuple], bare: bool = False) -> str:
    """The one letter that all items are values of: x of x = 1, x = 2, and, if `bare`, of x_1 = 1, x_2 = 2; or ""."""
    names = [named(item) for item in items]
    letters = {n[0][1].partition("_")[0] if bare else n[0][1] for n in names if n and n[0][0] == "s"}
    return letters.pop() if len(letters) == 1 and all(n and n[0][0] == "s" for n in names) else ""


def _sets(reference: tuple, answer: tuple, digits: int) -> bool | None:
    """Each is in the other."""
    r, a = items_of(reference), items_of(answer)
    if len(r) > MANY or len(a) > MANY:
        return None
    table = [[_member(x, y, digits) for y in a] for x in r]
    rows = [True if True in row else None if None in row else False for row in table]
    columns = [True if True in c else None if None in c else False for c in zip(*table, strict=True)] if r else []
    if bool(r) != bool(a):
        return False
    return _all(rows + columns)


def _single(reference: tuple, answer: tuple, digits: int) -> bool | None:
    """A value beside a set, a list or a tuple: the same where that has one item."""
    several, value, turned = (answer, reference, False) if shape(reference) == "value" else (reference, answer, True)
    items = items_of(several)
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
    if "mod" in (reference[1], answer[1])[r != "rel"] or (a == "rel" and "mod" in answer[1]):
        return _residues(reference, answer, digits)
    first, second = named(reference), named(answer)
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
        if _equation(reference):
            worked = _worked(reference)
            return same(worked, answer, digits) if worked is not None else False
        return _lines(reference, answer) if a in ("seq", "cup", "cut", "list") else False
    if second:
        return same(reference, second[1], digits)
    if _equation(answer):
        worked = _worked(answer)
        return same(reference, worked, digits) if worked is not None else False
    return _lines(reference, answer) if r in ("seq", "cup", "cut", "list") else False


def _residues(reference: tuple, answer: tuple, digits: int) -> bool | None:
    """n \\equiv 1 \\pmod 3: the same name, the same modulus, and residues that differ by a multiple of it."""
    if reference[0] != answer[0] or reference[1] != answer[1]:
        return False
    (n, r, m), (k, a, of) = reference[2], answer[2]
    if not (same(n, k, digits) and same(m, of, digits)):
        return False
    if all(is_number(x) for x in (r, a)) and m[0] == "n" and m[1] > 0:
        first, second = (x[1] if x[0] == "n" else -x[1][1] for x in (r, a))
        return (first - second) % m[1] == 0
    return same(r, a, digits)


def _equation(tree: tuple) -> bool:
    return tree[0] == "rel" and set(tree[1]) <= {"=", "~"}


def named(tree: tuple) -> tuple[tuple, tuple] | None:
    """A name and the last thing that it is said to be: x = 1 + 1 = 2 is x and 2. What is only near is left off.

    Example:
        >>> from guerdon.evidence.maths.parse import parse
        >>> named(parse("x = 1 + 1 = 2")), named(parse("x > 2"))
        ((('s', 'x'), ('n', Fraction(2, 1), None)), None)
    """
    if tree[0] != "rel":
        return None
    signs, sides = tree[1], tree[2]
    if signs == ("in",):
        return (sides[0], sides[1]) if _is_name(sides[0]) else None
    if set(signs) == {"~"} and not _is_name(sides[0]):  # 10\\sqrt 3 \\approx 17.32 says what stands before
        return ("s", ""), sides[0]
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
        return len(tree[1]) <= 3 and all(
            part[0] == "s" or (part[0] in ("*", "^") and _is_name(part)) for part in tree[1]
        )
    if tree[0] in ("seq", "ratio"):
        return all(_is_name(part) for part in (tree[2] if tree[0] == "seq" else tree[1]))
    if tree[0] == "^":  # f^{-1}
        return tree[1][0] == "s" and tree[2] == ("-", ("n", Fraction(1), None))
    if tree[0] == "/":
        return _is_name(tree[1]) and _is_name(tree[2])
    return tree[0] == "f" and tree[1] in ("abs", "gcd", "lcm") and _is_name(tree[2])


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
    if proportional(r, a) is not None:
        return True
    return False if (_linear(r) and _linear(a)) or apart(r, a) else None


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
    ("value", "value"): equal_amounts, ("seq", "seq"): _tuples, ("list", "list"): _lists, ("set", "set"): _sets,
    ("list", "set"): _sets, ("set", "list"): _sets, ("seq", "list"): _tuples, ("list", "seq"): _tuples,
    ("value", "set"): _single, ("set", "value"): _single, ("value", "list"): _single, ("list", "value"): _single,
    ("value", "seq"): _single, ("seq", "value"): _single, ("mat", "mat"): _matrices, ("mat", "seq"): _matrices,
    ("seq", "mat"): _matrices, ("ratio", "ratio"): _ratios, ("base", "base"): _bases, ("cup", "cup"): _union,
    ("cup", "seq"): _union, ("seq", "cup"): _union, ("cut", "cut"): _union, ("cut", "cup"): _union,
    ("cup", "cut"): _union, ("cut", "seq"): _union, ("seq", "cut"): _union,
}  # fmt: skip
