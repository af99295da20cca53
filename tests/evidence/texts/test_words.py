"""Texts as words: what is joined, what separates, and that nothing hostile takes long."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from guerdon.evidence.texts.words import composed, inside, one, several, shown, squad_words, words

# Laws.


@given(st.text(max_size=80))
def test_words_are_the_same_however_the_text_is_cased_or_composed(text):
    assert words(composed(text)) == words(text)
    assert all(word and not word.isspace() for word in words(text))


@given(st.text(max_size=80))
def test_words_of_words_are_the_words(text):
    once = words(text)
    assert words(" ".join(once)) == once


@given(st.text(alphabet="<>/ab x", max_size=60))
def test_what_stands_inside_a_tag_agrees_with_a_slow_search(text):
    found, at = [], 0
    while (end := text.find("</a>", at)) >= 0:
        start = text.rfind("<a>", at, end)
        if start >= 0:
            found.append(text[start + 3 : end])
        at = end + 4
    assert inside(text, "a") == found


@given(st.text(st.characters(max_codepoint=127), max_size=80))
def test_plain_text_has_the_same_words_by_the_short_way(text):
    assert words(text + " é") == [*words(text), "é"]


# Worked examples.


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("Don't stop-me", ["don", "t", "stop", "me"]),
        ("हिन्दी भाषा", ["हिन्दी", "भाषा"]),  # vowel signs stay inside their word
        ("日本語 text", ["日", "本", "語", "text"]),
        ("  ", []),
        ("... !?", []),
    ],
)
def test_words(text, wanted):
    assert words(text) == [composed(w).casefold() for w in wanted]


def test_words_of_squad_drop_articles_and_punctuation():
    assert squad_words("The  $3.14, an apple-pie") == ["314", "applepie"]


@pytest.mark.parametrize(
    ("given", "texts"),
    [("a", ["a"]), ('["a", "b"]', ["a", "b"]), (["a", "b"], ["a", "b"]), ("[1, 2]", ["[1, 2]"]), ([1], ["[1]"]),
     ("[broken", ["[broken"]), ("[]", ["[]"]), (0.5, ["0.5"])],
)  # fmt: skip
def test_references_are_several_only_where_all_are_texts(given, texts):
    assert several(given) == texts


def test_a_list_can_be_one_answer():
    assert one('["a", "b"]') == ['["a", "b"]'] and one(["a"]) == ['["a"]']


# Attacks.


def test_a_wall_of_combining_marks_takes_no_time():
    start = time.perf_counter()
    assert len(words("a" + "\u0300\u0327" * 100_000)) == 1
    assert time.perf_counter() - start < 2  # unguarded it is minutes


def test_deep_brackets_are_one_text():
    deep = "[" * 100_000
    assert several(deep) == [deep]


def test_lone_surrogates_can_be_shown_and_read():
    assert shown("\udc00x") == "?x"
    assert words("a\udc00b") == ["a", "b"]
