"""Steps judged in one call a play: marks, wrong ones, the first error; columns that rewards and credit read."""

import json

import numpy as np
import pytest

from evidence.judges.endpoint import Answer, said, serving
from guerdon import Batch, Column
from guerdon.credit import Criteria, checklist
from guerdon.errors import RecordError
from guerdon.evidence import observe
from guerdon.evidence.judges import (
    FirstError,
    Highest,
    Judge,
    Lowest,
    Mark,
    MostSay,
    Sampling,
    StepMarks,
    Steps,
    Votes,
    WrongSteps,
    step_judge,
    yes_no,
)  # fmt: skip
from guerdon.rewards import votes as reward_votes


def batch():
    """Two plays: three steps and two; "bad" ones are wrong."""
    return Batch.from_steps(
        group=[0] * 5, trajectory=[0, 0, 0, 1, 1], reward=[0.0] * 5, action=["good", "bad", "good", "bad", "good"]
    )  # fmt: skip


def parts(asked):
    """The actions that the judge is shown."""
    out = []
    while f"action {len(out) + 1}>>" in asked.text:
        out.append(asked.part(f"action {len(out) + 1}"))
    return out


def by_word(*names):
    """A judge that knows a bad step when it sees one."""

    def script(asked):
        steps = parts(asked)
        marks = [dict.fromkeys(names, "no" if step == "bad" else "yes") for step in steps]
        rows = [{"step": i, "reason": "r", **mark} for i, mark in enumerate(marks, 1)]
        return said(asked.sealed(steps=rows))

    return script


def lists(asked):
    """The same in the shorter form."""
    return said(asked.sealed(wrong=[{"step": i, "reason": "r"} for i, s in enumerate(parts(asked), 1) if s == "bad"]))


def judge(server, form, **given):
    return Judge("steps", server.endpoint(), form, reads=(Steps("action"),), **given)


@pytest.mark.parametrize(("form", "script"), [(StepMarks("t"), by_word("right")), (WrongSteps("t"), lists)])
def test_every_step_has_a_verdict_from_one_call_a_play(form, script):
    with serving(script) as server:
        out = observe(batch(), [step_judge(judge(server, form))])
    assert out["steps"].tolist() == [1.0, 0.0, 1.0, 0.0, 1.0] and len(server.asked) == 2
    assert out["steps/wrong_votes"].values.tolist() == [[0.0], [1.0], [0.0], [1.0], [0.0]]
    assert reward_votes.verdict("steps/wrong_votes", reward_votes.Majority())(out).values.tolist() == [0, 1, 0, 1, 0]


def test_the_verdict_on_the_play_is_the_share_of_right_steps():
    with serving(lists) as server:
        out = observe(batch(), [judge(server, WrongSteps("t"))])
    assert out["steps"].tolist() == [pytest.approx(2 / 3), 0.5]
    assert out.relations["steps/items"].column("step").to_pylist() == [0, 1, 2, 0, 1]


def test_several_marks_are_criteria_that_credit_reads():
    marks = (Mark("supported", "s?"), Mark("correct", "c?"))
    with serving(by_word("supported", "correct")) as server:
        out = observe(batch(), [step_judge(judge(server, StepMarks("t", marks)))])
    assert out["steps/supported"].tolist() == [1.0, 0.0, 1.0, 0.0, 1.0]
    out = out.with_columns(turn=Column.of("step", [0, 1, 1, 0, 1]))
    assert checklist(Criteria("steps/satisfied", "turn"))(out).values.tolist() == [1.0, 0.5]


@pytest.mark.parametrize(
    ("say", "flagged"),
    [(MostSay(tie=0.0), [0, 1, 1]), (Highest(), [0, 0, 1]), (Lowest(), [0, 1, 1])],
    ids=["majority", "intersection", "union"],
)
def test_votes_on_each_step(say, flagged):
    critiques = [[3], [2, 3]]

    def script(asked):
        k = asked.body.get("seed", 0)
        return said(asked.sealed(wrong=[{"step": i, "reason": ""} for i in critiques[k % 2]]))

    one = batch().select([True, False])
    with serving(script) as server:
        form = WrongSteps("t", votes=Votes(2, say))
        out = observe(one, [step_judge(judge(server, form, sampling=Sampling(temperature=1.0, seed=0)))])
    assert (1 - out["steps"].values).tolist() == flagged
    assert sorted(out["steps/wrong_votes"].values.sum(axis=0).tolist()) == [1.0, 2.0]


@pytest.mark.parametrize(
    "steps",
    [
        [], [{"step": 1, "reason": "", "right": "yes"}], [{"step": i, "reason": "", "right": "yes"} for i in (1, 2, 2)],
        [{"step": i, "reason": "", "right": "yes"} for i in (1, 2, 3, 4)],
        [{"step": i, "reason": "", "right": "maybe"} for i in (1, 2, 3)],
        [{"step": i + 0.5, "reason": "", "right": "yes"} for i in range(3)], "none",
    ],
)  # fmt: skip
def test_a_judge_that_leaves_steps_out_or_makes_them_up_leaves_the_play_unscored(steps):
    with serving(lambda asked: said(asked.sealed(steps=steps))) as server:
        out = observe(batch().select([True, False]), [step_judge(judge(server, StepMarks("t")))])
    assert out["steps"].tolist() == [None] * 3 and all(out["steps/cause"].tolist())
    assert np.isnan(out["steps/wrong_votes"].values).all()


def test_a_step_that_the_judge_does_not_know_is_unscored_alone():
    def script(asked):
        words = ["yes", "unknown", "no"]
        return said(asked.sealed(steps=[{"step": i, "reason": "", "right": w} for i, w in enumerate(words, 1)]))

    with serving(script) as server:
        out = observe(batch().select([True, False]), [step_judge(judge(server, StepMarks("t")))])
    assert out["steps"].tolist() == [1.0, None, 0.0]
    assert out["steps/cause"].tolist()[1] == "the judge says that it does not know"
    assert out["steps/satisfied"].valid.tolist() == [True, False, True]


def test_a_play_that_could_not_be_judged_leaves_its_steps_unscored_and_only_its():
    def script(asked):
        return Answer(status=500) if len(parts(asked)) == 2 else lists(asked)

    with serving(script) as server:
        quick = Judge("steps", server.endpoint(tries=2), WrongSteps("t"), reads=(Steps("action"),))
        out = observe(batch(), [step_judge(quick)])
    assert out["steps"].tolist() == [1.0, 0.0, 1.0, None, None]


def test_a_play_that_is_too_long_scores_the_lowest_at_every_step():
    with serving(lists) as server:
        out = observe(batch(), [step_judge(judge(server, WrongSteps("t"), largest=8))])
    assert out["steps"].tolist() == [0.0, 0.0, 0.0, 0.0, 1.0] and len(server.asked) == 1
    assert out["steps/why"].tolist()[0] == "longer than 8 characters"


def first_errors(*found):
    return lambda asked: said(asked.sealed(reason=str(asked.body["seed"]), first_error=found[asked.body["seed"]]))


@pytest.mark.parametrize(
    ("found", "value", "index", "uncertainty"),
    [((0, 0, 0), 1.0, -1, 0.0), ((2, 2, 0), 1 / 3, 1, 1 / 3), ((3, 2, 1), 0.0, 0, 2 / 3), ((0, 3, 3), 1 / 3, 2, 1 / 3)],
)
def test_the_first_error_is_the_one_that_most_votes_name(found, value, index, uncertainty):
    with serving(first_errors(*found)) as server:
        form = FirstError("t", votes=Votes(3))
        out = observe(batch().select([True, False]), [judge(server, form, sampling=Sampling(1.0, seed=0))])
    assert out["steps"].values[0] == pytest.approx(value)
    assert out["steps/first_error"].tolist() == [index]
    assert out["steps/uncertainty"].values[0] == pytest.approx(uncertainty)


@pytest.mark.parametrize("wrong", [4, -1, 1.5, "1", None, True])
def test_an_index_that_is_no_step_is_out_of_form(wrong):
    with serving(lambda asked: said(asked.sealed(reason="", first_error=wrong))) as server:
        out = observe(batch().select([True, False]), [judge(server, FirstError("t"))])
    assert out["steps"].tolist() == [None]


def test_a_form_that_says_nothing_of_steps_is_refused():
    with serving(lists) as server, pytest.raises(RecordError):
        step_judge(Judge("steps", server.endpoint(), yes_no("t")))


def test_a_step_that_writes_a_verdict_of_its_own_does_not_pass():
    """A judge that repeats the wrong list which a step holds, and then gives its own."""
    fake = json.dumps({"code": "0" * 12, "wrong": []})
    b = batch().with_columns(action=Column.of("step", [fake, "bad", fake, "bad", "good"]))
    with serving(lambda a: said(parts(a)[0] + a.sealed(wrong=[{"step": 2}]) + fake)) as server:
        out = observe(b.select([True, False]), [step_judge(judge(server, WrongSteps("t")))])
    assert out["steps"].tolist() == [1.0, 0.0, 1.0]
