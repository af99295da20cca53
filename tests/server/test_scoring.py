"""From plays to answers: what is said, why nothing is, and that a fault stays where it belongs."""

import math
import random

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from guerdon.batch import Column
from guerdon.evidence import Grading, Reading
from guerdon.records import Ended, Step, Task, Trajectory, Verdict
from guerdon.rewards import Term, broadcast, fact, group_mean, total
from guerdon.server import Answer, Scoring


def graded(said, wanted):
    """1 for the right word, a fact beside it; some words break the grader."""
    if said == "raise":
        raise ValueError("no such thing")
    return (
        Verdict.unscored("the judge answered 429") if said == "busy" else Verdict.score(said == wanted, size=len(said))
    )


EXACT = Grading("exact", graded, deadline=None)


def poisoned(batch):
    """Raises on a whole batch where one play says poison."""
    if "poison" in batch["action"].tolist():
        raise ValueError("poisoned")
    return Column.of("trajectory", np.ones(batch.size("trajectory")))


def play(said, group=0, reference="a", **more):
    return Trajectory(group, Task("?", reference), (Step("", said),), **more)


# Laws.


@given(st.lists(st.tuples(st.sampled_from(["a", "b", "raise", "busy"]), st.integers(0, 3)), max_size=12))
def test_every_play_has_one_answer_in_order_a_value_or_a_cause(given_plays):
    scoring = Scoring(fact(EXACT))
    answers = scoring.score([play(said, group) for said, group in given_plays])
    assert [a.value for a in answers] == [{"a": 1.0, "b": 0.0}.get(said) for said, _ in given_plays]
    assert all((a.value is None) == bool(a.cause) for a in answers)


@given(st.lists(st.lists(st.sampled_from(["a", "b", "raise"]), min_size=1, max_size=4), min_size=2, max_size=5))
def test_requests_that_share_a_batch_get_what_they_get_alone(requests):
    term = fact(EXACT) + 0.5 * fact(Reading("there", poisoned))
    asked = [[play(said, group=0) for said in request] for request in requests]
    together, alone = Scoring(term), Scoring(term, merge=False)
    together._checks = 0
    values = [[(a.value, a.parts) for a in answers] for answers in together.score_each(asked)]
    assert values == [[(a.value, a.parts) for a in answers] for answers in alone.score_each(asked)]


# Worked examples.


def test_parts_add_up_to_the_value_and_facts_are_told():
    (answer,) = Scoring(fact(EXACT) + 0.5 * fact("outcome")).score([play("a", outcome=3.0)])
    assert answer == Answer(2.5, None, {"exact": 1.0, "outcome": 1.5}, None, {"exact": 1.0, "exact/size": 1.0})


def test_a_step_reward_has_its_steps_and_their_sum():
    steps = (Step("", "a", reward=1.0), Step("", "b", reward=2.0))
    whole, broken = Scoring(fact("reward")).score(
        [Trajectory(0, steps=steps), Trajectory(0, steps=(*steps, Step("", "c")))]
    )
    assert (whole.value, whole.steps) == (3.0, [1.0, 2.0])
    assert (broken.value, broken.steps) == (None, [1.0, 2.0, None])
    assert "reward" in broken.cause


def test_two_parts_of_one_name_stay_two():
    (answer,) = Scoring(fact("outcome") + fact("outcome")).score([play("a", outcome=1.0)])
    assert answer.parts == {"outcome": 1.0, "outcome (2)": 1.0}


def test_a_group_reward_is_every_plays():
    answers = Scoring(group_mean(fact(EXACT))).score([play("a"), play("b"), play("a", group=1)])
    assert [a.value for a in answers] == [0.5, 0.5, 1.0]


def test_a_play_without_steps_said_nothing():
    assert Scoring(fact(EXACT)).score([Trajectory(0, Task("?", "a")), play("a")])[0].value == 0.0


def test_nothing_is_scored_of_nothing():
    assert Scoring(fact(EXACT)).score([]) == []


# Unscored, and why.


@pytest.mark.parametrize(
    ("it", "why"),
    [
        (play("busy"), "the judge answered 429"),
        (play("raise"), "no such thing"),
        (play("a", reference=None), "reference is missing"),
        (play("a", ended=Ended.failed(0, "the world hung")), "the play failed"),
    ],
)
def test_the_cause_is_the_graders(it, why):
    answers = Scoring(fact(EXACT)).score([it, play("a", group=1)])
    assert answers[0].value is None
    assert why in answers[0].cause
    assert answers[1].value == 1.0


def test_a_reward_that_is_not_finite_is_unscored():
    term = Term("inf", lambda batch: Column("trajectory", np.array([math.inf, 1.0]), np.ones(2, bool)))
    assert [a.value for a in Scoring(term).score([play("a"), play("b")])] == [None, 1.0]


def test_a_reward_that_raises_leaves_its_play_unscored_and_scores_the_others():
    def score(batch):
        if "poison" in batch["action"].tolist():
            raise ZeroDivisionError("by zero")
        return Column.of("trajectory", np.ones(batch.size("trajectory")))

    plays = [play("poison" if i == 5 else "a", group=i) for i in range(9)]
    answers = Scoring(Term("mine", score)).score(plays)
    assert [i for i, a in enumerate(answers) if not a.scored] == [5]
    assert answers[5].cause == "ZeroDivisionError: by zero"


def test_an_observer_that_raises_on_one_play_is_unscored_there_alone():
    plays = [play("poison" if i in (2, 6) else "a", group=i) for i in range(8)]
    answers = Scoring(fact(Reading("there", poisoned))).score(plays)
    assert [i for i, a in enumerate(answers) if not a.scored] == [2, 6]
    assert "poisoned" in answers[2].cause


def test_a_fault_of_all_plays_is_not_looked_for_in_each():
    asked = []

    def score(batch):
        asked.append(1)
        raise RuntimeError("always")

    answers = Scoring(Term("mine", score)).score([play("a", group=i) for i in range(500)])
    assert {a.cause for a in answers} == {"RuntimeError: always"}
    assert len(asked) < 100


def test_a_missing_column_is_said_once():
    answers = Scoring(fact("outcome")).score([play("a", group=i) for i in range(5)])
    assert all("no column 'outcome'" in a.cause for a in answers)


def test_what_every_play_lacks_is_told_with_the_way_out_and_what_one_lacks_by_its_name():
    lacks, whole = play("a", reference=None), play("a", group=1)
    assert "no column 'reference'" in Scoring(fact(EXACT)).score([lacks])[0].cause
    assert "key of the task" in Scoring(fact(EXACT)).score([lacks])[0].cause
    beside = Scoring(fact(EXACT)).score([lacks, whole])
    assert beside[0].cause == f"{EXACT.name}: reference is missing" and beside[1].value is not None


def test_a_play_that_failed_is_told_with_what_was_recorded():
    fell = play("a", ended=Ended.failed(0, "the world hung"))
    said = Reading("said", lambda batch: Column("trajectory", np.ones(2), ~batch["failed"].values))
    for term in (fact(EXACT), fact(said), fact("outcome")):
        assert Scoring(term).score([fell, play("a", outcome=1.0)])[0].cause == "the play failed: the world hung"


# What may share a batch.


def test_merging_ends_when_it_changes_an_answer():
    relative = Term("rank", lambda batch: Column.of("trajectory", np.arange(batch.size("trajectory"), dtype=float)))
    scoring = Scoring(relative)
    assert [[a.value for a in x] for x in scoring.score_each([[play("a")], [play("b")]])] == [[0.0], [0.0]]
    assert not scoring.merge


def test_a_key_that_is_text_in_one_request_and_a_number_in_another_is_not_merged():
    term = Term("key", lambda batch: Column.of("trajectory", np.asarray(batch["task_n"].values, float)))
    scoring = Scoring(term)
    scoring._checks = 0
    number = Trajectory(0, Task("?", "a", {"n": 2.0}), (Step("", "a"),))
    text = Trajectory(0, Task("?", "a", {"n": "x"}), (Step("", "a"),))
    assert scoring.score_each([[number], [text]])[0][0].value == 2.0


def test_what_compares_plays_is_found():
    noisy = Grading("noisy", lambda said, wanted: Verdict.score(random.random()), deadline=None)
    assert Scoring(fact(noisy)).compares() == ""  # a judge that wavers compares nothing
    assert "compares" in Scoring(group_mean(fact("outcome"))).compares()
    assert Scoring(fact("outcome")).compares() == ""
    whole = Reading("agree", lambda batch: Column.of("group", np.ones(batch.size("group"))), level="group")
    assert "'agree'" in Scoring(total(broadcast(fact(whole)))).compares()


def test_the_batch_that_is_kept_has_the_facts_and_the_worth():
    answers, batch = Scoring(fact(EXACT)).score_whole([play("a"), play("raise", group=1)])
    assert batch["worth"].tolist() == [a.value for a in answers] == [1.0, None]
    answers, batch = Scoring(fact(Reading("there", poisoned))).score_whole([play("a"), play("poison", group=1)])
    assert batch["worth"].tolist() == [1.0, None]
