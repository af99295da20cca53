"""The quick path: decided, undecided, and whose fault it is."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from guerdon.evidence.maths.exact import decide


@given(st.text(max_size=80), st.sampled_from(["7", "x+1", r"\{1,2\}", "C", "yes", r"\int f"]))
def test_any_text_is_decided_or_not(answer, reference):
    assert decide(answer, reference).equal in (True, False, None)


@pytest.mark.parametrize(
    ("answer", "reference", "wanted"),
    [
        ("1,000", "1000", True),
        ("016", "16", True),
        ("Monday", r"\text{monday}", True),
        ("(C)", "C", True),
        ("C) 42", "C", True),
        ("A, B, C", "C", False),
        ("three", "3", True),
        ("X", "x", False),
        ("yes", "no", False),
        (r"\int_0^1 x dx", "1/2", None),
        ("no solution", "5", False),
        ("5}", "5", False),
        ("5!", "5", False),
        ("0.333...", "0.333", False),
        ("June 21", "June 20", False),
        ("2023-01-02", "2020", False),
        ("all real numbers", r"\mathbb{R}", True),
        ("infinity", r"\infty", True),
        ("seventy-two", "72", True),
        ("(((", "(((", None),
        (r"a \mid b", r"a\mid b", True),
    ],
)
def test_cases(answer, reference, wanted):
    assert decide(answer, reference).equal is wanted


def test_too_big_is_the_fault_of_whoever_wrote_it():
    assert decide("9^{9^{9}}", "7").fault == "answer"
    assert decide("7", "9^{9^{9}}").fault == "reference"
    assert decide("9^{9^{9}}", "9^{9^{9}}").fault == "reference"
    assert decide("1/0", "1/0") == (None, "has no value", "reference")
