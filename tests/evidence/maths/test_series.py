"""Constants and functions by series, against floats and against known figures."""

from __future__ import annotations

import math
from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from guerdon.evidence.maths.series import Undecided, Undefined, arctan, as_decimal, cos, function, pi, sin


@given(st.floats(-1e6, 1e6, allow_nan=False))
def test_angles_agree_with_floats(x):
    d = Decimal(x)
    assert float(sin(d, 40)) == pytest.approx(math.sin(x), abs=1e-12)
    assert float(cos(d, 40)) == pytest.approx(math.cos(x), abs=1e-12)
    assert float(arctan(d, 40)) == pytest.approx(math.atan(x), abs=1e-12)


def test_more_figures_agree_with_fewer():
    for figures in (40, 60, 130):
        assert abs(pi(figures) - pi(200)) < Decimal(10) ** -(figures - 1)
        assert abs(sin(Decimal(1), figures) - sin(Decimal(1), 200)) < Decimal(10) ** -(figures - 1)


def test_named_functions():
    assert function("ln", Fraction(1), 60) == 0
    assert float(function("tanh", Fraction(1, 2), 60)) == pytest.approx(math.tanh(0.5))
    assert float(function("arccos", Fraction(1, 3), 60)) == pytest.approx(math.acos(1 / 3))
    assert as_decimal(Fraction(1, 4)) == Decimal("0.25")
    with pytest.raises(Undefined):
        function("arcsin", Fraction(2), 60)
    with pytest.raises(Undecided):
        function("gamma", Fraction(2), 60)
