"""Tokens to a tree: what an answer says, without working any of it out.

A tree is nested tuples, the first entry naming the kind: `("n", Fraction, places)` a number, with the
decimal places it was written with, `("s", name)` a symbol, `("+", items)`, `("*", items)`, `("/", a, b)`,
`("^", a, b)`, `("-", a)`, `("f", name, argument)`, `("!", a)`, `("%", a)`, `("deg", a)`, `("pm", a, b)`,
`("seq", open, items, close)`, `("set", items)`, `("list", items)`, `("rel", signs, sides)`,
`("cup", items)`, `("cut", a, b)`, `("mat", rows)`, `("ratio", items)`, `("base", digits, base)`, `("unit", a, unit)`.
"""

from __future__ import annotations

from fractions import Fraction

from guerdon.evidence.maths.atoms import DEPTH, STARTERS, argument, atom, letters_only
from guerdon.evidence.maths.numerals import base as base_below
from guerdon.evidence.maths.operators import D, leibniz
from guerdon.evidence.maths.quantities import joined, over_units, unit, unit_here, with_unit
from guerdon.evidence.maths.tokens import FUNCTIONS, GREEK, Meaningless, Token, TooDeep, Unreadable, plain, tokens_of

RELATIONS = {
    "=": "=",
    "<": "<",
    ">": ">",
    "le": "<=",
    "ge": ">=",
    "ne": "!=",
    "approx": "~",
    "equiv": "mod",
    "in": "in",
}


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
        if word == "and" and len(items) == 2 and (whole := joined(*items)):  # 3 hours and 20 minutes
            return whole
        return ("list", tuple(items), word) if several else items[0]

    def item(self) -> tuple:
        """A relation, or what it is made of."""
        if self.op("=") or self.cmd("approx"):  # "= 5" says 5
            self.step()
        sides, signs = [self.ratio()], []
        if self.cmd("over"):
            self.step()
            sides = [over(sides[0], self.ratio())]
        while (self.now.kind == "op" and self.now.value in "=<>") or self.cmd(*RELATIONS):
            if self.now.value == "":
                break
            signs.append(RELATIONS[self.step().value])
            sides.append(self.ratio())
        if "mod" in signs:
            return self.residue(signs, sides)
        return ("rel", tuple(signs), tuple(sides)) if signs else sides[0]

    def residue(self, signs: list[str], sides: list[tuple]) -> tuple:
        """a \\equiv b \\pmod{m}: a, that is b, as the list of m, b."""
        bracket = self.op("(")
        if bracket:
            self.step()
        if len(signs) != 1 or not (self.cmd("pmod", "mod", "bmod") or (self.now.value == "mod")):
            raise Unreadable("a congruence")
        self.step()
        tree = ("rel", ("mod",), (*sides, argument(self)))
        if bracket:
            self.need(")")
        return tree

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
        tree = ("cup", tuple(items)) if len(items) > 1 else items[0]
        if self.cmd("setminus", "backslash"):
            self.step()
            tree = ("cut", tree, self.sum())
        return tree

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
        if negative and tree[0] == "mat":
            return times(("n", Fraction(-1), None), tree)
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
                if sign == "/" and tree[0] == "mat":
                    sign, right = "*", ("/", ("n", Fraction(1), None), right)
                while right == D and sign == "/" and self.now.kind == "word" and not self.now.spaced:
                    right = times(right, self.power())  # of dy/dx, what stands below is dx
                tree = over(tree, right) if sign == "/" else times(tree, right)
            elif self.now.kind == "word" and self.now.value in ("x", "X") and self._times(tree):
                self.step()
                tree = ("*", (tree, self.power()))
            elif tree[0] == "unit" and self.now.kind == "num" and self.now.spaced:
                tree = self.finer(tree)
            elif self.starts():
                before = tree
                right = self.power()
                if right[0] == "n" and before[0] == "n":
                    raise Meaningless("two numbers side by side")
                if right[0] == "n" and before[0] != "n":
                    raise Unreadable("a number after a factor")
                tree = times(tree, right)
            elif (named := unit(self, tree)) is not None:
                tree = with_unit(tree, named)
            else:
                return tree

    def finer(self, tree: tuple) -> tuple:
        """The second part of a quantity that is said in two units: 6 ft 2 in."""
        right = self.power()
        named = unit(self, right)
        whole = joined(tree, ("unit", right, named)) if named else None
        if whole is None:
            raise Meaningless("two numbers side by side")
        return whole

    def fraction(self) -> tuple:
        """What stands above and below a line."""
        return over(argument(self), argument(self))

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
            if value == "(" and self.peek().value in ("mod", "pmod"):
                return False
            return value in "({[" or value == "\\{" or (value == "|" and not self.bars)
        if kind == "cmd":
            known = (value in STARTERS and not over_units(self)) or value in GREEK or value in FUNCTIONS
            return known and unit_here(self) is None
        return kind == "word" and unit_here(self) is None and letters_only(value)

    def power(self) -> tuple:
        """An atom with its exponent."""
        base = self.postfix(atom(self))
        if self.op("^"):
            self.step()
            if self.cmd("circ") or (self.op("{") and self.peek().value == "circ" and self.peek(2).value == "}"):
                for _ in range(1 if self.cmd("circ") else 3):
                    self.step()
                scale = self.now.value if self.now.kind in ("text", "word") else ""
                if scale in ("C", "F"):  # a temperature
                    self.step()
                    return ("unit", base, "°" + scale)
                return self.postfix(("deg", base))
            power = self.exponent()
            if base[0] == "mat" and power in (("s", "T"), ("s", "\\top")):
                return ("mat", tuple(zip(*base[1], strict=False)))
            base = ("^", base, power)
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
                twice = self.op("!") and not self.now.spaced and bool(self.step())
                tree = ("f", "fact2", tree) if twice else ("!", tree)
            elif self.op("_") and tree[0] == "n" and self.tokens[self.at - 1].value == ")":
                tree = ("base", str(tree[1]), base_below(self))
            elif self.op("%"):
                self.step()
                tree = ("%", tree)
            elif self.op("'"):
                raise Unreadable("a derivative")
            else:
                return tree


def over(a: tuple, b: tuple) -> tuple:
    """A quotient; a derivative, which is none, as a name of its own.

    Example:
        >>> over(("s", "y"), ("s", "x"))
        ('/', ('s', 'y'), ('s', 'x'))
    """
    return leibniz(a, b) or ("/", a, b)


def times(a: tuple, b: tuple) -> tuple:
    """A product; of a number and a matrix, the matrix of the products; of a capital and a tuple, a point with its name.

    Example:
        >>> times(("s", "k"), ("mat", ((("s", "a"),),)))
        ('mat', ((('*', (('s', 'k'), ('s', 'a'))),),))
    """
    if a[0] == "mat" and b[0] == "mat":
        raise Unreadable("a product of matrices")
    if a[0] == "mat" or b[0] == "mat":
        factor, rows = (b, a[1]) if a[0] == "mat" else (a, b[1])
        return ("mat", tuple(tuple(("*", (factor, cell)) for cell in row) for row in rows))
    if a[0] == "s" and a[1][0].isupper() and b[0] == "seq" and b[1] == "(":
        return ("rel", ("=",), (a, b))
    return ("*", (a, b))
