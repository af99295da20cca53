"""The parts of a formula that are not made of others by signs: numerals, names, brackets, commands, units."""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING

from guerdon.evidence.maths.tokens import FUNCTIONS, GREEK, Meaningless, Token, TooDeep, Unreadable
from guerdon.evidence.maths.units import CURRENCY, UNITS

if TYPE_CHECKING:
    from guerdon.evidence.maths.parse import Reader

DEPTH = 40  # nested brackets, fractions and exponents
MATRICES = frozenset(["pmatrix", "bmatrix", "matrix", "vmatrix", "Bmatrix", "array", "smallmatrix"])
STARTERS = frozenset(
    [
        "frac",
        "sqrt",
        "pi",
        "infty",
        "euler",
        "imaginary",
        "binom",
        "lfloor",
        "lceil",
        "begin",
        "emptyset",
        "ldots",
        "boxed",
    ]
)


def numeral(text: str) -> tuple:
    """A numeral as a tree: its exact value, and its decimal places where it was written with a point."""
    if text[:2] in ("0x", "0X"):
        return ("n", Fraction(int(text, 16)), None)
    mantissa, _, power = text.lower().partition("e")
    whole, dot, part = mantissa.partition(".")
    if len(mantissa) > 1500 or (power and abs(int(power)) > 5000):
        raise TooDeep("a numeral is too long")
    value = Fraction(int((whole + part) or "0"), 10 ** len(part))
    if power:
        value *= Fraction(10) ** int(power)
    return ("n", value, len(part) - int(power or 0) if dot or power else None)


def letters_only(word: str) -> bool:
    """Whether a word is a product of letters, not a word."""
    return len(word) <= 3 and word not in ("and", "or", "not")


# --- units ---
def unit_here(reader: Reader) -> str | None:
    """The unit that the next token names, where it names one."""
    token = reader.now
    if token.kind == "text":
        return token.value.strip()
    if token.kind == "word" and token.value not in ("and", "or"):
        if len(token.value) > 3:
            return token.value
        if token.value in UNITS and (len(token.value) > 1 or _alone(reader)):
            return token.value
    if token.kind == "op" and token.value in CURRENCY:
        return token.value
    return None


def _alone(reader: Reader) -> bool:
    """One letter is a unit where a blank parts it from a number and nothing but units follow."""
    before, after = reader.tokens[reader.at - 1] if reader.at else Token("end", "", False), reader.peek()
    fine = after.kind == "end" or (after.kind == "op" and after.value in "/^,;")
    return reader.now.spaced and before.kind == "num" and fine


def unit(reader: Reader, tree: tuple) -> str | None:
    """The unit that follows a value, as one text; None where there is none."""
    if tree[0] == "unit" or unit_here(reader) is None:
        return None
    parts: list[str] = []
    while (name := unit_here(reader)) is not None or (
        parts
        and (reader.op("/", "*", "^", ".") or (reader.now.kind == "word" and reader.now.value not in ("and", "or")))
    ):
        if reader.op("^"):
            reader.step()
            inner = reader.op("{")
            if inner:
                reader.step()
            minus = "-" if reader.op("-") and reader.step() else ""
            if reader.now.kind != "num":
                raise Unreadable("a power of a unit")
            parts.append(f"^{minus}{reader.step().value}")
            if inner:
                reader.need("}")
        elif name is None and reader.now.kind == "op":
            parts.append(reader.step().value)
        else:
            parts.append((" " if parts else "") + (name if name is not None else reader.now.value))
            reader.step()
    return "".join(parts).replace("/ ", "/").replace(" ^", "^").strip()


# --- atoms ---
def atom(reader: Reader) -> tuple:
    """The smallest whole: a numeral, a bracket, a command, a letter."""
    reader.deeper()
    try:
        token = reader.now
        if token.kind == "num":
            return number(reader)
        if token.kind == "op":
            return bracket(reader)
        if token.kind == "cmd":
            return command(reader)
        if token.kind == "word" and letters_only(token.value):
            return letters(reader)
        raise Unreadable(f"{token.value!r} was not expected")
    finally:
        reader.depth -= 1


def number(reader: Reader) -> tuple:
    """A numeral, perhaps mixed, perhaps in a base."""
    token = reader.step()
    if reader.op("_"):
        reader.step()
        braced = reader.op("{")
        if braced:
            reader.step()
        base = reader.step()
        if base.kind != "num" or "." in base.value:
            raise Unreadable("a base")
        if braced:
            reader.need("}")
        return ("base", token.value, base.value)
    tree = numeral(token.value)
    if tree[2] is None and tree[1].denominator == 1:
        return mixed(reader, tree)
    return tree


def mixed(reader: Reader, whole: tuple) -> tuple:
    """`2\\frac{1}{2}` and `2 1/2`; a fraction that is not proper makes no mixed number."""
    if reader.cmd("frac"):
        at, now, depth = reader.at, reader.now, reader.depth
        part = command(reader)
        whole_parts = part[0] == "/" and part[1][0] == "n" == part[2][0] and part[1][2] is None is part[2][2]
        if whole_parts and 0 < part[1][1] < part[2][1]:
            return ("n", whole[1] + part[1][1] / part[2][1], None)
        reader.at, reader.now, reader.depth = at, now, depth
    elif reader.now.kind == "num" and reader.now.spaced and reader.peek().value == "/" and reader.peek(2).kind == "num":
        above, below = numeral(reader.step().value), numeral((reader.step(), reader.step())[1].value)
        if above[2] is None and below[2] is None and 0 < above[1] < below[1]:
            return ("n", whole[1] + above[1] / below[1], None)
        raise Meaningless("a mixed number whose fraction is not proper")
    return whole


def letters(reader: Reader) -> tuple:
    """One letter of a run; the others are factors of their own."""
    first, rest = reader.now.value[0], reader.now.value[1:]
    if not rest:
        reader.step()
        return subscript(reader, first)
    reader.now = reader.tokens[reader.at] = Token("word", rest, False)  # ab is a times b, and ab^2 is a times b^2
    return ("s", first)


def subscript(reader: Reader, name: str) -> tuple:
    """A name with what stands below it."""
    if reader.op("_"):
        reader.step()
        if reader.op("{"):
            reader.step()
            inside, depth = [], 1
            while depth and reader.now.kind != "end":
                token = reader.step()
                depth += (token.value == "{") - (token.value == "}") if token.kind == "op" else 0
                inside.append(token.value)
            return ("s", f"{name}_{''.join(inside[:-1])}")
        return ("s", f"{name}_{reader.step().value}")
    return ("s", name)


def bracket(reader: Reader) -> tuple:
    """What starts with a sign: brackets, a size, a currency."""
    value = reader.now.value
    if value in ("(", "["):
        return round(reader, reader.step().value)
    if value in ("{", "\\{"):
        return braces(reader, reader.step().value)
    if value == "|":
        reader.step()
        reader.bars += 1
        tree = reader.sum()
        reader.need("|")
        reader.bars -= 1
        return ("f", "abs", tree)
    if value in CURRENCY:
        reader.step()
        minus = bool(reader.op("-") and reader.step())
        tree = atom(reader)
        return ("unit", ("-", tree) if minus else tree, value)
    raise Unreadable(f"{value!r} was not expected")


def round(reader: Reader, opened: str) -> tuple:
    """A group, a tuple or an interval."""
    bars, reader.bars = reader.bars, 0
    if reader.op(")", "]"):
        raise Unreadable("empty brackets")
    tree = reader.listing((")", "]"))
    reader.bars = bars
    if not reader.op(")", "]"):
        raise Unreadable("a bracket is open")
    closed = reader.step().value
    if tree[0] == "list" and not tree[2]:
        return ("seq", opened, tree[1], closed)
    if opened == "[" and closed == "]" and tree[0] in ("n", "seq"):
        return ("seq", opened, (tree,), closed)
    if (opened, closed) not in (("(", ")"), ("[", "]")) or tree[0] in ("list", "rel"):
        raise Unreadable("brackets of two kinds")
    return ("group", tree) if tree[0] in ("pm",) else tree


def braces(reader: Reader, opened: str) -> tuple:
    """A group or a set."""
    closed = "}" if opened == "{" else "\\}"
    if reader.op(closed):
        if opened == "{":
            raise Unreadable("empty braces")
        reader.step()
        return ("set", ())
    bars, reader.bars = reader.bars, 0
    tree = reader.listing((closed,))
    reader.bars = bars
    reader.need(closed)
    if tree[0] == "list" or opened == "\\{":
        if tree[0] == "rel" or (tree[0] == "ratio"):
            raise Unreadable("a set by a rule")
        return ("set", tree[1] if tree[0] == "list" else (tree,))
    return tree


def command(reader: Reader) -> tuple:
    """What starts with a backslash."""
    name = reader.step().value
    if name == "frac":
        return ("/", argument(reader), argument(reader))
    if name == "binom":
        return ("f", "binom", ("seq", "(", (argument(reader), argument(reader)), ")"))
    if name == "sqrt":
        return root(reader)
    if name in ("lfloor", "lceil"):
        tree = reader.sum()
        if not reader.cmd("rfloor", "rceil"):
            raise Unreadable("a floor is open")
        reader.step()
        return ("f", "floor" if name == "lfloor" else "ceil", tree)
    if name == "begin":
        return matrix(reader)
    if name in FUNCTIONS:
        return function(reader, name)
    if name in ("pi", "infty", "euler", "imaginary"):
        return ("s", {"pi": "\\pi", "infty": "\\infty", "euler": "e", "imaginary": "i"}[name])
    if name == "emptyset":
        return ("set", ())
    if name == "ldots":
        return ("s", "\\ldots")
    if name in GREEK:
        return subscript(reader, "\\" + name)
    if name in ("boxed", "fbox"):
        return argument(reader)
    raise Unreadable(f"\\{name} is not known")


def argument(reader: Reader) -> tuple:
    """What a command takes: braces, or one sign, and of a number one figure."""
    reader.deeper()
    try:
        if reader.op("{"):
            reader.step()
            tree = reader.item()
            reader.need("}")
            return tree
        if reader.now.kind == "num" and len(reader.now.value) > 1:
            first, rest = reader.now.value[0], reader.now.value[1:]
            if not reader.now.value.isdigit():
                raise Unreadable("a number without braces")
            reader.now = reader.tokens[reader.at] = Token("num", rest, False)
            return numeral(first)
        if reader.now.kind == "num":
            return numeral(reader.step().value)
        return atom(reader)
    finally:
        reader.depth -= 1


def root(reader: Reader) -> tuple:
    """A root with its order."""
    order = ("n", Fraction(2), None)
    if reader.op("["):
        reader.step()
        order = reader.sum()
        reader.need("]")
    if reader.now.kind == "num":
        inside = numeral(reader.step().value)
    elif reader.op("{"):
        inside = argument(reader)
    else:
        inside = atom(reader)
    return ("f", "root", ("seq", "(", (inside, order), ")"))


def function(reader: Reader, name: str) -> tuple:
    """A function with its power, its base and its argument."""
    base = power = None
    while reader.op("^", "_"):
        if reader.step().value == "^":
            power = reader.exponent()
        else:
            base = argument(reader) if reader.op("{") or reader.now.kind != "num" else numeral(reader.step().value)
    inside = atom(reader) if reader.op("(", "{", "[", "|") else run(reader)
    if name == "log" and base is not None:
        tree: tuple = ("/", ("f", "ln", inside), ("f", "ln", base))
    elif name == "lg":
        tree = ("/", ("f", "ln", inside), ("f", "ln", numeral("10")))
    else:
        tree = ("f", "ln" if name == "log" else name, inside)
    if power is None:
        return tree
    if power == ("-", ("n", Fraction(1), None)) and name in ("sin", "cos", "tan"):
        return ("f", "arc" + name, inside)
    return ("^", tree, power)


def run(reader: Reader) -> tuple:
    """The argument of a function without brackets: factors up to a sign or another function."""
    minus = bool(reader.op("-") and reader.step())
    items = [reader.power()]
    while reader.starts() and not reader.op("(", "[", "\\{", "|") and not (
        reader.now.kind == "cmd" and reader.now.value in FUNCTIONS
    ):  # fmt: skip
        items.append(reader.power())
    if reader.op("/") and reader.peek().kind == "num":
        reader.step()
        items = [("/", ("*", tuple(items)) if len(items) > 1 else items[0], reader.power())]
    tree = ("*", tuple(items)) if len(items) > 1 else items[0]
    return ("-", tree) if minus else tree


def matrix(reader: Reader) -> tuple:
    """Rows of cells."""
    kind = environment(reader)
    if kind not in MATRICES:
        raise Unreadable(f"\\begin{{{kind}}} is not known")
    if kind == "vmatrix":
        raise Unreadable("a determinant")
    if kind == "array" and reader.op("{"):
        while not reader.op("}") and reader.now.kind != "end":
            reader.step()
        reader.need("}")
    rows, row = [], [reader.item()]
    while True:
        if reader.op("&"):
            reader.step()
            row.append(reader.item())
        elif reader.op("\\\\"):
            reader.step()
            rows.append(tuple(row))
            if reader.cmd("end"):
                break
            row = [reader.item()]
        elif reader.cmd("end"):
            rows.append(tuple(row))
            break
        else:
            raise Unreadable("a matrix is open")
    reader.step()
    environment(reader)
    return ("mat", tuple(rows))


def environment(reader: Reader) -> str:
    """A name in braces."""
    reader.need("{")
    name = reader.step().value
    reader.need("}")
    return name
