"""Numbers with their units: what follows a value and is no factor of it, and 6 ft 2 in as one length."""

from __future__ import annotations

from typing import TYPE_CHECKING

from guerdon.evidence.maths.tokens import Token, Unreadable
from guerdon.evidence.maths.units import CURRENCY, SCALES, THINGS, known, measure

if TYPE_CHECKING:
    from guerdon.evidence.maths.parse import Reader

LONG = frozenset(
    [
        "cm",
        "mm",
        "km",
        "kg",
        "mg",
        "ml",
        "mL",
        "ft",
        "yd",
        "mi",
        "lb",
        "oz",
        "hr",
        "ms",
        "in",
        "kJ",
        "kW",
        "Hz",
        "MB",
        "GB",
        "kB",
        "am",
        "pm",
        "AM",
        "PM",
        "eV",
        "Pa",
    ]
)  # fmt: skip  two letters that are a unit also without a blank before
TURNS = ("squared", "cubed", "per")


def unit_here(reader: Reader) -> str | None:
    """The unit that the next token names, where it names one."""
    token = reader.now
    if token.kind == "text":
        return token.value.strip()
    if token.kind == "word" and token.value not in ("and", "or"):
        if len(token.value) > 3 or token.value == "per":
            return token.value
        if known(token.value) and (len(token.value) > 2 or token.value in LONG or _alone(reader)):
            return token.value
        if token.value in ("sq", "cu"):
            return {"sq": "square", "cu": "cubic"}[token.value]
        if token.value in THINGS and _alone(reader):
            return token.value
    if token.kind == "op" and token.value in CURRENCY:
        return token.value
    if token.kind == "cmd" and token.value == "Omega" and reader.tokens[reader.at - 1].kind == "num":
        return "ohm" if token.spaced and reader.peek().kind == "end" else None
    return None


def _alone(reader: Reader) -> bool:
    """A short name is a unit where a blank parts it from a number and nothing but units follow."""
    before = reader.tokens[reader.at - 1] if reader.at else Token("end", "", False)
    if before.kind != "num" or not reader.now.spaced:
        return False
    ahead = 1
    while (
        (after := reader.peek(ahead)).kind == "word" and after.spaced and (known(after.value) or after.value in TURNS)
    ):
        ahead += 1
    return (
        after.kind == "end" or (after.kind == "num" and after.spaced) or (after.kind == "op" and after.value in "/^,;")
    )


def over_units(reader: Reader) -> bool:
    """Whether a fraction of units comes next, as in \\frac{\\text{m}}{\\text{s}}."""
    return reader.cmd("frac") and reader.peek().value == "{" and reader.peek(2).kind == "text"


def unit(reader: Reader, tree: tuple) -> str | None:
    """The unit that follows a value, as one text; None where there is none."""
    if over_units(reader):
        return "/".join(_braced(reader) for _ in range(2 if reader.step() else 0))
    if unit_here(reader) is None or (tree[0] == "unit" and tree[2] not in CURRENCY):
        return None
    parts: list[str] = []
    while (name := unit_here(reader)) is not None or (
        parts
        and (reader.op("/", "*", "^", ".") or (reader.now.kind == "word" and reader.now.value not in ("and", "or")))
    ):
        if reader.op("^"):
            parts.append(_raised(reader))
        elif name is None and reader.now.kind == "op":
            parts.append(reader.step().value)
        else:
            parts.append((" " if parts else "") + (name if name is not None else reader.now.value))
            reader.step()
    return "".join(parts).replace("/ ", "/").replace(" ^", "^").strip()


def _raised(reader: Reader) -> str:
    reader.step()
    inner = reader.op("{")
    if inner:
        reader.step()
    minus = "-" if reader.op("-") and reader.step() else ""
    if reader.now.kind != "num":
        raise Unreadable("a power of a unit")
    power = f"^{minus}{reader.step().value}"
    if inner:
        reader.need("}")
    return power


def _braced(reader: Reader) -> str:
    """The unit above or below the line."""
    reader.need("{")
    parts = []
    while reader.now.kind == "text" or reader.op("^", "*"):
        parts.append(_raised(reader) if reader.op("^") else " " + reader.step().value.strip())
    reader.need("}")
    return "".join(parts).strip()


def with_unit(tree: tuple, named: str) -> tuple:
    """A value with its unit; of $5 million, $5 per hour and $5 each the currency stays.

    Example:
        >>> from guerdon.evidence.maths.parse import parse
        >>> with_unit(parse("$5"), "each") == parse("$5"), with_unit(parse("$5"), "per hour")[2]
        (True, '$ per hour')
    """
    if tree[0] != "unit" or named.partition(" ")[0].lower() in SCALES:
        return ("unit", tree, named)
    both = f"{tree[2]} {named}"
    return ("unit", tree[1], both) if measure(both) else tree


def joined(large: tuple, small: tuple) -> tuple | None:
    """One quantity of two that are said in a row, 6 ft 2 in; None where the second is not the finer unit of the two.

    Example:
        >>> from guerdon.evidence.maths.parse import parse
        >>> joined(parse("1 hour"), parse("30 minutes")) == parse("1 hour 30 minutes")
        True
    """
    if large[0] != "unit" or small[0] != "unit":
        return None
    a, b = measure(large[2]), measure(small[2])
    if a is None or b is None or a[0] != b[0] or a[1] <= b[1]:
        return None
    whole = ("*", (large[1], ("n", a[1] / b[1], None)))
    return ("unit", ("+", (whole, small[1])), small[2])
