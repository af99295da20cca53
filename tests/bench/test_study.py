"""The measurement as a folder: whole, resumed, and refused where another's results lie."""

import json
import multiprocessing

import numpy as np
import pytest

from guerdon import store
from guerdon.bench.measure import Options
from guerdon.bench.study import study, summary
from guerdon.errors import RunFolderError, UnknownNameError

OPTIONS = Options(64, 200.0)
FILE = """
import numpy as np
from guerdon.bench import World
WORLD = World(
    np.array([[0, 1], [1, 1]]), np.array([[0.0, 1.0], [0.0, 0.0]]), np.eye(2)[0], np.array([False, True]), 3,
    np.array([0, 0]),
)
"""


@pytest.fixture(scope="module")
def done(tmp_path_factory):
    """A folder, its results, what was told."""
    folder = tmp_path_factory.mktemp("study")
    (folder / "own.py").write_text(FILE)
    told = []
    worlds = ["submit", f"{folder / 'own.py'}:WORLD"]
    results = study(folder / "out", ["gigpo"], worlds, OPTIONS, "guerdon bench credit", lambda *a: told.append(a), 1)
    return folder / "out", results, told, worlds


def test_what_is_written_is_what_is_returned(done):
    folder, results, _, _ = done
    written = store.read_json(folder / "results.json")
    assert written["rows"] == json.loads(json.dumps(results["rows"]))
    assert {*written} == {*results} and written["command"] == "guerdon bench credit"
    assert not list(folder.rglob("*.part"))


def test_every_world_stage_and_view_has_a_row(done):
    _, results, _, worlds = done
    rows = {(r["world"], r["stage"], r["recipe"], r["view"]) for r in results["rows"]}
    views = [("exact", ""), ("grpo", ""), ("gigpo", "whole state"), ("gigpo", "observed key")]
    assert rows == {(w, s, *v) for w in worlds for s in ("uniform", "half-way", "late") for v in views}
    assert len(results["rows"]) == len(rows) and results["not_measured"] == {}
    assert results["measured"]["submit"]["stages"]["late"]["share"] == 0.9
    assert results["rules"]["gigpo"]["told"] == "states"


def test_progress_is_told_of_every_pair(done):
    assert {name for name, budget, left in done[2] if left == 0} == {
        f"{w}-{s}" for w in ("submit", "WORLD") for s in ("uniform", "half-way", "late")
    }


def test_the_same_command_does_what_is_left(done):
    folder, results, _, worlds = done
    (folder / "parts" / "submit-late.json").unlink()
    kept = store.read_json(folder / "parts" / "submit-uniform.json")
    kept["rows"][0]["told"] = "kept"  # to see that it is read, not measured anew
    store.write_json(folder / "parts" / "submit-uniform.json", kept)
    again = study(folder, ["gigpo"], worlds, OPTIONS, "", lambda *a: None, 1)
    assert again["rows"][0]["told"] == "kept"
    assert again["rows"][1:] == results["rows"][1:]


def test_another_measurement_is_refused(done, tmp_path):
    folder, *_, worlds = done
    with pytest.raises(RunFolderError, match=r"other recipes, worlds or options.*--out"):
        study(folder, ["gigpo"], worlds, Options(64, 100.0), "", lambda *a: None, 1)
    (tmp_path / "note").write_text("mine")
    with pytest.raises(RunFolderError, match=r"not a measurement.*--out"):
        study(tmp_path, ["gigpo"], worlds, OPTIONS, "", lambda *a: None, 1)


def test_names_are_looked_up_before_anything_is_written(tmp_path):
    with pytest.raises(UnknownNameError, match="no world"):
        study(tmp_path / "out", None, ["nowhere"], OPTIONS, "", lambda *a: None, 1)
    with pytest.raises(UnknownNameError, match="no recipe"):
        study(tmp_path / "out", ["nothing"], None, OPTIONS, "", lambda *a: None, 1)
    assert not (tmp_path / "out").exists()


def row(value, low, high, **more):
    ratio = None if value is None else {"value": value, "low": low, "high": high, "at": 0.9, "bound": ""}
    return {"recipe": "a", "view": "", "world": "w", "stage": "s", "budget": {"steps": 1.0}, "ratio": ratio, **more}


def test_the_summary_by_hand():
    rows = [row(8.0, 4.0, 16.0), row(0.5, 0.5, 0.5, stage="late", budget={"steps": None}), row(None, 0, 0)]
    (found,) = summary(rows)
    assert found["ratio"] == pytest.approx(2.0) and (found["pairs"], found["reached"]) == (3, 2)
    assert (found["worst"]["value"], found["worst"]["stage"]) == (0.5, "late")
    assert found["high"] / found["ratio"] == pytest.approx(np.exp(np.log(4) / 2 / 2))
    assert summary([row(None, 0, 0)])[0]["ratio"] is None


def test_what_is_stopped_leaves_no_process_behind(tmp_path):
    def stop(*_):
        raise KeyboardInterrupt

    before = set(multiprocessing.active_children())
    with pytest.raises(KeyboardInterrupt):
        study(tmp_path / "out", ["gigpo"], ["submit"], Options(64, 2.0**20), "", stop, 1)
    assert set(multiprocessing.active_children()) <= before
    assert not (tmp_path / "out" / "results.json").exists()
