"""Format and length bands."""

import math
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from guerdon.batch import Batch, Column
from guerdon.errors import ShapeError
from guerdon.evidence import observe
from guerdon.evidence.texts import LengthBand, RatioBand, Tags, band, length_band, length_ratio, tags_band

FORM = Tags(("think", "answer"), forbidden=("information",))
GOOD = "<think>x</think>\n<answer>y</answer>"

# Tags.


def test_a_whole_form():
    assert FORM(GOOD).value == 1.0 and FORM(GOOD).facts["whole"] == 1.0
    assert FORM(f"so: {GOOD} done").value == 1.0


@pytest.mark.parametrize(
    ("said", "value"),
    [
        ("<think>x</think> y", 0.5),
        ("<answer>y</answer><think>x</think>", 0.5),  # the answer comes too early
        ("<think><answer>y</answer></think>", 0.5),  # nested
        (f"{GOOD}<answer>z</answer>", 0.5),  # twice
        ("<think>x</think><answer> </answer>", 0.5),  # empty
        ("<think>x</think><answer>y", 0.5),
        ("</think>x<think><answer>y</answer>", 0.5),
        ("y", 0.0),
        ("", 0.0),
        ("<information>made up</information>" + GOOD, 0.0),
        (GOOD + "</information>", 0.0),
        ("x" * 200_001, 0.0),
    ],
)
def test_a_part_of_a_form(said, value):
    assert FORM(said).value == value and FORM(said).facts["whole"] == 0.0


def test_nothing_outside_where_the_tags_stand_alone():
    alone = Tags(("think", "answer"), alone=True)
    assert alone(GOOD).value == 1.0
    assert alone(f"so {GOOD}").facts["why"] == "text outside the tags"
    assert alone("<think>x</think> so <answer>y</answer>").value == 0.0


@given(st.text(alphabet="<>/ab ", max_size=40))
def test_a_form_is_between_nothing_and_one(text):
    assert 0 <= Tags(("a", "b"))(text).value <= 1


@pytest.mark.parametrize("wrong", [{"tags": ()}, {"tags": ("a", "a")}, {"tags": ("a",), "forbidden": ("a",)}])
def test_tags_that_cannot_be_are_refused(wrong):
    with pytest.raises(ShapeError, match="each name once"):
        Tags(**wrong)


def test_at_step_level_with_what_was_not_recorded():
    batch = Batch.from_steps(group=[0] * 2, trajectory=[0, 0], reward=[0.0] * 2)
    batch = batch.with_columns(action=Column.of("step", [GOOD, None]))
    assert observe(batch, [tags_band("form", "think", "answer")])["form"].tolist() == [1.0, None]


def test_many_tags_end_soon():
    start = time.perf_counter()
    FORM("<think>" * 28_000)
    assert time.perf_counter() - start < 2


# Lengths.


@given(st.floats(0, 100), st.floats(0, 50), st.floats(0, 50), st.floats(0, 20))
def test_a_band_is_one_inside_and_falls_outside(x, low, wide, slack):
    high = low + wide
    value = band(x, low, high, slack)
    assert 0 <= value <= 1
    assert (value == 1.0) == (low <= x <= high) or (slack and min(abs(x - low), abs(x - high)) < 1e-9)
    assert band(x + 1, low, high, slack) <= value or x < low
    assert band(x, low, high, slack + 1) >= value


@pytest.mark.parametrize(("said", "value"), [("a b", 1.0), ("a", 0.5), ("a b c d e", 0.0), ("", 0.0)])
def test_length_in_words(said, value):
    assert LengthBand(2, 3, 2)(said).value == value


def test_a_text_that_is_not_measured():
    long = "a " * 150_000
    assert LengthBand(2, 3)(long).value == 0.0
    assert LengthBand(2, math.inf)(long).value == 1.0


def test_other_units():
    assert LengthBand(3, 3, measure=len)("abc").value == 1.0


@pytest.mark.parametrize("wrong", [(3, 2, 0), (-1, 2, 0), (0, 1, -1), (0, 1, math.nan), (math.nan, 1, 0)])
def test_a_band_that_cannot_be_is_refused(wrong):
    with pytest.raises(ShapeError, match="low <= high"):
        LengthBand(*wrong)


def test_ratio():
    assert RatioBand()("a b c", "x y z").value == 1.0
    assert RatioBand(slack=1.0)("a b c d e f", "x y z").value == pytest.approx(0.2)
    assert not RatioBand()("a", None).scored and not RatioBand()("a", "...").scored
    assert RatioBand()("", "x").value == 0.0


def test_as_observers():
    batch = Batch.from_steps(group=[0] * 2, trajectory=[0, 1], reward=[0.0] * 2, action=["a b", "a b c"])
    batch = batch.with_columns(reference=Column.of("trajectory", ["x y", None]))
    seen = observe(batch, [length_band(high=2), length_ratio()])
    assert seen["length"].tolist() == [1.0, 0.0] and seen["length/length"].tolist() == [2.0, 3.0]
    assert seen["length_ratio"].tolist() == [1.0, None]
