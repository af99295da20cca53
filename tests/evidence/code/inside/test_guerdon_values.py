"""Values of the standard library by value: exact types there and back, and nothing else."""

import json
from datetime import date, datetime, time, timedelta, timezone
from decimal import Decimal
from fractions import Fraction
from pathlib import PurePosixPath
from uuid import UUID
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from guerdon.evidence.code.inside.guerdon_values import builtin, made_of, parts_of

ZONES = st.none() | st.timedeltas(timedelta(hours=-23), timedelta(hours=23)).map(timezone)
VALUES = st.one_of(
    st.fractions(), st.decimals(allow_nan=False), st.dates(), st.timedeltas(), st.uuids(),
    st.datetimes(timezones=ZONES), st.times(timezones=ZONES), ZONES.filter(bool),
    st.just(PurePosixPath("a/b")),
)  # fmt: skip


@given(VALUES)
def test_a_value_comes_back_as_it_was(value):
    there = made_of(json.loads(json.dumps(parts_of(value))))
    assert type(there) is type(value) and there == value and repr(there) == repr(value)


@pytest.mark.parametrize(
    "value",
    [Fraction(-1, 2), Decimal("1.50"), date(2024, 2, 29), time(1, 2, fold=1), UUID(int=7), PurePosixPath("/x")],
)
def test_parts_are_a_name_and_what_json_has_words_for(value):
    name, *rest = parts_of(value)
    assert name == type(value).__name__ and all(type(part) in (int, str) for part in rest)


class Lying(Fraction):
    """A subclass, whose word is not taken."""

    def __eq__(self, other):
        return True

    __hash__ = Fraction.__hash__


@pytest.mark.parametrize(
    "value", [Lying(1, 2), 1, "a", None, [date(1, 1, 1)], datetime(2024, 1, 1, tzinfo=ZoneInfo("UTC"))]
)
def test_subclasses_other_values_and_zones_with_a_table_do_not_go(value):
    assert parts_of(value) is None


@pytest.mark.parametrize(
    "parts",
    [["eval", "1"], ["Fraction", "1", "0"], ["date", [1]], ["date", 2024, 13, 1], ["Decimal", "x"], ["UUID", "0"],
     ["date", 1.5], ["datetime"], []],
)  # fmt: skip
def test_what_is_no_value_is_refused(parts):
    with pytest.raises((ValueError, TypeError, ArithmeticError, IndexError)):
        made_of(parts)


def test_only_types_are_had_by_name():
    assert builtin("int") is int
    for name in ("eval", "__import__", "print"):
        with pytest.raises(TypeError):
            builtin(name)
