"""The checker: whole formulas, both orders, and a second look."""

from __future__ import annotations

import pytest

from guerdon.evidence.maths.checked import Checker, ready


@pytest.fixture(scope="module", autouse=True)
def _ready():
    ready()


@pytest.mark.parametrize(
    ("answer", "reference", "value"),
    [
        (r"\int_0^1 x dx", r"\frac{1}{2}", 1),
        (r"\int_0^1 x dx", r"\frac{1}{3}", 0),
        (r"\sum_{k=1}^{4} k", "10", 1),
        ("x>2", r"(2,\infty)", 1),
        (r"(2,\infty)", "x>2", 1),
        (r"\frac{1}{2^{98}}", r"\frac{1}{2^{99}}", 0),
        (r"\le \} \frac{1}{2} (C) \{", r"\frac{1}{2}", 0),
        ("(x+1)^{500}", "1", 0),
    ],
)
def test_verdicts(answer, reference, value):
    assert Checker()(answer, reference).value == value


@pytest.mark.parametrize("reference", [r"\frac{}{", "9^{9^{9^9}}"])
def test_a_bad_reference_is_unscored(reference):
    assert "reference" in Checker()("1", reference).cause


def test_what_nothing_can_read_is_the_candidates_doing_where_the_reference_is_sound():
    assert Checker()(r"\foo{", "7", True).value == 0.0
