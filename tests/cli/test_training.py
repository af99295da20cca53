"""train and report, as a user or a program reads them."""

import contextlib
import json
import os
import pty
import threading

import pytest

from guerdon import store
from guerdon.cli.training import _number, _pairs, _read_line
from guerdon.errors import UnknownNameError
from launch import train


def test_train_prints_success_on_both_splits_and_where_the_report_is(cli, tmp_path):
    said = cli(*train(tmp_path / "r", iterations=1))
    assert said.code == 0
    assert [w for w in map(first, said.out.splitlines()) if w != "note"] == ["test", "train", "report"]
    assert (tmp_path / "r" / "report.html").exists() and str(tmp_path / "r" / "report.html") in said.out
    assert "\x1b" not in said.out + said.err
    assert "rloo: loading" in said.err and "1 of 1" in said.err, "something is said before what takes long"


def test_notes_stand_before_the_report_and_in_the_summary(cli, tmp_path):
    said = cli(*train(tmp_path / "r", iterations=1))
    notes = [line.split(maxsplit=1)[1] for line in said.out.splitlines() if first(line) == "note"]
    assert notes == store.read_json(tmp_path / "r" / "summary.json")["idle"]
    assert notes and first(said.out.splitlines()[-1]) == "report", "one iteration of a beginner never has a success"


def first(line):
    return line.split()[0]


def test_train_as_json_is_the_summary(cli, tmp_path):
    said = cli(*train(tmp_path / "r", "--json", iterations=1))
    assert json.loads(said.out) == store.read_json(tmp_path / "r" / "summary.json")


def test_the_record_holds_the_command(done):
    command = store.read_json(done / "run.json")["command"]
    assert command.startswith("guerdon train --recipe rloo")


def test_report_prints_the_table(cli, done):
    said = cli("report", done)
    assert said.code == 0 and "rloo" in said.out and "report.html" in said.out
    (row,) = json.loads(cli("report", done, "--json").out)
    assert row["method"] == "rloo" and row["finished"] == 1 and 0 <= row["low"] <= row["success"] <= row["high"] <= 1


def test_lines_for_a_program_are_json(cli, tmp_path):
    said = cli(*train(tmp_path / "r", "--lines", iterations=2))
    lines = [_read_line(line) for line in said.out.splitlines()]
    assert None not in lines and [line["done"] for line in lines if not line["doing"]] == [1, 2]
    assert lines[0]["doing"] == "scripted plays" and lines[-1]["doing"] == "last evaluation"


def test_what_a_run_says_beside_its_lines_is_left_alone():
    assert _read_line("guerdon: no") is None and _read_line('{"done": 1, "to') is None and _read_line("{1}") is None


def test_options_are_numbers_where_they_look_like_it():
    assert [_number(t) for t in ("3", "0.5", "1e-3", "big")] == [3, 0.5, 0.001, "big"]
    assert _pairs("--set", ["a=1", "b=x=y"]) == {"a": "1", "b": "x=y"}
    with pytest.raises(UnknownNameError, match="--set a=1"):
        _pairs("--set", ["a"])


def test_on_a_terminal_there_is_a_bar(cli, tmp_path):
    head, tail = pty.openpty()
    seen = []

    def look():
        with contextlib.suppress(OSError):  # the other end is closed
            while more := os.read(head, 4096):
                seen.append(more)

    watcher = threading.Thread(target=look)
    watcher.start()
    said = cli(*train(tmp_path / "r", iterations=2), err=os.ttyname(tail))
    os.close(tail)
    watcher.join()
    os.close(head)
    assert said.code == 0
    for word in (b"rloo", b"scripted plays", b"last evaluation", b"0:00:0", "━".encode()):
        assert word in b"".join(seen), word
