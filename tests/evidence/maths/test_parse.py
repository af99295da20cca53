"""Tokens to trees: precedence, lists, relations, and what is refused."""

from __future__ import annotations

from fractions import Fraction

import pytest

from guerdon.evidence.maths.parse import parse
from guerdon.evidence.maths.tokens import Meaningless, TooDeep, Unreadable

X, TWO = ("s", "x"), ("n", Fraction(2), None)


@pytest.mark.parametrize(
    ("text", "tree"),
    [
        ("x^2", ("^", X, TWO)),
        ("-x^2", ("-", ("^", X, TWO))),
        ("2x", ("*", (TWO, X))),
        ("x/2", ("/", X, TWO)),
        ("x<2", ("rel", ("<",), (X, TWO))),
        (r"\{x,2\}", ("set", (X, TWO))),
        ("[x,2)", ("seq", "[", (X, TWO), ")")),
        ("x, 2", ("list", (X, TWO), "")),
        (r"x \text{ or } 2", ("list", (X, TWO), "or")),
        (r"\begin{pmatrix}x\\2\end{pmatrix}", ("mat", ((X,), (TWO,)))),
        ("x:2", ("ratio", (X, TWO))),
        ("2 m", ("unit", TWO, "m")),
        ("2%", ("%", TWO)),
        (r"2^\circ", ("deg", TWO)),
    ],
)
def test_trees(text, tree):
    assert parse(text) == tree


def test_a_power_binds_to_the_last_letter():
    assert parse("ab^2") == ("*", (("s", "a"), ("^", ("s", "b"), TWO)))


@pytest.mark.parametrize("text", ["1 2 3", "4 10/3", "3.5 2"])
def test_numbers_side_by_side_mean_nothing(text):
    with pytest.raises(Meaningless):
        parse(text)


@pytest.mark.parametrize("text", ["", "(", "x+", r"\foo x", "[1,2", r"\frac{1}{", r"\int_0^1 x dx", "}", "Monday"])
def test_what_is_not_in_the_grammar(text):
    with pytest.raises(Unreadable):
        parse(text)


def test_nesting_is_bounded():
    with pytest.raises(TooDeep):
        parse("(" * 100 + "1" + ")" * 100)
    with pytest.raises(TooDeep):
        parse(r"\sqrt{" * 60 + "1" + "}" * 60)
