"""PerStep, PerToken, PerSegment, Every and tick_end: how time is cut."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from guerdon.batch import Batch, Column
from guerdon.credit.clocks import Every, PerSegment, PerStep, PerToken, Ticks, tick_end
from guerdon.errors import LevelError, ShapeError
from guerdon.rewards import fact
from strategies import ragged_batches

CLOCKS = (PerStep(), PerSegment(), Every(1), Every(3), PerToken())


def spoken(**of_token) -> Batch:
    """Two plays; steps of 2, 1 and 2 tokens, of which the first of the first step was only read."""
    batch = Batch.from_steps(group=[0] * 3, trajectory=[0, 0, 1], reward=[1.0, 2.0, 4.0], tokens_per_step=[2, 1, 2])
    return batch.with_columns(sampled=Column.of("token", np.array(of_token["sampled"], bool)))


# Laws.


@pytest.mark.parametrize("clock", CLOCKS, ids=lambda clock: f"{type(clock).__name__} {clock.name}")
@given(batch=ragged_batches())
def test_ticks_are_runs_of_items_of_one_play(clock, batch):
    ticks = clock(batch)
    play = batch.index("trajectory", at=ticks.level)
    inside = ticks.item >= 0
    assert (np.diff(ticks.item[inside]) >= 0).all() and set(ticks.item[inside]) == set(range(len(ticks.first)))
    assert (ticks.trajectory[ticks.item[inside]] == play[inside]).all()
    for tick, first in enumerate(ticks.first):
        assert first == np.flatnonzero(ticks.item == tick)[0]


@pytest.mark.parametrize("clock", CLOCKS, ids=lambda clock: f"{type(clock).__name__} {clock.name}")
@given(batch=ragged_batches(missing=False, ends=False))
def test_all_pay_arrives(clock, batch):
    ticks = clock(batch)
    paid, known = ticks.paid(batch, batch["reward"])
    expected = np.bincount(batch.trajectory_of_step, batch["reward"].values)
    assert np.bincount(ticks.trajectory, paid, minlength=len(expected)) == pytest.approx(expected) and known.all()


@given(ragged_batches())
def test_the_pay_of_an_option_is_known_if_all_of_it_is(batch):
    ticks = PerSegment()(batch)
    _, known = ticks.paid(batch, batch["reward"])
    for tick in range(len(ticks.first)):
        assert known[tick] == batch["reward"].valid[ticks.item == tick].all()


@given(ragged_batches(missing=False), st.floats(0.1, 1))
def test_inside_an_option_pay_may_be_discounted(batch, within):
    ticks = PerSegment(within=within)(batch)
    paid, _ = ticks.paid(batch, batch["reward"])
    for tick in range(len(ticks.first)):
        reward = batch["reward"].filled(0.0)[ticks.item == tick]
        assert paid[tick] == pytest.approx((reward * within ** np.arange(len(reward))).sum())


@given(ragged_batches(), st.integers(1, 9))
def test_every_n_steps_is_the_segment_of_the_turn(batch, n):
    turn = np.concatenate([np.arange(k) for k in np.bincount(batch.trajectory_of_step)])
    named = batch.with_columns(segment=Column.of("step", turn // n))
    assert Every(n)(batch).item.tolist() == PerSegment()(named).item.tolist()


# Worked by hand.


def test_a_step_is_paid_at_its_last_sampled_token():
    ticks = PerToken()(spoken(sampled=[0, 1, 1, 1, 0]))
    assert ticks.first.tolist() == [1, 2, 3] and ticks.item.tolist() == [-1, 0, 1, 2, -1]
    assert ticks.paid(spoken(sampled=[0, 1, 1, 1, 0]), fact("reward")(spoken(sampled=[0] * 5)))[0].tolist() == [1, 2, 4]


def test_a_step_without_a_sampled_token_pays_the_one_before_it_in_its_play():
    batch = spoken(sampled=[0, 1, 0, 0, 1])
    assert PerToken()(batch).paid(batch, batch["reward"])[0].tolist() == [3, 4]
    early = spoken(sampled=[0, 0, 1, 0, 0])  # nothing was said before the first reward, and nothing in the last play
    assert PerToken()(early).paid(early, early["reward"])[0].tolist() == [2]


def test_a_reward_per_token_is_the_tokens_own():
    batch = spoken(sampled=[0, 1, 1, 1, 1])
    paid, _ = PerToken()(batch).paid(batch, Column.of("token", [9.0, 1.0, 2.0, 3.0, 4.0]))
    assert paid.tolist() == [1, 2, 3, 4]


def test_a_play_in_which_nothing_was_sampled_has_no_ticks():
    batch = spoken(sampled=[0] * 5)
    ticks = PerToken()(batch)
    paid, known = ticks.paid(batch, batch["reward"])
    assert len(paid) == len(known) == 0
    assert not ticks.onto_items(paid, known).valid.any()


def test_a_step_without_a_key_is_an_option_of_its_own():
    batch = Batch.from_steps(group=[0] * 4, trajectory=[0] * 4, reward=[0.0] * 4)
    valid = np.array([True, False, False, True])
    assert PerSegment()(batch.with_columns(segment=Column("step", np.zeros(4, int), valid))).item.tolist() == [
        0,
        1,
        2,
        3,
    ]


def test_an_option_ends_with_its_play():
    batch = Batch.from_steps(group=[0] * 4, trajectory=[0, 0, 1, 1], reward=[0.0] * 4)
    batch = batch.with_columns(segment=Column.of("step", [1, 1, 1, 1]))
    assert PerSegment()(batch).item.tolist() == [0, 0, 1, 1]
    assert tick_end(PerSegment())(batch).values.tolist() == [0, 1, 0, 1]


def test_credit_is_copied_to_the_items_of_a_tick():
    ticks = Ticks("step", np.array([0, 0, 1]), np.array([0, 2]), np.zeros(2, int))
    column = ticks.onto_items(np.array([3.0, 4.0]), np.array([True, False]))
    assert column.values.tolist() == [3, 3, 0] and column.valid.tolist() == [True, True, False]


# Bad input.


def test_no_steps_at_all_is_no_clock():
    with pytest.raises(ShapeError, match="n=1"):
        Every(0)


def test_an_option_key_of_plays_is_refused():
    batch = Batch.from_steps(group=[0], trajectory=[0], reward=[0.0])
    with pytest.raises(LevelError, match="step key"):
        PerSegment("outcome")(batch)


def test_a_price_per_token_is_no_step_term():
    with pytest.raises(LevelError, match="PerSegment"):
        tick_end(PerToken())(spoken(sampled=[1] * 5))
