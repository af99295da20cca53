"""JSON read safely, and the plays of a batch."""

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from guerdon.batch import Batch, Column
from guerdon.evidence.plain import DEPTH, depth, json_of, loads, plays, same, texts_of

ATOMS = st.none() | st.booleans() | st.integers(-5, 5) | st.floats(-5, 5) | st.text(max_size=3)
VALUES = st.recursive(ATOMS, lambda v: st.lists(v, max_size=3) | st.dictionaries(st.text(max_size=2), v, max_size=3))


@given(VALUES)
def test_what_is_written_is_read(value):
    assert same(loads(json.dumps(value)), value)


@given(VALUES, VALUES)
def test_equality_is_that_of_json_and_symmetric(a, b):
    def canon(v):
        if isinstance(v, bool) or v is None or isinstance(v, str):
            return [type(v).__name__, v]
        if isinstance(v, int | float):
            return ["number", float(v) + 0.0]
        return [canon(x) for x in v] if isinstance(v, list) else {k: canon(x) for k, x in v.items()}

    assert same(a, b) == same(b, a) == (json.dumps(canon(a), sort_keys=True) == json.dumps(canon(b), sort_keys=True))
    assert same(a, a)


def test_equal_and_not():
    assert same(1, 1.0) and not same(1, True) and not same(0, False) and not same("1", 1) and not same([], {})
    assert not same([1], [1, 2]) and not same({"a": 1}, {"b": 1}) and not same(None, 0)


@pytest.mark.parametrize(
    "text",
    ["", "{", "NaN", "[Infinity]", '{"a": 1, "a": 2}', "[" * 200_000, '{"a":' * 100_000, "[" * 65 + "]" * 65,
     "1" * 5000],
)  # fmt: skip
def test_what_is_refused_raises_one_error_and_never_more(text):
    with pytest.raises(ValueError):
        loads(text)
    assert json_of(text) is None


def test_depth_is_counted_without_recursion():
    deep = []
    for _ in range(100_000):
        deep = [deep]
    assert depth(deep) == DEPTH + 1
    assert depth([1, {"a": []}]) == 3
    assert same(deep, deep)
    while deep:  # taken apart here, since freeing it at once would recurse
        deep = deep.pop()


@pytest.mark.parametrize(
    ("given", "ids"),
    [('["a", 1, 2.5]', ["a", "1", "2.5"]), (["a"], ["a"]), ("a", ["a"]), ("", []), ("[]", []), ("[true]", None),
     ("[[1]]", None), ("[broken", None), (None, None), ({"a": 1}, None)],
)  # fmt: skip
def test_ids(given, ids):
    assert texts_of(given) == ids


def test_the_plays_of_a_batch_with_what_stands_already():
    batch = Batch(np.zeros(0, int), np.array([0, 0, 2, 3]), np.zeros(5, int), {
        "action": Column.of("step", ["a", "b", None, "c"]),
        "reference": Column.of("trajectory", ["x", "y", "z", None, "w"]),
        "failed": Column.of("trajectory", [False, False, False, False, True]),
    })  # fmt: skip
    rows, verdicts = plays(batch, "action", ["reference"], "who")
    assert rows == [(["a", "b"], "x"), ([], "y"), ([None], "z"), (["c"], None), ([], "w")]
    assert [v and v.cause for v in verdicts] == [
        None, None, "action is missing at a step", "reference is missing", "the play failed",
    ]  # fmt: skip
