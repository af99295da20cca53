"""What runs in a worker process: items come in, verdicts go out, and each item has its own clock.

Before each item the worker writes on a shared board which item it begins and when, and sets a
kernel timer that kills it at the item's deadline. Nothing that a grader does can put that off: not
a signal handler, not a stopped process, not C code that never returns to Python.
"""

from __future__ import annotations

import ctypes
import mmap
import os
import pickle
import resource
import signal
import socket
import struct
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

from guerdon.evidence.sending import MOST, graded, unpack, why, written
from guerdon.records import Verdict

HEAD = struct.Struct("<II")  # before each frame, either way: MAGIC, length
MAGIC = 0x6E6F6475
ROW = struct.Struct("<QQQ")  # of the board, per worker: when (monotonic ns), which item, phase
IDLE, LOADING, GRADING = range(3)
INSIDE = "GUERDON_WORKER"  # in the environment of a worker: graders that grade do it in their own process
GROWN = 0.5  # of the memory limit: a worker that grew by this between items is replaced
LEAVE = 0.03  # seconds that a grader's threads have to end after it
LOOK = 200  # items between two looks at the own size


def work(link: socket.socket, board: mmap.mmap, slot: int, memory: int | None) -> None:
    """Answers chunks of items until the link closes; returns when the worker is to be replaced.

    Args:
        memory: bytes that may be used beyond what the process holds now.
    """
    base = limit_memory(memory)
    desk = _Desk(link, board, slot, Timer(), memory)
    graders: dict[str, Callable[..., Verdict] | str] = {}
    done = 0
    while (frame := _frame(link)) is not None:
        anew, key, blob, deadline, items = pickle.loads(frame)
        if anew:
            graders.clear()
        if blob is not None:
            desk.mark(LOADING, items[0][0])
            graders[key] = _loaded(blob)
        if not desk.chunk(graders[key], deadline, items):
            return
        done += len(items)
        if memory and done >= LOOK:
            done = 0
            if size() - base > memory * GROWN:
                return


@dataclass
class _Desk:
    """Where a worker grades: the link to answer on, its row of the board, its timer."""

    link: socket.socket
    board: mmap.mmap
    slot: int
    timer: Timer
    memory: int | None

    def mark(self, phase: int, item: int = 0) -> None:
        ROW.pack_into(self.board, self.slot * ROW.size, time.monotonic_ns(), item, phase)

    def chunk(self, grade: Callable[..., Verdict] | str, deadline: float | None, items: list) -> bool:
        """Grades a chunk and answers; False when this process should not go on."""
        me = os.getpid()
        for item, blob in items:
            began = time.monotonic()
            self.mark(GRADING, item)
            self.timer.set(deadline or 0)
            body, sound = self.one(grade, blob)
            if os.getpid() != me:  # the grader forked, and this is the child coming back from it
                os._exit(0)
            self.timer.set(0)
            took = time.monotonic() - began
            # At once: the next item of the chunk may hang, and what is finished does not wait for it.
            answer = f"[[{item},{took:.6f},{body}]]".encode()
            self.link.sendall(HEAD.pack(MAGIC, len(answer)) + answer)
            if not sound or not _alone():
                return False
        self.mark(IDLE)
        return True

    def one(self, grade: Callable[..., Verdict] | str, blob: bytes) -> tuple[str, bool]:
        """A verdict as text, and whether the process is sound after it."""
        try:
            if isinstance(grade, str):
                return written(Verdict.unscored(grade)), True
            text = written(graded(grade, pickle.loads(blob)))
            if len(text) > MOST:
                return written(Verdict.unscored(f"the grader's verdict is {len(text)} bytes, more than {MOST}")), True
            return text, True
        except MemoryError:
            pass  # said below, when what filled the memory has been let go
        except BaseException as error:  # SystemExit and whatever else a grader may raise
            return written(Verdict.unscored(why(error))), True
        limit = f" ({self.memory >> 20} MB)" if self.memory else ""
        return written(Verdict.unscored(f"MemoryError: the grader needed more than its memory{limit}")), False


def _alone() -> bool:
    """Whether no thread of a grader goes on; one that does would take time from items that are not its own."""
    if threading.active_count() > 1:
        until = time.monotonic() + LEAVE
        for thread in threading.enumerate():
            if thread is not threading.current_thread():
                thread.join(max(0.0, until - time.monotonic()))
    return threading.active_count() == 1


def _loaded(blob: bytes) -> Callable[..., Verdict] | str:
    try:
        return unpack(blob)
    except BaseException as error:
        return f"the grader could not be loaded: {why(error)}"


def _frame(link: socket.socket) -> bytearray | None:
    head = _exactly(link, HEAD.size)
    return None if head is None else _exactly(link, HEAD.unpack(head)[1])


def _exactly(link: socket.socket, n: int) -> bytearray | None:
    out = bytearray(n)
    view, at = memoryview(out), 0
    while at < n:
        got = link.recv_into(view[at:])
        if not got:
            return None
        at += got
    return out


def size() -> int:
    """Bytes of address space that this process has."""
    with open("/proc/self/statm") as statm:
        return int(statm.read().split()[0]) * mmap.PAGESIZE


def limit_memory(memory: int | None) -> int:
    """Lets this process grow by `memory` bytes and no more; returns what it holds now.

    Only the soft limit is set: a grader that starts programs may give them a limit of their own.
    """
    base = size()
    if memory:
        hard = resource.getrlimit(resource.RLIMIT_AS)[1]
        wanted = base + memory
        resource.setrlimit(resource.RLIMIT_AS, (wanted if hard < 0 else min(wanted, hard), hard))
    return base


class Timer:
    """A timer of the kernel that kills this process; where there is none, the parent's clock alone counts."""

    def __init__(self) -> None:
        self._id, self._for = ctypes.c_void_p(), (ctypes.c_long * 4)()
        try:
            libc = ctypes.CDLL(None)
            event = _Event(None, signal.SIGKILL, 0)
            made = libc.timer_create(time.CLOCK_MONOTONIC, ctypes.byref(event), ctypes.byref(self._id))
            self._settime = libc.timer_settime if made == 0 else None
        except (AttributeError, OSError):
            self._settime = None

    def set(self, seconds: float) -> None:
        """Kills this process in so many seconds; 0 for never."""
        if self._settime is not None:
            self._for[2], self._for[3] = int(seconds), int(seconds % 1 * 1e9)
            self._settime(self._id, 0, self._for, None)


class _Event(ctypes.Structure):
    """struct sigevent of Linux."""

    _fields_ = (
        ("value", ctypes.c_void_p),
        ("signal", ctypes.c_int),
        ("notify", ctypes.c_int),
        ("rest", ctypes.c_char * 48),
    )
