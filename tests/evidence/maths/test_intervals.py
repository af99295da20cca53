"""Inequalities and intervals in one form."""

from __future__ import annotations

import pytest

from guerdon.evidence.maths.intervals import pieces, same_pieces
from guerdon.evidence.maths.parse import parse


@pytest.mark.parametrize(
    ("a", "b", "wanted"),
    [
        ("x>2", r"(2,\infty)", True),
        ("x>2", r"[2,\infty)", False),
        ("2x>4", "x>2", True),
        ("-x>-2", "x<2", True),
        (r"1<x\le 3", "(1,3]", True),
        (r"x\ne 0", r"(-\infty,0)\cup(0,\infty)", True),
        ("[1,2]\\cup[2,3]", "[1,3]", True),
        ("(1,2)\\cup(2,3)", "(1,3)", False),
        (r"x<-1 \text{ or } x>1", r"(1,\infty)\cup(-\infty,-1)", True),
        ("x>3", "x>2", False),
    ],
)
def test_the_same_set(a, b, wanted):
    assert same_pieces(pieces(parse(a))[1], pieces(parse(b))[1]) is wanted


@pytest.mark.parametrize("text", ["x^2<4", "x<y", "5", "x=1", r"\{1,2\}"])
def test_what_is_no_such_set(text):
    assert pieces(parse(text)) is None
