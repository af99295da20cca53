"""Credit by pooled futures: its values, what it falls back to, and that it points where the truth does."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from guerdon import Batch
from guerdon.bench.sample import Player, cosine, estimate, to_batch
from guerdon.bench.world import gradient
from guerdon.bench.worlds import chain, luck, tools
from guerdon.credit import centred, to_go
from guerdon.credit.pooled import expected_to_go, inherited, pooled, well_known
from guerdon.environments import tabular
from guerdon.recipes import get
from guerdon.rewards import fact, total
from strategies import ragged_batches

REWARD = fact("reward")
whole = ragged_batches(missing=False, ends=False)


def steps(**columns):
    """A batch in which every play terminated."""
    return Batch.from_steps(**columns)


# Values on the graph.


def slowly(gain, state, after, goes_on, known, time):
    """The same recursion in plain Python, state by state."""
    horizon = max(time) + 1
    memo = {}

    def expected(t, s):
        if t == horizon:
            return 0.0
        if (t, s) not in memo:
            here = [i for i in range(len(gain)) if state[i] == s]
            mean = sum(gain[i] for i in here) / len(here) if here else 0.0
            seen = [i for i in here if known[i]]
            ways = [after[i] for i in seen if goes_on[i]]
            memo[t, s] = mean + sum(expected(t + 1, s2) for s2 in ways) / max(len(seen), 1)
        return memo[t, s]

    here = [expected(t, s) for t, s in zip(time, state, strict=True)]
    later = [expected(t + 1, s) if go else 0.0 for t, s, go in zip(time, after, goes_on, strict=True)]
    return here, later


@given(st.integers(0, 2**32 - 1))
def test_values_are_those_of_the_recursion_written_slowly(seed):
    rng = np.random.default_rng(seed)
    n = int(rng.integers(1, 25))
    gain, state, after = rng.normal(size=n), rng.integers(0, 5, n), rng.integers(0, 5, n)
    goes_on, known, time = rng.random(n) < 0.8, rng.random(n) < 0.9, rng.integers(0, 5, n)
    fast = expected_to_go(gain, state, after, goes_on, known, time)
    slow = slowly(gain, state.tolist(), after.tolist(), goes_on, known, time.tolist())
    assert fast[0] == pytest.approx(slow[0], abs=1e-9)
    assert fast[1] == pytest.approx(slow[1], abs=1e-9)


@pytest.mark.parametrize("world", [tools(), chain(4), luck(4)], ids=lambda w: w.name)
def test_values_tend_to_the_exact_ones(world):
    policy = np.full((len(world.key), world.actions), 1 / world.actions)
    plays = Player(world, policy).play(4000, np.random.default_rng(0))
    goes_on = ~plays.terminated
    known = np.ones(len(plays), bool)
    here, _ = expected_to_go(plays.reward, plays.state, plays.next_state, goes_on, known, plays.time)
    value, _ = tabular.values(world.model, policy)
    # Late in the longest play the recursion sees an end that is not there; few steps are so late.
    often = (np.bincount(plays.state, minlength=len(world.key))[plays.state] > 500) & (plays.time < 15)
    assert here[often] == pytest.approx(value[plays.time, plays.state][often], abs=0.06)


def test_a_state_is_well_known_where_two_plays_met_it_often_enough():
    state, play = np.array([0, 0, 1, 0, 2, 2]), np.array([0, 0, 0, 1, 1, 1])
    assert well_known(state, play, enough=3).tolist() == [True, True, False, True, False, False]


def test_between_well_known_states_surprises_add_up():
    surprise, play = np.array([1.0, 2.0, 4.0, 8.0, 16.0]), np.array([0, 0, 0, 0, 1])
    known = np.array([False, True, False, False, False])
    root = np.array([5.0, 5.0, 5.0, 5.0, 7.0])
    assert inherited(surprise, known, root, play).tolist() == [5.0, 0.0, 2.0, 6.0, 7.0]


# Special cases.


@given(whole)
def test_where_no_state_recurs_it_is_the_return_less_the_mean_of_the_group(batch):
    n = batch.size("step")
    alone = Batch.from_steps(
        group=batch.index("group", at="step"), trajectory=batch.trajectory_of_step, reward=batch["reward"].values,
        state=np.arange(n), action=batch["action"].values,
    )  # fmt: skip
    assert pooled(REWARD)(alone).values == pytest.approx(centred(total(REWARD))(alone).values, abs=1e-9)


def test_a_shared_state_splits_the_credit_by_what_was_done_there():
    """All plays pass 0, then 1; at 1 the half that goes on to 2 wins. What was done at 0 changes nothing."""
    plays = 800
    play = np.repeat(np.arange(plays), 2)
    wins = np.arange(plays) % 2
    reward = np.where(np.tile([False, True], plays), np.repeat(wins, 2), 0.0)
    batch = steps(
        group=play // 8, trajectory=play, reward=reward, state=np.tile([0, 1], plays),
        action=np.stack([np.arange(plays) // 2 % 2, wins], 1).ravel(),
    )  # fmt: skip
    credit = pooled(REWARD)(batch).values.reshape(plays, 2)
    # What is left at 0 is the doubt: half the return, times DOUBT in 808 plays.
    assert np.abs(credit[:, 0]) == pytest.approx(np.full(plays, 0.5 * 8 / 808))
    assert credit[:, 1] == pytest.approx(wins - 0.5)


def test_what_the_key_leaves_out_is_found_in_the_plays():
    """The door decides, the corridor does not say which door it was: all credit belongs to the door."""
    world = chain(4)
    logits = np.zeros((world.keys, world.actions))
    plays = Player(world, tabular.softmax(logits)[world.key]).play(32, np.random.default_rng(0))
    credit = pooled(REWARD)(to_batch(world, plays, observed=True)).values
    door = plays.time == 0
    left, right = (door & (plays.action == a) for a in (0, 1))
    assert credit[left].mean() > 0.3 and credit[right].mean() < -0.3
    between = ~door & ~plays.terminated
    assert np.abs(credit[between]).mean() < 0.1


@given(whole, st.sampled_from([0.25, 8.0]))
def test_twice_the_reward_is_twice_the_credit(batch, factor):
    doubled = batch.with_columns(
        reward=type(batch["reward"])("step", factor * batch["reward"].values, batch["reward"].valid)
    )
    plain, other = pooled(REWARD)(batch), pooled(REWARD)(doubled)
    assert other.values == pytest.approx(factor * plain.values, rel=1e-6, abs=1e-9)


@given(whole, st.integers(0, 999))
def test_names_of_states_and_actions_do_not_matter(batch, seed):
    rng = np.random.default_rng(seed)
    names = {n: rng.permutation(1000)[batch[n].values] for n in ("state", "action")}
    arrays = {
        "group": batch.index("group", at="step"),
        "trajectory": batch.trajectory_of_step,
        "reward": batch["reward"].values,
    }
    plain = Batch.from_steps(**arrays, state=batch["state"].values, action=batch["action"].values)
    other = Batch.from_steps(**arrays, **names)
    assert pooled(REWARD)(other).values == pytest.approx(pooled(REWARD)(plain).values, abs=1e-9)


@given(whole)
def test_without_fades_it_is_the_return_less_the_pooled_value_in_well_known_states(batch):
    batch = Batch.from_steps(
        group=batch.index("group", at="step"), trajectory=batch.trajectory_of_step, reward=batch["reward"].values,
        state=batch["state"].values, action=batch["action"].values,
    )  # fmt: skip
    credit = pooled(REWARD, decays=())(batch).values
    ahead = to_go(batch["reward"].values, batch.trajectory_of_step)
    known = well_known(batch["state"].values, batch.trajectory_of_step)
    keyed = {}
    time = np.arange(len(ahead)) - np.searchsorted(batch.trajectory_of_step, batch.trajectory_of_step)
    for i in np.flatnonzero(known):  # at one time in one state all are compared with the same value
        keyed.setdefault((time[i], batch["state"].values[i]), []).append(ahead[i] - credit[i])
    assert all(np.ptp(values) < 1e-9 for values in keyed.values())


def test_a_play_cut_by_the_horizon_is_not_an_end_of_the_world():
    """State 0 for ever, 1 a step, cut after three: what is left to come falls with time, and nothing is a surprise."""
    plays, length = 8, 3
    n = plays * length
    batch = Batch.from_steps(
        group=np.zeros(n, int), trajectory=np.repeat(np.arange(plays), length), reward=np.ones(n),
        state=np.zeros(n, int),
        action=np.zeros(n, int), next_state=np.zeros(n, int), truncated=np.tile([False, False, True], plays),
    )  # fmt: skip
    assert pooled(REWARD)(batch).values == pytest.approx(np.zeros(n), abs=1e-12)


def test_steps_without_a_key_are_each_in_a_state_of_their_own():
    batch = steps(
        group=[0] * 4,
        trajectory=[0, 0, 1, 1],
        reward=[0.0, 1.0, 0.0, 0.0],
        state=[None, 1, None, 1],
        action=[0, 0, 1, 0],
    )
    assert pooled(REWARD, decays=())(batch).values == pytest.approx([0.5, 0.5, -0.5, -0.5])


# Towards the truth.


@pytest.mark.parametrize(
    ("world", "groups"), [(chain(), 6), (tools(), 30), (luck(), 40)], ids=lambda x: getattr(x, "name", x)
)
def test_it_points_where_the_true_gradient_does_better_than_comparing_outcomes(world, groups):
    logits = np.zeros((world.keys, world.actions))
    player, truth = Player(world, tabular.softmax(logits)[world.key]), gradient(world, logits)
    found = {"guerdon": [], "grpo": []}
    for seed in range(16):
        plays = player.play(groups, np.random.default_rng(seed))
        for observed in (False, True):
            batch = to_batch(world, plays, observed)
            for name, cosines in found.items():
                cosines.append(cosine(estimate(world, logits, plays, get(name).credit(batch).values), truth))
    assert np.mean(found["guerdon"]) > np.mean(found["grpo"]) + 0.03
