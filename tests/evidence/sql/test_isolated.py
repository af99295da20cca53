"""isolated: work ends in time, within its memory, and tells the phase in which it was ended."""

import os
import signal
import time

import pytest

from guerdon.evidence.sql.isolated import Phase, isolated


def ending(of, seconds=0.1, memory=1 << 26):
    def work():
        yield Phase("first", 1.0)
        yield Phase("second", seconds)
        return of()

    return isolated(work, memory)


def spin():
    while True:
        pass


def die():
    os.kill(os.getpid(), signal.SIGSEGV)


def refuse():
    raise ValueError("no")


def test_what_ends_by_itself_returns_a_json_value():
    assert ending(lambda: {"a": [1, None, "x"]}).value == {"a": [1, None, "x"]}


@pytest.mark.parametrize(
    ("of", "why"),
    [(lambda: time.sleep(60), "timeout"), (spin, "timeout"), (die, "crashed (SIGSEGV)"),
     (lambda: os._exit(0), "crashed"), (refuse, "crashed (ValueError: no)"),
     (lambda: len(bytearray(1 << 33)), "crashed (MemoryError: )"), (lambda: object(), "crashed (TypeError"),
     (lambda: os.kill(os.getpid(), signal.SIGSTOP), "timeout")],
)  # fmt: skip
def test_what_does_not_is_ended_in_its_phase(of, why):
    began = time.monotonic()
    ended = ending(of)
    assert (ended.value, ended.phase) == (None, "second") and ended.why.startswith(why)
    assert time.monotonic() - began < 4


def test_a_large_answer_comes_back_whole():
    assert len(ending(lambda: "x" * 3_000_000, seconds=2.0).value) == 3_000_000


def test_the_childs_memory_and_signals_leave_the_parent_alone():
    seen = []
    assert ending(lambda: seen.append(1)).why == "" and seen == []
    assert signal.getitimer(signal.ITIMER_REAL) == (0.0, 0.0)
