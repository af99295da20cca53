"""The pool: one verdict per item, whatever graders do and whoever kills workers."""

import asyncio
import contextlib
import gc
import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from dataclasses import dataclass

import pytest

from graders import grade, late, length, offspring
from guerdon import Verdict
from guerdon.errors import GuerdonError
from guerdon.evidence.pool import Pool, can, shared

pytestmark = pytest.mark.skipif(not can(), reason="a pool needs Linux")


def alive(pid):
    try:
        with open(f"/proc/{pid}/stat") as stat:
            return stat.read().rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False


def gone(pids, within=3.0):
    until = time.monotonic() + within
    while time.monotonic() < until and any(map(alive, pids)):
        time.sleep(0.01)
    return not any(map(alive, pids))


def family(pid=None):
    """Every living process below one."""
    pid = pid or os.getpid()
    below = []
    with contextlib.suppress(OSError):
        for task in os.listdir(f"/proc/{pid}/task"):
            with open(f"/proc/{pid}/task/{task}/children") as listed:
                below += [int(child) for child in listed.read().split()]
    return [p for child in below for p in [child, *family(child)]]


@pytest.fixture(scope="module")
def pool():
    with Pool(workers=2, memory=256 << 20) as pool:
        yield pool


def causes(verdicts):
    return [v.cause for v in verdicts]


# Laws: one verdict each, in order.


def test_order_is_kept_and_every_item_is_answered(pool):
    verdicts = pool.run(grade, [("ok", i) for i in range(3000)], 1.0)
    assert [v.facts["number"] for v in verdicts] == list(range(3000))
    assert [v.value for v in verdicts] == [i % 2 for i in range(3000)]


def test_no_items_no_verdicts(pool):
    assert pool.run(grade, [], 1.0) == []


def test_what_takes_longer_does_not_come_later_where_order_is_asked(pool):
    items = [("sleep", 0.2), ("ok", 1), ("ok", 2)]
    assert [i for i, _ in pool.imap(grade, items, 2.0)] == [0, 1, 2]
    assert sorted(i for i, _ in pool.imap(grade, items, 2.0, ordered=False)) == [0, 1, 2]
    assert next(iter(pool.imap(grade, items, 2.0, ordered=False)))[0] != 0


def test_without_a_deadline_an_item_may_take_its_time(pool):
    assert pool.run(grade, [("sleep", 0.3)], None)[0].value == 1.0


def test_a_source_is_read_no_further_than_needed(pool):
    taken = []

    def source():
        for i in range(10000):
            taken.append(i)
            yield "ok", i

    answers = pool.imap(grade, source(), 1.0, ahead=50)
    for expected in range(100):
        assert next(answers)[0] == expected
        assert len(taken) <= expected + 1 + 50
    answers.close()


def test_a_slow_source_is_not_waited_for(pool):
    def source():
        yield "ok", 1
        time.sleep(0.3)
        yield "ok", 2

    began = time.monotonic()
    answers = pool.imap(grade, source(), 1.0)
    list(answers)
    assert time.monotonic() - began < 2.0


# The grader's faults, one by one; a good item on each side is not touched.


@pytest.mark.parametrize(
    ("what", "cause"),
    [
        ("hang", "the grader missed its deadline of 0.3 s"),
        ("big", "the grader missed its deadline of 0.3 s"),
        ("deaf", "the grader missed its deadline of 0.3 s"),
        ("stop", "the grader missed its deadline of 0.3 s"),
        ("memory", "MemoryError: the grader needed more than its memory (256 MB)"),
        ("_exit", "the worker died twice at this item (exit status 7)"),
        ("exit", "SystemExit: goodbye"),
        ("kill", "the worker died twice at this item (killed by SIGKILL)"),
        ("segfault", "the worker died twice at this item (killed by SIGSEGV)"),
        ("raise", "RuntimeError: cannot read it"),
        ("number", "the grader returned float, not a Verdict"),
        ("lambda", "TypeError: a function is neither number, text nor a JSON value"),
        ("long", "the grader's verdict is "),
        ("close", "the worker died twice at this item ("),
        ("die in a thread", "the worker died twice at this item (exit status 3)"),
        ("base", "BaseException: odd"),
        ("interrupt", "KeyboardInterrupt"),
        ("recurse", "RecursionError: "),
        ("nan", "Verdict: nan is outside [0.0, 1.0]"),
        ("outside", "Verdict: 7.0 is outside [0.0, 1.0]"),
        ("deep", "RecursionError: "),
        ("nothing", "the grader returned NoneType, not a Verdict"),
        ("closed tracer", "ZeroDivisionError: "),
        ("flood", "the worker died twice at this item (killed by SIGKILL)"),
    ],
)
def test_a_fault_concerns_its_item_only(pool, what, cause):
    deadline = 0.3 if "deadline" in cause else 10.0
    verdicts = pool.run(grade, [("ok", 1), (what, 7), ("ok", 3), ("ok", 4)], deadline)
    assert [v.value for v in verdicts] == [1.0, None, 1.0, 0.0]
    assert verdicts[1].cause.startswith(cause)


def test_what_graders_print_is_not_mistaken_for_verdicts(pool, capfd):
    assert [v.value for v in pool.run(grade, [("noise",), ("ok", 1)], 5.0)] == [1.0, 1.0]
    assert capfd.readouterr() == ("", "")


def test_a_child_that_comes_back_from_the_grader_answers_nothing(pool):
    verdicts = pool.run(grade, [("fork", i) for i in range(10)], 5.0)
    assert [(v.value, v.facts["number"]) for v in verdicts] == [(1.0, i) for i in range(10)]


def test_the_deadline_really_ends_it(pool):
    pool.run(grade, [("ok", 1)] * 20, 1.0)
    took = []
    for what in ("hang", "big", "stop"):
        began = time.monotonic()
        assert not pool.run(grade, [(what,)], 0.3)[0].scored
        took.append(time.monotonic() - began)
    assert min(took) >= 0.3
    assert sorted(took)[1] < 0.4  # the median; a shared machine may stall one


def test_an_answer_after_the_deadline_is_not_believed(pool):
    assert causes(pool.run(late, [(0.25,)], 0.2)) == ["the grader missed its deadline of 0.2 s"]


@pytest.mark.parametrize("daemon", [False, True])
def test_grandchildren_end_with_their_worker(pool, tmp_path, daemon):
    file = tmp_path / "pids"
    assert not pool.run(offspring, [(str(file), daemon)], 0.5)[0].scored
    pids = [int(line) for line in file.read_text().split()]
    assert len(pids) == 1 and gone(pids)


# Items and graders that cannot be sent, or are large.


def test_an_item_that_cannot_be_pickled_concerns_itself_only(pool):
    verdicts = pool.run(grade, [("ok", 1), ("ok", lambda: 0), ("ok", 3)], 1.0)
    assert [v.scored for v in verdicts] == [True, False, True]
    assert "cannot be sent" in verdicts[1].cause


class Bomb:
    """Cannot be unpickled where it arrives."""

    def __reduce__(self):
        return int, ("not a number",)


def test_an_item_that_cannot_be_unpickled_concerns_itself_only(pool):
    verdicts = pool.run(grade, [("ok", 1), ("ok", Bomb()), ("ok", 3)], 1.0)
    assert [v.scored for v in verdicts] == [True, False, True]
    assert verdicts[1].cause.startswith("ValueError")


def test_large_items_pass_and_too_large_ones_are_refused(pool):
    verdicts = pool.run(length, [("x" * (10 << 20),), ("y",), ("x" * (65 << 20),)], 10.0)
    assert [v.facts.get("length") for v in verdicts] == [10 << 20, 1, None]
    assert "more than a quarter of a worker's memory" in verdicts[2].cause


def test_a_grader_that_cannot_be_sent_is_a_sentence(pool):
    lock = threading.Lock()
    with pytest.raises(GuerdonError, match="cannot be sent to a worker"):
        pool.run(lambda: lock, [()], 1.0)


@dataclass(frozen=True)
class Needy:
    """Needs a module that there is not."""

    needs: tuple = ("no_such_module",)

    def __call__(self):
        return Verdict.score(1)


@dataclass(frozen=True)
class Prepared(Needy):
    """Needs something slow to be loaded, and has little time itself."""

    needs: tuple = ("guerdon", "time:monotonic")


def test_a_grader_that_kills_whoever_loads_it_is_not_tried_for_ever(pool):
    verdicts = pool.run(Deadly(), [()] * 20, 1.0)
    assert set(causes(verdicts)) == {"the grader could not be loaded: its worker died again and again (exit status 5)"}


@dataclass(frozen=True)
class Deadly:
    """Ends the process that it comes to."""

    def __reduce__(self):
        return os._exit, (5,)


def test_what_a_grader_needs_is_loaded_before_its_clock_runs(pool):
    assert pool.run(Prepared(), [()], 1.0)[0].scored
    assert "no_such_module" in pool.run(Needy(), [()] * 3, 1.0)[2].cause


# Several callers.


def test_threads_share_a_pool_and_a_small_request_is_not_behind_a_large_one(pool):
    pool.run(grade, [("sleep", 0.001)] * 20, 1.0)
    large = []
    thread = threading.Thread(target=lambda: large.extend(pool.run(grade, [("sleep", 0.005)] * 300, 1.0)))
    thread.start()
    time.sleep(0.05)
    small = pool.run(grade, [("ok", 1)], 1.0)
    assert small[0].scored and len(large) == 0
    thread.join(20)
    assert len(large) == 300 and all(v.scored for v in large)


def test_many_asyncio_callers(pool):
    async def main():
        one = [pool.grade(grade, ("ok", i), 1.0) for i in range(200)]
        many = [pool.arun(grade, [("ok", i) for i in range(50)], 1.0) for _ in range(5)]
        ticks = asyncio.ensure_future(tick())
        out = await asyncio.gather(*one, *many)
        ticks.cancel()
        return out

    async def tick():
        while True:
            await asyncio.sleep(0.001)

    out = asyncio.run(main())
    assert [v.facts["number"] for v in out[:200]] == list(range(200))
    assert all([v.facts["number"] for v in verdicts] == list(range(50)) for verdicts in out[200:])


def test_a_cancelled_request_frees_its_worker():
    with Pool(workers=1) as pool:
        pool.run(grade, [("ok", 1)], 1.0)

        async def main():
            asked = asyncio.ensure_future(pool.grade(grade, ("hang",), 60.0))
            await asyncio.sleep(0.1)
            asked.cancel()
            began = time.monotonic()
            verdict = await pool.grade(grade, ("ok", 1), 60.0)
            return verdict, time.monotonic() - began

        verdict, took = asyncio.run(main())
        assert verdict.scored and took < 2.0
        answers = pool.imap(grade, [("ok", 1), *[("hang",)] * 5], 60.0)
        assert next(answers)[1].scored  # what is finished does not wait for what hangs
        answers.close()
        assert pool.run(grade, [("ok", 1)], 60.0)[0].scored


def test_the_event_loop_that_asked_is_gone():
    with Pool(workers=1) as pool:
        loop = asyncio.new_event_loop()
        asked = pool.grade(grade, ("sleep", 0.2), 1.0)
        task = loop.create_task(asked)
        loop.run_until_complete(asyncio.sleep(0.1))
        task._log_destroy_pending = False
        loop.close()
        assert pool.run(grade, [("ok", 1)], 1.0)[0].scored
        asked.close()
        assert pool.run(grade, [("ok", 1)], 1.0)[0].scored


# Faults from outside.


def kill_now_and_then(stop, every, pick=lambda pids: random.choice(pids)):
    while not stop.wait(every):
        pids = [p for keeper in family_of_keepers() for p in family(keeper)]
        if pids:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pick(pids), signal.SIGKILL)


def family_of_keepers():
    found = []
    for pid in family():
        with contextlib.suppress(OSError), open(f"/proc/{pid}/cmdline") as line:
            if "guerdon.evidence.keeper" in line.read():
                found.append(pid)
    return [p for p in found if p in direct_children()]


def direct_children():
    out = []
    for task in os.listdir("/proc/self/task"):
        with contextlib.suppress(OSError), open(f"/proc/self/task/{task}/children") as listed:
            out += [int(p) for p in listed.read().split()]
    return out


def test_workers_killed_at_random_lose_and_double_nothing():
    with Pool(workers=2) as pool:
        stop = threading.Event()
        thread = threading.Thread(target=kill_now_and_then, args=(stop, 0.05))
        thread.start()
        verdicts = pool.run(grade, [("sleep", 0.005)] * 200 + [("ok", i) for i in range(5000)], 5.0)
        stop.set()
        thread.join()
    assert len(verdicts) == 5200
    assert all(v.scored or "died twice" in v.cause for v in verdicts)
    assert sum(v.scored for v in verdicts) > 5100
    assert all(v.value == i % 2 for i, v in enumerate(verdicts[200:]) if v.scored)


def test_the_keeper_killed_is_replaced():
    with Pool(workers=2) as pool:
        pool.run(grade, [("ok", 1)], 1.0)
        answers = pool.imap(grade, [("sleep", 0.02)] * 100, 5.0)
        next(answers)
        for pid in family_of_keepers():
            os.kill(pid, signal.SIGKILL)
        assert sum(v.scored for _, v in answers) >= 97


def test_a_worker_stopped_from_outside_is_replaced():
    with Pool(workers=1) as pool:
        pid = int(pool.run(grade, [("pid",)], 1.0)[0].facts["pid"])
        os.kill(pid, signal.SIGSTOP)
        answers = []
        thread = threading.Thread(target=lambda: answers.extend(pool.run(grade, [("ok", 1)], 1.0)))
        thread.start()
        time.sleep(0.1)
        os.kill(pid, signal.SIGKILL)
        thread.join(10)
        assert answers[0].scored


def hostile(rng, n, share=0.05):
    kinds = ["hang", "memory", "_exit", "kill", "flood"]
    return [(rng.choice(kinds), 3) if rng.random() < share else ("ok", i) for i in range(n)]


def check_hostile(items, verdicts):
    assert len(verdicts) == len(items)
    for (what, number), verdict in zip(items, verdicts, strict=True):
        if what == "ok":
            assert verdict.scored and verdict.facts["number"] == number, verdict
        else:
            assert not verdict.scored


def test_two_thousand_items_of_which_one_in_twenty_is_hostile():
    items = hostile(random.Random(0), 2000)
    with Pool(workers=2, memory=32 << 20) as pool:  # less than one piece of what is asked for: quickly out of it
        check_hostile(items, pool.run(grade, items, 0.2))


@pytest.mark.slow
def test_twenty_thousand_items_leave_memory_where_it_was():
    rng, sizes = random.Random(1), []
    with Pool(workers=2, memory=128 << 20) as pool:
        for _ in range(20):
            items = hostile(rng, 1000)
            check_hostile(items, pool.run(grade, items, 0.2))
            gc.collect()
            sizes.append(resident() + sum(resident(p) for p in family_of_keepers()))
    assert sizes[-1] <= 1.1 * sizes[1], sizes


def resident(pid="self"):
    with open(f"/proc/{pid}/statm") as statm:
        return int(statm.read().split()[1])


# Beginning and ending.


def test_nothing_is_left_when_it_is_closed():
    def state():
        return len(os.listdir("/proc/self/fd")), threading.active_count()

    with Pool(workers=2) as pool:
        pool.run(grade, [("ok", 1)], 1.0)
    gc.collect()
    before, children = state(), set(family())
    pool = Pool(workers=2)
    pool.run(grade, [("ok", 1), ("_exit", 1), ("hang",)], 0.2)
    pool.close()
    pool.close()
    gc.collect()
    assert state() == before
    assert set(family()) <= children


def test_descriptors_do_not_grow_with_deaths():
    with Pool(workers=2) as pool:
        pool.run(grade, [("ok", 1)] * 10, 1.0)
        before = len(os.listdir("/proc/self/fd"))
        pool.run(grade, [("_exit", 1)] * 10, 1.0)
        assert len(os.listdir("/proc/self/fd")) <= before


def test_a_closed_pool_says_so_and_what_was_running_is_unscored():
    pool = Pool(workers=1)
    found = []
    thread = threading.Thread(target=lambda: found.extend(pool.run(grade, [("hang",)] * 3, 60.0)))
    thread.start()
    time.sleep(1.0)
    pool.close()
    thread.join(5)
    assert causes(found) == ["the pool was closed"] * 3
    with pytest.raises(GuerdonError, match="it is closed"):
        pool.run(grade, [("ok", 1)], 1.0)


def test_a_pool_without_workers_is_refused():
    with pytest.raises(GuerdonError, match="at least 1"):
        Pool(workers=0)


def test_a_forked_child_has_workers_of_its_own():
    pool = Pool(workers=1)
    ours = pool.run(grade, [("pid",)], 1.0)[0].facts["pid"]
    if (child := os.fork()) == 0:
        code = 9
        with contextlib.suppress(BaseException):
            theirs = pool.run(grade, [("pid",)], 1.0)[0].facts["pid"]
            pool.close()
            code = 0 if theirs != ours else 8
        os._exit(code)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert pool.run(grade, [("pid",)], 1.0)[0].facts["pid"] == ours
    pool.close()


def test_the_process_has_one_shared_pool_and_another_after_it_was_closed():
    first = shared()
    assert shared() is first
    first.close()
    assert shared() is not first
    shared().close()


UNGUARDED = """
import sys, time
from guerdon import Verdict
from guerdon.evidence.pool import Pool
print("once")
FACTOR = 2
def double(x):
    return FACTOR * x
def grade(x):
    if x < 0:
        time.sleep(60)
    return Verdict.score(double(x), high=100)
pool = Pool(workers=2)
print([v.value for v in pool.run(grade, [(1,), (2,), (3,)], 5.0)])
if len(sys.argv) > 1:
    print("ready", flush=True)
    pool.run(grade, [(-1,)] * 4, 60.0)
"""


def script(tmp_path, *arguments):
    file = tmp_path / "unguarded.py"
    file.write_text(UNGUARDED)
    return subprocess.Popen(
        [sys.executable, str(file), *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        start_new_session=True, env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )  # fmt: skip


def test_a_script_without_a_guard_is_run_once(tmp_path):
    out, err = script(tmp_path).communicate(timeout=60)
    assert (out, err) == ("once\n[2.0, 4.0, 6.0]\n", "")


@pytest.mark.parametrize(
    "number", [signal.SIGINT, signal.SIGKILL, pytest.param(signal.SIGTERM, marks=pytest.mark.slow)]
)
def test_workers_end_with_their_parent(tmp_path, number):
    process = script(tmp_path, "hang")
    while process.stdout.readline() not in ("ready\n", ""):
        pass
    time.sleep(0.2)
    below = family(process.pid)
    assert len(below) >= 3
    os.killpg(process.pid, number) if number == signal.SIGINT else process.send_signal(number)
    began = time.monotonic()
    process.wait(10)
    assert time.monotonic() - began < 2.0
    process.stdout.close()
    process.stderr.close()
    assert gone(below)


def test_hostile_kinds_are_all_tried():
    kinds = Counter(what for what, _ in hostile(random.Random(0), 2000))
    assert len(kinds) == 6 and 1800 < kinds["ok"] < 1950
