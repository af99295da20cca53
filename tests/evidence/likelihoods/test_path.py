"""Path scores: each step against the best rest of a solution, the last one against the answer."""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from guerdon.evidence import observe
from guerdon.evidence.likelihoods import AtEnd, Geometric, NoChain, Reference, Rests, SumLog, path_scores
from guerdon.records import Step, Task, Trajectory
from likely import FAILED, direct, fresh, played, taught, tokens, words

GOLD = "so 3 = 3"  # what `played` has as its solution
SAID = st.lists(st.sampled_from(["so 3", "hm 1", "so 1 = 1", "hm"]), min_size=1, max_size=4)


def by_hand(policy, context, masked, rests, how=np.mean):
    """The best of the rests by full passes, one each."""
    return max(how(direct(policy, context, rest)) - how(direct(policy, masked, rest)) for rest in rests)


# Laws.


@given(SAID)
@settings(max_examples=10)
def test_more_pieces_never_lower_a_step_and_the_last_one_does_not_look_at_them(said):
    policy = taught()
    batch = played(policy, ("3", [("ask", one) for one in said]))
    found = [path_scores(policy, rests=Rests(parts=parts)).observe(batch)["path_score"].values for parts in (1, 2, 4)]
    for few, more in itertools.pairwise(found):  # the pieces of twice as many begin where those of few do, too
        assert (few[:-1] <= more[:-1] + 1e-5).all()
        np.testing.assert_allclose(few[-1], more[-1], atol=1e-5)


@given(SAID, st.sampled_from([Geometric(), SumLog()]))
@settings(max_examples=10)
def test_scores_are_in_the_declared_range(said, aggregate):
    observer = path_scores(taught(), aggregate=aggregate, closing=Geometric())
    found = observer.observe(played(taught(), ("3", [("ask", one) for one in said])))["path_score"].values
    assert ((found >= observer.low) & (found <= observer.high)).all()


# Worked examples, by full passes.


def test_the_best_rest_counts_and_at_the_end_the_answer():
    policy = taught()
    batch = played(policy, ("3", [("ask", "hm 1"), ("ask", "so 3"), ("ask", "so 3")]))
    rests = ["so 3 = 3", "3 = 3", "= 3", "3"]
    masked = "ask <say> <unk> <unk>"
    for aggregate, how in ((SumLog(), np.sum), (Geometric(), lambda x: np.exp(np.mean(x)))):
        observer = path_scores(policy, rests=Rests(parts=4), slot=AtEnd("="), aggregate=aggregate, closing=SumLog())
        seen = observer.observe(batch)
        expected = [by_hand(policy, f"ask <say> {said}", masked, rests, how) for said in ("hm 1", "so 3")]
        expected.append(direct(policy, "ask <say> so 3 =", "3").sum())
        np.testing.assert_allclose(seen["path_score"].values, expected, atol=1e-5)
    best = [row["value"] for row in seen.relations["path_score/items"].to_pylist()]
    np.testing.assert_allclose([max(best[:4]), max(best[4:])], expected[:2], atol=1e-5)


def test_a_baseline_without_the_chain_has_no_words_of_the_answers_slot():
    policy = taught()
    batch = played(policy, ("3", [("ask", "so 3"), ("ask", "so 3")]))
    observer = path_scores(policy, rests=Rests(parts=1), slot=AtEnd("="), baseline=NoChain())
    expected = by_hand(policy, "ask <say> so 3", "ask <say>", [GOLD])
    np.testing.assert_allclose(observer.observe(batch)["path_score"].values[0], expected, atol=1e-5)


def test_a_play_of_one_step_has_its_answer_alone():
    policy = taught()
    found = path_scores(policy, slot=AtEnd("="), closing=Geometric()).observe(played(policy, ("3", [("ask", "so 3")])))
    np.testing.assert_allclose(found["path_score"].values, np.exp(direct(policy, "ask <say> so 3 =", "3")), atol=1e-5)


def test_a_step_on_the_way_beats_one_off_it():
    policy = taught()
    plays = [("3", [("ask", said), ("ask", "so 3")]) for said in ("so 3", "so 1")]
    observer = path_scores(policy, rests=Rests("task_rest", parts=1))
    made = played(policy, *plays)
    batch = made.with_columns(task_rest=type(made["reference"]).of("trajectory", ["= 3", "= 3"]))
    on, _, off, _ = observer.observe(batch)["path_score"].values
    assert on > off + 0.5


# Unscored, with a cause.


def test_what_cannot_be_read_has_a_cause_and_the_other_steps_a_score():
    policy = taught()
    turns = [("ask", "hm 1"), ("ask", "so 3")]
    batch = played(
        policy, ("3", turns), (None, turns), ("3", turns, FAILED), ("", turns), ("3", [("ask", "hm " * 80), *turns])
    )
    seen = observe(batch, [path_scores(policy)])
    empty = "the text to be scored has no tokens"
    long = "the context and the text have 86 tokens and the model reads 64"
    failed = "the play failed: the environment hung"
    expected = [None, None, *["reference is missing"] * 2, failed, failed, None, empty, long, None, None]
    assert seen["path_score/cause"].tolist() == expected
    assert (seen["path_score"].valid == np.array([cause is None for cause in expected])).all()


@pytest.mark.parametrize(("extra", "cause"), [({}, "task_gold_chain"), ({"gold_chain": " "}, "no tokens")])
def test_without_a_solution_no_step_is_scored(extra, cause):
    policy = fresh()
    steps = tuple(
        Step(seen, said, tokens=tokens(policy, seen, said), logprobs=[0.0] * (1 + len(words(policy, said))), sequence=t)
        for t, (seen, said) in enumerate([("ask", "hm 1"), ("ask", "so 3")])
    )
    other = {"gold_chain": GOLD} if extra else {}
    plays = [
        Trajectory(0, Task(reference="3", extra=extra), steps),
        Trajectory(0, Task(reference="3", extra=other), steps),
    ]
    seen = observe(type(played(policy)).of(plays), [path_scores(policy, answer=Reference())])
    assert not seen["path_score"].valid[0]
    assert cause in seen["path_score/cause"].tolist()[0]
    assert seen["path_score"].valid[2:].tolist() == ([True, True] if extra else [False, False])
