"""One text for equal answers: sound against the quick path, and the same for what is commonly said."""

from __future__ import annotations

import json
from collections import defaultdict
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from guerdon.evidence.maths import canon
from guerdon.evidence.maths.exact import decide
from guerdon.evidence.maths.extract import extract

LABELLED = [json.loads(line) for line in (Path(__file__).parent / "labelled.jsonl").read_text("utf-8").splitlines()]


# --- laws ------------------------------------------------------------------------------------------------
@given(st.fractions(max_denominator=10**6))
def test_a_number_is_its_fraction(x):
    assert canon(rf"\boxed{{\frac{{{x.numerator}}}{{{x.denominator}}}}}") == str(x)


@given(st.text(max_size=60))
def test_any_text_has_a_canon_or_none(text):
    assert canon(text) is None or canon(text)


def test_what_has_one_canon_is_never_unequal():
    said = defaultdict(set)
    for row in LABELLED:
        a, b = canon(row["answer"]), canon(row["reference"])
        assert row["label"] or a is None or a != b, row
        for text in (row["answer"], row["reference"]):
            if (found := canon(text)) is not None:
                said[found].add(extract(text).text)
    for found, texts in said.items():
        some = sorted(texts)[:6]
        assert not [(a, b, found) for a in some for b in some if decide(a, b).equal is False]


def test_most_labelled_answers_that_are_equal_share_a_canon():
    good = [row for row in LABELLED if row["label"]]
    shared = sum(canon(row["answer"]) == canon(row["reference"]) is not None for row in good)
    assert shared > 0.7 * len(good)  # the others leave out a unit, a name or a sign of per cent on one side


# --- worked examples ---------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    "same",
    [
        [r"so \boxed{\frac12}", "#### 0.5", "1/2", "The answer is 2/4.", "50%", "$0.50$"],
        [r"\sqrt{8}", r"2\sqrt2", r"4/\sqrt{2}"],
        [r"\sqrt{2}\sqrt{2}", "2", r"\log_{10} 100"],
        ["x^2-1", "(x-1)(x+1)", r"\boxed{x^2 - 1}"],
        ["1, 2", "2 and 1", "1 or 2"],
        [r"\pm 2", "2, -2"],
        [r"\{1,2,2\}", r"\{2,1\}"],
        ["5 m", "500 cm"],
        ["x = 5", "x = 5.0"],
        ["no solution", r"\emptyset", r"\text{None}"],
        [r"\text{North}", "north."],
        ["(C)", "C"],
        [r"\sin^2 x + \cos^2 x + 0x", "1 + 0x"],
        [r"e^{-300}", r"\frac{1}{e^{300}}"],
    ],
)
def test_one_text_for_what_is_the_same(same):
    assert len({canon(text) for text in same}) == 1
    assert canon(same[0])


@pytest.mark.parametrize(
    "apart",
    [
        ["1/3", "0.33", "1/4", "-1/3"],
        ["(1,2)", "(2,1)", "[1,2]", "1, 2", r"\{1,2\}", r"\begin{pmatrix}1&2\end{pmatrix}"],
        ["x", "|x|", r"\sqrt{x}", "y", "X", "x^2"],
        ["t", "|t|", "k", "|k|"],
        ["5", "5 m", "5 s", "x = 5", "y = 5", "5%"],
        ["e^{-300}", "e^{-400}", "0"],
        [r"\infty", r"-\infty", "10^{1000}", "10^{1001}"],
        ["x > 2", "x \\ge 2", "x < 2"],
        ["x<-1 or x>1", "x<-1 and x>1"],
        [r"\frac{dy}{dx}", r"y/x", r"\frac{d}{dx}x^2", "x"],
        ["1.41...", "1.41"],
    ],
)
def test_two_texts_for_what_is_not(apart):
    found = [canon(text) for text in apart]
    assert None not in found
    assert len(set(found)) == len(apart)


@pytest.mark.parametrize(
    "text", ["", "<think>5", r"cut off \boxed{5", "1/0", "9^{9^{9^9}}", "1" * 3000, r"\frac{1}{", "(10^9)!", "???"]
)
def test_what_is_no_answer_has_none(text):
    assert canon(text) is None
