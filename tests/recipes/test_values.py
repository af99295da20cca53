"""Recipes with critics, probes and anchors: their formulas, written slowly, and where they meet others."""

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from guerdon import recipes
from guerdon.batch import Batch, Column
from guerdon.credit import Turn, centred, gae_of, to_go_of, whitened
from guerdon.credit.clocks import Every
from guerdon.credit.temporal import least
from guerdon.recipes import anytime_brpo, archer, era, ota, ppr_renorm, spa_rl, vgpo, vl_dac
from guerdon.rewards import fact, only_last, rising, uniform
from strategies import ragged_batches

whole = ragged_batches(missing=False, ends=False)
OUTCOME = fact("outcome")


def plays(batch):
    """Of each play: its number and where its steps are."""
    for t in range(batch.size("trajectory")):
        yield t, np.flatnonzero(batch.trajectory_of_step == t)


def slow_gae(batch, reward, gamma, lam):
    """GAE of a reward per step against `value`, with nothing after the end."""
    out, value = np.zeros(len(reward)), batch["value"].values
    for _, steps in plays(batch):
        later = after = 0.0
        for s in reversed(steps):
            later = reward[s] + gamma * after - value[s] + gamma * lam * later
            after, out[s] = value[s], later
    return out


def white(x):
    """Mean 0 and variance 1; zero where all agree."""
    away = x - x.mean()
    return away / np.sqrt((away**2).sum() / max(len(x) - 1, 1) + 1e-8)


def at_last(batch, x):
    """A number per play at its last step."""
    out = np.zeros(batch.size("step"))
    for t, steps in plays(batch):
        out[steps[-1]] = x[t]
    return out


def of_one_length(batch):
    """The plays cut to the length of the shortest, with nothing but their probes."""
    length = np.bincount(batch.trajectory_of_step)
    turn = np.concatenate([np.arange(k) for k in length])
    kept = np.flatnonzero(turn < length.min())
    probe = {"probe": batch["probe"].take(kept)}
    return Batch(np.zeros(0, int), batch.trajectory_of_step[kept], batch.group_of_trajectory, probe)


# Anytime.


@given(whole, st.sampled_from([uniform, rising, only_last]))
def test_anytime_brpo(batch, how):
    probe, expected = batch["probe"].values, np.zeros(batch.size("step"))
    tails = {}
    for t, steps in plays(batch):
        n = len(steps)
        mass = {uniform: np.ones(n), rising: np.arange(1.0, n + 1), only_last: np.arange(n) == n - 1}[how]
        mass = mass / mass.sum()
        tails[t] = [((mass * probe[steps])[s:].sum(), mass[s:].sum()) for s in range(n)]
    for t, steps in plays(batch):
        n = len(steps)
        for s in range(n):
            alike = [u for u in tails if batch.group_of_trajectory[u] == batch.group_of_trajectory[t]]
            there = [tails[u][s][0] for u in alike if len(tails[u]) > s]
            ahead, left = tails[t][s]
            group = np.mean(there) if len(there) > 1 else ahead
            past = np.average(probe[steps[:s]], weights=2.0 ** np.arange(s)) * left if s else 0.0
            expected[steps[s]] = ahead - (s / n) * past - ((n - s) / n) * group
    assert anytime_brpo.credit(how=how)(batch).values == pytest.approx(expected, abs=1e-9)


@given(ragged_batches(missing=False))
def test_anytime_brpo_with_one_part_is_grpo_without_std(batch):
    n = batch.size("trajectory")
    single = Batch(np.zeros(0, int), np.arange(n), batch.group_of_trajectory, {
        "outcome": batch["outcome"], "failed": batch["failed"],
        "probe": Column("step", batch["outcome"].values, batch["outcome"].valid),
    })  # fmt: skip
    a, plain = anytime_brpo.RECIPE.credit(single), centred(OUTCOME)(single)
    assert a.values == pytest.approx(plain.values, abs=1e-12) and (a.valid == plain.valid).all()


@given(whole, st.floats(-2, 2))
def test_anytime_brpo_does_not_mind_a_shift(batch, shift):
    """In plays of one length: elsewhere plays of other lengths have other tails."""
    even = of_one_length(batch)
    moved = even.with_columns(probe=Column.of("step", even["probe"].values + shift))
    a, b = anytime_brpo.RECIPE.credit(even).values, anytime_brpo.RECIPE.credit(moved).values
    several = np.bincount(batch.group_of_trajectory)[even.index("group", at="step")] > 1
    assert b[several] == pytest.approx(a[several], abs=1e-9)


def test_the_own_past_takes_out_more_noise_the_later_the_part():
    """Thoughts on prompts and in plays of unlike difficulty: the past knows what the group does not."""
    rng = np.random.default_rng(0)
    groups, size, parts = 100, 8, 4
    skill = rng.random((groups, size, 1))
    probe = (rng.random((groups, size, parts)) < skill).mean(axis=2, keepdims=True) * 0.5 + skill * 0.5
    probe = probe + 0.05 * rng.normal(size=(groups, size, parts))
    n = groups * size
    batch = Batch(np.zeros(0, int), np.repeat(np.arange(n), parts), np.repeat(np.arange(groups), size))
    batch = batch.with_columns(probe=Column.of("step", probe.ravel()))
    both = anytime_brpo.RECIPE.credit(batch).values.reshape(-1, parts)
    group = centred(to_go_of(fact("probe")), by=("prompt", Turn()))(batch).values.reshape(-1, parts) / parts
    ratio = both.var(axis=0) / group.var(axis=0)
    assert ratio[0] == pytest.approx(1.0) and (np.diff(ratio) < 0).all() and ratio[-1] < 0.3


# Critics.


@given(whole)
def test_ota(batch):
    segment, value, outcome = batch["segment"].values, batch["value"].values, batch["outcome"].values
    expected = np.zeros(batch.size("step"))
    for t, steps in plays(batch):
        options = [steps[segment[steps] == s] for s in dict.fromkeys(segment[steps].tolist())]
        for k, option in enumerate(options):
            last = k + 1 == len(options)
            reward = outcome[t] - 1 if last else -1.0
            after = 0.0 if last else value[options[k + 1][0]]
            expected[option] = reward + 0.99 * after - value[option[0]]
    assert recipes.get("ota").credit(batch).values == pytest.approx(expected, abs=1e-9)


@given(st.integers(1, 30), st.integers(1, 7), st.floats(0.5, 0.99))
def test_ota_has_no_advantage_on_the_best_path_with_the_exact_staircase(length, n, gamma):
    left = length - np.arange(length)
    stairs = np.ceil(left / n)
    # Options are cut from the start, so where n does not divide the path the last one is the short one.
    k = -(-length // n) - np.arange(length) // n
    value = -(1 - gamma ** (k - 1)) / (1 - gamma)
    batch = Batch.from_steps(
        group=np.zeros(length, int), trajectory=np.zeros(length, int), reward=(left == 1).astype(float)
    ).with_columns(value=Column.of("step", value))  # fmt: skip
    assert ota.credit(Every(n), gamma)(batch).values == pytest.approx(0, abs=1e-9)
    if length % n == 0:
        assert k.tolist() == stairs.tolist()


@given(whole)
def test_ota_with_options_of_one_step_pays_one_a_step(batch):
    reward = at_last(batch, batch["outcome"].values) - 1
    assert ota.credit(Every(1))(batch).values == pytest.approx(slow_gae(batch, reward, 0.99, 0.0), abs=1e-9)


@given(ragged_batches())
def test_archer(batch):
    a = recipes.get("archer").credit(batch)
    q, v = batch["q_values"], batch["values"]
    known = q.valid & v.valid & ~batch["failed"].values[batch.trajectory_of_step]
    expected = np.where(known, q.values.min(axis=1) - v.values.min(axis=1), 0.0)
    assert a.values.tolist() == expected.tolist() and (a.valid == known).all()


def test_archers_twins_shift_where_their_noise_differs():
    rng = np.random.default_rng(0)
    n = 40_000
    batch = Batch(np.zeros(0, int), np.arange(n), np.zeros(n, int)).with_columns(
        q_values=Column.of("step", rng.normal(0, 2.0, (n, 2))), values=Column.of("step", rng.normal(0, 1.0, (n, 2)))
    )
    assert archer.credit()(batch).values.mean() == pytest.approx(-0.56 * (2.0 - 1.0), abs=0.03)
    assert archer.credit(least("values"), least("values"))(batch).values.tolist() == [0.0] * n


@given(whole)
def test_era(batch):
    reward = 0.5 * batch["action_valid"].values - 0.5 + batch["milestone"].values
    reward = reward + 3 * at_last(batch, batch["outcome"].values)
    assert era.reward()(batch).values == pytest.approx(reward)
    expected = white(slow_gae(batch, reward, 0.99, 0.99))
    assert recipes.get("era").credit(batch).values == pytest.approx(expected, abs=1e-6)


@given(whole)
def test_vl_dac(batch):
    expected = white(slow_gae(batch, batch["reward"].values, 0.9, 0.95))
    assert recipes.get("vl-dac").credit(batch).values == pytest.approx(expected, abs=1e-6)


@given(whole, st.floats(0.5, 4))
def test_vl_dac_has_no_unit(batch, unit):
    assume(np.std(slow_gae(batch, batch["reward"].values, 0.9, 0.95)) > 0.05)  # below, the 1e-8 under the root shows
    other = batch.with_columns(**{n: Column.of("step", unit * batch[n].values) for n in ("reward", "value")})
    assert vl_dac.RECIPE.credit(other).values == pytest.approx(vl_dac.RECIPE.credit(batch).values, abs=1e-4)


@given(whole)
def test_ppr_renorm(batch):
    score, outcome, owner = batch["judge_score"].values, batch["outcome"].values, batch.trajectory_of_step
    reward = score + outcome[owner] - 1
    for t, steps in plays(batch):
        reward[steps[-1]] = outcome[t]
    assert recipes.get("ppr-renorm").reward(batch).values == pytest.approx(reward)
    expected = white(slow_gae(batch, reward, 1.0, 1.0))
    assert recipes.get("ppr-renorm").credit(batch).values == pytest.approx(expected, abs=1e-6)


@given(ragged_batches())
def test_the_signs_of_ppr_agree_with_the_outcome(batch):
    reward, outcome = ppr_renorm.reward()(batch), batch["outcome"].values[batch.trajectory_of_step]
    assert (reward.values[reward.valid & (outcome == 1)] >= 0).all()
    assert (reward.values[reward.valid & (outcome == 0)] <= 0).all()


def test_ppr_pays_for_length_in_a_success_and_against_it_in_a_failure():
    def total(steps: int, won: float) -> float:
        batch = Batch.from_steps(
            group=[0] * steps, trajectory=[0] * steps, reward=[0.0] * (steps - 1) + [won]
        ).with_columns(judge_score=Column.of("step", [0.6] * steps))  # fmt: skip
        return ppr_renorm.reward()(batch).values.sum()

    assert [total(3, 1.0), total(6, 1.0)] == pytest.approx([2.2, 4.0])
    assert [total(3, 0.0), total(6, 0.0)] == pytest.approx([-0.8, -2.0])


@given(whole)
def test_spa_rl(batch):
    owner, x, outcome = batch.trajectory_of_step, batch["features"].values, batch["outcome"].values
    rows = np.array([x[owner == t].sum(axis=0) for t in range(len(outcome))])
    grounded = batch["action_valid"].values.copy()
    for _, steps in plays(batch):
        grounded[steps[-1]] = 1.0
    reward = x @ np.linalg.pinv(rows) @ outcome + 0.5 * grounded
    expected = slow_gae(batch, reward, 1.0, 0.95)
    assert recipes.get("spa-rl").credit(batch).values == pytest.approx(expected, abs=1e-7)


def test_spa_rls_bonus_can_be_farmed():
    """A play that wanders with accepted actions is worth more than a quick success, beyond ALPHA / BETA steps."""

    def paid(steps: int, won: float) -> float:
        batch = Batch.from_steps(group=[0] * steps, trajectory=[0] * steps, reward=[0.0] * (steps - 1) + [won])
        batch = batch.with_columns(
            action_valid=Column.of("step", np.ones(steps)), features=Column.of("step", np.eye(steps))
        )
        return spa_rl.reward()(batch).values.sum()

    assert paid(6, 0.0) > paid(2, 1.0) and paid(3, 0.0) < paid(2, 1.0)


@given(ragged_batches(), st.floats(0, 1), st.floats(0, 1))
def test_era_without_its_dense_part_is_ppo(batch, gamma, lam):
    ones = Column.of("step", np.ones(batch.size("step")))
    batch = batch.with_columns(action_valid=ones, milestone=ones)
    plain = whitened(gae_of(3.0 * recipes.get("ppo").reward, gamma, lam))(batch)
    assert era.credit(failed=0.0, rise=0.0, gamma=gamma, lam=lam)(batch).values == pytest.approx(plain.values)


# Anchors.


@given(whole)
def test_vgpo(batch):
    probe, value, group = batch["probe"].values, batch["value"].values, batch.index("group", at="step")
    owner = batch.trajectory_of_step
    turn = np.concatenate([np.arange(k) for k in np.bincount(owner)])
    ahead, weight = np.zeros(len(probe)), np.ones(len(probe))
    for _, steps in plays(batch):
        fade = 0.9 ** np.arange(len(steps))
        for i, s in enumerate(steps):
            ahead[s] = (fade[: len(steps) - i] * probe[steps[i:]]).sum()
        quality = np.array([ahead[s] / fade[: len(steps) - i].sum() for i, s in enumerate(steps)])
        weight[steps] = quality / quality.mean() if quality.mean() > 0 else 1.0
    expected = np.zeros(len(probe))
    for s in range(len(probe)):
        alike = ahead[(group == group[s]) & (turn == turn[s])]
        spread = alike.std(ddof=1) if len(alike) > 1 and np.ptp(alike) > 0 else 0.0
        z = (ahead[s] - alike.mean()) / (spread + 1e-6) if spread else 0.0
        expected[s] = weight[s] * (z + 0.5 * (ahead[s] - value[s]))
    assert recipes.get("vgpo").credit(batch).values == pytest.approx(expected, rel=1e-5, abs=1e-6)


@given(whole, st.floats(0.1, 4))
def test_vgpo_says_nothing_of_a_constant_reward_that_its_anchor_knows(batch, level):
    """At any step, in plays of one length; plays of other lengths have other returns."""
    even = of_one_length(batch)
    flat = even.with_columns(probe=Column.of("step", np.full(even.size("step"), level)))
    known = flat.with_columns(value=to_go_of(fact("probe"), vgpo.GAMMA)(flat))
    assert vgpo.RECIPE.credit(known).values == pytest.approx(0, abs=1e-9)


@given(whole)
def test_vgpo_speaks_where_all_plays_are_alike(batch):
    even = of_one_length(batch)
    flat = even.with_columns(**{n: Column.of("step", np.full(even.size("step"), x)) for n, x in FLAT.items()})
    assert (vgpo.RECIPE.credit(flat).values > 0).all() and (vgpo.credit(kappa=0.0)(flat).values == 0).all()


FLAT = {"probe": 1.0, "value": 0.0}
