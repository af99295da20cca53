"""`guerdon bench claim`: lists, runs one, runs all, and says what was wrong."""

import json

import pytest
from typer.testing import CliRunner

from guerdon import errors
from guerdon.bench import claims


@pytest.fixture
def command():
    from guerdon.cli.app import app

    return lambda *arguments: CliRunner().invoke(app, ["bench", "claim", *arguments])


def test_the_command_lists_claims(command):
    assert {c["slug"] for c in json.loads(command("--json").stdout)} == set(claims.names())
    assert "slate" in command().stdout


def test_the_command_runs_one_claim(command):
    said = command("vgpo", "--fast", "--seeds", "2", "--json")
    found = json.loads(said.stdout)
    assert found["slug"] == "vgpo" and len(found["figure"]["values"]) == 2 and found["holds"] is False
    shown = command("vgpo", "--fast", "--seeds", "2").stdout
    assert all(word in shown for word in ("says", "figure", "control", "holds"))


def test_the_command_wants_one_thing(command):
    assert command("vgpo", "--all").exit_code == 2
    assert isinstance(command("nonsense").exception, errors.UnknownNameError)


@pytest.mark.slow
def test_all_claims_as_a_page(command):
    page = command("--all", "--fast", "--seeds", "2", "--markdown").stdout
    assert page.startswith("# Claims") and page.count("\n## ") == len(claims.names())
