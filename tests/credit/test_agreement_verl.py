"""Where a formula is also verl's, the numbers are verl's; where it is not, a test says how they differ."""

import numpy as np
import pytest

from guerdon.batch import Batch, Column
from guerdon.credit import Others, Std, centred, gae, next_values, to_go_of, whitened
from guerdon.recipes import get
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
