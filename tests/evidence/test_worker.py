"""The worker by itself: its timer, its memory, its answers."""

import json
import mmap
import os
import pickle
import signal
import socket
import time

import pytest

from graders import grade
from guerdon.evidence.pool import can
from guerdon.evidence.sending import pack
from guerdon.evidence.worker import HEAD, IDLE, MAGIC, ROW, Timer, limit_memory, size, work

pytestmark = pytest.mark.skipif(not can(), reason="workers need Linux")


def in_child(function):
    """What becomes of a child that runs it: (exit status, negative for a signal; seconds)."""
    began = time.monotonic()
    if (pid := os.fork()) == 0:
        try:
            function()
        finally:
            os._exit(3)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), time.monotonic() - began


def armed(then, seconds=0.2):
    def run():
        timer = Timer()
        timer.set(seconds)
        then(timer)

    return run


@pytest.mark.parametrize(
    "then",
    [
        lambda timer: 9**9**9**9,
        lambda timer: os.kill(os.getpid(), signal.SIGSTOP),
        lambda timer: (signal.pthread_sigmask(signal.SIG_BLOCK, range(1, signal.NSIG)), time.sleep(9)),
    ],
    ids=["never returns to Python", "stops itself", "blocks all signals"],
)
def test_the_timer_ends_the_process_whatever_it_does(then):
    status, took = in_child(armed(then))
    assert status == -signal.SIGKILL and 0.2 <= took < 1.0


def test_a_timer_that_is_set_anew_or_stopped_does_not_strike():
    def twice(timer):
        timer.set(0)
        time.sleep(0.3)

    assert in_child(armed(twice))[0] == 3


def test_memory_is_limited_beyond_what_is_held():
    def grow():
        limit_memory(64 << 20)
        kept = bytearray(32 << 20)
        try:
            kept += bytearray(64 << 20)
        except MemoryError:
            os._exit(4)

    assert in_child(grow)[0] == 4
    assert size() > 1 << 20


def talk(messages):
    """What a worker answers, and its row of the board."""
    ours, theirs = socket.socketpair()
    board = mmap.mmap(-1, 4096)
    if (pid := os.fork()) == 0:
        ours.close()
        work(theirs, board, 1, None)
        os._exit(0)
    theirs.close()
    for message in messages:
        body = pickle.dumps(message)
        ours.sendall(HEAD.pack(MAGIC, len(body)) + body)
    ours.shutdown(socket.SHUT_WR)
    got = b"".join(iter(lambda: ours.recv(1 << 16), b""))
    ours.close()
    os.waitpid(pid, 0)
    answers = []
    while got:
        magic, length = HEAD.unpack_from(got)
        assert magic == MAGIC
        answers += json.loads(got[HEAD.size : HEAD.size + length])
        got = got[HEAD.size + length :]
    return answers, ROW.unpack_from(board, ROW.size)


def test_each_item_is_answered_under_its_number():
    packed = pack(grade)
    items = [(number, pickle.dumps(("ok", number))) for number in (7, 9)]
    answers, row = talk([(False, packed.key, packed.blob, 1.0, items), (False, packed.key, None, 1.0, items[:1])])
    assert [(a[0], a[2][4]["number"]) for a in answers] == [(7, 7), (9, 9), (7, 7)]
    assert all(0 <= a[1] < 1 for a in answers) and row[2] == IDLE


def test_a_grader_that_cannot_be_loaded_leaves_its_items_unscored():
    answers, _ = talk([(False, "k", pickle.dumps(([], {}, ("no_such_module",), b"")), 1.0, [(1, b""), (2, b"")])])
    assert [a[2][1] for a in answers] == [
        "the grader could not be loaded: ModuleNotFoundError: No module named 'no_such_module'"
    ] * 2
