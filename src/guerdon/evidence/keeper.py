"""The process that forks workers, ends whatever they leave behind, and ends with the process it serves.

It loads modules once and forks; a new worker is there in milliseconds. It has one thread and runs no
grader. It watches its parent through a pidfd, so a parent that is killed leaves nothing behind.
"""

from __future__ import annotations

import contextlib
import ctypes
import errno
import gc
import json
import mmap
import os
import select
import signal
import socket
import sys
import time

from guerdon.evidence.sending import prepare, reach

PR_SET_PDEATHSIG, PR_SET_CHILD_SUBREAPER = 1, 36
HIGH = 700  # descriptors of a worker are moved up here, out of the way of graders that close all low ones


def keep(control: int, board: int, parent: int, memory: int | None, modules: list[str]) -> None:
    """Serves a pool until it hangs up or dies.

    Args:
        control: a SEQPACKET socket: requests {"spawn": slot} with a descriptor, {"prepare": modules, "path": path}.
        board: a memory file on which workers write what they are at.
        parent: process id of the pool.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        watch = os.pidfd_open(parent)
    except OSError:
        return  # it is gone already
    if os.getppid() != parent:
        return
    ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    _prepare(modules)
    keeper = _Keeper(socket.socket(fileno=control), mmap.mmap(board, 0), memory)
    gc.collect()
    gc.freeze()
    try:
        keeper.serve(watch)
    finally:
        keeper.end()


class _Keeper:
    def __init__(self, control: socket.socket, board: mmap.mmap, memory: int | None):
        self.control, self.board, self.memory = control, board, memory
        self.workers: dict[int, int] = {}  # slot by process id
        self.woken, wake = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        self.wake = wake
        signal.signal(signal.SIGCHLD, lambda *_: None)  # a handler there must be, or the wakeup is not written
        signal.set_wakeup_fd(wake, warn_on_full_buffer=False)

    def serve(self, watch: int) -> None:
        poll = select.poll()
        for fd in (self.control.fileno(), watch, self.woken):
            poll.register(fd, select.POLLIN)
        while True:
            ready = {fd for fd, _ in poll.poll()}
            if watch in ready:
                return
            if self.woken in ready:
                with contextlib.suppress(BlockingIOError):
                    os.read(self.woken, 4096)
                self.reap()
            if self.control.fileno() in ready and not self.request():
                return

    def request(self) -> bool:
        message, fds, _, _ = socket.recv_fds(self.control, 1 << 16, 1)
        if not message:
            return False
        asked = json.loads(message)
        if "spawn" in asked and fds:
            self.spawn(asked["spawn"], fds[0])
        elif "spawn" in asked:  # no descriptor was free for what came with it
            self.say({"failed": asked["spawn"], "why": os.strerror(errno.EMFILE)})
        else:
            reach(asked["path"])
            _prepare(asked["prepare"])
        return True

    def spawn(self, slot: int, link: int) -> None:
        me = os.getpid()
        try:
            pid = os.fork()
        except OSError as error:
            os.close(link)
            self.say({"failed": slot, "why": str(error)})
            return
        if pid == 0:
            self.become_worker(slot, link, me)  # never returns
        os.close(link)
        try:
            pidfd = os.pidfd_open(pid)  # it cannot have been reaped: only this thread reaps
        except OSError as error:  # no descriptor is free; what cannot be held cannot be ended in time
            os.kill(pid, signal.SIGKILL)
            self.say({"failed": slot, "why": str(error)})
            return
        self.workers[pid] = slot
        self.say({"spawned": slot, "pid": pid}, [pidfd])
        os.close(pidfd)

    def say(self, message: dict, fds: list[int] | None = None) -> None:
        with contextlib.suppress(OSError):  # nobody listens: the end is near
            socket.send_fds(self.control, [json.dumps(message).encode()], fds or [])

    def reap(self) -> None:
        """Ends the whole process group of each worker that ended, then tells of it."""
        while True:
            try:
                found = os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
            except ChildProcessError:
                return
            if found is None:
                return
            pid = found.si_pid
            slot = self.workers.pop(pid, None)
            if slot is not None:  # not reaped yet, so the number is still its own
                _kill_group(pid)
            os.waitpid(pid, 0)
            self.end_strangers()
            if slot is not None:
                self.say(
                    {"died": slot, "pid": pid, "status": found.si_status, "signal": found.si_code != os.CLD_EXITED}
                )

    def end_strangers(self) -> None:
        """Kills what came to this process because its own parent ended: a grader let go of it."""
        for pid in _children():
            if pid not in self.workers:
                with contextlib.suppress(ProcessLookupError, PermissionError):
                    os.kill(pid, signal.SIGKILL)

    def end(self) -> None:
        signal.set_wakeup_fd(-1)
        for pid in self.workers:
            _kill_group(pid)
            with contextlib.suppress(ProcessLookupError):  # it may be too young to have a group of its own
                os.kill(pid, signal.SIGKILL)
        self.workers.clear()
        until = time.monotonic() + 3
        with contextlib.suppress(ChildProcessError):
            while time.monotonic() < until:
                self.end_strangers()  # those that are killed leave theirs here, until none is left
                if os.waitpid(-1, os.WNOHANG)[0] == 0:
                    time.sleep(0.001)

    def become_worker(self, slot: int, link: int, keeper: int) -> None:
        code = 1
        try:
            ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
            if os.getppid() == keeper:  # else it ended before it could be tied to
                os.setsid()
                signal.set_wakeup_fd(-1)
                for number in (signal.SIGCHLD, signal.SIGINT, signal.SIGTERM):
                    signal.signal(number, signal.SIG_DFL)
                link = _alone(link)
                gc.enable()
                from guerdon.evidence.worker import INSIDE, work

                os.environ[INSIDE] = "1"
                work(socket.socket(fileno=link), self.board, slot, self.memory)
                code = 0
        finally:
            os._exit(code)


def _alone(link: int) -> int:
    """Leaves a worker nothing of the keeper's but its link; what graders print goes nowhere."""
    import fcntl
    import resource

    most = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    high = fcntl.fcntl(link, fcntl.F_DUPFD_CLOEXEC, HIGH if most > HIGH + 8 else 8)
    null = os.open(os.devnull, os.O_RDWR)
    for fd in (0, 1, 2):
        os.dup2(null, fd)
    os.closerange(3, high)
    os.closerange(high + 1, 1 << 20)
    return high


def _prepare(modules: list[str]) -> None:
    for module in modules:
        with contextlib.suppress(Exception):  # a worker says what is missing, where it is known for which item
            prepare([module])


def _kill_group(leader: int) -> None:
    """Kills what is in a worker's process group, if it lived long enough to make one."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(leader, signal.SIGKILL)


def _children() -> list[int]:
    try:
        with open(f"/proc/self/task/{os.getpid()}/children") as listed:
            return [int(pid) for pid in listed.read().split()]
    except OSError:  # a kernel without that list
        return []


def main(control: int, board: int, parent: int, memory: int, modules: list[str]) -> None:
    """What the pool starts as a program of its own."""
    gc.disable()
    keep(control, board, parent, memory or None, modules)
    sys.exit(0)
