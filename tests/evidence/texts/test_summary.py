"""ROUGE-Lsum: agrees with the definition by tables, cases by hand, and answers that are too long."""

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from guerdon.batch import Batch, Column
from guerdon.evidence.texts import lcs_length, lcs_places, rouge_l, rouge_lsum, rouge_sum

line = st.lists(st.sampled_from("abc"), min_size=1, max_size=7)
lines = st.lists(line, min_size=1, max_size=4)


def by_table(a, b):
    """The places in a of a longest common subsequence, from the whole table, back from the end."""
    t = [[0] * (len(b) + 1) for _ in range(len(a) + 1)]
    for i, x in enumerate(a, 1):
        for j, y in enumerate(b, 1):
            t[i][j] = t[i - 1][j - 1] + 1 if x == y else max(t[i - 1][j], t[i][j - 1])
    out, i, j = [], len(a), len(b)
    while i and j:
        if a[i - 1] == b[j - 1]:
            out.append(i - 1)
            i, j = i - 1, j - 1
        elif t[i][j - 1] > t[i - 1][j]:
            j -= 1
        else:
            i -= 1
    return out


@given(line, line)
def test_places_are_those_of_the_table_and_a_common_subsequence(a, b):
    places = lcs_places(a, b)
    assert places == by_table(a, b) and len(places) == lcs_length(a, b)
    rest = iter(b)
    assert all(a[i] in rest for i in places[::-1])


@given(lines, lines)
def test_it_agrees_with_its_definition(said, wanted):
    left, right = (Counter(w for one in x for w in one) for x in (said, wanted))
    hits = 0
    for one in wanted:
        for i in sorted({i for other in said for i in by_table(one, other)}):
            if left[one[i]] and right[one[i]]:
                hits, left[one[i]], right[one[i]] = hits + 1, left[one[i]] - 1, right[one[i]] - 1
    found = rouge_lsum(said, wanted)
    assert found.precision == hits / sum(map(len, said)) and found.recall == hits / sum(map(len, wanted))


@given(line, line)
def test_of_one_sentence_it_is_rouge_l(a, b):
    assert rouge_lsum([a], [b]) == rouge_l(a, b)


@given(lines, st.randoms())
def test_the_order_of_sentences_does_not_matter_and_a_text_has_all_of_itself(text, random):
    other = random.sample(text, len(text))
    assert rouge_lsum(other, text).f == rouge_lsum(text, text).f == 1.0


def test_by_hand():
    """Lin 2004, 3.2: w1 .. w5 against w1 w2 w6 w7 w8 and w1 w3 w8 w9 w5 has a union of four."""
    found = rouge_lsum([list("12678"), list("13895")], [list("12345")])
    assert found.recall == pytest.approx(4 / 5)


def test_accept_part_reject_unscored():
    grade = rouge_sum().grade
    assert grade("It sat.\nA cat.", "a cat\n\nit sat").value == 1.0
    assert 0 < grade("a dog\nit sat", "a cat\nit sat").value < 1
    assert grade("nothing of it", "a cat").value == grade("", "a cat").value == grade("\n \n", "a cat").value == 0.0
    assert grade("a cat", "").value is None and grade("a cat", None).value is None
    assert grade("c d", '["a b", "c d"]').facts["reference"] == 1


def test_what_is_too_long_to_be_compared_scores_nothing_and_says_so():
    found = rouge_sum().grade("a\n" * 90_000, "a b " * 40_000)
    assert found.value == 0.0 and found.facts["why"].startswith("too many")


def test_as_an_observer():
    batch = Batch.from_steps(group=[0, 0], trajectory=[0, 1], reward=[0.0] * 2, action=["b\na", "c"])
    batch = batch.with_columns(reference=Column.of("trajectory", ["a\nb"] * 2))
    assert rouge_sum().observe(batch)["rouge_lsum"].tolist() == [1.0, 0.0]
