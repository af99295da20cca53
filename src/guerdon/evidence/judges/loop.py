"""Runs asynchronous work to its end from anywhere, also where an event loop is running already."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Callable, Coroutine
from typing import Any


def apart(work: Callable[[], Coroutine]) -> Any:
    """What the coroutine returns, run on an event loop of a thread of its own.

    A notebook and a trainer have an event loop running, in which another cannot be started; a thread of one's
    own is free of that. An interrupt while it runs (Ctrl-C) cancels the work, waits for its end and goes on up.

    Args:
        work: makes the coroutine; called in the thread.

    Example:
        >>> async def answer():
        ...     return 42
        >>> apart(answer)
        42
    """
    out: dict[str, Any] = {}
    loop = asyncio.new_event_loop()
    done = threading.Event()  # not Thread.join: in Python 3.11 an interrupt of it makes the thread pass for ended

    def run() -> None:
        try:
            with asyncio.Runner(loop_factory=lambda: loop) as runner:
                out["value"] = runner.run(_named(work, out))
        except BaseException as error:  # handed to the caller, whatever it is
            out["error"] = error
        finally:
            done.set()

    thread = threading.Thread(target=run, name="guerdon judge", daemon=True)
    try:
        thread.start()
        done.wait()
    except BaseException:
        out["stop"] = True  # in case it has not begun
        with contextlib.suppress(KeyError, RuntimeError):  # not begun, or just ended
            loop.call_soon_threadsafe(out["task"].cancel)
        if thread.ident is not None:
            done.wait()
        raise
    if "error" in out:
        raise out["error"]
    return out["value"]


async def _named(work: Callable[[], Coroutine], out: dict) -> Any:
    out["task"] = asyncio.current_task()
    if "stop" in out:
        raise asyncio.CancelledError
    return await work()
