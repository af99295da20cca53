"""The cache: found again across processes, never wrong, and never the reason that a verdict is lost."""

import ctypes
import os
import resource
import shutil
import signal
import sqlite3
import struct
import subprocess
import sys
import threading
import time
import traceback
import warnings
from dataclasses import dataclass
from functools import partial

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from graders import grade
from guerdon import Batch, Column, Verdict
from guerdon.evidence import observe
from guerdon.evidence.cache import Cache, keys
from guerdon.evidence.grading import Grading
from guerdon.evidence.use import Here

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=6,
)


def key(item, *, name="f", version="1", low=0, high=1, by=len):
    return keys(name, version, low, high, by, [item])[0]


# Laws.


@settings(max_examples=15)
@given(st.dictionaries(st.text(), JSON, max_size=3), st.lists(st.dictionaries(st.text(), JSON), max_size=3))
def test_a_verdict_comes_back_as_it_went(facts, items):
    import tempfile

    facts = {f"_{name}": fact for name, fact in facts.items()}
    verdict = Verdict.score(0.25, -1, 1, items=items, **facts)
    with tempfile.TemporaryDirectory() as folder:
        cache = Cache(folder)
        cache.put({"k": verdict})
        found = Cache(folder).get(["k"])["k"]
        cache.close()
    assert (found.value, found.low, found.high) == (0.25, -1.0, 1.0)
    assert found.facts == facts and list(found.items) == items


@given(JSON, JSON)
def test_different_items_have_different_keys(one, other):
    same = repr(one) == repr(other)  # 1, 1.0 and True are three things, and so are "1" and 1
    assert (key((one,)) == key((other,))) or not same
    if type(one) is not type(other):
        assert key((one,)) != key((other,))


def test_the_order_of_a_mapping_does_not_matter_and_that_of_a_list_does():
    assert key(({"a": 1, "b": [2]},)) == key(({"b": [2], "a": 1},))
    assert key(([1, 2],)) != key(([2, 1],))
    assert key(({1: "x"},)) != key(({"1": "x"},))
    assert key((b"a",)) != key(("a",))
    assert key((np.array([1, 2]),)) != key((np.array([1.0, 2.0]),)) != key((np.array([[1.0, 2.0]]),))
    assert key(("a", "b")) != key(("ab",)) != key(("a,b",))
    assert key((object(),)) is None


@dataclass(frozen=True)
class Settings:
    """A grader with settings."""

    places: int = 3

    def __call__(self, said):
        return Verdict.score(1)


def test_whose_verdict_it_is_is_part_of_the_key():
    variants = [
        key(("a",)), key(("a",), name="g"), key(("a",), version="2"), key(("a",), high=2), key(("a",), low=-1),
        key(("a",), by=Settings()), key(("a",), by=Settings(4)), key(("a",), by=partial(Settings, places=4)),
        key(("a",), by=lambda said: Verdict.score(1)), key(("a",), by=lambda said: Verdict.score(0)),
    ]  # fmt: skip
    assert len(set(variants)) == len(variants) and None not in variants
    assert key(("a",), by=Settings(4)) == key(("a",), by=Settings(4))
    lock = threading.Lock()
    assert key(("a",), by=lambda said: lock) is None  # what it refers to has no certain form


# What is kept.


def test_unscored_is_never_kept(tmp_path):
    cache = Cache(tmp_path)
    cache.put({"a": Verdict.unscored("the judge answered 429"), "b": Verdict.score(0.0)})
    assert set(cache.get(["a", "b", "c"])) == {"b"}


def test_many_keys_at_once(tmp_path):
    cache = Cache(tmp_path)
    cache.put({f"k{i}": Verdict.score(i % 2) for i in range(3000)})
    assert len(cache.get([f"k{i}" for i in range(4000)])) == 3000


class Counting(Here):
    """Counts what it is asked."""

    def __init__(self):
        self.asked = []

    def run(self, grade, items, deadline):
        self.asked += items
        return super().run(grade, items, deadline)


def corpus(said):
    n = len(said)
    b = Batch.from_steps(group=[0] * n, trajectory=list(range(n)), reward=[0.0] * n, action=said)
    return b.with_columns(reference=Column.of("trajectory", pa.array(["a"] * n)))


def judge(said, wanted):
    """Has a fault where it is asked a question."""
    if said == "?":
        raise RuntimeError("cannot read it")
    return Verdict.score(said == wanted, said=said, items=[{"n": len(said)}])


def test_equal_items_are_graded_once_and_known_ones_never_again(tmp_path):
    grading = Grading("judge", judge, deadline=1.0)
    first, second, heard = Counting(), Counting(), []
    batch = corpus(["a", "b", "a", "?", "?"])
    out = observe(batch, [grading], workers=first, cache=Cache(tmp_path), progress=lambda *told: heard.append(told))
    assert sorted(first.asked) == [("?", "a"), ("a", "a"), ("b", "a")]
    assert heard == [("judge", 5, 5)] or heard[-1][1] <= 5
    again = observe(batch, [grading], workers=second, cache=Cache(tmp_path))
    assert second.asked == [("?", "a")]
    for name in ("judge", "judge/cause", "judge/said"):
        assert again[name].tolist() == out[name].tolist()
    assert again.relations["judge/items"].equals(out.relations["judge/items"])


SCORER = """
import sys
from guerdon import Batch, Column
from guerdon.evidence import observe
from guerdon.evidence.cache import Cache
from guerdon.evidence.grading import Grading
from guerdon.evidence.use import Here
from graders import length
class Counting(Here):
    def run(self, grade, items, deadline):
        print(len(items))
        return super().run(grade, items, deadline)
batch = Batch.from_steps(group=[0] * 5, trajectory=range(5), reward=[0.0] * 5, action=list("abcde"))
observe(batch, [Grading("n", length, reads=("action",), deadline=2.0)], workers=Counting(), cache=Cache(sys.argv[1]))
"""


def test_another_process_finds_what_one_has_kept(tmp_path):
    env = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    ran = [
        subprocess.run([sys.executable, "-c", SCORER, str(tmp_path)], capture_output=True, text=True, env=env)
        for _ in range(2)
    ]
    assert [r.stdout.split() for r in ran] == [["5"], []], ran


def begun(work):
    """The process id of a child that does this, and where to read what it returns."""
    ours, theirs = os.pipe()
    if (child := os.fork()) == 0:
        code = 1
        try:
            os.write(theirs, repr(work()).encode())
            code = 0
        except BaseException:
            traceback.print_exc()
        finally:
            os._exit(code)
    os.close(theirs)
    return child, ours


def told(child, ours):
    """What it returned, once it has ended well."""
    with open(ours) as answer:
        said = answer.read()
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    return said


def test_several_processes_write_at_once(tmp_path):
    def write(who):
        warnings.simplefilter("error")
        cache = Cache(tmp_path)
        for i in range(100):
            cache.put({f"{who}-{i}": Verdict.score(1), f"both-{i}": Verdict.score(1)})

    for child in [begun(partial(write, who)) for who in range(3)]:
        told(*child)
    wanted = [f"{who}-{i}" for who in (0, 1, 2, "both") for i in range(100)]
    assert len(Cache(tmp_path).get(wanted)) == 400


def test_several_threads_share_one(tmp_path):
    cache = Cache(tmp_path)

    def write(who):
        for i in range(50):
            cache.put({f"{who}-{i}": Verdict.score(1)})

    threads = [threading.Thread(target=write, args=(who,)) for who in range(4)]
    [t.start() for t in threads]
    [t.join() for t in threads]
    assert len(cache.get([f"{who}-{i}" for who in range(4) for i in range(50)])) == 200


# Faults: verdicts are not lost, and one warning says that they are not kept.


def graded_in(folder):
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        cache = Cache(folder)
        for _ in range(3):
            out = observe(corpus(["a", "b"]), [Grading("judge", judge, deadline=1.0)], workers=Here(), cache=cache)
            assert out["judge"].tolist() == [1.0, 0.0]
    return [str(w.message) for w in said if "Cache" in str(w.message)]


def test_a_corrupt_file(tmp_path):
    (tmp_path / "verdicts.sqlite").write_bytes(b"this is no database " * 1000)
    said = graded_in(tmp_path)
    assert len(said) == 1 and "delete a damaged file" in said[0]


def test_a_file_that_is_damaged_in_the_middle(tmp_path):
    assert graded_in(tmp_path) == []
    Cache(tmp_path).put({f"k{i}": Verdict.score(1, why="x" * 500) for i in range(200)})
    file = tmp_path / "verdicts.sqlite"
    for wal in tmp_path.glob("*-*"):
        wal.unlink()
    body = bytearray(file.read_bytes())
    body[4096:] = b"\xff" * (len(body) - 4096)
    file.write_bytes(body)
    assert len(graded_in(tmp_path)) <= 1


def test_a_damaged_row_is_asked_again(tmp_path):
    cache = Cache(tmp_path)
    cache.put({"a": Verdict.score(0.25), "b": Verdict.score(0.5)})
    with sqlite3.connect(cache.file) as rows:
        rows.execute("UPDATE verdicts SET text = replace(text, '0.25', '0.75')")
    rows.close()
    assert set(cache.get(["a", "b"])) == {"b"}
    cache.put({"a": Verdict.score(0.25)})
    assert cache.get(["a"])["a"].value == 0.25


def test_a_folder_that_cannot_be_made(tmp_path):
    (tmp_path / "file").write_text("")
    assert len(graded_in(tmp_path / "file" / "cache")) == 1


def test_a_folder_that_is_deleted_is_made_again(tmp_path):
    cache = Cache(tmp_path / "cache")
    cache.put({"a": Verdict.score(1)})
    shutil.rmtree(tmp_path / "cache")
    assert cache.get(["a"]) == {}
    cache.put({"b": Verdict.score(1)})
    assert set(Cache(tmp_path / "cache").get(["a", "b"])) == {"b"}


def test_a_folder_that_becomes_unwritable(tmp_path):
    folder = tmp_path / "cache"

    def work():
        Cache(folder).put({"kept": Verdict.score(1)})
        (folder / "verdicts.sqlite").chmod(0o444)
        folder.chmod(0o555)
        libc = ctypes.CDLL(None)  # root may write anywhere, until that is taken from it
        libc.capset(struct.pack("Ii", 0x20080522, 0), struct.pack("6I", 0, 0, 0, 0, 0, 0))
        with warnings.catch_warnings(record=True) as said:
            warnings.simplefilter("always")
            cache = Cache(folder)
            for _ in range(3):
                cache.put({"more": Verdict.score(1)})
            return len(said), len(cache.get(["more"]))

    assert told(*begun(work)) == "(1, 0)"


def test_a_writer_that_never_ends_is_waited_for_once(tmp_path, monkeypatch):
    monkeypatch.setattr("guerdon.evidence.cache.BUSY", 0.2)
    cache = Cache(tmp_path)
    cache.put({"a": Verdict.score(1)})
    other = sqlite3.connect(cache.file, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")  # and then it is stopped
    began = time.monotonic()
    with pytest.warns(UserWarning, match="locked"):
        cache.put({"b": Verdict.score(1)})
    for i in range(50):
        cache.put({f"k{i}": Verdict.score(1)})
    assert time.monotonic() - began < 5 and cache.get(["a"])["a"].scored
    other.close()


def test_a_forked_child_has_a_file_of_its_own(tmp_path):
    cache = Cache(tmp_path)
    cache.put({"a": Verdict.score(1)})

    def work():
        cache.put({"b": Verdict.score(1)})
        return len(cache.get(["a", "b"]))

    with cache._lock:  # of a thread that the child has not
        child = begun(work)
    assert told(*child) == "2"
    assert set(cache.get(["a", "b"])) == {"a", "b"}


def test_a_disk_that_is_full(tmp_path):
    def work():
        cache = Cache(tmp_path)
        cache.put({"kept": Verdict.score(1)})
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, 200_000))
        with warnings.catch_warnings(record=True) as said:
            warnings.simplefilter("always")
            for i in range(50):
                cache.put({f"k{i}": Verdict.score(1, why="x" * 50_000)})
            return len(said), len(cache.get(["kept"]))

    assert told(*begun(work)) == "(1, 1)"


def test_it_can_be_sent_to_another_process(tmp_path):
    import pickle

    cache = Cache(tmp_path)
    cache.put({"k": Verdict.score(1)})
    assert pickle.loads(pickle.dumps(cache)).get(["k"])["k"].value == 1.0


def test_the_graders_own_key_does_not_depend_on_the_process():
    code = (
        "from graders import grade; from guerdon.evidence.cache import keys; print(keys('f','1',0,1,grade,[('a',)])[0])"
    )
    env = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), "PYTHONHASHSEED": "7"}
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=env)
    assert ran.stdout.strip() == keys("f", "1", 0, 1, grade, [("a",)])[0]
