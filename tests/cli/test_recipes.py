"""`guerdon recipes`: every method in a table, and each on a page of its own."""

import json

import pytest

from guerdon import recipes
from guerdon.cli.recipes import HEADS, as_markdown
from launch import run


def test_recipes_lists_every_recipe():
    said = run("recipes")
    assert said.code == 0 and said.err == ""
    first = [line.split()[0] for line in said.out.splitlines() if not line.startswith(" ")]  # a long idea goes on below
    assert first == ["recipe", *recipes.names()]
    assert "a perfect step judge" in said.out and "…" not in said.out
    assert max(map(len, said.out.splitlines())) <= 120


def test_recipes_as_json(cli):
    rows = json.loads(cli("recipes", "--json").out)
    assert [r["name"] for r in rows] == list(recipes.names())
    by_name = {r["name"]: r for r in rows}
    assert by_name["milestones"]["baseline"] == "grpo" and by_name["milestones"]["control"] == "milestones-control"
    assert (
        by_name["milestones"]["needs"] == ["outcome", "progress"] and by_name["ppo"]["numbers"]["CLIP"]["value"] == 0.2
    )


def test_only_those_that_are_told_the_same(cli):
    rows = json.loads(cli("recipes", "--told", "branches", "--json").out)
    assert {"portool", "slate"} <= {r["name"] for r in rows} and {r["told"] for r in rows} == {"branches"}
    wrong = cli("recipes", "--told", "trees")
    assert wrong.code == 2 and "'trees'" in wrong.err and "branches" in wrong.err


@pytest.mark.parametrize("words", [["show", "ppo"], ["ppo"]])
def test_a_recipe_shown(cli, words):
    said = cli("recipes", *words)
    assert said.code == 0 and "arXiv:1707.06347" in said.out and "verl clip_ratio" in said.out
    assert "Symbols" in said.out and ">>>" not in said.out
    for line in (["recipes", *words, "--json"], ["recipes", "--json", *words]):
        assert json.loads(cli(*line).out)["name"] == "ppo"


def test_a_control_is_shown_too_and_what_is_not_there_is_named(cli):
    assert "shuffled" in cli("recipes", "grpo-control").out
    wrong = cli("recipes", "pop")
    assert wrong.code == 2 and wrong.err.startswith("guerdon: ") and "'pop'" in wrong.err


def test_the_table_for_the_pages_has_a_line_a_recipe(cli):
    rows = [recipes.get(name) for name in recipes.names()]
    lines = as_markdown(rows).splitlines()
    assert cli("recipes", "--markdown").out.splitlines() == lines
    assert all(line.count("|") == len(HEADS) + 1 for line in lines)
    assert [line.split("`")[1] for line in lines[2:]] == list(recipes.names())
    assert "a critic" in lines[2 + recipes.names().index("ppo")]
