"""Limits that are told from the text alone."""

from __future__ import annotations

import pytest

from guerdon.evidence.maths.guard import too_large


@pytest.mark.parametrize(
    "text",
    ["x^2+1", r"\sum_{k=1}^{10} k", r"\int_0^1 x^2 dx", "2^{2006}", "2006!", "x_1^2", r"\frac{1}{2^{99}}", "x^{y^2}"],
)
def test_within(text):
    assert too_large(text) == ""


@pytest.mark.parametrize(
    "text",
    [
        "9^{9^{9^{9}}}",
        "9^9^9^9",
        "1000000!",
        "(9!)!",
        "x" * 2001,
        "1" * 1001,
        "(" * 41,
        r"\sum_{k=1}^{10^9} k",
        "(x+y)^{200}",
        "10^{99999}",
        r"\binom{99999}{5}",
    ],
)
def test_beyond(text):
    assert too_large(text)
