"""Agreement: votes by brute force, relabelling, ties, and that who is unscored never votes."""

from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from guerdon.batch import Batch, Column
from guerdon.errors import RecordError, ShapeError
from guerdon.evidence import maths, observe
from guerdon.evidence.agreement import (
    cross_agreement,
    disagreement,
    majority,
    others,
    self_consistency,
    vote,
    weighted_majority,
)
from guerdon.evidence.texts import letter_in

BALLOTS = st.lists(st.tuples(st.integers(-1, 3), st.integers(0, 2)), max_size=14)


def batch(said, group=None, **columns):
    n = len(said)
    b = Batch.from_steps(group=group or [0] * n, trajectory=list(range(n)), reward=[0.0] * n)
    return b.with_columns(action=Column.of("step", said), **columns)


def arrays(ballots):
    return np.array([b[0] for b in ballots], int), np.array([b[1] for b in ballots], int)


# Laws.


@given(BALLOTS)
def test_a_vote_agrees_with_counting(ballots):
    answer, group = arrays(ballots)
    found = vote(answer, group)
    for i, (a, g) in enumerate(ballots):
        votes = Counter(x for x, y in ballots if y == g and x >= 0)
        best = max(votes.values(), default=0)
        assert found.leaders[i] == sum(v == best for v in votes.values())
        assert found.top[i] == (a >= 0 and votes[a] == best)
        if votes:
            assert found.share[i] == pytest.approx(votes[a] / sum(votes.values()) if a >= 0 else 0.0)
        else:
            assert np.isnan(found.share[i])


@given(BALLOTS, st.permutations(range(4)), st.integers(0, 99))
def test_names_of_answers_and_the_order_of_ballots_do_not_matter(ballots, names, seed):
    answer, group = arrays(ballots)
    found = vote(answer, group)
    renamed = vote(np.where(answer < 0, -1, np.array(names)[answer]), group)
    mixed = np.random.default_rng(seed).permutation(len(answer))
    shuffled = vote(answer[mixed], group[mixed])
    for key in ("share", "top", "leaders"):
        np.testing.assert_array_equal(getattr(renamed, key), getattr(found, key))
        np.testing.assert_array_equal(getattr(shuffled, key), getattr(found, key)[mixed])


@given(BALLOTS)
def test_who_has_no_answer_does_not_vote(ballots):
    answer, group = arrays(ballots)
    spoke = answer >= 0
    np.testing.assert_array_equal(vote(answer, group).share[spoke], vote(answer[spoke], group[spoke]).share)


@given(BALLOTS, st.integers(1, 5))
def test_a_whole_weight_is_as_many_ballots(ballots, k):
    answer, group = arrays(ballots)
    weight = np.arange(len(answer)) % 3 * k
    found, copies = vote(answer, group, weight), np.repeat(np.arange(len(answer)), weight)
    many = vote(answer[copies], group[copies])
    np.testing.assert_allclose(found.share[copies], many.share)
    np.testing.assert_array_equal(found.top[copies], many.top)


@given(BALLOTS)
def test_the_vote_of_the_others_agrees_with_counting(ballots):
    answer, group = arrays(ballots)
    question = group // 2
    share, top, leaders = others(answer, group, question)
    for i, (a, g) in enumerate(ballots):
        votes = Counter(x for x, y in ballots if y != g and y // 2 == g // 2 and x >= 0)
        best = max(votes.values(), default=0)
        assert leaders[i] == sum(v == best for v in votes.values())
        assert top[i] == (a >= 0 and best > 0 and votes[a] == best)
        assert share[i] == pytest.approx(votes[a] / sum(votes.values())) if votes else np.isnan(share[i])


def test_negative_weights_are_refused():
    for weight in (-1.0, np.inf, np.nan):
        with pytest.raises(ShapeError, match="at least 0"):
            vote(np.array([0, 0]), np.array([0, 0]), np.array([weight, 1.0]))


# Observers by hand.


def test_majority_with_an_answer_that_is_none():
    seen = observe(batch(["4", "4.", "5", "...", ""]), [majority(), self_consistency()])
    assert seen["majority"].tolist() == [1.0, 1.0, 0.0, 0.0, 0.0]
    assert seen["majority/leaders"].tolist() == [1.0] * 5
    assert seen["self_consistency"].tolist() == pytest.approx([2 / 3, 2 / 3, 1 / 3, 0.0, 0.0])


def test_a_tie_is_not_decided_unless_one_says_how():
    said = ["a", "b", "a", "b", "c"]
    seen = observe(batch(said), [majority(), majority("half", tie=0.5)])
    assert seen["majority"].tolist() == [None, None, None, None, 0.0]
    assert seen["majority/cause"].tolist()[0] == "a tie of several answers"
    assert seen["half"].tolist() == [0.5, 0.5, 0.5, 0.5, 0.0]
    assert seen["half/leaders"].tolist() == [2.0] * 5


def test_the_unscored_do_not_vote():
    failed = Column.of("trajectory", [False, False, False, True, True])
    seen = observe(batch(["a", "a", "b", "b", "b"], failed=failed), [majority(), self_consistency()])
    assert seen["majority"].tolist() == [1.0, 1.0, 0.0, None, None]
    assert seen["self_consistency"].tolist()[:3] == pytest.approx([2 / 3, 2 / 3, 1 / 3])
    assert seen["majority/cause"].tolist()[3] == "the play failed"
    missing = observe(batch(["a", "a", "b", None, None]), [majority()])
    assert missing["majority"].tolist() == [1.0, 1.0, 0.0, None, None]


def test_groups_vote_by_themselves_and_a_lone_play_agrees_with_itself():
    assert observe(batch(["a", "a", "b"], [0, 0, 1]), [majority()])["majority"].tolist() == [1.0, 1.0, 1.0]
    assert observe(batch(["?", "?"]), [majority()])["majority"].tolist() == [0.0, 0.0]


def test_what_is_equal_is_said_by_the_canon():
    said = ["The answer is A", "(a)", "Answer: B", "dunno"]
    assert observe(batch(said), [majority(canon=letter_in)])["majority"].tolist() == [1.0, 1.0, 0.0, 0.0]


def test_answers_of_maths_vote_by_their_canon():
    said = [r"so \boxed{\frac12}", "#### 0.5", "The answer is 2.", "<think>5"]
    seen = observe(batch(said), [majority(canon=maths.canon)])
    assert seen["majority"].tolist() == [1.0, 1.0, 0.0, 0.0]
    assert seen["majority/share"].tolist()[0] == pytest.approx(2 / 3)


@pytest.mark.parametrize("canon", [maths.extract, float, lambda text: ["5"]])
def test_a_canon_that_returns_no_text_is_told(canon):
    with pytest.raises(RecordError, match=r"majority: canon returned .*; a text is needed, or None"):
        majority(canon=canon).observe(batch(["5", "5"]))
    told = observe(batch(["5", "5"]), [majority(canon=canon)])["majority/cause"].tolist()
    assert "maths.canon" in told[0]


def test_weights_decide_and_a_missing_one_does_not_vote():
    ok = Column.of("trajectory", [0.2, 0.3, 0.6, None, 0.0])
    seen = observe(batch(["a", "a", "b", "a", "c"], ok=ok), [weighted_majority("ok"), majority()])
    assert seen["weighted_majority"].tolist() == [0.0, 0.0, 1.0, None, 0.0]
    assert seen["weighted_majority/cause"].tolist()[3] == "ok is missing"
    assert seen["majority"].tolist() == [1.0, 1.0, 0.0, 1.0, 0.0]
    nobody = observe(batch(["a", "b"], ok=Column.of("trajectory", [0.0, 0.0])), [weighted_majority("ok")])
    assert nobody["weighted_majority"].tolist() == [None, None]
    assert nobody["weighted_majority/cause"].tolist() == ["nobody in the group voted"] * 2


def test_weights_of_another_level_or_below_nothing_leave_it_unscored():
    seen = observe(batch(["a"], ok=Column.of("step", [1.0])), [weighted_majority("ok")])
    assert "one weight a trajectory" in seen["weighted_majority/cause"].tolist()[0]
    seen = observe(batch(["a"], ok=Column.of("trajectory", [-1.0])), [weighted_majority("ok")])
    assert "at least 0" in seen["weighted_majority/cause"].tolist()[0]


def test_another_phrasing_gives_the_label():
    # Question q in two phrasings, one of them with a bias to 5; question r in one phrasing.
    said = ["5", "5", "4", "4", "4", "...", "7"]
    q = Column.of("trajectory", ["q"] * 6 + ["r"])
    seen = observe(batch(said, [0, 0, 0, 1, 1, 1, 2], q=q), [cross_agreement("q"), majority()])
    assert seen["majority"].tolist() == [1.0, 1.0, 0.0, 1.0, 1.0, 0.0, 1.0]
    assert seen["cross_agreement"].tolist() == [0.0, 0.0, 1.0, 0.0, 0.0, 0.0, None]
    assert seen["cross_agreement/cause"].tolist()[6] == "no other phrasing has a vote"


def test_a_tie_among_the_others_and_a_question_that_is_missing():
    said = ["4", "5", "4", "5", "4"]
    q = Column.of("trajectory", ["q", "q", "q", "q", None])
    seen = observe(batch(said, [0, 0, 1, 1, 2], q=q), [cross_agreement("q"), cross_agreement("half", "half")][:1])
    assert seen["cross_agreement"].tolist() == [None] * 5
    assert seen["cross_agreement/cause"].tolist()[4] == "q is missing"
    assert (
        observe(batch(said, [0, 0, 1, 1, 2], q=q), [cross_agreement("q", tie=1.0)])["cross_agreement"].tolist()[:4]
        == [1.0] * 4
    )


def test_two_verdicts():
    b = batch(
        ["a"] * 4, x=Column.of("trajectory", [1.0, 0.0, None, 0.5]), y=Column.of("trajectory", [1.0, 1.0, 1.0, 0.4])
    )
    seen = observe(b, [disagreement("x", "y"), disagreement("x", "y", "far", within=0.2)])
    assert seen["disagreement"].tolist() == [0.0, 1.0, None, 1.0] and seen["far"].tolist() == [0.0, 1.0, None, 0.0]
    wrong = observe(b.with_columns(z=Column.of("step", [1.0] * 4)), [disagreement("x", "z")])
    assert "same items" in wrong["disagreement/cause"].tolist()[0]


def test_equal_observers_are_equal():
    assert majority() == majority() and disagreement("x", "y") == disagreement("x", "y")
    assert cross_agreement("q") != cross_agreement("r")
