"""A package that is not there: one sentence, with the smallest extra that brings it."""

import os
import subprocess
import sys

import pytest

from launch import ENVIRONMENT, SOURCE

# Loaded by every Python process that has it on its path: packages named in BLOCKED cannot be imported there.
HOOK = """
import os, sys
class Absent:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] == os.environ["BLOCKED"]:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)
sys.meta_path.insert(0, Absent())
"""


def without(package, folder, *arguments):
    """`guerdon ...` on a machine that lacks a package: exit code and stderr."""
    (folder / "sitecustomize.py").write_text(HOOK)
    environment = {**ENVIRONMENT, "PYTHONPATH": f"{SOURCE}{os.pathsep}{folder}", "BLOCKED": package}
    command = [sys.executable, "-m", "guerdon", *map(str, arguments)]
    done = subprocess.run(command, env=environment, cwd=folder, capture_output=True, text=True, timeout=60)
    return done.returncode, done.stderr


@pytest.mark.parametrize(
    ("package", "arguments", "who", "extra"),
    [
        ("typer", ["sandbox", "doctor"], "the command line", "cli"),
        ("rich", ["recipes"], "the command line", "cli"),
        ("torch", ["train", "--recipe", "rloo", "--out", "run"], "train", "train"),
        ("torch", ["compare", "--recipes", "rloo", "--out", "runs"], "compare", "train"),
        ("transformers", ["train", "--recipe", "rloo", "--out", "run"], "train", "train"),
    ],
)
def test_the_sentence_names_the_extra(tmp_path, package, arguments, who, extra):
    code, err = without(package, tmp_path, *arguments)
    assert code == 2
    way = f"the extra {extra} brings it; run: pip install 'guerdon[{extra}]'"
    assert err == f"guerdon: {who}: {package} is not installed; {way}\n"
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("package", ["fastapi", "uvicorn"])
def test_a_server_without_its_extra_says_so_before_it_listens(tmp_path, package):
    (tmp_path / "r.py").write_text("import guerdon as gd\nREWARD = gd.fact('outcome')\n")
    code, err = without(package, tmp_path, "serve", "r.py:REWARD", "--port", "0")
    assert code == 2
    assert err.count("\n") == 1
    assert err.startswith(f"guerdon: serve: {package} is not installed")
    assert "guerdon[server]" in err


@pytest.mark.slow
def test_bench_without_torch_names_the_extra(tmp_path):
    code, err = without("torch", tmp_path, "bench", "claim", "--all", "--fast")
    assert code == 2
    assert "guerdon: bench: torch is not installed; the extra train brings it" in err


def test_what_needs_no_torch_runs_without_it(tmp_path):
    assert without("torch", tmp_path, "recipes") == (0, "")
