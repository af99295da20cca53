"""Texts and baselines: which tokens are asked for, how several make one number, and what is read instead."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from guerdon.evidence.likelihoods import (
    AfterMark,
    AtEnd,
    BesideOwn,
    FollowUps,
    MaskedChain,
    NoChain,
    NoPrompt,
    Own,
    Reference,
    Rests,
    Sampled,
    Under,
    diversity_bonus,
)
from guerdon.evidence.likelihoods.slots import Speech
from guerdon.evidence.likelihoods.texts import places, written
from guerdon.policies import WholeHistory
from likely import chatty, fresh, played, words

PROBABILITIES = st.lists(st.floats(0.0, 1.0), min_size=1, max_size=6).map(np.array)


def put(text, reference, policy, turns, slot):
    """A text's places after the last turn of a play."""
    batch = played(policy, ("", turns), whole=isinstance(policy.context, WholeHistory))
    (play,) = Sampled().turns(batch, policy)
    speech = Speech(policy)
    bare = slot.cut(np.zeros(0, np.int64), speech).added
    return places(text, (reference,), play[-1], play[0], slot.cut(play[-1].said, speech), bare, speech)


def said(policy, ids):
    return policy.tokenizer.decode(ids)


# Laws of how several numbers become one.


@given(PROBABILITIES, PROBABILITIES)
def test_follow_ups_are_a_difference_of_means_within_its_range(good, bad):
    text = FollowUps(("a",) * len(good), ("b",) * len(bad))
    found = text.combined(np.concatenate((good, bad)))
    assert found == pytest.approx(good.mean() - bad.mean())
    assert text.range(0.0, 1.0) == (-1.0, 1.0)
    assert -1.0 <= found <= 1.0
    swapped = FollowUps(text.bad, text.good).combined(np.concatenate((bad, good)))
    assert swapped == pytest.approx(-found)


@given(PROBABILITIES)
def test_one_side_alone_counts_by_itself(numbers):
    texts = ("a",) * len(numbers)
    assert FollowUps(texts).combined(numbers) == pytest.approx(numbers.mean())
    assert FollowUps((), texts).combined(numbers) == pytest.approx(-numbers.mean())
    assert (FollowUps(texts).range(0.0, 1.0), FollowUps((), texts).range(0.0, 1.0)) == ((0.0, 1.0), (-1.0, 0.0))


@given(st.integers(1, 40), st.integers(1, 12))
def test_rests_are_the_ends_of_the_solution_from_equal_pieces(length, parts):
    policy = fresh()
    made = put(Rests(parts=parts), " ".join(["so"] * (length - 1) + ["3"]), policy, [("ask", "hm")], AtEnd())
    lengths = [len(p.text) for p in made]
    assert len(made) == min(parts, length) and lengths[0] == length and sorted(set(lengths), reverse=True) == lengths
    pieces = -np.diff([*lengths, 0])
    assert pieces.max() - pieces.min() <= 1
    assert all(said(policy, p.text).endswith("3") for p in made)


@given(st.floats(0.0, 1.0), st.floats(0.0, 1.0), st.floats(0.0, 2.0), st.floats(0.5, 20.0))
def test_beside_its_own_answer_a_reference_is_worth_the_bonus_more_and_alone_nothing_more(one, other, beta, gamma):
    text = BesideOwn(alpha=0.5, beta=beta, gamma=gamma)
    both = text.combined(np.array([one, other]))
    assert both == diversity_bonus(np.array([one]), np.array([other]), 0.5, beta, gamma)[0]
    assert text.combined(np.array([one])) == 0.5 * one
    low, high = text.range(0.0, 1.0)
    assert low <= 0.5 * one <= both <= high


# Worked examples.


def test_lead_and_close_are_scored_with_the_reference():
    policy = chatty()
    (one,) = put(Reference(lead=" ", close="</answer>"), "4", policy, [("q", "so")], AtEnd())
    assert said(policy, one.text) == " 4</answer>"
    assert one.context.tolist() == [*policy.format.read("q", True), *words(policy, "so")]


def test_own_words_are_read_by_the_tokens_that_were_sampled():
    policy = chatty()
    slot = AfterMark("<answer>", "</answer>")
    (one,) = put(Own(), None, policy, [("q", "so <answer>4 5</answer>")], slot)
    sampled = words(policy, "so <answer>4 5</answer>")
    begin = len(one.context) - len(policy.format.read("q", True))
    assert one.text.tolist() == sampled[begin : begin + len(one.text)]
    assert "4 5" in said(policy, one.text)  # one token has all of it, and of the marks


def test_beside_its_own_words_stand_the_reference_and_they():
    policy = fresh()
    made = put(BesideOwn(), "3", policy, [("ask", "so = 4 5")], AfterMark("="))
    assert [said(policy, p.text) for p in made] == ["3", "4 5"]
    assert len(put(BesideOwn(), "3", policy, [("ask", "so")], AfterMark("="))) == 1  # it said none


def test_all_follow_ups_stand_at_one_place():
    policy = fresh()
    made = put(FollowUps(("thanks", "so thanks"), ("wrong",)), None, policy, [("ask", "so 3")], AtEnd())
    assert {tuple(p.context) for p in made} == {tuple(words(policy, "ask <say> so 3"))}
    assert [said(policy, p.text) for p in made] == ["thanks", "so thanks", "wrong"]


def test_a_masked_chain_keeps_the_mark_that_the_action_wrote():
    policy = fresh()
    for said_, masked in (("so 3 = 4", "<unk> <unk> ="), ("so 3", "<unk> <unk> ="), ("= 4", "=")):
        (one,) = put(Reference(), "3", policy, [("ask", said_)], AfterMark("="))
        assert said(policy, MaskedChain().context(one)) == f"ask <say> {masked}"
    (own,) = put(Own(), None, policy, [("ask", "so 3 = 4")], AfterMark("="))
    assert said(policy, MaskedChain().context(own)) == "ask <say> <unk> <unk> ="
    (own,) = put(Own(), None, policy, [("ask", "so 3")], AtEnd())
    assert said(policy, MaskedChain().context(own)) == "ask <say>"


@pytest.mark.parametrize(
    ("baseline", "context"),
    [
        (NoChain(), "ask <say> ="),
        (MaskedChain(), "ask <say> <unk> <unk> <unk> so <say> <unk> <unk> ="),
        (MaskedChain("hm"), "ask <say> hm hm hm so <say> hm hm ="),
        (NoPrompt(), "<say> so 3 ="),
        (Under(fresh(1)), "ask <say> hm 1 <end> so <say> so 3 ="),
    ],
)
def test_what_baselines_read_in_a_whole_history(baseline, context):
    policy = fresh(context=WholeHistory())
    (one,) = put(Reference(), "3", policy, [("ask", "hm 1"), ("so", "so 3")], AtEnd("="))
    assert said(policy, baseline.context(one)) == context


def test_without_mask_and_unknown_token_the_padding_stands_for_masked_words():
    policy = chatty()
    assert policy.tokenizer.unk_token_id is None and policy.tokenizer.mask_token_id is None
    (one,) = put(Reference(), "3", policy, [("q", "so")], AtEnd())
    assert said(policy, MaskedChain().context(one)).endswith("assistant\n" + "<|pad|>" * len(words(policy, "so")))


def test_a_baseline_is_named_without_its_weights():
    assert repr(NoChain(fresh())) == "NoChain()" and repr(Under(fresh())) == "Under()"
    assert repr(MaskedChain("hm", fresh())) == "MaskedChain(token='hm')"


# Nothing to be scored.


@pytest.mark.parametrize("blank", ["", " ", "\n\t "])
@pytest.mark.parametrize("text", [Reference(lead=" ", close="</answer>"), Rests(lead="so "), BesideOwn()])
def test_a_blank_reference_has_no_tokens_whatever_stands_around_it(text, blank):
    made = put(text, blank, chatty(), [("q", "so")], AtEnd())
    assert len(made[0].text) == 0


def test_a_number_is_written_as_it_prints():
    policy = fresh()
    assert written(3, Speech(policy)).tolist() == words(policy, "3")
