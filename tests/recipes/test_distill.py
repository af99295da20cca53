"""Recipes of distillation, imitation and regression: each against its formula, and without its idea its base."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from guerdon import recipes
from guerdon.batch import Batch, Column
from guerdon.credit import recalibrated
from guerdon.objectives import Clipped, Stream
from guerdon.recipes import grpo, laser, mira, pipo, rapo, rlpr, sd_zero, spear, ssb, verifree
from guerdon.rewards import fact
from strategies import make_batch, ragged_batches


def stream(seed=0, **more):
    rng = torch.Generator().manual_seed(seed)
    old, step = -torch.rand(8, generator=rng).double() - 0.1, torch.tensor([0, 0, 1, 2, 2, 3, 4, 4])
    new = (old + 0.3 * torch.randn(8, generator=rng).double()).requires_grad_()
    sequence, other = torch.tensor([0, 0, 0, 1, 1, 1, 2, 2]), torch.randn(8, generator=rng).double()
    return Stream.of(
        new, old, other, step, sequence, ref_logprob=old - 0.1, entropy=old.abs(),
        outcome=torch.tensor([1.0, 0.0, 1.0]).double(), **more,
    )  # fmt: skip


# Without the idea, the base.


@pytest.mark.parametrize("t", [0, 50, 10**6])
def test_spear_at_weight_zero_is_its_base(t):
    s = stream(beside={"replayed": stream(1)}, iteration=t)
    assert spear.objective(0.0)(s)[0].item() == spear.BASE(s)[0].item()
    assert spear.objective()(replace(s, iteration=0))[0].item() == spear.BASE(s)[0].item()
    late = spear.objective()(replace(s, iteration=10**6))[0].item()
    assert late == pytest.approx(spear.BASE(s)[0].item() + spear.BASE(stream(1))[0].item())


@pytest.mark.parametrize("base", [grpo.OBJECTIVE, Clipped(dual=3.0), rapo.objective()])
def test_pipo_without_a_batch_before_is_its_base(base):
    s = stream()
    assert pipo.objective(base)(s)[0].item() == base(s)[0].item()
    twice = pipo.objective(base)(stream(beside={"replayed": stream()}))[0].item()
    assert twice == pytest.approx(2 * base(s)[0].item())


@given(ragged_batches())
def test_pipo_without_a_history_or_a_replay_is_grpo(batch):
    nothing = {"replayed": Column.of("trajectory", np.zeros(batch.size("trajectory"), bool))}
    got, plain = pipo.RECIPE.credit(batch.with_columns(**nothing)), grpo.CREDIT(batch)
    assert got.values == pytest.approx(plain.values) and (got.valid == plain.valid).all()
    unknown = Column("group", np.full(batch.size("group"), np.nan), np.zeros(batch.size("group"), bool))
    forgotten = pipo.RECIPE.credit(batch.with_columns(history_mean=unknown, history_std=unknown))
    assert not forgotten.valid[batch["replayed"].values[batch.trajectory_of_step]].any()


@given(ragged_batches(), st.floats(0, 1))
def test_pipo_takes_back_what_made_it_worse(batch, harm):
    """The same batch with better and with worse news: the sign of the old plays' credit turns, the fresh ones' not."""
    old = batch["replayed"].values[batch.trajectory_of_step]
    good, bad = (
        pipo.credit(harm)(batch.with_columns(
            history_mean=Column.of("group", np.full(batch.size("group"), mean)),
            history_std=Column.of("group", np.ones(batch.size("group"))),
        )).values for mean in (-9.0, 9.0)
    )  # fmt: skip
    assert good[~old].tolist() == bad[~old].tolist()
    assert (np.sign(good[old]) == -np.sign(bad[old])).all() or harm == 0


@given(ragged_batches())
def test_laser_without_a_share_and_rapo_in_credit_are_grpo(batch):
    plain = grpo.CREDIT(batch)
    assert laser.credit(tau=0.0)(batch).values == pytest.approx(plain.values)
    assert rapo.RECIPE.credit(batch).values.tolist() == plain.values.tolist()


def test_rapo_and_rlpr_and_laser_without_their_terms_are_clipped():
    s = stream(beside={name: stream(1) for name in ("answer", "last")}, iteration=10**6)
    assert rapo.objective(0.0, 0.0)(s)[0].item() == pytest.approx(grpo.OBJECTIVE(s)[0].item())
    assert laser.objective(alpha=0.0)(s)[0].item() == pytest.approx(grpo.OBJECTIVE(s)[0].item())
    assert laser.objective()(replace(s, iteration=laser.WARM - 1))[0].item() == grpo.OBJECTIVE(s)[0].item()
    assert laser.objective()(s)[0].item() != pytest.approx(grpo.OBJECTIVE(s)[0].item())
    assert "answer" not in rlpr.objective().needs and "answer" in rlpr.objective(1.0).needs
    chain = rlpr.objective()(s)[0].item()
    second = (rlpr.objective(1.0)(s)[0] - chain).item()
    assert second == pytest.approx((rlpr.objective(3.0)(s)[0].item() - chain) / 3)


# Formulas, slowly.


@given(ragged_batches())
def test_spear_judges_old_plays_by_what_plays_are_worth_now(batch):
    column = spear.credit(share=0.0)(batch)
    plain = recalibrated(
        spear.centred(spear.OUTCOME, weight=spear.FRESH), spear.OUTCOME, fact("history_mean"), spear.REPLAYED
    )(batch)
    play = batch.trajectory_of_step
    for step in range(batch.size("step")):
        p, group = play[step], batch.group_of_trajectory[play[step]]
        if batch["failed"].values[p]:
            assert not plain.valid[step]
            continue
        worth = batch["outcome"].values[p]
        if batch["replayed"].values[p]:
            above = worth - batch["history_mean"].values[group]
            assert plain.valid[step] == (above >= 0)
            wanted = max(above, 0.0)
        else:
            fresh = (batch.group_of_trajectory == group) & ~batch["replayed"].values & ~batch["failed"].values
            wanted = worth - batch["outcome"].values[fresh].mean() if fresh.sum() > 1 else 0.0
        assert plain.values[step] == pytest.approx(wanted)
    kept = column.values != 0  # at least one token of those in the range is silent, the others are as they were
    assert (column.values[kept] == batch.lift(plain, "token").values[kept]).all()


def test_spear_rewards_tools_less_and_less():
    batch = Batch.from_steps(group=[0] * 3, trajectory=[0] * 3, reward=[0.0, 0.0, 1.0])
    batch = batch.with_columns(tool_used=Column.of("step", [1.0, 1.0, 0.0]))
    paid = [spear.reward(t, fact("tool_used"))(batch).values[0] for t in (0, 100, 200, 999)]
    assert paid == pytest.approx([1.2, 1.1, 1.0, 1.0])


@given(ragged_batches())
def test_ssb_learns_from_what_verifies(batch):
    column = ssb.RECIPE.credit(batch)
    right = batch["outcome"].valid & (np.nan_to_num(batch["outcome"].values) > 0)
    assert (column.valid == right[batch.trajectory_of_step]).all()


@given(ragged_batches())
def test_sd_zero_and_sdpo_give_a_token_what_the_teacher_says_of_it(batch):
    column = sd_zero.credit()(batch)
    assert column.level == "token"
    gap = batch["teacher_logprob"].filled(np.nan) - batch["logprob"].filled(np.nan)
    assert column.values[column.valid] == pytest.approx(gap[column.valid])
    assert recipes.get("sdpo").credit(batch).values.tolist() == column.values.tolist()


@given(ragged_batches(), st.floats(0, 2), st.floats(0, 1))
def test_mira_without_milestones_ignores_progress(batch, alpha, lam):
    flat = batch.with_columns(progress=Column.of("step", np.zeros(batch.size("step"))))
    without, plain = mira.credit(0.0, 1.0, lam)(flat), mira.credit(alpha, 1.0, lam)(flat)
    assert plain.values == pytest.approx(without.values)
    happened = mira.credit(alpha, 1.0, 1.0)(batch)
    again = mira.credit(0.0, 1.0, 1.0)(batch)
    assert happened.values[happened.valid] == pytest.approx(again.values[happened.valid])


@given(ragged_batches(ends=False, missing=False))
def test_rlpr_and_verifree_pay_a_chain_by_its_reference(batch):
    one = Batch.from_steps(group=[0, 0], trajectory=[0, 1], reward=[0.0, 0.0])
    seen = {"belief": Column.of("step", [0.5, 0.5]), "next_belief": Column.of("step", [0.25, 0.75])}
    one = one.with_columns(**seen, format_score=Column.of("trajectory", [1.0, 0.0]))
    assert rlpr.RECIPE.reward(one).values == pytest.approx([0.1, 0.9 * 0.25])  # a chain that hurts is not fined
    worth, credit = verifree.RECIPE.reward(batch), verifree.RECIPE.credit(batch)
    end = np.append(batch.trajectory_of_step[1:] != batch.trajectory_of_step[:-1], True)
    assert worth.values == pytest.approx(batch["next_belief"].values[end])
    for group in range(batch.size("group")):
        plays = np.flatnonzero(batch.group_of_trajectory == group)
        for play in plays:
            others = [worth.values[p] for p in plays if p != play]
            wanted = worth.values[play] - np.mean(others) if others else 0.0
            assert credit.values[batch.trajectory_of_step == play] == pytest.approx(wanted, abs=1e-12)


@given(ragged_batches(missing=False, ends=False))
def test_laser_mixes_where_judgements_differ(batch):
    got, plain = laser.RECIPE.credit(batch), grpo.CREDIT(batch)
    own = np.clip(batch["self_reward"].values, 0, 1)
    play = batch.trajectory_of_step
    for group in range(batch.size("group")):
        plays = np.flatnonzero(batch.group_of_trajectory == group)
        spread = own[plays].std(ddof=1) if len(plays) > 1 else 0.0
        for p in plays:
            mine = plain.values[play == p]
            judged = (own[p] - own[plays].mean()) / (spread + grpo.EPS)
            wanted = (0.9 * mine + 0.1 * judged) if spread >= laser.SPREAD else mine
            assert got.values[play == p] == pytest.approx(wanted)


CREDITED = ("spear", "ssb", "sd-zero", "sdpo", "mira", "pipo", "rlpr", "verifree", "laser", "rapo")


@pytest.mark.parametrize("name", CREDITED)
def test_its_control_says_something_else(name):
    recipe = recipes.get(name)
    batches = [make_batch(np.random.default_rng(seed), [8, 8]) for seed in range(8)]
    half = Column.of("trajectory", np.arange(16) % 2 == 0)
    batches = [batch.with_columns(replayed=half) for batch in batches]
    differs = [
        (recipe.credit(b).values != recipe.control.credit(b).values).any()
        or (recipe.credit(b).valid != recipe.control.credit(b).valid).any()
        for b in batches
    ]
    assert any(differs)
