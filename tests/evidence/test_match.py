"""match: what it accepts, what it rejects, what it leaves unscored."""

import time

import numpy as np
import pytest

from guerdon.batch import Batch, Column
from guerdon.evidence import match, observe


def verdict(said, wanted, **columns):
    batch = Batch.from_steps(group=[0, 0], trajectory=[0, 0], reward=[0.0, 0.0], action=["look", said])
    return observe(batch.with_columns(reference=Column.of("trajectory", [wanted]), **columns), [match()])


@pytest.mark.parametrize(
    ("said", "wanted"),
    [("north", "north"), ("  NORTH. ", "north"), ("Straße", "STRASSE"), ("go  north", "go north"), ("４２", "42"),
     ("42", 42)],
)  # fmt: skip
def test_accepts(said, wanted):
    assert verdict(said, wanted)["match"].tolist() == [1.0]


@pytest.mark.parametrize(
    ("said", "wanted"),
    [("south", "north"), ("5", "-5"), ("1.5", "15"), ("", "north"), ("...", "!"), ("north or south", "north"),
     ("nort", "north")],
)  # fmt: skip
def test_rejects(said, wanted):
    assert verdict(said, wanted)["match"].tolist() == [0.0]


def test_only_the_last_action_counts():
    assert verdict("north", "look")["match"].tolist() == [0.0]


def test_unscored_without_a_reference_an_action_or_a_whole_play():
    batch = Batch.from_steps(group=[0] * 3, trajectory=[0, 1, 2], reward=[0.0] * 3)
    batch = batch.with_columns(
        action=Column.of("step", ["a", None, "a"]),
        reference=Column.of("trajectory", [None, "a", "a"]),
        failed=Column.of("trajectory", np.array([False, False, True])),
    )
    assert observe(batch, [match()])["match"].tolist() == [None, None, None]


def test_a_play_that_said_nothing_at_all_is_wrong():
    batch = Batch(np.zeros(0, int), np.array([1]), np.array([0, 0]), {
        "action": Column.of("step", ["a"]), "reference": Column.of("trajectory", ["a", "a"]),
    })  # fmt: skip
    assert observe(batch, [match()])["match"].tolist() == [0.0, 1.0]


def test_without_a_reference_column_the_cause_names_it():
    batch = Batch.from_steps(group=[0], trajectory=[0], reward=[0.0], action=["a"])
    assert "'reference'" in observe(batch, [match()])["match/cause"].tolist()[0]


def test_a_wall_of_combining_marks_and_a_megabyte_are_only_wrong():
    start = time.perf_counter()
    assert verdict("a" + "\u0300\u0327" * 90_000, "north")["match"].tolist() == [0.0]
    assert verdict("north" + " " * 1_000_000, "north")["match"].tolist() == [0.0]
    assert time.perf_counter() - start < 2


def test_one_observer_may_be_named_twice():
    assert match() == match() and match() != match(reference="other")
