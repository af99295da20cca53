"""A box does what a folder does, within its size."""

import os
import shutil

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from guerdon.evidence.sandbox.wasm_box import Box


def box(files=None, disk=1000, file=100, most=20):
    return Box(files or {}, lambda kind, size: (kind, size), disk, file, most)


NAMES = st.sampled_from(["/a", "/b", "/a/c", "/a/d", "/b/c", "/a/c/e"])
ACTS = st.one_of(
    st.tuples(st.just("write"), NAMES, st.binary(max_size=3)),
    st.tuples(st.sampled_from(["mkdir", "remove", "rmdir", "list", "stat", "read"]), NAMES),
    st.tuples(st.just("rename"), NAMES, NAMES),
)


def on_disk(top, act, path, *more):
    """The same act on a real folder."""
    real = f"{top}{path}"
    if act == "write":
        with open(real, "wb") as file:
            file.write(*more)
    elif act == "read":
        with open(real, "rb") as file:
            return file.read()
    elif act == "rename":
        os.rename(real, f"{top}{more[0]}")
    elif act == "stat":
        return ("dir", 0) if os.path.isdir(real) else ("file", os.stat(real).st_size)
    elif act == "list":
        return sorted((one.name, "dir" if one.is_dir() else "file") for one in os.scandir(real))
    else:
        getattr(os, act)(real)
    return None


@settings(max_examples=150, deadline=None)
@given(acts=st.lists(ACTS, max_size=25))
def test_any_acts_do_what_they_do_in_a_folder(acts, tmp_path_factory):
    top, one = tmp_path_factory.mktemp("box"), box()
    try:
        for act, *rest in acts:
            said = []
            for do in (lambda *a: getattr(one, a[0])(*a[1:]), lambda *a: on_disk(top, *a)):
                try:
                    got = do(act, *rest)
                    said.append(sorted(got) if act == "list" else got)
                except OSError as error:
                    said.append(type(error) if act != "rename" else OSError)
            assert said[0] == said[1], (act, rest)
        assert one.used == sum(map(len, one.files.values()))
    finally:
        shutil.rmtree(top)


def test_what_is_there_at_the_start_has_its_folders():
    one = box({"a/b/c": b"1", "a/d": b"22"})
    assert one.list("/") == [("a", "dir")] and one.list("/a") == [("b", "dir"), ("d", "file")]
    assert one.read("/a/b/c") == b"1" and one.stat("/a/d") == ("file", 2) and one.used == 3


def test_size_count_and_disk_hold():
    one = box({"a": b"x" * 50}, disk=120, file=60, most=4)
    with pytest.raises(OSError, match="larger than a file"):
        one.write("/b", bytes(61))
    one.write("/b", bytes(60))
    with pytest.raises(OSError, match="disk is full"):
        one.write("/c", bytes(11))
    one.write("/a", b"")
    one.write("/c", bytes(60))
    one.mkdir("/d")
    for act in (lambda: one.mkdir("/e"), lambda: one.write("/e", b"")):
        with pytest.raises(OSError, match="too many files"):
            act()
    one.write("/c", b"1")  # what is there may still be written
    one.rename("/c", "/b")
    assert (one.used, sorted(one.files)) == (1, ["/a", "/b"])
    with pytest.raises(OSError, match="too many files"):  # at the start too
        box({str(n): b"" for n in range(30)})


def test_the_top_is_no_file_to_remove_or_move():
    one = box({"a": b""})
    for act in (lambda: one.rmdir("/"), lambda: one.rename("/", "/a"), lambda: one.rename("/a", "/")):
        with pytest.raises(OSError):
            act()
