"""Handing out: what goes together into a chunk, and whose turn it is next."""

import threading
from collections import deque
from types import SimpleNamespace

from guerdon.evidence.dispatch import CHUNK, Dispatcher, Job, Task
from guerdon.evidence.sending import Packed


def dispatcher(pace, most=1, chunks=True):
    """One that has no thread and no workers: only what waits."""
    one = object.__new__(Dispatcher)
    one.crew, one.chunks, one.pace = SimpleNamespace(most=most), chunks, pace
    one.turn, one.lock = deque(), threading.Lock()
    return one


def job(n, key="k", deadline=1.0, size=1):
    made = Job(Packed(key, b""), deadline, lambda found: None)
    made.waiting.extend(Task(made, i, b"x" * size) for i in range(n))
    return made


def taken(one):
    return [(task.job, task.index) for task in one._chunk()]


def test_a_grader_of_unknown_pace_gets_one_item_at_a_time():
    one = dispatcher({})
    one.turn.append(job(10))
    assert len(taken(one)) == 1


def test_quick_items_go_together_and_slow_ones_alone():
    for pace, most in ((1e-6, CHUNK), (0.001, 4), (0.5, 1)):
        one = dispatcher({"k": pace})
        one.turn.append(job(1000))
        assert len(taken(one)) == most


def test_without_chunks_all_go_alone():
    one = dispatcher({"k": 1e-6}, chunks=False)
    one.turn.append(job(10))
    assert len(taken(one)) == 1


def test_jobs_that_ask_alike_share_a_chunk_and_others_take_turns():
    one = dispatcher({"k": 1e-6, "l": 1e-6})
    a, b, c = job(2), job(1, "l"), job(2)
    one.turn.extend([a, b, c])
    first = taken(one)
    assert {owner for owner, _ in first} <= {a, c} and len(first) >= 2
    assert taken(one)[0][0] in (a, b, c)
    while one.turn:
        first += taken(one)
    assert sum(owner is b for owner, _ in first) <= 1 and not (a.waiting or b.waiting or c.waiting)


def test_another_deadline_is_another_chunk():
    one = dispatcher({"k": 1e-6})
    one.turn.extend([job(2, deadline=1.0), job(2, deadline=2.0)])
    assert len({task.job.deadline for task in one._chunk()}) == 1


def test_what_had_a_worker_die_is_tried_alone():
    one = dispatcher({"k": 1e-6})
    made = job(40)
    made.waiting[3].deaths = 1
    one.turn.append(made)
    assert [[i for _, i in taken(one)] for _ in range(2)] == [[0, 1, 2], [3]]


def test_large_items_do_not_pile_up_in_a_chunk():
    one = dispatcher({"k": 1e-6})
    one.turn.append(job(40, size=1 << 19))
    assert len(taken(one)) == 2
