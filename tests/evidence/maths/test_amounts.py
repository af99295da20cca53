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
