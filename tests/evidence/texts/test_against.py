"""An answer against several references: the best counts; what is no answer is wrong, what is no reference unscored."""

import pickle

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


@pytest.mark.parametrize("reference", [None, "", "...", "x" * 200_001])
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
