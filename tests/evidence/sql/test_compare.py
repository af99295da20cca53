"""same_result and what it is made of: laws against a slow matching, and each kind of value."""

import datetime
import decimal
import itertools
import time
import uuid

import pytest
from hypothesis import given
from hypothesis import strategies as st

from guerdon.evidence.sql.compare import (
    Comparison,
    Table,
    agreement,
    any_order,
    by_name,
    plain,
    same_result,
    same_value,
)

values = st.sampled_from(
    [None, 0, 1, 2, 0.0, 0.1, 0.2, 0.3, 0.4, 1.0, float("nan"), float("inf"), "a", "1", b"a", True]
)
rows = st.lists(st.tuples(values, values), max_size=5)
floats = st.lists(
    st.tuples(st.integers(0, 12).map(lambda i: i / 10), st.integers(0, 12).map(lambda i: i / 10)), max_size=5
)


def slow(a, b, tolerance):
    """The most rows paired, over every pairing there is."""
    short, long = sorted((a, b), key=len)
    return max(
        sum(all(same_value(plain(x), plain(y), tolerance) for x, y in zip(r, s)) for r, s in zip(short, chosen))
        for chosen in itertools.permutations(long, len(short))
    )


# Laws.


@given(rows)
def test_a_result_is_its_own_in_any_order(given):
    assert same_result(given, given[::-1]) and same_result(given, list(given), ordered=True)
    assert same_result(given, given * 2, duplicates=False)


@given(rows, rows, st.sampled_from([0.0, 0.15, 0.6]))
def test_the_matching_is_the_largest_there_is(a, b, tolerance):
    found = agreement(Table(a), Table(b), Comparison(tolerance=tolerance))
    assert found.matched == slow(a, b, tolerance)
    assert found.same == (len(a) == len(b) == found.matched)


@given(floats, floats)
def test_the_matching_is_the_largest_also_where_all_are_near(a, b):
    assert agreement(Table(a), Table(b), Comparison(tolerance=0.15)).matched == slow(a, b, 0.15)


@given(rows, rows, st.booleans(), st.booleans())
def test_sameness_is_symmetric(a, b, ordered, duplicates):
    assert same_result(a, b, ordered, 1e-6, duplicates) == same_result(b, a, ordered, 1e-6, duplicates)


@given(st.lists(st.tuples(values, values, values), min_size=1, max_size=4), st.permutations(range(3)))
def test_any_order_finds_the_columns(given, order):
    moved = [tuple(row[i] for i in order) for row in given]
    assert agreement(Table(moved), Table(given), Comparison(columns=any_order)).same


# Values.


@pytest.mark.parametrize(
    ("a", "b"),
    [(1, 1.0), (True, 1), (False, 0.0), (decimal.Decimal("1.50"), 1.5), (decimal.Decimal("2.00"), 2), (2**80, 2.0**80),
     (float("nan"), float("nan")), (float("inf"), float("inf")), (None, None), (0.1 + 0.2, 0.3), (1e300, 1e300),
     (datetime.date(2024, 2, 29), "2024-02-29"), (datetime.datetime(2024, 2, 29, 1), "2024-02-29 01:00:00"),
     (uuid.UUID(int=1), str(uuid.UUID(int=1))), (b"a", bytearray(b"a")), ([1, 2], (1, 2)), (1e9, 1e9 + 100)],
)  # fmt: skip
def test_same(a, b):
    assert same_result([(a,)], [(b,)])


@pytest.mark.parametrize(
    ("a", "b"),
    [(1, 2), ("1", 1), (None, 0), (None, ""), (None, "NULL"), (float("nan"), None), (2**53, 2**53 + 1), ("a", "A"),
     ("a", "a "), (b"a", "a"), (float("inf"), -float("inf")), (float("inf"), 1e308), (0, 1e-5), ([1, 2], [2, 1]),
     (10**400, 10**400 + 1), (10**400, "inf")],
)  # fmt: skip
def test_different(a, b):
    assert not same_result([(a,)], [(b,)])


def test_rows_of_different_widths_differ_and_empty_results_are_the_same():
    assert not same_result([(1,)], [(1, 2)]) and not same_result([], [(1,)]) and same_result([], [])


def test_of_equal_names_the_first_is_the_first():
    said, wanted = Table([(1, 2, 3)], ("a", "b", "A")), Table([(2, 1, 3)], ("B", "a", "a"))
    assert agreement(said, wanted, Comparison(columns=by_name)).same
    assert not agreement(said, Table([(1, 2)], ("a", "b")), Comparison(columns=by_name)).same


# Attacks on the comparison itself.


def test_ten_thousand_rows_within_the_tolerance_of_each_other_are_compared_in_time():
    a = [(i * 1e-9, (9999 - i) * 1e-3) for i in range(10_000)]
    began = time.monotonic()
    assert agreement(Table(a[::-1]), Table(a)).same
    assert agreement(Table([(x, y + 0.5) for x, y in a]), Table(a)).said == 10_000
    assert time.monotonic() - began < 10


def test_columns_that_fit_no_arrangement_are_given_up():
    a = Table([tuple(range(20)), tuple(range(20))])
    b = Table([tuple(range(20)), tuple(range(1, 21))])
    assert not agreement(a, b, Comparison(columns=any_order)).same
