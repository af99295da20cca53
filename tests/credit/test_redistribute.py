"""least_squares and what is made with it: a play's worth shared out by features, or by importance."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from guerdon.batch import Batch, Column
from guerdon.credit.redistribute import (
    RandomSubset,
    WholeSum,
    by_features,
    credit_or_blame,
    keeping_sum,
    least_squares,
)
from guerdon.errors import ColumnError, LevelError, ShapeError
from guerdon.rewards import fact, spread
from strategies import ragged_batches

whole = ragged_batches(missing=False, ends=False)
OUTCOME = fact("outcome")


def with_features(batch: Batch, features) -> Batch:
    """The batch with these features of its steps."""
    return batch.with_columns(features=Column.of("step", np.asarray(features, float)))


def sums(batch: Batch, x) -> np.ndarray:
    """The sum of x over each play."""
    return np.bincount(batch.trajectory_of_step, x, minlength=batch.size("trajectory"))


# Laws.


@given(whole)
def test_a_feature_for_each_step_splits_equally(batch):
    """The solution of smallest norm; it keeps the sum exactly."""
    own = with_features(batch, np.eye(batch.size("step")))
    assert by_features(OUTCOME)(own).values == pytest.approx(spread(OUTCOME)(batch).values, abs=1e-9)


@given(whole)
def test_a_constant_feature_says_nothing_of_a_play(batch):
    flat = by_features(OUTCOME)(with_features(batch, np.ones((batch.size("step"), 1)))).values
    length = sums(batch, np.ones(batch.size("step")))
    expected = (batch["outcome"].values * length).sum() / (length**2).sum()
    assert flat == pytest.approx(np.full(len(flat), expected))


@given(whole, st.integers(0, 99))
def test_what_is_linear_in_the_features_is_found(batch, seed):
    rng = np.random.default_rng(seed)
    features, weights = rng.normal(size=(batch.size("step"), 2)), rng.normal(size=2)
    shares = features @ weights
    batch = with_features(batch, features).with_columns(worth=Column.of("trajectory", sums(batch, shares)))
    found = by_features(fact("worth"))(batch).values
    assert sums(batch, found) == pytest.approx(batch["worth"].values, abs=1e-6)
    if batch.size("trajectory") >= 2:
        assert found == pytest.approx(shares, rel=1e-4, abs=1e-4)


@given(whole, st.floats(0, 2))
def test_the_residual_is_at_right_angles_to_the_features(batch, ridge):
    """The normal equations: sums come as close as features allow, and no closer."""
    features, worth, owner = batch["features"].values, batch["outcome"].values, batch.trajectory_of_step
    rows = np.stack([sums(batch, x) for x in features.T], axis=1)
    weights = least_squares(rows, worth, ridge)
    assert rows.T @ (worth - rows @ weights) == pytest.approx(ridge * weights, abs=1e-8)
    expected = [features[s] @ weights for s in range(len(owner))]
    assert by_features(OUTCOME, ridge=ridge)(batch).values == pytest.approx(expected, abs=1e-8)


@given(ragged_batches())
def test_plays_without_a_worth_or_a_row_do_not_enter_the_fit(batch):
    a = by_features(OUTCOME, ridge=0.1)(batch)
    given_, owner = batch["features"], batch.trajectory_of_step
    lacking = np.zeros(batch.size("trajectory"), bool)
    lacking[owner[~given_.valid]] = True
    used = batch["outcome"].valid & ~lacking & ~batch["failed"].values
    assert (a.valid == (given_.valid & ~batch["failed"].values[owner])).all()
    if used.any():
        kept = by_features(OUTCOME, ridge=0.1)(batch.select(used))
        assert a.values[used[owner]] == pytest.approx(kept.values, abs=1e-9)
    else:
        assert (a.values[a.valid] == 0).all()


@given(ragged_batches())
def test_what_is_lacking_is_made_up(batch):
    a = keeping_sum(by_features(OUTCOME), OUTCOME)(batch)
    played = np.bincount(batch.trajectory_of_step, ~a.valid, minlength=batch.size("trajectory")) == 0
    paid = sums(batch, np.where(a.valid, a.values, 0.0))
    assert paid[played] == pytest.approx(batch["outcome"].filled(0.0)[played], abs=1e-9)


@given(whole)
def test_a_subset_of_all_steps_is_the_whole_sum(batch):
    every = RandomSubset(9)(batch["features"].values, batch.trajectory_of_step)
    plain = WholeSum()(batch["features"].values, batch.trajectory_of_step)
    assert every[0] == pytest.approx(plain[0]) and every[1].tolist() == plain[1].tolist()


@given(whole, st.integers(1, 9), st.integers(1, 3))
def test_a_random_subset_has_that_many_steps_of_each_play(batch, size, draws):
    length = np.bincount(batch.trajectory_of_step)
    marks = np.eye(batch.size("step"))
    rows, play = RandomSubset(size, draws)(marks, batch.trajectory_of_step)
    assert play.tolist() == list(range(len(length))) * draws
    for row, t in zip(rows, play):
        taken = np.flatnonzero(row)
        assert len(taken) == min(size, length[t]) and (batch.trajectory_of_step[taken] == t).all()
        assert row[taken] == pytest.approx(length[t] / min(size, length[t]))


def test_the_expected_error_of_a_subset_has_the_variance_of_the_shares_on_top():
    """T^2 (1 - K/T) S^2 / K, with S^2 over T - 1: the pull towards equal shares."""
    x, size, draws = np.array([[0.0], [1.0], [5.0], [2.0]]), 2, 40_000
    rows, _ = RandomSubset(size, draws, seed=3)(x, np.zeros(4, int))
    off = ((rows[:, 0] - 8.0) ** 2).mean()
    expected = 16 * (1 - size / 4) * x.var(ddof=1) / size
    assert rows.mean() == pytest.approx(8.0, abs=0.1) and off == pytest.approx(expected, rel=0.03)


def test_a_subset_pulls_shares_together():
    rng = np.random.default_rng(0)
    owner = np.repeat(np.arange(200), 5)
    features = rng.normal(size=(1000, 1))
    batch = Batch(np.zeros(0, int), owner, np.zeros(200, int)).with_columns(features=Column.of("step", features))
    batch = batch.with_columns(outcome=Column.of("trajectory", np.bincount(owner, features[:, 0])))
    exact, drawn = by_features(OUTCOME)(batch).values, by_features(OUTCOME, rows=RandomSubset(1, 5))(batch).values
    assert exact.std() == pytest.approx(features.std()) and drawn.std() < 0.5 * exact.std()


@given(ragged_batches(), st.integers(0, 9))
def test_gain_is_shared_by_importance_and_loss_the_other_way_round(batch, seed):
    gain = np.random.default_rng(seed).integers(-4, 5, batch.size("trajectory")).astype(float)
    batch = batch.with_columns(gain=Column("trajectory", gain, batch["outcome"].valid))
    a = credit_or_blame(fact("gain"), fact("importance"))(batch)
    plain = spread(fact("gain"), how=fact("importance"))(batch)
    assert (a.valid == plain.valid).all()
    known = a.valid & (gain >= 0)[batch.trajectory_of_step]
    assert a.values[known] == pytest.approx(plain.values[known])
    played = np.bincount(batch.trajectory_of_step, ~a.valid, minlength=len(gain)) == 0
    assert sums(batch, np.where(a.valid, a.values, 0.0))[played] == pytest.approx(gain[played], abs=1e-9)
    for t in np.flatnonzero(played & (gain < 0)):
        steps = np.flatnonzero(batch.trajectory_of_step == t)
        order = np.argsort(batch["importance"].values[steps])
        assert (np.diff(a.values[steps][order]) >= -1e-12).all()  # the most important is charged least


# Bad input.


def test_a_negative_ridge_is_refused():
    with pytest.raises(ShapeError, match="ridge"):
        least_squares(np.zeros((1, 1)), np.zeros(1), -1.0)


def test_no_steps_make_no_subset():
    with pytest.raises(ShapeError, match="WholeSum"):
        RandomSubset(0)


def test_features_are_rows_of_numbers_per_step():
    batch = Batch.from_steps(group=[0], trajectory=[0], reward=[0.0])
    with pytest.raises(ColumnError, match=r"by_features: .* two dimensions"):
        by_features(OUTCOME, "reward")(batch)
    with pytest.raises(ColumnError, match="'features'"):
        by_features(OUTCOME)(batch)
    with pytest.raises(LevelError, match="total"):
        by_features(fact("reward"))(with_features(batch, [[1.0]]))


def test_nothing_played_is_nothing_fitted():
    batch = Batch(np.zeros(0, int), np.zeros(0, int), np.zeros(0, int))
    batch = batch.with_columns(
        features=Column.of("step", np.zeros((0, 2))), outcome=Column.of("trajectory", np.zeros(0))
    )
    assert len(by_features(OUTCOME)(batch)) == 0
