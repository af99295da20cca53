"""evaluate: success on tasks, with an interval, and the same however often it is asked."""

import numpy as np
import pytest

from guerdon import store
from guerdon.environments import get
from guerdon.intervals import wilson
from guerdon.rollouts import by_policy, play
from guerdon.training import train
from guerdon.training.evaluate import evaluate, summarise
from guerdon.training.run import TEST
from guerdon.training.warmup import warm_up


@pytest.fixture
def run(make):
    run = make(warm_up_epochs=20, seed=2)
    run.open(False)
    warm_up(run, lambda run, metrics: None)
    return run


def test_it_is_the_share_of_plays_that_were_solved(run):
    said = evaluate(run, 40, "train")
    tasks = [run.train[i % 4] for i in range(40)]
    outcomes = [t.outcome for t in play(by_policy(run.policy, run.generator(TEST, 0)), run.vector, tasks)]
    assert said["success"] == pytest.approx(np.mean(outcomes)) and said["n"] == 40 and said["failed"] == 0
    assert (said["low"], said["high"]) == wilson(sum(outcomes), 40) and said["split"] == "train"
    assert 0 < sum(outcomes) < 40, "all alike shows nothing"


def test_asked_twice_it_says_the_same_and_leaves_nothing_behind(run):
    assert evaluate(run, 12) == evaluate(run, 12)
    assert not run.policy.cache.known, "a resumed run has not read what an evaluation read"


def test_held_out_tasks_are_others(run):
    assert not {t.extra["id"] for t in run.test} & {t.extra["id"] for t in run.train}
    assert evaluate(run, 4)["split"] == "test"


def test_without_held_out_tasks_there_is_no_number_and_no_crash(make):
    run = make(family=get("keydoor", size=3, subgoals=1, horizon=6, train=4, test=0), iterations=1)
    summary = train(run)
    assert summary["test"]["n"] == 0 and summary["test"]["success"] is None
    assert summary["success"] == summary["train"]["success"] and summary["n"] == 4


def test_the_summary_has_every_field_of_the_run_folder(run):
    summary = summarise(run)
    fields = {"recipe", "role", "env", "seed", "iterations", "env_steps", "seconds", "success", "low", "high", "n",
              "told", "baseline", "control", "warm_up"}  # fmt: skip
    assert fields <= summary.keys()
    assert summary["control"] == "rloo-control" and summary["told"] == "nothing"
    assert summary["warm_up"]["plays"] == 32 and summary["warm_up"]["train"]["n"] == 4
    assert store.read_json(run.folder / "summary.json") == summary
    assert (run.folder / "policy" / "config.json").exists()
