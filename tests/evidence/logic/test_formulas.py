"""Reading formulas: both logics, ASCII and Unicode, and what is refused."""

import pytest

from guerdon.evidence.logic.formulas import (
    Atom,
    Not,
    Quantified,
    nesting,
    parse_first_order,
    parse_propositional,
    symbols,
)
from guerdon.evidence.logic.parsing import FormulaError


@pytest.mark.parametrize(
    ("a", "b"),
    [("p & q | r", "(p ∧ q) ∨ r"), ("~p -> q", "(¬p) => q"), ("p -> q -> r", "p -> (q -> r)"),
     (r"\lnot p", "!p"),
     ("p <-> q -> r", "p <-> (q -> r)"), ("[p] && (q)", "p and q")],
)  # fmt: skip
def test_the_same_formula(a, b):
    assert parse_propositional(a) == parse_propositional(b)


def test_quantifiers_bind_as_closely_as_negation():
    assert parse_first_order("∀x P(x) ∧ q").left == Quantified(True, "x", Atom("P", ("x",)))
    assert parse_first_order("∀x: ∃y. ¬R(x, f(y))").part.part == Not(Atom("R", ("x", ("f", "y"))))
    assert nesting(parse_first_order("∀x ∃y R(x, y) ∧ ∀z P(z)")) == 2


def test_symbols_take_one_number_of_terms():
    assert symbols(parse_first_order("P(f(a)) & q")) == {
        ("predicate", "P"): 1, ("function", "f"): 1, ("function", "a"): 0, ("predicate", "q"): 0
    }  # fmt: skip
    with pytest.raises(FormulaError, match="one number"):
        symbols(parse_first_order("P(a) & P(a, b)"))
