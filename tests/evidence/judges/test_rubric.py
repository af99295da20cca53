"""Rubrics: weights, gates, bonuses, pitfalls, dependence, programs; and a judge that leaves criteria out."""

import asyncio
import json
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from guerdon.errors import RecordError
from guerdon.evidence.judges import (
    BONUS,
    COUNTS,
    ESSENTIAL,
    PITFALL,
    Criterion,
    NoReply,
    Reply,
    Rubric,
    Votes,
    rubric_of,
    rubric_score,
)  # fmt: skip
from guerdon.evidence.judges.rubric import checked

KINDS = [COUNTS, ESSENTIAL, BONUS, PITFALL]
levels = st.sampled_from([0.0, 0.5, 1.0])
criteria = st.lists(
    st.tuples(st.sampled_from(KINDS), st.floats(0.1, 9), st.booleans(), levels), min_size=1, max_size=6
).map(
    lambda rows: (
        checked(
            [
                Criterion(f"c{i}", "", weight, kind, (f"c{i - 1}",) if after and i else (), (0.0, 0.5, 1.0))
                for i, (kind, weight, after, _) in enumerate(rows)
            ]
        ),
        {f"c{i}": level for i, (_, _, _, level) in enumerate(rows)},
    )
)


# Laws of the score.


@given(criteria)
def test_a_score_is_in_the_unit_range_and_knowing_less_never_changes_it(given_):
    rubric, met = given_
    score, z = rubric_score(rubric, met)
    assert 0.0 <= score <= 1.0 and set(z) == set(met)
    for name in met:
        less, _ = rubric_score(rubric, {**met, name: None})
        assert less is None or less == score


@given(criteria, st.floats(0.5, 4))
def test_the_unit_of_the_weights_does_not_matter(given_, unit):
    rubric, met = given_
    scaled = tuple(Criterion(c.id, c.text, c.weight * unit, c.kind, c.needs, c.levels) for c in rubric)
    assert rubric_score(scaled, met)[0] == pytest.approx(rubric_score(rubric, met)[0])


@given(st.lists(st.tuples(st.floats(0.1, 9), st.booleans()), min_size=1, max_size=8))
def test_without_kinds_it_is_the_share_of_the_weights(rows):
    rubric = [Criterion(f"c{i}", "", weight) for i, (weight, _) in enumerate(rows)]
    met = {f"c{i}": float(ok) for i, (_, ok) in enumerate(rows)}
    share = sum(w for w, ok in rows if ok) / sum(w for w, _ in rows)
    assert rubric_score(rubric, met)[0] == pytest.approx(share)


@given(criteria, st.randoms(use_true_random=False))
def test_more_of_a_criterion_never_lowers_the_score_unless_it_is_a_pitfall(given_, chance):
    rubric, met = given_
    if any(c.kind == PITFALL and c.needs for c in rubric):
        return  # what a pitfall hangs on can bring it about
    name = chance.choice([c for c in rubric if c.kind != PITFALL] or [None])
    if name is not None:
        assert rubric_score(rubric, {**met, name.id: 1.0})[0] >= rubric_score(rubric, met)[0] - 1e-12


# Worked examples.


def of(*entries):
    return rubric_of(list(entries))


RIGHT = {"id": "right", "text": "It is right.", "kind": "essential", "weight": 2}
CLEAR = {"id": "clear", "text": "It is clear."}
EXTRA = {"id": "extra", "text": "It is extra.", "kind": "bonus"}
RUDE = {"id": "rude", "text": "It is rude.", "kind": "pitfall"}


@pytest.mark.parametrize(
    ("entries", "met", "score"),
    [
        ((RIGHT, CLEAR), {"right": 1, "clear": 0}, 2 / 3),
        ((RIGHT, CLEAR), {"right": 0, "clear": 1}, 0.0),
        ((RIGHT, CLEAR, EXTRA), {"right": 1, "clear": 0, "extra": 1}, 1.0),
        ((RIGHT, CLEAR, EXTRA), {"right": 1, "clear": 1, "extra": 1}, 1.0),
        ((RIGHT, CLEAR, RUDE), {"right": 1, "clear": 1, "rude": 1}, 2 / 3),
        ((CLEAR, RUDE), {"clear": 0, "rude": 1}, 0.0),
        ((RUDE,), {"rude": 0}, 1.0),
        ((RUDE,), {"rude": 1}, 0.0),
        ((EXTRA,), {"extra": 1}, 1.0),
        ((RIGHT, {**CLEAR, "needs": ["right"]}), {"right": 0.0, "clear": 1}, 0.0),
        ((CLEAR, {**EXTRA, "kind": "counts", "needs": ["clear"]}), {"clear": 0.5, "extra": 1}, 0.25),
        ((RIGHT, CLEAR), {"right": 1, "clear": None}, None),
        ((RIGHT, CLEAR), {"right": 0, "clear": None}, 0.0),
        ((CLEAR, {**EXTRA, "kind": "counts", "needs": ["clear"]}), {"clear": None, "extra": 0}, None),
    ],
)
def test_worked_scores(entries, met, score):
    got = rubric_score(of(*entries), met)[0]
    assert got is None if score is None else got == pytest.approx(score)


@pytest.mark.parametrize(
    "value",
    [
        None, "no json", [], {}, "{}", [3], [{"text": "", "kind": "vital"}], [{"text": "", "weight": 0}],
        [{"text": "", "weight": "much"}], [{"text": "", "kind": []}], [{"text": "", "check": {}}],
        [{"text": "", "weight": True}], "[{\"text\": \"\", \"weight\": Infinity}]",
        [{"text": "", "levels": [0, 2]}], [{"text": "", "levels": 3}],
        [{"text": "", "check": "nothing"}], [{"id": "a", "text": ""}, {"id": "a", "text": ""}],
        [{"id": "a", "text": "", "needs": ["b"]}],
        [{"id": "a", "text": "", "needs": ["b"]}, {"id": "b", "text": "", "needs": ["a"]}],
    ],
)  # fmt: skip
def test_what_is_no_rubric_is_refused(value):
    with pytest.raises(RecordError):
        rubric_of(value)


# A judge of rubrics.


def judged(form, votes, material=None):
    asked = []

    async def ask(messages, n):
        text = messages[-1]["content"]
        asked.append(text)
        code = text.split("bear the code ")[1][:12]
        out = []
        for vote in votes[:n]:
            items = (
                [{"id": k, "reason": f"on {k}", "level": v} for k, v in vote.items()] if isinstance(vote, dict) else 0
            )
            out.append(vote if isinstance(vote, NoReply) else Reply(json.dumps({"code": code, "items": items})))
        return out

    return asyncio.run(form.judge(ask, material or {"action": "an answer"})), asked


FORM = Rubric("You judge.", of(RIGHT, CLEAR))


def test_all_criteria_are_judged_in_one_call():
    verdict, asked = judged(FORM, [{"clear": 0, "right": 1}])
    assert verdict.value == pytest.approx(2 / 3) and len(asked) == 1
    assert verdict.items[0] == {
        "criterion": "right", "kind": "essential", "category": "", "weight": 2.0, "level": 1.0, "agreement": 1.0,
        "reason": "on right", "counted": 1.0,
    }  # fmt: skip
    assert verdict.facts["met"] == 0.5


@pytest.mark.parametrize(
    "vote",
    [{"right": 1}, {}, {"right": 1, "clear": 1, "other": 1}, {"right": 1, "clear": 0.5}, {"right": 1, "clear": True},
     {"right": 1, "clear": "1"}, {"right": 1, "clear": [1]}, 0, NoReply("it broke")],
)  # fmt: skip
def test_a_judge_that_leaves_criteria_out_or_makes_levels_up_is_unscored(vote):
    verdict, _ = judged(FORM, [vote])
    assert verdict.value is None and len(verdict.items) == 2 and verdict.items[0]["level"] is None


def test_votes_are_put_together_criterion_by_criterion():
    form = Rubric("You judge.", of(RIGHT, CLEAR), votes=Votes(3))
    verdict, _ = judged(form, [{"right": 1, "clear": 0}, {"right": 1, "clear": 1}, {"right": 0, "clear": 1}])
    assert verdict.value == 1.0 and [round(item["agreement"], 2) for item in verdict.items] == [0.67, 0.67]
    assert not judged(form, [{"right": 1, "clear": 0}, NoReply("a"), NoReply("a")])[0].scored
    split = judged(form, [{"right": 1, "clear": 0}, {"right": 1, "clear": 1}, NoReply("a")])[0]
    assert split.value is None and "'clear' do not agree" in split.cause
    gated = judged(form, [{"right": 0, "clear": 0}, {"right": 0, "clear": 1}, NoReply("a")])[0]
    assert gated.value == 0.0  # whatever the other criterion is worth


def test_programs_are_not_asked_of_the_judge():
    form = Rubric("You judge.", of({"id": "short", "text": "", "check": "at_most_words", "arguments": [3]}, CLEAR))
    verdict, (asked,) = judged(form, [{"clear": 1}])
    assert verdict.value == 1.0 and "short" not in asked
    only = Rubric("You judge.", of({"id": "word", "text": "", "check": "contains", "arguments": ["ANSWER"]}))
    verdict, asked = judged(only, [])
    assert verdict.value == 1.0 and asked == []


def test_a_program_that_fails_is_unscored_and_named():
    def broken(text):
        raise KeyError("x")

    for check in (broken, lambda text: 3.0):
        verdict, _ = judged(Rubric("t", (Criterion("a", "", check=check),)), [])
        assert verdict.value is None and "the check of 'a'" in verdict.cause


def test_each_item_brings_its_own_rubric():
    form = Rubric("You judge.")
    material = {"action": "an answer", "reference": json.dumps([CLEAR])}
    verdict, (asked,) = judged(form, [{"clear": 1}], material)
    assert verdict.value == 1.0 and "reference>>" not in asked
    verdict, asked = judged(form, [], {"action": "an answer", "reference": "[]"})
    assert verdict.cause.startswith("the rubric cannot be used") and asked == []


def test_degrees_of_a_criterion():
    form = Rubric("You judge.", of({"id": "a", "text": "A.", "levels": [0, 0.5, 1]}, {"id": "b", "text": "B."}))
    assert judged(form, [{"a": 0.5, "b": 1}])[0].value == 0.75


def test_the_order_of_the_file_does_not_matter():
    rows = [
        {"id": "a", "text": "A", "needs": ["b"]},
        {"id": "b", "text": "B", "needs": ["c"]},
        {"id": "c", "text": "C"},
    ]
    for seed in range(6):
        random.Random(seed).shuffle(rows)
        assert [c.id for c in rubric_of(rows)] == ["c", "b", "a"]


CATEGORIES = of(
    {"id": "value", "text": "It is 12.", "category": "factual", "weight": 3},
    {"id": "unit", "text": "It has its unit.", "category": "factual", "needs": ["value"]},
    {"id": "shown", "text": "The steps are shown.", "category": "process"},
    {"id": "safe", "text": "It is safe.", "kind": "essential"},
)


def test_each_category_has_a_score_of_its_own():
    form = Rubric("You judge.", CATEGORIES)
    verdict, _ = judged(form, [{"value": 1, "unit": 0, "shown": 1, "safe": 1}])
    assert verdict.value == pytest.approx(5 / 6)
    assert (verdict.facts["factual_score"], verdict.facts["process_score"]) == (0.75, 1.0)
    assert {item["criterion"]: item["category"] for item in verdict.items}["unit"] == "factual"
    gated, _ = judged(form, [{"value": 1, "unit": 1, "shown": 0, "safe": 0}])
    assert (gated.value, gated.facts["factual_score"], gated.facts["process_score"]) == (0.0, 1.0, 0.0)
    lost, _ = judged(form, [NoReply("it broke")])
    assert lost.value is None and lost.facts["factual_score"] is None


def test_a_category_that_is_no_name_is_refused():
    with pytest.raises(RecordError, match="category"):
        rubric_of([{"text": "x", "category": "two words"}])


# What is misspelt is told, and not judged without a text.


@pytest.mark.bad_input
@pytest.mark.parametrize(
    ("entry", "says"),
    [
        ({"id": "r", "txt": "It is right."}, "criterion 1 has the key 'txt'; known are arguments, category"),
        ({"id": "r"}, "criterion 1 has no text"),
        ({"id": "r", "text": "  "}, "criterion 1 has no text"),
        ("", "criterion 1 has no text"),
    ],
)
def test_another_key_and_an_empty_text_are_refused(entry, says):
    with pytest.raises(RecordError, match=says):
        rubric_of([entry])


def test_a_criterion_that_a_program_checks_needs_no_text():
    assert rubric_of([{"check": "at_most_words", "arguments": [3]}])[0].arguments == (3,)
