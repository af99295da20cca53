"""Text to tokens: one spelling for signs, blanks and digit groups."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from guerdon.evidence.maths.tokens import plain, tokens_of


@given(st.text(max_size=200))
def test_any_text_becomes_tokens_or_none(text):
    found = tokens_of(plain(text))
    assert found is None or found[-1].kind == "end"


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("1,234", ["1234"]),
        ("1 234", ["1234"]),
        (r"11,\!111", ["11111"]),
        ("(1,234)", ["(", "1", ",", "234", ")"]),
        ("1, 234", ["1", ",", "234"]),
        ("x**2", ["x", "^", "2"]),
        (r"\dfrac12", ["frac", "12"]),
        ("−½", ["-", "1", "/", "2"]),
        ("x²", ["x", "^", "{", "2", "}"]),
        ("a<=b", ["a", "le", "b"]),
        ("1e-3", ["1e-3"]),
        (r"a \text{ and } b", ["a", "and", "b"]),
    ],
)
def test_one_spelling(text, values):
    assert [token.value for token in tokens_of(plain(text))[:-1]] == values


def test_a_sign_that_no_answer_needs():
    assert tokens_of(plain("a # b")) is None
