"""Recipe, Number, Critic and the registry."""

import subprocess
import sys

import numpy as np
import pytest

from guerdon import recipes
from guerdon.batch import Batch, Column
from guerdon.credit import to_go
from guerdon.errors import ColumnError, RecordError, UnknownNameError
from guerdon.rewards import fact

SLUGS = ("clip-delta", "dr-grpo", "g-ra", "gigpo", "grpo", "milestones", "pbrs", "ppo", "pure", "rloo")


def test_the_names_are_the_methods():
    assert set(SLUGS) <= set(recipes.names())
    assert not any(name.endswith(("-control", "-baseline")) for name in recipes.names())


@pytest.mark.parametrize("name", SLUGS)
def test_a_recipe_and_what_it_has_to_beat_are_found_by_name(name):
    recipe = recipes.get(name)
    assert recipe.name == name
    assert recipes.get(f"{name}-control") is recipe.control
    assert recipes.get(recipe.control.name) is recipe.control
    assert recipes.get(recipe.baseline.name) is recipe.baseline


@pytest.mark.parametrize(("wrong", "right"), [("gropo", "grpo"), ("milestone", "milestones"), ("dr_grpo", "dr-grpo")])
def test_a_wrong_name_lists_the_names_and_the_closest(wrong, right):
    with pytest.raises(UnknownNameError, match=rf"clip-delta, .*rloo, .*; did you mean '{right}'"):
        recipes.get(wrong)


@pytest.mark.parametrize("wrong", ["", "zzz", "base", "zzz-control", "grpo-control-control", "rloo-baseline-baseline"])
def test_what_is_no_recipe_is_refused(wrong):
    with pytest.raises(UnknownNameError):
        recipes.get(wrong)


def test_a_host_that_lacks_a_column_hears_which():
    with pytest.raises(ColumnError, match="milestones: it needs 'progress'"):
        recipes.require(recipes.get("milestones"), {"outcome", "reward"})
    recipes.require(recipes.get("milestones"), {"outcome", "progress"})


@pytest.mark.bad_input
def test_a_number_says_where_it_comes_from():
    with pytest.raises(RecordError, match="UNVERIFIED"):
        recipes.Number(1.0, "somewhere")


def test_the_critics_target_is_the_advantage_plus_the_value():
    batch = Batch.from_steps(group=[0] * 3, trajectory=[0, 0, 1], reward=[0.0, 1.0, 2.0])
    batch = batch.with_columns(value=Column.of("step", [0.3, 0.7, -1.0]))
    target = recipes.Critic(gamma=0.9, lam=1.0).targets(batch, fact("reward"))
    assert target.values == pytest.approx(to_go(batch["reward"].values, batch.trajectory_of_step, 0.9))


def test_what_is_not_known_is_no_target():
    batch = Batch.from_steps(group=[0] * 2, trajectory=[0, 0], reward=[0.0, np.nan])
    batch = batch.with_columns(value=Column.of("step", [0.0, 0.0]))
    assert not recipes.Critic(1.0, 1.0).targets(batch, fact("reward")).valid.any()


def test_loading_every_recipe_loads_no_torch():
    code = "import sys; from guerdon import recipes as r; [r.get(n) for n in r.names()]; print('torch' in sys.modules)"
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert out.stdout.strip() == "False", out.stderr
