"""An answer against several references: the best counts; what is no answer is wrong, what is no reference unscored."""

import json
import pickle
import time

import pytest

from guerdon.evidence.texts.against import Against, Within, whole
from guerdon.evidence.texts.exact import Equal
from guerdon.evidence.texts.overlap import F1

grade = Against(F1())


def test_the_best_reference_counts_and_is_named():
    verdict = grade("red house", '["blue house", "red house", "red house"]')
    assert verdict.value == 1.0 and verdict.facts["reference"] == 1


def test_a_reference_without_a_word_is_passed_over():
    assert grade("a", '["...", "a"]').facts["reference"] == 1


@pytest.mark.parametrize(
    "reference",
    [None, "", "...", "x" * 200_001, '["' + "x" * 150_000 + '", "' + "y" * 60_000 + '"]', "[" + '"a",' * 100 + '"b"]'],
)
def test_unscored(reference):
    verdict = grade("a", reference)
    assert not verdict.scored and "reference" in verdict.cause


@pytest.mark.parametrize("said", ["", "?!", "x " * 100_001])
def test_the_candidates_own_fault_scores_nothing(said):
    verdict = grade(said, "a")
    assert verdict.value == 0.0 and verdict.facts["why"]


def test_only_what_is_in_the_tag_is_the_answer():
    tagged = Against(Equal(), answer=Within("answer"))
    assert tagged("Rome? <answer> Paris </answer>", "Paris").value == 1.0
    assert tagged("Paris", "Paris").facts["why"] == "no answer"
    assert tagged("<answer>Rome</answer><answer>Paris</answer>", "Paris").value == 1.0
    assert whole("x") == "x"


def test_a_grader_can_be_sent_to_another_process_and_equal_ones_are_equal():
    assert pickle.loads(pickle.dumps(grade)) == grade == Against(F1())


def test_many_references_end_soon():
    began = time.monotonic()
    assert grade("a b " * 49_000, json.dumps(["c a b " * 300] * 100)).scored and time.monotonic() - began < 6


@pytest.mark.parametrize(
    ("said", "wanted", "value"),
    [
        ("cafe\u0301", "caf\u00e9", 1.0), ("\uff21\uff22", "ab", 1.0), ("STRASSE", "stra\u00dfe", 1.0),
        ("\ud800 a", "a", 1.0),
        ("\u202eabc", "abc", 1.0), ("\u5317\u4eac", "\u4eac\u5317", 1.0), ("\u0430", "a", 0.0),
        ("\U0001f44d", "a", 0.0),
        ("42", 42, 1.0), ("\u0300" * 199_999, "a", 0.0),
    ],
)  # fmt: skip
def test_letters_of_the_world(said, wanted, value):
    assert grade(said, wanted).value == value
