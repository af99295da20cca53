"""What the harness of calls sends is what the library reads: the two ends of one encoding."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from guerdon.evidence.code import compare
from guerdon.evidence.code.inside import calls, text

plain = st.integers() | st.floats() | st.booleans() | st.none() | st.text(max_size=5) | st.binary(max_size=4)
data = st.recursive(
    plain, lambda d: st.lists(d, max_size=4) | st.dictionaries(st.integers() | st.text(max_size=3), d, max_size=4)
)


@given(data)
def test_both_ends_agree(x):
    there = json.loads(json.dumps(calls.encode(x)))
    here = json.loads(json.dumps(compare.encode(x)))
    assert compare.same(compare.decode(there), compare.decode(json.loads(json.dumps(calls.encode(calls.decode(here))))))


@pytest.mark.parametrize("x", [{1, 2}, (1, {"$set": 1}), {(1, 2): {3}}, 3j, [10**6000, -(10**6000)], bytearray(b"x")])
def test_what_json_has_no_word_for(x):
    assert compare.same(compare.decode(calls.encode(x)), compare.decode(calls.encode(calls.decode(calls.encode(x)))))


@pytest.mark.parametrize("x", [object(), lambda: 0, iter([]), int])
def test_what_is_no_data_is_not_sent(x):
    with pytest.raises(TypeError, match="is no data"):
        calls.encode(x)


def test_what_holds_itself_is_not_sent():
    x = []
    x.append(x)
    with pytest.raises(ValueError, match="holds itself"):
        calls.encode(x)


def test_names_are_found_in_the_program():
    class Solution:
        def f(self):
            return 1

    space = {"g": len, "Solution": Solution}
    assert calls.named(space, "g") is len and calls.named(space, "f")() == 1 == calls.named(space, "Solution.f")()
    with pytest.raises(NameError, match="defines no h"):
        calls.named({"g": len}, "h")


@pytest.mark.parametrize("name", ["calls.py", "calls.js", "calls.lua", "units.py", "references.py", "candidate.py"])
def test_the_files_are_there_to_be_sent(name):
    assert len(text(name)) > 500
