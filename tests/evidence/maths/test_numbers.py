"""Values of trees: exact, then to 60 figures, and bounded."""

from __future__ import annotations

import math
from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from guerdon.evidence.maths.numbers import Evaluator, TooBig, Undecided, Undefined, symbols
from guerdon.evidence.maths.parse import parse


def value(text, **at):
    return Evaluator({k: Fraction(v) for k, v in at.items()}).value(parse(text))


@given(st.fractions(max_denominator=1000), st.fractions(max_denominator=1000))
def test_arithmetic_with_fractions_is_exact(a, b):
    assert value("x*y+x-y", x=a, y=b) == a * b + a - b


@given(st.floats(-20, 20, allow_nan=False))
def test_functions_agree_with_floats(x):
    shown = f"{x:.12f}"
    for name, other in (
        ("sin", math.sin),
        ("cos", math.cos),
        ("arctan", math.atan),
        ("exp", math.exp),
        ("tanh", math.tanh),
    ):
        assert float(value(f"\\{name}({shown})" if name != "exp" else f"exp({shown})")) == pytest.approx(
            other(float(shown)), abs=1e-12, rel=1e-12
        )


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        (r"\sqrt{16}", 4),
        (r"\sqrt[3]{-8}", -2),
        ("5!", 120),
        (r"\binom{4}{2}", 6),
        ("2^{-3}", Fraction(1, 8)),
        (r"\lfloor 3.7 \rfloor", 3),
        ("|-3|", 3),
        ("(1+i)^2", (0, 2)),
        ("50%", Fraction(1, 2)),
        (r"\ln 1", 0),
        ("0^0", 1),
    ],
)
def test_exact_values(text, wanted):
    assert value(text) == wanted


def test_constants_to_many_figures():
    assert str(value(r"\pi"))[:42] == "3.1415926535897932384626433832795028841971"
    assert abs(value(r"\sin \frac{\pi}{6}") - Decimal("0.5")) < Decimal("1e-50")


@pytest.mark.parametrize(
    "text", ["9^{9^9}", "10^{100000}", "4000!", r"\binom{9999}{3}", "e^{e^{20}}", "+".join(["2^{4999}/3^{4999}"] * 999)]
)
def test_what_is_too_big(text):
    with pytest.raises(TooBig):
        value(text)


@pytest.mark.parametrize("text", ["1/0", r"\ln 0", r"\arcsin 2", "(-1)!", r"\frac{1}{\sin 0}"])
def test_what_has_no_value(text):
    with pytest.raises(Undefined):
        value(text)


def test_what_is_not_decided():
    for text in ("x", r"\infty", "(1,2)", "(1/2)!"):
        with pytest.raises(Undecided):
            value(text)


def test_constants_are_no_symbols():
    assert symbols(parse(r"e^{i\pi}+x_1")) == {"x_1"}
