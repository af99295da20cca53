"""Recipes of step-level credit: each against its formula written slowly, its special cases and its laws."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from guerdon import recipes
from guerdon.batch import Batch, Column
from guerdon.credit import Everything, Randomly, Std, centred, to_go, tokens_of_step
from guerdon.recipes import grpo, igpo, oprl_istar, pav, prime, rloo, salt, srgpo, verpo
from guerdon.rewards import fact, total
from strategies import make_batch, ragged_batches

whole = ragged_batches(missing=False, ends=False)


def plays(batch):
    """Of each play: its number, its group, where its steps are."""
    for t in range(batch.size("trajectory")):
        yield t, batch.group_of_trajectory[t], np.flatnonzero(batch.trajectory_of_step == t)


def alone(batch):
    """True for the steps of a group of one."""
    return np.bincount(batch.group_of_trajectory)[batch.index("group", at="step")] == 1


def scored_slowly(x, buckets, eps=None):
    """Each value less its bucket's mean, over its bucket's sample spread plus eps; 0 alone."""
    out = np.zeros(len(x))
    for i, bucket in enumerate(buckets):
        alike = np.array([y for y, other in zip(x, buckets, strict=True) if other == bucket])
        if len(alike) > 1 and np.ptp(alike) > 0:
            out[i] = (x[i] - alike.mean()) / (1.0 if eps is None else alike.std(ddof=1) + eps)
    return out


def of_plays(batch, x, eps=None):
    """`scored_slowly` of one number per play, by group, copied to the steps."""
    return scored_slowly(x, batch.group_of_trajectory.tolist(), eps)[batch.trajectory_of_step]


def others_mean(batch, x, at):
    """The mean of x over the plays of at's group but `at` itself."""
    group = batch.group_of_trajectory
    return np.mean([x[u] for u in range(len(group)) if group[u] == group[at] and u != at])


# The formulas, slowly.


@given(whole)
def test_salt(batch):
    advantage = of_plays(batch, batch["outcome"].values, 1e-4)
    state, action, group = batch["state"].values, batch["action"].values, batch.index("group", at="step")
    after, known = batch["next_state"].values, batch["next_state"].valid
    first = {t: steps[0] for t, _, steps in plays(batch)}
    owner = batch.trajectory_of_step

    def edge(s):
        before = state[s - 1] if s > first[owner[s]] else None
        return (group[s], before, state[s], action[s], after[s]) if known[s] else (group[s], "alone", s)

    expected = np.zeros(len(advantage))
    for s in range(len(advantage)):
        who = {owner[u]: advantage[u] for u in range(len(advantage)) if edge(u) == edge(s)}
        expected[s] = np.mean(list(who.values()))
    assert recipes.get("salt").credit(batch).values == pytest.approx(expected, abs=1e-9)


@given(whole)
def test_srgpo(batch):
    process = (batch["closer"].values > 0) - 0.1 * (1 - batch["action_valid"].values)
    buckets, _ = Randomly(16)(batch, "step")
    expected = of_plays(batch, batch["outcome"].values, 1e-6) + scored_slowly(process, buckets.tolist(), 1e-6)
    assert recipes.get("srgpo").credit(batch).values == pytest.approx(expected, abs=1e-6)


@given(whole)
def test_oprl_takes_all_step_rows_of_the_others(batch):
    r, outcome = 0.05 * batch["step_score"].values, batch["outcome"].values
    group = batch.index("group", at="step")
    expected = np.zeros(len(r))
    for t, g, steps in plays(batch):
        theirs = (group == g) & (batch.trajectory_of_step != t)
        if theirs.any():
            expected[steps] = outcome[t] - others_mean(batch, outcome, t) + r[steps] - r[theirs].mean()
    assert recipes.get("oprl-istar").credit(batch).values == pytest.approx(expected, abs=1e-9)


@given(whole)
def test_prime(batch):
    r, outcome, tokens = 0.05 * batch["step_score"].values, batch["outcome"].values, tokens_of_step(batch)
    mean = np.array([r[steps].sum() / tokens[steps].sum() for _, _, steps in plays(batch)])
    expected = np.zeros(len(r))
    for t, _, steps in plays(batch):
        if not alone(batch)[steps[0]]:
            for i, s in enumerate(steps):
                rest = steps[i:]
                expected[s] = (r[rest] - others_mean(batch, mean, t) * tokens[rest]).sum()
                expected[s] += outcome[t] - others_mean(batch, outcome, t)
    assert prime.credit()(batch).values == pytest.approx(expected, abs=1e-9)
    if len(r) > 1 and np.ptp(expected) > 1e-9:
        white = (expected - expected.mean()) / np.sqrt(expected.var(ddof=1) + 1e-8)
        assert recipes.get("prime").credit(batch).values == pytest.approx(white, abs=1e-6)


@given(whole)
def test_igpo(batch):
    r = batch["next_belief"].values - batch["belief"].values
    for t, _, steps in plays(batch):
        r[steps[-1]] = batch["outcome"].values[t]
    z = np.where(alone(batch), 0.0, scored_slowly(r, batch.index("group", at="step").tolist(), 1e-4))
    expected = np.concatenate([[z[steps[i:]].sum() for i in range(len(steps))] for _, _, steps in plays(batch)])
    assert recipes.get("igpo").credit(batch).values == pytest.approx(expected, abs=1e-9)


@given(whole)
def test_pav_and_mrt(batch):
    outcome = batch["outcome"].values
    progress = {x: batch[f"next_{x}"].values - batch[x].values for x in ("prover_value", "stop_value")}
    by_pav, by_mrt = 3 * progress["prover_value"], 1 * progress["stop_value"]
    for t, _, steps in plays(batch):
        by_mrt[steps] += outcome[t] - batch["stop_value"].values[steps[0]]
        if not alone(batch)[steps[0]]:
            by_pav[steps] += outcome[t] - others_mean(batch, outcome, t)
    assert recipes.get("pav").credit(batch).values == pytest.approx(by_pav)
    assert recipes.get("mrt").credit(batch).values == pytest.approx(by_mrt)


@given(whole)
def test_matchtir(batch):
    r, group = batch["step_score"].values, batch.index("group", at="step")
    paid = np.array([r[steps].sum() for _, _, steps in plays(batch)])
    ahead, turn = to_go(r, batch.trajectory_of_step, 0.9), np.zeros(len(r), int)
    for _, _, steps in plays(batch):
        turn[steps] = np.arange(len(steps))
    at_turn = scored_slowly(ahead, list(zip(group.tolist(), turn.tolist(), strict=True)), 1e-6)
    expected = (of_plays(batch, paid, 1e-6) + at_turn) / 2
    assert recipes.get("matchtir").credit(batch).values == pytest.approx(expected, abs=1e-6)


@given(whole)
def test_verpo(batch):
    passed, group = batch["passed"].values, batch.index("group", at="step")
    local = np.zeros(len(group))
    for s, g in enumerate(group):
        rho = passed[group == g].mean(axis=0)
        crowd = [sum(np.exp(-((a - b) ** 2) / (2 * 0.1**2)) for b in rho) for a in rho]
        local[s] = sum(np.exp(-2 * a) / n * p for a, n, p in zip(rho, crowd, passed[s], strict=True))
    reward = np.array([batch["outcome"].values[t] * 0.95 ** len(steps) for t, _, steps in plays(batch)])
    turns = np.where(alone(batch), 0.0, scored_slowly(local, group.tolist()))
    assert recipes.get("verpo").credit(batch).values == pytest.approx(of_plays(batch, reward) + turns, abs=1e-9)


@given(whole)
def test_grpo_vps(batch):
    progress = batch["next_belief"].values - batch["belief"].values
    z = np.where(alone(batch), 0.0, scored_slowly(progress, batch.index("group", at="step").tolist(), 1e-4))
    expected = of_plays(batch, batch["outcome"].values, 1e-4) + 0.5 * z
    assert recipes.get("grpo-vps").credit(batch).values == pytest.approx(expected, abs=1e-9)


# One method is another.


@given(ragged_batches())
def test_salt_without_shared_states_is_grpo(batch):
    lonely = batch.with_columns(state=Column.of("step", np.arange(batch.size("step"))))
    assert salt.credit()(lonely).values.tolist() == grpo.CREDIT(lonely).values.tolist()


@given(ragged_batches(), st.integers(1, 3))
def test_salt_over_rloo_without_shared_states_is_rloo(batch, history):
    lonely = batch.with_columns(state=Column.of("step", np.arange(batch.size("step"))))
    credit = salt.credit(history, rloo.RECIPE.credit)
    assert credit(lonely).values.tolist() == rloo.RECIPE.credit(lonely).values.tolist()


def test_without_history_a_loop_leaks_credit_into_the_first_visit():
    # 0 -> 1 -> 0 -> 1: the failure's second pass from 0 to 1 is the success's first, without history.
    steps = {"group": [0] * 6, "trajectory": [0, 0, 1, 1, 1, 1], "state": [0, 1, 2, 1, 0, 1]}
    after = [1, 3, 1, 0, 1, 4]
    batch = Batch.from_steps(**steps, next_state=after, action=[0] * 6, reward=[0.0, 1.0, 0.0, 0.0, 0.0, 0.0])
    short, long = (salt.credit(history)(batch).values for history in (1, 2))
    assert short[0] == pytest.approx(0.0) and long[0] == grpo.CREDIT(batch).values[0] > 0


@given(ragged_batches())
def test_srgpo_with_one_bucket_is_the_immediate_reward_centred_over_the_batch(batch):
    in_batch = centred(srgpo.PROCESS, by=Everything(), scale=Std(srgpo.EPS))
    expected = centred(fact("outcome"), scale=Std(srgpo.EPS)) + in_batch
    credit = srgpo.credit(by=Randomly(batch.size("step") + 1))
    assert credit(batch).values == pytest.approx(expected(batch).values)


@given(whole, st.integers(0, 99))
def test_a_bonus_for_every_step_of_the_batch_changes_nothing_in_srgpo(batch, seed):
    raised = srgpo.credit(process=srgpo.PROCESS + fact("bonus"))
    same = batch.with_columns(bonus=Column.of("step", np.full(batch.size("step"), float(seed))))
    assert raised(same).values == pytest.approx(srgpo.credit()(batch).values, abs=1e-6)


def test_srgpo_favours_the_states_whose_rewards_are_large():
    batch = make_batch(np.random.default_rng(3), [5, 5], missing=False, ends=False)
    easy = batch["state"].values == 0
    kinder = batch.with_columns(bonus=Column.of("step", np.where(easy, 1.0, 0.0)))
    plain = srgpo.credit(by=Everything())(batch).values
    moved = srgpo.credit(by=Everything(), process=srgpo.PROCESS + fact("bonus"))(kinder).values
    assert moved[easy].mean() > plain[easy].mean() and moved[~easy].mean() < plain[~easy].mean()


@given(whole)
def test_matchtir_with_one_turn_is_grpo(batch):
    plays_of, first = np.unique(batch.trajectory_of_step, return_index=True)
    batch = Batch.from_steps(
        group=batch.group_of_trajectory, trajectory=plays_of, reward=batch["step_score"].values[first]
    )
    batch = batch.with_columns(step_score=batch["reward"])
    expected = centred(fact("outcome"), scale=Std(1e-6))
    assert recipes.get("matchtir").credit(batch).values == pytest.approx(expected(batch).values)


def test_matchtir_compares_first_turns_with_first_turns():
    # Play 1 alone reaches turn 2: there it gets half of its place among plays, and nothing for its return.
    batch = Batch.from_steps(group=[0] * 3, trajectory=[0, 1, 1], reward=[0.0] * 3)
    batch = batch.with_columns(step_score=Column.of("step", [1.0, 0.0, 0.5]))
    play = centred(total(fact("step_score")), scale=Std(1e-6))(batch).values
    assert recipes.get("matchtir").credit(batch).values[2] == pytest.approx(play[2] / 2)


@given(ragged_batches())
def test_with_weight_nothing_the_step_part_is_gone(batch):
    pairs = [
        (oprl_istar.credit(omega=0.0), rloo.RECIPE.credit),
        (pav.credit(alpha=0.0), rloo.RECIPE.credit),
        (srgpo.credit(omega=0.0), centred(fact("outcome"), scale=Std(srgpo.EPS))),
        (verpo.credit(beta=0.0), centred(verpo.PLAYS)),
        (prime.credit(beta=0.0), rloo.RECIPE.credit),
    ]
    for credit, expected in pairs:
        column, other = credit(batch), expected(batch)
        assert column.values[column.valid] == pytest.approx(other.values[column.valid])


@given(whole, st.integers(-8, 8))
def test_a_bonus_for_every_step_of_a_group_changes_nothing_in_oprl(batch, bonus):
    offset = bonus * (1 + batch.index("group", at="step"))
    raised = batch.with_columns(step_score=Column.of("step", batch["step_score"].values + offset))
    credit = recipes.get("oprl-istar").credit
    assert credit(raised).values == pytest.approx(credit(batch).values, abs=1e-9)


@given(whole)
def test_the_first_turn_of_igpo_pays_the_mean_once_a_turn(batch):
    rewards, group = igpo.published()(batch).values, batch.index("group", at="step")
    credit = igpo.credit()(batch).values
    for _, g, steps in plays(batch):
        pooled = rewards[group == g]
        if not alone(batch)[steps[0]] and np.ptp(pooled) > 0:
            expected = (rewards[steps].sum() - len(steps) * pooled.mean()) / (pooled.std(ddof=1) + 1e-4)
            assert credit[steps[0]] == pytest.approx(expected, abs=1e-9)
