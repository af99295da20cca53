"""Texts put into plays: the right context, the right tokens, better reasoning more likely, and causes where none."""

import itertools
from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from guerdon.evidence import observe, unscored
from guerdon.evidence.likelihoods import (
    AfterMark,
    AtEnd,
    FollowUps,
    LeaveOneOut,
    MaskedChain,
    MeanProb,
    NextTurn,
    NoChain,
    NoPrompt,
    Own,
    Prod,
    Reference,
    Retold,
    Sampled,
    SumLog,
    Under,
    beliefs,
    ref_likelihood,
)
from guerdon.evidence.likelihoods.slots import Speech
from guerdon.policies import WholeHistory
from likely import DIGITS, FAILED, chatty, direct, fresh, played, taught, tokens, values, words

MARK = AfterMark("=")


# The right tokens in the right context.


def test_the_reference_stands_in_place_of_the_answer():
    policy = taught()
    batch = played(policy, ("3 3", [("ask", "so 3 = 4 5")]))
    context = [*policy.format.read("ask", True), *words(policy, "so 3 =")]
    expected = direct(policy, context, words(policy, "3 3"))
    seen = ref_likelihood(policy, slot=MARK, aggregate=SumLog()).observe(batch)
    np.testing.assert_allclose(seen["ref_likelihood"].values, expected.sum(), atol=1e-5)
    assert seen["ref_likelihood/tokens"].values == [2.0] and seen["ref_likelihood/slot"].values == [1.0]


def test_at_the_end_the_end_token_goes_and_a_probe_comes():
    policy = taught()
    batch = played(policy, ("3", [("ask", "so 3")]))
    context = [*policy.format.read("ask", True), *words(policy, "so 3 =")]
    found = values(ref_likelihood(policy, slot=AtEnd("="), aggregate=Prod()), batch)
    np.testing.assert_allclose(found, np.exp(direct(policy, context, words(policy, "3"))), atol=1e-5)


def test_an_action_without_the_mark_gets_it_and_says_so():
    policy = taught()
    with_mark, without = played(policy, ("3", [("ask", "so 3 = 1")]), ("3", [("ask", "so 3")])), None
    without = ref_likelihood(policy, slot=MARK).observe(with_mark)
    np.testing.assert_allclose(*without["ref_likelihood"].values, atol=1e-6)
    assert without["ref_likelihood/slot"].tolist() == [1.0, 0.0]


def test_in_whole_history_all_that_was_read_is_the_context():
    policy = fresh(context=WholeHistory())
    turns = [("ask", "hm 1"), ("ask", "so 3")]
    batch = played(policy, ("3", turns), whole=True)
    context = [*tokens(policy, *turns[0]), *tokens(policy, *turns[1])[:-1]]
    found = values(ref_likelihood(policy, aggregate=SumLog()), batch)
    np.testing.assert_allclose(found, direct(policy, context, words(policy, "3")).sum(), atol=1e-5)
    masked = ref_likelihood(policy, aggregate=SumLog(), baseline=MaskedChain()).observe(batch)
    unknown = policy.tokenizer.unk_token_id
    read = policy.format.read("ask", True)
    context = [*read, *[unknown] * 3, *read, *[unknown] * 2]
    expected = direct(policy, context, words(policy, "3")).sum()
    np.testing.assert_allclose(masked["ref_likelihood/baseline"].values, expected, atol=1e-5)


@pytest.mark.parametrize(
    ("baseline", "context", "under"),
    [
        (NoChain(), "ask <say> =", 0),
        (MaskedChain("hm"), "ask <say> hm hm =", 0),
        (NoPrompt(), "<say> so 3 =", 0),
        (NoChain(fresh(1)), "ask <say> =", 1),
        (Under(fresh(1)), "ask <say> so 3 =", 1),
    ],
)
def test_baselines_read_the_same_text_elsewhere(baseline, context, under):
    policy = taught()
    batch = played(policy, ("3", [("ask", "so 3 = 3")]))
    seen = ref_likelihood(policy, slot=MARK, baseline=baseline).observe(batch)
    base = np.exp(direct(baseline.policy if under else policy, words(policy, context), words(policy, "3"))).mean()
    np.testing.assert_allclose(seen["ref_likelihood/baseline"].values, base, atol=1e-5)
    given_, value = seen["ref_likelihood/likelihood"].values, seen["ref_likelihood"].values
    np.testing.assert_allclose(value, given_ - base, atol=1e-5)


@pytest.mark.parametrize(
    ("slot", "said", "before"),
    [
        (AfterMark("<answer>", "</answer>"), "so <answer>4</answer>", "so <answer>"),  # the mark ends inside a token
        (AfterMark("<answer>"), "hm", "hm<answer>"),
        (AtEnd("\nThe answer is"), "hm", "hm\nThe answer is"),
        (NextTurn(), "hm", "hm<|end|>\n<|start|>user\n"),
    ],
)
def test_with_a_chat_template_and_pieces_of_words_the_context_is_what_stands_there(slot, said, before):
    policy = chatty()
    batch = played(policy, ("4 5", [("what is it", said)]))
    seen = ref_likelihood(policy, slot=slot, text=Reference(lead=" "), aggregate=SumLog()).observe(batch)
    turns = Sampled().turns(batch, policy)[0]
    cut = slot.cut(turns[0].said, Speech(policy))
    context = [*turns[0].read, *turns[0].said[: cut.kept], *cut.added]
    assert policy.tokenizer.decode(context) == f"<|start|>user\nwhat is it<|end|>\n<|start|>assistant\n{before}"
    expected = direct(policy, context, words(policy, " 4 5")).sum()
    np.testing.assert_allclose(seen["ref_likelihood"].values, expected, atol=1e-4)


def test_own_words_are_those_between_mark_and_close():
    policy = taught()
    batch = played(policy, ("3", [("ask", "so 3 = 4 5 hm 1")]))
    observer = ref_likelihood(policy, slot=AfterMark("=", "hm"), text=Own(), aggregate=SumLog())
    expected = direct(policy, words(policy, "ask <say> so 3 ="), words(policy, "4 5")).sum()
    np.testing.assert_allclose(values(observer, batch), expected, atol=1e-5)


def test_follow_ups_are_good_less_bad_and_each_is_an_item():
    policy = taught()
    batch = played(policy, ("3", [("ask", "so 3")]))
    text = FollowUps(("thanks", "so thanks"), ("wrong",))
    seen = ref_likelihood(policy, text=text, aggregate=SumLog()).observe(batch)
    context = words(policy, "ask <say> so 3")
    one, two, bad = (direct(policy, context, words(policy, t)).sum() for t in ("thanks", "so thanks", "wrong"))
    np.testing.assert_allclose(seen["ref_likelihood"].values, (one + two) / 2 - bad, atol=1e-5)
    rows = seen.relations["ref_likelihood/items"].to_pylist()
    np.testing.assert_allclose([row["value"] for row in rows], [one, two, bad], atol=1e-5)


def test_told_anew_is_what_was_sampled_where_the_tokenizer_is_the_same():
    policy = taught()
    plays = [("3", [("ask", "hm 1"), ("ask", "so 3 = 2")]), ("1", [("ask", "so 2 = 1")])]
    batch = played(policy, *plays)
    text_only = replace(batch, columns={n: c for n, c in batch.columns.items() if c.level != "token"},
                        step_of_token=np.zeros(0, np.int64))  # fmt: skip
    for observer in (ref_likelihood(policy, slot=MARK), beliefs(policy, slot=MARK)):
        retold = values(replace(observer, source=Retold()), text_only)
        np.testing.assert_array_equal(retold, values(observer, batch))


# Laws.


@given(st.lists(st.tuples(st.sampled_from(DIGITS), st.lists(st.sampled_from(["so 3", "hm 1", "= 2"]), min_size=1,
       max_size=4)), min_size=1, max_size=4), st.booleans(), st.integers(0, 99))  # fmt: skip
@settings(max_examples=15)
def test_gains_telescope_and_the_order_of_plays_changes_nothing(made, whole, seed):
    policy = fresh()
    plays = [(reference, [("ask", said) for said in turns]) for reference, turns in made]
    observer = beliefs(policy, slot=AtEnd("="))
    batch = observer.observe(played(policy, *plays, whole=whole))
    gain, before, after = (batch[n].values for n in ("belief/gain", "belief", "next_belief"))
    begin = np.cumsum([0, *[len(turns) for _, turns in plays]])
    for a, b in itertools.pairwise(begin):
        np.testing.assert_allclose(gain[a:b].sum(), after[b - 1] - before[a], atol=1e-12)
        assert (after[a : b - 1] == before[a + 1 : b]).all()
    order = np.random.default_rng(seed).permutation(len(plays))
    moved = observer.observe(played(policy, *[plays[i] for i in order], whole=whole))
    np.testing.assert_array_equal(
        moved["belief"].values, np.concatenate([before[begin[i] : begin[i + 1]] for i in order])
    )


def test_sharing_changes_nothing_but_the_cost():
    policy = taught()
    plays = [(d, [("ask", "hm 1"), ("ask", f"so {d} = 2")]) for d in DIGITS]
    for observer in (beliefs(policy, slot=MARK), ref_likelihood(policy, slot=MARK, baseline=MaskedChain())):
        alone = replace(observer, scorer=replace(observer.scorer, share=False))
        batch = played(policy, *plays)
        np.testing.assert_allclose(values(observer, batch), values(alone, batch), atol=1e-5)


def test_the_mean_of_the_probability_over_answers_is_one():
    policy = taught()
    batch = played(policy, *[(w, [("ask", "so 3 = 1")]) for w in policy.tokenizer.get_vocab()])
    np.testing.assert_allclose(values(ref_likelihood(policy, slot=MARK, aggregate=Prod()), batch).sum(), 1, atol=1e-5)


# Better reasoning is more likely to end in the reference.


@pytest.mark.parametrize("aggregate", [MeanProb(), Prod(), SumLog(), LeaveOneOut()])
def test_reasoning_that_says_the_answer_beats_a_guess_and_a_guess_beats_a_wrong_one(aggregate):
    policy = taught()
    batch = played(policy, *[("3", [("ask", said)]) for said in ("so 3 = 0", "hm 3 = 0", "so 1 = 3")])
    right, guess, wrong = values(ref_likelihood(policy, slot=MARK, aggregate=aggregate), batch)
    assert right > guess > wrong


def test_the_step_that_found_the_answer_has_the_gain():
    policy = taught()
    batch = played(policy, ("3", [("ask", "hm 1"), ("ask", "hm 4"), ("ask", "so 3")]))
    gain = beliefs(policy, slot=AtEnd("=")).observe(batch)["belief/gain"].values
    assert gain[2] > 0.5 and np.abs(gain[:2]).max() < 0.2


# Unscored, with a cause.


def test_what_cannot_be_read_has_a_cause_and_its_neighbours_a_score():
    policy = taught()
    long = " ".join(["hm"] * 80)
    batch = played(
        policy, ("3", [("ask", "so 3")]), (None, [("ask", "so 3")]), ("3", [("ask", "so 3")], FAILED),
        ("3", []), ("", [("ask", "so 3")]), ("3", [("ask", long)]),
    )  # fmt: skip
    causes = [
        None, "reference is missing", "the play failed: the environment hung",
        "the play has no step, so there is nothing to put a text after", "the text to be scored has no tokens",
        "the context and the text have 83 tokens and the model reads 64",
    ]  # fmt: skip
    seen = ref_likelihood(policy).observe(batch)
    assert seen["ref_likelihood/cause"].tolist() == causes
    assert seen["ref_likelihood"].valid.tolist() == [True] + [False] * 5
    seen = observe(batch, [beliefs(policy)])
    assert [c for c in causes[:3] if c] == [c for c in seen["belief/cause"].tolist()[:3] if c]
    assert seen["next_belief"].valid.tolist() == [True, False, False, False, False]
    assert seen["belief"].valid.tolist()[-1]  # before the long action there is nothing long


def test_an_empty_answer_of_ones_own_has_no_likelihood():
    batch = played(taught(), ("3", [("ask", "so 3")]))
    seen = observe(batch, [ref_likelihood(taught(), slot=MARK, text=Own())])
    assert unscored(seen, "ref_likelihood") == {"the text to be scored has no tokens": 1}


def test_left_out_of_a_group_of_one_nothing_is_left():
    batch = played(taught(), ("3", [("ask", "so 3")]))
    seen = observe(batch, [ref_likelihood(taught(), aggregate=LeaveOneOut())])
    assert unscored(seen, "ref_likelihood") == {"the group has no other play whose likelihood is known": 1}


def test_weights_that_are_not_finite_are_no_score():
    policy = fresh()
    with torch.no_grad():
        policy.model.lm_head.weight[:] = np.nan
    batch = played(policy, ("3", [("ask", "so 3")]))
    seen = observe(batch, [ref_likelihood(policy), beliefs(policy)])
    assert unscored(seen, "ref_likelihood") == {"the model's log-probabilities are not finite": 1}
    assert unscored(seen, "belief") == {"the model's log-probabilities are not finite": 1}


def test_a_failed_play_does_not_count_in_its_group():
    policy = taught()
    plays = [("3", [("ask", "so 3")]), ("3", [("ask", "hm 1")])]
    observer = ref_likelihood(policy, aggregate=LeaveOneOut(), slot=AtEnd("="))
    alone = values(observer, played(policy, *plays))
    more = values(observer, played(policy, *plays, ("3", [("ask", "so 3")], FAILED)))
    np.testing.assert_allclose(more[:2], alone, atol=1e-9)


def test_a_batch_without_tokens_says_what_it_lacks():
    policy = taught()
    batch = played(policy, ("3", [("ask", "so 3")]))
    bare = replace(batch, columns={n: c for n, c in batch.columns.items() if c.level != "token"},
                   step_of_token=np.zeros(0, np.int64))  # fmt: skip
    seen = observe(bare, [ref_likelihood(policy)])
    assert "token_id" in seen["ref_likelihood/cause"].tolist()[0]


# Read again when the weights have moved.


def test_the_version_follows_the_weights():
    policy = fresh()
    batch = played(policy, ("3", [("ask", "so 3")]))
    observer = ref_likelihood(policy, text=Reference())
    one = observe(batch, [observer])
    assert observe(one, [observer])["ref_likelihood"] is one["ref_likelihood"]
    with torch.no_grad():
        policy.model.lm_head.weight[:] *= 1.5
    two = observe(one, [observer])
    assert two["ref_likelihood"].values != one["ref_likelihood"].values
