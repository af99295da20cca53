"""TensorBoard reads what the board wrote, also after a resumption; without TensorBoard nothing happens."""

import sys

import pytest

from guerdon import store
from guerdon.errors import RunFolderError
from guerdon.training import train
from guerdon.training.board import Board, scalars


def read(folder):
    """Tag -> [(step, value)], as TensorBoard shows it."""
    accumulator = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")
    events = accumulator.EventAccumulator(str(folder))
    events.Reload()
    return {tag: [(e.step, e.value) for e in events.Scalars(tag)] for tag in events.Tags()["scalars"]}


def test_it_shows_the_numbers_of_metrics_jsonl(make):
    run = make("milestones", iterations=3)
    train(run)
    lines = store.read_metrics(run.folder / "metrics.jsonl")
    shown = read(run.folder / "tensorboard")
    assert shown["success"] == [(line["iteration"], pytest.approx(line["success"])) for line in lines]
    assert shown["eval/success"] == [(2, pytest.approx(lines[1]["eval"]["success"]))]
    assert {"loss", "entropy", "grad_norm", "worth", "dead_groups"} <= shown.keys()
    assert any(tag.startswith("parts/") for tag in shown)


def test_what_a_resumed_run_does_again_is_shown_once(tmp_path):
    first = Board(tmp_path)
    for i in (1, 2, 3):
        first.write({"iteration": i, "loss": float(i)})  # killed here: never closed
    second = Board(tmp_path)
    second.purge(1)
    for i in (2, 3, 4):
        second.write({"iteration": i, "loss": 10.0 * i})
    second.close()
    assert read(tmp_path)["loss"] == [(1, 1.0), (2, 20.0), (3, 30.0), (4, 40.0)]


def test_only_numbers_are_scalars():
    assert dict(scalars({"iteration": 3, "a": 1, "b": {"c": 0.5, "d": "x"}, "e": None, "f": [1]})) == {
        "a": 1.0,
        "b/c": 0.5,
    }


def test_without_tensorboard_nothing_happens(tmp_path, monkeypatch):
    for name in [m for m in sys.modules if m.split(".")[0] == "tensorboard"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "tensorboard", None)
    board = Board(tmp_path / "tb")
    board.write({"iteration": 1, "loss": 1.0})
    board.close()
    assert not (tmp_path / "tb").exists()


def test_a_folder_that_cannot_be_written_is_a_sentence(tmp_path):
    (tmp_path / "tb").write_text("a file")
    with pytest.raises(RunFolderError, match=r"board: cannot write .*--resume"):
        Board(tmp_path / "tb").write({"iteration": 1, "loss": 1.0})
