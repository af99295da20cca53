"""Overlap of words: laws against definitions and brute force, worked numbers, attacks."""

import time
from collections import Counter
from functools import cache

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from guerdon.batch import Batch, Column
from guerdon.errors import ShapeError
from guerdon.evidence import observe
from guerdon.evidence.texts import (
    RougeL,
    RougeN,
    f1_match,
    f_beta,
    lcs_length,
    overlap,
    rouge,
    rouge_l,
    rouge_n,
    squad_words,
    token_f1,
)

WORDS = st.lists(st.sampled_from("abc"), max_size=9)
SHARE = st.floats(0, 1)

# Laws.


@given(WORDS, WORDS)
def test_f1_agrees_with_its_definition(said, wanted):
    shared = sum(min(Counter(said)[w], Counter(wanted)[w]) for w in set(said))
    found = token_f1(said, wanted)
    assert found.precision * len(said) == pytest.approx(shared)
    assert found.recall * len(wanted) == pytest.approx(shared)
    assert found.f == pytest.approx(2 * shared / max(len(said) + len(wanted), 1))


@pytest.mark.parametrize("measure", [token_f1, rouge_l, lambda a, b: rouge_n(a, b, 2)])
@given(a=WORDS, b=WORDS)
def test_f_is_symmetric_between_nothing_and_one_and_one_for_itself(measure, a, b):
    assert measure(a, b).f == pytest.approx(measure(b, a).f)
    assert measure(a, b).precision == measure(b, a).recall
    assert 0 <= measure(a, b).f <= 1
    assert measure(a, a).f == pytest.approx(float(len(a) > 1)) or len(a) == 1


@given(WORDS, st.randoms())
def test_order_does_not_matter_to_bags(words, random):
    mixed = words[:]
    random.shuffle(mixed)
    assert token_f1(mixed, words).f == pytest.approx(float(bool(words)))


@given(WORDS, WORDS)
def test_lcs_agrees_with_brute_force(a, b):
    @cache
    def slow(i, j):
        if not i or not j:
            return 0
        return slow(i - 1, j - 1) + 1 if a[i - 1] == b[j - 1] else max(slow(i - 1, j), slow(i, j - 1))

    assert lcs_length(a, b) == slow(len(a), len(b))


@given(st.integers(0, 2**32 - 1))
def test_lcs_agrees_with_the_table_over_more_than_one_machine_word(seed):
    rng = np.random.default_rng(seed)
    a, b = rng.integers(0, 4, rng.integers(60, 200)), rng.integers(0, 4, rng.integers(60, 200))
    row = np.zeros(len(b) + 1, int)
    for x in a:
        row[1:] = np.maximum.accumulate(np.maximum(row[1:], row[:-1] + (b == x)))
    assert lcs_length(a.tolist(), b.tolist()) == row[-1]


@given(WORDS, WORDS)
def test_what_has_an_order_is_at_most_what_has_none(a, b):
    assert lcs_length(a, b) <= sum((Counter(a) & Counter(b)).values())
    assert rouge_l(a, b).f <= token_f1(a, b).f + 1e-12
    assert rouge_n(a, b, 1) == token_f1(a, b)


@given(SHARE, SHARE, st.floats(0.1, 10))
def test_f_lies_between_precision_and_recall(p, r, beta):
    assert min(p, r) - 1e-9 <= f_beta(p, r, beta) <= max(p, r) + 1e-9 or min(p, r) == 0 == f_beta(p, r, beta)
    assert f_beta(p, r, beta) == pytest.approx(f_beta(r, p, 1 / beta))


# Worked numbers.


def test_rouge_by_hand():
    said, wanted = ["the", "cat", "was", "found", "under", "the", "bed"], ["the", "cat", "was", "under", "the", "bed"]
    assert rouge_n(said, wanted, 1)[:2] == (6 / 7, 1.0)
    assert rouge_n(said, wanted, 2)[:2] == (4 / 6, 4 / 5)
    assert rouge_l(said, wanted)[:2] == (6 / 7, 1.0)
    assert overlap(0, 0, 3) == (0.0, 0.0, 0.0)


def seen(observer, said, reference):
    batch = Batch.from_steps(group=[0], trajectory=[0], reward=[0.0], action=[said])
    return observe(batch.with_columns(reference=Column.of("trajectory", [reference])), [observer])


def test_accept_part_reject_unscored():
    assert seen(f1_match(), "Red house", "red  house!")["f1"].tolist() == [1.0]
    assert seen(f1_match(), "red", "red house")["f1"].tolist() == [pytest.approx(2 / 3)]
    assert seen(f1_match(), "blue", "red house")["f1"].tolist() == [0.0]
    assert seen(f1_match(), "", "red house")["f1"].tolist() == [0.0]
    assert seen(f1_match(), "blue", None)["f1"].tolist() == [None]
    assert seen(f1_match(words=squad_words), "the red house", "a red house")["f1"].tolist() == [1.0]


def test_facts_and_which_reference():
    batch = seen(rouge(measure=RougeN(1)), "a b c d", '["x", "a b"]')
    assert batch["rouge/precision"].tolist() == [0.5]
    assert batch["rouge/recall"].tolist() == [1.0]
    assert batch["rouge/reference"].tolist() == [1.0]


def test_a_short_reference_is_compared_by_its_own_length():
    assert seen(rouge(measure=RougeN(3)), "go north", "north")["rouge"].tolist() == [pytest.approx(2 / 3)]


def test_n_of_nothing_is_refused():
    with pytest.raises(ShapeError, match="n is 0"):
        rouge_n(["a"], ["a"], 0)


# Attacks.


def test_many_words_end_soon():
    start = time.perf_counter()
    assert rouge_l([0] * 50_000, [0] * 50_000).f == 1.0
    assert time.perf_counter() - start < 5


def test_too_many_pairs_score_nothing_and_say_so():
    value, facts = RougeL()(["a"] * 100_000, ["a"] * 100_000)
    assert value == 0.0 and "pairs" in facts["why"]
