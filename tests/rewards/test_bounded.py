"""Bounded scores: near the references a line, far off flat, blind to a shift; and what the rivals are."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from guerdon.batch import Batch, Column
from guerdon.credit import Std, centred
from guerdon.errors import ColumnError, ShapeError
from guerdon.rewards import affine, fact
from guerdon.rewards.bounded import (
    FittedPolynomial,
    Moments,
    Sigmoid,
    Squash,
    Tanh,
    Unsquashed,
    against_references,
    between_quantiles,
    in_range,
    in_units,
    log_sigmoid_above,
    near_mean,
    rivals,
    squashed,
)
from strategies import make_batch, ragged_batches

SQUASHES = (Sigmoid(), Sigmoid(3.0), Tanh(), Unsquashed(), FittedPolynomial())
PAR = against_references(fact("proxy"), "reference_scores")
numbers = arrays(np.float64, st.integers(1, 20), elements=st.floats(-50, 50))


def slow(batch, squash, t):
    """The mean over the references of the play's prompt."""
    known = [r for r in batch["reference_scores"].values[batch.group_of_trajectory[t]] if not np.isnan(r)]
    return sum(float(squash(np.array([batch["proxy"].values[t] - r]))[0]) for r in known) / len(known)


def one(score, *references):
    batch = Batch.from_steps(group=[0], trajectory=[0], reward=[0.0])
    return batch.with_columns(
        proxy=Column.of("trajectory", [float(score)]),
        reference_scores=Column("group", np.array([references], float), np.ones(1, bool)),
    )


@given(ragged_batches(), st.sampled_from(SQUASHES))
def test_it_is_the_mean_over_the_references(batch, squash):
    column = against_references(fact("proxy"), "reference_scores", squash)(batch)
    assert column.valid.all()
    assert column.values == pytest.approx([slow(batch, squash, t) for t in range(len(column))])


@given(ragged_batches(), st.floats(-100, 100))
def test_a_shift_of_the_model_changes_nothing(batch, shift):
    moved = batch.with_columns(
        proxy=Column.of("trajectory", batch["proxy"].values + shift),
        reference_scores=Column.of("group", batch["reference_scores"].values + shift),
    )
    for squash in SQUASHES:
        term = against_references(fact("proxy"), "reference_scores", squash)
        assert term(moved).values == pytest.approx(term(batch).values, abs=1e-9)


@given(numbers, st.floats(0.1, 5))
def test_the_sigmoid_is_a_line_near_0_within_a_cubic(x, k):
    # |third derivative| of the sigmoid is at most 1/8, so the remainder is at most |k x|^3 / 48.
    away = np.abs(Sigmoid(k)(x) - (0.5 + k * x / 4))
    assert (away <= np.abs(k * x) ** 3 / 48 + 1e-12).all()


@given(numbers, st.floats(0.1, 50))
def test_the_sigmoid_is_bounded_rises_and_is_symmetric(x, k):
    y = Sigmoid(k)(np.sort(x))
    assert (y >= 0).all() and (y <= 1).all() and (np.diff(y) >= 0).all()
    assert Sigmoid(k)(-x) == pytest.approx(1 - Sigmoid(k)(x), abs=1e-12)
    assert Tanh()(x) == pytest.approx(2 * Sigmoid(2.0)(x) - 1, abs=1e-12)


def test_far_out_it_is_flat_and_nothing_overflows():
    x = np.array([-1e308, -800.0, 800.0, 1e308])
    assert Sigmoid()(x).tolist() == [0.0, 0.0, 1.0, 1.0]
    assert PAR(one(1e6, 0.0)).values == PAR(one(1e9, 0.0)).values == 1.0


def test_the_polynomial_is_near_the_sigmoid_inside_and_flat_outside():
    poly, x = FittedPolynomial(), np.linspace(-4.9, 4.9, 200)
    assert np.abs(poly(x) - Sigmoid()(x)).max() < 0.02
    assert poly(np.array([-6.0, -5.0, 5.0, 6.0])).tolist() == [0.0, 0.0, 1.0, 1.0]


@given(ragged_batches())
def test_one_reference_many_times_is_one_reference(batch):
    first = batch["reference_scores"].values[:, :1]
    once, flat, thrice = (
        batch.with_columns(reference_scores=Column.of("group", values))
        for values in (first, first[:, 0], np.repeat(first, 3, axis=1))
    )
    assert PAR(thrice).values == pytest.approx(PAR(once).values)
    assert PAR(flat).values.tolist() == PAR(once).values.tolist()


def test_what_is_missing():
    some = one(1.0, 1.0, np.nan)
    assert PAR(some).values.tolist() == [0.5]
    assert PAR(one(1.0, np.nan)).tolist() == [None]
    assert PAR(one(1.0, 0.0).with_columns(proxy=Column.of("trajectory", [None]))).tolist() == [None]


@pytest.mark.bad_input
def test_references_in_words_are_refused():
    batch = one(0.0, 0.0).with_columns(reference_scores=Column.of("group", ["a"]))
    with pytest.raises(ColumnError, match="against_references"):
        PAR(batch)


# The rivals.


@given(numbers, st.integers(1, 5))
def test_moments_in_portions_are_those_of_the_whole(x, portions):
    seen = Moments()
    for part in np.array_split(x, portions):
        seen = seen.seen(part)
    assert (seen.count, seen.low, seen.high) == (len(x), x.min(), x.max())
    assert seen.mean == pytest.approx(x.mean(), abs=1e-9)
    assert seen.std == pytest.approx(x.std() if len(x) > 1 else 0.0, abs=1e-6)


@given(ragged_batches())
def test_moments_of_a_batch_leave_out_what_failed(batch):
    kept = batch["outcome"].values[batch["outcome"].valid & ~batch["failed"].values]
    seen = Moments().seen_of(fact("outcome"), batch)
    assert seen.count == len(kept)
    assert not len(kept) or seen.mean == pytest.approx(kept.mean())


@given(ragged_batches())
def test_each_rival_slowly(batch):
    x, refs = batch["proxy"].values, batch["reference_scores"].values[batch.group_of_trajectory]
    moments = Moments().seen(x)
    bar = refs.mean(axis=1) + 1.0364333894937898 * (refs.std(axis=1, ddof=1) + 1e-5)
    expected = {
        "ceil": np.minimum(x, 1.0),
        "centred": x - refs.mean(axis=1),
        "meanstd": (x - x.mean()) / (x.std() or 1.0),
        "clip": np.clip(x, x.mean() - x.std(), x.mean() + x.std()),
        "minmax": (x - x.min()) / (np.ptp(x) or 1.0),
        "lsc": np.log(1 / (1 + np.exp(bar - x))),
        "tanh": np.tanh(x[:, None] - refs).mean(axis=1),
        "poly": FittedPolynomial()(x[:, None] - refs).mean(axis=1),
        "sgfc": (1 / (1 + np.exp(3 - (x[:, None] - refs)))).mean(axis=1),
    }  # fmt: skip
    found = rivals(fact("proxy"), "reference_scores", moments, ceiling=1.0)
    assert found.keys() == expected.keys()
    for name, term in found.items():
        assert term(batch).values == pytest.approx(expected[name], abs=1e-9), name


def test_under_a_spread_affine_rivals_do_nothing_and_warn_but_the_sigmoid_acts():
    batch = make_batch(np.random.default_rng(0), [6, 6], missing=False, ends=False)
    found = rivals(fact("proxy"), "reference_scores", Moments().seen(batch["proxy"].values))
    plain = centred(fact("proxy"), scale=Std(0.0))(batch).values
    for name in ("meanstd", "minmax"):
        with pytest.warns(UserWarning, match="no effect"):
            assert centred(found[name], scale=Std(0.0))(batch).values == pytest.approx(plain, abs=1e-12)
    assert centred(found["centred"], scale=Std(0.0))(batch).values == pytest.approx(plain, abs=1e-12)
    assert np.abs(centred(PAR, scale=Std(0.0))(batch).values - plain).max() > 0.01


def test_before_anything_was_seen_units_and_ranges_are_harmless():
    batch = one(2.0, 0.0)
    assert in_units(fact("proxy"), Moments())(batch).values.tolist() == [2.0]
    assert in_range(fact("proxy"), Moments())(batch).values.tolist() == [0.0]
    assert in_range(fact("proxy"), Moments().seen(np.array([2.0])))(batch).values.tolist() == [0.0]
    assert near_mean(fact("proxy"), Moments().seen(np.array([2.0])))(batch).values.tolist() == [2.0]
    assert Moments().seen(np.zeros(0)) == Moments()


@given(ragged_batches())
def test_squashed_counts_from_0(batch):
    zero = batch.with_columns(reference_scores=Column.of("group", np.zeros(batch.size("group"))))
    for squash in SQUASHES:
        assert squashed(fact("proxy"), squash)(batch).values == pytest.approx(
            against_references(fact("proxy"), "reference_scores", squash)(zero).values
        )
        assert isinstance(squash, Squash)


# Between quantiles.


@given(ragged_batches(), st.sampled_from([(0.0, 1.0), (0.05, 0.95), (0.25, 0.5)]))
def test_between_quantiles_slowly(batch, ends):
    column = between_quantiles(fact("cost"), *ends)(batch)
    counts = batch["cost"].valid & ~batch["failed"].values
    assert (column.valid == counts).all()
    if counts.any():
        x = batch["cost"].values[counts]
        low, high = np.quantile(x, ends)
        expected = np.clip((x - low) / (high - low), 0, 1) if high > low else np.full(len(x), 0.5)
        assert column.values[counts] == pytest.approx(expected)


@given(ragged_batches(), st.floats(0.1, 10), st.floats(-5, 5))
def test_between_quantiles_is_blind_to_rising_lines(batch, scale, offset):
    a = between_quantiles(fact("cost"))(batch)
    b = between_quantiles(affine(fact("cost"), scale, offset))(batch)
    assert b.values[a.valid] == pytest.approx(a.values[a.valid], abs=1e-6)


@pytest.mark.bad_input
@pytest.mark.parametrize(
    "make", [lambda: between_quantiles(fact("x"), 0.9, 0.1), lambda: log_sigmoid_above(fact("x"), "r", 1)]
)
def test_wrong_shares_are_refused(make):
    with pytest.raises(ShapeError, match="share"):
        make()
