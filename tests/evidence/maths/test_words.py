"""Words, dates, numbers spelt out, letters of choices."""

from __future__ import annotations

import pytest

from guerdon.evidence.maths.words import SPELT, choice, could_mean, is_text, sayable, words


@pytest.mark.parametrize(
    ("answer", "reference", "wanted"),
    [
        ("C", "C", True),
        ("(C) 42", "C", True),
        ("C", "(C)", True),
        ("Option C", "C", True),
        ("(B) vitamin C", "B", True),
        ("(A) (C)", "A", False),
        ("A) 5 B) 6", "A", False),
        ("A. or B", "A", False),
        ("A and B", "A", None),
        ("7", "7", None),
    ],
)
def test_choices(answer, reference, wanted):
    assert choice(answer, reference) is wanted


def test_numbers_spelt_out():
    assert SPELT["twelve"] == "12"
    assert SPELT["seventy-two"] == SPELT["seventy two"] == "72"
    assert "hundredth" not in SPELT


def test_marks_that_mean_something_stay():
    assert words("5!") == "5!"
    assert words("0.333...") == "0.333..."
    assert words(r"\text{Yes!}") == words("yes.") == "yes"
    assert sayable("2023-01-02")
    assert is_text("2023-01-02")


@pytest.mark.parametrize(
    "text", ["(((", r"\frac{1}{", "???", r"\left(1", "x^", r"\begin{pmatrix}", r"\frac{}{}", r"\sqrt{}", "}{", "..."]
)
def test_what_can_mean_nothing(text):
    assert not could_mean(text)


@pytest.mark.parametrize("text", [r"n \mid 6", "[0,1)", r"\left(0,1\right]", "a * b", "∠ABC"])
def test_what_may_mean_something(text):
    assert could_mean(text)
