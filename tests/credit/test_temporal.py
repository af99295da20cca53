"""gae, n_step, lambda_return, next_values, known_to_go and the credits made with them, under each clock."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from guerdon.batch import Batch, Column
from guerdon.credit import gae, gae_of, known_to_go, next_values, step_term, to_go, to_go_of
from guerdon.credit.clocks import Every, PerSegment, PerToken
from guerdon.credit.compare import less
from guerdon.credit.temporal import lambda_of, lambda_return, least, n_step, n_step_of
from guerdon.errors import ColumnError, LevelError, ShapeError
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


@given(plays(), st.floats(0, 1), st.floats(0, 1))
def test_gae_written_slowly(p, gamma, lam):
    reward, value, owner = p
    after = next_values(value, owner, 0.5)
    expected = np.zeros(len(reward))
    for t in reversed(range(len(reward))):
        more = t + 1 < len(reward) and owner[t + 1] == owner[t]
        surprise = reward[t] + gamma * after[t] - value[t]
        expected[t] = surprise + (gamma * lam * expected[t + 1] if more else 0.0)
    assert gae(reward, value, after, owner, gamma, lam) == pytest.approx(expected, abs=1e-9)


# n-step and lambda returns.


@given(plays(), st.floats(0, 1), st.integers(1, 9))
def test_n_step_written_slowly(p, gamma, n):
    reward, value, owner = p
    after = next_values(value, owner, 0.5)
    expected = []
    for t in range(len(reward)):
        ahead = [u for u in range(t, len(reward)) if owner[u] == owner[t]][:n]
        worth = sum(gamma**k * reward[u] for k, u in enumerate(ahead))
        expected.append(worth + gamma ** len(ahead) * after[ahead[-1]])
    assert n_step(reward, after, owner, gamma, n) == pytest.approx(expected, abs=1e-9)


@given(plays(), st.floats(0, 1), st.integers(7, 20))
def test_n_steps_beyond_the_end_are_the_return(p, gamma, n):
    reward, value, owner = p
    assert n_step(reward, next_values(value, owner), owner, gamma, n) == pytest.approx(to_go(reward, owner, gamma))


@given(plays(), st.floats(0, 1))
def test_one_step_is_the_critics_target(p, gamma):
    reward, value, owner = p
    after = next_values(value, owner, 2.0)
    assert n_step(reward, after, owner, gamma, 1) == pytest.approx(reward + gamma * after)


@given(plays(), st.floats(0, 1), st.floats(0, 1))
def test_the_lambda_return_is_the_advantage_and_the_value(p, gamma, lam):
    reward, value, owner = p
    after = next_values(value, owner, 0.25)
    expected = gae(reward, value, after, owner, gamma, lam) + value
    assert lambda_return(reward, after, owner, gamma, lam) == pytest.approx(expected, abs=1e-9)


@given(plays(), st.floats(0, 1), st.floats(0, 0.95))
def test_the_lambda_return_is_the_fading_mean_of_n_step_returns(p, gamma, lam):
    reward, value, owner = p
    after = next_values(value, owner)
    left = to_go(np.ones(len(reward)), owner)
    expected = np.zeros(len(reward))
    for n in range(1, 8):
        share = np.where(n < left, (1 - lam) * lam ** (n - 1), np.where(n == left, lam ** (n - 1), 0.0))
        expected += share * n_step(reward, after, owner, gamma, n)
    assert lambda_return(reward, after, owner, gamma, lam) == pytest.approx(expected, abs=1e-9)


@given(ragged_batches(), st.integers(1, 9))
def test_an_n_step_return_is_missing_where_something_in_it_is(batch, n):
    column = n_step_of(fact("reward"), n, 0.5)(batch)
    reward, value, end = (batch[name].valid for name in ("reward", "value", "next_value"))
    owner, cut, failed = batch.trajectory_of_step, batch["truncated"].values, batch["failed"].values
    for t in range(len(owner)):
        ahead = [u for u in range(t, len(owner)) if owner[u] == owner[t]][:n]
        following = ahead[-1] + 1
        more = following < len(owner) and owner[following] == owner[t]
        read = value[following] if more else end[ahead[-1]] or not cut[owner[t]]
        assert column.valid[t] == (reward[ahead].all() and read and not failed[owner[t]])


@given(ragged_batches(), st.floats(0, 1), st.floats(0, 1))
def test_credits_of_lambda_and_gae_agree(batch, gamma, lam):
    a, g = gae_of(fact("reward"), gamma, lam)(batch), lambda_of(fact("reward"), gamma, lam)(batch)
    both = a.valid & g.valid
    assert (both == a.valid).all()  # the lambda return does not read the step's own value
    assert g.values[both] == pytest.approx((a.values + batch["value"].filled(0.0))[both], abs=1e-9)


# Clocks.


@given(ragged_batches(), st.floats(0, 1), st.floats(0, 1))
def test_where_each_step_is_an_option_options_are_steps(batch, gamma, lam):
    own = batch.with_columns(segment=Column.of("step", np.arange(batch.size("step"))))
    plain = gae_of(fact("reward"), gamma, lam)(batch)
    for clock in (PerSegment(), Every(1)):
        a = gae_of(fact("reward"), gamma, lam, clock)(own)
        assert a.values == pytest.approx(plain.values, abs=1e-9) and (a.valid == plain.valid).all()


@given(ragged_batches(), st.floats(0, 1), st.floats(0, 1))
def test_where_each_step_is_a_token_tokens_are_steps(batch, gamma, lam):
    n = batch.size("step")
    steps = {name: column for name, column in batch.columns.items() if column.level != "token"}
    one = Batch(np.arange(n), batch.trajectory_of_step, batch.group_of_trajectory, steps)
    value = batch["value"]
    tokens = one.with_columns(
        sampled=Column.of("token", np.ones(n, bool)), value=Column("token", value.values, value.valid)
    )
    plain, a = gae_of(fact("reward"), gamma, lam)(batch), gae_of(fact("reward"), gamma, lam, PerToken())(tokens)
    assert a.level == "token" and (a.valid == plain.valid).all()
    assert a.values == pytest.approx(plain.values, abs=1e-9)


@given(ragged_batches(missing=False), st.floats(0, 1), st.floats(0, 1))
def test_gae_of_options_written_slowly(batch, gamma, lam):
    a = gae_of(fact("reward"), gamma, lam, PerSegment())(batch)
    owner, segment = batch.trajectory_of_step, batch["segment"].values
    reward, value, end = (batch[name].filled(0.0) for name in ("reward", "value", "next_value"))
    failed, cut = batch["failed"].values, batch["truncated"].values
    for play in range(batch.size("trajectory")):
        steps = np.flatnonzero(owner == play)
        options = [steps[segment[steps] == s] for s in dict.fromkeys(segment[steps].tolist())]
        later, after = 0.0, end[steps[-1]] if cut[play] else 0.0
        for option in reversed(options):
            later = reward[option].sum() + gamma * after - value[option[0]] + gamma * lam * later
            after = value[option[0]]
            assert a.values[option] == pytest.approx(0.0 if failed[play] else later, abs=1e-9)


@given(ragged_batches(missing=False, ends=False), st.floats(0, 1), st.floats(0, 1))
def test_gae_of_tokens_written_slowly(batch, gamma, lam):
    rng = np.random.default_rng(batch.size("token"))
    value = rng.normal(size=batch.size("token"))
    a = gae_of(fact("reward"), gamma, lam, PerToken())(batch.with_columns(value=Column.of("token", value)))
    said = np.flatnonzero(batch["sampled"].values)
    step, play = batch.step_of_token, batch.index("trajectory", at="token")
    later = after = 0.0
    for i in reversed(range(len(said))):
        token = said[i]
        follows = i + 1 < len(said) and play[said[i + 1]] == play[token]
        last_of_step = i + 1 == len(said) or step[said[i + 1]] != step[token]
        later, after = (later, after) if follows else (0.0, 0.0)
        paid = batch["reward"].values[step[token]] if last_of_step else 0.0
        later = paid + gamma * after - value[token] + gamma * lam * later
        after = value[token]
        assert a.values[token] == pytest.approx(later, abs=1e-9)


def test_gae_of_tokens_agrees_with_verl():
    core = pytest.importorskip("verl.trainer.ppo.core_algos")
    torch = pytest.importorskip("torch")
    rng = np.random.default_rng(0)
    reward, value = rng.normal(size=(3, 5)), rng.normal(size=(3, 5))
    inputs = (torch.tensor(x) for x in (reward, value, np.ones((3, 5))))
    theirs, returns = core.compute_gae_advantage_return(*inputs, gamma=torch.tensor(0.9), lam=torch.tensor(0.8))
    owner = np.repeat(np.arange(3), 5)
    batch = Batch(np.arange(15), owner, np.zeros(3, int)).with_columns(
        sampled=Column.of("token", np.ones(15, bool)), value=Column.of("token", value.ravel()),
        reward=Column.of("step", reward.ravel()),
    )  # fmt: skip
    ours = lambda_of(fact("reward"), 0.9, 0.8, PerToken())(batch).values
    assert ours == pytest.approx(returns.numpy().ravel(), abs=1e-6)
    advantage = gae_of(fact("reward"), 0.9, 0.8, PerToken())(batch).values
    white = (advantage - advantage.mean()) / np.sqrt(advantage.var(ddof=1) + 1e-8)
    assert white == pytest.approx(theirs.numpy().ravel(), abs=1e-6)


# Q - V.


@given(ragged_batches())
def test_the_lower_twins_are_compared(batch):
    a = less(least("q_values"), least("values"), compares=("critic",))(batch)
    q, v = batch["q_values"], batch["values"]
    known = q.valid & v.valid & ~batch["failed"].values[batch.trajectory_of_step]
    expected = [min(q.values[t]) - min(v.values[t]) if known[t] else 0.0 for t in range(len(known))]
    assert a.values.tolist() == expected and (a.valid == known).all()
    assert a.values[known].tolist() and a.level == "step" if known.any() else True


def test_q_less_v_says_that_it_has_a_critic():
    assert less(least("q_values"), least("values"), compares=("critic",)).compares == {"critic"}


# Bad input.


def test_a_return_of_no_steps_is_refused():
    with pytest.raises(ShapeError, match="n=1"):
        n_step(np.zeros(1), np.zeros(1), np.zeros(1, int), 1.0, 0)


def test_a_value_at_the_wrong_level_is_refused():
    batch = Batch.from_steps(group=[0], trajectory=[0], reward=[0.0]).with_columns(value=Column.of("step", [0.5]))
    with pytest.raises(LevelError, match="value per token"):
        gae_of(fact("reward"), 1.0, 1.0, PerToken())(batch)
    with pytest.raises(LevelError, match="at_end"):
        gae_of(fact("outcome"), 1.0, 1.0, PerToken())(batch.with_columns(value=Column.of("token", [0.5])))


def test_one_number_has_no_least():
    with pytest.raises(ColumnError, match="vector"):
        least("reward")(Batch.from_steps(group=[0], trajectory=[0], reward=[0.0]))


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


def test_advantages_of_float32_are_summed_in_doubles():
    rng = np.random.default_rng(0)
    play = np.repeat(np.arange(3), [4000, 1, 500])
    reward, value = rng.normal(size=(2, len(play))).astype(np.float32)
    after = next_values(value, play)
    fine = gae(*(x.astype(np.float64) for x in (reward, value, after)), play, 1.0, 1.0)
    rough = gae(reward, value, after, play, 1.0, 1.0)
    assert rough.dtype == np.float64
    # What is rounded is each surprise, not their sum.
    assert np.abs(rough - fine).max() < 1e-7 * len(play) ** 0.5 * np.abs(reward).max()
