"""Values with units: which words are units, and one quantity in two units."""

from __future__ import annotations

import pytest

from guerdon.evidence.maths.parse import parse
from guerdon.evidence.maths.tokens import Meaningless


@pytest.mark.parametrize(
    ("text", "unit"),
    [
        ("5 cm", "cm"),
        ("5 m^2", "m^2"),
        ("5 N m", "N m"),
        ("5 m squared", "m squared"),
        ("25 sq. cm", "square cm"),
        (r"9.8\frac{\text{m}}{\text{s}^2}", "m/s^2"),
        (r"10\ \Omega", "ohm"),
        (r"10\ \text{k}\Omega", "kohm"),
        (r"5\ \mu\text{m}", "um"),
        ("25 °C", "°C"),
        ("$5 per hour", "$ per hour"),
        ("$5 each", "$"),
        ("3 cup", "cup"),
    ],
)
def test_units(text, unit):
    tree = parse(text)
    assert tree[0] == "unit"
    assert tree[2] == unit


@pytest.mark.parametrize("text", ["2mn", "3xyz", "2 a b", "5 k", r"\Omega", "2s t"])
def test_letters_that_are_no_units(text):
    assert parse(text)[0] != "unit"


def test_one_quantity_in_two_units():
    assert parse("6 ft 2 in") == parse("6 ft and 2 in")
    assert parse("18 dollars and 50 cents")[0] == "unit"
    assert parse("3 cm and 4 cm")[0] == "list"  # the second is no finer
    with pytest.raises(Meaningless):
        parse("3 cm 4 cm")
