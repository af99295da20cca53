"""Each recipe against its formula written slowly, and the special cases in which one becomes another."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from guerdon import recipes
from guerdon.batch import Batch, Column
from guerdon.credit import HardMin, centred, min_form_of, to_go
from guerdon.recipes import clip_delta, gigpo, milestones, pbrs, ppo, pure
from guerdon.rewards import fact, total
from strategies import ragged_batches

whole = ragged_batches(missing=False, ends=False)


def plays(batch):
    """Of each play: its number, its group, where its steps are."""
    for t in range(batch.size("trajectory")):
        yield t, batch.group_of_trajectory[t], np.flatnonzero(batch.trajectory_of_step == t)


def others(batch, t):
    """The other plays of t's group."""
    return [u for u, g, _ in plays(batch) if g == batch.group_of_trajectory[t] and u != t]


def steps_of(batch, some):
    """Where the steps of these plays are."""
    return np.flatnonzero(np.isin(batch.trajectory_of_step, some))


def centred_slowly(batch, x):
    """Each play's x less the mean of its group, copied to its steps; zero in a group of one."""
    out = np.zeros(batch.size("step"))
    for t, _, steps in plays(batch):
        if group := others(batch, t):
            out[steps] = x[t] - np.mean([x[u] for u in (t, *group)])
    return out


@given(whole)
def test_gigpo(batch):
    reward, state = batch["reward"].values, batch["state"].values
    paid = np.array([reward[steps].sum() for _, _, steps in plays(batch)])
    expected = centred_slowly(batch, paid)
    ahead, group = to_go(reward, batch.trajectory_of_step, 0.95), batch.index("group", at="step")
    for t, _, steps in plays(batch):
        for s in steps if others(batch, t) else ():
            alike = (group == group[s]) & (state == state[s])
            expected[s] += 1.0 * (ahead[s] - ahead[alike].mean())
    assert recipes.get("gigpo").credit(batch).values == pytest.approx(expected, abs=1e-9)


@given(whole)
def test_g_ra(batch):
    worth = []
    for _, _, steps in plays(batch):
        p = batch["progress"].values[steps[-1]]
        outcome = 1.0 if p >= 1 else 0.3 if p >= 0.5 else 0.1 if p > 0 else 0.0
        paid = (0.005 * batch["action_valid"].values[steps] + 0.05 * batch["milestone"].values[steps]).sum()
        worth.append(outcome + (paid if outcome > 0.1 else 0.0))
    assert recipes.get("g-ra").reward(batch).values == pytest.approx(worth)
    expected = centred_slowly(batch, np.array(worth))
    for t, _, steps in plays(batch):
        spread = np.std([worth[u] for u in (t, *others(batch, t))], ddof=1) if others(batch, t) else 0.0
        expected[steps] /= spread + 1e-4
    assert recipes.get("g-ra").credit(batch).values == pytest.approx(expected, abs=1e-9)


@given(whole)
def test_pure(batch):
    r, n = batch["closer"].values, np.bincount(batch.step_of_token, minlength=batch.size("step"))
    soft = np.zeros(len(r))
    for _, _, steps in plays(batch):
        w = np.exp(-r[steps] / 0.1)
        soft[steps] = w / w.sum() * r[steps]
    v = batch["outcome"].values - 1
    expected = np.zeros(len(r))
    for t, _, steps in plays(batch):
        if group := others(batch, t):
            there = steps_of(batch, group)
            b = soft[there].sum() / n[there].sum()
            for i, s in enumerate(steps):
                expected[s] = (soft[steps[i:]] - b * n[steps[i:]]).sum() + v[t] - v[group].mean()
    assert recipes.get("pure").credit(batch).values == pytest.approx(expected, abs=1e-9)


@given(whole)
def test_clip_delta(batch):
    c = np.minimum((batch["closer"].values + 1) / 2 - 0.5, 0)
    ahead = np.zeros(len(c))
    for t, _, steps in plays(batch):
        ahead[steps] = c[steps] + batch["outcome"].values[t]
        ahead[steps[-1]] = batch["outcome"].values[t]
    assert recipes.get("clip-delta").credit(batch).values == pytest.approx(left_out(batch, ahead), abs=1e-9)


def left_out(batch, ahead):
    """Each step's value less the mean over the steps of the group's other plays."""
    out = np.zeros(len(ahead))
    for t, _, steps in plays(batch):
        if group := others(batch, t):
            out[steps] = ahead[steps] - ahead[steps_of(batch, group)].mean()
    return out


@given(whole)
def test_pbrs_telescopes_to_the_return_less_the_potential(batch):
    phi, owner = batch["progress"].values, batch.trajectory_of_step
    before = np.concatenate([np.append(0.0, phi[steps[:-1]]) for _, _, steps in plays(batch)])
    ahead = to_go(batch["reward"].values, owner, 0.99) - before
    assert recipes.get("pbrs").credit(batch).values == pytest.approx(left_out(batch, ahead), abs=1e-9)


@given(whole)
def test_milestones(batch):
    expected = centred_slowly(batch, batch["outcome"].values)
    for _, _, steps in plays(batch):
        reached = batch["progress"].values[steps]
        knots = [0] + [i + 1 for i in range(len(steps)) if reached[i] > (reached[i - 1] if i else 0.0)]
        heights = [0.0] + [reached[k - 1] for k in knots[1:]]
        psi = np.interp(np.arange(len(steps) + 1), knots, heights)
        expected[steps] += 4 * np.diff(psi)
    assert recipes.get("milestones").credit(batch).values == pytest.approx(expected, abs=1e-9)


@given(whole, st.floats(0, 1))
def test_milestones_with_a_discount_pays_for_standing(batch, gamma):
    plain, less = milestones.shaping(1.0)(batch).values, milestones.shaping(gamma)(batch).values
    psi = np.concatenate([np.cumsum(plain[steps]) for _, _, steps in plays(batch)])
    assert less == pytest.approx(plain - (1 - gamma) * psi, abs=1e-9)


# What the docstrings promise.


def walk(progress, outcome=0.0, truncated=True) -> Batch:
    """Two plays of one prompt: this one, and one that reaches nothing."""
    n = len(progress)
    batch = Batch.from_steps(
        group=[0] * 2 * n, trajectory=[0] * n + [1] * n, reward=[0.0] * (n - 1) + [outcome] + [0.0] * n,
        truncated=[truncated] * n + [True] * n,
    )  # fmt: skip
    return batch.with_columns(progress=Column.of("step", [*progress, *[0.0] * n]))


def test_the_last_action_of_a_success_is_not_punished():
    a = recipes.get("milestones").credit(walk([0.0, 0.5, 1.0], outcome=1.0, truncated=False)).values
    assert a[:3] == pytest.approx([0.5 + 4 * 0.25, 0.5 + 4 * 0.25, 0.5 + 4 * 0.5])


def test_the_last_action_before_a_truncation_is_not_punished():
    assert recipes.get("milestones").credit(walk([0.5, 0.5, 0.5])).values[:3].tolist() == [4 * 0.5, 0.0, 0.0]


def test_where_all_fail_milestones_speaks_and_grpo_does_not():
    batch = walk([0.0, 0.5, 0.5])
    assert (recipes.get("grpo").credit(batch).values == 0).all()
    assert recipes.get("milestones").credit(batch).values.tolist() == [1.0, 1.0, 0, 0, 0, 0]


def test_where_all_fail_pbrs_says_only_where_the_step_stood():
    """Steps from one potential get one credit, whatever they then did."""
    batch = walk([0.0, 0.5, 0.5])
    a, before = pbrs.credit(1.0)(batch).values[:3], np.array([0.0, 0.0, 0.5])
    assert a.tolist() == (-before).tolist()


def test_a_milestones_control_has_the_same_values_elsewhere():
    batch = walk([0.0, 0.5, 0.5, 0.5, 0.5, 0.75, 0.75, 0.75])
    method, control = (recipes.get(name).credit(batch).values for name in ("milestones", "milestones-control"))
    assert sorted(method) == pytest.approx(sorted(control)) and method.tolist() != control.tolist()


def test_g_ra_opens_its_gate_and_its_control_has_none():
    batch = walk([0.0, 0.25, 0.25]).with_columns(
        milestone=Column.of("step", [0.0, 1, 0, 0, 0, 0]), action_valid=Column.of("step", np.ones(6))
    )
    assert recipes.get("g-ra").reward(batch).values == pytest.approx([0.1, 0.0])
    assert recipes.get("g-ra-control").reward(batch).values == pytest.approx([0.1 + 0.065, 0.015])


# Where one becomes another.


@given(ragged_batches())
def test_gigpo_without_its_steps_is_the_centred_return(batch):
    plain, off = centred(total(fact("reward")))(batch), gigpo.credit(omega=0.0)(batch)
    assert off.values[off.valid] == pytest.approx(plain.values[off.valid])


@given(whole)
def test_milestones_without_its_shaping_is_the_centred_outcome(batch):
    assert milestones.credit(alpha=0.0)(batch).values.tolist() == centred(fact("outcome"))(batch).values.tolist()
    assert recipes.get("dr-grpo").credit(batch).values.tolist() == centred(fact("outcome"))(batch).values.tolist()


@given(ragged_batches(missing=False, ends=False))
def test_ppo_without_a_critic_is_the_return_to_go(batch):
    zero = Column.of("step", np.zeros(batch.size("step")))
    a = ppo.credit(1.0, 1.0)(batch.with_columns(value=zero))
    assert a.values.tolist() == batch.lift(batch["outcome"], "step").values.tolist()


@given(ragged_batches(missing=False, ends=False))
def test_the_min_form_of_one_step_is_its_score(batch):
    n = batch.size("trajectory")
    single = Batch.from_steps(group=batch.group_of_trajectory, trajectory=np.arange(n), reward=batch["outcome"].values)
    a = min_form_of(fact("reward"), HardMin())(single).values
    assert a == pytest.approx(recipes.get("rloo").credit(single).values)


@given(whole)
def test_clip_delta_with_a_judge_of_no_weight_is_the_outcome_to_go(batch):
    a = clip_delta.credit(clip_delta.reward(alpha=0.0))(batch).values
    outcome = batch.lift(batch["outcome"], "step").values
    assert a == pytest.approx(left_out(batch, outcome), abs=1e-9)


def test_the_two_forms_of_pure_part_after_the_worst_step():
    batch = Batch.from_steps(group=[0] * 4, trajectory=[0, 0, 0, 1], reward=[0.0] * 4, tokens_per_step=1)
    batch = batch.with_columns(closer=Column.of("step", [1.0, -1.0, 1.0, 0.0]))
    exact, soft = pure.credit(HardMin())(batch).values, recipes.get("pure").credit(batch).values
    assert exact == pytest.approx([-1, -1, 1, 1 / 3])
    assert soft == pytest.approx([-1, -1, 0, 1 / 3], abs=1e-6)
