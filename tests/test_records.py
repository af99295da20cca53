"""records: frozen, checked where a wrong value would be silent."""

import dataclasses

import pytest

from guerdon.errors import RecordError
from guerdon.records import Ended, Step, Task, Trajectory, Verdict


def test_a_trajectory_that_says_nothing_finished_with_an_unknown_outcome():
    t = Trajectory(group=0)
    assert (t.ended.how, t.outcome, t.steps, t.task) == ("finished", None, (), Task())


def test_the_three_ends():
    assert Ended.finished() == Ended("finished")
    assert Ended.truncated("horizon") == Ended("truncated", by="horizon")
    assert Ended.failed(3, "hung") == Ended("failed", at=3, cause="hung")


@pytest.mark.parametrize("record", [Task(), Step(), Ended.finished(), Trajectory(0), Verdict.score(1.0)])
def test_a_record_cannot_be_changed(record):
    name = dataclasses.fields(record)[0].name
    with pytest.raises(dataclasses.FrozenInstanceError):
        setattr(record, name, "other")


def test_two_records_do_not_share_their_facts():
    one, other = Step(), Step()
    one.facts["seen"] = 1.0
    assert other.facts == {}


def test_a_verdict_is_a_score_or_a_cause_and_zero_is_a_score():
    assert Verdict.score(0.0).scored
    assert not Verdict.unscored("the judge answered 429").scored


def test_a_verdict_keeps_its_declared_range():
    assert Verdict.score(-3.0, low=-5.0, high=5.0).value == -3.0


@pytest.mark.bad_input
@pytest.mark.parametrize(
    ("make", "says"),
    [
        (lambda: Verdict(None), "cause="),
        (lambda: Verdict.unscored(""), "cause="),
        (lambda: Verdict.score(1.5), r"1\.5 is outside \[0\.0, 1\.0\].*high="),
        (lambda: Verdict.score(float("nan")), "nan is outside"),
        (lambda: Ended("done"), "'done'.*truncated"),
        (
            lambda: Trajectory("a", task={"reference": "4"}),
            r"task is of the type dict; a Task .* Task\(prompt=.*from_json",
        ),
        (lambda: Trajectory("a", steps=[{"action": "4"}]), r"steps\[0\] is of the type dict; a Step is needed"),
        (lambda: Trajectory("a", steps=Step("a", "b")), r"steps is of the type Step; .*write steps=\[Step"),
        (lambda: Trajectory("a", ended="failed"), r"ended is of the type str; .*Ended.finished\(\)"),
    ],
)
def test_what_is_wrong_is_said_with_the_way_out(make, says):
    with pytest.raises(RecordError, match=says):
        make()
