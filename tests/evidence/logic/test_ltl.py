"""LTLf: the automaton against the definition on every trace, progress, and what is settled."""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from guerdon.batch import Batch, Column
from guerdon.evidence import observe
from guerdon.evidence.logic.ltl import (
    And,
    Constant,
    Next,
    Not,
    Or,
    Release,
    Until,
    WeakNext,
    automaton,
    ltlf,
    parse_ltlf,
    progressed,
)
from guerdon.evidence.logic.parsing import FormulaError
from guerdon.evidence.logic.signals import Predicate

A, B = (Predicate(((name, 1.0),)) for name in "ab")
formulas = st.recursive(
    st.sampled_from([A, B, Constant(True), Constant(False)]),
    lambda inner: st.one_of(
        *[st.builds(kind, inner) for kind in (Not, Next, WeakNext)],
        *[st.builds(lambda a, b, kind=kind: kind((a, b)), inner, inner) for kind in (And, Or)],
        *[st.builds(kind, inner, inner) for kind in (Until, Release)],
    ),
    max_leaves=5,
)
letters = st.sets(st.sampled_from([A, B])).map(frozenset)
LETTERS = [frozenset(c) for k in range(3) for c in itertools.combinations([A, B], k)]


def satisfied(formula, letters, at=0):
    """The definition over a trace that is not empty, written out: of each step, the atoms that hold."""
    n = len(letters)
    match formula:
        case Predicate():
            return formula in letters[at]
        case Constant(value):
            return value
        case Not(part):
            return not satisfied(part, letters, at)
        case And(parts):
            return all(satisfied(p, letters, at) for p in parts)
        case Or(parts):
            return any(satisfied(p, letters, at) for p in parts)
        case Next(part):
            return at + 1 < n and satisfied(part, letters, at + 1)
        case WeakNext(part):
            return at + 1 >= n or satisfied(part, letters, at + 1)
        case Until(hold, then):
            return any(
                satisfied(then, letters, t) and all(satisfied(hold, letters, s) for s in range(at, t))
                for t in range(at, n)
            )
        case Release(free, then):
            return not satisfied(Until(Not(free), Not(then)), letters, at)


def state_after(made, trace):
    state = 0
    for letter in trace:
        state = made.next[state, sum(1 << i for i, atom in enumerate(made.atoms) if atom in letter)]
    return state


# Laws.


@settings(max_examples=150, deadline=None)
@given(formulas, st.lists(letters, min_size=1, max_size=6))
def test_the_automaton_accepts_what_satisfies_the_formula(formula, trace):
    made = automaton(formula)
    assert made.accepting[state_after(made, trace)] == satisfied(formula, trace)


@settings(max_examples=40, deadline=None)
@given(formulas, st.lists(letters, min_size=1, max_size=2))
def test_settled_and_distance_are_what_continuations_say(formula, trace):
    made = automaton(formula)
    state = state_after(made, trace)
    rests = {k: [satisfied(formula, trace + list(r)) for r in itertools.product(LETTERS, repeat=k)] for k in range(4)}
    shortest = next((k for k, found in rests.items() if any(found)), None)
    if shortest is not None:
        assert made.distance[state] == shortest and made.settled[state] >= 0
    if made.settled[state] == 1:
        assert all(all(found) for found in rests.values())
    if made.settled[state] == -1:
        assert not any(any(found) for found in rests.values())


@given(formulas)
def test_progress_is_one_exactly_where_accepting(formula):
    made = automaton(formula)
    assert ((made.progress == 1) == made.accepting).all() and (made.progress >= 0).all()
    assert (made.progress[made.settled == -1] == 0).all()


# Worked examples.


@pytest.mark.parametrize(
    ("text", "a", "wanted"),
    [
        ("F a", [0, 0, 1], [0, 0, 1]), ("G a", [1, 1, 0], [0, 0, -1]), ("X a", [0, 1], [0, 1]),
        ("X a", [0, 0], [0, -1]),
        ("F a & G !a", [0], [-1]), ("G F a", [1, 0], [0, 0]), ("a | !a", [0], [1]), ("N false", [0, 1], [0, -1]),
        ("a U b", [1, 0], [0, -1]), ("F G (x > 2)", [3, 1], [0, 0]),
    ],
)  # fmt: skip
def test_what_is_settled_at_each_step(text, a, wanted):
    signals = {"a": np.array(a), "b": np.zeros(len(a)), "x": np.array(a)}
    made, state = progressed(text, signals, np.zeros(len(a), int))
    assert made.settled[state].tolist() == wanted


def test_three_goals_in_order_are_three_parts_of_progress():
    batch = Batch.from_steps(group=[0] * 7, trajectory=[0] * 4 + [1] * 3, reward=[0.0] * 7)
    batch = batch.with_columns(
        a=Column.of("step", [0, 1, 0, 0, 0, 0, 0]), b=Column.of("step", [0, 0, 1, 0, 1, 0, 0]),
        c=Column.of("step", [0, 0, 0, 1, 1, 1, 1]), trap=Column.of("step", [0, 0, 0, 0, 0, 1, 0]),
    )  # fmt: skip
    seen = observe(batch, [ltlf("F (a & X F (b & X F c)) & G !trap")])
    assert seen["ltlf"].tolist() == [1.0, 0.0]
    np.testing.assert_allclose(seen["ltlf/progress"].values, [0, 1 / 3, 2 / 3, 1, 0, 0, 0])
    assert seen["ltlf/settled"].tolist() == [0, 0, 0, 0, 0, -1, -1]


def test_unscored_where_a_column_is_missing_the_play_failed_or_has_no_steps():
    batch = Batch(np.zeros(0, int), np.array([0, 1, 2]), np.zeros(4, int), {
        "a": Column.of("step", [1.0, None, 1.0]),
        "failed": Column.of("trajectory", np.array([False, False, True, False])),
    })  # fmt: skip
    assert observe(batch, [ltlf("F a")])["ltlf"].tolist() == [1.0, None, None, None]
    assert "'b'" in observe(batch, [ltlf("F b")])["ltlf/cause"].tolist()[0]


# Bad and hostile formulas.


@pytest.mark.parametrize(
    "text",
    ["", "F", "a U", "U a", "F[0,3] a", "a b", "(" * 99, "X " * 5000 + "a",
     " & ".join(f"F a{i}" for i in range(20)),
     " & ".join("F (" + " & X ".join(f"(a{i % 8} U a{(i + j) % 8}" for i in range(9)) + ")" * 9 + ")"
                for j in range(9)),

     "X (" * 30 + "a" + " U b)" * 30 + "$"],
)  # fmt: skip
def test_what_is_too_large_or_no_formula_is_refused(text):
    with pytest.raises(FormulaError):
        automaton(parse_ltlf(text))
