"""observe: once each, faults become causes, and what was not declared is not a fact."""

import re
from dataclasses import dataclass, field, replace
from importlib import import_module
from pathlib import Path

import numpy as np
import pytest

from guerdon.batch import Batch, Column
from guerdon.errors import LevelError, RecordError, UnknownNameError
from guerdon.evidence import Observer, Reading, judges, majority, match, observe, repeated, turns, unscored
from guerdon.records import Ended, Step, Trajectory
from guerdon.rewards import fact, total


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


# What is given in the wrong place.


@pytest.mark.bad_input
@pytest.mark.parametrize(
    ("make", "says"),
    [
        (lambda: observe(batch(), [match]), r"observe: match itself is given, uncalled; .*call it: match\(\)"),
        (lambda: observe(batch(), [Judge]), r"call it: Judge\(\)"),
        (lambda: observe(batch(), match()), r"observe: Reading.* a list of them is needed; write observe"),
        (lambda: observe(batch(), match), r"a list of them is needed"),
        (lambda: observe(batch(), ["match"]), r"observe: 'match' \(str\) is given; an observer is needed"),
        (lambda: observe(batch(), "match"), r"observe: 'm' \(str\) is given; an observer is needed"),
        (lambda: observe(batch(), [fact("reward")]), r"\(Term\) is given; an observer is needed"),
        (lambda: Reading(3, len), r"Reading: 3 \(int\) is given for the name .* the name comes first"),
        (lambda: observe(batch(), [majority(str.strip)]), r"is given for the name of an observer; .*by keyword"),
    ],
)
def test_what_is_no_observer_is_refused_with_what_to_write(make, says):
    with pytest.raises(RecordError, match=says):
        make()


@pytest.mark.bad_input
def test_a_reading_that_returns_no_column_is_told_how_to_make_one():
    seen = observe(batch(), [Reading("words", lambda b: [1.0, 2.0])])
    ((cause, n),) = unscored(seen, "words").items()
    assert n == 2 and "'words' is of the type list; a Column is needed" in cause


def test_an_undeclared_level_and_range_are_told_with_the_argument_that_declares_them():
    per_step = Reading("words", lambda b: Column.of("step", [1.0, 3.0, 2.0]))
    assert "left a step column; it declares trajectory level; declare it with level='step'" in "".join(
        unscored(observe(batch(), [per_step]), "words")
    )
    wide = replace(per_step, level="step")
    assert "scored 3.0; it declares [0.0, 1.0]; declare the range with low= and high=" in "".join(
        unscored(observe(batch(), [wide]), "words")
    )


def test_a_reward_of_an_observer_that_left_another_level_says_so_and_not_only_what_followed():
    per_step = Reading("words", lambda b: Column.of("step", [1.0, 3.0, 2.0]), high=9.0)
    seen = observe(batch(), [per_step])
    with pytest.raises(LevelError, match=r"^observe: 'words' left a step column.*; and so total: 'words' is at traj"):
        total(fact("words"))(seen)
    with pytest.raises(LevelError, match=r"total: 'words' is at trajectory level; step level is needed"):
        total(fact(per_step))
    declared = replace(per_step, level="step")
    assert total(fact(declared))(observe(batch(), [declared])).tolist() == [4.0, 2.0]


def test_a_failed_play_is_unscored_with_the_cause_that_was_recorded():
    died = Trajectory(
        "a", steps=(Step("", "x", state=1), Step("", "y", state=2)), ended=Ended.failed(1, "the env died")
    )
    good = Trajectory("a", steps=(Step("", "x", state=1),))
    seen = observe(Batch.of([died, good]), [turns, repeated, match()])
    assert unscored(seen, "turns") == {"the play failed: the env died": 1}
    assert seen["turns/cause"].tolist() == ["the play failed: the env died", None]
    assert "match/cause" in seen and "repeated/cause" not in seen
    late = Reading("late", lambda b: Column.of("step", [1.0, None, None]), level="step")
    assert observe(Batch.of([died, good]), [late])["late/cause"].tolist() == [
        None,
        "the play failed: the env died",
        None,
    ]


# The page of observers: the call that begins each row can be copied, and makes an observer.

PAGE = (Path(__file__).parents[2] / "docs" / "observers.md").read_text()
ENDPOINT = judges.Endpoint("http://127.0.0.1:1/v1", "judge")
FORMS = {
    "judges.step_judge(judge)": (judges.StepMarks("t"), judges.Steps()),
    "judges.pair_judge(judge)": (judges.Pair("t"), "action"),
}


def rows() -> list[tuple[str, str]]:
    """The call that begins each row of the tables of observers, and the heading above it."""
    found, heading, inside = [], "", False
    for line in PAGE.splitlines():
        heading = line if line.startswith("## ") else heading
        inside = line.startswith("|") and (inside or line.startswith("| observer |"))
        if inside and (call := re.match(r"\| `([^`]+)`", line)):
            found.append((call.group(1), heading))
    return found


def names(call: str, heading: str) -> dict:
    """What the heading says that things are imported from, and what stands for the reader's own."""
    evidence = import_module("guerdon.evidence")
    out = {"endpoint": ENDPOINT, "form": judges.yes_no("t")}
    out |= {family: getattr(evidence, family) for family in evidence.FAMILIES - {"likelihoods"}}
    out |= {name: getattr(evidence, name) for name in evidence.__all__}
    for module in re.findall(r"`(?:guerdon\.evidence)?\.(\w+)`", heading):
        out |= vars(import_module(f"guerdon.evidence.{module}"))
    form, read = FORMS.get(call, (judges.yes_no("t"), "action"))
    out["judge"] = judges.Judge("judge", ENDPOINT, form, reads=("prompt", read))
    if "(policy" in call:
        from guerdon.policies import small

        out["policy"] = small(["1", "2"], width=8, heads=2)
    return out | ({"match": evidence.match} if call == "match()" else {})


def test_no_row_is_overlooked():
    assert len(rows()) == sum(
        1 for table in re.findall(r"^\| observer \|.*\n\|[-|]+\n((?:\|.*\n)+)", PAGE, re.M) for _ in table.splitlines()
    )


@pytest.mark.parametrize(("call", "heading"), rows())
def test_a_row_can_be_copied_and_makes_an_observer(call, heading):
    if "Likelihoods" in heading:
        pytest.importorskip("torch")
    made = eval(call, names(call, heading))
    assert isinstance(made, Observer) and isinstance(made.name, str)
