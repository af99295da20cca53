"""What happens to a pool from outside, or from below: stopped and killed processes, nothing left to open, the end."""

import os
import signal
import subprocess
import sys
import threading
import time

import pytest

from graders import grade, pooled
from guerdon import Verdict
from guerdon.errors import GuerdonError
from guerdon.evidence.pool import Pool, can

pytestmark = pytest.mark.skipif(not can(), reason="a pool needs Linux")


@pytest.fixture(scope="module")
def pool():
    with Pool(workers=1) as pool:
        assert pool.run(grade, [("ok", 1)] * 5, 5.0)[0].scored
        yield pool


def worker(pool):
    return int(pool.run(grade, [("pid",)], 5.0)[0].facts["pid"])


def keeper(pool):
    return pool._engine[1].crew._keeper.pid


def python(code, *arguments):
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    return subprocess.Popen(
        [sys.executable, "-c", code, *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        env=environment, start_new_session=True,
    )  # fmt: skip


# Stopped processes.


def test_a_worker_stopped_between_items_is_replaced_at_the_deadline(pool):
    os.kill(worker(pool), signal.SIGSTOP)
    began = time.monotonic()
    verdicts = pool.run(grade, [("ok", i) for i in range(20)], 0.3)
    assert [v.value for v in verdicts] == [i % 2 for i in range(20)]
    assert time.monotonic() - began < 3.0


def test_a_worker_stopped_at_an_item_ends_at_the_deadline(pool):
    pid = worker(pool)
    threading.Timer(0.1, os.kill, (pid, signal.SIGSTOP)).start()
    began = time.monotonic()
    (verdict,) = pool.run(grade, [("sleep", 0.3)], 0.5)
    assert verdict.cause == "the grader missed its deadline of 0.5 s" and time.monotonic() - began < 2.0


def test_a_worker_stopped_at_an_item_without_a_deadline_is_replaced(pool):
    pid = worker(pool)
    threading.Timer(0.1, os.kill, (pid, signal.SIGSTOP)).start()
    assert pool.run(grade, [("sleep", 0.2)], None)[0].scored


def test_a_stopped_keeper_is_replaced(pool):
    os.kill(keeper(pool), signal.SIGSTOP)
    began = time.monotonic()
    assert [v.scored for v in pool.run(grade, [("ok", 1), ("hang",), ("ok", 1)], 0.2)] == [True, False, True]
    assert time.monotonic() - began < 10.0  # not when all the time that it may take to load modules has passed


def test_children_of_a_grader_end_with_a_keeper_that_is_killed(pool):
    pid = worker(pool)
    pool.run(leave_a_child, [()], 5.0)
    os.kill(keeper(pool), signal.SIGKILL)
    assert pool.run(grade, [("ok", 1)], 20.0)[0].scored
    until = time.monotonic() + 5.0
    while group(pid) and time.monotonic() < until:
        time.sleep(0.01)
    assert not group(pid)


def leave_a_child():
    subprocess.Popen(["sleep", "60"])
    return Verdict.score(1)


def group(leader):
    said = subprocess.run(["ps", "-eo", "pgid=,stat="], capture_output=True, text=True).stdout
    return [line for line in said.splitlines() if line.split()[0] == str(leader) and "Z" not in line]


# Nothing left to open.

FULL = """
import os, resource
from graders import grade
from guerdon.evidence.pool import Pool
resource.setrlimit(resource.RLIMIT_NOFILE, (64, 64))
hog = []
def fill():
    try:
        while True:
            hog.append(os.open("/dev/null", 0))
    except OSError:
        pass
fill()
pool = Pool(workers=1)
print(pool.run(grade, [("ok", 1)] * 3, 5.0)[2].cause)
for free in (2, 3, 2):
    for _ in range(free):
        os.close(hog.pop())
    print({str(v.cause) for v in pool.run(grade, [("ok", 1)] * 3, 5.0)})
    fill()
for fd in hog[:12]:
    os.close(fd)
print([v.scored for v in pool.run(grade, [("ok", 1), ("_exit", 3), ("ok", 1)], 5.0)])
pool.close()
"""


def test_out_of_descriptors_items_are_unscored_with_the_reason_and_later_there_are_some():
    out, err = python(FULL).communicate(timeout=60)
    *without, with_some = out.splitlines()
    assert err == "" and len(without) == 4
    assert all("no worker could be started" in line and "Too many open files" in line for line in without)
    assert with_some == "[True, False, True]"


# Graders that leave something running, or grade in turn.


@pytest.mark.parametrize("daemon", [0, 1])
def test_a_thread_that_a_grader_leaves_takes_no_time_from_the_next_item(pool, daemon):
    before = worker(pool)
    assert pool.run(grade, [("thread", daemon), ("ok", 1)], 5.0)[1].scored
    assert worker(pool) != before


def test_a_grader_may_use_a_pool(pool):
    assert pool.run(pooled, [(1,), (2,)], 30.0)[0].value == 1.0


# What is asked for.


@pytest.mark.parametrize("deadline", [0, -1, float("nan"), float("inf")])
def test_a_deadline_that_is_none_is_a_sentence(pool, deadline):
    with pytest.raises(GuerdonError, match="positive number of seconds"):
        pool.run(grade, [("ok", 1)], deadline)


def test_a_pool_whose_thread_broke_begins_again(pool, monkeypatch):
    monkeypatch.setattr(pool._engine[1].crew, "send", lambda *_: 1 / 0)
    assert pool.run(grade, [("ok", 1)], 5.0)[0].cause == "the pool broke: ZeroDivisionError: division by zero"
    until = time.monotonic() + 5.0
    while not (verdict := pool.run(grade, [("ok", 1)], 5.0)[0]).scored and time.monotonic() < until:
        time.sleep(0.05)
    assert verdict.scored


# The end.


def test_a_pool_whose_keeper_is_stopped_is_closed_at_once():
    with Pool(workers=1) as pool:
        assert pool.run(grade, [("ok", 1)], 5.0)[0].scored
        os.kill(keeper(pool), signal.SIGSTOP)
        began = time.monotonic()
    assert time.monotonic() - began < 2.0


AT_THE_END = """
import atexit, threading
from graders import grade
from guerdon.evidence.pool import shared
pool = shared()  # made before what is to happen at the end, so that it is still there then
atexit.register(lambda: print("at the end", pool.run(grade, [("ok", 1)], 5.0)[0].value))
threading.Thread(target=lambda: print("in a thread", pool.run(grade, [("sleep", 0.2)], 5.0)[0].value)).start()
"""


def test_at_the_end_of_the_interpreter():
    assert python(AT_THE_END).communicate(timeout=60) == ("in a thread 1.0\nat the end 1.0\n", "")
