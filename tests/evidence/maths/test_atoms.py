"""Names, brackets, commands."""

from __future__ import annotations

from fractions import Fraction

from guerdon.evidence.maths.parse import parse


def test_subscripts_dashes_and_bare_arguments():
    assert parse("a_{12}") == ("s", "a_12")
    assert parse("f'") == ("s", "f'")
    assert parse(r"\frac13") == ("/", ("n", Fraction(1), None), ("n", Fraction(3), None))
    assert parse(r"\sqrt[3]{8}") == parse("∛8") == parse(r"\cbrt{8}")


def test_sets_of_numbers_and_sets_by_a_rule():
    assert parse(r"\mathbb{R}") == parse(r"\R") == parse(r"(-\infty,\infty)")
    assert parse(r"\mathbb{Z}") == ("s", r"\mathbb{Z}")
    for text in (r"\{x : x>2\}", r"\{x\mid x>2\}", r"\{x\in\mathbb{R} \mid x>2\}", r"\{x\in\R : x>2\}"):
        assert parse(text) == parse("x>2")
