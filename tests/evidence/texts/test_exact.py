"""Exact match and its variants."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from guerdon.batch import Batch, Column
from guerdon.evidence import observe
from guerdon.evidence.texts import Begins, Contained, exact_match, has_run, squad_words

WORDS = st.lists(st.sampled_from("ab"), max_size=8)


def value(said, reference, **how):
    batch = Batch.from_steps(group=[0], trajectory=[0], reward=[0.0], action=[said])
    batch = batch.with_columns(reference=Column.of("trajectory", [reference]))
    return observe(batch, [exact_match(**how)])["exact"].tolist()[0]


@given(WORDS, WORDS)
def test_a_run_is_found_as_a_slow_search_finds_it(said, wanted):
    slow = any(said[i : i + len(wanted)] == wanted for i in range(len(said) + 1))
    assert has_run(said, wanted) == slow


@given(WORDS, WORDS)
def test_equal_implies_begins_implies_contained(said, wanted):
    equal, begins = said == wanted, Begins()(said, wanted)[0]
    assert equal <= begins <= Contained()(said, wanted)[0]


@pytest.mark.parametrize(
    ("said", "reference", "how"),
    [
        ("The Seine.", "the seine", {}),
        ("Seine", '["Rhine", "Seine"]', {}),
        ("the Seine", "Seine", {"words": squad_words}),
        ("I think it is New York, yes", "new york", {"compare": Contained()}),
        ("Paris, of course", "Paris", {"compare": Begins()}),
    ],
)
def test_accepts(said, reference, how):
    assert value(said, reference, **how) == 1.0


@pytest.mark.parametrize(
    ("said", "reference", "how"),
    [
        ("the Seine", "Seine", {}),
        ("party", "art", {"compare": Contained()}),
        ("new york", "york new", {"compare": Contained()}),
        ("It is Paris", "Paris", {"compare": Begins()}),
        ("", "Paris", {}),
    ],
)
def test_rejects(said, reference, how):
    assert value(said, reference, **how) == 0.0


def test_unscored_without_a_reference():
    assert value("x", None) is None


def test_how_much_of_the_answer_the_reference_is():
    batch = Batch.from_steps(group=[0], trajectory=[0], reward=[0.0], action=["Rome, Paris, Bern, Ulm"])
    batch = batch.with_columns(reference=Column.of("trajectory", ["Ulm"]))
    seen = observe(batch, [exact_match(compare=Contained())])
    np.testing.assert_allclose(seen["exact/share"].values, [0.25])


def test_one_observer_may_be_named_twice():
    assert exact_match() == exact_match() and exact_match() != exact_match(words=squad_words)
