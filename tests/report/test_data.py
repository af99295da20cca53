"""Reading a folder: what is there becomes records, what is not becomes sentences."""

from __future__ import annotations

import math

import pytest

from guerdon.errors import RunFolderError
from guerdon.report.data import env_steps, number, read, read_lines
from guerdon.store import write_json


def test_a_run_folder(run):
    folder = read(run)
    assert (folder.env, folder.compare, folder.seeds, folder.notes) == ("keydoor", None, 1, ())
    (one,) = folder.runs
    assert (one.recipe, one.seed, len(one.lines), one.finished) == ("milestones", 0, 30, True)
    assert [p.name for p in one.batches] == ["000001.parquet", "000030.parquet"]


def test_a_compare_folder_groups_seeds_by_recipe(compare):
    folder = read(compare)
    assert folder.compare["env"] == "keydoor" and folder.seeds == 3
    assert [m.name for m in folder.methods] == ["grpo", "milestones", "milestones-control"]
    assert all([r.seed for r in m.runs] == [0, 1, 2] for m in folder.methods)


def test_runs_without_compare_json_are_still_a_comparison(compare):
    (compare / "compare.json").unlink()
    assert len(read(compare).methods) == 3


def test_a_control_stands_after_its_method_and_baselines_come_first(tmp_path, make):
    make.run(tmp_path / "a-control" / "seed-0", "a-control", role="control", batches=False)
    make.run(tmp_path / "a" / "seed-0", "a", control="a-control", batches=False)
    make.run(tmp_path / "b" / "seed-0", "b", batches=False)
    make.run(tmp_path / "z" / "seed-0", "z", role="baseline", batches=False)
    assert [m.name for m in read(tmp_path).methods] == ["z", "a", "a-control", "b"]


def test_a_run_without_anything_is_named_by_its_folder(tmp_path):
    (tmp_path / "pbrs" / "seed-7").mkdir(parents=True)
    folder = read(tmp_path)
    assert (folder.runs[0].recipe, folder.runs[0].seed) == ("pbrs", 7)
    assert any("pbrs/seed-7: There is no run.json" in note for note in folder.notes)


def test_a_cut_line_is_left_out_and_counted(tmp_path):
    path = tmp_path / "metrics.jsonl"
    path.write_text('{"a": 1}\n\n{"a": 2}\n[3]\n{"a": ')
    lines, note = read_lines(path)
    assert lines == ({"a": 1}, {"a": 2})
    assert note == "metrics.jsonl: 2 lines could not be read and are left out."


@pytest.mark.parametrize("bad", [None, "1", True, math.nan, math.inf, [1], {}])
def test_number_takes_finite_numbers_only(bad):
    assert number({"x": bad}, "x") is None
    assert number({"x": {"y": 2}}, "x", "y") == 2.0
    assert number(bad, "x") is None


def test_the_axis_is_environment_steps_else_iterations():
    assert env_steps({"env_steps": 512, "iteration": 1}) == 512
    assert env_steps({"iteration": 3}) == 3
    assert env_steps({}) is None


def test_a_folder_without_a_run_is_refused_with_the_way_out(tmp_path):
    with pytest.raises(RunFolderError, match=r"neither run\.json nor compare\.json.*guerdon compare"):
        read(tmp_path)
    write_json(tmp_path / "compare.json", {})
    assert read(tmp_path).methods == ()
