"""equivalent_first_order: what is equivalent, what is not, what is unscored; hostile formulas."""

import sys
import time

import pytest

from guerdon.batch import Batch, Column
from guerdon.evidence import observe
from guerdon.evidence.logic.first_order import equivalent_first_order


def solver(said, wanted, seconds=2.0):
    return equivalent_first_order(seconds=seconds).grade(said, wanted)


@pytest.mark.parametrize(
    ("said", "wanted"),
    [
        ("∀x (Dog(x) → Animal(x))", "forall y. (~Animal(y) -> ~Dog(y))"), ("¬∃x P(x)", "∀x ¬P(x)"),
        ("exists x (P(x) & exists y Q(y))", "(exists x P(x)) & (exists y Q(y))"),
        ("Loves(mary, john)", "Loves(mary, john)"),
        ("∀x ∀y (x = y → f(x) = f(y))", "true"), ("∀x (P(x) ∧ Q(x))", "∀x P(x) ∧ ∀x Q(x)"), ("a != b", "¬(a = b)"),
        ("∀x (P(x) ⊕ Q(x))", "∀x (P(x) ↔ ¬Q(x))"), ("∀x P(x) → P(a)", "⊤"), ("∃x ∀y R(x, y) → ∀y ∃x R(x, y)", "true"),
        ("∀x (P(f(g(x))))", "∀x P(f(g(x)))"), ("raining -> wet", "~wet -> ~raining"),
    ],
)  # fmt: skip
def test_equivalent_first_order(said, wanted):
    assert solver(said, wanted).value == 1.0


@pytest.mark.parametrize(
    ("said", "wanted"),
    [
        ("∀x (Dog(x) ∧ Animal(x))", "∀x (Dog(x) → Animal(x))"), ("∃x P(x)", "∀x P(x)"), ("P(a)", "P(b)"),
        ("∀x ∃y R(x, y)", "∃y ∀x R(x, y)"), ("Hund(a)", "Dog(a)"), ("Loves(mary, john)", "Loves(john, mary)"),
        ("∀x P(x", "∀x P(x)"), ("", "P(a)"), ("P(a, b)", "P(a)"), ("P(", "P(a)"), ("∀ P", "∀x P(x)"), ("P(x,)", "P(x)"),
        ("P(" * 3000 + "a" + ")" * 3000, "P(a)"), ("∀x " * 3000 + "P(x)", "P(a)"), ("P(a)" * 99999, "P(a)"),
        ("P(" + "a," * 5000 + "a)", "P(a)"), ("P(f(x)) & f(x, y) = x", "P(a)"),
    ],
)  # fmt: skip
def test_not_equivalent_first_order(said, wanted):
    found = solver(said, wanted)
    assert found.value == 0.0 and found.facts["why"]


def test_unscored_where_the_reference_cannot_be_read_or_z3_does_not_decide():
    assert solver("P(a)", "P(").value is None and solver("P(a)", "P(a) & P(a, b)").value is None
    hard = "∀x ∀y ∀z m(m(x, y), z) = m(x, m(y, z)) ∧ ∀x m(e, x) = x ∧ ∀x m(i(x), x) = e ∧ ∀x m(x, x) = e"
    began = time.monotonic()
    found = solver(hard, hard.replace("∀x m(x, x) = e", "∀x ∀y (m(x, y) = m(y, x) ∧ ∃z (m(z, z) = z ∧ z != x))"), 0.3)
    assert found.value in (None, 0.0) and time.monotonic() - began < 5


def test_without_z3_the_cause_names_the_extra(monkeypatch):
    monkeypatch.setitem(sys.modules, "z3", None)
    assert "guerdon[logic]" in solver("P(a)", "P(a)").cause


def test_the_observer():
    batch = Batch.from_steps(
        group=[0] * 3, trajectory=[0, 1, 2], reward=[0.0] * 3, action=["p", "∃x P(x)", "¬∀x ¬P(x)"]
    )
    batch = batch.with_columns(reference=Column.of("trajectory", ["∃x P(x)"] * 3))
    assert observe(batch, [equivalent_first_order("fol")])["fol"].tolist() == [0.0, 1.0, 1.0]


@pytest.mark.parametrize(
    ("said", "wanted", "value"),
    [
        (" <-> ".join(f"P(a{i})" for i in range(40)), "P(a0)", 0.0),
        (" xor ".join(f"P(a{i})" for i in range(50)), "P(a0)", 0.0),
        (" <-> ".join(f"P(a{i})" for i in range(30)), " <-> ".join(f"P(a{i})" for i in reversed(range(30))), 1.0),
        (" & ".join(["P"] * 4000), "P", 1.0),
        ("forall x (P(x) & exists x Q(x))", "(forall x P(x)) & exists y Q(y)", 1.0),
        ("P(" + "f(" * 100 + "x" + ")" * 101, "P(x)", 0.0), ("P(" * 3000, "P(x)", 0.0), ("P(x)" * 4000, "P(x)", 0.0),
        ("true", "forall x (P(x) | ~P(x))", 1.0), ("P(a) & P(a, b)", "P(a)", 0.0),
    ],
    ids=range(10),
)  # fmt: skip
def test_long_and_odd_formulas_are_decided(said, wanted, value):
    assert solver(said, wanted, seconds=10.0).value == value


def test_a_reference_that_is_missing_is_unscored():
    assert solver("None", None).value is None
