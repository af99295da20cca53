"""The critic: values of states, learnt from what came of them, beside the policy and not through it."""

import numpy as np
import pytest
import torch

from guerdon.batch import Column
from guerdon.training.critic import ValueModel
from guerdon.training.loop import gather, iterate
from guerdon.training.warmup import warm_up


@pytest.fixture
def run(make):
    run = make("ppo", prompts=4, warm_up_epochs=10)
    run.open(False)
    warm_up(run, lambda run, metrics: None)
    return run


def test_a_value_is_a_function_of_what_was_read(run):
    batch = gather(run)
    value = batch["value"].values
    assert len(value) == batch.size("step") and np.isfinite(value).all()
    seen = {}
    for text, v in zip(batch["observation"].tolist(), value.tolist(), strict=True):
        seen.setdefault(text, []).append(v)
    assert max(len(v) for v in seen.values()) > 1
    assert all(max(v) - min(v) < 1e-5 for v in seen.values()) and len({round(v[0], 6) for v in seen.values()}) > 1


def test_the_hidden_state_is_the_one_before_the_first_sampled_token(run):
    batch = gather(run)
    model = run.policy.model
    step = batch.size("step") // 2
    at = np.flatnonzero(
        (batch.step_of_token == step) & ~batch["sampled"].values
    )  # last-state context: one step, one input
    ids = torch.from_numpy(batch["token_id"].values[at].astype(np.int64))[None]
    with torch.no_grad():
        hidden = model(ids, output_hidden_states=True).hidden_states[-1][0, -1]
    assert torch.allclose(run.critic.seen[step], hidden, atol=1e-4)


def test_it_learns_what_there_is_to_learn(run):
    batch = gather(run)
    outcome = np.random.default_rng(0).random(batch.size("trajectory")).round()
    batch = batch.with_columns(outcome=Column.of("trajectory", outcome))
    first = run.critic.fit(batch, run.workers)["critic_loss"]
    for _ in range(100):
        last = run.critic.fit(run.critic.observe(batch), run.workers)
    assert last["critic_loss"] < 0.95 * first and last["critic_explained"] > 0.02
    target = run.recipe.critic.targets(run.critic.observe(batch), run.recipe.reward).values
    assert target == pytest.approx(outcome[batch.trajectory_of_step])  # gamma = lambda = 1: what was paid in the end


def test_the_policy_gets_no_gradient_from_it(run):
    batch = gather(run)
    before = {k: v.clone() for k, v in run.policy.model.state_dict().items()}
    run.critic.fit(batch, run.workers)
    assert all(torch.equal(v, before[k]) for k, v in run.policy.model.state_dict().items())
    assert all(p.grad is None for p in run.policy.model.parameters()) or run.iteration == 0


def test_steps_without_a_score_are_left_out(run):
    batch = gather(run)
    nothing = Column("trajectory", np.full(batch.size("trajectory"), np.nan), np.zeros(batch.size("trajectory"), bool))
    before = {k: v.clone() for k, v in run.critic.head.state_dict().items()}
    assert run.critic.fit(batch.with_columns(outcome=nothing), run.workers) == {}
    assert all(torch.equal(v, before[k]) for k, v in run.critic.head.state_dict().items())


def test_its_state_is_its_own_and_comes_back(run):
    iterate(run)
    other = ValueModel(run.policy, run.recipe, seed=99)
    assert not torch.equal(other.head[0].weight, run.critic.head[0].weight)
    other.load_state_dict(run.critic.state_dict())
    assert torch.equal(other.head[0].weight, run.critic.head[0].weight)
    assert other.optimizer.state_dict()["state"][0]["step"] == run.critic.optimizer.state_dict()["state"][0]["step"]
