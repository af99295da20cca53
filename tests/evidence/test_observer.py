"""observe: once each, faults become causes, and what was not declared is not a fact."""

from dataclasses import dataclass, field, replace

import numpy as np
import pytest

from guerdon.batch import Batch, Column
from guerdon.errors import UnknownNameError
from guerdon.evidence import Reading, observe, turns, unscored
from guerdon.rewards import fact


def batch():
    return Batch.from_steps(group=[0, 0, 0], trajectory=[0, 0, 1], reward=[1.0, 2.0, 3.0])


@dataclass(frozen=True)
class Judge:
    """Counts how often it is asked, and answers what it is told to."""

    answer: tuple = (0.0, 1.0)
    name: str = "judge"
    version: str = "1"
    low: float = 0.0
    high: float = 1.0
    level: str = "trajectory"
    cost: str = "seconds"
    asked: list = field(default_factory=list, compare=False)

    def observe(self, batch):
        self.asked.append(1)
        if not self.answer:
            raise TimeoutError("no answer in 30 s")
        return batch.with_columns(**{self.name: Column.of(self.level, np.array(self.answer))})


def test_facts_and_who_left_them_are_on_the_batch():
    seen = observe(batch(), [turns, Judge()])
    assert seen["turns"].tolist() == [2.0, 1.0]
    assert seen["judge"].tolist() == [0.0, 1.0]
    assert [(r["name"], r["version"], r["cost"]) for r in seen.relations["observers"].to_pylist()] == [
        ("turns", "1", "free"), ("judge", "1", "seconds"),
    ]  # fmt: skip


def test_an_observer_runs_once_and_again_only_under_a_new_version():
    judge = Judge()
    seen = observe(observe(batch(), [judge, Judge(asked=judge.asked), judge]), [judge])
    assert len(judge.asked) == 1
    observe(seen, [replace(judge, version="2")])
    assert len(judge.asked) == 2


def test_a_fault_is_a_cause_and_the_others_still_run():
    seen = observe(batch(), [Judge(answer=()), turns])
    assert seen["judge"].tolist() == [None, None]
    assert unscored(seen, "judge") == {"TimeoutError: no answer in 30 s": 2}
    assert seen["turns"].tolist() == [2.0, 1.0]
    assert (fact("judge") + fact("turns"))(seen).tolist() == [None, None]


def test_a_fault_is_not_kept_as_an_answer():
    seen = observe(observe(batch(), [Judge(answer=())]), [Judge()])
    assert seen["judge"].tolist() == [0.0, 1.0]
    assert "judge/cause" not in seen
    assert observe(batch(), [Judge(answer=())]).relations == {}
    older = observe(batch(), [Judge()])
    assert observe(older, [Judge(answer=(), version="2")]).relations == {}


@pytest.mark.parametrize(
    ("judge", "says"),
    [
        (Judge(answer=(0.0, 7.0)), "scored 7.0"),
        (Judge(answer=(0.0, 1.0, 0.0)), "3 values"),
        (Judge(answer=(0.0, 1.0, 0.0), level="step"), None),
        (replace(Judge(), level="step"), "3 steps"),
        (Reading("judge", lambda b: Column.of("trajectory", np.array([0.0, 1.0])), level="step"), "trajectory column"),
        (Reading("judge", lambda b: Column("trajectory", np.array([0.0, np.nan]), np.ones(2, bool))), "scored nan"),
        (Reading("judge", lambda b: b["nothing"]), "no column 'nothing'"),
    ],
)
def test_what_an_observer_did_not_declare_is_not_a_fact(judge, says):
    seen = observe(batch(), [judge])
    if says is None:
        assert seen["judge"].valid.all()
        return
    assert not seen["judge"].valid.any() and seen["judge"].level == judge.level
    assert says in next(iter(unscored(seen, "judge")))


def test_an_unscored_item_is_fine_and_counted():
    seen = observe(batch(), [Judge(answer=(0.0, np.nan))])
    assert seen["judge"].tolist() == [0.0, None]
    assert unscored(seen, "judge") == {"": 1}


def test_two_observers_of_one_name_are_refused():
    with pytest.raises(UnknownNameError, match="rename one"):
        observe(batch(), [Judge(), Judge(version="2")])


def test_the_observers_of_a_term_are_what_it_needs():
    term = fact(turns) + fact(Judge())
    assert term(observe(batch(), term.observers)).tolist() == [2.0, 2.0]
