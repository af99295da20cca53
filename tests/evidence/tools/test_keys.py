"""Keys stand for values: equal keys, equal values, at a cost that hostile calls cannot raise."""

import json
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from guerdon.evidence.plain import same
from guerdon.evidence.tools import Call, Partly, call_match, equal_calls, graded_calls
from guerdon.evidence.tools.keys import key_of

values = st.recursive(
    st.one_of(
        st.none(), st.booleans(), st.integers(-2, 2), st.text(max_size=3), st.floats(allow_nan=False),
        st.sampled_from([1e300, -0.0, 2.0, 10**40, 1e40]),
    ),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(st.text(max_size=2), inner, max_size=3)),
    max_leaves=6,
)  # fmt: skip


@given(values, values)
def test_keys_are_equal_exactly_where_values_are(a, b):
    assert (key_of(a) == key_of(b)) == same(a, b)
    assert key_of(a) == key_of(json.loads(json.dumps(a)))


def test_odd_values():
    assert key_of(float("inf")) != key_of(10**308) and key_of("\ud800") != key_of("?")
    assert key_of(10**5000) == key_of(10**5000) != key_of(10**5000 + 1)
    assert key_of("1") != key_of(1) and key_of([]) != key_of({}) and key_of("x" * 1000) != key_of("x" * 1001)
    assert key_of("#" + "0" * 48) != key_of("x" * 1000)
    deep = []
    for _ in range(20_000):
        deep = [deep]
    with pytest.raises(ValueError, match="nests too deep"):
        key_of(deep)


@pytest.mark.parametrize("similarity", [graded_calls, equal_calls, Partly()])
def test_many_calls_of_many_arguments_end_soon(similarity):
    """Comparing every value of every call with every value of every other took more than a minute."""
    made = [{"name": "f", "arguments": {f"a{j}": j for j in range(40)}} for _ in range(450)]
    wanted = [{"name": "g", "arguments": {f"a{j}": 100 + j for j in range(40)}} for _ in range(100)]
    began = time.monotonic()
    verdict, _ = call_match(similarity=similarity).grade([json.dumps(made, separators=(",", ":"))], json.dumps(wanted))
    assert verdict.value == 0.0 and time.monotonic() - began < 4


def test_large_values_are_compared_once_each():
    made = json.dumps({"name": "f", "arguments": {"a": list(range(10_000))}})
    wanted = json.dumps([{"name": "f", "arguments": {"a": [*range(9_999), 0]}}] * 50)
    began = time.monotonic()
    verdict, _ = call_match().grade([made] * 5, wanted)
    assert 0 < verdict.value < 1 and time.monotonic() - began < 6


def test_a_value_in_common_is_found_wherever_it_stands():
    many = Call("look", {f"a{i}": i for i in range(2000)} | {"x": "cup"})
    assert Partly()(many, Call("pick", {"y": "cup"})) == 0.5 and Partly()(many, Call("pick", {"y": "pot"})) == 0.0
