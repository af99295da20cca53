"""equivalent: what agrees, what does not, what is unscored; hostile formulas."""

import itertools
import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from guerdon.evidence.logic.equivalence import TruthTables, agreement, balanced, equivalent, truth_table
from guerdon.evidence.logic.formulas import TABLES, Atom, Constant, Join, Not

formulas = st.recursive(
    st.sampled_from([Atom("p"), Atom("q"), Atom("r"), Constant(True)]),
    lambda inner: st.one_of(
        st.builds(Not, inner), st.builds(Join, st.sampled_from(list(TABLES.values())), inner, inner)
    ),
    max_leaves=8,
)


def value(formula, row):
    match formula:
        case Atom(name):
            return row[name]
        case Constant(v):
            return v
        case Not(part):
            return not value(part, row)
        case Join(table, a, b):
            return table[2 * value(a, row) + value(b, row)]


def tables(said, wanted, **options):
    return equivalent(**options).grade(said, wanted)


# Laws.


@settings(deadline=None)
@given(formulas, formulas)
def test_agreement_is_the_share_of_rows(a, b):
    rows = [dict(zip("pqr", bits)) for bits in itertools.product([False, True], repeat=3)]
    same = [value(a, row) == value(b, row) for row in rows]
    found = truth_table(a, b)
    assert found.agreement == pytest.approx(np.mean(same)) and found.exact == all(same)
    assert truth_table(b, a).agreement == pytest.approx(found.agreement)


@settings(deadline=None)
@given(formulas)
def test_a_constant_answer_gets_half_of_balanced(a):
    rows = [value(a, dict(zip("pqr", bits))) for bits in itertools.product([False, True], repeat=3)]
    if any(rows) and not all(rows):
        assert truth_table(Constant(True), a).balanced == truth_table(Constant(False), a).balanced == 0.5


# Propositional.


@pytest.mark.parametrize(
    ("said", "wanted"),
    [
        ("p -> q", "¬p ∨ q"), ("~(p & q)", "!p || !q"), ("p iff q", "(p → q) ∧ (q → p)"),
        ("p -> q -> r", "(p & q) -> r"),
        ("p xor q", "p ⊕ q"), ("true", "p or not p"), (r"p \land q", "q and p"), ("p | q & r", "p | (q & r)"),
        ("[p ∧ (q)]", "p && q"), ("p & (q | ~q)", "p"), ("a <-> b <-> c", "a <-> (b <-> c)"),
    ],
)  # fmt: skip
def test_equivalent(said, wanted):
    found = tables(said, wanted)
    assert found.value == 1.0 and found.facts["balanced"] == 1.0


@pytest.mark.parametrize(
    ("said", "wanted", "share"),
    [("q -> p", "p -> q", 0.5), ("p", "q", 0.5), ("p & q", "p | q", 0.5), ("~p", "p", 0.0), ("true", "p | q", 0.75)],
)  # fmt: skip
def test_not_equivalent(said, wanted, share):
    assert (tables(said, wanted).value, tables(said, wanted, measure=agreement).value) == (0.0, share)


def test_a_nearly_constant_answer_is_not_paid_by_balanced_agreement():
    assert tables("true", "p | q", measure=balanced).value == 0.5


def test_names_may_be_bound():
    assert tables("rain -> wet", "p -> q").value == 0.0
    assert tables("rain -> wet", "p -> q", bind=True).value == 1.0
    assert tables("wet & p & x", "p & q", bind=True).value == 0.0
    assert tables("q -> p", "p -> q", bind=True).value == 0.0


@pytest.mark.parametrize(
    "said",
    ["", "p ->", "the sky is blue", "p & & q", "(" * 10_000, "~" * 10_000 + "p", "p" * 2_000_000, "p & " * 4000 + "p(",
     " & ".join(f"x{i}" for i in range(40)), "∀x P(x)", "p \x00 q", "(" * 6000 + "p" + ")" * 6000 + "q", "\ud800"],
)  # fmt: skip
def test_an_answer_that_cannot_be_read_is_worth_nothing(said):
    began = time.monotonic()
    found = tables(said, "p -> q")
    assert found.value == 0.0 and found.facts["why"] and time.monotonic() - began < 2


@pytest.mark.parametrize("wanted", ["", "p ->", " & ".join(f"x{i}" for i in range(20))])
def test_a_reference_that_cannot_be_read_is_unscored(wanted):
    assert tables("p", wanted).value is None


def test_thousand_bindings_are_the_most_and_take_no_time():
    names = [f"a{i}" for i in range(7)]
    began = time.monotonic()
    tables(" & ".join(names), " | ".join(f"b{i}" for i in range(7)), bind=True)
    assert time.monotonic() - began < 5


def test_versions_tell_options_apart_and_are_the_same_each_time():
    assert equivalent().version == equivalent().version != equivalent(bind=True).version
    assert " at 0x" not in equivalent().version


# Long formulas.


@pytest.mark.parametrize(
    ("said", "wanted"),
    [
        (" & ".join(["p"] * 4000), "p"), (" xor ".join(["p"] * 3001), "p"), (" <-> ".join(["p"] * 3001), "p"),
        (" & ".join(["(p | q)"] * 1900), "p | q"), (" | ".join(f"p{i % 14}" for i in range(3000)), "~(" + " & ".join(
            f"~p{i}" for i in range(14)) + ")"), (" " * 19_999 + "p", "p"),
    ],
    ids=range(6),
)  # fmt: skip
def test_a_long_chain_is_not_deep(said, wanted):
    began = time.monotonic()
    assert equivalent().grade(said, wanted).value == 1.0 and time.monotonic() - began < 4


def test_many_bindings_of_a_long_formula_take_no_time():
    said = " & ".join(f"q{i % 7}" for i in range(3300))
    began = time.monotonic()
    found = TruthTables(bind=True)(said, " | ".join(f"p{i}" for i in range(7)))
    assert found.value == 0.0 and time.monotonic() - began < 6


@pytest.mark.parametrize(
    "said", ["\u0440", "\uff50", "p\0", "\ud800", "p q", "(" * 9999, "~" * 9999 + "p", "p & " * 9, "\U0001f600"]
)
def test_look_alikes_and_bombs_are_worth_nothing(said):
    assert equivalent().grade(said, "p").value == 0.0


def test_a_reference_that_is_missing_is_unscored():
    assert equivalent().grade("None", None).value is None
