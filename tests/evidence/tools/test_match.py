"""Calls of a play against those wanted: scores, turns, items; what is unscored; attacks."""

import json
import time

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from guerdon.batch import Batch, Column
from guerdon.evidence import observe
from guerdon.evidence.tools import (
    Call,
    CallMatch,
    Partly,
    Sinkhorn,
    Tool,
    call_match,
    call_validity,
    equal_calls,
    exact_calls,
    hungarian,
    ordered,
    tools_of,
    wanted_calls,
)

STEPS = st.lists(st.lists(st.sampled_from(["f(a=1)", "f(a=2)", "g()", "h(x)"]), max_size=3), max_size=4)


def grade(texts, reference, **how):
    return call_match(**how).grade(texts, reference)


# Laws.


@pytest.mark.parametrize(
    "how", [{}, {"match": hungarian}, {"match": ordered, "similarity": Partly()}, {"match": Sinkhorn()}]
)
@given(steps=STEPS, wanted=st.lists(st.sampled_from(["f(a=1)", "f(a=2)", "g()"]), max_size=4))
def test_precision_and_recall_share_one_total(how, steps, wanted):
    verdict, turn = grade(
        ["; ".join(s) for s in steps],
        json.dumps([{"name": w[0], "arguments": {"a": int(w[4])} if w[0] == "f" else {}} for w in wanted]),
        **how,
    )
    facts = verdict.facts
    assert 0 <= verdict.value <= 1 and facts["wanted"] == len(wanted)
    made = [len(s) for s in steps]
    assert facts["made"] == sum(made)
    np.testing.assert_array_equal(np.isnan(turn), np.array(made) == 0)
    total = np.nansum(turn * made)
    if sum(made):
        assert facts["precision"] * sum(made) == pytest.approx(total)
    if wanted and "match" in how and not isinstance(how["match"], Sinkhorn):
        assert facts["recall"] * len(wanted) == pytest.approx(total)
    if not isinstance(how.get("match"), Sinkhorn):  # which is below 1 where calls are alike
        assert facts["exact"] <= verdict.value + 1e-9
    assert sum(i["obtained"] for i in verdict.items) == pytest.approx(facts["recall"] * len(wanted))


@given(st.permutations(["f(a=1)", "g()", "h(b=2)"]))
def test_order_matters_only_to_what_is_ordered(order):
    reference = "f(a=1); g(); h(b=2)"
    assert grade(order, reference)[0].value == 1.0
    in_order = order == ["f(a=1)", "g()", "h(b=2)"]
    assert (exact_calls().grade(order, reference)[0].value == 1.0) == in_order
    assert (grade(order, reference, match=ordered)[0].value == 1.0) == in_order


# Accepted, in part, rejected.


def test_a_play_by_hand():
    texts = ["Let me think.", "f(a=1); f(a=9)", '{"name": "g"}', "{", "Done."]
    verdict, turn = grade(texts, "f(a=1); g(); h()")
    assert verdict.value == pytest.approx(2 * 2 / (4 + 3))
    assert verdict.facts["made"] == 4 and verdict.facts["broken"] == 1 and verdict.facts["precision"] == 0.5
    assert verdict.facts["recall"] == pytest.approx(2 / 3) and verdict.facts["exact"] == 0.0
    assert "a broken call" in verdict.facts["why"]
    np.testing.assert_array_equal(turn, [np.nan, 0.5, 1.0, 0.0, np.nan])
    assert [(i["call"], i["obtained"], i["step"]) for i in verdict.items] == [
        ("f", 1.0, 1),
        ("g", 1.0, 2),
        ("h", 0.0, None),
    ]


def test_an_unmatched_call_can_cost_its_turn():
    _, turn = grade(["f(a=1); h()"], "f(a=1)", unmatched=-0.5)
    np.testing.assert_array_equal(turn, [0.25])


def test_no_call_was_wanted():
    assert grade(["Hello."], "[]")[0].value == 1.0 and grade([], "[]")[0].facts["exact"] == 1.0
    assert grade(["f()"], "[]")[0].value == 0.0
    assert grade(["Hello."], "f()")[0].value == 0.0 and grade([], "f()")[0].value == 0.0


def test_equal_calls_in_any_order():
    how = {"similarity": equal_calls}
    assert grade(["g(); f(a=1)"], "f(a=1.0); g()", **how)[0].value == 1.0
    assert grade(["f(a=2)"], "f(a=1)", **how)[0].value == 0.0


@pytest.mark.parametrize("reference", [None, "forty-two", '[{"nome": "f"}]', "{", 3, "[1]", "f(x)"])
def test_unscored_where_the_reference_is_no_calls(reference):
    verdict, turn = grade(["f()"], reference)
    assert not verdict.scored and np.isnan(turn).all()


def test_references_in_every_form():
    for reference in ("f(a=1)", '{"name": "f", "arguments": {"a": 1}}', [{"name": "f", "arguments": {"a": 1}}],
                      '<tool_call>{"name": "f", "arguments": {"a": 1}}</tool_call>'):  # fmt: skip
        assert wanted_calls(reference) == (Call("f", {"a": 1}),)


def test_columns_of_a_batch_with_plays_that_are_unscored():
    batch = Batch(np.zeros(0, int), np.array([0, 0, 1, 2]), np.zeros(4, int), {
        "action": Column.of("step", ["f()", "done", "f()", None]),
        "reference": Column.of("trajectory", ["f(); g()", None, "f()", "g()"]),
    })  # fmt: skip
    seen = observe(batch, [call_match(), exact_calls()])
    assert seen["calls"].tolist() == [pytest.approx(2 / 3), None, None, 0.0]
    assert seen["calls/turn"].tolist() == [1.0, None, None, None]
    assert seen["calls/cause"].tolist()[1:3] == ["reference is missing", "action is missing at a step"]
    assert seen.relations["calls/items"].to_pylist()[1] == {
        "trajectory": 0,
        "wanted": 1,
        "call": "g",
        "obtained": 0.0,
        "step": None,
    }
    assert seen["exact_calls"].tolist() == [0.0, None, None, 0.0]
    assert call_match() == call_match() and isinstance(call_match(), CallMatch)


# Validity.


def test_tools_and_what_they_take():
    schema = {
        "type": "function",
        "function": {"name": "go", "parameters": {"properties": {"to": {}, "by": {}}, "required": ["to"]}},
    }
    tools = tools_of(json.dumps([schema, {"name": "look"}]))
    assert tools == (Tool("go", frozenset({"to"}), frozenset({"to", "by"})), Tool("look"))
    batch = Batch.from_steps(group=[0] * 6, trajectory=[0] * 6, reward=[0.0] * 6)
    said = ["go(to='n'); look(x=1)", "go()", "go(to='n', up=1); look()", "{", "hello", None]
    seen = observe(
        batch.with_columns(action=Column.of("step", said)), [call_validity(tools=tools), call_validity("form")]
    )
    assert seen["call_validity"].tolist() == [1.0, 0.0, 0.5, 0.0, None, None]
    assert seen["form"].tolist() == [1.0, 1.0, 1.0, 0.0, None, None]
    assert seen["form/cause"].tolist()[4:] == ["the step makes no call", "the action is missing"]
    with pytest.raises(ValueError, match="no name"):
        tools_of([{"description": "x"}])


# Attacks.


def test_more_calls_than_are_read_score_nothing():
    start = time.perf_counter()
    verdict, turn = grade(["f();" * 500] * 60, json.dumps([{"name": "f"}] * 3), unmatched=-0.5)
    assert verdict.value == 0.0 and verdict.facts["why"] == "too many calls" and (turn == -0.5).all()
    assert time.perf_counter() - start < 15


def test_names_that_no_table_can_hold():
    batch = Batch.from_steps(group=[0], trajectory=[0], reward=[0.0], action=["f(\\ud800)"])
    batch = batch.with_columns(reference=Column.of("trajectory", ['[{"name": "\\ud800"}]']))
    seen = observe(batch, [call_match()])
    assert seen["calls"].tolist() == [0.0] and seen.relations["calls/items"].to_pylist()[0]["call"] == "?"


def test_a_large_matrix_ends_soon():
    start = time.perf_counter()
    for match in (hungarian, ordered, Sinkhorn()):
        grade(
            ["; ".join(f"f(a={i})" for i in range(400))],
            json.dumps([{"name": "f", "arguments": {"a": i}} for i in range(120)]),
            match=match,
        )
    assert time.perf_counter() - start < 20
