"""What looks like a product and is none."""

from __future__ import annotations

import pytest

from guerdon.evidence.maths.operators import factors, misread
from guerdon.evidence.maths.parse import parse
from guerdon.evidence.maths.tokens import Unreadable
from guerdon.evidence.maths.verify import check_reference, equal


# --- the quick path -----------------------------------------------------------------------------------
@pytest.mark.parametrize(
    "text",
    [r"\frac{d}{dx}x^2", r"\frac{d^2}{dx^2}x^3", r"\frac{d(x^2)}{dx}", "d/dx x^2", "d/dx(x^2)", r"{d \over dx} x",
     r"\frac{\mathrm{d}}{\mathrm{d}x}x", r"\frac{\partial f}{\partial x}", r"\frac{d}{d\theta}\theta^2", r"\int x dx",
     r"\int_0^1 f(x)dx", r"\lim_{x\to 0} f(x)", r"\sum_{k=1}^n a_k", "int x dx", "lim x", "sum k", "max(1,2)"],
)  # fmt: skip
def test_operators_are_not_read(text):
    with pytest.raises(Unreadable):
        parse(text)


@pytest.mark.parametrize(
    ("text", "same"),
    [(r"\frac{dy}{dx}", "dy/dx"), (r"\frac{d^2y}{dx^2}", "d^2y/dx^2"), (r"2\frac{dy}{dx}", "2dy/dx"),
     (r"\dfrac{dy}{dx}", r"{dy \over dx}"), (r"\frac{\partial}{2}", None), (r"\frac{d\theta}{dt}", r"d\theta/dt")],
)  # fmt: skip
def test_a_derivative_of_a_letter_is_a_name(text, same):
    if same is None:
        with pytest.raises(Unreadable):
            parse(text)
    else:
        assert equal(text, same).facts["path"] == "exact"
        assert equal(text, same).value == 1.0


@pytest.mark.parametrize("text", ["y/x", r"\frac{y}{x}", r"\frac{d}{4}", r"\frac{d^2}{4}", r"\frac{ad}{bc}", "d/4"])
def test_quotients_stay_quotients(text):
    assert parse(text)[0] == "/"
    assert not misread(text)


def test_derivatives_of_two_names_or_orders_are_two():
    for other in ("y/x", "0", "1", r"\frac{dx}{dy}", r"\frac{dz}{dx}", r"\frac{d^2y}{dx^2}", r"\frac{dy}{dt}"):
        verdict = equal(other, r"\frac{dy}{dx}")
        assert (verdict.value, verdict.facts["path"]) == (0.0, "exact")
    assert equal("2x", r"\frac{dy}{dx} = 2x").value == 1.0


def test_factors_of_what_is_none():
    assert factors(("s", "x")) == (("s", "x"),)


# --- the checker ----------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("answer", "reference", "value"),
    [
        ("2x", r"\frac{d}{dx}x^2", 1),
        ("x", r"\frac{d}{dx}x^2", 0),
        (r"\frac{d^2}{dx^2}x^3", "6x", 0),
        ("6x", r"\frac{d^2}{dx^2}x^3", None),
        ("x", "d/dx x^2", None),
        ("2x", "d/dx x^2", None),
        ("0", r"\frac{d}{dx}y", None),
        ("0", r"\frac{\mathrm{d}y}{\mathrm{d}x}", None),
        ("0", r"\frac{\partial f}{\partial x}", None),
        (r"\frac{d}{dx}y", "0", 0),
        ("f/2", r"\int_0^1 f(x) dx", 0),
        ("x", r"\lim_{x\to 0} f(x)", 0),
        ("nf", r"\sum_{k=1}^n f(k)", 0),
        ("intdx^2", "int x dx", None),
        ("1", r"\gcd(a,b)", None),
        ("10", "10 mod 3", None),
    ],
)
def test_what_the_checker_would_misread_is_unscored_or_nought(answer, reference, value):
    verdict = equal(answer, reference, deadline=30.0)
    assert verdict.value == value
    assert value is not None or "the reference could not be read" in verdict.cause


def test_a_reference_that_would_be_misread_is_refused_at_load():
    assert check_reference(r"\frac{d^2}{dx^2}x^3")
    assert not check_reference(r"\frac{dy}{dx}")
