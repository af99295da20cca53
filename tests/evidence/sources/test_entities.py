"""Entities named, and nearness in the group."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from guerdon.batch import Batch, Column
from guerdon.evidence import observe
from guerdon.evidence.sources import entities_named, entity_match, share_of_best


@given(st.lists(st.tuples(st.floats(0, 1) | st.just(np.nan), st.integers(0, 2)), max_size=12))
def test_the_best_of_a_group_is_one_and_the_unscored_have_no_part(pairs):
    x, by = np.array([p[0] for p in pairs], float), np.array([p[1] for p in pairs], int)
    near = share_of_best(x, by)
    np.testing.assert_array_equal(np.isnan(near), np.isnan(x))
    for g in set(by.tolist()):
        there = x[by == g][~np.isnan(x[by == g])]
        if len(there):
            assert np.nanmax(near[by == g]) == (1.0 if there.max() > 0 else 0.0)
    known = ~np.isnan(x)
    np.testing.assert_array_equal(near[known], share_of_best(x[known], by[known]))


@pytest.mark.parametrize(
    ("text", "entity", "named"),
    [("Born in ULM.", "Ulm", True), ("Ulmer", "Ulm", False), ("Albert  Einstein's", "albert einstein", True),
     ("Einstein, Albert", "Albert Einstein", False), ("a + b", "+", True), ("", "x", False)],
)  # fmt: skip
def test_whole_words(text, entity, named):
    assert entities_named([text], [entity]) == [named]


def test_a_name_is_not_put_together_from_two_steps():
    assert entities_named(["new", "york"], ["new york"]) == [False]


def test_all_steps_count_and_plays_that_are_unscored_do_not():
    batch = Batch(np.zeros(0, int), np.array([0, 0, 1, 2, 3]), np.array([0, 0, 0, 0, 0]), {
        "action": Column.of("step", ["first Ulm", "then Bern", "Ulm", None, "Ulm Bern"]),
        "task_entities": Column.of("trajectory", ['["Ulm", "Bern", "ETH", "CERN"]'] * 3 + ["[]"] + ['["Ulm"]']),
    })  # fmt: skip
    seen = observe(batch, [entity_match()])
    assert seen["entities"].tolist() == [0.5, 0.25, None, None, 0.0]
    assert seen["entities/near"].tolist() == [1.0, 0.5, None, None, 0.0]
    assert seen["entities/cause"].tolist()[2:4] == [
        "action is missing at a step", "the reference is no list of entities, or an empty one",
    ]  # fmt: skip
    named = [row["named"] for row in seen.relations["entities/items"].to_pylist() if row["trajectory"] == 0]
    assert named == [True, True, False, False]


def test_a_play_that_says_too_much_is_not_read():
    verdict = entity_match().grade(["x" * 2_000_001], '["x"]')
    assert verdict.value == 0.0 and verdict.facts["why"]
