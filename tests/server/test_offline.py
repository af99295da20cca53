"""Scoring a file: chunks, what is kept when it is stopped, and what it sums up to."""

import json

import pytest

from guerdon.errors import RecordError, RunFolderError
from guerdon.evidence import Grading
from guerdon.records import Step, Task, Trajectory, Verdict
from guerdon.rewards import fact, group_mean
from guerdon.server import Scoring
from guerdon.server.offline import score_file
from guerdon.store import read_batch, write_jsonl

ASKED = []


def graded(said, wanted):
    ASKED.append(said)
    if said == "raise":
        raise ValueError("no such thing")
    return Verdict.score(said == wanted)


TERM = fact(Grading("exact", graded, deadline=None)) + 0.5 * fact("outcome")


@pytest.fixture
def plays(tmp_path):
    said = ["4", "5", "raise", "4"] * 5
    file = tmp_path / "plays.jsonl"
    write_jsonl(file, [Trajectory(i // 4, Task("?", "4"), (Step("", s),), outcome=1.0) for i, s in enumerate(said)])
    (tmp_path / "reward.py").write_text("")
    ASKED.clear()
    return file


def scored(plays, out, term=TERM, chunk=5, show=lambda *_: None):
    return score_file(Scoring(term), plays, f"{plays.parent}/reward.py:TERM", out, chunk, show)


def lines(path):
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_every_play_has_its_line_in_order_and_the_summary_adds_them_up(plays, tmp_path):
    shown = []
    summary = scored(plays, tmp_path / "out", show=lambda *now: shown.append(now))
    rows = lines(tmp_path / "out" / "scores.jsonl")
    assert [row["value"] for row in rows] == [1.5, 0.5, None, 1.5] * 5
    assert [row["group"] for row in rows] == [i // 4 for i in range(20)]
    assert [row["line"] for row in rows] == list(range(1, 21))
    assert summary["plays"] == 20
    assert summary["score"]["scored"] == 15
    assert summary["score"]["mean"] == pytest.approx(17.5 / 15)
    assert summary["parts"]["outcome"] == {"scored": 20, "mean": 0.5, "std": 0.0, "min": 0.5, "max": 0.5}
    assert summary["unscored"] == {"exact: ValueError: no such thing": 5}
    assert shown[-1] == (20, 20, 5)
    parts = sorted((tmp_path / "out" / "batches").iterdir())
    assert [p.name for p in parts] == ["000000.parquet", "000001.parquet", "000002.parquet"]  # 8, 8 and 4: no group cut
    batch = read_batch(parts[0])
    assert batch["worth"].tolist() == [1.5, 0.5, None, 1.5] * 2
    assert batch["exact"].tolist() == [1.0, 0.0, None, 1.0] * 2


def test_an_answer_names_its_line_and_its_play(plays, tmp_path):
    first, *rest = plays.read_text().splitlines()
    named = [json.dumps({**json.loads(line), "id": f"play {i}"}) for i, line in enumerate(rest)]
    plays.write_text("\n".join([first, "", "  ", *named]))
    scored(plays, tmp_path / "out", chunk=1)
    rows = lines(tmp_path / "out" / "scores.jsonl")
    assert [row["line"] for row in rows] == [1, *range(4, 23)]
    assert [row.get("id") for row in rows] == [None, *(f"play {i}" for i in range(19))]
    assert [row["value"] for row in rows] == [1.5, 0.5, None, 1.5] * 5


def test_a_run_that_was_stopped_goes_on_where_it_was(plays, tmp_path):
    def stop(done, *_):
        if done >= 16:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        scored(plays, tmp_path / "out", show=stop)
    assert len(ASKED) == 16
    assert scored(plays, tmp_path / "out")["plays"] == 20
    assert len(ASKED) == 20
    assert scored(plays, tmp_path / "out")["plays"] == 20  # nothing is left to do
    assert len(ASKED) == 20


def test_another_question_needs_another_folder(plays, tmp_path):
    scored(plays, tmp_path / "out")
    with pytest.raises(RunFolderError, match="chunk"):
        scored(plays, tmp_path / "out", chunk=6)
    (plays.parent / "reward.py").write_text("# another")
    with pytest.raises(RunFolderError, match="code"):
        scored(plays, tmp_path / "out")
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.txt").write_text("")
    with pytest.raises(RunFolderError, match="other files"):
        scored(plays, tmp_path / "mine")


def test_a_scattered_group_is_refused_where_plays_are_compared(plays, tmp_path):
    file = tmp_path / "mixed.jsonl"
    write_jsonl(file, [Trajectory(i % 4, Task("?", "4"), (Step("", "4"),), outcome=1.0) for i in range(8)])
    (tmp_path / "reward.py").write_text("")
    assert scored(file, tmp_path / "out", chunk=4)["plays"] == 8
    with pytest.raises(RecordError, match="sort the file by group"):
        scored(file, tmp_path / "other", group_mean(fact("outcome")), chunk=4)


def test_a_line_that_is_no_trajectory_is_named(plays, tmp_path):
    plays.write_text(plays.read_text() + "{}\n")
    with pytest.raises(RecordError, match="line 21"):
        scored(plays, tmp_path / "out")


def test_an_empty_file_has_an_empty_summary(plays, tmp_path):
    plays.write_text("\n")
    assert scored(plays, tmp_path / "out")["score"]["mean"] is None


def test_a_malformed_line_is_said_before_anything_is_scored_and_once_mended_the_same_command_works(plays, tmp_path):
    whole = plays.read_text()
    plays.write_text(whole + '{"group": 3, "steps": [}\n')
    with pytest.raises(RecordError, match=r"line 21: .* mend the line or remove it"):
        scored(plays, tmp_path / "out")
    assert ASKED == []
    plays.write_text(whole)
    assert scored(plays, tmp_path / "out")["plays"] == 20


def test_a_folder_in_which_nothing_was_done_yet_may_be_of_another_question(plays, tmp_path):
    def stop(*_):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        score_file(
            Scoring(fact(Grading("stop", stop, deadline=None))), plays, f"{tmp_path}/reward.py:R", tmp_path / "out"
        )
    assert scored(plays, tmp_path / "out")["plays"] == 20


def test_a_file_without_plays_has_a_summary_and_a_file_is_no_folder(plays, tmp_path):
    plays.write_text("\n\n")
    assert scored(plays, tmp_path / "out")["plays"] == 0
    with pytest.raises(RunFolderError, match="is a file; an empty folder is needed"):
        scored(plays, plays)
