"""Plays go where the occupancy says, are numbered as a batch needs them, and give an unbiased gradient."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from guerdon.bench import WORLDS, Player, cosine, estimate, exact, gradient, to_batch
from guerdon.bench.sample import GROUP
from guerdon.environments import tabular
from little import random_world, two


def played(world, groups, seed=0, logits=None):
    """The logits, the plays."""
    logits = np.random.default_rng(seed).normal(size=(world.keys, world.actions)) if logits is None else logits
    return logits, Player(world, tabular.softmax(logits)[world.key]).play(groups, np.random.default_rng(seed))


@pytest.mark.parametrize("name", [*WORLDS, "random"])
def test_visits_are_as_the_occupancy_says(name):
    world = random_world(1) if name == "random" else WORLDS[name]()
    logits, plays = played(world, 2000, logits=0.3 * np.random.default_rng(2).normal(size=(world.keys, world.actions)))
    pi = tabular.softmax(logits)[world.key]
    states = len(world.key)
    there = np.bincount(plays.time * states + plays.state, minlength=world.horizon * states) / plays.count
    expected = tabular.occupancy(world.model, pi).ravel()
    off = there - expected
    assert np.abs(off).max() < 5 * np.sqrt(0.25 / 2000), (
        "plays of a group begin alike, so groups are what is independent"
    )
    taken = np.bincount(plays.state * world.actions + plays.action, minlength=pi.size).reshape(pi.shape)
    often = taken.sum(1) > 500
    share = taken[often] / taken[often].sum(1, keepdims=True)
    assert np.abs(share - pi[often]).max() < 5 * np.sqrt(0.25 / 500)


@given(seed=st.integers(0, 9999))
def test_a_play_is_a_walk_from_a_start_to_an_end(seed):
    world = random_world(seed)
    _, plays = played(world, 3, seed)
    for own in (plays.part(*bounds) for bounds in bounds_of(plays, "trajectory")):
        assert own.time.tolist() == list(range(len(own)))
        assert (own.next_state[:-1] == own.state[1:]).all()
        assert not world.terminal[own.state].any()
        assert own.terminated.tolist() == [*[False] * (len(own) - 1), bool(world.terminal[own.next_state[-1]])]
        assert own.truncated.tolist() == [*[False] * (len(own) - 1), not own.terminated[-1]]
        assert own.truncated[-1] <= (len(own) == world.horizon)
        assert own.reward == pytest.approx(world.R[own.state, own.action])
    for group in (plays.part(*bounds) for bounds in bounds_of(plays, "group")):
        assert len(set(group.state[group.time == 0])) <= 1, "the plays of a group begin alike"


def bounds_of(plays, name):
    """First and one past the last step of each group, or each play."""
    ids = getattr(plays, name)
    return [(int(np.searchsorted(ids, k)), int(np.searchsorted(ids, k, "right"))) for k in np.unique(ids)]


def test_groups_hold_eight_plays_and_a_part_counts_from_zero():
    _, plays = played(two(), 5, logits=np.zeros((1, 2)))
    assert plays.count == 5 * GROUP and (plays.group == plays.trajectory // GROUP).all()
    first, last = bounds_of(plays, "group")[3]
    part = plays.part(first, last)
    assert part.count == GROUP and part.group.max() == 0 and len(part) == last - first == part.steps


@pytest.mark.parametrize("name", ["submit", "chain", "random"])
def test_the_estimate_with_exact_advantages_is_unbiased(name):
    world = random_world(4) if name == "random" else WORLDS[name]()
    logits = 0.5 * np.random.default_rng(3).normal(size=(world.keys, world.actions))
    own = []
    for seed in range(60):
        _, plays = played(world, 10, seed, logits)
        own.append(estimate(world, logits, plays, exact(world, logits, plays)))
    error = np.mean(own, 0) - gradient(world, logits)
    spread = np.std(own, 0, ddof=1) / np.sqrt(len(own))
    assert np.linalg.norm(error) < 2.5 * np.linalg.norm(spread)
    assert np.linalg.norm(spread) < 0.2 * np.linalg.norm(gradient(world, logits)), "so the check above can fail"


@given(seed=st.integers(0, 9999))
def test_the_estimate_is_the_sum_written_slowly(seed):
    world = random_world(seed)
    logits, plays = played(world, 2, seed)
    advantage = np.random.default_rng(seed).normal(size=len(plays))
    pi, slow = tabular.softmax(logits), np.zeros_like(logits)
    for k, a, x in zip(world.key[plays.state], plays.action, advantage, strict=True):
        slow[k] += x * (np.eye(world.actions)[a] - pi[k])
    assert estimate(world, logits, plays, advantage) == pytest.approx(slow / plays.count)


def test_exact_is_the_table_of_advantages():
    world = two()
    logits, plays = played(world, 4, logits=np.zeros((1, 2)))
    table = tabular.advantages(world.model, np.full((2, 2), 0.5))
    assert exact(world, logits, plays) == pytest.approx(table[plays.time, plays.state, plays.action])


def test_what_a_batch_shows_of_the_state():
    world = two(key=np.array([0, 0]), facts={"progress": np.array([0.0, 1.0])})
    _, plays = played(world, 2, logits=np.zeros((1, 2)))
    whole, seen = (to_batch(world, plays, observed) for observed in (False, True))
    assert whole["next_state"].values.tolist() == plays.next_state.tolist()
    assert set(seen["state"].values) == set(seen["next_state"].values) == {0}
    assert whole["progress"].values.tolist() == plays.next_state.tolist()
    assert whole["outcome"].values == pytest.approx(np.bincount(plays.trajectory, plays.reward))
    assert (
        whole["truncated"].values.tolist() == plays.truncated[np.append(np.diff(plays.trajectory) > 0, True)].tolist()
    )


def test_cosines_by_hand():
    assert cosine(np.array([1.0, 0.0]), np.array([1.0, 1.0])) == pytest.approx(np.sqrt(0.5))
    assert cosine(np.zeros(2), np.ones(2)) == 0.0


def test_a_walk_goes_on_from_where_it_is_told():
    player = Player(two(), np.array([[1.0, 0.0], [1.0, 0.0]]))  # always stays
    walk, state, action, after = player.walk(np.array([0, 1, 0]), np.array([2, 2, 1]), np.random.default_rng(0))
    assert walk.tolist() == [0, 0, 2] and state.tolist() == after.tolist() == action.tolist() == [0, 0, 0]
