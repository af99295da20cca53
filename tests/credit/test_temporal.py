"""gae, next_values, known_to_go and the credits made with them."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from guerdon.batch import Batch, Column
from guerdon.credit import gae, gae_of, known_to_go, next_values, step_term, to_go, to_go_of
from guerdon.errors import ColumnError, LevelError
from guerdon.rewards import at_end, fact
from strategies import ragged_batches


@st.composite
def plays(draw):
    """Rewards, values and trajectories of random lengths."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    length = rng.integers(1, 8, draw(st.integers(1, 5)))
    owner = np.repeat(np.arange(len(length)), length)
    return rng.normal(size=len(owner)), rng.normal(size=len(owner)), owner


# Worked by hand.


def test_two_steps_by_hand():
    # d1 = 1 + 0.5 * 0 - 2 = -1;  d0 = 0 + 0.5 * 2 - 4 = -3;  A0 = -3 + 0.25 * -1
    reward, value = np.array([0.0, 1.0]), np.array([4.0, 2.0])
    a = gae(reward, value, next_values(value, np.zeros(2, int)), np.zeros(2, int), 0.5, 0.5)
    assert a.tolist() == [-3.25, -1.0]


def test_truncated_bootstraps_and_terminated_does_not():
    batch = Batch.from_steps(group=[0, 0], trajectory=[0, 1], reward=[0.0, 0.0], truncated=[True, False])
    batch = batch.with_columns(value=Column.of("step", [0.5, 0.5]), next_value=Column.of("step", [0.75, 99.0]))
    assert gae_of(fact("reward"), 1.0, 0.95)(batch).values.tolist() == [0.25, -0.5]


# Laws.


@given(plays(), st.floats(0, 1))
def test_lam_one_is_the_return_less_the_value(p, gamma):
    reward, value, owner = p
    a = gae(reward, value, next_values(value, owner), owner, gamma, 1.0)
    assert a == pytest.approx(to_go(reward, owner, gamma) - value, abs=1e-9)


@given(plays(), st.floats(0, 1))
def test_lam_zero_is_the_surprise_of_one_step(p, gamma):
    reward, value, owner = p
    after = next_values(value, owner)
    assert gae(reward, value, after, owner, gamma, 0.0) == pytest.approx(reward + gamma * after - value)


@given(plays())
def test_no_critic_and_no_discount_is_the_return_to_go(p):
    reward, _, owner = p
    zero = np.zeros(len(reward))
    assert gae(reward, zero, zero, owner, 1.0, 1.0) == pytest.approx(to_go(reward, owner))


@given(plays(), st.floats(0, 1), st.floats(0, 1))
def test_a_perfect_critic_leaves_no_advantage(p, gamma, lam):
    reward, _, owner = p
    value = to_go(reward, owner, gamma)
    assert gae(reward, value, next_values(value, owner), owner, gamma, lam) == pytest.approx(0, abs=1e-9)


@given(ragged_batches())
def test_a_sum_over_something_missing_is_missing(batch):
    column = to_go_of(fact("reward"), 0.9)(batch)
    valid, failed = batch["reward"].valid, batch["failed"].values
    for i, owner in enumerate(batch.trajectory_of_step):
        later = (batch.trajectory_of_step == owner) & (np.arange(len(valid)) >= i)
        assert column.valid[i] == (valid[later].all() and not failed[owner])
    assert (column.values[~column.valid] == 0).all()


def test_known_to_go_does_not_cross_trajectories():
    valid, owner = np.array([True, True, False, True]), np.array([0, 0, 1, 1])
    assert known_to_go(valid, owner).tolist() == [True, True, False, True]


# Bad input.


def test_a_truncation_without_a_next_value_is_refused():
    batch = Batch.from_steps(group=[0], trajectory=[0], reward=[0.0], truncated=[True])
    batch = batch.with_columns(value=Column.of("step", [0.5]))
    with pytest.raises(ColumnError, match="next_value"):
        gae_of(fact("reward"), 1.0, 1.0)(batch)


def test_no_critic_is_refused_by_name():
    with pytest.raises(ColumnError, match="'value'"):
        gae_of(fact("reward"), 1.0, 1.0)(Batch.from_steps(group=[0], trajectory=[0], reward=[0.0]))


def test_a_trajectory_term_has_no_return_to_go():
    batch = Batch.from_steps(group=[0], trajectory=[0], reward=[0.0])
    with pytest.raises(LevelError, match="at_end"):
        to_go_of(fact("outcome"))(batch)
    assert to_go_of(at_end(fact("outcome")))(batch).values.tolist() == [0.0]


def test_a_missing_value_leaves_earlier_steps_unscored():
    batch = Batch.from_steps(group=[0] * 3, trajectory=[0] * 3, reward=[0.0, 0.0, 1.0])
    batch = batch.with_columns(value=Column.of("step", [0.5, np.nan, 0.5]))
    assert gae_of(fact("reward"), 1.0, 1.0)(batch).valid.tolist() == [False, False, True]


def test_a_step_term_is_not_summed():
    batch = Batch.from_steps(group=[0] * 3, trajectory=[0] * 3, reward=[1.0, 2.0, 3.0])
    assert step_term(fact("reward"))(batch).values.tolist() == [1.0, 2.0, 3.0]
