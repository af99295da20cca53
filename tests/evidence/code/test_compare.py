"""Values by type, outputs by line."""

import json
import math
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from guerdon.errors import RecordError
from guerdon.evidence.code.compare import decode, encode, parse, same, same_output, shown

numbers = st.integers() | st.floats() | st.booleans() | st.none() | st.text(max_size=5) | st.binary(max_size=4)
keys = st.integers() | st.text(max_size=4) | st.booleans()
data = st.recursive(
    numbers,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(keys, inner, max_size=4) | st.sets(keys, max_size=4),
    max_leaves=12,
)


def value(given):
    return decode(json.loads(json.dumps(encode(given))))


# Laws.


@given(data)
def test_what_is_sent_is_what_is_compared(x):
    assert same(value(x), value(x))
    assert same(decode(parse(json.dumps(encode(x)))), value(x))


@given(data, data)
def test_it_is_symmetric(x, y):
    assert same(value(x), value(y)) == same(value(y), value(x))


@given(data, data)
def test_without_tolerance_it_is_equality_with_types(x, y):
    if same(value(x), value(y)) and x == x and y == y:
        assert x == y or "nan" in repr((x, y))


@given(st.floats(-1e9, 1e9), st.floats(1e-12, 1e-3))
def test_tolerance_is_relative_above_one_and_absolute_below(x, t):
    # A hundredth of the tolerance is room for the rounding of the sum, whose relative error is 2e-16.
    assert same(x + t * 0.99 * max(1, abs(x)), x, tolerance=t)
    assert not same(x + 2.1 * t * max(1, abs(x)) + 1e-6 * max(1, abs(x)), x, tolerance=t)


@given(st.text(alphabet="ab \t\n\r", max_size=30))
def test_blanks_at_the_ends_of_lines_do_not_count(text):
    lines = text.split("\n")
    assert same_output("\n".join(line + " \t" for line in lines).encode() + b"\n\n", text)


# Worked examples.


@pytest.mark.parametrize(
    ("got", "wanted"),
    [
        (1, True), (True, 1), (0, False), (0, None), ("1", 1), (1.0, 1), (1, 1.0), ([], None), ([], {}), ({}, []),
        ("", None), ([1], [True]), ([1, 2], [2, 1]), ([1], [1, 1]), ({"a": 1}, {"a": 1, "b": 2}), ({"1": 2}, {1: 2}),
        ({1, 2}, [1, 2]), (b"a", "a"), ({1}, {True}), ({1: 0}, {True: 0}), (math.inf, 1e308), (math.nan, 0.0),
        (1 + 0j, 1.0), (0.1 + 0.2, 0.3), ("a", "A"), ("\u00e9", "e\u0301"),
    ],
)  # fmt: skip
def test_not_the_same(got, wanted):
    assert not same(value(got), value(wanted))


@pytest.mark.parametrize(
    ("got", "wanted"),
    [
        ((1, 2), [1, 2]), (math.nan, math.nan), (-0.0, 0.0), ({1, 2}, {2, 1}), ({(1, 2): "x"}, {(1, 2): "x"}),
        ({"a": {1: b"x"}}, {"a": {1: b"x"}}), (2j, 2j), ({"$set": [1]}, {1}),
        (frozenset({(1, "a")}), {(1, "a")}), ({"b": 1, "a": 2}, {"a": 2, "b": 1}),
    ],
)  # fmt: skip
def test_the_same(got, wanted):
    assert same(value(got), value(wanted))


def test_long_integers():
    assert same(value(10**5000), value(10**5000)) and not same(value(10**5000), value(10**5000 + 1))


def test_options():
    assert same(1.0, 1, integers=True) and same(1, 1.0, integers=True) and not same(1.5, 1, integers=True)
    assert not same(True, 1, integers=True) and not same(True, 1.0, integers=True)
    assert same(value({1.0}), value({1}), integers=True)
    assert not same(10**400, math.inf, tolerance=0.1, integers=True)
    assert not same(math.inf, 1.0, tolerance=math.inf)
    assert same(value({"a": [0.1 + 0.2]}), value({"a": [0.3]}), tolerance=1e-9)


def test_an_empty_table_is_an_empty_list_and_an_empty_mapping_and_nothing_else():
    empty = decode({"$empty": 0})
    assert same(empty, value([])) and same(empty, value({}))
    assert not same(empty, value([1])) and not same(empty, None) and not same(empty, value(set()))


@pytest.mark.parametrize(
    ("got", "wanted"),
    [(b"a\n\nb", "a\nb"), (b" a", "a"), (b"a b", "a  b"), (b"A", "a"), (b"\xff", "\ufffd"), (b"", "0"), (b"1.0", "1")],
)
def test_outputs_that_differ(got, wanted):
    assert not same_output(got, wanted)


def test_outputs_with_tolerance_keep_words_and_counts():
    assert same_output(b"0.3333  1", "0.33333 1", 1e-3) and same_output(b"1.0", "1", 1e-9)
    assert not same_output(b"0.3333 2", "0.33333", 1e-3) and not same_output(b"nan", "1", 1e9)
    assert not same_output(b"inf", "1", 1e9) and not same_output("١".encode(), "1", 1e-9)
    assert not same_output(b"1e999", "1", 1e300)


def test_what_is_no_data_is_refused():
    with pytest.raises(RecordError, match="type object; a test compares data"):
        encode([object()])


# Attacks: what a program may answer.


@pytest.mark.parametrize(
    "text",
    [
        "[" * 100_000, '{"a":' * 50_000, "[" * 250 + "]" * 250, "1" * 5000, "-" + "9" * 900_000, "{", "nul", "",
        '{"a": 1e}', "\ufeff1", "[1,]", '"\n"', "[" * 201 + '\\"' * 400_000, "[" * 201 + '"' + "\\\\" * 400_000,
    ],
)  # fmt: skip
def test_what_cannot_be_read_is_said_quickly(text):
    began = time.monotonic()
    with pytest.raises(ValueError):
        parse(text)
    assert time.monotonic() - began < 1.0


COLLIDE = [n * (2**61 - 1) for n in range(1, 20_000)]  # integers of one hash: a table of them takes quadratic time


@pytest.mark.parametrize(
    "judge",
    [
        lambda: same_output(b"1" * 900_000 + b"x", "2", 1e-3),
        lambda: same_output(b"1." + b"1" * 900_000 + b"e", "2", 1e-3),
        lambda: same(decode({"$set": COLLIDE}), decode({"$set": [1]})),
        lambda: same(decode({"$set": [{"$set": COLLIDE}]}), decode({"$set": [1]})),
        lambda: same(decode({"$dict": [[n, 0] for n in COLLIDE]}), decode({"$dict": [[1, 0]]})),
        lambda: same(decode({"$dict": [[[float(n)], 0] for n in COLLIDE]}), decode({"$dict": [[1, 0]]})),
        lambda: same(decode({"$set": [{"$complex": [n, 0.0]} for n in COLLIDE]}), decode({"$set": [1]})),
    ],
)
def test_no_answer_takes_long_to_judge(judge):
    began = time.monotonic()
    assert judge() is False and time.monotonic() - began < 5.0


@pytest.mark.parametrize(
    "tagged",
    [
        {"$set": 1}, {"$dict": [1]}, {"$dict": [[1]]}, {"$bytes": "x"}, {"$bytes": 1}, {"$float": "1"}, {"$float": []},
        {"$int": "1"}, {"$int": 5}, {"$int": "0x" + "g"}, {"$complex": [1]}, {"$complex": "12"},
        {"$set": [{"$set": {}}]},
    ],
)  # fmt: skip
def test_a_tag_that_is_not_well_formed_is_no_value(tagged):
    with pytest.raises(ValueError):
        decode(tagged)


def test_brackets_inside_texts_are_no_nesting():
    assert parse(json.dumps(["[" * 1000, '\\"[[' * 100])) == ["[" * 1000, '\\"[[' * 100]


def test_strange_numbers_and_texts_are_values():
    assert same(decode(parse("[NaN, Infinity]")), [math.nan, math.inf])
    assert parse('"\\ud800"') == "\ud800" and not same(parse('"\\ud800"'), "?")
    assert same(decode(parse('{"a": 1, "a": 2}')), value({"a": 2}))


@pytest.mark.parametrize("thing", ["\ud800", "a\0b", 10**5000, ["\udfff"], b"\xff", "x" * 10_000], ids=range(6))
def test_what_is_shown_can_be_stored(thing):
    text = shown(thing)
    assert text.encode() is not None and "\0" not in text and len(text) < 300
