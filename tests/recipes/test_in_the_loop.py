"""Every recipe in the training loop, on the smallest keydoor; one that needs more than is there says so first."""

import itertools
import math
from dataclasses import replace

import numpy as np
import pytest

from guerdon import recipes, store
from guerdon.environments import get
from guerdon.environments.keydoor import Keydoor, KeydoorPlay
from guerdon.errors import ColumnError
from guerdon.training import Config, Run
from guerdon.training import train as train_run
from launch import SIZES, Cli, train
from strategies import BINARY, BY_KIND, MARKS, PATH, REAL, UNIT

METHODS = recipes.names()
# Imitated until it wins about one play in four, so that every group has something to compare.
HERE = {**SIZES, "plays": 8, "warm_up_noise": 0.3, "warm_up_epochs": 8, "eval_every": 0, "save_every": 1, "threads": 1}


@pytest.fixture(scope="module")
def family():
    return get("keydoor", size=3, subgoals=1, horizon=6, train=4, test=4)


@pytest.fixture
def make(tmp_path, family):
    """make(recipe) -> a run of two iterations: two prompts, eight plays of each, one room of nine cells."""
    made = []

    def build(recipe, world=family):
        made.append(Run(world, recipe, Config(**HERE, iterations=2), 0, tmp_path / "run"))
        return made[-1]

    yield build
    for run in made:
        run.close()


@pytest.fixture(scope="module")
def recorded(family, tmp_path_factory):
    """The columns that plays of keydoor record."""
    run = Run(family, recipes.get("rloo"), Config(**HERE), 0, tmp_path_factory.mktemp("columns"))
    try:
        return run.columns()
    finally:
        run.close()


def numbers(value):
    """All numbers in metrics, however deep."""
    if isinstance(value, dict):
        return [x for inner in value.values() for x in numbers(inner)]
    return [value] if isinstance(value, int | float) else []


def check(recipe, batch, metrics):
    """One iteration: finite throughout, and each step was credited by the recipe and nothing else."""
    assert numbers(metrics) and all(map(math.isfinite, numbers(metrics)))
    advantage, again = batch["advantage"], recipe.credit(batch)
    np.testing.assert_array_equal(advantage.values, again.values)
    np.testing.assert_array_equal(advantage.valid, again.valid)
    assert advantage.level == again.level in ("token", "step")


def two_iterations(recipe, run):
    """Trains, and looks at each iteration and at the weights."""
    before = {k: v.clone() for k, v in run.policy.model.state_dict().items()}
    seen = []
    train_run(run, watch=lambda run, said: seen.append((run.batch, said)) if "iteration" in said else None)
    assert [said["iteration"] for _, said in seen] == [1, 2]
    for batch, said in seen:
        check(recipe, batch, said)
    assert any(np.abs(batch["advantage"].values).max() > 0 for batch, _ in seen), "two iterations without a word"
    assert any(not v.equal(before[k]) for k, v in run.policy.model.state_dict().items())


@pytest.mark.parametrize("name", METHODS)
@pytest.mark.parametrize("role", ["method", "control"])
def test_two_iterations_or_a_sentence(name, role, make, recorded):
    recipe = recipes.get(name)
    recipe = recipe if role == "method" else recipe.control
    missing = [need for need in recipe.needs if need not in recorded]
    run = make(recipe)
    if not missing:
        two_iterations(recipe, run)
        return
    with pytest.raises(ColumnError, match=f"recipe {recipe.name}: it needs .*{missing[0]!r}.*choose"):
        train_run(run)
    assert run.iteration == run.env_steps == 0 and run.batch is None and not run.folder.exists()


# A keydoor that is also judged: every number of a step that a recipe asks for, made up, as a fact of the step.


STREAMS = itertools.count()


class Judged(Keydoor):
    """The same world; each step comes with scores that say nothing."""

    def make(self):
        return JudgedPlay(self.horizon)


class JudgedPlay(KeydoorPlay):
    """Scores of a step are multiples of 1/8, from a stream of its own for each environment."""

    def __init__(self, horizon):
        super().__init__(horizon)
        self.scores = np.random.default_rng(next(STREAMS))

    def step(self, action):
        seen = super().step(action)
        scores = {n: self.scores.integers(-8 if n in REAL else 0, 9) / 8 for n in SCORES}
        scores |= {n: float(self.scores.integers(2)) for n in BITS}
        return replace(seen, facts={**seen.facts, **scores})


SCORES = tuple(n for n in (*UNIT, *REAL, *PATH) if n not in ("value", "next_value"))  # these two are a critic's
BITS = (*BINARY, *MARKS, *BY_KIND)
OF_KEYDOOR = {"outcome", "reward", "state", "next_state", "terminated", "truncated", "sampled", "action_valid",
              "milestone", "milestones", "progress", "closer"}  # fmt: skip


def judged(name):
    """Whether a recipe asks for such numbers, and beside them for no more than keydoor has."""
    needs = set(recipes.get(name).needs)
    return bool(needs & {*SCORES, *BITS}) and needs <= {*SCORES, *BITS} | OF_KEYDOOR


JUDGED = [name for name in METHODS if judged(name)]


@pytest.mark.parametrize("name", JUDGED)
def test_two_iterations_where_each_step_is_judged(name, make):
    recipe = recipes.get(name)
    two_iterations(recipe, make(recipe, Judged(size=3, subgoals=1, horizon=6, train=4, test=4)))


def test_enough_recipes_do_run_here(recorded):
    """Those that are told no more than outcome, rewards and states do; so nothing above passes by being empty."""
    plain = [n for n in METHODS if set(recipes.get(n).needs) <= {"outcome", "reward", "state", "next_state"}]
    running = [n for n in METHODS if set(recipes.get(n).needs) <= recorded]
    assert set(plain) <= set(running) and {"grpo", "rloo", "dr-grpo", "ppo", "gigpo", "pure"} <= set(running)


# Through the command line: outcomes alone with a critic, states, a step judge.


@pytest.fixture(scope="module")
def cli(tmp_path_factory):
    server = Cli(tmp_path_factory.mktemp("cli"))
    yield server
    server.close()


@pytest.mark.parametrize("name", ["ppo", "gigpo", "pure"])
def test_by_command(name, cli, tmp_path):
    folder = tmp_path / "run"
    said = cli(*train(folder, recipe=name, iterations=2, **HERE))
    assert said.code == 0, said.err
    lines = store.read_metrics(folder / "metrics.jsonl")
    assert [line["iteration"] for line in lines] == [1, 2]
    for line in lines:
        batch = store.read_batch(folder / "batches" / f"{line['iteration']:06d}.parquet")
        check(recipes.get(name), batch, line)


def test_by_command_what_is_missing_is_one_sentence(cli, tmp_path, recorded):
    unmet = [n for n in METHODS if set(recipes.get(n).needs) - recorded]
    if not unmet:
        pytest.skip("keydoor records what every recipe needs")
    said = cli(*train(tmp_path / "run", recipe=unmet[0], iterations=2))
    assert said.code == 2 and "Traceback" not in said.err
    assert f"recipe {unmet[0]}: it needs" in " ".join(said.err.split()) and not (tmp_path / "run").exists()
