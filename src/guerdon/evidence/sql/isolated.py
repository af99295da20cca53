"""Work in a child process that is ended when it takes too long or too much, and that says how far it came.

A database engine can spend minutes inside one call that no interrupt reaches (a billion-element list in
duckdb, the planning of nested views in sqlite). The child is killed instead; since it announces each
phase before it starts it, the parent knows whose fault that was.
"""

from __future__ import annotations

import contextlib
import faulthandler
import gc
import json
import os
import select
import signal
import time
from collections.abc import Callable, Generator
from dataclasses import dataclass
from typing import Any

from guerdon.errors import MissingExtraError


@dataclass(frozen=True)
class Phase:
    """A part of the work, announced before it starts.

    Attributes:
        name: for the report.
        seconds: of processor time that it may take; it is given four times that, and a second, on the clock.
    """

    name: str
    seconds: float

    @property
    def wall(self) -> float:
        """Seconds on the clock, so that a busy machine does not end what is within its time."""
        return 4 * self.seconds + 1


@dataclass(frozen=True)
class Ended:
    """How the work ended.

    Attributes:
        value: what it returned; None where it did not come to its end.
        phase: the last phase that was announced.
        why: "" where it came to its end; "timeout", or "crashed" with the signal.
    """

    value: Any
    phase: str
    why: str = ""


Work = Callable[[], Generator[Phase, None, Any]]


SLACK = 1 << 31  # bytes of address space that engines and threads map and never use


def isolated(work: Work, memory: int) -> Ended:
    """Runs work in a child process under limits of memory and of time per phase.

    Args:
        work: a generator function that yields a `Phase` before each part and returns a JSON value. It
            works on what this process has loaded already, so import what it needs before.
        memory: bytes that the child may map beyond what this process has, and `SLACK`, which is not meant for use.

    Returns:
        What it returned, or the phase in which it was ended and why. An exception counts as a crash.

    Example:
        >>> def work():
        ...     yield Phase("count", seconds=1)
        ...     return sum(range(10))
        >>> isolated(work, memory=1 << 28)
        Ended(value=45, phase='count', why='')
    """
    if getattr(os, "fork", None) is None:
        raise MissingExtraError(
            "isolated: this system cannot fork; a POSIX system is needed to end a query; run it under Linux or macOS"
        )
    reader, writer = os.pipe()
    pid = os.fork()
    if pid == 0:
        _child(work, writer, memory)
    os.close(writer)
    try:
        return _watched(pid, reader)
    finally:
        os.close(reader)
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
        with contextlib.suppress(ChildProcessError):
            os.waitpid(pid, 0)


def _child(work: Work, writer: int, memory: int) -> None:
    """Never returns."""
    try:
        gc.disable()
        faulthandler.disable()
        for sent in (signal.SIGALRM, signal.SIGTERM, signal.SIGINT, signal.SIGXCPU):
            signal.signal(sent, signal.SIG_DFL)
        _limit_memory(memory)
        steps = work()
        while True:
            try:
                phase = next(steps)
            except StopIteration as stop:
                _send(writer, {"value": stop.value})
                return
            _send(writer, {"phase": phase.name, "wall": phase.wall})
            _limit_time(phase)
    except BaseException as error:
        with contextlib.suppress(BaseException):
            _send(writer, {"error": f"{type(error).__name__}: {error}"[:500]})
    finally:
        os._exit(0)


def _limit_time(phase: Phase) -> None:
    import resource

    # The clock kills the child also when its parent is gone; the processor limit is in whole seconds.
    signal.setitimer(signal.ITIMER_REAL, phase.wall + 0.5)
    used = resource.getrusage(resource.RUSAGE_SELF)
    seconds = int(used.ru_utime + used.ru_stime + phase.seconds) + 2
    hard = resource.getrlimit(resource.RLIMIT_CPU)[1]
    resource.setrlimit(resource.RLIMIT_CPU, (seconds if hard < 0 else min(seconds, hard), hard))


def _limit_memory(memory: int) -> None:
    import resource

    try:
        with open("/proc/self/statm", "rb") as file:
            mapped = int(file.read().split()[0]) * resource.getpagesize()
    except OSError:  # only Linux tells, and only there is the limit kept
        return
    hard = resource.getrlimit(resource.RLIMIT_AS)[1]
    wanted = mapped + memory + SLACK
    resource.setrlimit(resource.RLIMIT_AS, (wanted if hard < 0 else min(wanted, hard), hard))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def _send(writer: int, message: dict) -> None:
    data = json.dumps(message).encode() + b"\n"
    while data:
        data = data[os.write(writer, data) :]


def _watched(pid: int, reader: int) -> Ended:
    until, phase, data = time.monotonic() + 10, "start", b""
    poll = select.poll()
    poll.register(reader, select.POLLIN | select.POLLHUP)
    while True:
        left = until - time.monotonic()
        if left <= 0:
            return Ended(None, phase, "timeout")
        if not poll.poll(left * 1000):
            continue
        more = os.read(reader, 1 << 16)
        if not more:
            return Ended(None, phase, _how_it_died(pid))
        data += more
        *lines, data = data.split(b"\n")
        for line in lines:
            message = json.loads(line)
            if "value" in message:
                return Ended(message["value"], phase)
            if "error" in message:
                return Ended(None, phase, f"crashed ({message['error']})")
            phase, until = message["phase"], time.monotonic() + message["wall"]


def _how_it_died(pid: int) -> str:
    try:
        _, status = os.waitpid(pid, 0)
    except ChildProcessError:
        return "crashed"
    if os.WIFSIGNALED(status):
        sent = os.WTERMSIG(status)
        return "timeout" if sent in (signal.SIGXCPU, signal.SIGALRM) else f"crashed ({signal.Signals(sent).name})"
    return "crashed"
