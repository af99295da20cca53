"""Bodies in and out: no NaN either way, and causes in few classes."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from guerdon.server.protocol import BodyError, class_of, decoded, encoded, refusal, text_of

LEAVES = st.none() | st.booleans() | st.floats(allow_nan=False, allow_infinity=False) | st.text()


@given(st.recursive(LEAVES, lambda it: st.lists(it, max_size=3) | st.dictionaries(st.text(), it, max_size=3)))
def test_what_goes_out_is_json_that_comes_back(value):
    json.loads(encoded(value))  # half a surrogate pair has no UTF-8, and comes out as a question mark


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_nan_never_goes_out(value):
    with pytest.raises(ValueError, match="not JSON compliant"):
        encoded({"reward": value})


@pytest.mark.parametrize("body", [b"", b"{", b"NaN", b"[Infinity]", b"\xff", b"[" * 10_000])
def test_what_is_no_json_does_not_come_in(body):
    with pytest.raises(BodyError, match="not JSON"):
        decoded(body)


@pytest.mark.parametrize(
    ("cause", "kind"),
    [
        ("maths: the grader missed its deadline of 1 s", "deadline"),
        ("the worker died", "worker"),
        ("judge: the endpoint answered 429", "judge"),
        ("the play failed: hung", "play"),
        ("reference is missing", "missing"),
        ("ValueError: what", "fault"),
        ("", "fault"),
    ],
)
def test_a_cause_has_a_class(cause, kind):
    assert class_of(cause) == kind


def test_the_text_of_messages():
    assert text_of([{"content": [{"type": "text", "text": "a"}]}, {"content": "b"}, 3]) == "a\n\nb"


def test_a_refusal_says_why():
    assert refusal(503, "busy", **{"Retry-After": "1"}).headers == {"Retry-After": "1"}
