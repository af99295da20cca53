"""Runs so small that a test can afford several."""

from pathlib import Path

import pytest

from guerdon import recipes
from guerdon.environments import get
from guerdon.training import Config, Run
from launch import SIZES


@pytest.fixture
def make(tmp_path):
    """make(recipe, folder, ...) -> Run: one room of nine cells, the goal alone."""
    made = []

    def build(recipe="rloo", folder="run", family=None, seed=0, path=None, role="method", **changes):
        world = family or get("keydoor", size=3, subgoals=1, horizon=6, train=4, test=4)
        found = recipes.get(recipe) if isinstance(recipe, str) else recipe
        config = Config(**{**SIZES, "iterations": 6, **changes})
        made.append(Run(world, found, config, seed, tmp_path / Path(folder), path, role))
        return made[-1]

    yield build
    for run in made:
        run.close()
