"""Asynchronous work from anywhere."""

import asyncio
import os
import signal
import threading
import time

import pytest

from guerdon.evidence.judges.loop import apart


async def answer():
    await asyncio.sleep(0)
    return threading.current_thread().name


def test_it_runs_in_a_thread_of_its_own_that_ends():
    assert apart(answer) == "guerdon judge"
    for thread in threading.enumerate():
        if thread.name == "guerdon judge":
            thread.join(5)
    assert "guerdon judge" not in [thread.name for thread in threading.enumerate()]


def test_it_runs_inside_a_running_loop():
    async def notebook():
        return apart(answer)

    assert asyncio.run(notebook()) == "guerdon judge"


def test_an_error_comes_back():
    async def wrong():
        raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        apart(wrong)


def test_an_interrupt_cancels_the_work_and_goes_on_up():
    begun, ended = threading.Event(), threading.Event()

    async def long():
        begun.set()
        try:
            await asyncio.sleep(30)
        finally:
            ended.set()

    def interrupt():
        begun.wait(10)
        os.kill(os.getpid(), signal.SIGINT)

    threading.Thread(target=interrupt, daemon=True).start()
    at = time.monotonic()
    with pytest.raises(KeyboardInterrupt):
        apart(long)
    assert ended.is_set() and time.monotonic() - at < 10
