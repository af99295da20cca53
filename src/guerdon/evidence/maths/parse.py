"""Tokens to a tree: what an answer says, without working any of it out.

A tree is nested tuples, the first entry naming the kind: `("n", Fraction, places)` a number, with the
decimal places it was written with, `("s", name)` a symbol, `("+", items)`, `("*", items)`, `("/", a, b)`,
`("^", a, b)`, `("-", a)`, `("f", name, argument)`, `("!", a)`, `("%", a)`, `("deg", a)`, `("pm", a, b)`,
`("seq", open, items, close)`, `("set", items)`, `("list", items)`, `("rel", signs, sides)`,
`("cup", items)`, `("mat", rows)`, `("ratio", items)`, `("base", digits, base)`, `("unit", a, unit)`.
"""

from __future__ import annotations

from guerdon.evidence.maths.atoms import (
    DEPTH,
    STARTERS,
    atom,
    letters_only,
    unit,
    unit_here,
)
from guerdon.evidence.maths.tokens import FUNCTIONS, GREEK, Meaningless, Token, TooDeep, Unreadable, plain, tokens_of

RELATIONS = {"=": "=", "<": "<", ">": ">", "le": "<=", "ge": ">=", "ne": "!=", "approx": "~", "in": "in"}


def parse(text: str) -> tuple:
    """The tree of a text.

    Raises:
        Unreadable, Meaningless, TooDeep: as their names say.

    Example:
        >>> parse("x = 5")
        ('rel', ('=',), (('s', 'x'), ('n', Fraction(5, 1), None)))
    """
    tokens = tokens_of(plain(text))
    if not tokens or len(tokens) == 1:
        raise Unreadable("nothing to read")
    try:
        reader = Reader(tokens)
        tree = reader.listing(("end",))
        if reader.now.kind != "end":
            raise Unreadable(f"{reader.now.value!r} was not expected")
        return tree
    except RecursionError:
        raise TooDeep("nested too deep") from None


class Reader:
    """Reads tokens from left to right, one rule a method, the loosest binding first."""

    def __init__(self, tokens: list[Token]):
        self.tokens, self.at, self.depth, self.bars = tokens, 0, 0, 0
        self.now = tokens[0]

    def step(self) -> Token:
        """Takes the next token."""
        token = self.now
        self.at += 1
        self.now = self.tokens[min(self.at, len(self.tokens) - 1)]
        return token

    def peek(self, k: int = 1) -> Token:
        """The token after the next, without taking it."""
        return self.tokens[min(self.at + k, len(self.tokens) - 1)]

    def op(self, *values: str) -> bool:
        """Whether the next token is one of these signs."""
        return self.now.kind == "op" and self.now.value in values

    def cmd(self, *values: str) -> bool:
        """Whether the next token is one of these commands."""
        return self.now.kind == "cmd" and self.now.value in values

    def need(self, value: str) -> None:
        """Takes this sign, or says that it is missing."""
        if not self.op(value):
            raise Unreadable(f"{value} is missing")
        self.step()

    def deeper(self) -> None:
        """Counts one more level of nesting."""
        self.depth += 1
        if self.depth > DEPTH:
            raise TooDeep(f"nested deeper than {DEPTH}")

    # --- listings and relations ----------------------------------------------------------------
    def listing(self, ends: tuple[str, ...]) -> tuple:
        """Items between commas, semicolons, "and", "or"."""
        items, several, word = [self.item()], False, ""
        while self.op(",", ";") or (self.now.kind == "word" and self.now.value in ("and", "or")):
            while self.op(",", ";") or (self.now.kind == "word" and self.now.value in ("and", "or")):
                token = self.step()
                word = token.value if token.kind == "word" else word
            several = True
            if self.now.kind in ends or (self.now.kind == "op" and self.now.value in ends):
                break
            items.append(self.item())
        return ("list", tuple(items), word) if several else items[0]

    def item(self) -> tuple:
        """A relation, or what it is made of."""
        sides, signs = [self.ratio()], []
        while (self.now.kind == "op" and self.now.value in "=<>") or self.cmd(*RELATIONS):
            if self.now.value == "":
                break
            signs.append(RELATIONS[self.step().value])
            sides.append(self.ratio())
        return ("rel", tuple(signs), tuple(sides)) if signs else sides[0]

    def ratio(self) -> tuple:
        """a:b:c, or what it is made of."""
        items = [self.union()]
        while self.op(":"):
            self.step()
            items.append(self.union())
        return ("ratio", tuple(items)) if len(items) > 1 else items[0]

    def union(self) -> tuple:
        """Sets joined by a cup, or what it is made of."""
        items = [self.sum()]
        while self.cmd("cup"):
            self.step()
            items.append(self.sum())
        return ("cup", tuple(items)) if len(items) > 1 else items[0]

    # --- arithmetic ------------------------------------------------------------------------------
    def sum(self) -> tuple:
        """Terms between plus, minus and plus-or-minus."""
        items: list[tuple] = []
        if self.cmd("pm", "mp"):
            self.step()
            items = [("pm", None, self.term())]
        else:
            items = [self.term()]
        while self.op("+", "-") or self.cmd("pm", "mp"):
            sign = self.step()
            term = self.term()
            if sign.kind == "cmd":
                items = [("pm", ("+", tuple(items)) if len(items) > 1 else items[0], term)]
            else:
                items.append(term if sign.value == "+" else ("-", term))
        return ("+", tuple(items)) if len(items) > 1 else items[0]

    def term(self) -> tuple:
        """A product with its sign."""
        negative = False
        while self.op("+", "-"):
            negative ^= self.step().value == "-"
        tree = self.product()
        return ("-", tree) if negative else tree

    def product(self) -> tuple:
        """Factors, with or without signs between them, and a unit at the end."""
        tree = self.power()
        while True:
            if self.op("*", "/"):
                sign = self.step().value
                minus = False
                while self.op("-", "+"):
                    minus ^= self.step().value == "-"
                right = self.power()
                right = ("-", right) if minus else right
                tree = ("/", tree, right) if sign == "/" else ("*", (tree, right))
            elif self.now.kind == "word" and self.now.value in ("x", "X") and self._times(tree):
                self.step()
                tree = ("*", (tree, self.power()))
            elif self.starts():
                before = tree
                right = self.power()
                if right[0] == "n" and before[0] == "n":
                    raise Meaningless("two numbers side by side")
                if right[0] == "n" and before[0] != "n":
                    raise Unreadable("a number after a factor")
                tree = ("*", (tree, right))
            elif (named := unit(self, tree)) is not None:
                tree = ("unit", tree, named)
            else:
                return tree

    def _times(self, left: tuple) -> bool:
        """Whether an x here is typed for a multiplication sign: 3 x 10^8."""
        after = self.peek()
        return left[0] == "n" and after.kind == "num" and (after.value == "10" or (self.now.spaced and after.spaced))

    def starts(self) -> bool:
        """Whether the next token can start a factor that is multiplied without a sign."""
        kind, value = self.now.kind, self.now.value
        if kind == "num":
            return True
        if kind == "op":
            return value in "({[" or value == "\\{" or (value == "|" and not self.bars)
        if kind == "cmd":
            return value in STARTERS or value in GREEK or value in FUNCTIONS
        return kind == "word" and unit_here(self) is None and letters_only(value)

    def power(self) -> tuple:
        """An atom with its exponent."""
        base = self.postfix(atom(self))
        if self.op("^"):
            self.step()
            if self.cmd("circ") or (self.op("{") and self.peek().value == "circ" and self.peek(2).value == "}"):
                for _ in range(1 if self.cmd("circ") else 3):
                    self.step()
                return self.postfix(("deg", base))
            base = ("^", base, self.exponent())
            return self.postfix(base)
        return base

    def exponent(self) -> tuple:
        """What stands after ^."""
        self.deeper()
        if self.op("{"):
            self.step()
            tree = self.item()
            self.need("}")
        else:
            minus = False
            while self.op("-", "+"):
                minus ^= self.step().value == "-"
            tree = self.postfix(atom(self))
            if self.op("^"):
                self.step()
                tree = ("^", tree, self.exponent())
            tree = ("-", tree) if minus else tree
        self.depth -= 1
        return tree

    def postfix(self, tree: tuple) -> tuple:
        """Factorials and per cent signs after an atom."""
        while True:
            if self.op("!"):
                self.step()
                tree = ("!", tree)
            elif self.op("%"):
                self.step()
                tree = ("%", tree)
            elif self.op("'"):
                raise Unreadable("a derivative")
            else:
                return tree
