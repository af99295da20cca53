"""Retrieval: recall after each step, gains that telescope, nDCG."""

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from guerdon.batch import Batch, Column
from guerdon.evidence import observe
from guerdon.evidence.sources import merged, ndcg, recalls, retrieval_gain

IDS = st.lists(st.sampled_from("abcdef"), max_size=4)
RIGHT = st.sets(st.sampled_from("abcdef"), min_size=1).map(sorted)

# Laws.


@given(st.lists(IDS, min_size=1, max_size=5), RIGHT)
def test_gains_are_never_below_nothing_and_sum_up_to_the_final_recall(steps, right):
    batch = Batch.from_steps(group=[0] * len(steps), trajectory=[0] * len(steps), reward=[0.0] * len(steps))
    batch = batch.with_columns(
        retrieved=Column.of("step", [json.dumps(s) for s in steps]),
        task_evidence=Column.of("trajectory", [json.dumps(right)]),
    )
    seen = observe(batch, [retrieval_gain()])
    gain, final = seen["retrieval"].values, seen["retrieval/final"].values[0]
    assert (gain >= 0).all() and gain.sum() == pytest.approx(final)
    assert final == pytest.approx(len(set(right) & {d for s in steps for d in s}) / len(right))
    np.testing.assert_allclose(np.cumsum(gain), seen["retrieval/recall"].values)


@given(st.lists(IDS, max_size=5), RIGHT)
def test_a_search_made_twice_gains_nothing(steps, right):
    twice = recalls([s for step in steps for s in (step, step)], right)
    np.testing.assert_array_equal(twice[::2], twice[1::2])


@given(IDS, RIGHT, st.none() | st.integers(1, 4))
def test_ndcg_is_one_for_the_best_ranking_and_falls_when_a_right_one_sinks(ranking, right, k):
    ranking = list(dict.fromkeys(ranking))
    value = ndcg(ranking, right, k)
    assert 0 <= value <= 1
    assert ndcg(right + ranking, right, k) == pytest.approx(1.0)
    best_first = sorted(ranking, key=lambda d: d not in right)
    assert ndcg(best_first, right, k) >= value - 1e-12
    assert ndcg(ranking + ranking, right, k) == value


# Worked examples.


def test_merged_takes_the_first_of_every_query_first():
    assert merged([["a", "b", "c"], [], ["d", "a"]]) == ["a", "d", "b", "c"]
    assert merged([]) == []


def test_ndcg_by_hand():
    assert ndcg(["x", "a", "b"], ["a", "b"]) == pytest.approx((1 / np.log2(3) + 0.5) / (1 + 1 / np.log2(3)))
    assert ndcg([], ["a"]) == 0.0 and ndcg(["x", "a"], ["a"], k=1) == 0.0


def test_steps_without_a_search_and_plays_that_are_unscored():
    batch = Batch(np.zeros(0, int), np.array([0, 0, 1, 2, 3]), np.zeros(5, int), {
        "retrieved": Column.of("step", [None, '["a"]', '["a"]', "{}", '["a"]']),
        "task_evidence": Column.of("trajectory", ['["a", "b"]', None, '["a"]', "[]", '["a"]']),
    })  # fmt: skip
    seen = observe(batch, [retrieval_gain()])
    assert seen["retrieval"].tolist() == [0.0, 0.5, None, None, None]
    assert seen["retrieval/final"].tolist() == [0.5, None, None, None, 0.0]
    assert seen["retrieval/cause"].tolist() == [
        None, None, "task_evidence is missing", "retrieved is no list of documents at a step",
        "the reference is no list of documents, or an empty one",
    ]  # fmt: skip


def test_a_failed_play_is_unscored_throughout():
    batch = Batch.from_steps(group=[0], trajectory=[0], reward=[0.0])
    batch = batch.with_columns(
        retrieved=Column.of("step", ['["a"]']), task_evidence=Column.of("trajectory", ['["a"]']),
        failed=Column.of("trajectory", [True]),
    )  # fmt: skip
    assert observe(batch, [retrieval_gain()])["retrieval"].tolist() == [None]
