"""Where the answer is."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from guerdon.evidence.maths.extract import boxes, extract


@given(st.text(alphabet="ab{}\\ ", max_size=40))
def test_the_last_box_is_found_with_its_braces(text):
    inside = text.replace("\\", "").replace("{", "").replace("}", "")
    assert boxes(rf"\boxed{{{inside}}}")[-1][2] == inside
    assert isinstance(boxes(text), list)


@pytest.mark.parametrize(
    ("text", "answer", "rule"),
    [
        (r"a \boxed{1} b \boxed{\frac{1}{2}} c", r"\frac{1}{2}", "box"),
        (r"\boxed{1} and \boxed{2}", "1, 2", "box"),
        (r"\fbox{3}", "3", "box"),
        ("x\n#### 12", "12", "mark"),
        (r"\boxed{E = mc^2} **Answer: D**", "D", "mark"),
        ("The answer is 5. It was easy.", "5", "mark"),
        ("The answer is $3$ or so", "3", "mark"),
        ("<think>\\boxed{1}</think><answer>2</answer>", "2", "tag"),
        (r"<think>\boxed{5}", "", ""),
        (r"<think>a</think> 4 <think>\boxed{5}", "", ""),
        ("<answer>5</answer> <think>", "", ""),
        (r"so 4 </think> \boxed{5}", "5", "box"),
        (r"<think>4</think> \boxed{5}", "5", "box"),
        (r"\frac{1}{2}", r"\frac{1}{2}", "whole"),
        ("So there are 12 of them here in all.", "12", "sentence"),
        (r"Hence the area must be $2\pi$.", r"2\pi", "span"),
        ("It might be 1 or it might be 2, who knows.", "", ""),
        (r"cut off \boxed{12", "", ""),
        ("", "", ""),
        ("the answer is not 3", "", ""),
        ("It cannot be 3", "", ""),
        ("It isn't 3", "", ""),
        (r"Then it follows that a \ne 5", "", ""),
        ("She has 3 and he has 4, so 3 + 4 = 7 apples.", "7", "sentence"),
        ("We find out that x = 5 and also y = 6", "", ""),
        ("x + y = 5 or 7 in all of these cases", "", ""),
        ("The correct option is B.", "B", "mark"),
        ("(D) all of the above", "(D) all of the above", "whole"),
        ("#### 7 (apples)", "7", "mark"),
        ("`5`", "5", "whole"),
        (r"5\,", r"5\,", "whole"),
        ("1 then 2 then 3 then 4 and so on", "", ""),
    ],
)
def test_rules_and_their_order(text, answer, rule):
    assert extract(text)[:] == (answer, rule)


def test_the_last_number_only_when_asked():
    text = "we tried 1 and then 2 and then 3 in this order"
    assert extract(text).text == ""
    assert extract(text, last_number=True) == ("3", "last number")


def test_a_thought_that_opened_long_ago_is_still_open():
    assert extract("<think>" + "so " * 100_000 + r"\boxed{5}").text == ""
