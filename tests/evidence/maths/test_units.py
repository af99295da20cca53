"""Units and what they measure."""

from __future__ import annotations

from fractions import Fraction

import pytest

from guerdon.evidence.maths.units import measure, together


@pytest.mark.parametrize(
    ("a", "b", "factor"),
    [
        ("m", "cm", 100),
        ("cm^2", "m^2", Fraction(1, 10000)),
        ("km/h", "m/s", Fraction(5, 18)),
        ("L", "cm^3", 1000),
        ("m", "s", None),
        ("m", None, 1),
        ("apples", "m", 1),
        ("$", "€", None),
        ("cents", "dollars", Fraction(1, 100)),
        ("MeV", "keV", 1000),
        ("kWh", "MJ", Fraction(18, 5)),
        ("kg m/s^2", "N", 1),
        ("square feet", "ft^2", 1),
        ("degrees Celsius", "°C", 1),
        ("°C", "°F", None),
        ("am", "pm", None),
        ("Mg", "mg", 10**9),
        ("year", "months", 12),
        ("month", "days", None),
        ("miles per hour", "mph", 1),
    ],
)
def test_conversion(a, b, factor):
    assert together(a, b) == factor


def test_words_that_are_no_units():
    assert measure("apples") is None
    assert measure("m^99") is None
