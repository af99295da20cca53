"""Which workers and cache are in use: the innermost that was given; by thread."""

import threading

import pytest

from guerdon import Verdict
from guerdon.evidence.pool import Pool, can
from guerdon.evidence.use import Here, cache_in_use, progress_in_use, using, workers_in_use


def test_what_is_not_given_stays_what_it_was():
    here, other, cache = Here(), Here(), object()
    with using(here, cache):
        with using(other):
            assert workers_in_use() is other and cache_in_use() is cache
        with using(progress=print):
            assert workers_in_use() is here and progress_in_use() is print
        assert progress_in_use() is None
    assert cache_in_use() is None


def test_another_thread_is_not_touched():
    seen = []
    with using(Here(), object()):
        thread = threading.Thread(target=lambda: seen.append((cache_in_use(), type(workers_in_use()))))
        thread.start()
        thread.join()
    assert seen == [(None, Pool if can() else Here)]


def test_in_a_worker_graders_that_grade_do_it_in_their_own_process(monkeypatch):
    monkeypatch.setenv("GUERDON_WORKER", "1")
    assert isinstance(workers_in_use(), Here)


def test_here_answers_each_item():
    def grade(x):
        if x == 2:
            raise MemoryError("no room")
        return Verdict.score(1) if x else None

    assert [v.cause for v in Here().run(grade, [(1,), (0,), (2,)], 1.0)] == [
        None, "the grader returned NoneType, not a Verdict", "MemoryError: no room",
    ]  # fmt: skip


def test_here_a_grader_that_ends_the_process_does_not_and_an_interrupt_does():
    def grade(error):
        raise error

    assert Here().run(grade, [(SystemExit("bye"),)], None)[0].cause == "SystemExit: bye"
    with pytest.raises(KeyboardInterrupt):
        Here().run(grade, [(KeyboardInterrupt(),)], None)
