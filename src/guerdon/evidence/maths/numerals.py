"""Numerals: decimals that end, repeat or break off, mixed numbers, bases."""

from __future__ import annotations

import re
from fractions import Fraction
from typing import TYPE_CHECKING

from guerdon.evidence.maths.tokens import Meaningless, TooDeep, Unreadable

if TYPE_CHECKING:
    from guerdon.evidence.maths.parse import Reader

BASES = {"two": "2", "three": "3", "four": "4", "five": "5", "six": "6", "seven": "7", "eight": "8", "nine": "9",
         "ten": "10", "eleven": "11", "twelve": "12", "sixteen": "16"}  # fmt: skip
REPEATED = re.compile(r"(\d{1,60}?)\1{2,}")  # a block three times in a row


def numeral(text: str) -> tuple:
    """A numeral as a tree: its exact value, and its decimal places where it was written with a point.

    Example:
        >>> numeral("0.50"), numeral(r"0.1\\overline{6}")[1]
        (('n', Fraction(1, 2), 2), Fraction(1, 6))
    """
    if text[:2] in ("0x", "0X"):
        return ("n", Fraction(int(text, 16)), None)
    if "\\" in text or text.endswith("..."):
        return _endless(text)
    mantissa, _, power = text.lower().partition("e")
    whole, dot, part = mantissa.partition(".")
    if len(mantissa) > 1500 or (power and abs(int(power)) > 5000):
        raise TooDeep("a numeral is too long")
    value = Fraction(int((whole + part) or "0"), 10 ** len(part))
    if power:
        value *= Fraction(10) ** int(power)
    return ("n", value, len(part) - int(power or 0) if dot or power else None)


def _endless(text: str) -> tuple:
    """A decimal that repeats: what is under a line or between two dots, or a block that was said three times.

    Three dots after anything else leave the decimal as it was written; a fourth entry says that it was cut off.
    """
    whole, _, part = text.partition(".")
    fixed, _, block = part.partition("\\")
    if block[:1] in ("o", "b") or block.startswith("dot"):
        block = re.sub(r"\D", "", block)
    else:
        fixed = part.rstrip(".").partition("\\")[0].strip()
        found = [m for m in REPEATED.finditer(fixed) if m.end() == len(fixed)]
        if not found:
            return (*numeral(f"{whole}.{fixed}"), "...")
        fixed, block = fixed[: found[0].start()], found[0][1]
    nines = (10 ** len(block) - 1) * 10 ** len(fixed)
    return ("n", Fraction(int(whole + fixed or "0"), 10 ** len(fixed)) + Fraction(int(block), nines), None)


def number(reader: Reader) -> tuple:
    """A numeral, perhaps mixed, perhaps in a base."""
    token = reader.step()
    if reader.op("_"):
        return ("base", token.value, base(reader))
    tree = numeral(token.value)
    if tree[2] is None and tree[1].denominator == 1:
        return mixed(reader, tree)
    return tree


def base(reader: Reader) -> str:
    """The base below a numeral: 2, {2} or {\\text{two}}."""
    reader.step()
    braced = reader.op("{")
    if braced:
        reader.step()
    token = reader.step()
    said = BASES.get(token.value.strip().lower(), token.value)
    if not said.isdecimal():
        raise Unreadable("a base")
    if braced:
        reader.need("}")
    return said


def mixed(reader: Reader, whole: tuple) -> tuple:
    """`2\\frac{1}{2}` and `2 1/2`; a fraction that is not proper makes no mixed number."""
    if reader.cmd("frac"):
        above, below, taken = _figures(reader)
        if above and below and 0 < int(above) < int(below):
            for _ in range(taken):
                reader.step()
            return ("n", whole[1] + Fraction(int(above), int(below)), None)
    elif reader.now.kind == "num" and reader.now.spaced and reader.peek().value == "/" and reader.peek(2).kind == "num":
        above, below = numeral(reader.step().value), numeral((reader.step(), reader.step())[1].value)
        if above[2] is None and below[2] is None and 0 < above[1] < below[1]:
            return ("n", whole[1] + above[1] / below[1], None)
        raise Meaningless("a mixed number whose fraction is not proper")
    return whole


def _figures(reader: Reader) -> tuple[str, str, int]:
    """The whole numbers above and below the line that comes next, and how many tokens that is; ("", "", 0) for letters.

    It only looks ahead: a fraction of anything else is read once, and not here.
    """
    found: list[str] = []
    k = 1
    while len(found) < 2:
        braced = reader.peek(k).value == "{"
        token = reader.peek(k + braced)
        if token.kind != "num" or not token.value.isdecimal() or (braced and reader.peek(k + 2).value != "}"):
            return "", "", 0
        if not braced and len(token.value) != 1 and (found or len(token.value) != 2):
            return "", "", 0
        found += [token.value] if braced else list(token.value)  # \frac12 is a half
        k += 3 if braced else 1
    return found[0], found[1], k
