"""The command line: what a user did wrong is one sentence that names the way out, and exit code 2 or 1."""

import json

import pytest

from launch import WORLD, train


def sentence(said, code, *words):
    """Exit code, one line on stderr beginning with `guerdon:`, the words in it, no traceback."""
    assert said.code == code, (said.code, said.err)
    assert "Traceback" not in said.err + said.out
    lines = [line for line in said.err.splitlines() if not line.startswith("[")]  # progress, before it went wrong
    assert len(lines) == 1 and lines[0].startswith("guerdon: "), said.err
    for word in words:
        assert word in lines[0], (word, lines[0])


# Wrong usage.


def test_unknown_recipe(cli, tmp_path):
    sentence(cli(*train(tmp_path / "r", recipe="gpro")), 2, "'gpro'", "did you mean 'grpo'?")


def test_unknown_environment(cli, tmp_path):
    sentence(cli(*train(tmp_path / "r", "--env", "keydor")), 2, "'keydor'", "keydoor, textworld", "FILE.py:NAME")


def test_unknown_environment_option(cli, tmp_path):
    sentence(cli(*train(tmp_path / "r", "--env-set", "rooms=3")), 2, "'rooms'", "size, subgoals", "use one of these")


def test_bad_environment_option(cli, tmp_path):
    sentence(cli(*train(tmp_path / "r", "--env-set", "size=big")), 2, "size is 'big'", "whole number")


def test_option_without_a_value(cli, tmp_path):
    sentence(cli(*train(tmp_path / "r", "--env-set", "size")), 2, "NAME=VALUE", "--env-set size=1")


def test_unknown_training_option(cli, tmp_path):
    sentence(cli(*train(tmp_path / "r", "--set", "learning_rate=1")), 2, "'learning_rate'", "lr, ")


@pytest.mark.parametrize("option", ["lr=fast", "lr=nan", "prompts=0", "width=7", "history=perhaps"])
def test_bad_training_value(cli, tmp_path, option):
    sentence(cli(*train(tmp_path / "r", "--set", option)), 2, option.split("=")[0], "; ")
    assert not (tmp_path / "r").exists()


def test_a_policy_that_is_no_model(cli, tmp_path):
    (tmp_path / "cat").mkdir()
    (tmp_path / "cat" / "picture.png").write_text("meow")
    sentence(cli(*train(tmp_path / "r", "--policy", tmp_path / "cat")), 2, "config.json", "check the path")
    sentence(cli(*train(tmp_path / "r", "--policy", tmp_path / "nowhere")), 2, "no folder", "check the path")
    (tmp_path / "cat" / "config.json").write_text("{")
    sentence(cli(*train(tmp_path / "r", "--policy", tmp_path / "cat")), 2, "cannot be loaded", "check the path")
    assert not (tmp_path / "r").exists()


def test_a_folder_that_is_taken(cli, done, tmp_path):
    sentence(cli(*train(done, iterations=2)), 2, "already holds this run", "--resume", "--out")
    sentence(cli(*train(done, recipe="grpo", iterations=2)), 2, "another run", "recipe=rloo", "--out")
    sentence(cli(*train(done, "--resume", recipe="grpo", iterations=2)), 2, "another run", "--out")
    (tmp_path / "thesis.tex").write_text("x")
    sentence(cli(*train(tmp_path)), 2, "not a run of Guerdon", "--out")
    sentence(cli("compare", "--recipes", "grpo", "--out", tmp_path), 2, "other files", "--out")
    assert [p.name for p in tmp_path.iterdir()] == ["thesis.tex"]


def test_a_report_on_what_is_no_run(cli, tmp_path):
    said = cli("report", tmp_path)
    sentence(said, 2, "no run and no comparison", "check the path")
    sentence(cli("report", tmp_path / "nowhere"), 2, "check the path")


def test_an_environment_of_ones_own_that_is_not_there(cli, tmp_path):
    sentence(cli(*train(tmp_path / "r", "--env", "nowhere.py:World")), 2, "nowhere.py", "no such file")
    file = tmp_path / "mine.py"
    file.write_text("def other(): pass\ndef nothing(): return 3\ndef needs(size): pass\n")
    own = ["train", "--recipe", "grpo", "--out", str(tmp_path / "r"), "--env"]
    sentence(cli(*own, f"{file}:World"), 2, "'World'", "other", "use one of these")
    sentence(cli(*own, f"{file}:nothing"), 2, "made a int", "a family is needed")
    sentence(cli(*own, f"{file}:needs"), 2, "size", "--env-set")
    file.write_text("import nothing_of_that_name\n")
    sentence(cli(*own, f"{file}:World"), 2, "nothing_of_that_name", "mend it")


BARE = """
from guerdon.environments import get
from guerdon.environments.base import Seen
class World:
    name, horizon, options, trusted = "bare", 2, {}, True
    def tasks(self, split): return get("keydoor", size=3, subgoals=1, train=2, test=2).tasks(split)
    def words(self): return ["go"]
    def actions(self): return ["go"]
    def make(self): return self
    def reset(self, task): return Seen("go")
    def step(self, action): return Seen("go", terminated=True, outcome=1.0)
    def expert(self): return "go"
    def close(self): pass
"""


def test_a_recipe_that_the_environment_cannot_serve(cli, tmp_path):
    (tmp_path / "bare.py").write_text(BARE)
    arguments = ["train", "--recipe", "milestones", "--env", f"{tmp_path / 'bare.py'}:World", "--out", tmp_path / "r"]
    sentence(cli(*arguments), 2, "'progress'", "another recipe")
    assert not (tmp_path / "r").exists()


@pytest.mark.parametrize(
    "arguments", [["dance"], ["train"], ["train", "--recipe"], ["compare", "--seeds", "0"], ["report"]]
)
def test_what_is_no_command_is_explained(cli, arguments):
    said = cli(*arguments)
    assert said.code == 2 and "Traceback" not in said.err and ("Usage" in said.err or "Error" in said.err)


def test_a_comparison_names_its_wrong_recipe_before_it_starts(cli, tmp_path):
    sentence(cli("compare", "--recipes", "grpo,gigp", "--out", tmp_path / "c"), 2, "'gigp'", "gigpo")
    sentence(cli("compare", "--recipes", ",", "--out", tmp_path / "c"), 2, "--recipes")
    assert not (tmp_path / "c").exists()


# Failed runs.


def test_a_damaged_checkpoint_and_the_way_out(cli, tmp_path):
    folder = tmp_path / "r"
    assert cli(*train(folder, iterations=3)).code == 0
    whole = json.loads((folder / "summary.json").read_text())
    newest = sorted((folder / "checkpoints").iterdir())[-1]
    newest.write_bytes(newest.read_bytes()[:1000])
    sentence(cli(*train(folder, "--resume", iterations=3)), 1, newest.name, "cannot be read", "remove it")
    newest.unlink()
    assert cli(*train(folder, "--resume", iterations=3)).code == 0
    again = json.loads((folder / "summary.json").read_text())
    assert {**whole, "seconds": 0} == {**again, "seconds": 0}
    lines = (folder / "metrics.jsonl").read_text().splitlines()
    assert [json.loads(line)["iteration"] for line in lines] == [1, 2, 3]


@pytest.mark.parametrize("limit", [100, 2_000, 30_000])
def test_a_full_disk_is_one_sentence_and_the_run_goes_on_when_there_is_room(cli, tmp_path, limit):
    folder = tmp_path / "r"
    sentence(cli(*train(folder, iterations=2), limit=limit), 1, "cannot write")
    assert not list(folder.rglob(".*.part"))
    if (folder / "run.json").exists():
        assert cli(*train(folder, "--resume", iterations=2)).code == 0


def test_training_that_diverges_says_so(cli, tmp_path):
    said = cli(*train(tmp_path / "r", lr=1e30, clip_gradient=1e30, entropy=1.0, iterations=20))
    assert said.code == 1
    sentence(said, 1, "lower the learning rate", "diverged.parquet")
    assert (tmp_path / "r" / "batches" / "diverged.parquet").exists()


def test_debug_shows_the_traceback_wherever_it_stands(cli, tmp_path):
    for arguments in (["--debug", *train(tmp_path / "r", recipe="x")], [*train(tmp_path / "r", recipe="x"), "--debug"]):
        said = cli(*arguments)
        assert said.code == 1 and "Traceback" in said.err and "UnknownNameError" in said.err


# What there is.


def test_help_is_exit_code_0(cli):
    for arguments in (["--help"], ["train", "--help"], ["recipes", "--help"]):
        said = cli(*arguments)
        assert said.code == 0 and "Usage" in said.out and "--lines" not in said.out
    assert set(WORLD[::2]) == {"--env-set"}
