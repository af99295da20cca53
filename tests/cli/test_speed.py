"""`guerdon bench speed` prints JSON for programs and a table for people."""

import json
import subprocess
import sys

import pytest


@pytest.mark.slow
def test_the_command_prints_json_and_a_table():
    pytest.importorskip("verl")
    command = [sys.executable, "-m", "guerdon", "bench", "speed", "--small"]
    done = subprocess.run([*command, "--json"], capture_output=True, text=True, check=True)
    assert {"what", "where", "beside", "ratio", "holds"} <= set(json.loads(done.stdout)[0])
    assert "verl grpo_vectorized" in subprocess.run(command, capture_output=True, text=True, check=True).stdout


@pytest.mark.slow
def test_losses_are_a_run_of_their_own():
    pytest.importorskip("verl")
    pytest.importorskip("trl")
    command = [sys.executable, "-m", "guerdon", "bench", "speed", "--losses", "--small", "--json"]
    rows = json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout)
    assert {row["beside"] for row in rows} == {"verl", "TRL"}


def test_its_options_are_said():
    done = subprocess.run(
        [sys.executable, "-m", "guerdon", "bench", "speed", "--help"], capture_output=True, text=True, check=True
    )
    assert all(option in done.stdout for option in ("--small", "--losses", "--json"))
