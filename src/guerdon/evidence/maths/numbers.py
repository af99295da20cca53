"""Values of trees: fractions as long as it goes, then decimals of as many figures as asked, then complex pairs.

Everything is bounded before it is done: a power by the size of its result, a factorial by its
argument, and the whole by a budget of bits, so that the time taken does not depend on luck.
"""

from __future__ import annotations

import decimal
from collections.abc import Mapping
from decimal import Decimal
from fractions import Fraction
from functools import lru_cache
from math import comb, factorial, gcd, lcm, prod

from guerdon.evidence.maths.series import TooBig, Undecided, Undefined, as_decimal, cos, function, pi, sin

BITS = 24_000  # of a numerator or a denominator: 2006! fits, a tower of powers does not
BUDGET = 3_000_000  # bits of all intermediate results together
LARGEST = 3_000  # argument of a factorial
ONE, ZERO = Fraction(1), Fraction(0)


class Evaluator:
    """Works trees out at one precision, with values for the symbols.

    Args:
        at: values of symbols. A symbol that is not there is `Undecided`.
        figures: of decimals.
        complex_: whether a square root of a negative number is imaginary; else it is `Undefined`.
    """

    def __init__(self, at: Mapping[str, Fraction], figures: int = 60, complex_: bool = True):
        self.at, self.complex, self.left, self.figures = at, complex_, BUDGET, figures
        self.context = decimal.Context(
            prec=figures, Emax=100_000, Emin=-100_000, traps=[decimal.Overflow, decimal.Underflow,
            decimal.InvalidOperation, decimal.DivisionByZero],
        )  # fmt: skip

    def value(self, tree: tuple):
        """A Fraction, a Decimal, or a pair of them.

        Raises:
            TooBig, Undefined, Undecided.
        """
        try:
            with decimal.localcontext(self.context):
                return self._of(tree)
        except (decimal.Overflow, decimal.Underflow):
            raise TooBig("a number is larger than 10^100000, or smaller than its inverse") from None
        except (decimal.InvalidOperation, ZeroDivisionError):
            raise Undefined("no value") from None

    def _of(self, tree: tuple):
        kind = tree[0]
        if kind == "n":
            return tree[1]
        rule = _RULES.get(kind)
        if rule is None:
            raise Undecided(kind)
        return self._spend(rule(self, tree))

    def _spend(self, value):
        for part in value if isinstance(value, tuple) else (value,):
            if isinstance(part, Fraction):
                bits = part.numerator.bit_length() + part.denominator.bit_length()
                if bits > 2 * BITS:
                    raise TooBig("a number has more figures than the checker takes")
                self.left -= bits + 64
            else:
                self.left -= 4 * self.figures
        if self.left < 0:
            raise TooBig("the expression takes more arithmetic than the checker does")
        return value

    # --- rules ---------------------------------------------------------------------------------
    def symbol(self, tree: tuple):
        """A constant, or what the symbol stands for here."""
        name = tree[1]
        if name == "\\pi":
            return pi(self.figures)
        if name == "e":
            return Decimal(1).exp()
        if name == "i":
            return (ZERO, ONE)
        if name == "\\infty" or name not in self.at:
            raise Undecided(name)
        return self.at[name]

    def sum(self, tree: tuple):
        """Of all items."""
        total = ZERO
        for item in tree[1]:
            total = self._spend(_add(total, self._of(item)))
        return total

    def product(self, tree: tuple):
        """Of all items."""
        total = ONE
        for item in tree[1]:
            total = self._spend(_mul(total, self._of(item)))
        return total

    def quotient(self, tree: tuple):
        """One by the other."""
        return _div(self._of(tree[1]), self._of(tree[2]))

    def power(self, tree: tuple):
        """A base and its exponent; of e, the exponential."""
        exponent = self._of(tree[2])
        if tree[1] == ("s", "e"):
            return self._exp(exponent)
        return self.raised(self._of(tree[1]), exponent)

    def raised(self, base, exponent):
        """A power of values: exact for whole exponents, by roots for fractions, else by logarithms."""
        if isinstance(exponent, tuple):
            raise Undecided("a complex exponent")
        if isinstance(exponent, Fraction) and exponent.denominator == 1:
            return self._whole_power(base, exponent.numerator)
        if isinstance(base, tuple):
            raise Undecided("a root of a complex number")
        if isinstance(exponent, Fraction) and exponent.denominator <= 64:
            return self.raised(self.root_of(base, exponent.denominator), Fraction(exponent.numerator))
        if base == 0:
            return ZERO if exponent > 0 else _nothing()
        if base < 0:
            return _nothing()
        return (as_decimal(exponent) * as_decimal(base).ln()).exp()

    def _whole_power(self, base, n: int):
        if isinstance(base, Fraction):
            if base in (0, 1):
                return base if n or base else ONE
            if base == -1:
                return base if n % 2 else ONE
            if abs(n) * max(base.numerator.bit_length() - 1, base.denominator.bit_length() - 1, 1) > BITS:
                raise TooBig("a power has more figures than the checker takes")
            return base**n
        if abs(n) > 10**6:
            raise TooBig("an exponent is larger than the checker takes")
        if isinstance(base, tuple):
            result, square, k = (ONE, ZERO), base, abs(n)
            while k:
                if k & 1:
                    result = self._spend(_mul(result, square))
                square, k = self._spend(_mul(square, square)), k >> 1
            return _div(ONE, result) if n < 0 else result
        return base**n

    def root_of(self, value, order: int):
        """The real root; of a negative number the real odd root, or an imaginary square root."""
        if isinstance(value, tuple):
            raise Undecided("a root of a complex number")
        if value < 0:
            if order % 2:
                return -self.root_of(-value, order)
            if order == 2 and self.complex:
                return (ZERO, self.root_of(-value, 2))
            raise Undefined("an even root of a negative number")
        if isinstance(value, Fraction):
            above, below = _whole_root(value.numerator, order), _whole_root(value.denominator, order)
            if above is not None and below is not None:
                return Fraction(above, below)
        if value == 0:
            return ZERO
        number = as_decimal(value)
        return number.sqrt() if order == 2 else (number.ln() / order).exp()

    def factorial(self, tree: tuple):
        """Of a whole number up to 3,000."""
        n = _whole(self._of(tree[1]))
        if n < 0:
            raise Undefined("a factorial of a negative number")
        if n > LARGEST:
            raise TooBig(f"a factorial of more than {LARGEST}")
        return Fraction(factorial(n))

    def function(self, tree: tuple):
        """A named function of what is inside."""
        name, inside = tree[1], tree[2]
        if name == "root":
            order = _whole(self._of(inside[2][1]))
            if not 0 < order <= 64:
                raise Undecided("a root of that order")
            return self.root_of(self._of(inside[2][0]), order)
        if name == "binom":
            n, k = (_whole(self._of(x)) for x in inside[2])
            if not 0 <= k <= n:
                raise Undefined("a binomial")
            if n > LARGEST:
                raise TooBig(f"a binomial of more than {LARGEST}")
            return Fraction(comb(n, k))
        if name in ("gcd", "lcm"):
            if symbols(inside):  # a few points tell little: two numbers drawn at random are often coprime
                raise Undecided(f"{name} of unknowns")
            return Fraction({"gcd": gcd, "lcm": lcm}[name](*(_whole(self._of(x)) for x in inside[2])))
        if name == "fact2":
            n = _whole(self._of(inside))
            if n < 0:
                raise Undefined("a factorial of a negative number")
            if n > LARGEST:
                raise TooBig(f"a factorial of more than {LARGEST}")
            return Fraction(prod(range(n, 0, -2)))
        if name in _ANGLES and inside[0] == "deg":
            degrees = self._of(inside[1])
            x = _mul(_div(degrees, Fraction(180)), pi(self.figures))
        else:
            x = self._of(inside)
        if name == "exp":
            return self._exp(x)
        if name == "abs" and isinstance(x, tuple):
            return self.root_of(_add(_mul(x[0], x[0]), _mul(x[1], x[1])), 2)
        if isinstance(x, tuple):
            raise Undecided(f"{name} of a complex number")
        if name == "abs":
            return abs(x)
        if name in ("floor", "ceil"):
            if not isinstance(x, Fraction):
                raise Undecided("a floor of what is not a fraction")
            return Fraction(x.__floor__() if name == "floor" else x.__ceil__())
        return function(name, x, self.figures)

    def _exp(self, x):
        if isinstance(x, tuple):
            size, angle = as_decimal(self._exp(x[0])), as_decimal(x[1])
            return (size * cos(angle, self.figures), size * sin(angle, self.figures))
        return ONE if x == 0 else as_decimal(x).exp()


_RULES = {
    "s": Evaluator.symbol, "+": Evaluator.sum, "*": Evaluator.product, "/": Evaluator.quotient, "^": Evaluator.power,
    "-": lambda self, tree: _mul(-ONE, self._of(tree[1])), "!": Evaluator.factorial, "f": Evaluator.function,
    "%": lambda self, tree: _div(self._of(tree[1]), Fraction(100)), "deg": lambda self, tree: self._of(tree[1]),
}  # fmt: skip
_ANGLES = frozenset(["sin", "cos", "tan", "sec", "csc", "cot"])


def symbols(tree: object) -> frozenset[str]:
    """The free symbols of a tree; constants are none."""
    if isinstance(tree, tuple):
        if len(tree) == 2 and tree[0] == "s":
            return frozenset() if tree[1] in ("\\pi", "e", "i") else frozenset((tree[1],))
        return frozenset().union(*(symbols(part) for part in tree))
    return frozenset()


def holds(tree: object, wanted: tuple) -> bool:
    """Whether a tree is, or has in it, a part that starts like `wanted`."""
    return isinstance(tree, tuple) and (tree[: len(wanted)] == wanted or any(holds(part, wanted) for part in tree))


def _nothing():
    raise Undefined("no value")


def _whole(x) -> int:
    if isinstance(x, Fraction) and x.denominator == 1:
        return x.numerator
    raise Undecided("not a whole number")


def _pair(x) -> tuple:
    return x if isinstance(x, tuple) else (x, ZERO)


def _real(x, y):
    return x if isinstance(y, Fraction) and y == 0 else (x, y)


def _add(a, b):
    if isinstance(a, tuple) or isinstance(b, tuple):
        (p, q), (r, s) = _pair(a), _pair(b)
        return _real(_add(p, r), _add(q, s))
    if isinstance(a, Fraction) and isinstance(b, Fraction):
        return a + b
    return as_decimal(a) + as_decimal(b)


def _mul(a, b):
    if isinstance(a, tuple) or isinstance(b, tuple):
        (p, q), (r, s) = _pair(a), _pair(b)
        return _real(_add(_mul(p, r), _mul(-ONE, _mul(q, s))), _add(_mul(p, s), _mul(q, r)))
    if isinstance(a, Fraction) and isinstance(b, Fraction):
        return a * b
    return as_decimal(a) * as_decimal(b)


def _div(a, b):
    if isinstance(b, tuple):
        size = _add(_mul(b[0], b[0]), _mul(b[1], b[1]))
        return _mul(_mul(a, (b[0], _mul(-ONE, b[1]))), _div(ONE, size))
    if isinstance(a, tuple):
        return _real(_div(a[0], b), _div(a[1], b))
    if b == 0:
        raise Undefined("a division by zero")
    if isinstance(a, Fraction) and isinstance(b, Fraction):
        return a / b
    return as_decimal(a) / as_decimal(b)


@lru_cache(maxsize=4096)
def _whole_root(n: int, order: int) -> int | None:
    """The exact root of a whole number, by Newton's rule; None where it has none."""
    if n < 2:
        return n
    x = 1 << -(-n.bit_length() // order)
    while True:
        y = ((order - 1) * x + n // x ** (order - 1)) // order
        if y >= x:
            return x if x**order == n else None
        x = y
