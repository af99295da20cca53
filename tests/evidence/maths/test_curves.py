"""Equations that are no multiples of each other, told apart by a root of one."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from guerdon.evidence.maths.curves import apart
from guerdon.evidence.maths.parse import parse


# --- laws ------------------------------------------------------------------------------------------
@settings(max_examples=25)
@given(st.lists(st.integers(-5, 5), min_size=1, max_size=4), st.integers(1, 9))
def test_the_same_solutions_are_never_told_apart(roots, factor):
    text = "".join(f"(x-({r}))" for r in roots)
    assert not apart(parse(text), parse(f"{factor}{text}{text}"))


# --- worked examples ---------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("a", "b", "wanted"),
    [
        ("x^2+y^2-2", "x^2+y^2-4", True),
        ("x^2-y^2", "x-y", True),
        ("x-1", "(x-1)(x^2+1)", False),
        ("x^2", "x", False),  # no change of sign: not seen
        ("1/x-1", "x-2", False),  # no polynomial
        ("x^2+1", "x^2+2", False),  # no roots
    ],
)
def test_apart(a, b, wanted):
    assert apart(parse(a), parse(b)) is wanted
