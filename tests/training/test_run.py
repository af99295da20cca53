"""Run: a run that was stopped, however, ends as one that was not; a folder belongs to one run."""

import json
import random
import signal
import time
from dataclasses import replace

import pytest
import torch

from guerdon import recipes, store
from guerdon.environments import get
from guerdon.environments.base import Seen
from guerdon.errors import ColumnError, PolicyError, RunFolderError
from guerdon.objectives import Clipped, Distil, On
from guerdon.training import checkpoints
from guerdon.training import train as train_run
from launch import SIZES, run, start, train


def same(a, b):
    """Equal bit for bit, tensors and all that holds them."""
    if isinstance(a, torch.Tensor):
        return torch.equal(a, b)
    if isinstance(a, dict):
        return a.keys() == b.keys() and all(same(a[k], b[k]) for k in a)
    if isinstance(a, list | tuple):
        return len(a) == len(b) and all(map(same, a, b))
    return a == b


def end_of(folder):
    """The last checkpoint and the metrics, without what the clock says."""
    state = checkpoints.load(checkpoints.newest(folder / "checkpoints"))
    state["counts"] = {k: v for k, v in state["counts"].items() if k != "seconds"}
    lines = store.read_metrics(folder / "metrics.jsonl")
    return state, [{k: v for k, v in line.items() if k != "seconds"} for line in lines]


def stop_at(iteration):
    """A watcher that presses Ctrl-C after an iteration."""

    def watch(run, metrics):
        if "iteration" in metrics and run.iteration == iteration:
            raise KeyboardInterrupt

    return watch


# Resumed is as if never stopped.

WAYS = {
    "rloo": {},
    "ppo": {},
    "milestones": {"kl": 0.01, "entropy": 0.003, "history": True},
    "gigpo": {"epochs": 2, "checkpoint_every": 2},
    "dr-grpo": {"warm_up_plays": 0, "entropy": 0.01},
}


@pytest.mark.parametrize("recipe", WAYS)
def test_stopped_and_resumed_it_ends_with_the_same_bits(make, recipe):
    more = WAYS[recipe]
    whole = make(recipe, "whole", **more)
    summary = train_run(whole)
    with pytest.raises(KeyboardInterrupt):
        train_run(make(recipe, "cut", **more), watch=stop_at(3))
    resumed = make(recipe, "cut", **more)
    again = train_run(resumed, resume=True)
    state, lines = end_of(whole.folder)
    state_, lines_ = end_of(resumed.folder)
    assert same(state, state_)
    assert lines == lines_ and [line["iteration"] for line in lines] == [1, 2, 3, 4, 5, 6]
    assert {**summary, "seconds": 0} == {**again, "seconds": 0}
    first = make(recipe, "other", **more).policy.model.state_dict()
    assert not same(dict(first), dict(state["model"])), "it has learnt nothing, so this shows nothing"


@pytest.mark.parametrize("recipe", ["rloo", "ppo"])
def test_stopped_before_the_first_iteration_is_over_it_is_not_warmed_up_twice(make, recipe):
    whole = make(recipe, "whole", iterations=2, kl=0.01)
    train_run(whole)

    class Stop(Exception):
        pass

    def at_once(run, metrics):
        if run.iteration == 1:
            raise Stop

    cut = make(recipe, "cut", iterations=2, kl=0.01, checkpoint_every=2)
    cut.config = replace(cut.config, checkpoint_every=1)  # the folder's own, so that it is the same run
    save, cut.save = cut.save, lambda: save() if cut.iteration == 0 else None  # killed before it could write the next
    with pytest.raises(Stop):
        train_run(cut, watch=at_once)
    assert [p.name for p in (cut.folder / "checkpoints").iterdir()] == ["000000.pt"]
    resumed = make(recipe, "cut", iterations=2, kl=0.01)
    train_run(resumed, resume=True)
    assert same(end_of(whole.folder), end_of(resumed.folder))


def test_lines_after_the_checkpoint_are_dropped_and_done_again(make):
    with pytest.raises(KeyboardInterrupt):
        train_run(make(checkpoint_every=2), watch=stop_at(3))
    folder = make(checkpoint_every=2).folder
    assert [line["iteration"] for line in store.read_metrics(folder / "metrics.jsonl")] == [1, 2, 3]
    with open(folder / "metrics.jsonl", "a") as file:
        file.write('{"iteration": 4, "torn')
    resumed = make(checkpoint_every=2)
    resumed.open(True)
    assert resumed.iteration == 2
    assert [line["iteration"] for line in store.read_metrics(folder / "metrics.jsonl")] == [1, 2]


def test_a_finished_run_may_be_resumed_and_changes_nothing(make):
    first = make(iterations=2)
    before = train_run(first)
    again = train_run(make(iterations=2), resume=True)
    assert {**before, "seconds": 0} == {**again, "seconds": 0}
    assert len(store.read_metrics(first.folder / "metrics.jsonl")) == 2


def test_what_a_killed_writer_left_is_swept_away(make):
    with pytest.raises(KeyboardInterrupt):
        train_run(make(), watch=stop_at(1))
    folder = make().folder
    left = [
        folder / ".run.json.1-a.part",
        folder / "checkpoints" / ".000009.pt.1-a.part",
        folder / "batches" / ".x.1-a.part",
    ]
    for part in left:
        part.write_text("half")
    make().open(True)
    assert not any(part.exists() for part in left)


def test_a_run_killed_before_its_record_was_written_begins(make):
    run = make()
    run.folder.mkdir()
    (run.folder / ".run.json.1-a.part").write_text("{")
    run.open(False)
    assert (run.folder / "run.json").exists()


# kill -9.


def killed(folder, times, whole, rng, spans):
    """Starts and kills a real run, then lets it end."""
    for _ in range(times):
        process = start(train(folder, "--resume", iterations=12))
        seen = folder / "metrics.jsonl"
        before = seen.stat().st_size if seen.exists() else 0
        until = time.monotonic() + 60
        # Loading takes most of the time, so it is waited for; the moment is random from there.
        while process.poll() is None and time.monotonic() < until and rng.random() < spans:
            if seen.exists() and seen.stat().st_size > before:
                break
            time.sleep(0.002)
        time.sleep(rng.random() * 0.15)
        process.send_signal(signal.SIGKILL)
        process.communicate()
    assert run(*train(folder, "--resume", iterations=12)).code == 0
    state, lines = end_of(folder)
    state_, lines_ = end_of(whole)
    assert [line["iteration"] for line in lines] == list(range(1, 13))
    assert same(state, state_) and lines == lines_
    assert not list(folder.rglob(".*.part")), "what killed writers left is gone"


@pytest.fixture(scope="module")
def uninterrupted(tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs") / "whole"
    said = run(*train(folder, iterations=12))
    assert said.code == 0, said.err
    return folder


def test_killed_twice_and_resumed_nothing_is_lost(tmp_path, uninterrupted):
    killed(tmp_path / "run", 2, uninterrupted, random.Random(0), 2.0)


@pytest.mark.slow
def test_killed_ten_times_and_resumed_nothing_is_lost(tmp_path, uninterrupted):
    killed(tmp_path / "run", 10, uninterrupted, random.Random(1), 0.9995)


# The folder.


def test_the_record_says_all_that_the_run_is(make):
    run = make("milestones", role="method", seed=3)
    run.open(False)
    record = store.read_json(run.folder / "run.json")
    assert record["recipe"] == "milestones" and record["seed"] == 3 and record["env"] == "keydoor"
    assert record["env_options"]["size"] == 3 and record["config"]["prompts"] == SIZES["prompts"]
    assert record["baseline"] == "grpo" and record["control"] == "milestones-control"
    assert record["role"] == "method" and record["told"] == "milestones" and record["policy"] is None
    assert {"torch", "numpy", "python"} <= record["versions"].keys() and record["machine"]["cores"] >= 1
    assert record["guerdon"] and record["command"]


def test_a_folder_with_a_run_is_taken_unless_it_is_resumed(make):
    make().open(False)
    with pytest.raises(RunFolderError, match=r"already holds this run.*--resume.*--out"):
        make().open(False)
    make().open(True)


@pytest.mark.parametrize(
    ("change", "said"),
    [({"recipe": "grpo"}, "recipe=rloo"), ({"seed": 1}, "seed=0"), ({"lr": 0.5}, "lr=0.003"), ({"kl": 0.1}, "kl=0.0")],
)
def test_the_folder_of_another_run_is_refused_and_the_difference_named(make, change, said):
    make().open(False)
    for resume in (True, False):
        with pytest.raises(RunFolderError, match=f"another run.*{said}.*--out"):
            make(**change).open(resume)


def test_a_folder_with_other_files_is_refused_and_left_alone(make):
    run = make()
    run.folder.mkdir()
    (run.folder / "thesis.tex").write_text("years of work")
    with pytest.raises(RunFolderError, match=r"not a run.*--out"):
        run.open(False)
    assert [p.name for p in run.folder.iterdir()] == ["thesis.tex"]


def test_an_option_that_json_has_no_tuple_for_is_still_the_same(make):
    class Pairs(type(get("keydoor"))):
        @property
        def options(self):
            return {"rooms": (1, 2)}

    world = Pairs(size=3, subgoals=1, horizon=6, train=4, test=4)
    make(family=world).open(False)
    again = make(family=world)
    again.open(True)
    assert not again.ready  # it was taken as the same run, which has no checkpoint yet


# What a recipe needs is there, or it is said before the first play.


class Bare:
    """A world that pays and says nothing more."""

    name, horizon, trusted = "bare", 3, True
    options: dict = {}
    facts: dict = {}

    def __init__(self):
        self.steps = 0

    def tasks(self, split):
        return get("keydoor", size=3, subgoals=1, train=2, test=2).tasks(split)

    def words(self):
        return ["wait", "go"]

    def actions(self):
        return ["wait", "go"]

    def make(self):
        return self

    def reset(self, task):
        return Seen("wait", "start")

    def step(self, action):
        self.steps += 1
        return Seen("go", "end", reward=1.0, terminated=True, facts=self.facts, outcome=1.0)

    def expert(self):
        return "go"

    def close(self):
        pass


def test_a_column_that_the_environment_does_not_record_is_named_before_the_first_play(make):
    world = Bare()
    with pytest.raises(ColumnError, match=r"milestones: it needs 'progress'.*choose"):
        make("milestones", family=world).open(False)
    assert world.steps == 1, "one step is all it takes to know"
    assert not (make("milestones", family=world).folder / "run.json").exists()
    make("gigpo", "gigpo", family=world).open(False)  # needs outcome, reward and state


def test_a_fact_that_is_unknown_just_now_counts_as_recorded(make):
    class Sometimes(Bare):
        facts = {"progress": None}

    run = make("milestones", family=Sometimes())
    run.open(False)
    assert "progress" in run.columns()


def test_an_environment_without_training_tasks_is_refused(make):
    with pytest.raises(ValueError, match=r"no training tasks.*option"):
        make(family=get("keydoor", size=3, subgoals=1, train=0, test=4))


# Drawing.


def test_each_pass_over_the_tasks_has_each_of_them_once(make):
    run = make(prompts=2, plays=3)
    for lap in range(3):
        drawn = [task for i in (0, 1) for task in run.draw(2 * lap + i)[0]]
        assert sorted(t.extra["id"] for t in drawn) == sorted(t.extra["id"] for t in run.train for _ in range(3))
    assert run.draw(0)[1] == [0, 0, 0, 1, 1, 1]
    assert len({tuple(t.extra["id"] for i in (0, 1) for t in run.draw(2 * lap + i)[0]) for lap in range(8)}) > 1


def test_streams_of_chance_depend_on_seed_iteration_and_purpose_alone(make):
    a, b = make(seed=1), make(folder="b", seed=1)
    assert a.rng(0, 5).random() == b.rng(0, 5).random()
    assert len({run.rng(p, i).random() for run in (a, make(folder="c", seed=2)) for p in (0, 1) for i in (0, 1)}) == 8


# The policy.


def test_a_policy_saved_by_a_run_can_be_trained_on(make):
    first = make(iterations=1)
    train_run(first)
    second = make(folder="second", path=str(first.folder / "policy"), iterations=1)
    assert same(dict(second.policy.model.state_dict()), dict(first.policy.model.state_dict()))
    train_run(second)
    assert json.loads((second.folder / "run.json").read_text())["policy"].endswith("policy")


def test_a_path_that_is_no_model_is_said_so(make, tmp_path):
    (tmp_path / "empty").mkdir()
    with pytest.raises(PolicyError, match=r"config\.json"):
        make(path=str(tmp_path / "empty"))


def test_the_policy_is_kept_whole_or_not_at_all(make, tmp_path, monkeypatch):
    run = make()
    run.open(False)
    run.keep_policy()
    before = sorted(p.name for p in (run.folder / "policy").iterdir())
    save = run.policy.save

    def full(folder):
        save(folder)
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(run.policy, "save", full, raising=False)
    with pytest.raises(RunFolderError, match=r"No space left.*--resume"):
        run.keep_policy()
    assert sorted(p.name for p in (run.folder / "policy").iterdir()) == before
    assert not (run.folder / ".policy.part").exists()


def test_an_objective_that_cannot_be_filled_is_refused_before_the_first_rollout(make):
    recipe = replace(recipes.get("rloo"), objective=Distil() + On("replayed", Clipped()))
    run = make(recipe)
    with pytest.raises(ColumnError, match=r"recipe rloo: its objective reads 'replayed', 'top', which neither"):
        run.open(False)
    assert not (run.folder / "run.json").exists()
