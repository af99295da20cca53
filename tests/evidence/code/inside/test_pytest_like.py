"""The few names of pytest that unit-test files may use."""

import math
from decimal import Decimal
from fractions import Fraction

import pytest

from guerdon.evidence.code.inside import pytest_like as like


def test_raises():
    with like.raises(ValueError, match="b.d") as seen:
        raise ValueError("bad")
    assert seen.type is ValueError and str(seen.value) == "bad"
    assert like.raises(ZeroDivisionError, lambda: 1 / 0).type is ZeroDivisionError


@pytest.mark.parametrize("text", ["", "float('good')"])
def test_raises_fails_where_nothing_fitting_is_raised(text):
    with pytest.raises(AssertionError), like.raises(ValueError, match="bad"):
        eval(text or "1")


def test_raises_lets_others_through():
    with pytest.raises(KeyError), like.raises(ValueError):
        raise KeyError


@pytest.mark.parametrize(
    ("got", "wanted"),
    [
        (0.1 + 0.2, 0.3), (1, 1.0000001), ([1.0, 2], [1, 2.0000001]), ({"a": 0.3}, {"a": 0.1 + 0.2}), ("a", "a"),
        (math.inf, math.inf), (0.0, 1e-13), (1 + 1e-9j, 1 + 0j), (0.5, 0.6), (1e-5, 0.0), ([1], [1, 2]),
        (math.inf, 1.0), ("1", 1.0),
        (Fraction(1, 3), 0.33333333), (Fraction(1, 3), 0.34), (Decimal("0.3"), Decimal("0.30000001")),
        (Decimal("0.3"), Decimal("0.31")),
    ],
)  # fmt: skip
def test_approx_is_as_pytests(got, wanted):
    try:
        theirs = got == pytest.approx(wanted)
    except TypeError:
        theirs = False
    assert (got == like.approx(wanted)) == theirs


def test_not_a_number_is_near_itself_where_asked():
    assert math.nan != like.approx(math.nan) and math.nan == like.approx(math.nan, nan_ok=True)


def test_parametrize_multiplies_rows():
    @like.mark.parametrize("a", [1, 2])
    @like.mark.parametrize("b, c", [(3, 4)])
    def f(a, b, c):
        return a

    assert f.rows == [{"b": 3, "c": 4, "a": 1}, {"b": 3, "c": 4, "a": 2}]


def test_fail():
    with pytest.raises(AssertionError, match="so"):
        like.fail("so")


@pytest.mark.parametrize("name", ["fixture", "skip", "warns", "param"])
def test_what_is_not_there_is_a_fault_of_the_file(name):
    with pytest.raises(like.Unserved, match=rf"pytest\.{name}, which is not served"):
        getattr(like, name)
    with pytest.raises(like.Unserved, match=r"mark\.skip"):
        like.mark.skip  # noqa: B018


def test_what_was_raised_is_matched():
    with like.raises(expected_exception=ValueError) as seen:
        raise ValueError("bad")
    assert seen.match("b.d")
    with pytest.raises(AssertionError):
        seen.match("good")


def test_parametrize_takes_what_pytest_does():
    def f(a):
        return a

    assert like.mark.parametrize(argnames="a", argvalues=iter([1, 2]), ids=["x", "y"], scope="module")(f).rows == [
        {"a": 1}, {"a": 2},
    ]  # fmt: skip
    with pytest.raises(like.Unserved, match="indirect"):
        like.mark.parametrize("a", [1], True)


def test_other_marks_change_nothing():
    assert like.mark.slow(len) is len and like.mark.level(3)(len) is len
