"""Ordered keyword chains: order counts, repeating costs, a broken reference is nobody's answer."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from guerdon.batch import Batch, Column
from guerdon.evidence import observe
from guerdon.evidence.texts import Chain, chain, keyword_chain, keywords_in

KEYS = ["heat", "stir", "serve", "olive oil"]

# Laws.


@given(st.permutations(KEYS))
def test_only_the_right_order_has_all(order):
    assert (chain(", ".join(order), KEYS) == 1.0) == (order == KEYS)


@given(st.integers(1, 6))
def test_copies_of_the_chain_score_one_over_their_number(k):
    assert chain(" and ".join(KEYS * k), KEYS) == pytest.approx(1 / k)


@given(st.lists(st.sampled_from([*KEYS, "x"]), max_size=12), st.lists(st.sampled_from(KEYS), min_size=1, max_size=5))
def test_a_chain_is_between_nothing_and_one_and_filler_does_not_matter(said, wanted):
    bare = " ".join(said)
    assert 0 <= chain(bare, wanted) <= 1
    assert chain(" filler ".join(said), wanted) == chain(" , ".join(said), wanted)


@given(st.lists(st.lists(st.sampled_from(KEYS), min_size=1, max_size=3), min_size=1, max_size=4))
def test_the_content_is_the_mean_of_the_key_points(points):
    text = "heat then serve"
    verdict = Chain()(text, json.dumps(points))
    assert verdict.value == pytest.approx(sum(chain(text, p) for p in points) / len(points))
    assert len(verdict.items) == len(points)


# Worked examples.


def test_whole_words_of_two_that_begin_alike_the_longer():
    assert keywords_in("unheated heat, HEAT wave", ["heat", "heat wave"]) == ["heat", "heat wave"]
    assert keywords_in("C++ or C", ["c", "c++"]) == ["c++", "c"]
    assert keywords_in("x", []) == []


def test_the_best_of_the_alternatives_counts():
    verdict = Chain()("add salt", [[["salt", "pepper"], ["salt"]], ["oil"]])
    assert verdict.value == 0.5 and [i["chain"] for i in verdict.items] == [1, 0] and verdict.facts["whole"] == 1


def test_columns_and_items():
    batch = Batch.from_steps(group=[0, 0], trajectory=[0, 1], reward=[0.0, 0.0], action=["heat, stir", "stir"])
    batch = batch.with_columns(reference=Column.of("trajectory", ['[["heat", "stir"]]', "no list"]))
    seen = observe(batch, [keyword_chain()])
    assert seen["chain"].tolist() == [1.0, None]
    assert seen.relations["chain/items"].to_pylist() == [
        {"trajectory": 0, "point": 0, "score": 1.0, "chain": 0, "keywords": "heat, stir"}
    ]


@pytest.mark.parametrize("reference", [None, "[]", "[[]]", '["a"]', '[["a", 1]]', '[[["a"], []]]', "{}", '[[" "]]'])
def test_unscored(reference):
    assert not Chain()("a", reference).scored


# Attacks.


def test_keywords_are_no_patterns():
    assert keywords_in("aaa a.b (x+)+ $", ["a.b", "(x+)+", "$"]) == ["a.b", "(x+)+", "$"]


def test_a_long_answer_of_keywords_ends_soon():
    assert chain("heat " * 30_000, ["heat"] * 100) == pytest.approx(100 / 30_000)
    assert Chain()("heat " * 50_000, [["heat"]]).facts["why"]


def test_more_chains_than_are_looked_for_are_unscored():
    assert Chain()("heat", json.dumps([["heat"]] * 201)).value is None
    assert Chain()("heat", json.dumps([["heat"]] * 200)).value == 1.0
