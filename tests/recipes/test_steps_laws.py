"""What recipes of step-level credit promise: what is invariant, what is not, and exact gradients on a small tree."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from guerdon import recipes
from guerdon.batch import Batch, Column
from guerdon.credit import Others, centred, step_term, to_go
from guerdon.credit.progress import gain
from guerdon.recipes import igpo, mrt, pav, prime, rloo, verpo
from guerdon.rewards import fact, total
from strategies import make_batch, ragged_batches

whole = ragged_batches(missing=False, ends=False)


# PRIME: where the released code is not the paper.


def released_leave_one_out(r, owner):
    """The process part of the released code for one group of one-token steps."""
    n = owner.max() + 1
    means = np.array([r[owner == i].mean() for i in range(n)])
    return r * n / (n - 1) - means.sum() / (n - 1)


def test_the_released_prime_is_off_by_the_way_from_the_own_mean_and_right_from_the_first_token():
    batch = make_batch(np.random.default_rng(5), [4], missing=False, ends=False)
    owner, r = batch.trajectory_of_step, batch["step_score"].values
    one_token = Batch(np.arange(len(r)), owner, batch.group_of_trajectory, dict(step_columns(batch)))
    ours = centred_to_go(one_token)
    code = to_go(released_leave_one_out(r, owner), owner)
    own = np.array([r[owner == i].mean() for i in range(4)])[owner]
    assert code - ours == pytest.approx(to_go((r - own) / 3, owner))
    first = np.append(True, np.diff(owner) > 0)
    assert code[first] == pytest.approx(ours[first])
    assert np.abs(code - ours).max() > 0.01


def step_columns(batch):
    """The columns that are not of tokens."""
    return ((name, c) for name, c in batch.columns.items() if c.level != "token")


def centred_to_go(batch):
    """PRIME's process part with BETA 1."""
    return prime.credit(beta=1.0)(batch).values - centred(fact("outcome"), baseline=Others())(batch).values


# IGPO: what is invariant.


def searches(belief, outcome):
    """Plays of one prompt: the belief before each turn and after the last, and the outcome of each."""
    length = [len(b) - 1 for b in belief]
    owner = np.repeat(np.arange(len(belief)), length)
    last = np.append(np.diff(owner) > 0, True)
    reward = np.zeros(len(owner))
    reward[last] = outcome
    batch = Batch.from_steps(group=np.zeros(len(owner), int), trajectory=owner, reward=reward)
    before, after = (np.concatenate([np.array(b, float)[s] for b in belief]) for s in (np.s_[:-1], np.s_[1:]))
    return batch.with_columns(belief=Column.of("step", before), next_belief=Column.of("step", after))


believed = st.lists(st.lists(st.integers(0, 8).map(lambda k: k / 8), min_size=1, max_size=6), min_size=2, max_size=5)


@given(believed, st.data())
def test_gains_telescope_and_the_closed_form_keeps_the_order_of_policies(ways, data):
    outcome = np.array(data.draw(st.lists(st.integers(0, 8), min_size=len(ways), max_size=len(ways)))) / 8
    batch = searches([[0.25, *way] for way in ways], outcome)
    last = np.array([([0.25, *way])[-2] for way in ways])
    assert total(igpo.published())(batch).values == pytest.approx(outcome + last - 0.25)
    assert total(igpo.closed())(batch).values == pytest.approx(outcome - 0.25)


def test_the_published_form_can_prefer_the_worse_answer_and_the_closed_form_does_not():
    batch = searches([[0.1, 0.9, 0.9], [0.1, 0.3, 0.3]], [0.5, 0.6])
    sure, right = total(igpo.published())(batch).values
    assert sure > right
    sure, right = total(igpo.closed())(batch).values
    assert sure < right


def test_a_z_score_changes_the_order_that_the_closed_form_keeps():
    # Outcome 0.5 after one turn, 0.6 after three: the mean reward of a turn comes off three times.
    batch = searches([[0.0, 0.0], [0.0, 0.0, 0.0, 0.0]], [0.5, 0.6])
    shorter, longer = total(igpo.closed())(batch).values
    assert shorter < longer
    credit = igpo.credit(igpo.closed())(batch).values
    assert credit[0] > credit[1]


# PAV, MRT and GRPO-VPS on a tree of two choices, by enumeration: the gradient is exact.

LEAVES = np.array([1.0, 0.0, 0.6, 0.55])  # left-left, left-right, right-left, right-right


def values_of(policy):
    """The chance of success before the first choice, after it, and at the leaves."""
    left, right = policy[1] @ LEAVES[:2], policy[2] @ LEAVES[2:]
    return policy[0] @ np.array([left, right]), np.array([left, right]), LEAVES


def tree(policy, prover):
    """Every pair of plays of the tree as a group, the probability of each, and the value under the prover."""
    leaf = np.array([(i, j) for i in range(4) for j in range(4)]).ravel()
    state = np.stack([np.zeros_like(leaf), 1 + leaf // 2], 1).ravel()
    action = np.stack([leaf // 2, leaf % 2], 1).ravel()
    chance = policy[0][leaf // 2] * policy[1 + leaf // 2, leaf % 2]
    root, middle, end = values_of(prover)
    before = np.stack([np.full(32, root), middle[leaf // 2]], 1).ravel()
    after = np.stack([middle[leaf // 2], end[leaf]], 1).ravel()
    batch = Batch.from_steps(
        group=np.repeat(np.arange(16), 4), trajectory=np.repeat(np.arange(32), 2), state=state, action=action,
        reward=np.stack([np.zeros(32), LEAVES[leaf]], 1).ravel(),
    )  # fmt: skip
    names = ("prover_value", "stop_value", "belief")
    columns = {n: Column.of("step", before) for n in names} | {f"next_{n}": Column.of("step", after) for n in names}
    pairs = chance.reshape(16, 2).prod(axis=1)
    return batch.with_columns(**columns), np.repeat(pairs, 4) / 2


def gradient(credit, policy, prover):
    """The exact expectation of credit times the score, in the logits of each state."""
    batch, chance = tree(policy, prover)
    state, action = batch["state"].values, batch["action"].values
    score = np.eye(2)[action] - policy[state]
    out = np.zeros((3, 2))
    np.add.at(out, state, (chance * credit(batch).values)[:, None] * score)
    return out


def softmax(x):
    return np.exp(x) / np.exp(x).sum(axis=-1, keepdims=True)


policies = st.integers(0, 2**32 - 1).map(lambda seed: softmax(np.random.default_rng(seed).normal(size=(3, 2))))


@given(policies, policies, st.floats(0, 6))
def test_progress_summed_to_go_says_nothing_new_under_any_prover(policy, prover, alpha):
    plain = gradient(rloo.RECIPE.credit, policy, prover)
    for method in (pav, mrt):
        assert gradient(method.to_go_form(alpha), policy, prover) == pytest.approx((1 + alpha) * plain, abs=1e-12)


def test_progress_on_its_own_step_is_another_direction():
    policy, prover = softmax(np.array([[0.0, 0.0], [0.5, 0.0], [0.0, 1.0]])), np.full((3, 2), 0.5)
    plain = gradient(rloo.RECIPE.credit, policy, prover).ravel()
    for method in (pav, mrt):
        own = gradient(method.credit(), policy, prover).ravel()
        assert own @ plain / np.linalg.norm(own) / np.linalg.norm(plain) < 0.999


def test_a_misaligned_prover_turns_a_good_policy_around_above_a_weight():
    # The policy finds the 1 on the left; the uniform prover thinks the right better: 0.575 against 0.5.
    policy, prover = np.array([[0.5, 0.5], [0.9999, 0.0001], [0.9999, 0.0001]]), np.full((3, 2), 0.5)
    left = [gradient(pav.credit(alpha), policy, prover)[0, 0] for alpha in (0.0, 5.2, 5.5)]
    assert left[0] > 0 and left[1] > 0 > left[2]


@given(policies)
def test_progress_of_the_policys_own_value_is_the_exact_gradient(policy):
    plain = gradient(rloo.RECIPE.credit, policy, policy)
    assert gradient(step_term(gain("belief")), policy, policy) == pytest.approx(plain, abs=1e-12)


@given(policies, policies)
def test_stopping_as_a_baseline_changes_no_expected_gradient(policy, prover):
    plain = gradient(rloo.RECIPE.credit, policy, prover)
    assert gradient(mrt.credit(alpha=0.0), policy, prover) == pytest.approx(plain, abs=1e-12)


# VeRPO: the weights of tests.


def test_a_rarer_test_earns_more():
    batch = Batch.from_steps(group=[0] * 4, trajectory=[0, 1, 2, 3], reward=[0.0] * 4)
    # The first test is passed by three plays, the second by one.
    batch = batch.with_columns(passed=Column.of("step", [[1.0, 0.0], [1.0, 0.0], [1.0, 0.0], [0.0, 1.0]]))
    credit = recipes.get("verpo").credit(batch).values
    assert credit[3] > 0 > credit[0]


@given(whole, st.integers(1, 20))
def test_a_test_written_many_times_counts_as_once(batch, copies):
    """Exactly so where the rates of the others are far from it: here every test apart gets a rate of its own."""
    n = batch.size("step")
    names = np.arange(n) % 4
    once = (names[:, None] <= np.arange(3)).astype(float)
    rates_apart = [len(set(once[batch.index("group", at="step") == g].mean(axis=0))) == 3
                   for g in range(batch.size("group"))]  # fmt: skip
    many = np.concatenate([once, np.repeat(once[:, -1:], copies, axis=1)], axis=1)
    sharp = verpo.item_reward("passed", 2.0, 1e-4, 0.0)
    one, other = (sharp(batch.with_columns(passed=Column.of("step", p))).values for p in (once, many))
    keep = np.array(rates_apart)[batch.index("group", at="step")]
    assert other[keep] == pytest.approx(one[keep])


def test_without_calibration_easy_tests_drown_the_hard_one():
    easy = np.repeat([[1.0], [1.0], [1.0], [0.0]], 20, axis=1)
    hard = np.array([[0.0], [0.0], [0.0], [1.0]])
    batch = Batch.from_steps(group=[0] * 4, trajectory=[0, 1, 2, 3], reward=[0.0] * 4)
    batch = batch.with_columns(passed=Column.of("step", np.concatenate([easy, hard], axis=1)))
    wide, narrow = (centred(verpo.item_reward("passed", 2.0, sigma, delta))(batch).values
                    for sigma, delta in ((1e3, 1e3), (0.1, 0.0)))  # fmt: skip
    assert wide[3] < 0 < narrow[3]
