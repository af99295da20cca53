"""The rules: sets, lists, tuples, matrices, relations, units, per cent."""

from __future__ import annotations

import pytest

from guerdon.evidence.maths.compare import same
from guerdon.evidence.maths.parse import parse

CASES = [
    (r"\{1,2,2\}", r"\{2,1\}", True),
    ("1,2,2", "1,2", False),
    ("1,2", "2,1", True),
    ("(1,2)", "(2,1)", False),
    ("(1,2)", "1,2", True),
    (r"\{1,2\}", "(1,2)", False),
    ("[1,2]", "(1,2)", False),
    (r"\{5\}", "5", True),
    (r"\pm 3", r"\{-3,3\}", True),
    (r"\pm 3", "3", False),
    ("x=5", "5", True),
    ("x=5", "y=5", False),
    ("3", "3=3", False),
    ("7", "3+4=7", True),
    ("7", "3+5=7", False),
    ("x=1,y=2", "y=2,x=1", True),
    ("y=2x+1", "2x-y+1=0", True),
    ("x+y=1", "x+y=2", False),
    ("50%", "0.5", True),
    ("0.5", "0.5%", False),
    ("50", "50%", True),
    ("5 m", "500 cm", True),
    ("5 m", "5 s", False),
    ("5", "5 apples", True),
    ("1 hour", "60 minutes", True),
    (r"\begin{pmatrix}1\\2\end{pmatrix}", "(1,2)", True),
    (r"\begin{pmatrix}1&2\end{pmatrix}", r"\begin{pmatrix}1\\2\end{pmatrix}", False),
    ("7:32", "7:32", True),
    ("52_8", "528", False),
    ("1.5", "1,5", True),
    ("x>2", "x>3", False),
    ("x<y", "y>x", True),
    ("2 million", "2000000", True),
    ("x>2", "5", False),
]


@pytest.mark.parametrize(("reference", "answer", "wanted"), CASES)
def test_rules(reference, answer, wanted):
    assert same(parse(reference), parse(answer)) is wanted


@pytest.mark.parametrize("text", sorted({case[0] for case in CASES}))
def test_what_can_be_read_equals_itself(text):
    assert same(parse(text), parse(text)) is True
