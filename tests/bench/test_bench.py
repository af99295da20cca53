"""The speed scripts: they import, a tiny run works, and what they compare is the same job."""

import importlib.util
import sys
from pathlib import Path

import pytest
import torch

BENCH = Path(__file__).resolve().parents[2] / "bench"
TINY = {"prompts": 2, "plays": 2, "read": 4, "say": 5, "width": 16, "layers": 1, "vocabulary": 24}


def script(name):
    """A script of the folder, as a module."""
    spec = importlib.util.spec_from_file_location(f"bench_{name}", BENCH / f"{name}.py")
    module = sys.modules[spec.name] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def threads():
    """Leaves the number of threads as it was."""
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


def test_a_tiny_comparison_with_trl_is_of_one_job(threads):
    pytest.importorskip("trl")
    against_trl = script("against_trl")
    found = against_trl.compare(against_trl.Job(**TINY), threads=1, repeats=2)
    assert found["tokens"] == 2 * 2 * 5
    assert found["worst_logprob_difference"] < 1e-4
    assert [len(found[name]["rates"]) for name in ("ours", "trl")] == [2, 2]
    assert found["ratio"] == pytest.approx(found["ours"]["rate"] / found["trl"]["rate"])
    assert "ratio of medians" in against_trl.table([found])


def test_ours_refuses_another_job(tmp_path, threads):
    against_trl = script("against_trl")
    job, other = against_trl.Job(**TINY), against_trl.Job(**{**TINY, "say": 6})
    against_trl.small(job.words, width=16, layers=1, longest=16).save(tmp_path / "model")
    ours = against_trl.Ours(job, tmp_path / "model", tmp_path / "run", threads=1)
    ours.check(job)
    with pytest.raises(SystemExit, match="not the job"):
        ours.check(other)


def test_the_reward_counts_words_that_are_not_repeats():
    assert script("against_trl").worth("a b a a") == 0.5


def test_turns_of_constant_length_are_read_once(tmp_path, threads):
    turns = script("turns")
    found = turns.compare([4, 12], plays=1, repeats=1, width=16, layers=1, say=2)
    for rows in found.values():
        assert [r["turns"] for r in rows] == [4, 12]
        assert [len(r["curve_ms"]) for r in rows] == [4, 12]
        assert all(min(r["curve_ms"]) > 0 for r in rows)
    # Linear in the turns, with the whole history too: 17 for an observation, 3 for the memory, 2 that were said.
    assert all(r["tokens_read"] <= 22 * r["turns"] for rows in found.values() for r in rows)
    turns.plot(found, tmp_path / "turns.svg")
    assert (tmp_path / "turns.svg").read_text().count("<polyline") == 2
    assert "whole history" in turns.table(found)
