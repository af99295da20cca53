"""Several votes and one verdict."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from guerdon.evidence.judges.votes import AllSay, Average, Highest, Lowest, Middle, MostSay, Poll, Say, Votes

SAYS = [MostSay(), MostSay(tie=0.0), AllSay(), AllSay(0.0), Lowest(), Highest(), Average(), Middle()]
binary = st.lists(st.sampled_from([0.0, 1.0]), min_size=1, max_size=9)


@given(binary, st.permutations(range(9)))
@pytest.mark.parametrize("say", SAYS, ids=repr)
def test_the_order_of_votes_does_not_matter_and_one_vote_is_the_verdict(say, votes, order):
    shuffled = [votes[i] for i in order if i < len(votes)]
    assert say(shuffled) == say(votes) and say(votes[:1]) == votes[0] and isinstance(say, Say)


@given(binary)
def test_intersection_and_union_are_the_ends(votes):
    assert Lowest()(votes) == float(all(votes)) and Highest()(votes) == float(any(votes))
    assert Lowest()(votes) <= Average()(votes) <= Highest()(votes)


def test_a_tie_is_not_settled_unless_told_how():
    assert MostSay()([1.0, 0.0]) is None and MostSay(tie=1.0)([1.0, 0.0]) == 1.0


def test_too_few_votes_are_no_score():
    poll = Poll((1.0,), ("cut off", "cut off"), {"calls": 3})
    verdict = Votes(3).settle(poll, [1.0], 0.0, 1.0)
    assert verdict.cause == "1 of 3 votes came and 2 are needed: cut off (2 times)"
    assert verdict.facts["calls"] == 3
    assert Votes(3, least=1).settle(poll, [1.0], 0.0, 1.0).value == 1.0


def test_a_lost_vote_does_not_vote():
    verdict = Votes(3).settle(Poll((1.0, 1.0), ("cut off",)), [1.0, 1.0], 0.0, 1.0)
    assert verdict.value == 1.0 and verdict.facts == {"votes": 2, "agreement": 1.0}


def test_disagreement_is_said():
    assert Votes(2).settle(Poll((1.0, 0.0)), [1.0, 0.0], 0.0, 1.0).cause == "the votes do not agree: 1, 0"


def test_no_votes_at_all_are_never_enough():
    assert not Votes(3, least=0).settle(Poll(()), [], 0.0, 1.0).scored
