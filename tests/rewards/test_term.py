"""Terms: worked examples, the laws of the algebra, and what it refuses."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from guerdon.batch import Batch, Column
from guerdon.errors import ColumnError, LevelError, RecordError, UnscoredError
from guerdon.evidence import Reading, match, repeated, turns
from guerdon.rewards import Term, at_end, broadcast, fact, final, gate, mean, reward, spread, total
from strategies import ragged_batches

weights = st.floats(-3, 3).filter(lambda w: w == 0 or abs(w) > 1e-3)
step_terms = st.sampled_from(["reward", "progress", "closer", "action_valid"]).map(fact)


@st.composite
def compositions(draw):
    """A step term made of sums, scalings and gates, nested at random."""
    terms = draw(st.lists(step_terms, min_size=2, max_size=4))
    out = terms[0]
    for term in terms[1:]:
        out = out + draw(weights) * term
        if draw(st.booleans()):
            out = draw(weights) * out
        if draw(st.booleans()):
            out = gate(out, when=fact("milestone"))
    return out


def parts_in_order(column):
    whole = column.parts[0][1].values
    for _, part in column.parts[1:]:
        whole = whole + part.values
    return whole


def two_plays():
    """Rewards 1, 2 | 4, missing, 8; the second play failed."""
    batch = Batch.from_steps(group=[0] * 5, trajectory=[0, 0, 1, 1, 1], reward=[1.0, 2.0, 4.0, np.nan, 8.0])
    return batch.with_columns(side=Column.of("step", np.array([10.0, 20, 30, 40, 50])))


# Worked by hand.


def test_a_missing_part_makes_the_sum_missing_and_leaves_the_others():
    batch = two_plays()
    assert (fact("reward") + 2 * fact("side"))(batch).tolist() == [21.0, 42.0, 64.0, None, 108.0]


def test_step_to_trajectory_and_back():
    batch = two_plays()
    assert total(fact("side"))(batch).tolist() == [30.0, 120.0]
    assert total(fact("reward"))(batch).tolist() == [3.0, None]
    assert mean(fact("side"))(batch).tolist() == [15.0, 40.0]
    assert final(fact("reward"))(batch).tolist() == [2.0, 8.0]
    assert at_end(fact("outcome"))(batch).tolist() == [0.0, 3.0, 0.0, 0.0, None]
    assert broadcast(fact("outcome"))(batch).tolist() == [3.0, 3.0, None, None, None]


def test_a_play_that_failed_has_no_total_mean_or_final_value():
    batch = two_plays().with_columns(failed=Column.of("trajectory", np.array([False, True])))
    for read in (total, mean, final):
        assert read(fact("side"))(batch).valid.tolist() == [True, False]


def test_a_play_without_steps_sums_to_zero_and_has_no_mean_and_no_end():
    batch = Batch(np.zeros(0, int), np.array([1, 1]), np.array([0, 0]), {"x": Column.of("step", np.array([1.0, 2.0]))})
    assert total(fact("x"))(batch).tolist() == [0.0, 3.0]
    assert mean(fact("x"))(batch).tolist() == [None, 1.5]
    assert final(fact("x"))(batch).tolist() == [None, 2.0]
    assert at_end(total(fact("x")))(batch).tolist() == [0.0, 3.0]


def test_parts_are_flat_and_named_and_scaling_reaches_them():
    term = 2 * (fact("reward") + 3 * (fact("side") - fact("reward")))
    column = term(two_plays())
    assert [name for name, _ in column.parts] == ["reward", "side", "reward"]
    assert [part.values[0] for _, part in column.parts] == [2.0, 60.0, -6.0]
    assert column.values[0] == 56.0


def test_reward_puts_the_whole_and_its_parts_and_takes_old_ones_off():
    batch = reward(two_plays(), fact("reward") + fact("side") + fact("reward"))
    assert {"worth", "worth/reward", "worth/side", "worth/reward#2"} <= set(batch.columns)
    again = reward(batch, fact("side"))
    assert {name for name in again.columns if name.startswith("worth")} == {"worth", "worth/side"}
    assert again["worth"].tolist() == again["side"].tolist()


def test_observers_of_a_composition_are_their_union():
    a, b = (Reading(name, lambda batch: batch["side"], level="step") for name in ("side", "reward"))
    term = total(gate(fact(a) + 2 * fact(b), when=fact(a)))
    assert term.observers == (a, b)
    assert spread(total(fact(a)), how=fact(b)).observers == (a, b)
    assert fact("reward").observers == ()
    assert total(fact(a))(two_plays()).tolist() == [30.0, 120.0]


def test_an_affine_map_of_one_fact_remembers_it_and_a_mix_does_not():
    assert (2 * at_end(fact("outcome"))).affine_of == "outcome"
    assert (fact("outcome") - 0.5 * fact("outcome")).affine_of == "outcome"
    assert (fact("outcome") + fact("other")).affine_of is None
    assert gate(fact("outcome"), when=fact("other")).affine_of is None


def test_python_sum_and_numpy_scalars_are_at_home():
    batch = two_plays()
    assert sum([fact("reward"), fact("side")])(batch).tolist() == (fact("reward") + fact("side"))(batch).tolist()
    assert isinstance(np.float64(2) * fact("side"), Term)


# Laws.


@given(ragged_batches(dyadic=False), compositions())
@settings(max_examples=60, deadline=None)
def test_the_parts_in_order_are_the_whole_bit_for_bit(batch, term):
    for made in (term, total(term), mean(term), final(term), at_end(total(term)), spread(total(term))):
        column = made(batch)
        assert column.parts
        assert np.array_equal(parts_in_order(column)[column.valid], column.values[column.valid])
        assert column.valid.tolist() == np.logical_and.reduce([p.valid for _, p in column.parts]).tolist()
        assert np.isnan(column.values[~column.valid]).all()


@given(ragged_batches(), compositions())
@settings(max_examples=30, deadline=None)
def test_a_term_is_pure(batch, term):
    before = {name: c.values.copy() for name, c in batch.columns.items()}
    once, twice = term(batch), term(batch)
    assert np.array_equal(once.values, twice.values, equal_nan=True)
    assert all(np.array_equal(before[name], c.values, equal_nan=True) for name, c in batch.columns.items())


@given(ragged_batches(), weights)
@settings(max_examples=30, deadline=None)
def test_at_end_and_spread_keep_the_total(batch, weight):
    whole = weight * fact("outcome")
    expected = whole(batch)
    placed, shared = total(at_end(whole))(batch), total(spread(whole))(batch)
    assert np.array_equal(placed.values, expected.values, equal_nan=True)
    assert shared.valid.tolist() == expected.valid.tolist()
    assert shared.filled(0.0) == pytest.approx(expected.filled(0.0))


@given(ragged_batches())
@settings(max_examples=30, deadline=None)
def test_total_is_the_sum_written_as_a_loop(batch):
    column = total(fact("reward"))(batch)
    owner, x = batch.trajectory_of_step, batch["reward"]
    for i in range(batch.size("trajectory")):
        fine = x.valid[owner == i].all() and not batch["failed"].values[i]
        assert column.valid[i] == fine
        if fine:
            assert column.values[i] == sum(x.values[owner == i].tolist())


# Bad input says what to do.


@pytest.mark.parametrize("names", [("reward", "outcome"), ("outcome", "reward")])
def test_levels_never_mix_and_the_message_names_the_ways_out(names):
    with pytest.raises(LevelError, match=r"at_end.*broadcast.*total.*mean") as caught:
        (fact(names[0]) + fact(names[1]))(two_plays())
    assert names[0] in str(caught.value) and "trajectory level" in str(caught.value)


@pytest.mark.parametrize(("change", "wrong"), [(total, "outcome"), (mean, "outcome"), (final, "outcome"),
                                           (at_end, "reward"), (broadcast, "reward"), (spread, "reward")])  # fmt: skip
def test_a_change_of_level_refuses_the_level_it_is_already_at(change, wrong):
    with pytest.raises(LevelError, match=rf"{change.__name__}: '{wrong}'.*at_end"):
        change(fact(wrong))(two_plays())


def test_a_number_has_no_level():
    with pytest.raises(LevelError, match="affine"):
        fact("reward") - 0.5


def test_facts_that_are_not_there_or_not_numbers_are_refused():
    batch = two_plays().with_columns(
        words=Column.of("step", ["a"] * 5), endless=Column.of("step", np.array([0, np.inf, 0, 0, 0]))
    )
    with pytest.raises(ColumnError, match="'nothing'"):
        fact("nothing")(batch)
    with pytest.raises(ColumnError, match="one number per item"):
        fact("words")(batch)
    with pytest.raises(UnscoredError, match=r"endless.*valid="):
        fact("endless")(batch)
    with pytest.raises(UnscoredError, match="finite"):
        float("nan") * fact("reward")


# What observers declare is looked at when terms are put together.


@pytest.mark.parametrize(
    "make",
    [
        lambda: fact(repeated) + fact(turns),
        lambda: 0.5 * fact(repeated) - fact(turns),
        lambda: total(fact(repeated)) + gate(fact(repeated), when=fact(turns)),
        lambda: at_end(fact(turns)) + fact(turns),
        lambda: total(fact(turns)),
        lambda: at_end(fact(repeated)),
    ],
)
def test_two_declared_levels_do_not_meet(make):
    with pytest.raises(LevelError, match="at_end or broadcast"):
        make()


def test_declared_levels_that_meet_do_and_what_is_not_declared_waits_for_the_batch():
    made = total(fact(repeated)) + fact(turns) + fact("outcome") + mean(spread(fact(turns)))
    assert made.level == "trajectory"
    assert fact("outcome").level is None and (fact("reward") + fact("outcome")).level is None


@pytest.mark.bad_input
@pytest.mark.parametrize(
    ("make", "says"),
    [
        (lambda: fact(match), r"fact: match itself is given, uncalled; .*call it: match\(\)"),
        (lambda: fact([match()]), r"fact: \[Reading.*\(list\) is given; an observer is needed"),
        (lambda: fact(None), r"fact: None \(NoneType\)"),
        (lambda: gate(fact("a"), when="x"), r"gate: 'x' is of the type str; a term is needed; write fact\('x'\)"),
        (lambda: gate("a", when=fact("x")), r"gate: 'a' is of the type str; a term is needed"),
        (lambda: total("reward"), r"total: 'reward' .*write fact\('reward'\)"),
        (lambda: spread(turns), r"spread: .*Reading; a term is needed; write fact\(observer\)"),
    ],
)
def test_what_is_no_term_and_no_observer_is_refused_with_what_to_write(make, says):
    with pytest.raises(RecordError, match=says):
        make()
