"""STL: against the definition written out, worked numbers, and what is left unscored."""

import math
import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from guerdon.batch import Batch, Column
from guerdon.errors import ShapeError
from guerdon.evidence import observe
from guerdon.evidence.logic.parsing import FormulaError
from guerdon.evidence.logic.signals import Predicate
from guerdon.evidence.logic.stl import (
    Always,
    And,
    Constant,
    Eventually,
    Not,
    Or,
    Until,
    Window,
    parse_stl,
    robustness,
    robustness_so_far,
    signals_of,
    stl,
)

windows = st.builds(lambda a, w: Window(a, a + w), st.integers(0, 4), st.sampled_from([0, 1, 2, 5, math.inf]))
atoms = st.sampled_from([Predicate((("x", 1.0),)), Predicate((("y", -1.0),), 1.0), Predicate((("x", 1.0), ("y", 2.0))),
                         Predicate((("x", 1.0),), 0.0, False, True), Constant(True), Constant(False)])  # fmt: skip
formulas = st.recursive(
    atoms,
    lambda inner: st.one_of(
        st.builds(Not, inner),
        st.builds(lambda a, b: And((a, b)), inner, inner),
        st.builds(lambda a, b: Or((a, b)), inner, inner),
        st.builds(Always, inner, windows),
        st.builds(Eventually, inner, windows),
        st.builds(Until, inner, inner, windows),
    ),
    max_leaves=5,
)
plays = st.lists(
    st.lists(st.tuples(*[st.integers(-3, 3).map(float)] * 2), min_size=1, max_size=9), min_size=1, max_size=4
)


def brute(f, x, y, t):
    """The definition, one trajectory, one step."""
    end = len(x)
    inside = lambda w: range(t + w.start, int(min(t + w.end, end - 1)) + 1)  # noqa: E731
    match f:
        case Predicate():
            return float(f.margin({"x": x[t : t + 1], "y": y[t : t + 1]})[0])
        case Constant(value):
            return math.inf if value else -math.inf
        case Not(part):
            return -brute(part, x, y, t)
        case And(parts):
            return min(brute(p, x, y, t) for p in parts)
        case Or(parts):
            return max(brute(p, x, y, t) for p in parts)
        case Always(part, w):
            return min((brute(part, x, y, s) for s in inside(w)), default=math.inf)
        case Eventually(part, w):
            return max((brute(part, x, y, s) for s in inside(w)), default=-math.inf)
        case Until(hold, then, w):
            return max(
                (min([brute(then, x, y, s), *(brute(hold, x, y, r) for r in range(t, s))]) for s in inside(w)),
                default=-math.inf,
            )


def flat(plays):
    x, y = np.array([step for play in plays for step in play]).T
    return {"x": x, "y": y}, np.repeat(np.arange(len(plays)), [len(p) for p in plays])


# Laws.


@settings(max_examples=120, deadline=None)
@given(formulas, plays)
def test_robustness_is_the_definition_at_every_step(formula, plays):
    wanted = [brute(formula, *np.array(play).T, t) for play in plays for t in range(len(play))]
    np.testing.assert_array_equal(robustness(formula, *flat(plays)), wanted)


@settings(max_examples=80, deadline=None)
@given(formulas, plays)
def test_so_far_is_the_definition_on_each_prefix(formula, plays):
    wanted = [brute(formula, *np.array(play[:k]).T, 0) for play in plays for k in range(1, len(play) + 1)]
    np.testing.assert_array_equal(robustness_so_far(formula, *flat(plays)), wanted)


@given(formulas, plays)
def test_text_forms_of_not_and_or_are_dual(formula, plays):
    given = flat(plays)
    np.testing.assert_array_equal(robustness(Not(formula), *given), -robustness(formula, *given))


@pytest.mark.parametrize("width", [1, 2, 3, 7, 50, 199, 200, 201, 10**6])
def test_long_windows_agree_with_a_plain_maximum(width):
    x = np.random.default_rng(width).normal(size=200)
    found = robustness(f"F[3,{3 + width - 1}] x > 0", {"x": x}, np.zeros(200, int))
    wanted = [max(x[t + 3 : t + 3 + width], default=-math.inf) for t in range(200)]
    np.testing.assert_array_equal(found, wanted)


# Worked examples.


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("x > 1", 0.0), ("G x > 0", 1.0), ("F[1,2] x >= 2", 1.0), ("G[0,1] x < 2.5", 0.5), ("x == 1", 0.0),
        ("F x == 2.5", -0.5), ("x > 0 U y > 0", 1.0), ("x > 0 until[0,1] y > 0", -1.0), ("not F x > 9", 6.0),
        ("x > 0 -> y > 0", -1.0), ("2*x - y + 1 > 0", 4.0), ("F[5,9] x > 0", -math.inf), ("G[5,9] x > 0", math.inf),
        ("y > 0 | x > 0 & x > 5", -1.0), ("true & x > 0", 1.0), ("F[0,inf](x > 2 & y < 0)", 0.0), ("F y", 1.0),
        ("□ x > 0 ∧ ◇ ¬ (x < 2)", 1.0), ("x > 0 <-> y < 0", 1.0), ("F G[0,0] x > 2", 1.0),
    ],
)  # fmt: skip
def test_worked(text, wanted):
    given = {"x": np.array([1.0, 2.0, 3.0]), "y": np.array([-1.0, -1.0, 1.0])}
    assert robustness(text, given, np.zeros(3, int))[0] == wanted


def test_names_may_be_those_of_facts():
    assert signals_of(parse_stl("G judge/score > 0.5 & F G_force > 1")) == ("G_force", "judge/score")


def test_differences_of_so_far_pay_for_progress():
    gap = np.array([4.0, 2.0, 3.0, 0.5])
    found = robustness_so_far("F[0,9] gap < 1", {"gap": gap}, np.zeros(4, int))
    np.testing.assert_array_equal(found, [-3.0, -1.0, -1.0, 0.5])


# The observer.


def test_unscored_where_a_signal_is_missing_or_the_play_failed():
    batch = Batch.from_steps(group=[0] * 4, trajectory=[0, 0, 1, 2], reward=[0.0] * 4)
    batch = batch.with_columns(
        x=Column.of("step", [1.0, None, 2.0, 3.0]), failed=Column.of("trajectory", np.array([False, False, True]))
    )
    assert observe(batch, [stl("G x > 0")])["stl"].tolist() == [None, 2.0, None]
    assert observe(batch, [stl("G x > 0", level="step")])["stl"].tolist() == [None, None, 2.0, None]
    assert "'y'" in observe(batch, [stl("y > 0")])["stl/cause"].tolist()[0]


def test_the_last_step_so_far_is_the_trajectory():
    batch = Batch.from_steps(group=[0] * 5, trajectory=[0, 0, 0, 1, 1], reward=[0.0] * 5)
    batch = batch.with_columns(x=Column.of("step", [1.0, -1.0, 5.0, 2.0, 2.5]))
    whole = stl("F[1,9] x > 0").observe(batch)["stl"].values
    steps = stl("F[1,9] x > 0", level="step", so_far=True).observe(batch)["stl"].values
    np.testing.assert_array_equal(steps[[2, 4]], whole)
    np.testing.assert_array_equal(stl("F[1,9] x > 0", so_far=True).observe(batch)["stl"].values, whole)


def test_a_play_without_steps_is_unscored():
    batch = Batch(np.zeros(0, int), np.array([1]), np.array([0, 0]), {"x": Column.of("step", [1.0])})
    assert stl("G x > 0").observe(batch)["stl"].tolist() == [None, 1.0]


def test_versions_tell_formulas_apart():
    assert stl("F x > 0").version == stl("F[0,inf]  x>0").version != stl("F x > 1").version


# Bad and hostile formulas.


@pytest.mark.parametrize(
    "text",
    ["", "(", ")", "x >", "G", "x y", "x > 1 &", "F[3,1] x > 0", "F[-1,2] x", "1 > 0", "(x", "x $ y", "()",
     "G[0,1]", "!" * 100 + "x", "(" * 3000 + "x" + ")" * 3000 + "!", "G " * 5000 + "x", "x & " * 10_000,
     "x->" * 100 + "x"],
)  # fmt: skip
def test_what_is_no_formula_is_refused(text):
    with pytest.raises(FormulaError, match="parse"):
        parse_stl(text)


def test_a_long_chain_is_flat_and_brackets_alone_are_not_deep():
    assert len(parse_stl(" & ".join(["x > 0"] * 2000)).parts) == 2000
    assert parse_stl("(" * 5000 + "x" + ")" * 5000) == parse_stl("x")


def test_a_signal_that_is_not_there_is_named():
    with pytest.raises(ShapeError, match="'x'"):
        robustness("x > 0", {}, np.zeros(2, int))


def test_linear_in_the_steps_whatever_the_window():
    x = np.random.default_rng(0).normal(size=400_000)
    by = np.repeat(np.arange(400), 1000)
    began = time.process_time()
    robustness("G[0,300] F[0,700] x > 0", {"x": x}, by)
    assert time.process_time() - began < 3


@pytest.mark.parametrize(
    "text", ["F[-1,2] x>0", "F[2,1] x>0", "F[1.5,2] x>0", "F[0,99999999999] x>0", "x >", "x>0)", "2>1", "x>>0",
             "F " * 100 + "x>0", "x>0 & " * 200_000 + "x>0"], ids=range(10),
)  # fmt: skip
def test_windows_and_formulas_that_cannot_be_are_refused(text):
    with pytest.raises(FormulaError):
        parse_stl(text)


def test_no_steps_nan_and_infinity():
    nothing, one = np.zeros(0), np.zeros(4, int)
    assert robustness("F x>0", {"x": nothing}, nothing.astype(int)).shape == (0,)
    x = {"x": np.array([1.0, np.nan, 3.0, 4.0])}
    assert np.isnan(robustness("G F x>0", x, one)[:2]).all()  # and the observer leaves such a play unscored
    assert robustness("G[5,9] x>0", x, one).tolist() == [np.inf] * 4
    assert robustness("F[5,999999999] x>0", x, one).tolist() == [-np.inf] * 4
