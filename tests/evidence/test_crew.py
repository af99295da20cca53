"""The crew: what comes over a link is taken whole or not at all; what cannot start says why."""

import json
import sys

import pytest

from graders import grade
from guerdon.evidence import crew
from guerdon.evidence.crew import _frames
from guerdon.evidence.pool import Pool, can
from guerdon.evidence.worker import HEAD, MAGIC

pytestmark = pytest.mark.skipif(not can(), reason="a crew needs Linux")


def frame(said, magic=MAGIC):
    body = json.dumps(said).encode()
    return HEAD.pack(magic, len(body)) + body


def test_frames_are_taken_as_they_get_whole():
    got, answers = bytearray(), []
    for byte in frame([1]) + frame([2, 3]):
        got.append(byte)
        assert _frames(got, answers)
    assert answers == [1, 2, 3] and not got


@pytest.mark.parametrize(
    "nonsense",
    [
        frame([1], magic=1), frame({"a": 1}), HEAD.pack(MAGIC, 3) + b"[1,", HEAD.pack(MAGIC, 1 << 31),
        HEAD.pack(MAGIC, 200_000) + b"[" * 200_000,
    ],
    ids=["magic", "no list", "no JSON", "too long", "too deep"],
)  # fmt: skip
def test_nonsense_is_noticed(nonsense):
    assert not _frames(bytearray(nonsense), [])


def test_where_no_worker_can_be_started_items_are_unscored_with_the_reason(monkeypatch):
    monkeypatch.setattr(crew, "PROGRAM", "raise SystemExit(3)")
    with Pool(workers=2) as pool:
        causes = {v.cause for v in pool.run(grade, [("ok", 1)] * 5, 1.0)}
        assert causes == {"no worker could be started: the process that keeps workers ended with code 3"}


def test_where_guerdon_cannot_be_imported_the_reason_is_told(monkeypatch):
    monkeypatch.setattr(crew, "where", lambda: [p for p in sys.path if "python3" in p and "site-packages" not in p])
    with Pool(workers=1) as pool:
        assert "No module named" in pool.run(grade, [("ok", 1)], 1.0)[0].cause
