"""The parts of a formula that are not made of others by signs: numerals, names, brackets, commands, units."""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING

from guerdon.evidence.maths.numerals import number, numeral
from guerdon.evidence.maths.operators import WORDS
from guerdon.evidence.maths.tokens import FUNCTIONS, GREEK, Token, Unreadable
from guerdon.evidence.maths.units import CURRENCY

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
        "mathbb",
        "R",
        "Z",
        "N",
        "Q",
        "cbrt",
        "angle",
        "triangle",
        "gcd",
        "lcm",
    ]
)
LINE = ("seq", "(", (("-", ("s", "\\infty")), ("s", "\\infty")), ")")


def letters_only(word: str) -> bool:
    """Whether a word is a product of letters, not a word."""
    return len(word) <= 3 and word not in ("and", "or", "not") and word not in WORDS


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


def letters(reader: Reader) -> tuple:
    """One letter of a run; the others are factors of their own."""
    first, rest = reader.now.value[0], reader.now.value[1:]
    if not rest:
        reader.step()
        while reader.op("'"):  # f'(x)
            first += reader.step().value
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
    ruled = opened == "\\{" and by_rule(reader)
    tree = reader.listing((closed,))
    reader.bars = bars
    reader.need(closed)
    if ruled:
        if tree[0] not in ("rel", "list") or (tree[0] == "list" and not tree[2]):
            raise Unreadable("a set by a rule")
        return tree
    if tree[0] == "list" or opened == "\\{":
        if tree[0] == "rel" or (tree[0] == "ratio"):
            raise Unreadable("a set by a rule")
        return ("set", tree[1] if tree[0] == "list" else (tree,))
    return tree


def by_rule(reader: Reader) -> bool:
    """Takes the head of a set that is given by a rule over all numbers, such as `x |` or `x \\in \\mathbb{R} :`."""
    if reader.now.kind != "word" or len(reader.now.value) > 1:
        return False
    ahead = 1
    if reader.peek().value == "in":
        ahead = next((n for n, words in ((3, ("R",)), (6, ("mathbb", "{", "R", "}"))) if tuple(
            reader.peek(2 + k).value for k in range(len(words))) == words), 1)  # fmt: skip
    if reader.peek(ahead).kind != "op" or reader.peek(ahead).value not in ("|", ":"):
        return False
    for _ in range(ahead + 1):
        reader.step()
    return True


def command(reader: Reader) -> tuple:
    """What starts with a backslash."""
    name = reader.step().value
    if name == "frac":
        return reader.fraction()
    if name in ("R", "Z", "N", "Q", "mathbb"):
        field = argument(reader) if name == "mathbb" else ("s", name)
        return LINE if field == ("s", "R") else ("s", f"\\mathbb{{{field[1]}}}")
    if name in ("angle", "triangle") and reader.now.kind == "word":
        return subscript(reader, f"\\{name} {reader.step().value}")
    if name == "cbrt":
        inside = numeral(reader.step().value) if reader.now.kind == "num" else argument(reader)
        return ("f", "root", ("seq", "(", (inside, ("n", Fraction(3), None)), ")"))
    if name == "binom":
        return ("f", "binom", ("seq", "(", (argument(reader), argument(reader)), ")"))
    if name in ("gcd", "lcm"):
        return divisors(reader, name)
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


def divisors(reader: Reader, name: str) -> tuple:
    """The greatest common divisor, or the least common multiple, of what stands in brackets."""
    inside = atom(reader) if reader.op("(") else ("",)
    if inside[0] != "seq":
        raise Unreadable(f"{name} without brackets")
    return ("f", name, inside)


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
        tree = ("f", name, inside)
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
