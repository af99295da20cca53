"""Where a formula is also verl's, the numbers are verl's; where it is not, a test says how they differ."""

from types import SimpleNamespace

import numpy as np
import pytest

from guerdon import segments
from guerdon.batch import Batch, Column
from guerdon.credit import Others, Std, centred, gae, gae_of, next_values, to_go_of, whitened
from guerdon.recipes import get, passk, reinforce_pp
from guerdon.rewards import at_end, fact

algos = pytest.importorskip("verl.trainer.ppo.core_algos")
torch = pytest.importorskip("torch")


@pytest.fixture(params=range(10))
def sample(request):
    """Groups of 2 to 5 plays, each of 1 to 6 steps of one token, with rewards and values."""
    rng = np.random.default_rng(request.param)
    plays = rng.integers(2, 6, 4)
    length = rng.integers(1, 7, plays.sum())
    owner = np.repeat(np.arange(len(length)), length)
    group = np.repeat(np.arange(4), plays)
    batch = Batch.from_steps(group=group[owner], trajectory=owner, reward=rng.normal(size=len(owner)))
    return batch.with_columns(value=Column.of("step", rng.normal(size=len(owner))))


def padded(batch: Batch, name: str):
    """A step column as (plays, longest) with a mask, in torch."""
    out = batch.to_padded(name)
    return torch.tensor(out[name], dtype=torch.float64), torch.tensor(out["mask"]).double()


def test_grpo(sample):
    reward, mask = padded(sample, "reward")
    for std in (True, False):
        theirs, _ = algos.compute_grpo_outcome_advantage(
            reward.clone(), mask, sample.group_of_trajectory, norm_adv_by_std_in_grpo=std
        )
        ours = centred(fact("outcome"), scale=Std(1e-6) if std else None)(sample)
        assert ours.values == pytest.approx(theirs[mask.bool()].numpy(), abs=1e-9)


def test_dr_grpo_is_grpo_without_the_spread(sample):
    reward, mask = padded(sample, "reward")
    theirs, _ = algos.compute_grpo_outcome_advantage(
        reward.clone(), mask, sample.group_of_trajectory, norm_adv_by_std_in_grpo=False
    )
    assert get("dr-grpo").credit(sample).values == pytest.approx(theirs[mask.bool()].numpy(), abs=1e-9)


def test_rloo(sample):
    reward, mask = padded(sample, "reward")
    theirs, _ = algos.compute_rloo_outcome_advantage(reward.clone(), mask, sample.group_of_trajectory)
    assert get("rloo").credit(sample).values == pytest.approx(theirs[mask.bool()].numpy(), abs=1e-9)


@pytest.mark.parametrize(("gamma", "lam"), [(1.0, 1.0), (0.99, 0.95), (0.9, 0.0)])
def test_gae(sample, gamma, lam):
    reward, mask = padded(sample, "reward")
    value, _ = padded(sample, "value")
    whitened_, returns = algos.compute_gae_advantage_return(reward, value, mask, gamma, lam)
    owner, v = sample.trajectory_of_step, sample["value"].values
    ours = gae(sample["reward"].values, v, next_values(v, owner), owner, gamma, lam)
    theirs = (returns - value)[mask.bool()].numpy()
    assert ours == pytest.approx(theirs, abs=1e-9)
    as_credit = sample.with_columns(a=Column.of("step", ours))
    ours_white = whitened(to_go_of(fact("a"), 0.0))(as_credit)
    assert ours_white.values == pytest.approx(whitened_[mask.bool()].numpy(), abs=1e-9)


def test_ppo_with_the_outcome_at_the_end(sample):
    sample = sample.with_columns(reward=at_end(fact("outcome"))(sample))
    reward, mask = padded(sample, "reward")
    value, _ = padded(sample, "value")
    theirs, _ = algos.compute_gae_advantage_return(reward, value, mask, 1.0, 1.0)
    assert get("ppo").credit(sample).values == pytest.approx(theirs[mask.bool()].numpy(), abs=1e-9)


# Steps of several tokens: the reward is on the last token of its step.


def worded(seed):
    """Groups of 2 to 5 plays of 1 to 6 steps, each of 1 to 3 tokens."""
    rng = np.random.default_rng(seed)
    plays = rng.integers(2, 6, 4)
    length = rng.integers(1, 7, plays.sum())
    owner = np.repeat(np.arange(len(length)), length)
    return Batch.from_steps(
        group=np.repeat(np.arange(4), plays)[owner], trajectory=owner, reward=rng.integers(-8, 9, len(owner)) / 8,
        tokens_per_step=rng.integers(1, 4, len(owner)),
    )  # fmt: skip


@pytest.fixture(params=range(10))
def words(request):
    return worded(request.param)


def paid(batch: Batch, column: str = "reward"):
    """Token rewards as (plays, longest) with a mask, and the play's group, as verl's loop has them."""
    value = batch.lift(batch[column], "token").filled(0.0)
    parent = batch.step_of_token if batch[column].level == "step" else batch.index("trajectory", at="token")
    last = np.append(parent[1:] != parent[:-1], True)
    reward, mask = padded(batch.with_columns(paid=Column.of("token", np.where(last, value, 0.0))), "paid")
    return reward, mask, batch.group_of_trajectory


def estimator(name: str):
    """verl's function of that name."""
    return algos.ADV_ESTIMATOR_REGISTRY[name]


def on_tokens(batch: Batch, credit):
    """Our credit of each token, in verl's order."""
    return batch.lift(credit(batch), "token").values


def same(ours, theirs, mask):
    assert ours == pytest.approx(theirs[mask.bool()].numpy(), abs=1e-6)
    assert np.abs(ours).max() > 0.1


@pytest.mark.parametrize("form", ["", "_vectorized"])
def test_grpo_with_words(form, words):
    reward, mask, group = paid(words)
    theirs, _ = estimator(f"grpo{form}")(reward, mask, group)
    same(on_tokens(words, centred(fact("outcome"), scale=Std(1e-6))), theirs, mask)
    theirs, _ = estimator(f"grpo{form}")(reward, mask, group, norm_adv_by_std_in_grpo=False)
    same(on_tokens(words, get("dr-grpo").credit), theirs, mask)


@pytest.mark.parametrize("form", ["", "_vectorized"])
def test_rloo_with_words(form, words):
    reward, mask, group = paid(words)
    theirs, _ = estimator(f"rloo{form}")(reward, mask, group)
    same(on_tokens(words, get("rloo").credit), theirs, mask)


def test_opo(words):
    same(on_tokens(words, get("opo").credit), estimator("opo")(*paid(words))[0], paid(words)[1])


@pytest.mark.parametrize("std", [True, False])
def test_passk(std, words):
    theirs, _ = estimator("grpo_passk")(*paid(words), config={"norm_adv_by_std_in_grpo": std})
    credit = passk.credit() if std else passk.credit(scale=None)
    same(on_tokens(words, credit), theirs, paid(words)[1])


def test_remax(words):
    """The reward is paid at the end, and a greedy play of each prompt is given."""
    greedy = np.random.default_rng(0).integers(0, 9, words.size("group"))[words.group_of_trajectory] / 8
    words = words.with_columns(greedy_outcome=Column.of("trajectory", greedy))
    reward, mask, _ = paid(words, "outcome")
    theirs, _ = estimator("remax")(reward, torch.tensor(greedy), mask)
    same(on_tokens(words, get("remax").credit), theirs, mask)


def test_gpg_where_every_play_is_paid_and_every_group_is_mixed(words):
    """Then nothing is rescaled by either; see below for where they differ."""
    outcome = np.random.default_rng(0).integers(1, 9, words.size("trajectory")) / 8
    outcome[np.flatnonzero(segments.starts("groups", words.group_of_trajectory))] = 2.0
    words = words.with_columns(outcome=Column.of("trajectory", outcome))
    reward, mask, group = paid(words, "outcome")
    same(on_tokens(words, get("gpg").credit), estimator("gpg")(reward, mask, group)[0], mask)


# Whitened over the batch: verl counts tokens and we count steps, so here every step is one token.


@pytest.mark.parametrize("gamma", [1.0, 0.9])
def test_reinforce_pp(gamma, sample):
    sample = sample.with_columns(reward=at_end(fact("outcome"))(sample))
    reward, mask = padded(sample, "reward")
    theirs, _ = estimator("reinforce_plus_plus")(reward, mask, config=SimpleNamespace(gamma=gamma))
    same(reinforce_pp.credit(gamma)(sample).values, theirs, mask)


def test_reinforce_pp_with_the_mean_of_the_group(sample):
    reward, mask = padded(sample, "reward")
    theirs, _ = estimator("reinforce_plus_plus_baseline")(reward, mask, sample.group_of_trajectory)
    same(reinforce_pp.group_credit()(sample).values, theirs, mask)


@pytest.mark.parametrize("seed", range(10))
def test_gdpo(seed):
    """verl's function reads each reward of its own name, and puts it on the last token of the response, in 32 bits."""
    rng = np.random.default_rng(seed)
    plays = np.arange(16)
    found = {name: rng.integers(-8, 9, 16) / 8 for name in ("outcome", "format_score")}
    batch = Batch.from_steps(group=plays // 4, trajectory=plays, reward=found["outcome"])
    batch = batch.with_columns(format_score=Column.of("trajectory", found["format_score"]))
    one = torch.ones(16, 1)
    theirs, _ = estimator("gdpo")(
        one, one, plays // 4, config={"gdpo_reward_keys": list(found)}, non_tensor_batch=found,
        batch={"prompts": one, "attention_mask": torch.ones(16, 2, dtype=torch.long)},
    )  # fmt: skip
    same(get("gdpo").credit(batch).values, theirs, one)


def test_every_estimator_of_verl_is_compared_here_or_named_as_missing():
    """The two baselines per token weigh plays by the squared norm of their scores so far: nothing here does."""
    compared = {
        "gae", "grpo", "grpo_vectorized", "gdpo", "grpo_passk", "reinforce_plus_plus", "reinforce_plus_plus_baseline",
        "rloo", "rloo_vectorized", "opo", "remax", "gpg",
    }  # fmt: skip
    missing = {"optimal_token_baseline", "tir_optimal_token_baseline"}
    assert set(algos.ADV_ESTIMATOR_REGISTRY) == compared | missing


# What differs, by design.


@pytest.mark.parametrize("name", ["grpo", "rloo"])
def test_a_group_of_one_keeps_its_raw_reward_in_verl_and_gets_zero_here(name):
    batch = Batch.from_steps(group=[0], trajectory=[0], reward=[0.75])
    reward, mask = padded(batch, "reward")
    theirs, _ = getattr(algos, f"compute_{name}_outcome_advantage")(reward, mask, batch.group_of_trajectory)
    assert theirs[0, 0].item() == pytest.approx(0.75, abs=1e-5)
    assert get(name).credit(batch).values.tolist() == [0.0]


def test_grpo_adds_another_epsilon_than_verl(sample):
    """Ours is TRL's 1e-4, verl's is 1e-6: a difference below 1e-3 here."""
    assert get("grpo").credit(sample).values == pytest.approx(
        centred(fact("outcome"), scale=Std(1e-6))(sample).values, rel=1e-2
    )


def test_leave_one_out_is_rloo_when_every_play_has_one_step(sample):
    first = np.arange(sample.size("trajectory"))
    batch = Batch.from_steps(group=sample.group_of_trajectory, trajectory=first, reward=sample["outcome"].values)
    by_step = centred(to_go_of(fact("reward")), baseline=Others())(batch)
    reward, mask = padded(batch, "reward")
    theirs, _ = algos.compute_rloo_outcome_advantage(reward, mask, batch.group_of_trajectory)
    assert by_step.values == pytest.approx(theirs[mask.bool()].numpy(), abs=1e-9)


def test_a_group_of_one_is_zero_in_one_of_verls_two_forms_of_rloo_and_raw_in_both_of_grpo():
    batch = Batch.from_steps(group=[0], trajectory=[0], reward=[0.75])
    theirs = {name: estimator(name)(*paid(batch))[0].item() for name in ("grpo", "grpo_vectorized", "rloo_vectorized")}
    assert theirs == {"grpo": pytest.approx(0.75), "grpo_vectorized": pytest.approx(0.75), "rloo_vectorized": 0.0}


@pytest.mark.parametrize("name", ["grpo", "rloo"])
def test_a_play_without_a_score_takes_its_group_along_in_verl_and_is_left_out_here(name):
    """verl has no mark for it: as NaN it is in every baseline of its group, as 0 it is a failure."""
    steps = {"group": [0, 0, 0, 1, 1], "trajectory": [0, 1, 2, 3, 4]}
    batch = Batch.from_steps(**steps, reward=[1.0, 0.0, np.nan, 1.0, 0.0])
    credit = get(name).credit(batch)
    assert credit.valid.tolist() == [True, True, False, True, True]
    assert credit.values[:3] == pytest.approx(np.append(credit.values[3:], 0.0))
    score = torch.tensor(batch["outcome"].filled(np.nan))[:, None]
    for written, expected in ((score, np.nan), (score.nan_to_num(), {"grpo": 2 / 3, "rloo": 1.0}[name])):
        raw = {"norm_adv_by_std_in_grpo": False} if name == "grpo" else {}
        theirs, _ = estimator(name)(written.clone(), torch.ones_like(score), batch.group_of_trajectory, **raw)
        assert theirs[0, 0].item() == pytest.approx(expected, nan_ok=True)
    assert np.isnan(theirs.numpy()).sum() == 0 and theirs[2, 0] < 0  # as 0, it is told to do otherwise


def test_a_play_that_was_cut_off_is_bootstrapped_here_and_ends_in_verl():
    """verl's GAE has 0 after the last token. With `next_value` 0 ours is verl's; else it is paid to the last step."""
    steps = {"group": [0] * 5, "trajectory": [0, 0, 0, 1, 1]}
    reward, value, after = [0.0, 0.0, 0.0, 0.0, 1.0], [0.5, 0.25, 0.5, 0.25, 0.75], 0.625
    cut = Batch.from_steps(**steps, reward=reward, truncated=[False, False, True, False, False])
    cut = cut.with_columns(value=Column.of("step", value))
    found = {}
    for end in (0.0, after):
        batch = cut.with_columns(next_value=Column.of("step", np.full(5, end)))
        found[end] = gae_of(fact("reward"), 0.9, 0.8)(batch).values
    x, mask = padded(cut, "reward")
    v, _ = padded(cut, "value")
    for end in (0.0, after):
        x[0, 2] = 0.9 * end
        _, returns = algos.compute_gae_advantage_return(x, v, mask, 0.9, 0.8)
        theirs = (returns - v)[mask.bool()].numpy()
        bonus = np.array([0.72**2, 0.72, 1.0, 0.0, 0.0]) * 0.9 * end
        assert found[end] == pytest.approx(theirs, abs=1e-9)
        assert found[end] - found[0.0] == pytest.approx(bonus, abs=1e-9)


def test_opo_keeps_a_group_of_one_raw_in_verl_and_passk_refuses_it():
    batch = Batch.from_steps(group=[0], trajectory=[0], reward=[0.75], tokens_per_step=[2])
    assert estimator("opo")(*paid(batch))[0].tolist() == [[0.75, 0.75]]
    with pytest.raises(ValueError, match="at least 2"):
        estimator("grpo_passk")(*paid(batch), config={})
    assert get("opo").credit(batch).values.tolist() == get("passk").credit(batch).values.tolist() == [0.0]


def test_gpg_counts_plays_in_groups_that_differ_here_and_rewards_that_are_not_zero_in_verl():
    """One right of two, and two right of two: alpha is 4 / 2 here, 4 / 3 in verl."""
    batch = Batch.from_steps(group=[0, 0, 1, 1], trajectory=[0, 1, 2, 3], reward=[1.0, 0.0, 1.0, 1.0])
    assert get("gpg").credit(batch).values.tolist() == [1.0, -1.0, 0.0, 0.0]
    assert estimator("gpg")(*paid(batch))[0][:, 0].tolist() == pytest.approx([2 / 3, -2 / 3, 0.0, 0.0])
    # One right of two, and none right: verl's count is that of the rights alone, 4 / 1 against 4 / 2.
    batch = batch.with_columns(outcome=Column.of("trajectory", [1.0, 0.0, 0.0, 0.0]))
    assert get("gpg").credit(batch).values.tolist() == [1.0, -1.0, 0.0, 0.0]
    assert estimator("gpg")(*paid(batch, "outcome"))[0][:, 0].tolist() == [2.0, -2.0, 0.0, 0.0]


def test_dapo_drops_a_group_that_agrees_here_and_verls_estimator_has_it_as_zeros():
    """The same numbers; what a loss divides by is what differs. (verl's own DAPO draws another prompt instead.)"""
    batch = Batch.from_steps(group=[0, 0, 1, 1], trajectory=[0, 1, 2, 3], reward=[1.0, 0.0, 1.0, 1.0])
    ours, theirs = get("dapo").credit(batch), estimator("grpo")(*paid(batch), epsilon=1e-4)[0][:, 0].numpy()
    assert ours.values == pytest.approx(theirs, abs=1e-6) and theirs[2:].tolist() == [0.0, 0.0]
    assert ours.valid.tolist() == [True, True, False, False]


def test_reinforce_pp_discounts_steps_here_and_tokens_in_verl():
    """Two steps of three tokens, a win at the end: one is 0.5 away from it, or three to five tokens."""
    batch = Batch.from_steps(group=[0, 0], trajectory=[0, 0], reward=[0.0, 1.0], tokens_per_step=3)
    _, returns = estimator("reinforce_plus_plus")(*paid(batch)[:2], config=SimpleNamespace(gamma=0.5))
    assert returns[0].tolist() == [1 / 32, 1 / 16, 1 / 8, 1 / 4, 1 / 2, 1.0]
    assert to_go_of(at_end(fact("outcome")), 0.5)(batch).values.tolist() == [0.5, 1.0]


def test_whitening_counts_steps_here_and_tokens_in_verl():
    """A step that takes three words is one decision; in verl it is three of the numbers that are whitened."""
    words = worded(3)
    words = words.with_columns(value=Column.of("step", np.zeros(words.size("step"))))
    x, mask, _ = paid(words)
    theirs, _ = algos.compute_gae_advantage_return(x, torch.zeros_like(x), mask, 1.0, 1.0)
    ours = whitened(gae_of(fact("reward"), 1.0, 1.0))(words)
    tokens = np.bincount(words.step_of_token)
    raw = gae_of(fact("reward"), 1.0, 1.0)(words).values
    for values, votes in ((ours.values, np.ones_like(tokens)), (theirs[mask.bool()].numpy(), tokens)):
        per_step = values if len(values) == len(raw) else values[np.cumsum(tokens) - 1]
        mean = (votes * raw).sum() / votes.sum()
        spread = np.sqrt((votes * (raw - mean) ** 2).sum() / (votes.sum() - 1))
        assert per_step == pytest.approx((raw - mean) / spread, abs=1e-6)
    assert np.abs(ours.values - theirs[mask.bool()].numpy()[np.cumsum(tokens) - 1]).max() > 1e-2
