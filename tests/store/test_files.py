"""Files that appear whole or not at all: on errors, on a full disk, under kill -9."""

import errno
import json
import os
import random
import signal
import stat
import subprocess
import sys
import textwrap
import time

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from guerdon.errors import RunFolderError
from guerdon.store import (
    append_jsonl,
    atomic,
    read_batch,
    read_json,
    read_metrics,
    sweep,
    truncate_metrics,
    write_bytes,
    write_json,
)


def in_another_process(code: str, *arguments: object, **kw) -> subprocess.CompletedProcess:
    command = [sys.executable, "-c", textwrap.dedent(code), *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, **kw)


# atomic.


def test_the_new_file_takes_the_place_of_the_old_one_at_the_end_of_the_block(tmp_path):
    path = tmp_path / "new" / "a.txt"
    for text in ("old", "new"):
        before = path.read_text() if path.exists() else None
        with atomic(path) as part:
            part.write_text(text)
            assert part.parent == path.parent, "a rename is atomic only inside one file system"
            assert (path.read_text() if path.exists() else None) == before
        assert path.read_text() == text
    assert list(path.parent.iterdir()) == [path]


@pytest.mark.parametrize("error", [ValueError("no"), KeyboardInterrupt(), RunFolderError("taken")])
def test_whatever_goes_wrong_the_old_file_stays_and_the_temporary_one_goes(tmp_path, error):
    path = tmp_path / "a.txt"
    path.write_text("old")

    def write_half():
        with atomic(path) as part:
            part.write_text("half")
            raise error

    with pytest.raises(type(error)) as raised:
        write_half()
    assert raised.value is error
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_file_gets_the_rights_that_any_new_file_gets(tmp_path):
    (tmp_path / "plain").write_text("")
    write_bytes(tmp_path / "ours", b"")
    modes = [stat.S_IMODE((tmp_path / name).stat().st_mode) for name in ("plain", "ours")]
    assert modes[0] == modes[1]


@pytest.mark.parametrize(
    ("number", "way_out"),
    [
        (errno.ENOSPC, "MiB are free.*free some space, or choose a folder on another disk"),
        (errno.EDQUOT, "free some space"),
        (errno.EACCES, "Permission denied.*choose another folder, or change its permissions"),
        (errno.EROFS, "change its permissions"),
        (errno.EFBIG, "ulimit -f"),
        (errno.EIO, "choose another one"),
    ],
)
def test_an_os_error_becomes_a_sentence_with_a_way_out(tmp_path, number, way_out):
    with pytest.raises(RunFolderError, match=way_out) as raised, atomic(tmp_path / "a.txt"):
        raise OSError(number, os.strerror(number))
    assert str(raised.value).startswith(f"atomic: cannot write {tmp_path / 'a.txt'} ({os.strerror(number)}; ")
    assert isinstance(raised.value.__cause__, OSError)
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize("what", ["a folder where the file should be", "a file where the folder should be"])
def test_a_path_that_cannot_be_written_is_said(tmp_path, what):
    (tmp_path / "x").mkdir() if what.startswith("a folder") else (tmp_path / "x").write_text("")
    path = tmp_path / "x" if what.startswith("a folder") else tmp_path / "x" / "a.txt"
    with pytest.raises(RunFolderError, match="cannot write"):
        write_bytes(path, b"1")
    assert [p.name for p in tmp_path.iterdir()] == ["x"]


FULL = """
    import resource, signal, sys
    from guerdon.batch import Batch
    from guerdon.errors import RunFolderError
    from guerdon.records import Step, Trajectory
    from guerdon import store
    import numpy as np
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))
    what, path = sys.argv[1:]
    noise = np.random.default_rng(0)
    try:
        if what == "batch":
            one = [0] * 9999
            store.write_batch(path, Batch.from_steps(group=one, trajectory=one, reward=noise.normal(size=9999)))
        elif what == "json":
            store.write_json(path, noise.normal(size=9999))
        elif what == "jsonl":
            store.write_jsonl(path, (Trajectory(0, steps=(Step("a long text " * 100),)) for _ in range(100)))
        elif what == "metrics":
            for i in range(9999):
                store.append_jsonl(path, {"iteration": i, "text": "x" * 100})
    except RunFolderError as error:
        print(error)
        sys.exit(7)
"""


@pytest.mark.parametrize("what", ["batch", "json", "jsonl", "metrics"])
def test_when_there_is_no_room_it_is_said_and_what_was_written_before_stays(tmp_path, what):
    path = tmp_path / "a"
    if what != "metrics":
        path.write_text("old")
    done = in_another_process(FULL, what, path)
    assert (done.returncode, done.stderr) == (7, "")
    assert "File too large" in done.stdout
    assert str(path) in done.stdout
    assert "ulimit -f" in done.stdout
    assert done.stdout.count("\n") == 1
    assert [p.name for p in tmp_path.iterdir()] == ["a"], "no temporary file is left"
    if what == "metrics":
        assert len(path.read_bytes()) == 20_000, "the last line is torn"
        lines = read_metrics(path)
        assert [line["iteration"] for line in lines] == list(range(len(lines)))
        assert len(lines) > 100
    else:
        assert path.read_text() == "old"


REWRITE = """
    import sys, itertools
    import numpy as np
    from guerdon.batch import Batch, Column
    from guerdon.store import write_batch
    group, trajectory = np.zeros(3000, int), np.arange(3000) // 10
    for i in itertools.count():
        reward = np.full(3000, float(i))
        b = Batch.from_steps(group=group, trajectory=trajectory, reward=reward, tokens_per_step=3)
        write_batch(sys.argv[1], b)
        print(i, flush=True)
"""


@pytest.mark.parametrize("kills", [3, pytest.param(20, marks=pytest.mark.slow)])
def test_a_part_file_is_whole_whenever_its_writer_is_killed(tmp_path, kills):
    path, rng, seen = tmp_path / "000000.parquet", random.Random(0), set()
    for _ in range(kills):
        writer = subprocess.Popen([sys.executable, "-c", textwrap.dedent(REWRITE), str(path)], stdout=subprocess.PIPE)
        writer.stdout.readline()  # the first one is written; now it is in the loop
        time.sleep(rng.uniform(0, 0.03))
        writer.send_signal(signal.SIGKILL)
        writer.stdout.close()
        assert writer.wait() == -signal.SIGKILL
        batch = read_batch(path)
        value = set(batch["reward"].tolist())
        assert len(value) == 1, "a part-file holds one write, not a mixture"
        assert (batch.size("step"), batch.size("token")) == (3000, 9000)
        seen |= value
    assert len(seen) > 1 or kills < 20, "the kills came at different moments"
    left = sweep(tmp_path)
    assert left <= kills
    assert list(tmp_path.iterdir()) == [path]


def test_sweep_takes_what_killed_writers_left_and_nothing_else(tmp_path):
    for name in (".a.parquet.12-ab.part", "a.parquet", ".hidden", "b.part"):
        (tmp_path / name).write_text("")
    assert sweep(tmp_path) == 1
    assert sorted(p.name for p in tmp_path.iterdir()) == [".hidden", "a.parquet", "b.part"]
    assert sweep(tmp_path / "none") == 0


# JSON.


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
        max_leaves=6,
    )
)
def test_json_comes_back(tmp_path_factory, value):
    path = tmp_path_factory.mktemp("json") / "a.json"
    write_json(path, value)
    assert read_json(path) == value


def test_what_is_not_a_number_is_null_and_numpy_is_plain(tmp_path):
    given = {"a": np.nan, "b": np.array([1.0, np.inf]), "c": (np.float32(0.5), np.int64(3)), "d": {1: np.bool_(True)}}
    write_json(tmp_path / "a.json", given)
    assert read_json(tmp_path / "a.json") == {"a": None, "b": [1.0, None], "c": [0.5, 3], "d": {"1": True}}


def test_json_that_is_missing_or_damaged_is_said(tmp_path):
    with pytest.raises(RunFolderError, match=r"cannot read .*a.json .*No such file"):
        read_json(tmp_path / "a.json")
    for data in (b'{"a": ', b"\xff"):
        (tmp_path / "a.json").write_bytes(data)
        with pytest.raises(RunFolderError, match=r"a.json is not JSON .*new folder"):
            read_json(tmp_path / "a.json")


# Metrics.


def test_lines_come_back_in_order(tmp_path):
    path = tmp_path / "run" / "metrics.jsonl"
    assert read_metrics(path) == []
    for i in range(3):
        append_jsonl(path, {"iteration": i, "loss": np.nan if i == 1 else np.float64(i)})
        assert len(path.read_bytes().splitlines()) == i + 1, "a line is on disk as soon as it is written"
    assert read_metrics(path) == [
        {"iteration": 0, "loss": 0.0},
        {"iteration": 1, "loss": None},
        {"iteration": 2, "loss": 2.0},
    ]


@given(st.integers(0, 200), st.text(max_size=20))
def test_a_file_torn_anywhere_loses_its_last_line_alone_and_goes_on(tmp_path_factory, cut, word):
    path = tmp_path_factory.mktemp("metrics") / "metrics.jsonl"
    lines = [{"iteration": i, "word": word} for i in range(4)]
    for line in lines:
        append_jsonl(path, line)
    data = path.read_bytes()
    torn = data[: cut % (len(data) + 1)]
    path.write_bytes(torn)
    whole = lines[: torn.count(b"\n")]
    assert read_metrics(path) == whole
    append_jsonl(path, {"iteration": 9})
    assert read_metrics(path) == [*whole, {"iteration": 9}]


def test_a_torn_line_longer_than_what_is_read_at_once_is_found(tmp_path):
    path = tmp_path / "m.jsonl"
    append_jsonl(path, {"iteration": 0})
    with path.open("ab") as file:
        file.write(b'{"text": "' + b"x" * 200_000)
    append_jsonl(path, {"iteration": 1})
    assert read_metrics(path) == [{"iteration": 0}, {"iteration": 1}]


def test_a_resumed_run_keeps_the_lines_up_to_its_checkpoint(tmp_path):
    path = tmp_path / "m.jsonl"
    truncate_metrics(path, 3)
    assert not path.exists()
    append_jsonl(path, {"note": "no iteration"})
    for i in range(6):
        append_jsonl(path, {"iteration": i})
    kept = path.read_bytes().splitlines()[:5]
    truncate_metrics(path, 3)
    assert path.read_bytes().splitlines() == kept
    assert [line.get("iteration") for line in read_metrics(path)] == [None, 0, 1, 2, 3]
    truncate_metrics(path, -1)
    assert read_metrics(path) == [{"note": "no iteration"}]


def test_a_damaged_line_in_the_middle_is_said_with_its_number(tmp_path):
    path = tmp_path / "m.jsonl"
    path.write_text(json.dumps({"iteration": 0}) + "\n{half\n" + json.dumps({"iteration": 2}) + "\n")
    with pytest.raises(RunFolderError, match=r"m.jsonl, line 2 is not JSON.*remove the line"):
        read_metrics(path)
