"""Values with their units: per cent, angles, money, and words such as million."""

from __future__ import annotations

from fractions import Fraction

from guerdon.evidence.maths.expressions import equal_values, is_number
from guerdon.evidence.maths.numbers import holds
from guerdon.evidence.maths.operators import factors
from guerdon.evidence.maths.units import CURRENCY, SCALES, measure, together


def equal_amounts(reference: tuple, answer: tuple, digits: int = 6) -> bool | None:
    """Whether two values are equal with their units, or taken as of one unit where one leaves it out.

    Example:
        >>> from guerdon.evidence.maths.parse import parse
        >>> equal_amounts(parse("5 m"), parse("500 cm")), equal_amounts(parse("5 m"), parse("5 s"))
        (True, False)
        >>> equal_amounts(parse("0.5"), parse("50%")), equal_amounts(parse(r"\\pi"), parse("180^\\\\circ"))
        (True, True)
    """
    r, r_unit, r_percent = measured(reference)
    a, a_unit, a_percent = measured(answer)
    if bool(r_unit) != bool(a_unit):
        r, r_unit = (r, r_unit) if r_unit else _in_italics(r, a_unit)
        a, a_unit = (a, a_unit) if a_unit else _in_italics(a, r_unit)
    if (r_unit or a_unit) and (r_percent or a_percent):
        return False
    if "radian" in (r_unit, a_unit) or (r_unit == "degree") != (a_unit == "degree"):
        turned = _turned(r, r_unit), _turned(a, a_unit)
        if None not in turned:
            return equal_values(*turned, digits)
    factor = together(a_unit, r_unit)
    if factor is None:
        return False
    if r_percent != a_percent:
        plain, per_cent = (a, r) if r_percent else (r, a)
        hundredth = equal_values(("%", per_cent), plain, digits)
        if hundredth is not False or not _above_one(per_cent):
            return hundredth
    return equal_values(a, r, digits, factor)


def _in_italics(tree: tuple, other: str | None) -> tuple[tuple, str | None]:
    """Of 4\\frac{m}{s} beside a speed, 4 and m/s; else the tree as it is, since those letters may be symbols."""
    core = tree[1] if tree[0] == "-" else tree
    if not other or core[0] != "*" or len(core[1]) != 2 or core[1][0][0] != "n" or core[1][1][0] != "/":
        return tree, None
    above, below = (_spelt(side) for side in core[1][1][1:])
    found, wanted = measure(f"{above}/{below}") if above and below else None, measure(other)
    if found is None or wanted is None or found[0] != wanted[0]:
        return tree, None
    return (("-", core[1][0]) if tree[0] == "-" else core[1][0]), f"{above}/{below}"


def _spelt(tree: tuple) -> str:
    """The word that a product of letters spells, km of k m; "" where it is none."""
    parts = factors(tree)
    last, power = parts[-1], ""
    if last[0] == "^" and last[2][0] == "n" and last[2][1].denominator == 1:
        last, power = last[1], f"^{last[2][1]}"
    letters = (*parts[:-1], last)
    return "".join(part[1] for part in letters) + power if all(part[0] == "s" for part in letters) else ""


def _turned(tree: tuple, unit: str | None) -> tuple | None:
    """An angle in radians; None where it is not known to be one: without a unit, only what has pi in it is."""
    if unit == "degree":
        return ("/", ("*", (tree, ("s", "\\pi"))), ("n", Fraction(180), None))
    return tree if unit == "radian" or (unit is None and holds(tree, ("s", "\\pi"))) else None


def _above_one(tree: tuple) -> bool:
    value = tree[1] if tree[0] == "-" else tree
    return is_number(value) and value[1] > 1


def measured(tree: tuple) -> tuple[tuple, str | None, bool]:
    """A value, its unit and whether it is in per cent; words such as "million" are worked in.

    Example:
        >>> from guerdon.evidence.maths.parse import parse
        >>> measured(parse("5 m"))[1:], measured(parse("50%"))[1:]
        (('m', False), (None, True))
    """
    if tree[0] == "-" and tree[1][0] in ("unit", "deg", "%"):
        core, unit, percent = measured(tree[1])
        return ("-", core), unit, percent
    if tree[0] == "deg":
        return tree[1], "degree", False
    if tree[0] == "%":
        return tree[1], None, True
    if tree[0] != "unit":
        return tree, None, False
    core, unit = tree[1], tree[2]
    first, _, rest = unit.partition(" ")
    inner, before, percent = measured(core)
    if first.lower() in SCALES:
        inner, unit = ("*", (inner, ("n", Fraction(SCALES[first.lower()]), None))), rest
    low = unit.lower().strip()
    if low in ("percent", "percentage", "pct", "per cent") or percent:
        return inner, None, True
    found = measure(unit)
    if found and found[0] in ((("angle", 1),), (("radian", 1),)):
        unit = "degree" if found[0][0][0] == "angle" else "radian"
    return inner, unit if found or unit in CURRENCY else before, False
