"""compare: what is finished is kept, what is left is done, and no run outlives the comparison."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from guerdon import recipes, store
from guerdon.errors import RunFolderError
from guerdon.training import compare
from guerdon.training.compare import Job, jobs
from launch import ENVIRONMENT, WORLD, run, start, train

SMALL = [
    x
    for o in ("prompts=2", "plays=2", "width=16", "layers=1", "heads=2", "longest=64", "warm_up_plays=1",
              "warm_up_epochs=1", "eval_every=0", "eval_plays=4", "final_plays=4")
    for x in ("--set", o)
]  # fmt: skip


# Which runs there are.


def test_seeds_come_one_after_the_other_so_that_half_a_comparison_is_one(tmp_path):
    todo = jobs(tmp_path, ["grpo", "milestones"], range(2), ["milestones-control"])
    assert [(j.seed, j.recipe) for j in todo] == [
        (s, r) for s in (0, 1) for r in ("grpo", "milestones", "milestones-control")
    ]
    assert {j.recipe: j.role for j in todo} == {
        "grpo": "baseline",
        "milestones": "method",
        "milestones-control": "control",
    }
    assert todo[-1].folder == tmp_path / "milestones-control" / "seed-1"


def test_a_recipe_is_a_baseline_only_beside_a_method_of_which_it_is_one(tmp_path):
    assert [j.role for j in jobs(tmp_path, ["grpo"], [0])] == ["method"]
    assert recipes.get("milestones").baseline.name == "grpo"


def test_a_run_is_done_when_it_has_its_summary(tmp_path):
    job = Job("grpo", 0, "method", tmp_path)
    assert not job.done
    (tmp_path / "summary.json").write_text("{}")
    assert job.done


# The folder.


@pytest.fixture
def finished(tmp_path):
    """A comparison whose runs are all done already, so that nothing is started."""
    folder = tmp_path / "c"
    for job in jobs(folder, ["grpo"], [0, 1]):
        job.folder.mkdir(parents=True)
        (job.folder / "summary.json").write_text("{}")
    store.write_json(folder / "compare.json", {"options": ["--steps", "5"], "env": "keydoor"})
    return folder


def test_finished_runs_are_not_started_again(finished):
    said = []
    done = compare(
        finished, ["grpo"], [0, 1], ["--steps", "5"], about={"env": "keydoor"}, watch=lambda *a: said.append(a)
    )
    assert all(job.done for job in done) and said == []
    assert store.read_json(finished / "compare.json")["seeds"] == [0, 1]


@pytest.mark.parametrize(
    ("options", "env"), [(["--steps", "6"], "keydoor"), (["--steps", "5"], "textworld"), ([], "keydoor")]
)
def test_a_comparison_with_other_options_is_refused(finished, options, env):
    before = (finished / "compare.json").read_text()
    with pytest.raises(RunFolderError, match=r"other options.*--out"):
        compare(finished, ["grpo"], [0, 1], options, about={"env": env})
    assert (finished / "compare.json").read_text() == before


def test_a_folder_with_other_files_is_refused(tmp_path):
    (tmp_path / "mine.txt").write_text("x")
    with pytest.raises(RunFolderError, match=r"other files.*--out"):
        compare(tmp_path, ["grpo"], [0], [])


# For real.


def children(pid):
    """The processes that a process started."""
    return [int(p) for task in Path(f"/proc/{pid}/task").iterdir() for p in (task / "children").read_text().split()]


def gone(pid):
    """True when the process has ended."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except (FileNotFoundError, ProcessLookupError):
        return True


def command(folder, *more):
    asked = ["--recipes", "grpo,milestones", "--seeds", 1, "--iterations", 3, "--at-once", 1, "--out", folder]
    return ["compare", *asked, *WORLD, *SMALL, *more]


@pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="looks at processes through /proc")
def test_killed_and_repeated_it_keeps_what_is_finished_and_does_what_is_left(tmp_path):
    folder = tmp_path / "c"
    process = start(command(folder))
    first = folder / "grpo" / "seed-0"
    until = time.monotonic() + 90
    while time.monotonic() < until and not (folder / "milestones" / "seed-0" / "run.json").exists():
        time.sleep(0.02)
    running = children(process.pid)
    assert running and (first / "summary.json").exists()
    os.kill(process.pid, signal.SIGKILL)
    process.communicate()
    until = time.monotonic() + 5
    while time.monotonic() < until and not all(map(gone, running)):
        time.sleep(0.01)
    assert all(map(gone, running)), "a run outlived the comparison"
    kept = {p: p.stat().st_mtime_ns for p in first.rglob("*") if p.is_file()}

    said = run(*command(folder, "--json"))
    assert said.code == 0, said.err
    assert {p: p.stat().st_mtime_ns for p in first.rglob("*") if p.is_file()} == kept, "a finished run was touched"
    rows = json.loads(said.out)
    assert [(r["method"], r["role"], r["seeds"], r["finished"]) for r in rows] == [
        ("grpo", "baseline", 1, 1), ("milestones", "method", 1, 1),
    ]  # fmt: skip
    for job in jobs(folder, ["grpo", "milestones"], [0]):
        lines = store.read_metrics(job.folder / "metrics.jsonl")
        assert [line["iteration"] for line in lines] == [1, 2, 3]
    assert "milestones seed 0: done" in said.err and "grpo seed 0" not in said.err
    assert (folder / "report.html").exists()


def test_a_run_that_fails_is_reported_and_the_others_are_kept(tmp_path):
    folder = tmp_path / "c"
    (folder / "grpo" / "seed-0").mkdir(parents=True)
    (folder / "grpo" / "seed-0" / "thesis.tex").write_text("in the way of one run")
    # As compare would have left it.
    options = ["--env", "keydoor", *WORLD, *SMALL, "--iterations", "1"]
    store.write_json(folder / "compare.json", {"options": options, "env": "keydoor"})
    asked = ["--recipes", "grpo,milestones", "--seeds", 1, "--iterations", 1, "--out", folder]
    said = run("compare", *asked, *WORLD, *SMALL)
    assert said.code == 1
    assert "Traceback" not in said.err + said.out
    assert "grpo seed 0: failed with exit code 2: guerdon: train:" in said.err and "not a run of Guerdon" in said.err
    assert said.err.strip().splitlines()[-1].startswith("guerdon: compare: 1 of 2 runs did not finish")
    assert (folder / "milestones" / "seed-0" / "summary.json").exists()
    # Readable where it is no terminal: whole lines, no control characters, one row per method.
    assert "\x1b" not in said.out + said.err and "…" not in said.out
    assert any(line.startswith("milestones") and "method" in line for line in said.out.splitlines())
    assert all(line.startswith(("[", "guerdon:")) for line in said.err.splitlines()), said.err


def test_a_process_whose_parent_is_gone_does_not_begin(tmp_path):
    arguments = train(tmp_path / "r", "--lines")
    done = subprocess.run(
        [sys.executable, "-m", "guerdon", *arguments],
        env={**ENVIRONMENT, "GUERDON_PARENT": "1"},
        capture_output=True,
        timeout=60,
    )
    assert done.returncode == 1 and not (tmp_path / "r").exists()
