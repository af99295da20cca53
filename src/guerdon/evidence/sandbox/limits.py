"""How limits are held: what the kernel counts for one process, and what is watched from outside for all of them."""

from __future__ import annotations

import os
import resource
import select
import time
from collections.abc import Callable, Mapping
from contextlib import suppress

from guerdon.evidence.sandbox.base import Limits

EXTRA = 16  # threads on top of the processes
PAGE = os.sysconf("SC_PAGE_SIZE")
MOST_INODES = 4096  # files in the sandbox; a file system's size limit does not count what an empty file costs
CHUNK = 1 << 16
# Page tables too: a process that only reads a large empty mapping owns nothing else.
COUNTED = ("RssAnon:", "RssShmem:", "VmPTE:")
NAMES = {
    getattr(resource, f"RLIMIT_{name.upper()}"): name
    for name in [
        "as",
        "fsize",
        "nofile",
        "nproc",
        "core",
        "memlock",
        "msgqueue",
        "rtprio",
        "nice",
        "sigpending",
        "stack",
        "cpu",
    ]
}


def rlimits(limits: Limits) -> dict[int, tuple[int, int]]:
    """What each process may use, as `resource.setrlimit` takes it: resource -> (soft, hard).

    The processor time has a second between soft and hard: SIGXCPU comes first, and SIGKILL if it was ignored. Processes
    are counted in the user namespace of the run, so runs side by side do not eat each other's; two are the sandbox's.

    Example:
        >>> rlimits(Limits(cpu=0.2))[resource.RLIMIT_CPU]
        (1, 2)
    """
    seconds = max(1, int(-(-limits.cpu // 1)))
    hard = {
        resource.RLIMIT_AS: limits.memory if limits.address is None else limits.address,
        resource.RLIMIT_FSIZE: limits.file,
        resource.RLIMIT_NOFILE: limits.open,
        resource.RLIMIT_NPROC: limits.processes + EXTRA + 2,
        resource.RLIMIT_CORE: 0,
        resource.RLIMIT_MEMLOCK: 0,
        resource.RLIMIT_MSGQUEUE: 0,
        resource.RLIMIT_RTPRIO: 0,
        resource.RLIMIT_NICE: 0,
        resource.RLIMIT_SIGPENDING: 256,
        resource.RLIMIT_STACK: 8 << 20,
    }
    return {which: (most, most) for which, most in hard.items()} | {resource.RLIMIT_CPU: (seconds, seconds + 1)}


def prlimit_words(limits: Limits) -> list[str]:
    """The same for the command prlimit, which sets them inside, never above what this process has.

    Not from outside, with `resource.prlimit`: root in a container often may not do that to another user's process.
    Not before the namespaces are made: processes would be counted together with those of every other run.

    Example:
        >>> "--cpu=1:2" in prlimit_words(Limits(cpu=0.2))
        True
    """
    out = ["/usr/bin/prlimit"]
    for which, (soft, hard) in rlimits(limits).items():
        _, has = resource.getrlimit(which)
        top = hard if has == resource.RLIM_INFINITY else min(hard, has)
        out.append(f"--{NAMES[which]}={min(soft, top)}:{top}")
    return [*out, "--"]


def descendants(pid: int) -> list[int]:
    """The process and all below it: in a process namespace, everything hangs below its first process."""
    found, todo = [], [pid]
    while todo:
        one = todo.pop()
        found.append(one)
        with suppress(OSError):
            for task in os.listdir(f"/proc/{one}/task"):
                with suppress(OSError), open(f"/proc/{one}/task/{task}/children") as file:
                    todo.extend(map(int, file.read().split()))
    return found


def resident(pid: int, most: int) -> int:
    """Bytes in memory of a process and all below it, as far as is needed to know whether they are more than `most`.

    First the quick sum, in which pages that processes share since a fork count for each of them; only when that is too
    much, the exact one (proportional set size), where the kernel lets it be read.
    """
    pids = descendants(pid)
    quick = sum(map(_private, pids))
    if quick <= most:
        return quick
    return sum(_proportional(one) for one in pids)


def _private(pid: int, counted: tuple[str, ...] = COUNTED) -> int:
    with suppress(OSError, ValueError, IndexError), open(f"/proc/{pid}/status") as file:
        rows = [line.split() for line in file if line.startswith(counted)]
        return sum(int(row[1]) for row in rows) << 10
    return 0


def _proportional(pid: int) -> int:
    with suppress(OSError, ValueError, IndexError), open(f"/proc/{pid}/smaps_rollup") as file:
        rows = [line.split() for line in file if line.startswith(("Pss_Anon:", "Pss_Shmem:"))]
        if rows:
            return (sum(int(row[1]) for row in rows) << 10) + _private(pid, ("VmPTE:",))
    return _private(pid)


def over(pid: int, limits: Limits, folders: tuple[int, ...]) -> Callable[[], bool]:
    """The question asked every few milliseconds: is the run above its memory, or above the count of files?

    The memory of a single process is its address space, which the kernel holds; it is not looked at here.
    """

    def look() -> bool:
        for folder in folders:
            with suppress(OSError):
                space = os.fstatvfs(folder)
                if space.f_files - space.f_ffree > MOST_INODES:
                    return True
        return limits.processes > 1 and resident(pid, limits.memory) > limits.memory

    return look


class Pipes:
    """What a program writes, kept up to a limit; each pipe's reading end is closed by `close`."""

    def __init__(self, ends: Mapping[str, int], most: int) -> None:
        self.ends = dict(ends)
        self.most = most
        self.got = {name: bytearray() for name in ends}
        for end in ends.values():
            os.set_blocking(end, False)

    def read(self, name: str) -> bool:
        """Reads once; False at the end of the pipe, and when there is nothing now."""
        try:
            data = os.read(self.ends[name], CHUNK)
        except (BlockingIOError, InterruptedError):
            return False
        self.got[name] += data[: self.most + 1 - len(self.got[name])]
        return bool(data)

    @property
    def flooded(self) -> bool:
        """More was written than is kept."""
        return any(len(got) > self.most for got in self.got.values())

    def rest(self) -> None:
        """Reads what is left when every writer is dead."""
        for name in self.ends:
            while not self.flooded and self.read(name):
                pass

    def kept(self, name: str) -> bytes:
        """The first bytes of one pipe; nothing when it was not there."""
        return bytes(self.got.get(name, b"")[: self.most])

    def close(self) -> None:
        """Closes every end."""
        for end in self.ends.values():
            os.close(end)
        self.ends = {}


def watch(pipes: Pipes, done: int, deadline: float, look: Callable[[], bool], every: float) -> str | None:
    """Reads the pipes until `done` is readable or something is over.

    Args:
        pipes: what the program writes.
        done: a descriptor that becomes readable at the program's end.
        deadline: on the clock of `time.monotonic`.
        look: whether memory is over; asked each `every` seconds.

    Returns:
        None (the program ended), "timeout", "memory" or "output".
    """
    poll = select.poll()
    poll.register(done, select.POLLIN)
    names = {}
    for name, end in pipes.ends.items():
        poll.register(end, select.POLLIN)
        names[end] = name
    next_look = time.monotonic() + min(every, 0.005)
    while True:
        now = time.monotonic()
        if now >= deadline:
            return "timeout"
        if now >= next_look:
            if look():
                return "memory"
            next_look = time.monotonic() + every
        ready = poll.poll(max(0.0, min(deadline, next_look) - time.monotonic()) * 1000 + 0.5)
        for end, _ in ready:
            if end != done and not pipes.read(names[end]) and _hung_up(end):
                poll.unregister(end)
        if pipes.flooded:
            return "output"
        if any(end == done for end, _ in ready):
            return None


def _hung_up(end: int) -> bool:
    poll = select.poll()
    poll.register(end, select.POLLIN)
    return any(what & select.POLLHUP and not what & select.POLLIN for _, what in poll.poll(0))


def read_back(folder: int, names: tuple[str, ...], most: int) -> dict[str, bytes]:
    """Reads regular files below an open folder, never through a link; others, and larger ones, are left out.

    Args:
        folder: a descriptor of /box; nothing runs in it any more, and still nothing in it is trusted.
        names: relative paths.
        most: bytes of one file.
    """
    import stat

    out = {}
    for name in names:
        *above, last = name.split("/")
        opened: list[int] = []
        with suppress(OSError):
            at = folder
            for part in above:
                at = os.open(part, os.O_PATH | os.O_NOFOLLOW | os.O_DIRECTORY | os.O_CLOEXEC, dir_fd=at)
                opened.append(at)
            # O_NONBLOCK: a FIFO with no writer must not hold us; it is thrown out by its type.
            file = os.open(last, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOCTTY, dir_fd=at)
            opened.append(file)
            about = os.fstat(file)
            if stat.S_ISREG(about.st_mode) and about.st_size <= most:
                with os.fdopen(os.dup(file), "rb") as reader:
                    out[name] = reader.read(most + 1)[:most]
        for one in opened:
            os.close(one)
    return out
