"""The same value: as fractions, to 40 figures, and at points."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from guerdon.evidence.maths.expressions import equal_values, flaw, points, proportional
from guerdon.evidence.maths.parse import parse


def same(a, b):
    return equal_values(parse(a), parse(b))


@given(st.lists(st.integers(-9, 9), min_size=1, max_size=5), st.integers(-9, 9))
def test_a_polynomial_is_only_itself(coefficients, change):
    text = "+".join(f"({c})x^{k}" for k, c in enumerate(coefficients))
    back = "+".join(f"({c})x^{k}" for k, c in reversed(list(enumerate(coefficients))))
    assert same(text, back) is True
    assert same(text, f"{back}+({change})") is (change == 0)


@pytest.mark.parametrize(
    ("a", "b", "wanted"),
    [
        ("1/3", "0.333333", True),
        ("1/3", "0.33333", False),
        (r"\frac{1}{2004!}", r"\frac{1}{2006!}", False),
        (r"e^{\pi\sqrt{163}}", "262537412640768744", False),
        (r"\sin\pi", "0", True),
        ("10^{-70}", "0", False),
        (r"\sqrt{5+2\sqrt6}", r"\sqrt2+\sqrt3", True),
        (r"\sqrt{x^2}", "|x|", True),
        (r"\sqrt{x^2}", "x", False),
        (r"\sqrt{x}\sqrt{x}", "x", True),
        (r"\sqrt{(x-3)(x-5)}", r"\sqrt{x-3}\sqrt{x-5}", False),
        (r"\ln(x^2)", r"2\ln x", None),
        (r"\log 100", "2", True),
        (r"\log e", "1", True),
        (r"\ln 100", "2", False),
        ("0.3", "0.30000000000000004", True),
        ("0.3", "0.300000000004", False),
        (r"\sqrt 2", "1.4142135...", True),
        (r"\sqrt 2", "1.4142145...", False),
        ("n!", "n(n-1)!", True),
        (r"\binom{n}{2}", r"\frac{n(n-1)}{2}", True),
        (r"\infty", "5", False),
        ("1/0", "1/0", None),
        (r"\sin 2x", r"2\sin x\cos x", True),
    ],
)
def test_cases(a, b, wanted):
    assert same(a, b) is wanted


def test_points_are_the_same_for_the_same_trees_and_others_for_others():
    a, b = parse("x+1"), parse("x+2")
    assert points(a, b, ["x"]) == points(a, b, ["x"])
    assert points(a, b, ["x"]) != points(b, a, ["x"])


def test_proportional():
    assert proportional(parse("2x-4"), parse("x-2")) == 2
    assert proportional(parse("x^2"), parse("x")) is None


def test_what_has_no_value_or_too_large_a_one_is_said_so():
    assert flaw(parse("1/(1-1)")) == "has no value"
    assert flaw(parse(r"\ln 0")) == "has no value"
    assert "too large" in flaw(parse("9^{9^{9}}"))
    assert flaw(parse("x/0")) == flaw(parse(r"\sqrt{-4}")) == flaw(parse("2")) == ""


def test_a_very_small_number_is_not_nought():
    for small in ("e^{-300}", "2^{-1/2}e^{-1000}"):
        assert equal_values(parse(small), parse("0")) is False
    assert equal_values(parse(r"\sqrt{8}-2\sqrt{2}"), parse("0")) is True
    assert equal_values(parse(r"\sin\pi"), parse("0")) is True
