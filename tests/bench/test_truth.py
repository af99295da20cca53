"""What the model knows is what plays show, on average."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from guerdon.bench import WORLDS, Player, exact, gradient
from guerdon.bench.truth import Truth, expected_outcome
from guerdon.environments import tabular
from little import random_world, two


def known(world, seed=0):
    rng = np.random.default_rng(seed)
    logits = rng.normal(size=(world.keys, world.actions))
    truth = Truth(world, logits, rng.normal(size=logits.shape))
    return truth, Player(world, truth.policy).play(30, rng)


@given(seed=st.integers(0, 9999))
def test_the_tables_are_those_of_the_exact_mathematics(seed):
    world = random_world(seed)
    truth, plays = known(world, seed)
    assert truth.gradient == pytest.approx(gradient(world, truth.logits))
    assert truth.advantage[plays.time, plays.state, plays.action] == pytest.approx(exact(world, truth.logits, plays))
    assert truth.length == pytest.approx(tabular.occupancy(world.model, truth.policy).sum())
    assert (truth.policy * truth.advantage).sum(-1) == pytest.approx(np.zeros((world.horizon, len(world.key))))


def test_moments_of_the_return_are_those_of_plays():
    world = random_world(3)
    truth, _ = known(world, 3)
    plays = Player(world, truth.policy).play(20_000, np.random.default_rng(1))
    start = plays.state[plays.time == 0]
    outcome = np.bincount(plays.trajectory, plays.reward)
    for s in range(4):
        own = outcome[start == s]
        if len(own) > 5000:
            assert own.mean() == pytest.approx(truth.value[0, s], abs=0.06)
            assert (own**2).mean() == pytest.approx(truth.second[s], rel=0.06)


@given(seed=st.integers(0, 9999))
def test_expected_outcomes_begin_at_the_value_join_and_end_at_the_outcome(seed):
    truth, plays = known(random_world(seed), seed)
    before, after = (x * truth.unit for x in expected_outcome(truth, truth.value, plays))
    first, last = plays.time == 0, np.append(np.diff(plays.trajectory) > 0, True)
    assert before[first] == pytest.approx(truth.value[0, plays.state[first]])
    assert after[:-1][~last[:-1]] == pytest.approx(before[1:][~first[1:]])
    assert after[last] == pytest.approx(np.bincount(plays.trajectory, plays.reward), abs=1e-9)


def test_a_step_changes_the_expected_outcome_by_its_advantage_where_there_is_no_chance():
    world = WORLDS["chain"]()
    truth, plays = known(world)
    before, after = expected_outcome(truth, truth.value, plays)
    assert after - before == pytest.approx(exact(world, truth.logits, plays))


def test_two_states_by_hand():
    truth = Truth(two(), np.array([[0.0, 1.0]]), np.array([[0.0, 5.0]]))
    assert truth.unit == 1.0 and truth.best.tolist() == [1.0, 0.0]
    assert truth.greedy[0].tolist() == [1.0, 0.0] and truth.greedy[1].tolist() == [1.0, 0.0]
    assert truth.second[0] == pytest.approx(truth.value[0, 0]), "an outcome of 0 or 1"
    assert truth.better_value[0, 0] > truth.value[0, 0]


def test_the_unit_is_the_most_that_a_play_can_get():
    world = WORLDS["luck"]()
    truth, plays = known(world)
    assert truth.unit == pytest.approx(12 + 6 * 0.1 + 6 * 0.05, abs=0.31)
    assert np.bincount(plays.trajectory, plays.reward).max() <= truth.unit + 1e-9
