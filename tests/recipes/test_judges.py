"""Recipes that read judges and token signals: each formula written slowly, and where one becomes another."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from guerdon import recipes
from guerdon.batch import Batch, Column
from guerdon.credit import centred
from guerdon.credit.criteria import Criteria
from guerdon.recipes import capo_credit, cm2, empg, grpo, p2s, spark_prm, thr, tp_grpo, tw_grpo
from guerdon.rewards import affine, fact
from guerdon.rewards.votes import Intersection, Share, Union, merge_runs
from strategies import make_batch, ragged_batches

whole = ragged_batches(missing=False, ends=False)
EPS = 1e-4


def plays(batch):
    """Of each play: its number, its group, where its steps are."""
    for t in range(batch.size("trajectory")):
        yield t, batch.group_of_trajectory[t], np.flatnonzero(batch.trajectory_of_step == t)


def standard(batch, worth):
    """Each play's worth less its group's mean, by its group's spread; zero in a group of one."""
    out = np.zeros(len(worth))
    for t, group in enumerate(batch.group_of_trajectory):
        alike = [worth[u] for u in np.flatnonzero(batch.group_of_trajectory == group)]
        if len(alike) > 1:
            out[t] = (worth[t] - np.mean(alike)) / (np.std(alike, ddof=1) + EPS)
    return out


def outcome_advantage(batch):
    """GRPO's advantage of each play."""
    return standard(batch, batch["outcome"].values)


def with_steps(batch, **values):
    """The batch with these step columns."""
    return batch.with_columns(**{name: Column.of("step", np.asarray(v, float)) for name, v in values.items()})


# EMPG.


def entropies(batch):
    """The mean entropy of each step's tokens, from 0 to 1 over the batch."""
    h = np.array([batch["entropy"].values[batch.step_of_token == s].mean() for s in range(batch.size("step"))])
    return (h - h.min()) / (h.max() - h.min() + 1e-8)


@given(whole, st.sampled_from([(1.0, 1.0, 0.05), (0.5, 2.0, 0.3), (2.0, 0.0, 0.0)]))
def test_empg(batch, constants):
    k, k_next, zeta = constants
    h, a = entropies(batch), outcome_advantage(batch)
    g = np.exp(-k * h) / np.exp(-k * h).mean()
    expected = np.zeros(len(h))
    for t, _, steps in plays(batch):
        for s in steps:
            expected[s] = a[t] * g[s] + (zeta * np.exp(-k_next * h[s + 1]) if s != steps[-1] else 0.0)
    if len(expected) > 1:
        expected -= expected.mean()
    else:
        expected[:] = 0.0
    assert empg.credit(k, k_next, zeta)(batch).values == pytest.approx(expected, abs=1e-9)


@given(ragged_batches())
def test_empg_without_its_constants_is_grpo_centred_over_the_batch(batch):
    a, plain = empg.credit(k=0.0, zeta=0.0)(batch), grpo.CREDIT(batch)
    scored = a.valid
    if scored.sum() > 1:
        assert a.values[scored] == pytest.approx(plain.values[scored] - plain.values[scored].mean(), abs=1e-9)


@given(ragged_batches())
def test_empg_sums_to_zero_over_the_batch(batch):
    assert recipes.get("empg").credit(batch).values.sum() == pytest.approx(0.0, abs=1e-9)


@given(whole)
def test_empg_gives_a_group_that_agrees_the_bonus_and_nothing_else(batch):
    agrees = batch.with_columns(outcome=Column.of("trajectory", np.ones(batch.size("trajectory"))))
    a = empg.credit(zeta=0.5)(agrees).values
    bonus = np.array([np.exp(-h) for h in entropies(batch)])
    bonus = np.where(np.append(np.diff(batch.trajectory_of_step) > 0, True), 0.0, np.append(bonus[1:], 0.0))
    if len(bonus) > 1:
        assert a == pytest.approx(0.5 * (bonus - bonus.mean()), abs=1e-9)
    assert "agrees" in recipes.get("empg").alone
    assert empg.credit(zeta=0.0)(agrees).values == pytest.approx(0.0, abs=1e-12)


# SPARK.


@given(whole)
def test_spark_selective(batch):
    a, expected = outcome_advantage(batch), np.zeros(batch.size("step"))
    for t, _, steps in plays(batch):
        for s in steps:
            wrong = 2 * sum(batch["wrong_votes"].values[s]) >= 3
            expected[s] = a[t] if (a[t] >= 0 and not wrong) or (a[t] < 0 and wrong) else 0.0
    assert recipes.get("spark-prm").credit(batch).values == pytest.approx(expected, abs=1e-9)


@given(ragged_batches())
def test_spark_with_verdicts_that_agree_is_grpo(batch):
    plain = grpo.CREDIT(batch)
    batch = with_steps(batch, wrong=plain.values < 0)
    assert spark_prm.credit(wrong=fact("wrong"))(batch).values.tolist() == plain.values.tolist()


@given(ragged_batches())
def test_spark_with_verdicts_that_disagree_is_silent(batch):
    batch = with_steps(batch, wrong=grpo.CREDIT(batch).values > 0)
    a = spark_prm.credit(wrong=fact("wrong"))(batch).values
    assert not a.any()


@given(whole)
def test_spark_other_forms(batch):
    y, well_formed = batch["outcome"].values, batch["format_score"].values > 0
    gated = spark_prm.process_aware(fact("format_score"))(batch)
    assert gated.values == pytest.approx(np.where(well_formed, y, 0.0))
    share = [np.mean(1 - batch["wrong"].values[steps]) for _, _, steps in plays(batch)]
    mixed = spark_prm.step_augmented(fact("wrong"))(batch)
    assert mixed.values == pytest.approx(0.4 * np.array(share) + 0.6 * y)
    expected = 0.8 * outcome_advantage(batch)[batch.trajectory_of_step]
    right, group = 1 - batch["wrong"].values, batch.index("group", at="step")
    for s in range(len(right)):
        alike = right[group == group[s]]
        if (batch.group_of_trajectory == group[s]).sum() > 1:
            expected[s] += 0.2 * (right[s] - alike.mean()) / (np.std(alike, ddof=1) + EPS)
    assert spark_prm.global_step(fact("wrong"))(batch).values == pytest.approx(expected, abs=1e-9)


def test_spark_step_augmented_can_be_had_by_splitting_steps():
    """Nine trivial right steps around one that is wrong raise the share from 1/2 to 10/11."""
    short, long = [1.0, 0.0], [1.0] + [0.0] * 10
    batch = Batch.from_steps(group=[0] * 13, trajectory=[0] * 2 + [1] * 11, reward=[0.0] * 13)
    r = spark_prm.step_augmented(fact("wrong"))(with_steps(batch, wrong=short + long)).values
    assert r == pytest.approx([0.4 / 2, 0.4 * 10 / 11])


# CAPO.


@given(whole, st.sampled_from([0.0, 1.0, 2.0]))
def test_capo(batch, process):
    tokens = np.bincount(batch.step_of_token, minlength=batch.size("step"))
    wrong = np.array([2 * sum(v) >= 3 for v in batch["wrong_votes"].values])
    r = 2 * batch["outcome"].values[batch.trajectory_of_step] - process * wrong
    expected = np.zeros(len(r))
    group = batch.index("group", at="step")
    for _, g, steps in plays(batch):
        if (batch.group_of_trajectory == g).sum() < 2:
            continue
        w = np.zeros(len(r))
        for _, other, own in plays(batch):
            if other == g:
                w[own] = tokens[own] / tokens[own].sum()
        here = group == g
        m = (w * r)[here].sum() / w[here].sum()
        var = (w * (r - m) ** 2)[here].sum() / (w[here].sum() - (w[here] ** 2).sum() / w[here].sum())
        expected[steps] = (r[steps] - m) / (np.sqrt(var) + EPS)
    assert capo_credit.credit(process=process)(batch).values == pytest.approx(expected, abs=1e-7)


@given(ragged_batches(missing=False))
def test_capo_without_a_wrong_step_is_grpo_scaled_group_by_group(batch):
    clean = batch.with_columns(wrong_votes=Column.of("step", np.zeros((batch.size("step"), 3))))
    a, plain = capo_credit.credit()(clean).values, grpo.CREDIT(clean).values
    group = batch.index("group", at="step")
    for g in np.unique(group):
        here = group == g
        size = np.linalg.norm(plain[here])
        if size == 0:
            assert not a[here].any()
        else:
            factor = np.linalg.norm(a[here]) / size
            assert factor > 0 and a[here] == pytest.approx(factor * plain[here], abs=1e-9)


def test_capo_pays_the_four_cases_and_the_outcome_outweighs_the_process():
    batch = Batch.from_steps(group=[0] * 4, trajectory=[0, 0, 1, 1], reward=[0.0, 1.0, 0.0, 0.0])
    r = capo_credit.reward(fact("wrong"))(with_steps(batch, wrong=[0, 1, 0, 1])).values
    assert r.tolist() == [2.0, 1.0, 0.0, -1.0]


@given(whole)
def test_capo_votes_are_other_credits(batch):
    one_judge = batch.with_columns(wrong_votes=Column.of("step", batch["wrong_votes"].values[:, :1]))
    plain = capo_credit.credit()(one_judge).values
    for vote in (Intersection(), Union(), Share()):
        assert capo_credit.credit(vote)(one_judge).values == pytest.approx(plain)


# TP-GRPO.


def sums_over_thoughts(batch, alpha):
    """Rewards per thought summed to go: the answer is one thought more, right in a success, wrong in a failure."""
    r_o, y, wrong = outcome_advantage(batch), batch["outcome"].values, batch["wrong"].values
    expected = np.zeros(len(wrong))
    for t, g, steps in plays(batch):
        solved = y[batch.group_of_trajectory == g].mean()
        label = np.append(wrong[steps], 0.0 if y[t] else 1.0)
        run = merge_runs(label, np.zeros(len(label), int))
        paid = []
        for number in range(run[-1]):  # the last thought is the answer: nothing beside the outcome
            bad = label[run == number][0]
            paid.append((1 - 2 * bad) * alpha * solved if y[t] else (2 * bad - 1) * r_o[t])
        for place, s in enumerate(steps):
            expected[s] = r_o[t] + sum(paid[run[place] :])
    return expected


@given(whole, st.sampled_from([0.0, 0.5, 2.0]))
def test_tp_grpo_is_the_sum_to_go_over_thoughts(batch, alpha):
    assert tp_grpo.credit(alpha)(batch).values == pytest.approx(sums_over_thoughts(batch, alpha), abs=1e-9)


@given(whole)
def test_tp_grpo_takes_four_values(batch):
    """r_o and r_o - r_c in a success, r_o and 0 in a failure."""
    a, r_o = recipes.get("tp-grpo").credit(batch).values, outcome_advantage(batch)
    for t, g, steps in plays(batch):
        r_c = 0.5 * batch["outcome"].values[batch.group_of_trajectory == g].mean()
        for s in steps:
            bad, right = batch["wrong"].values[s] > 0, batch["outcome"].values[t] > 0
            expected = (r_o[t] - r_c if bad else r_o[t]) if right else (r_o[t] if bad else 0.0)
            assert a[s] == pytest.approx(expected, abs=1e-12)


def chain(labels, outcome, other):
    """A play with these labels, and another of one step with the other outcome, which nobody finds wrong."""
    n = len(labels)
    batch = Batch.from_steps(
        group=[0] * (n + 1), trajectory=[0] * n + [1], reward=[0.0] * (n - 1) + [outcome] + [other]
    )
    return with_steps(batch, wrong=[*labels, 0.0])


def test_tp_grpo_exact_values_on_paper():
    r_o, r_c = 0.5 / (np.sqrt(0.5) + EPS), 0.5 * 0.5
    success = tp_grpo.credit()(chain([0, 1, 1, 0], 1.0, 0.0)).values[:4]
    assert success == pytest.approx([r_o, r_o - r_c, r_o - r_c, r_o])
    failure = tp_grpo.credit()(chain([0, 1, 0, 1], 0.0, 1.0)).values[:4]
    assert failure == pytest.approx([0.0, -r_o, 0.0, -r_o])


@pytest.mark.parametrize("n", [1, 3, 6])
def test_tp_grpo_without_thoughts_blames_a_right_step_for_the_wrong_ones_that_follow(n):
    """Before a run of n wrong steps (and the answer, right) the sum is r_o - (n - 2) r_c; over thoughts it is r_o."""
    r_o, r_c = 0.5 / (np.sqrt(0.5) + EPS), 0.5 * 0.5
    batch = chain([0, *[1] * n, 0], 1.0, 0.0)
    assert tp_grpo.without_thoughts()(batch).values[0] == pytest.approx(r_o - (n - 2) * r_c)
    assert tp_grpo.credit()(batch).values[0] == pytest.approx(r_o)


@given(ragged_batches())
def test_tp_grpo_where_all_succeed_and_none_is_wrong_or_all_fail_is_silent(batch):
    n = batch.size("trajectory")
    solved = with_steps(batch, wrong=np.zeros(batch.size("step"))).with_columns(
        outcome=Column.of("trajectory", np.ones(n))
    )
    lost = batch.with_columns(outcome=Column.of("trajectory", np.zeros(n)))
    for agrees in (solved, lost):
        assert not recipes.get("tp-grpo").credit(agrees).values.any()


# CM2.


@given(whole)
def test_cm2_is_the_checklist_less_its_mean(batch):
    worth = cm2.REWARD(batch).values
    expected = [worth[t] - worth[batch.group_of_trajectory == g].mean() for t, g, _ in plays(batch)]
    a = recipes.get("cm2").credit(batch).values
    assert a == pytest.approx(np.array(expected)[batch.trajectory_of_step], abs=1e-12)


@given(whole)
def test_cm2_of_one_criterion_and_one_turn_is_the_centred_outcome(batch):
    y = batch.lift(batch["outcome"], "step").values
    one = batch.with_columns(
        satisfied=Column.of("step", y[:, None]), segment=Column.of("step", batch.trajectory_of_step)
    )
    assert cm2.credit()(one).values == pytest.approx(centred(fact("outcome"))(batch).values)


def test_cm2_step_level_says_nothing_with_four_plays_and_speaks_with_five():
    for count, speaks in ((4, False), (5, True)):
        batch = make_batch(np.random.default_rng(0), [count], missing=False, ends=False)
        batch = batch.with_columns(
            satisfied=Column.of("step", np.repeat(batch.trajectory_of_step[:, None] == 0, 3, axis=1)),
            segment=Column.of("step", batch.trajectory_of_step),
        )
        assert cm2.step_level()(batch).values.any() == speaks


@given(whole)
def test_cm2_step_level_with_one_step_a_play_is_the_reward_per_play(batch):
    """One step, one turn: every criterion is open at it, so the weighted differences add up to the play's own."""
    n = batch.size("trajectory")
    first = np.searchsorted(batch.trajectory_of_step, np.arange(n))
    single = Batch.from_steps(group=batch.group_of_trajectory, trajectory=np.arange(n), reward=np.zeros(n))
    single = single.with_columns(
        satisfied=Column.of("step", batch["satisfied"].values[first]), segment=Column.of("step", np.zeros(n, int))
    )
    weights = Criteria(weights=(0.5, 0.25, 0.25))
    a, b = cm2.step_level(weights, at_least=1)(single).values, cm2.credit(weights)(single).values
    assert a == pytest.approx(b, abs=1e-12)


# TW-GRPO.


@given(whole)
def test_tw_grpo(batch):
    d, a = batch["divergence"].values, outcome_advantage(batch)
    group, play = batch.index("group", at="token"), batch.index("trajectory", at="token")
    expected = np.zeros(len(d))
    for k in range(len(d)):
        alike = d[group == group[k]]
        expected[k] = a[play[k]] * (1 + 0.7 * (d[k] - alike.min()) / (alike.max() - alike.min() + 1e-8))
    assert recipes.get("tw-grpo").credit(batch).values == pytest.approx(expected, abs=1e-9)


@given(ragged_batches(), st.floats(0.0, 9.0))
def test_tw_grpo_of_a_constant_divergence_is_grpo(batch, value):
    flat = batch.with_columns(divergence=Column.of("token", np.full(batch.size("token"), value)))
    assert (
        recipes.get("tw-grpo").credit(flat).values.tolist() == batch.lift(grpo.CREDIT(batch), "token").values.tolist()
    )


@given(ragged_batches())
def test_tw_grpo_lies_between_grpo_and_alpha_times_it(batch):
    a, plain = tw_grpo.credit(alpha=1.4)(batch), batch.lift(grpo.CREDIT(batch), "token").values
    low, high = np.abs(plain), 1.4 * np.abs(plain)
    size = np.abs(a.values)
    assert ((size >= low - 1e-12) & (size <= high + 1e-12))[a.valid].all()


# THR.


@given(whole, st.sampled_from([0.1, -0.1, 0.0]))
def test_thr(batch, p):
    s, y, a = batch["influence"].values, batch["outcome"].values, outcome_advantage(batch)
    group, play = batch.index("group", at="token"), batch.index("trajectory", at="token")
    expected = np.zeros(len(s))
    for k in range(len(s)):
        right = s[(group == group[k]) & (y[play] > 0)]
        if len(right) and abs(s[k]) > right.mean():
            expected[k] = (1 + p * np.sign(s[k])) * a[play[k]]
    assert thr.credit(p)(batch).values == pytest.approx(expected, abs=1e-9)


@given(ragged_batches())
def test_thr_without_a_bias_and_a_threshold_is_grpo(batch):
    a, plain = thr.credit(p=0.0, tau=-1.0)(batch), batch.lift(grpo.CREDIT(batch), "token")
    assert a.values[a.valid].tolist() == plain.values[a.valid].tolist()
    assert not plain.valid[~a.valid & batch["influence"].valid].any()


@given(ragged_batches())
def test_thr_with_two_biases_is_twice_its_selection(batch):
    more, less, only = (thr.credit(p)(batch).values for p in (0.1, -0.1, 0.0))
    assert more + less == pytest.approx(2 * only)


# P2S.


@given(whole)
def test_p2s(batch):
    y, path, well = batch["outcome"].values, batch["path_score"].values, batch["format_score"].values > 0
    worth = []
    for t, g, steps in plays(batch):
        along = np.linspace(-1, 1, len(steps)) if len(steps) > 1 else np.zeros(1)
        w = 1 / (1 + np.exp(-2.0 * along))
        faithful = np.clip((w * path[steps]).sum() / w.sum(), 0, 1)
        solved = y[batch.group_of_trajectory == g].any()
        worth.append(-1.0 if not well[t] else y[t] if solved else faithful)
    assert recipes.get("p2s").reward(batch).values == pytest.approx(worth)
    expected = standard(batch, np.array(worth))[batch.trajectory_of_step]
    assert recipes.get("p2s").credit(batch).values == pytest.approx(expected, rel=1e-6, abs=1e-7)


@given(ragged_batches())
def test_p2s_where_every_group_succeeds_in_good_form_is_grpo(batch):
    """Where the format is right everywhere and some scored play of each group succeeds, the path is not read."""
    good = batch.with_columns(format_score=Column.of("trajectory", np.ones(batch.size("trajectory"))))
    a, plain = recipes.get("p2s").credit(good), grpo.CREDIT(good)
    outcome = good["outcome"]
    solved = np.zeros(good.size("group"), bool)
    solved[good.group_of_trajectory[outcome.valid & (outcome.filled(0.0) > 0)]] = True
    here = solved[good.index("group", at="step")]
    assert a.values[here].tolist() == plain.values[here].tolist()


def test_p2s_a_hopeless_group_in_good_form_never_loses_to_a_broken_answer():
    batch = Batch.from_steps(group=[0, 0], trajectory=[0, 1], reward=[0.0, 0.0])
    batch = with_steps(batch, path_score=[-5.0, 9.0]).with_columns(format_score=Column.of("trajectory", [1.0, 0.0]))
    assert recipes.get("p2s").reward(batch).values.tolist() == [0.0, -1.0]


@given(whole, st.floats(0.0, 3.0))
def test_p2s_of_one_path_score_throughout_is_that_score(batch, slope):
    flat = with_steps(batch, path_score=np.full(batch.size("step"), 0.25)).with_columns(
        format_score=Column.of("trajectory", np.ones(batch.size("trajectory"))),
        outcome=Column.of("trajectory", np.zeros(batch.size("trajectory"))),
    )
    assert p2s.reward(slope=slope)(flat).values == pytest.approx(0.25)


# Controls.


@given(whole)
def test_a_signal_that_agrees_makes_method_and_control_alike(batch):
    """A control differs from its method by where the signal stands and by nothing else."""
    tokens, steps = batch.size("token"), batch.size("step")
    flat = with_steps(batch, wrong=np.ones(steps), path_score=np.full(steps, 0.5)).with_columns(
        entropy=Column.of("token", np.ones(tokens)), influence=Column.of("token", np.ones(tokens)),
        divergence=Column.of("token", np.ones(tokens)), wrong_votes=Column.of("step", np.ones((steps, 3))),
    )  # fmt: skip
    for name in ("empg", "spark-prm", "capo-credit", "tp-grpo", "tw-grpo", "thr", "p2s"):
        method, control = (recipes.get(n).credit(flat).values for n in (name, f"{name}-control"))
        assert control.tolist() == method.tolist()


def test_signals_of_other_units_do_not_reach_the_masks():
    batch = make_batch(np.random.default_rng(3), [4, 5])
    scaled = tw_grpo.credit(signal=affine(fact("divergence"), 10.0, 3.0))(batch).values
    assert scaled == pytest.approx(tw_grpo.credit()(batch).values, abs=1e-6)
