"""json_schema: what keeps a schema, what breaks it, what is the schema's own fault."""

import json
import sys
import time

import pytest

from guerdon.evidence.constraints import json_schema

PERSON = {
    "type": "object", "required": ["name"], "additionalProperties": False,
    "properties": {"name": {"type": "string", "pattern": "^[A-Z][a-z]+$"}, "age": {"type": "integer", "minimum": 0}},
}  # fmt: skip


def verdict(said, schema=PERSON):
    return json_schema().grade(said, schema)


@pytest.mark.parametrize(
    "said", ['{"name": "Ada"}', '```json\n{"name": "Ada", "age": 3}\n```', ' {"age": 3.0, "name": "Bo"}']
)
def test_accepts(said):
    assert verdict(said).value == 1.0


@pytest.mark.parametrize(
    ("said", "why"),
    [("{}", "name"), ('{"name": "ada"}', "does not match"), ('{"name": "Ada", "age": -1}', "age"), ("[]", "object"),
     ('{"name": "Ada"} and so on', "not JSON"), ("", "not JSON"), ("[" * 100_000, "not JSON"), ('{"name": NaN}', "NaN"),
     ("9" * 5000, "not JSON"), ("x" * 200_001, "at most"), ('{"name": "Ada", "x": 1}', "x"), ("\ud800", "not JSON")],
)  # fmt: skip
def test_rejects(said, why):
    found = verdict(said)
    assert found.value == 0.0 and why in found.facts["why"]


def test_errors_are_counted_and_placed():
    found = verdict('{"name": 3, "age": "x"}')
    assert found.facts["errors"] == 2 and {item["where"] for item in found.items} == {"name", "age"}


@pytest.mark.parametrize(
    "schema",
    ["", "{", "3", {"type": "nothing"}, {"minimum": "x"}, {"$ref": "http://127.0.0.1:1/x.json"}, {"$ref": "#/nowhere"},
     {"$ref": "#"}, {"pattern": "(", "type": "string"}, "[" * 5000],
)  # fmt: skip
def test_unscored(schema):
    found = verdict('"x"', schema)
    assert found.value is None and found.cause


def test_deep_answers_to_a_schema_that_repeats_itself_are_the_answers_fault():
    tree = {"properties": {"a": {"$ref": "#"}}, "type": "object"}
    assert verdict('{"a": {"a": {}}}', tree).value == 1.0
    assert verdict('{"a": ' * 800 + "{}" + "}" * 800, tree).value == 0.0


def test_patterns_that_blow_up_elsewhere_are_linear():
    began = time.monotonic()
    assert verdict('"' + "a" * 50_000 + '"', {"pattern": "^(a+)+b$"}).value == 0.0
    assert verdict('"' + "a" * 50_000 + '!"', {"pattern": "(a|a)*!"}).value == 1.0
    assert time.monotonic() - began < 4


def test_a_missing_library_names_the_extra(monkeypatch):
    monkeypatch.setitem(sys.modules, "jsonschema", None)
    assert "guerdon[logic]" in verdict("{}", {"title": "not yet seen"}).cause


@pytest.mark.parametrize(
    ("pattern", "said", "holds"),
    [("b", "abc", 1), ("^b", "abc", 0), ("^ab", "abc", 1), ("bc$", "abc", 1), ("^a|d$", "abc", 1), ("^x|c$", "abc", 1),
     ("^(x|c)$", "abc", 0), ("^a[|]c$", "a|c", 1), ("(a)\\1", "aa", 1),
     ("a\nb", "xa\nbx", 1), ("^$", "", 1), ("\\$", "a$b", 1)],
)  # fmt: skip
def test_patterns_are_searched_for(pattern, said, holds):
    assert verdict(json.dumps(said), {"pattern": pattern}).value == holds
