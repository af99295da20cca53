"""Calls in text: what is read, what is broken, what is none; and that nothing is run or hangs."""

import json
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from guerdon.evidence.plain import same
from guerdon.evidence.tools import Call, any_calls, call_of, calls_of, json_calls, python_calls
from guerdon.evidence.tools.calls import MOST

NAMES = st.from_regex(r"[a-z_]{1,6}", fullmatch=True).filter(
    lambda n: n not in ("not", "is", "in", "or", "and", "if", "as", "for", "def", "del", "try")
)
ATOMS = st.none() | st.booleans() | st.integers(-99, 99) | st.text("ab'\" \n{}<", max_size=5)
VALUES = st.recursive(
    ATOMS, lambda v: st.lists(v, max_size=3) | st.dictionaries(st.text("ab", max_size=2), v, max_size=2)
)
CALLS = st.lists(st.tuples(NAMES, st.dictionaries(NAMES, VALUES, max_size=3)), min_size=1, max_size=3)


def equal(found, wanted):
    return [c.name for c in found] == [n for n, _ in wanted] and all(
        same(dict(c.arguments), a) for c, (_, a) in zip(found, wanted, strict=True)
    )


# Laws: what is written in a form is read back from it.


@given(CALLS)
def test_json_of_every_shape_is_read_back(calls):
    flat = [{"name": n, "arguments": a} for n, a in calls]
    openai = {
        "tool_calls": [{"type": "function", "function": {"name": n, "arguments": json.dumps(a)}} for n, a in calls]
    }
    for given_ in (flat, openai, [{"function": f} for f in flat], [{"name": n, "parameters": a} for n, a in calls]):
        for parse in (json_calls, any_calls):
            found = parse(json.dumps(given_))
            assert equal(found.calls, calls) and found.broken == 0
        assert equal(json_calls(f"So:\n```json\n{json.dumps(given_)}\n```\n").calls, calls)


@given(CALLS)
def test_hermes_tags_are_read_back(calls):
    text = "I see. ".join(f"<tool_call>\n{json.dumps({'name': n, 'arguments': a})}\n</tool_call>" for n, a in calls)
    assert equal(any_calls(text).calls, calls) and any_calls(text).broken == 0


@given(CALLS)
def test_python_syntax_is_read_back(calls):
    written = [f"{n}({', '.join(f'{k}={v!r}' for k, v in a.items())})" for n, a in calls]
    for text in ("\n".join(written), f"[{', '.join(written)}]", f"Now\n```tool_code\n{'; '.join(written)}\n```"):
        assert equal(any_calls(text).calls, calls) and any_calls(text).broken == 0


@given(st.text(max_size=60))
def test_any_text_has_some_number_of_calls(text):
    found = any_calls(text)
    assert len(found.calls) >= 0 and (found.broken > 0) == (found.why is not None)


# Worked examples.


def test_shapes_of_one_call():
    for given_ in (
        {"name": "f", "arguments": {"a": 1}},
        {"tool": "f", "args": {"a": 1}},
        {"function_call": {"name": "f", "arguments": '{"a": 1}'}},
        {"name": "f", "input": {"a": 1}},
    ):
        assert call_of(given_).name == "f" and call_of(given_).arguments == {"a": 1}
    assert (
        call_of({"name": "f", "arguments": None}).arguments == {} == call_of({"name": "f", "arguments": ""}).arguments
    )


def test_names_and_arguments_by_position():
    assert python_calls("a.b.c(1, x=(2, -3.5))").calls == (Call("a.b.c", {"0": 1, "x": [2, -3.5]}),)


@pytest.mark.parametrize(
    "text",
    ["", "Done.", "I am done (really).", "x", "1 + 1", "f", "{see above", "def f(): return g()", "[1, 2]", "[]",
     "```python\nx = 1\n```", "```\ntext\n```", "print the sum (see below)"],
)  # fmt: skip
def test_no_call(text):
    assert any_calls(text).calls == ()
    assert any_calls(text).broken == (1 if text.startswith("{") else 0)


@pytest.mark.parametrize(
    "text",
    ['{"name": 1}', '{"arguments": {}}', '{"name": "f", "arguments": [1]}', '{"name": "f", "arguments": "{"}',
     '{"name": "f", "arguments": {}, "args": {}}', '{"name": "f", "name": "g"}', "<tool_call>{}</tool_call>",
     '<tool_call>{"name": "f"}', "<tool_call>", "f(x)", "f(g())", "f(*a)", "f(**{'a': 1})", "f(0, **{'0': 1})",
     "f(a=[x])", "f()()", "(lambda: 1)()", "f(a={1: 2})", "f(a={'k': 1, 'k': 2})", "f(b'x')", "f(1j)", "f(...)",
     "```tool_code\nx = 1\n```", "```tool_code\nf(", '{"name": "f", "arguments": {"a": NaN}}', "f(f'{x}')"],
)  # fmt: skip
def test_broken_calls(text):
    found = any_calls(text)
    assert found.calls == () and found.broken == 1 and found.why


def test_sound_calls_beside_broken_ones_are_kept():
    assert calls_of([{"name": "f"}, 3, {"name": "g"}]).broken == 1
    assert [c.name for c in any_calls("f(1); g(x); h()").calls] == ["f", "h"]
    assert any_calls('<tool_call>{"name": "f"}</tool_call><tool_call>{</tool_call>').broken == 1


# Attacks.


def test_nothing_is_run(tmp_path):
    there = tmp_path / "there"
    for text in (
        f"open({str(there)!r}, 'w').close()",
        f"f(open({str(there)!r}, 'w'))",
        f"[open({str(there)!r}, 'w') for _ in [1]]",
    ):
        any_calls(text)
    assert not there.exists()


HOSTILE = {
    "minus": "f(" + "-" * 19_000 + "1)",
    "brackets": "f(" + "[" * 9000 + "]" * 9000 + ")",
    "attributes": "a" + ".b" * 9000 + "()",
    "calls": "f" + "()" * 9000,
    "sum": "f(" + "1+" * 9000 + "1)",
    "not": "f(" + "not " * 4000 + "1)",
    "fstring": "f(f'" + "{" * 5000 + "')",
    "long": "f('" + "a" * 190_000 + "')",
    "digits": "f(" + "9" * 10_000 + ")",
    "json depth": '{"name":"f","arguments":' + '{"a":' * 30_000,
    "json list": "[{" * 60_000,
    "tags": "<tool_call>" * 15_000,
    "fences": "```json\n{" * 15_000,
    "closed tags": "</tool_call>" * 15_000 + "<tool_call>",
    "too long": "f()" * 100_000,
    "many": "f();" * 4000,
    "many json": "[" + ",".join(['{"name":"f"}'] * 10_000) + "]",
    "nul": "f(\0)",
    "surrogate": "f('\ud800')",
    "surrogate name": '{"name": "\\ud800", "arguments": {}}',
}


@pytest.mark.parametrize("which", HOSTILE)
def test_hostile_text_ends_soon(which):
    start = time.perf_counter()
    found = any_calls(HOSTILE[which])
    assert time.perf_counter() - start < 2
    assert len(found.calls) <= MOST
    if which.startswith("many"):
        assert len(found.calls) == MOST and found.broken > 0
