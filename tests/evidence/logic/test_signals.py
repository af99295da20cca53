"""Atoms: linear comparisons as weights, and which side of zero holds."""

import numpy as np
import pytest

from guerdon.evidence.logic.parsing import FormulaError
from guerdon.evidence.logic.stl import parse_stl


@pytest.mark.parametrize(
    ("text", "weights", "offset", "strict"),
    [("x > 1", (("x", 1),), -1, True), ("x < 1", (("x", -1),), 1, True),
     ("x - 2*y + 1 >= y", (("x", 1), ("y", -3)), 1, False),
     (".5e1 <= x", (("x", 1),), -5, False), ("-x < - y", (("x", 1), ("y", -1)), 0, True),
     ("a/b > 0", (("a/b", 1),), 0, True)],
)  # fmt: skip
def test_comparisons(text, weights, offset, strict):
    atom = parse_stl(text)
    assert (atom.weights, atom.offset, atom.strict) == (weights, offset, strict)


def test_the_edge_holds_only_where_the_comparison_is_not_strict():
    x = {"x": np.array([0.0, 1.0, 2.0])}
    assert [parse_stl(f"x {sign} 1").holds(x).tolist() for sign in (">", ">=", "==", "<")] == [
        [False, False, True], [False, True, True], [False, True, False], [True, False, False]
    ]  # fmt: skip


def test_a_comparison_without_a_signal_is_refused():
    with pytest.raises(FormulaError, match="compares no signal"):
        parse_stl("1 < 2")
