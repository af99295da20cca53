"""Every check, by what it accepts and rejects, and that none takes long; the JSON of a task as checks."""

import json
import time

import pytest

from guerdon.errors import RecordError
from guerdon.evidence.constraints import CHECKS, AtLeast, Check, Not, check, checks_of

CASES = [  # name, arguments, kept, broken
    ("words", {"low": 2, "high": 3}, ["one two", "it's well-known, no?"], ["one", "one two three four", ""]),
    ("sentences", {"low": 2, "high": 2}, ["One. Two!", "Is 3.5 it? Yes", "一。二。", 'He said "No." I left.'],
     ["One", "A. B. C."]),
    ("paragraphs", {"low": 2, "high": 2}, ["a\nb\n\nc", "\n\na\n \nb\n\n"], ["a\nb", "a\n\nb\n\nc"]),
    ("paragraphs", {"low": 2, "high": 2, "divider": "***"}, ["a\n\n\nb\n***\nc"], ["a *** b", "***\na\n***"]),
    ("lines", {"high": 2}, ["a\n\nb"], ["a\nb\nc"]),
    ("characters", {"low": 2, "high": 4}, [" abcd ", "äö"], ["a", "abcde"]),
    ("occurrences", {"keyword": "green tea", "low": 2}, ["Green tea; green\ntea"],
     ["green tea", "green teas green tea"]),
    ("occurrences", {"keyword": "c++", "low": 1, "high": 1}, ["I like C++ most"], ["c"]),
    ("letters", {"letter": "a", "low": 2, "high": 2}, ["Anna"], ["Ann", "Banana"]),
    ("capital_words", {"low": 1, "high": 1}, ["to NASA", "A UFO"], ["none", "NASA ESA", "I A"]),
    ("keywords", {"words": ["tea", "milk"]}, ["Milk in TEA"], ["tea", "teamilk"]),
    ("forbidden", {"words": ["tea", "milk"]}, ["coffee", "teams"], ["Tea!", "no milk"]),
    ("in_order", {"words": ["first", "then"]}, ["First a, then b"], ["then a, first b", "first"]),
    ("starts", {"phrase": "Dear all"}, [" dear all, hi"], ["Oh dear all"]),
    ("ends", {"phrase": "The end."}, ["It is the end.", '"the end."'], ["The end. Or not"]),
    ("no_commas", {}, ["a; b"], ["a, b", "一，二"]),
    ("quoted", {}, ['"a"', " “a” "], ['"a', "a", '"']),
    ("placeholders", {"low": 2}, ["[name] and [place of birth]"], ["[name]", "[] []", "[[a]"]),
    ("postscript", {}, ["Bye\nP.S. more", "x\n p.s.: more"], ["Bye", "P.S.", "see P.S. more"]),
    ("postscript", {"marker": "P.P.S"}, ["Bye\nP.P.S more"], ["P.S. more"]),
    ("repeats_prompt", {"prompt": "Who  is it?"}, ["who is it? Me."], ["Who is it?", "Me. Who is it?"]),
    ("one_of", {"options": ["My answer is yes.", "My answer is no."]}, ["Well. My answer is NO."],
     ["Maybe", "My answer is yes. My answer is no."]),
    ("script", {"of": "cyrillic"}, ["Привет, 1!"], ["Privet", "123", "Привет world"]),
    ("script", {"of": "cjk"}, ["你好。"], ["hello"]),
    ("lower_case", {}, ["all small."], ["One", "123"]),
    ("upper_case", {}, ["ALL 2."], ["Al", "123"]),
    ("first_word", {"word": "two", "paragraph": 2}, ["One\n\n*Two* it"], ["Two", "One\n\nThree two"]),
    ("first_word", {"word": "end", "paragraph": -1}, ["One\n\nEnd it"], ["", "End\n\nit"]),
    ("bullets", {"low": 2, "high": 2}, ["* a\n- b", "x:\n • a\n + b"], ["* a", "*a\n*b", "- a\n- b\n- c"]),
    ("numbered", {"low": 2, "high": 2}, ["1. a\n2) b"], ["1.a\n2.b", "1. a"]),
    ("sections", {"word": "Part", "low": 2, "high": 2}, ["Part 1\na\n## PART II: b"], ["Part 1", "a Part 1\nb Part 2"]),
    ("highlights", {"low": 2, "high": 2}, ["*a* and **b c**"], ["*a*", "* a * and * b *", "***"]),
    ("title", {}, ["<<A title>>\nx"], ["<A title>", "<<>>"]),
    ("json_text", {}, ['{"a": [1, null]}', '```json\n[1]\n```', " [] "],
     ["{a: 1}", "3", '"x"', "[NaN]", "so: {}", "[" * 9000]),
    ("two_responses", {}, ["a ****** b", "******\na\n******\nb"],
     ["a", "a ****** a", "a ****** b ****** c", "a ******"]),
    ("matches", {"pattern": "[0-9]+(,[0-9]+)*"}, ["1,22,3", " 7 "], ["1,", "x", ""]),
]  # fmt: skip
ARGUMENTS = {name: arguments for name, arguments, _, _ in CASES}


@pytest.mark.parametrize(("name", "arguments", "kept", "broken"), CASES, ids=lambda v: v if isinstance(v, str) else "")
def test_kept_and_broken(name, arguments, kept, broken):
    node = check(name, **arguments)
    assert [node(text) for text in kept] == [1.0] * len(kept)
    assert all(0 <= node(text) < 1 for text in broken), [node(text) for text in broken]


def test_every_check_has_its_cases():
    assert set(ARGUMENTS) == set(CHECKS)


def test_what_is_nearly_right_counts_nearly():
    assert check("words", low=4)("one two three") == 0.75
    assert check("keywords", words=["tea", "milk"])("tea") == 0.5


LONG = {
    "a": "a" * 300_000, "!": "!" * 300_000 + "x", "blanks": "a" + " " * 300_000 + "b", "lines": "\n" * 300_000,
    "stars": "*" * 300_000, "star words": "*a" * 150_000, "open": "[<{(" * 75_000,
    "marks": "a" + "\u0300\u0316" * 150_000,
    "wide": "\ufdfa" * 50_000, "quotes": '."' * 150_000, "bullets": "- \n" * 100_000, "tea": "green " * 60_000,
    "surrogates": "\ud800" * 300_000, "paragraphs": "a\n\n" * 100_000,
}  # fmt: skip


@pytest.mark.parametrize("text", LONG.values(), ids=list(LONG))
def test_no_text_takes_long(text):
    slowest = {}
    for name, arguments in ARGUMENTS.items():
        began = time.process_time()
        assert 0 <= check(name, **arguments)(text) <= 1
        slowest[name] = time.process_time() - began
    assert max(slowest.values()) < 1.5, slowest


# The JSON of a task.


def degrees(spec, text):
    return [node(text) for node, _ in checks_of(json.dumps(spec))]


def test_composition():
    comma, short = "no_commas", {"check": "words", "high": 2}
    assert degrees([{"all": [comma, short]}], "a b") == [1.0]
    assert degrees([{"all": [comma, short]}], "a, b") == [0.5]
    assert degrees([{"any": [comma, short]}, {"not": comma}], "a, b") == [1.0, 1.0]
    assert degrees([{"at_least": 2, "of": [comma, short, {"not": "lower_case"}]}], "a, B") == [1.0]
    assert degrees([{"at_least": 2, "of": [comma, short, "upper_case"]}], "a, b") == [0.5]


def test_weights_and_python_forms():
    (first, weight), (second, _) = checks_of([{"check": "no_commas", "weight": 0.5}, check("quoted")])
    assert (first, weight, second) == (Check("no_commas"), 0.5, Check("quoted"))
    assert isinstance(checks_of({"not": "quoted"})[0][0], Not) and isinstance(
        checks_of('{"any": ["quoted"]}')[0][0], AtLeast
    )


@pytest.mark.parametrize(
    "spec",
    ["", "[", "[]", "3", "null", [3], ["nothing"], [{"check": "nothing"}], [{"check": "words", "lo": 3}],
     [{"check": "words", "low": "3"}],
     [{"check": "words", "low": True}], [{"check": "keywords"}], [{"check": "keywords", "words": "tea"}],
     [{"check": "keywords", "words": []}],
     [{"check": "occurrences"}], [{"any": []}], [{"all": "quoted"}], [{"not": ["quoted"]}],
     [{"at_least": 2, "of": ["quoted"]}],
     [{"at_least": 0, "of": ["quoted"]}], [{"any": ["quoted"], "all": ["quoted"]}], [{"check": "quoted", "weight": 0}],
     [{"check": "quoted", "weight": "1"}], ["quoted"] * 501, [{"check": "matches", "pattern": "(a"}],
     [{"check": ["words"]}], [{"check": "words", "low": 5, "high": 2}],
     [{"check": "letters", "letter": "a", "high": 0}],
     [{"check": "keywords", "words": ["a"] * 501}], '[{"check": "words", "high": NaN}]',
     [{"check": "first_word", "word": "a", "paragraph": 1.5}], [{"check": "words", "low": float("inf")}], "[" * 9000],
)  # fmt: skip
def test_refused(spec):
    with pytest.raises(RecordError, match=r"(checks_of|check|regular): "):
        checks_of(spec)


def test_checks_that_nest_without_end_are_refused():
    spec = "quoted"
    for _ in range(50):
        spec = {"not": spec}
    with pytest.raises(RecordError, match="nest"):
        checks_of([spec])
