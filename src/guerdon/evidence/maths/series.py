"""Constants and functions to as many figures as asked, by series; stateless, in decimals."""

from __future__ import annotations

import decimal
from decimal import Decimal
from fractions import Fraction
from functools import lru_cache


class TooBig(ArithmeticError):
    """A number on the way is larger than the checker's stated size."""


class Undefined(ArithmeticError):
    """There is no real value here: a division by zero, a logarithm of a negative number."""


class Undecided(ArithmeticError):
    """This evaluator has no rule for it."""


@lru_cache(maxsize=8)
def pi(figures: int) -> Decimal:
    """Half the turn of a circle, by Machin's formula, with guard figures."""
    scale = 10 ** (figures + 10)

    def arctan_inverse(n: int) -> int:
        total = term = scale // n
        k, sign = 3, -1
        while term:
            term //= n * n
            total += sign * (term // k)
            k, sign = k + 2, -sign
        return total

    with decimal.localcontext(decimal.Context(prec=figures + 15)):
        return Decimal(4 * (4 * arctan_inverse(5) - arctan_inverse(239))) / scale


def sin(x: Decimal, figures: int) -> Decimal:
    """Of an angle in radians: reduced, a third of a third of a third, and a short series."""
    if abs(x) > 10**9:
        raise Undecided("an angle of more than 10^9")
    with decimal.localcontext() as context:
        context.prec = figures + 15
        turn = 2 * pi(figures + 15)
        x = x - turn * (x / turn).to_integral_value() if abs(x) > 3 else x
        x = x / 27  # sin 3y = 3 sin y - 4 sin^3 y, three times: a short series
        term = total = x
        k, square, least = 1, x * x, Decimal(10) ** -(figures + 14)
        while abs(term) > least:
            term = -term * square / ((k + 1) * (k + 2))
            total += term
            k += 2
        for _ in range(3):
            total = 3 * total - 4 * total**3
        return total


def cos(x: Decimal, figures: int) -> Decimal:
    """Of an angle in radians."""
    return sin(pi(figures + 15) / 2 - x, figures)


def arctan(x: Decimal, figures: int) -> Decimal:
    """Halved until its series is short."""
    with decimal.localcontext() as context:
        context.prec = figures + 15
        halved = 0
        while abs(x) > Decimal("0.1"):
            x = x / (1 + (1 + x * x).sqrt())
            halved += 1
        term = total = x
        k, square, least = 1, x * x, Decimal(10) ** -(figures + 14)
        while abs(term) > least:
            term = -term * square
            k += 2
            total += term / k
        return total * 2**halved


def function(name: str, given, figures: int):
    """A named function of one real number."""
    if name in ("ln", "log"):
        if given <= 0:
            raise Undefined("a logarithm of what is not positive")
        return Fraction(0) if given == 1 else as_decimal(given).ln()
    if given == 0 and name in ("sin", "tan", "arctan", "arcsin", "sinh", "tanh"):
        return Fraction(0)
    x = as_decimal(given)
    if name in ("sin", "csc"):
        return sin(x, figures) if name == "sin" else 1 / sin(x, figures)
    if name in ("cos", "sec"):
        return cos(x, figures) if name == "cos" else 1 / cos(x, figures)
    if name in ("tan", "cot"):
        s, c = sin(x, figures), cos(x, figures)
        top, bottom = (s, c) if name == "tan" else (c, s)
        if abs(bottom) < Decimal(10) ** -(figures - 10):
            raise Undefined("a pole")
        return top / bottom
    if name == "arctan":
        return arctan(x, figures)
    if name in ("arcsin", "arccos"):
        if abs(x) > 1:
            raise Undefined("an arc of more than 1")
        half = pi(figures) / 2
        arc = half.copy_sign(x) if abs(x) == 1 else arctan(x / (1 - x * x).sqrt(), figures)
        return arc if name == "arcsin" else half - arc
    if name in ("sinh", "cosh", "tanh"):
        up, down = x.exp(), (-x).exp()
        return {"sinh": (up - down) / 2, "cosh": (up + down) / 2, "tanh": (up - down) / (up + down)}[name]
    raise Undecided(name)


def as_decimal(x) -> Decimal:
    """A fraction in decimals of the precision in use; decimals as they are."""
    return Decimal(x.numerator) / Decimal(x.denominator) if isinstance(x, Fraction) else x
