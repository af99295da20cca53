"""Where a text is put: what stays of an action, what is written after it, and which words were the action's own."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from guerdon.evidence.likelihoods import AfterMark, AtEnd, NextTurn
from guerdon.evidence.likelihoods.slots import Speech
from likely import chatty, fresh, words

PIECES = st.lists(
    st.sampled_from(
        ["<answer>", "</answer>", "<ans", "wer>", "4", " 5", "é", "🙂", " so", ">", "\n", "The answer is "]
    ),
    max_size=8,
).map("".join)


def said(policy, text):
    return np.array(policy.format.say(text))


def parts(slot, policy, text):
    """The text before the slot, the text of the action's own words there, and whether the mark was found."""
    speech, ids = Speech(policy), said(policy, text)
    cut = slot.cut(ids, speech)
    return speech.decode([*ids[: cut.kept], *cut.added]), speech.decode(ids[slice(*cut.own)]), cut.found


# Laws.


@given(PIECES)
def test_what_stands_before_the_slot_is_the_text_up_to_the_end_of_the_last_mark(text):
    before, _, found = parts(AfterMark("<answer>"), chatty(), text)
    at = text.rfind("<answer>")
    assert found == (at >= 0)
    assert before == (text[:at] if found else text) + "<answer>"


@given(PIECES)
def test_the_own_words_are_all_between_mark_and_close_and_at_most_a_token_more_at_either_end(text):
    policy = chatty()
    _, own, found = parts(AfterMark("<answer>", "</answer>"), policy, text)
    inside = text[text.rfind("<answer>") + len("<answer>") :].split("</answer>")[0] if found else ""
    longest = max(len(policy.tokenizer.decode(i)) for i in range(len(policy.tokenizer)))
    assert bool(own) == bool(inside.strip())
    assert inside.rstrip() in own
    assert len(own) < len(inside) + 2 * longest


@given(PIECES, st.sampled_from(["", "\nThe answer is ", "é"]))
def test_at_the_end_nothing_goes_but_what_ended_it(text, probe):
    before, own, found = parts(AtEnd(probe), chatty(), text)
    assert (before, own, found) == (text + probe, text, True)


@given(PIECES)
def test_where_there_was_no_reasoning_the_slot_has_its_own_words_alone(text):
    policy = chatty()
    nothing, speech = np.zeros(0, np.int64), Speech(policy)
    for slot, left in ((AfterMark("<answer>"), "<answer>"), (AtEnd("so"), "so"), (AtEnd(), "")):
        cut = slot.cut(nothing, speech)
        assert (cut.kept, cut.own, speech.decode(cut.added)) == (0, (0, 0), left)


# Worked examples.


def test_the_last_mark_counts_and_what_follows_it_is_the_own_answer():
    before, own, found = parts(AfterMark("=", "hm"), fresh(), "so 1 = 2 so = 4 5 hm 1")
    assert (before, own, found) == ("so 1 = 2 so =", "4 5", True)


def test_a_mark_that_ends_inside_a_token_is_written_anew():
    policy = chatty()
    ids, speech = said(policy, "so <answer>4</answer>"), Speech(policy)
    assert any(">4" in policy.tokenizer.decode(i) for i in ids.tolist())  # the token goes over the end of the mark
    cut = AfterMark("<answer>", "</answer>").cut(ids, speech)
    assert len(speech.decode(ids[: cut.kept])) < len("so <answer>")
    assert speech.decode([*ids[: cut.kept], *cut.added]) == "so <answer>"


def test_an_action_that_was_cut_off_has_no_end_to_lose():
    policy = fresh()
    speech, whole = Speech(policy), said(policy, "so 3")
    assert AtEnd().cut(whole, speech).kept == AtEnd().cut(whole[:-1], speech).kept == 2
    ended = NextTurn().cut(whole[:-1], speech)
    assert [*whole[: ended.kept], *ended.added] == whole.tolist()


@pytest.mark.parametrize("reply", ["thanks", "no , wrong", "4"])
def test_the_next_turn_begins_as_the_chat_template_writes_it(reply):
    policy = chatty()
    speech, ids = Speech(policy), said(policy, "so 4")
    cut = NextTurn().cut(ids, speech)
    before = [*policy.format.read("what is it", True), *ids[: cut.kept], *cut.added]
    roles = ("user", "what is it"), ("assistant", "so 4"), ("user", reply)
    whole = policy.tokenizer.apply_chat_template([{"role": r, "content": c} for r, c in roles], tokenize=False)
    assert policy.tokenizer.decode([*before, *words(policy, reply)]) == whole.removesuffix("<|end|>\n")


def test_in_a_plain_format_the_next_turn_has_no_heading_also_where_words_are_unknown():
    policy = fresh()
    assert words(policy, "a") == [policy.tokenizer.unk_token_id]
    assert Speech(policy).heading.tolist() == []
    assert Speech(policy).opening.tolist() == words(policy, "<say>")
    assert Speech(policy).end.tolist() == words(policy, "<end>")
