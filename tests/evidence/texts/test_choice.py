"""Choices: the key does not give itself away, and only a choice is a choice."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from guerdon.batch import Batch, Column
from guerdon.errors import ShapeError
from guerdon.evidence import observe
from guerdon.evidence.texts import Choice, as_choice, letter_in, one_choice

# Laws.


@given(st.text(max_size=20), st.lists(st.text(min_size=1, max_size=9), min_size=2, max_size=6, unique=True))
def test_the_letter_points_at_the_right_answer(prompt, answers):
    right, *wrong = answers
    question, letter = as_choice(prompt, right, wrong)
    assert f"({letter}) {right}" in question
    assert all(answer in question for answer in answers)
    assert as_choice(prompt, right, wrong) == (question, letter)


def test_places_are_even_and_do_not_follow_the_chosen_one():
    places = [as_choice(f"question {i}", "yes", ["no"])[1] for i in range(2000)]
    assert abs(places.count("A") - 1000) < 150
    both = [(as_choice(f"q{i}", "a", ["b"]), as_choice(f"q{i}", "b", ["a"])) for i in range(50)]
    assert all((x[1] == y[1]) and x[0] != y[0] for x, y in both)  # the place is one of the pair, not of an answer
    assert {as_choice("q", "yes", ["no"], seed)[1] for seed in range(20)} == {"A", "B"}


@pytest.mark.parametrize(("right", "wrong"), [("a", []), ("a", ["b", "a"]), ("a", [str(i) for i in range(26)])])
def test_what_has_no_key_is_refused(right, wrong):
    with pytest.raises(ShapeError, match="wrong answers"):
        as_choice("q", right, wrong)


# Accepted, rejected, unscored.


@pytest.mark.parametrize(
    ("said", "letter"),
    [("B", "B"), ("(b)", "B"), ("**B**", "B"), ("I take\nB.", "B"), ("The answer is B because A is dull.", "B"),
     ("Answer: (B)", "B"), (r"so \boxed{B}", "B"), (r"\boxed{\text{B}}", "B"), ("<answer>b</answer> not A", "B"),
     ("<answer>The answer is B</answer>", "B"), ("answer A, no: answer B", "B"), ("Option B", "B")],
)  # fmt: skip
def test_a_choice_is_read(said, letter):
    assert letter_in(said) == letter


@pytest.mark.parametrize(
    "said",
    ["", "A great day", "both A and B", "Option A or option B?", "<answer></answer>", "I don't know", "answer: 42"],
)
def test_no_choice_is_read(said):
    assert letter_in(said) is None


def test_verdicts():
    grade = Choice(2)
    assert grade("B", "b").value == 1.0
    assert grade("A", "B").value == 0.0 and grade("A", "B").facts["chance"] == 0.5
    assert grade("C", "B").facts["why"] == "a letter that was not offered"
    assert grade("", "B").facts["why"] == "no choice was made"
    assert not grade("A", "C").scored and not grade("A", None).scored and not grade("A", "").scored


def test_as_an_observer():
    batch = Batch.from_steps(group=[0, 0], trajectory=[0, 1], reward=[0.0, 0.0], action=["D", "A"])
    batch = batch.with_columns(reference=Column.of("trajectory", ["D", None]))
    seen = observe(batch, [one_choice(options=4)])
    assert seen["choice"].tolist() == [1.0, None] and seen["choice/chance"].tolist() == [0.25, None]


# Attacks.


@pytest.mark.parametrize(
    "said", ["answer " * 28_000, "answer" + " " * 190_000, "(" * 190_000, "\\boxed{" * 27_000, "option A" * 20_000]
)
def test_no_text_takes_long(said):
    start = time.perf_counter()
    Choice(2)(said, "A")
    assert time.perf_counter() - start < 2


def test_full_width_letters_are_letters_and_look_alikes_are_not():
    assert letter_in("\uff21") == "A" and letter_in("answer: \uff22") == "B" and letter_in("\u0410") is None
