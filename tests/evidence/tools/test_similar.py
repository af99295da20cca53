"""How like two calls are."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from guerdon.errors import ShapeError
from guerdon.evidence.tools import Call, Partly, equal_calls, graded_calls, similarities

CALLS = st.builds(
    Call, st.sampled_from("fg"), st.dictionaries(st.sampled_from("abc"), st.integers(0, 1) | st.booleans(), max_size=3)
)


@pytest.mark.parametrize("similarity", [equal_calls, graded_calls, Partly(), Partly(0.0)])
@given(a=CALLS, b=CALLS)
def test_between_nothing_and_one_and_one_only_for_equal_calls(similarity, a, b):
    value = similarity(a, b)
    assert 0 <= value <= 1
    assert (value == 1.0) == (equal_calls(a, b) == 1.0)
    assert similarity(a, a) == 1.0
    if a.name != b.name and not isinstance(similarity, Partly):
        assert value == 0.0


@pytest.mark.parametrize("similarity", [equal_calls, Partly()])
@given(a=CALLS, b=CALLS)
def test_symmetric_where_the_formula_is(similarity, a, b):
    assert similarity(a, b) == similarity(b, a)


@pytest.mark.parametrize(
    ("made", "wanted", "value"),
    [
        ({}, {}, 1.0),
        ({"a": 1}, {}, 1 / 2),  # (1 + 0 + 0) / 2
        ({}, {"a": 1}, 1 / 3),
        ({"a": 1, "b": 2}, {"a": 1, "b": 3}, 3 / 4),
        ({"a": 1, "c": 2}, {"a": 1, "b": 3}, (1 + 1 / 3 + 1) / 4),
    ],
)
def test_matchtir_by_hand(made, wanted, value):
    assert graded_calls(Call("f", made), Call("f", wanted)) == pytest.approx(value)


def test_rever_by_hand():
    place, cup = Call("place", {"x": "cup"}), {"x": "cup"}
    assert Partly()(Call("place", {"x": "jar"}), place) == 0.5  # the verb
    assert Partly(0.2)(Call("see", cup), place) == 0.2  # the object
    assert Partly()(Call("see", {"x": "jar"}), place) == 0.0
    with pytest.raises(ShapeError, match="between 0 and 1"):
        Partly(2.0)


def test_the_matrix_has_a_row_for_each_call_made():
    assert similarities([], [Call("f")]).shape == (0, 1) and similarities([Call("f")], []).shape == (1, 0)
    np.testing.assert_array_equal(similarities([Call("f"), Call("g")], [Call("f")]), [[1.0], [0.0]])
