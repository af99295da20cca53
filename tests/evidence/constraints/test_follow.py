"""follows: accept, reject and unscored cases, facts and items."""

import pickle

import pytest

from guerdon.batch import Batch, Column
from guerdon.evidence import observe
from guerdon.evidence.constraints import degree, every, follows, share

TASK = '[{"check": "words", "high": 4, "weight": 3}, "no_commas"]'


def test_measures():
    for measure, wanted in ((every, 0.0), (share, 0.25), (degree, 0.25 + 0.75 * 0.75)):
        assert follows(measure=measure).grade("one two three four five", TASK).value == wanted
        assert follows(measure=measure).grade("one two", TASK).value == 1.0


def test_an_empty_or_endless_answer_keeps_nothing():
    for said in ("", "  \n", "x" * 200_001):
        assert follows(measure=share).grade(said, TASK).value == 0.0


@pytest.mark.parametrize("task", ["", "{}", '["nothing"]', '[{"check": "words", "top": 3}]'])
def test_unscored(task):
    found = follows().grade("one", task)
    assert found.value is None and found.cause


def test_the_observer():
    batch = Batch.from_steps(group=[0] * 3, trajectory=[0, 1, 2], reward=[0.0] * 3, action=["one", "a, b", "x"])
    batch = batch.with_columns(reference=Column.of("trajectory", [TASK, TASK, '["nothing"]']))
    seen = observe(batch, [follows()])
    assert seen["follows"].tolist() == [1.0, 0.0, None] and "'nothing'" in seen["follows/cause"].tolist()[2]
    assert seen["follows/share"].tolist()[:2] == [1.0, 0.75]
    assert seen.relations["follows/items"].to_pylist()[3] == {
        "trajectory": 1, "check": "no_commas", "holds": 0.0, "degree": 0.0, "weight": 1.0
    }  # fmt: skip


def test_checks_for_all_tasks_and_the_trip_to_another_process():
    observer = follows(checks=TASK)
    assert observer.reads == ("action",) and pickle.loads(pickle.dumps(observer.grade))("a b").value == 1.0
    assert observer.version != follows(checks='["quoted"]').version != follows(measure=share).version
