"""`guerdon score`: a process, a kill, and a cache."""

import json
import signal
import time

import pytest

from guerdon.cli.app import run
from guerdon.records import Step, Task, Trajectory
from guerdon.store import write_jsonl
from launch import start

REWARD = """
import os, time
import guerdon as gd
from guerdon.evidence import Grading
from guerdon.records import Verdict

def graded(said, wanted):
    with open(os.environ["ASKED"], "a") as file:
        file.write(said + "\\n")
    time.sleep(float(os.environ.get("SLOW", 0)))
    return Verdict.score(said == wanted)

right = Grading("right", graded, deadline=10.0)
REWARD = gd.fact(right)
TWICE = 2.0 * gd.fact(right)
"""


@pytest.fixture
def asked(tmp_path, monkeypatch):
    """A folder with a reward and plays; what its grader is asked is in the file `asked`."""
    (tmp_path / "reward.py").write_text(REWARD)
    plays = [Trajectory(i, Task("?", "0"), (Step("", str(i)),)) for i in range(40)]
    write_jsonl(tmp_path / "plays.jsonl", plays)
    (tmp_path / "asked").write_text("")
    return tmp_path


def score(folder, out, *more, name="REWARD", wait=True):
    from launch import ENVIRONMENT

    ENVIRONMENT["ASKED"] = str(folder / "asked")
    process = start(
        ["score", folder / "plays.jsonl", "--reward", f"{folder}/reward.py:{name}", "--out", folder / out, "--workers",
         "1", "--chunk", "8", *more]
    )  # fmt: skip
    return process.communicate(timeout=60) if wait else process


def test_a_file_is_scored_and_another_reward_asks_no_grader_again(asked, capsys):
    out, err = score(asked, "out", "--cache", asked / "cache", "--json")
    summary = json.loads(out)
    assert summary["plays"] == summary["score"]["scored"] == 40, err
    assert summary["score"]["mean"] == pytest.approx(1 / 40)
    before = (asked / "asked").read_text()
    arguments = [asked / "plays.jsonl", "--reward", f"{asked}/reward.py:TWICE", "--out", asked / "twice"]
    assert run(["score", *map(str, arguments), "--workers", "1", "--cache", str(asked / "cache")]) == 0
    out, err = capsys.readouterr()
    assert "0.05" in out, err
    assert (asked / "asked").read_text() == before


@pytest.mark.slow
def test_what_was_done_before_a_kill_is_kept(asked, monkeypatch):
    from launch import ENVIRONMENT

    monkeypatch.setitem(ENVIRONMENT, "SLOW", "0.05")
    process = score(asked, "out", wait=False)
    while len(list((asked / "out").glob("batches/*.jsonl"))) < 2:
        assert process.poll() is None
        time.sleep(0.02)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    monkeypatch.setitem(ENVIRONMENT, "SLOW", "0")
    out, err = score(asked, "out", "--json")
    assert json.loads(out)["plays"] == 40, err
    assert 40 <= len((asked / "asked").read_text().split()) <= 40 + 8 + 2


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["plays.jsonl", "--reward", "reward.py:right"], "has no Term called 'right'"),
        (["nowhere.jsonl", "--reward", "reward.py:REWARD"], "cannot read nowhere.jsonl"),
        (["bad.jsonl", "--reward", "reward.py:REWARD"], "bad.jsonl, line 2: "),
        (["plays.jsonl", "--reward", "reward.py:REWARD", "--out", "."], "choose another --out"),
        (["plays.jsonl", "--reward", "reward.py:REWARD", "--workers", "many"], "ray://HOST:PORT is needed"),
    ],
)
def test_what_cannot_be_scored_is_one_sentence(asked, arguments, words, monkeypatch, capsys):
    monkeypatch.chdir(asked)
    (asked / "bad.jsonl").write_text('{"group": 0, "steps": []}\n{"group": 0, "stepz": []}\n')
    assert run(["score", "--out", "out", *arguments]) in (1, 2)
    said = capsys.readouterr().err
    assert words in " ".join(said.split())
    assert said.startswith("guerdon: ")
    assert said.count("\n") == 1


OWN = """
import guerdon as gd
from guerdon.evidence import Grading
from guerdon.records import Verdict

def asked(said):
    if said == "0":
        return Verdict.score(1)
    return Verdict.unscored(f"see [/docs] of [bold]{int(said) % 3}[/], " + 9 * "at length ")

TYPO = gd.fact("progres")
SOME = gd.fact(Grading("some", asked, reads=("action",), deadline=None))
"""


@pytest.mark.parametrize("more", [[], ["--json"]])
def test_where_no_play_is_scored_the_most_frequent_cause_is_told_and_the_code_is_1(asked, more, capsys):
    (asked / "own.py").write_text(OWN)
    command = ["score", str(asked / "plays.jsonl"), "--reward", f"{asked}/own.py:TYPO", "--out", str(asked / "out")]
    for _ in range(2):  # what was done is read again, and is no better
        assert run([*command, *more]) == 1
        out, err = capsys.readouterr()
        (told,) = [line for line in err.splitlines() if line.startswith("guerdon: ")]
        assert told.startswith(
            "guerdon: score: 0 of 40 plays are scored; the most frequent cause (40) is: Batch: there is no column"
        )
    assert len((asked / "out" / "scores.jsonl").read_text().splitlines()) == 40
    assert not more or json.loads(out)["score"]["scored"] == 0


def test_where_some_are_scored_causes_are_counted_in_a_table_that_fits(asked, capsys):
    (asked / "own.py").write_text(OWN)
    command = ["score", str(asked / "plays.jsonl"), "--reward", f"{asked}/own.py:SOME", "--out", str(asked / "out")]
    assert run(command) == 0
    out, err = capsys.readouterr()
    assert "guerdon:" not in err
    assert "13 unscored: some: see [/docs] of [bold]1[/]" in out
    assert max(map(len, out.replace(str(asked), "").splitlines())) <= 120


def test_a_wrong_path_is_wrong_usage(asked, capsys):
    for reward in ("nope.py:REWARD", "reward.py:right"):
        assert run(["score", str(asked / "plays.jsonl"), "--reward", f"{asked}/{reward}", "--out", "out"]) == 2
    assert "no such file" in capsys.readouterr().err


def test_an_interrupt_is_told_and_the_same_command_goes_on(asked, monkeypatch):
    from launch import ENVIRONMENT

    monkeypatch.setitem(ENVIRONMENT, "SLOW", "0.05")
    process = score(asked, "out", wait=False)
    while not list((asked / "out").glob("batches/*.jsonl")):
        assert process.poll() is None
        time.sleep(0.02)
    began = time.monotonic()
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=20)
    assert time.monotonic() - began < 2
    assert "stopped; what was finished is kept" in err
    assert "Traceback" not in err
    assert process.returncode == 130
    monkeypatch.setitem(ENVIRONMENT, "SLOW", "0")
    out, err = score(asked, "out", "--json")
    assert json.loads(out)["plays"] == 40, err
    assert len((asked / "asked").read_text().split()) <= 40 + 8 + 2
