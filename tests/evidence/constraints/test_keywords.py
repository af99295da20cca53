"""Keywords of schemas that an answer could stall or fool: patterns, unique items, multiples, names twice."""

import json
import socket
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from guerdon.evidence.constraints.keywords import multiple
from guerdon.evidence.constraints.schema import KeepsSchema
from guerdon.evidence.plain import same


def kept(schema, said):
    return KeepsSchema(schema if isinstance(schema, str) else json.dumps(schema))(said)


values = st.recursive(
    st.one_of(
        st.none(), st.booleans(), st.integers(-2, 2), st.sampled_from([0.0, 1.0, 0.5]), st.text("ab", max_size=2)
    ),
    lambda inner: st.one_of(st.lists(inner, max_size=2), st.dictionaries(st.sampled_from("ab"), inner, max_size=2)),
    max_leaves=4,
)


@given(st.lists(values, max_size=5))
def test_unique_items_agree_with_comparing_all_pairs(items):
    unique = not any(same(a, b) for i, a in enumerate(items) for b in items[:i])
    assert kept({"uniqueItems": True}, json.dumps(items)).value == float(unique)


@given(st.integers(-1000, 1000), st.integers(1, 50))
def test_a_product_written_with_two_places_is_a_multiple(k, of):
    assert multiple(float(f"{k * of / 100:.2f}"), of / 100)
    assert multiple(k, of) == (k % of == 0)


@pytest.mark.parametrize(
    ("schema", "said", "value"),
    [
        ({"multipleOf": 0.01}, "19.99", 1.0), ({"multipleOf": 0.01}, "1e308", 1.0), ({"multipleOf": 0.1}, "0.35", 0.0),
        ({"multipleOf": 0.5}, "9" * 4000, 1.0), ({"multipleOf": 3}, "1e999", 0.0), ({"multipleOf": 2}, "true", 1.0),
        ({"patternProperties": {"^x-": {"type": "integer"}}}, '{"x-a": 1, "b": "c"}', 1.0),
        ({"patternProperties": {"^x-": {"type": "integer"}}}, '{"x-a": "1"}', 0.0),
        ({"patternProperties": {"^x-": {}}, "additionalProperties": False}, '{"x-a": 1}', 1.0),
        ({"patternProperties": {"^x-": {}}, "additionalProperties": False}, '{"y": 1}', 0.0),
        ({"properties": {"a": {}}, "additionalProperties": {"type": "string"}}, '{"a": 1, "b": "c"}', 1.0),
        ({"properties": {"a": {}}, "additionalProperties": {"type": "string"}}, '{"a": 1, "b": 2}', 0.0),
        ({"properties": {"n": {"$ref": "#"}}, "additionalProperties": False}, '{"n": {"n": {"x": 1}}}', 0.0),
        ({"uniqueItems": True}, '[1, true, "1", [1], {"a": 1}]', 1.0), ({"uniqueItems": True}, "[1, 1.0]", 0.0),
        ({"uniqueItems": True}, '[{"a": 1, "b": 2}, {"b": 2, "a": 1}]', 0.0), ({"uniqueItems": False}, "[1, 1]", 1.0),
        ({"enum": [1]}, "true", 0.0), ({"const": 1}, "1.0", 1.0), (True, "1", 1.0), (False, "1", 0.0),
        ({}, '{"a": "x", "a": 1}', 0.0), ({}, "NaN", 0.0), ({}, "-Infinity", 0.0), ({}, "\ufeff{}", 0.0), ({}, "", 0.0),
        ({}, "[" * 90_000 + "]" * 90_000, 0.0), ({}, "9" * 5000, 0.0), ({}, '"' + "x" * 300_000 + '"', 0.0),
    ],
    ids=lambda v: str(v)[:40],
)  # fmt: skip
def test_accepts_and_rejects(schema, said, value):
    assert kept(schema, said).value == value


@pytest.mark.parametrize(
    "schema",
    ['{"minimum": NaN}', '{"a": 1, "a": 2}', "[1]", "null", '{"type": "strin"}', '{"pattern": "("}',
     '{"$ref": "http://127.0.0.1:9/x"}', '{"properties": {"a": {"$ref": "file:///etc/passwd"}}}',
     '{"$id": "http://127.0.0.1:9/", "$ref": "x"}', '{"$dynamicRef": "http://127.0.0.1:9/x#a"}', '{"$ref": "#"}',
     '{"$defs": {"a": {"$ref": "#/$defs/b"}, "b": {"$ref": "#/$defs/a"}}, "$ref": "#/$defs/a"}'],
)  # fmt: skip
def test_a_schema_that_cannot_be_used_is_unscored(schema):
    assert kept(schema, '{"a": 1}').value is None


def test_nothing_is_fetched():
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(0.0)
        at = f"http://127.0.0.1:{server.getsockname()[1]}/x"
        for schema in ({"$ref": at}, {"$schema": at}, {"$id": at, "$ref": "y"}, {"items": {"$ref": at}}):
            kept(schema, "[1]")
        with pytest.raises(BlockingIOError):
            server.accept()


@pytest.mark.parametrize(
    ("schema", "said"),
    [
        ({"uniqueItems": True}, json.dumps([{"a": i} for i in range(15_000)])),
        ({"uniqueItems": True}, json.dumps([[i] if i % 2 else {"a": i} for i in range(15_000)])),
        ({"pattern": "^(a+)+$"}, '"' + "a" * 100_000 + '!"'),
        ({"patternProperties": {"^(a+)+$": {}}}, '{"' + "a" * 100_000 + '!": 1}'),
        ({"patternProperties": {"^(a|a)*$": {}}, "additionalProperties": False}, '{"' + "a" * 50_000 + '!": 1}'),
        ({"items": {"multipleOf": 0.01}}, json.dumps([float(i) for i in range(20_000)])),
        ({"additionalProperties": False}, json.dumps({str(i): 1 for i in range(10_000)})),
    ],
    ids=["objects", "mixed", "pattern", "property", "additional", "multiples", "names"],
)
def test_no_answer_takes_long(schema, said):
    began = time.monotonic()
    assert kept(schema, said).scored
    assert time.monotonic() - began < 4
