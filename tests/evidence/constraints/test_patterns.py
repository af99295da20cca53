"""Patterns: what they mean, and what is refused."""

import pytest

from guerdon.evidence.constraints import PatternError, regular


@pytest.mark.parametrize(
    ("pattern", "yes", "no"),
    [(r"\d+\.\d{2}", "12.50", "12.5"), (r"[A-Za-z_]\w*", "a_1", "1a"), (r"\[\]\\", "[]\\", "[]"), ("[]a]+", "]a", "b"),
     ("[a-]", "-", "b"), (r"[\d,]+", "1,2", "a"), (r"\S+\s\S+", "a b", "ab"), ("", "", "a"),
     ("é+", "éé", "e"), ("a|", "", "b")],
)  # fmt: skip
def test_patterns(pattern, yes, no):
    assert regular(pattern).accepts(yes) and not regular(pattern).accepts(no)


@pytest.mark.parametrize(
    "pattern",
    ["(", ")", "a**", "a*?", "*", "a{2,1}", "[", "[b-a]", "^a", "a$", r"\1", r"\b", "(?=a)", "(?<x>a)", "\\", r"[\d-z]",
     "((a{99}){99}){99}", "(" * 60 + ")" * 60, "a" * 2001, "(((){999}){999}){999}", "{2}"],
)  # fmt: skip
def test_refused(pattern):
    with pytest.raises(PatternError, match="regular: "):
        regular(pattern)
