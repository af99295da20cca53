"""The loop: the flow from tasks to an update, what it leaves behind, and how it stops."""

import math

import numpy as np
import pytest
import torch

from guerdon import store
from guerdon.environments import get
from guerdon.environments.base import Seen
from guerdon.errors import DivergedError, EnvironmentFault
from guerdon.training import train
from guerdon.training.loop import gather, learn
from guerdon.training.warmup import warm_up


def ready(run):
    """The run, opened and warmed up."""
    run.open(False)
    warm_up(run, lambda run, metrics: None)
    return run


def test_a_run_leaves_what_the_run_folder_promises(make):
    run = make("milestones", iterations=4, save_every=2, eval_every=2)
    said = []
    summary = train(run, watch=lambda run, metrics: said.append(dict(metrics)))
    names = {p.name for p in run.folder.iterdir()}
    assert names == {"run.json", "metrics.jsonl", "batches", "checkpoints", "tensorboard", "policy", "summary.json"}
    assert sorted(p.name for p in (run.folder / "batches").iterdir()) == [f"{i:06d}.parquet" for i in (1, 2, 4)]
    lines = store.read_metrics(run.folder / "metrics.jsonl")
    assert [line["iteration"] for line in lines] == [1, 2, 3, 4]
    assert ["eval" in line for line in lines] == [False, True, False, True]
    assert store.read_json(run.folder / "summary.json")["iterations"] == 4 == summary["iterations"]
    assert [m["doing"] for m in said if "doing" in m] == [
        "scripted plays", "warm-up 1/2", "warm-up 2/2", "evaluation after the warm-up", "last evaluation",
    ]  # fmt: skip
    assert [m["iteration"] for m in said if "iteration" in m] == [1, 2, 3, 4]


def test_the_trained_batch_has_every_column_of_the_flow(make):
    batch = gather(ready(make("milestones")))
    for name in (
        "observation",
        "action",
        "progress",
        "worth",
        "advantage",
        "outcome",
        "truncated",
        "failed",
        "ended_by",
    ):
        assert name in batch, name
    parts = [name for name in batch.columns if name.startswith("worth/")]
    assert len(parts) == 2
    total = sum(batch[name].filled(0.0) for name in parts)
    assert np.array_equal(total, batch["worth"].filled(0.0))


def test_the_first_update_sees_the_log_probabilities_that_were_sampled(make):
    run = ready(make("rloo", minibatches=1))
    metrics = learn(run, gather(run))
    assert metrics["ratio_clipped"] == 0.0 and abs(metrics["kl_old"]) < 1e-8


def test_learning_moves_the_weights_and_the_counts(make):
    run = ready(make("rloo", entropy=0.01))
    before = {k: v.clone() for k, v in run.policy.model.state_dict().items()}
    batch = gather(run)
    learn(run, batch)
    assert run.iteration == 1 and run.env_steps == batch.size("step") and run.tokens == batch["sampled"].values.sum()
    assert any(not torch.equal(v, before[k]) for k, v in run.policy.model.state_dict().items())
    assert not run.policy.cache.known, "what was read with other weights is forgotten"


def test_a_policy_that_can_learn_learns(make):
    run = make("rloo", iterations=25, prompts=4, plays=8, lr=0.002, eval_every=0, width=32, warm_up_epochs=30)
    summary = train(run)
    lines = store.read_metrics(run.folder / "metrics.jsonl")
    first, last = (np.mean([line["success"] for line in some]) for some in (lines[:5], lines[-5:]))
    assert last > first + 0.2, (first, last, summary["warm_up"])


# Budgets.


def test_steps_are_a_budget(make):
    run = make(steps=60)
    train(run)
    lines = store.read_metrics(run.folder / "metrics.jsonl")
    assert lines[-1]["env_steps"] >= 60 and all(line["env_steps"] < 60 for line in lines[:-1])


def test_no_iterations_is_an_evaluation(make):
    run = make(iterations=0)
    assert train(run)["iterations"] == 0
    assert (run.folder / "policy").exists() and not (run.folder / "metrics.jsonl").exists()


# NaN.


def test_nan_stops_the_run_and_keeps_the_batch(make):
    run = make(iterations=5)

    def break_it(run, metrics):
        if metrics.get("iteration") == 2:
            step = run.optimizer.step

            def bad(*a):
                step(*a)
                with torch.no_grad():
                    next(run.policy.model.parameters()).fill_(math.nan)

            run.optimizer.step = bad

    with pytest.raises(DivergedError, match=r"lower the learning rate.*diverged\.parquet"):
        train(run, watch=break_it)
    kept = store.read_batch(run.folder / "batches" / "diverged.parquet")
    assert "advantage" in kept and kept.size("trajectory") == 8
    assert [line["iteration"] for line in store.read_metrics(run.folder / "metrics.jsonl")] == [1, 2]
    assert sorted(p.name for p in (run.folder / "checkpoints").iterdir())[-1] == "000002.pt"
    resumed = make(iterations=5)
    train(resumed, resume=True)  # the weights of the checkpoint are sound
    assert resumed.iteration == 5


# Environments that break.


class Breaks:
    """Keydoor, but the plays of some tasks raise."""

    name, horizon, trusted = "breaks", 6, True
    options: dict = {}

    def __init__(self, bad):
        self.inner, self.bad = get("keydoor", size=3, subgoals=1, horizon=6, train=4, test=4), bad
        self.words, self.actions, self.tasks = self.inner.words, self.inner.actions, self.inner.tasks

    def make(self):
        play, bad = self.inner.make(), self.bad

        class Play:
            def reset(self, task):
                self.bad = bad(task)
                if self.bad == "reset":
                    raise RuntimeError("the disk is on fire")
                return play.reset(task)

            def step(self, action):
                if self.bad == "step":
                    raise RuntimeError("the roof is on fire")
                seen = play.step(action)
                return Seen("nonsense", facts={"progress": "much"}) if self.bad == "facts" else seen

            def expert(self):
                return play.expert()

            def close(self):
                pass

        return Play()


@pytest.mark.parametrize("how", ["reset", "step"])
def test_plays_that_break_are_counted_and_the_run_goes_on(make, how):
    ids = []
    world = Breaks(lambda task: how if ids and task.extra["id"] == ids[0] else "")
    ids.append(world.tasks("train")[1].extra["id"])
    run = make("milestones", family=world, iterations=4)
    train(run)
    lines = store.read_metrics(run.folder / "metrics.jsonl")
    assert [line["iteration"] for line in lines] == [1, 2, 3, 4]
    shares = [line["unscored"] for line in lines]
    assert any(s and "fire" in next(iter(s)) and sum(s.values()) == 0.5 for s in shares), shares


def test_when_every_play_breaks_the_run_stops_and_says_why(make):
    run = make(family=Breaks(lambda task: "step"), warm_up_plays=0)
    with pytest.raises(EnvironmentFault, match=r"all 8 plays of iteration 1 failed.*roof.*--resume"):
        train(run)
