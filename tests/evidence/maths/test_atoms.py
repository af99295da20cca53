"""Numerals and names."""

from __future__ import annotations

from fractions import Fraction

import pytest

from guerdon.evidence.maths.atoms import numeral
from guerdon.evidence.maths.parse import parse
from guerdon.evidence.maths.tokens import TooDeep


@pytest.mark.parametrize(
    ("text", "value", "places"),
    [
        ("12", 12, None),
        ("0.50", Fraction(1, 2), 2),
        ("1e3", 1000, -3),
        ("2.5e-3", Fraction(1, 400), 4),
        (".5", Fraction(1, 2), 1),
        ("0xff", 255, None),
    ],
)
def test_numerals(text, value, places):
    assert numeral(text) == ("n", value, places)


def test_a_numeral_is_bounded():
    with pytest.raises(TooDeep):
        numeral("1" * 2000)
    with pytest.raises(TooDeep):
        numeral("1e999999")


def test_mixed_numbers_subscripts_and_bases():
    assert parse(r"2\frac{1}{2}") == ("n", Fraction(5, 2), None)
    assert parse("1 1/4") == ("n", Fraction(5, 4), None)
    assert parse("a_{12}") == ("s", "a_12")
    assert parse("52_8") == ("base", "52", "8")
    assert parse(r"\frac13") == ("/", numeral("1"), numeral("3"))
