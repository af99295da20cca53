"""tabular: exact values, occupancy and gradients against by-hand answers, laws, and slow ways to the same number."""

import numpy as np
import pytest

from guerdon.environments.tabular import (
    Tabular,
    advantages,
    expected_return,
    occupancy,
    policy_gradient,
    shortest,
    softmax,
    values,
)
from guerdon.errors import ShapeError

STATES, ACTIONS, HORIZON = 6, 3, 5


@pytest.fixture(params=range(10))
def world(request):
    """A random world with chance in it, its last state terminal, and a random policy that changes with time."""
    rng = np.random.default_rng(request.param)
    model = Tabular(
        transition=rng.dirichlet(np.ones(STATES), size=(STATES, ACTIONS)),
        reward=rng.normal(size=(STATES, ACTIONS)),
        start=rng.dirichlet(np.ones(STATES)),
        terminal=np.arange(STATES) == STATES - 1,
        horizon=HORIZON,
    )
    return model, rng.dirichlet(np.ones(ACTIONS), size=(HORIZON, STATES)), rng


@pytest.fixture(params=range(10))
def certain(request):
    """A random world without chance, and the same one written with probabilities."""
    rng = np.random.default_rng(request.param)
    after = rng.integers(STATES, size=(STATES, ACTIONS))
    rest = (rng.normal(size=(STATES, ACTIONS)), np.full(STATES, 1 / STATES), np.arange(STATES) == 0, HORIZON)
    return Tabular(after, *rest), Tabular(np.eye(STATES)[after], *rest), rng


def corridor(horizon):
    """Three cells; "on" walks to the end, which pays 1, and "stay" does not."""
    after, reward = np.array([[0, 1], [1, 2], [2, 2]]), np.array([[0.0, 0.0], [0.0, 1.0], [5.0, 5.0]])
    return Tabular(after, reward, np.array([1.0, 0, 0]), np.array([False, False, True]), horizon)


# Worked by hand.


def test_a_coin_needs_two_heads_in_three_throws():
    v, q = values(corridor(3), np.full((3, 2), 0.5))
    assert v[:, 0] == pytest.approx([1 / 2, 1 / 4, 0, 0])
    assert v[:, 1] == pytest.approx([7 / 8, 3 / 4, 1 / 2, 0])
    assert q[0, 0] == pytest.approx([1 / 4, 3 / 4])
    assert occupancy(corridor(3), np.full((3, 2), 0.5)) == pytest.approx(
        np.array([[1, 0, 0], [1 / 2, 1 / 2, 0], [1 / 4, 1 / 2, 0]])
    )


def test_a_terminal_state_is_worth_nothing_even_where_its_row_would_pay():
    v, q = values(corridor(3), np.full((3, 2), 0.5))
    assert not v[:, 2].any() and not q[:, 2].any()


def test_discount_counts_from_the_first_action():
    walk = np.tile([0.0, 1.0], (3, 1))
    assert expected_return(corridor(3), walk, gamma=0.9) == pytest.approx(0.9)
    assert expected_return(corridor(1), walk, gamma=0.9) == 0.0


# Laws.


@pytest.mark.parametrize("gamma", [1.0, 0.9])
def test_the_mean_advantage_under_the_policy_is_zero(world, gamma):
    model, policy, _ = world
    assert (policy * advantages(model, policy, gamma)).sum(-1) == pytest.approx(0, abs=1e-12)


def test_q_is_what_is_paid_now_and_v_of_what_comes_next(world):
    model, policy, _ = world
    v, q = values(model, policy, 0.9)
    for t in range(HORIZON):
        for s in range(STATES - 1):
            for a in range(ACTIONS):
                later = sum(model.transition[s, a, z] * v[t + 1, z] for z in range(STATES))
                assert q[t, s, a] == pytest.approx(model.reward[s, a] + 0.9 * later)
    assert v[-1] == pytest.approx(0)


def test_what_is_expected_is_what_is_paid_wherever_the_policy_goes(world):
    model, policy, _ = world
    paid = occupancy(model, policy)[:, :, None] * policy * model.reward
    assert expected_return(model, policy) == pytest.approx(paid.sum())


def test_advantages_add_up_to_what_a_better_policy_gains(world):
    """The performance difference of two policies is the mean advantage of one along the plays of the other."""
    model, policy, rng = world
    other = rng.dirichlet(np.ones(ACTIONS), size=(HORIZON, STATES))
    gain = (occupancy(model, other)[:, :, None] * other * advantages(model, policy)).sum()
    assert expected_return(model, other) - expected_return(model, policy) == pytest.approx(gain)


def test_occupancy_loses_only_what_has_ended(world):
    model, policy, _ = world
    there = occupancy(model, policy)
    assert there[0] == pytest.approx(np.where(model.terminal, 0, model.start))
    assert (np.diff(there.sum(-1)) <= 1e-12).all() and not there[:, model.terminal].any()


def test_next_states_and_their_probabilities_say_the_same(certain):
    numbers, probabilities, rng = certain
    policy = rng.dirichlet(np.ones(ACTIONS), size=STATES)
    for ours, theirs in zip(values(numbers, policy), values(probabilities, policy), strict=True):
        assert ours == pytest.approx(theirs)
    assert occupancy(numbers, policy) == pytest.approx(occupancy(probabilities, policy))


def test_a_policy_without_time_is_the_same_at_all_times(world):
    model, policy, _ = world
    assert values(model, policy[0])[0] == pytest.approx(values(model, np.stack([policy[0]] * HORIZON))[0])


# The gradient, against a slow way to it.


@pytest.mark.parametrize("gamma", [1.0, 0.8])
def test_the_gradient_is_what_finite_differences_give(world, gamma):
    model, _, rng = world
    key = rng.integers(4, size=STATES)  # fewer keys than states: some states cannot be told apart
    logits = rng.normal(size=(4, ACTIONS))
    slow = np.zeros_like(logits)
    for place in np.ndindex(logits.shape):
        nudge = np.zeros_like(logits)
        nudge[place] = 1e-5
        up, down = (expected_return(model, softmax(logits + side * nudge)[key], gamma) for side in (1, -1))
        slow[place] = (up - down) / 2e-5
    assert policy_gradient(model, logits, key, gamma) == pytest.approx(slow, abs=1e-8)


def test_a_key_that_no_state_uses_has_no_gradient(world):
    model, _, rng = world
    gradient = policy_gradient(model, rng.normal(size=(3, ACTIONS)), np.zeros(STATES, int))
    assert gradient[1:] == pytest.approx(0) and np.abs(gradient[0]).max() > 0
    assert gradient.sum(-1) == pytest.approx(0, abs=1e-12)


def test_softmax_takes_large_logits_and_any_constant():
    assert softmax(np.array([1000.0, 1000.0, -1000.0])) == pytest.approx([0.5, 0.5, 0.0])


# The shortest way, against walking it.


def test_shortest_agrees_with_a_search_forwards(certain):
    after = certain[0].transition
    for start, distance in enumerate(shortest(after, end=3)):
        reached, steps = {start}, 0
        while 3 not in reached and steps <= STATES:
            reached, steps = reached | {int(z) for s in reached for z in after[s]}, steps + 1
        assert distance == (steps if 3 in reached else -1)


# Bad input.

GOOD = {
    "transition": np.zeros((2, 1), int),
    "reward": np.zeros((2, 1)),
    "start": np.eye(2)[0],
    "terminal": np.eye(2, dtype=bool)[1],
}


@pytest.mark.bad_input
@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"transition": np.zeros((3, 1), int)}, r"transition is \(3, 1\)"),
        ({"reward": np.zeros(2)}, r"reward is \(2,\)"),
        ({"start": np.ones(1)}, "2 states"),
        ({"terminal": np.zeros(3, bool)}, "2 states"),
        ({"start": np.ones(2)}, "sum to one"),
        ({"transition": np.ones((2, 1, 2))}, "sum to one"),
        ({"transition": np.zeros((2, 1))}, "fractions"),
    ],
)
def test_tables_that_do_not_fit_are_refused(change, message):
    with pytest.raises(ShapeError, match=message):
        Tabular(**GOOD | change, horizon=1)


@pytest.mark.bad_input
def test_a_policy_of_another_size_is_refused_and_the_message_names_the_function():
    for function in (values, advantages, occupancy, expected_return):
        with pytest.raises(ShapeError, match=r"must be \(3, 2\) or \(4, 3, 2\)"):
            function(corridor(4), np.ones((2, 3)))


@pytest.mark.bad_input
def test_keys_and_logits_have_to_fit():
    with pytest.raises(ShapeError, match="one key per state"):
        policy_gradient(corridor(2), np.zeros((3, 2)), np.arange(2))
    with pytest.raises(ShapeError, match="from 0 to 2 and there are 2 rows"):
        policy_gradient(corridor(2), np.zeros((2, 2)), np.arange(3))
