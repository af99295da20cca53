"""Regular languages: agreement with re, with a slow edit distance, and no pattern or text that hangs."""

import itertools
import re
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from guerdon.evidence.constraints import in_language, regular
from guerdon.evidence.constraints.language import matches

patterns = st.recursive(
    st.sampled_from(["a", "b", "[ab]", "[^a]", ".", "ab", ""]),
    lambda inner: st.one_of(
        st.builds("({}|{})".format, inner, inner),
        st.builds("{}{}".format, inner, inner),
        st.builds("(?:{}){}".format, inner, st.sampled_from(["*", "+", "?", "{2}", "{1,2}", "{0,}", "{0}"])),
    ),
    max_leaves=5,
)
texts = st.text("abc", max_size=6)
ALL = ["".join(t) for k in range(5) for t in itertools.product("ab", repeat=k)]


def edits(a, b):
    row = list(range(len(b) + 1))
    for i, x in enumerate(a, 1):
        last, row[0] = row[0], i
        for j, y in enumerate(b, 1):
            last, row[j] = row[j], min(row[j] + 1, row[j - 1] + 1, last + (x != y))
    return row[-1]


# Laws.


@settings(deadline=None)
@given(patterns, texts)
def test_membership_is_that_of_re(pattern, text):
    assert regular(pattern).accepts(text) == bool(re.fullmatch(pattern, text))


@settings(deadline=None, max_examples=60)
@given(st.sampled_from(["(ab)*", "a{2}b?", "(a|bb)+", "b*a", "[ab]a[ab]"]), st.text("ab", max_size=3))
def test_progress_and_distance_are_what_the_words_say(pattern, text):
    language = regular(pattern)
    words = [word for word in ALL + ["".join(t) for t in itertools.product("ab", repeat=5)] if language.accepts(word)]
    prefixes = {word[:k] for word in words for k in range(len(word) + 1)}
    assert language.viable(text) == max(k for k in range(len(text) + 1) if text[:k] in prefixes)
    assert language.distance(text) == min(edits(text, word) for word in words)


# The observer.


def test_accept_reject_and_unscored():
    grade = in_language().grade
    assert grade("2024-02-29", "[0-9]{4}(-[0-9]{2}){2}").value == 1.0
    found = grade("2024/02/29", "[0-9]{4}(-[0-9]{2}){2}")
    assert (found.value, found.facts["viable"], found.facts["distance"]) == (0.0, 0.4, 2)
    assert grade("x", "(").value is None
    assert matches("", "a+") == 0.0 and 0 < matches("aab", "a+") < 1


@pytest.mark.parametrize("pattern", ["(a*)*b", "(a|a)*b", "(a|b)*a(a|b){30}", "(.*a){12}", "((a?){10}){20}a{10}"])
@pytest.mark.parametrize("text", ["a" * 20_000, "ab" * 10_000, "".join(map(chr, range(1000, 21_000)))])
def test_no_pattern_and_no_text_hang(pattern, text):
    began = time.process_time()
    found = in_language().grade(text, pattern)
    assert found.scored and time.process_time() - began < 6


def test_an_endless_text_is_not_read():
    assert "at most" in in_language().grade("a" * 3_000_000, "a*").facts["why"]


@pytest.mark.parametrize(
    "pattern",
    ["^abc$", "(a|aa)+$", "(?i)a", "a**", "(?=a)b", "\\1", "[a-\\d]", "x{3,1}", "[^]", "a{1,1000}", "(a?){500}a{500}",
     None],
)  # fmt: skip
def test_a_pattern_that_is_none_is_unscored(pattern):
    assert in_language().grade("None", pattern).value is None
