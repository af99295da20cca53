"""Ray: the same graders, the same verdicts; a lost actor loses and doubles nothing."""

import os
import signal
import threading
import time

import pytest

from graders import grade
from guerdon.errors import GuerdonError
from guerdon.evidence.pool import Pool
from guerdon.evidence.ray import RayWorkers, workers_from
from guerdon.evidence.use import Here


def test_what_workers_mean_on_the_command_line():
    assert isinstance(workers_from("here"), Here)
    pool = workers_from("3")
    assert isinstance(pool, Pool) and pool.workers == 3
    for wrong in ("", "-1", "0", "many", "²"):
        with pytest.raises(GuerdonError):
            workers_from(wrong)


@pytest.mark.slow
def test_faults_of_graders_and_of_actors():
    pytest.importorskip("ray")
    with RayWorkers("local", actors=2, workers=1, memory=256 << 20) as workers:
        items = [("ok", i) for i in range(200)] + [("hang",), ("_exit", 3), ("ok", lambda: 0)]
        verdicts = workers.run(grade, items, 0.5)
        assert [v.facts.get("number") for v in verdicts[:200]] == list(range(200))
        assert [v.cause for v in verdicts[200:202]] == [
            "the grader missed its deadline of 0.5 s", "the worker died twice at this item (exit status 3)",
        ]  # fmt: skip
        assert "cannot be sent" in verdicts[202].cause
        _an_actor_is_killed(workers)
        _actors_are_killed_again_and_again(workers)


def _an_actor_is_killed(workers):
    pid = workers._ray.get(workers._actors[0].ping.remote())
    timer = threading.Timer(0.3, os.kill, (pid, signal.SIGKILL))
    timer.start()
    verdicts = workers.run(grade, [("sleep", 0.02)] * 100, 5.0)
    timer.join()
    assert len(verdicts) == 100 and all(v.scored for v in verdicts)


def _actors_are_killed_again_and_again(workers):
    stop = threading.Event()

    def kill():
        while not stop.wait(0.2):
            for actor in list(workers._actors):
                try:
                    os.kill(workers._ray.get(actor.ping.remote(), timeout=0.2), signal.SIGKILL)
                except Exception:
                    time.sleep(0.01)

    thread = threading.Thread(target=kill)
    thread.start()
    verdicts = workers.run(grade, [("sleep", 0.3)] * 8, 5.0)
    stop.set()
    thread.join()
    assert len(verdicts) == 8
    assert all(v.scored or v.cause.startswith("the Ray actor was lost twice") for v in verdicts)
