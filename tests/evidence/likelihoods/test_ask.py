"""Texts asked of models: what cannot be read, what is compared with what, facts that add up, versions that differ."""

from dataclasses import dataclass, replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from guerdon.evidence.likelihoods import (
    AfterMark,
    AtEnd,
    FollowUps,
    Geometric,
    LeaveOneOut,
    LogMeanExp,
    MaskedChain,
    MeanLog,
    MeanProb,
    NoChain,
    Prod,
    Rests,
    SpreadWeighted,
    SumLog,
    Under,
    beliefs,
    ref_likelihood,
)
from guerdon.evidence.likelihoods.ask import Scorer, bounds, unfit, version_of
from guerdon.evidence.likelihoods.texts import REFERENCE
from likely import direct, fresh, played, taught, values, words

AGGREGATES = (Prod(), SumLog(), MeanLog(), MeanProb(), Geometric(), LogMeanExp(), LeaveOneOut(), SpreadWeighted())
SAID = st.sampled_from(["so 3", "hm 1", "so 1 = 2", "hm", "so 3 ="])


# Laws.


@given(
    st.lists(st.tuples(st.sampled_from(["3", "1 2", "thanks"]), SAID), min_size=1, max_size=5),
    st.sampled_from(AGGREGATES),
    st.sampled_from([None, NoChain(), MaskedChain(), Under(fresh(1))]),
    st.sampled_from([
        REFERENCE, FollowUps(("thanks",), ("wrong", "hm 1")), FollowUps((), ("hm",)), Rests("reference", 2),
    ]),
)  # fmt: skip
@settings(max_examples=25)
def test_scores_are_in_the_declared_range_and_the_facts_add_up(plays, aggregate, baseline, text):
    observer = ref_likelihood(taught(), aggregate=aggregate, baseline=baseline, text=text)
    seen = observer.observe(played(taught(), *[(reference, [("ask", said)]) for reference, said in plays]))
    value = seen["ref_likelihood"]
    assert ((value.values >= observer.low) & (value.values <= observer.high))[value.valid].all()
    assert value.valid.all() or isinstance(aggregate, LeaveOneOut)
    if baseline and value.valid.any() and not isinstance(text, Rests):  # the best rest is not that of either alone
        given_, bare = (seen[f"ref_likelihood/{name}"].values for name in ("likelihood", "baseline"))
        np.testing.assert_allclose((given_ - bare)[value.valid], value.values[value.valid], atol=1e-9)


# Worked examples.


def test_only_equal_texts_of_one_group_are_compared():
    policy = taught()
    batch = played(policy, ("3", [("ask", "so 3")]), ("3", [("ask", "hm 1")]), ("1", [("ask", "so 3")]))
    found = values(ref_likelihood(policy, slot=AtEnd("="), aggregate=LeaveOneOut()), batch)
    one, two = (direct(policy, f"ask <say> {said} =", "3").sum() for said in ("so 3", "hm 1"))
    both = np.logaddexp(one, two) - np.log(2)
    np.testing.assert_allclose(found[:2], [both - two, both - one], atol=1e-5)
    assert np.isnan(found[2])


def test_the_items_of_several_texts_hold_what_each_of_them_was_worth():
    policy = taught()
    text = FollowUps(("thanks",), ("wrong",))
    observer = ref_likelihood(policy, text=text, aggregate=SumLog(), baseline=NoChain())
    rows = observer.observe(played(policy, ("3", [("ask", "so 3")]))).relations["ref_likelihood/items"].to_pylist()
    for row, reply in zip(rows, ("thanks", "wrong"), strict=True):
        given_, bare = (direct(policy, c, reply).sum() for c in ("ask <say> so 3", "ask <say>"))
        np.testing.assert_allclose((row["likelihood"], row["baseline"]), (given_, bare), atol=1e-5)
        assert row["value"] == pytest.approx(row["likelihood"] - row["baseline"])


def test_answers_stand_in_the_order_of_the_questions_and_each_is_a_full_pass_or_a_cause():
    policy = taught()
    context, text = np.array(words(policy, "ask <say> so")), np.array(words(policy, "3 = 3"))
    nothing, long = np.zeros(0, np.int64), np.tile(text, 21)
    found = Scorer(policy).ask([(context, text), (context, nothing), (context, long), (nothing, text), (context, text)])
    np.testing.assert_allclose(found[0], direct(policy, context, text), atol=1e-5)
    assert (found[4] == found[0]).all()
    assert found[1:4] == [
        "the text to be scored has no tokens",
        "the context and the text have 66 tokens and the model reads 64",
        "nothing stands before the text, so its first token has no probability",
    ]


def test_a_text_that_just_fits_is_read():
    policy = taught()
    context, text = np.array(words(policy, "ask <say> so")), np.array(words(policy, "3"))
    full = np.tile(text, 61)
    np.testing.assert_allclose(Scorer(policy).ask([(context, full)])[0], direct(policy, context, full), atol=1e-4)
    assert unfit(context, np.tile(text, 62), 64) and unfit(context, full, 64) is None


def test_a_baseline_under_another_model_is_as_long_as_that_model_reads():
    policy, short = taught(), fresh(1)
    short.longest = 5
    batch = played(policy, ("3", [("ask", "so 3")]), ("3", [("ask", "so 3 hm 3")]))
    seen = ref_likelihood(policy, baseline=Under(short)).observe(batch)
    assert seen["ref_likelihood/cause"].tolist() == [
        None,
        "the context and the text have 7 tokens and the model reads 5",
    ]


@dataclass(frozen=True)
class Infinite:
    low: float = -np.inf
    high: float = np.inf

    def __call__(self, logprob, tokens):
        return np.full(len(tokens.group), -np.inf)


def test_a_number_that_is_not_finite_is_no_score():
    seen = ref_likelihood(taught(), aggregate=Infinite()).observe(played(taught(), ("3", [("ask", "so 3")])))
    assert seen["ref_likelihood/cause"].tolist() == ["the likelihood is not finite"]


@pytest.mark.parametrize(
    ("aggregate", "baseline", "text", "expected"),
    [
        (Prod(), None, REFERENCE, (0.0, 1.0)),
        (Prod(), NoChain(), REFERENCE, (-1.0, 1.0)),
        (SumLog(), None, REFERENCE, (-np.inf, 0.0)),
        (SumLog(), NoChain(), REFERENCE, (-np.inf, np.inf)),
        (MeanProb(), NoChain(), FollowUps(("a",), ("b",)), (-2.0, 2.0)),
        (MeanLog(), None, FollowUps(("a",), ("b",)), (-np.inf, np.inf)),
    ],
)
def test_ranges(aggregate, baseline, text, expected):
    assert bounds(aggregate, baseline, text) == expected


# Versions.


def test_two_observers_of_one_name_have_two_versions():
    policy = fresh()
    made = [
        beliefs(policy), beliefs(policy, aggregate=Prod()), beliefs(policy, slot=AtEnd("=")), beliefs(fresh(1)),
        beliefs(policy, slot=AfterMark("=")), beliefs(policy, temperature=0.5),
        ref_likelihood(policy), ref_likelihood(policy, baseline=NoChain()),
        ref_likelihood(policy, baseline=NoChain(policy)), ref_likelihood(policy, baseline=NoChain(fresh(1))),
    ]  # fmt: skip
    assert len({observer.version for observer in made}) == len(made)
    assert beliefs(fresh()).version == made[0].version  # of equal weights
    faster = replace(made[0], scorer=replace(made[0].scorer, share=False, most=10))
    assert faster.version == made[0].version


def test_a_version_counts_no_model_that_is_not_asked():
    policy = fresh()
    assert version_of((), policy, None) == version_of((), policy) != version_of((1,), policy)
