"""Decimals that end, repeat or break off, mixed numbers, bases."""

from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from guerdon.evidence.maths.numerals import numeral
from guerdon.evidence.maths.parse import parse
from guerdon.evidence.maths.tokens import TooDeep


# --- laws ------------------------------------------------------------------------------------------
@given(st.integers(0, 99), st.text("0123456789", max_size=4), st.text("0123456789", min_size=1, max_size=6))
def test_a_repeating_decimal_is_what_it_says(whole, fixed, block):
    said = numeral(rf"{whole}.{fixed}\overline{{{block}}}")[1]
    shift = 10 ** len(fixed)
    tail = said * shift - int(f"{whole}{fixed}")
    assert tail * 10 ** len(block) - tail == int(block)


# --- worked examples ---------------------------------------------------------------------------------
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


@pytest.mark.parametrize(
    ("text", "value"),
    [
        (r"0.\overline{3}", Fraction(1, 3)),
        (r"0.1\overline{6}", Fraction(1, 6)),
        (r"0.\bar3", Fraction(1, 3)),
        (r"0.\dot{1}4285\dot{7}", Fraction(1, 7)),
        (r".\overline{9}", Fraction(1)),
        ("0.333...", Fraction(1, 3)),
        (r"0.1666\ldots", Fraction(1, 6)),
        ("0.121212...", Fraction(4, 33)),
    ],
)
def test_repeating_decimals(text, value):
    assert parse(text) == ("n", value, None)


def test_a_decimal_that_breaks_off_keeps_its_places():
    assert numeral("3.14159...") == ("n", Fraction(314159, 100000), 5, "...")
    assert numeral("2.718281828...")[1] == Fraction(2718281828, 10**9)  # 1828 twice is no rule


def test_mixed_numbers_and_bases():
    assert parse(r"2\frac{1}{2}") == ("n", Fraction(5, 2), None)
    assert parse("1 1/4") == ("n", Fraction(5, 4), None)
    assert parse("52_8") == parse(r"52_{\text{eight}}") == parse("(52)_8") == ("base", "52", "8")


def test_a_fraction_after_a_number_is_read_once():
    assert parse(r"2\frac12") == parse(r"2\frac{1}2") == parse("2 1/2") == ("n", Fraction(5, 2), None)
    assert parse(r"3\frac{ab}{cd}")[1][1] == parse(r"\frac{ab}{cd}")
    parse(r"2\frac{" * 18 + "1" + "}{y}" * 18)  # twice at each level would not end
