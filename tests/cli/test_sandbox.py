"""`guerdon sandbox doctor`, as a user runs it."""

import json

import pytest
from typer.testing import CliRunner

from guerdon.cli.sandbox import sandbox_app
from guerdon.evidence import sandbox as box


@pytest.fixture
def none_found(monkeypatch):
    """A machine without bubblewrap."""
    monkeypatch.setattr("guerdon.evidence.sandbox.bubblewrap.shutil.which", lambda *_, **__: None)
    monkeypatch.setattr(box, "_found", {})


def test_the_doctor_says_what_is_held_as_a_table_and_as_json():
    said = CliRunner().invoke(sandbox_app, ["doctor", "--json"])
    about = json.loads(said.stdout)
    assert said.exit_code == 0 and "bubblewrap" in about["held"]
    assert {row["held"] for row in about["modes"]["bubblewrap"].values()} == {True}
    assert about["languages"]["python"].startswith("Python")


def test_a_mode_that_is_not_here_is_told_as_such_beside_those_that_hold(monkeypatch):
    monkeypatch.setattr("guerdon.evidence.sandbox.wasm.importlib.util.find_spec", lambda *_: None)
    monkeypatch.setattr(box, "_found", {})
    with pytest.raises(
        box.SandboxFault, match=r"^find: the sandbox 'wasm' does not work here, .*: the sandbox 'wasm' w"
    ):
        box.find("wasm")
    said = CliRunner().invoke(sandbox_app, ["doctor"]).stdout
    (line,) = [line for line in said.splitlines() if "wasm" in line]
    assert line.startswith("not here: wasm: ")
    assert "guerdon[wasm]" in line
    assert "no sandbox" not in said


def test_without_bubblewrap_the_doctor_says_what_to_install(none_found):
    said = CliRunner().invoke(sandbox_app, ["doctor"])
    assert said.exit_code == 1 and "apt-get install bubblewrap" in said.stdout
    said = CliRunner().invoke(sandbox_app, ["doctor", "--json"])
    assert said.exit_code == 1 and json.loads(said.stdout)["held"] == []
