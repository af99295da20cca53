"""Values with their units, per cent and angles."""

from __future__ import annotations

import pytest

from guerdon.evidence.maths.amounts import equal_amounts
from guerdon.evidence.maths.parse import parse


@pytest.mark.parametrize(
    ("reference", "answer", "wanted"),
    [
        ("5 m", "500 cm", True),
        ("5 m", "5 s", False),
        ("2.5 eV", "2.5 MeV", False),
        ("1 W", "1 J/s", True),
        ("60 mph", "88 feet per second", True),
        ("25 °C", "25 °F", False),
        ("180^\\circ", r"\pi", True),
        ("180^\\circ", r"\pi \text{ radians}", True),
        ("2^\\circ", "2 rad", False),
        ("90^\\circ", "90", True),
        ("$5 million", "5000000", True),
        ("$1{,}000", "1 thousand dollars", True),
        ("90 minutes", "1 hour 30 minutes", True),
        ("5 pm", "5 am", False),
        ("50%", "0.5", True),
    ],
)
def test_amounts(reference, answer, wanted):
    assert equal_amounts(parse(reference), parse(answer)) is wanted


def test_a_fraction_of_units_in_italics_beside_a_known_unit():
    same = [(r"4\frac{m}{s}", "4 m/s"), (r"60\frac{km}{h}", "60 km/h"), (r"-9.8\frac{m}{s^2}", "-9.8 m/s^2")]
    apart = [(r"4\frac{m}{s}", "4 km/s"), (r"4\frac{m}{s}", "4 m"), (r"60\frac{km}{h}", "60 m/h"),
             (r"4\frac{m}{s}", "4"), (r"4\frac{a}{b}", "4 m/s"), (r"4\frac{m}{s}", "4 %")]  # fmt: skip
    for a, b in same:
        assert equal_amounts(parse(a), parse(b)) is True
        assert equal_amounts(parse(b), parse(a)) is True
    for a, b in apart:
        assert equal_amounts(parse(a), parse(b)) is False
