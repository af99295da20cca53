"""Starts the sandbox's outer process: posix_spawn with chosen descriptors, and as nobody when we are root.

Not `subprocess`: it cannot give a child descriptor 3, and with a user to change to it forks, which copies the page
tables of a trainer that holds gigabytes. Every descriptor that is not named is closed in the child, whoever opened it.

Should we die while bwrap makes its namespaces, its inner process waits for ever: the outer one, told to die with us, is
gone before it lets it on. So what is started is also told to a process that does nothing but wait for our end.
"""

from __future__ import annotations

import ctypes
import fcntl
import os
import shutil
import threading
from collections.abc import Sequence
from contextlib import suppress
from functools import cache

from guerdon.evidence.sandbox.base import SandboxFault

NOBODY = 65534
PLENTY = 512  # bytes, more than any C library's posix_spawn structures
SETPGROUP, SETSIGDEF, SETSIGMASK = 2, 4, 8
# Each line is all that runs; what stood in the last one when we ended is killed.
WATCHER = 'while read -r line; do last=$line; done; test -z "$last" || kill -9 $last'


@cache
def _libc() -> ctypes.CDLL:
    return ctypes.CDLL(None, use_errno=True)


@cache
def dropping() -> tuple[str, ...]:
    """What is put before the command so that it runs as nobody; nothing when we are not root.

    The kernel does not count processes (RLIMIT_NPROC) whose real user is root, inside namespaces too, so the user is
    changed before the namespaces are made.
    """
    if os.geteuid() != 0:
        return ()
    setpriv = shutil.which("setpriv", path="/usr/bin:/bin:/usr/sbin:/sbin")
    if setpriv is None:
        raise SandboxFault(
            "sandbox: running as root without setpriv; it is needed to become nobody first; apt-get install util-linux"
        )
    return (setpriv, f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups", "--inh-caps=-all", "--")


def spawn(argv: Sequence[str], descriptors: Sequence[int | None]) -> int:
    """Starts `argv` with descriptor i of the child being `descriptors[i]`, and no others; returns its pid.

    It leads a process group of its own, so a Ctrl-C in the terminal is not for it.

    Args:
        argv: the full path of a program, and its arguments. Its environment is empty.
        descriptors: ours, by their number in the child; None leaves that number closed.

    Raises:
        SandboxFault: it cannot be started.
    """
    libc, high = _libc(), []
    actions = ctypes.create_string_buffer(PLENTY)
    attributes = ctypes.create_string_buffer(PLENTY)
    signals = ctypes.create_string_buffer(128)
    libc.posix_spawn_file_actions_init(actions)
    libc.posix_spawnattr_init(attributes)
    try:
        for to, ours in enumerate(descriptors):
            if ours is None:
                libc.posix_spawn_file_actions_addclose(actions, to)
                continue
            # Above every target first, so that no dup2 runs over a source.
            high.append(fcntl.fcntl(ours, fcntl.F_DUPFD_CLOEXEC, len(descriptors) + 3))
            libc.posix_spawn_file_actions_adddup2(actions, high[-1], to)
        _close_from(libc, actions, len(descriptors))
        libc.sigemptyset(signals)
        libc.posix_spawnattr_setsigmask(attributes, signals)
        libc.sigfillset(signals)
        libc.posix_spawnattr_setsigdefault(attributes, signals)
        libc.posix_spawnattr_setflags(attributes, ctypes.c_short(SETPGROUP | SETSIGDEF | SETSIGMASK))
        words = [os.fsencode(word) for word in argv]
        given = (ctypes.c_char_p * (len(words) + 1))(*words, None)
        nothing = (ctypes.c_char_p * 1)(None)
        pid = ctypes.c_int(0)
        wrong = libc.posix_spawn(ctypes.byref(pid), words[0], actions, attributes, given, nothing)
    except OSError as error:
        raise SandboxFault(f"sandbox: no descriptors for a run ({error.strerror}); raise `ulimit -n`") from None
    finally:
        for one in high:
            os.close(one)
        libc.posix_spawn_file_actions_destroy(actions)
        libc.posix_spawnattr_destroy(attributes)
    if wrong:
        raise SandboxFault(
            f"sandbox: {argv[0]} does not start ({os.strerror(wrong)}); bubblewrap is needed; "
            "apt-get install bubblewrap"
        )
    # What we may set is the least that it may set: else a program could have others killed when memory runs out.
    with (
        suppress(OSError),
        open("/proc/self/oom_score_adj") as ours,
        open(f"/proc/{pid.value}/oom_score_adj", "w") as its,
    ):
        its.write(ours.read())
    return pid.value


def _close_from(libc: ctypes.CDLL, actions: ctypes.Array, first: int) -> None:
    try:
        libc.posix_spawn_file_actions_addclosefrom_np(actions, first)
    except AttributeError:  # glibc before 2.34: those that are open and would survive
        for name in os.listdir("/proc/self/fd"):
            with suppress(OSError):
                if int(name) >= first and not fcntl.fcntl(int(name), fcntl.F_GETFD) & fcntl.FD_CLOEXEC:
                    libc.posix_spawn_file_actions_addclose(actions, int(name))


class Watched:
    """What is to end when this process ends, however that comes: its process groups are told to a small process.

    That one reads a pipe whose other end nobody else holds, and at its end kills the groups that were named last. A
    forked process has one of its own.

    Example:
        >>> watched = Watched()
        >>> watched.begin(group := spawn(["/bin/sleep", "9"], []))
        >>> os.kill(group, 9), os.waitpid(group, 0)[0] == group, watched.end(group)
        (None, True, None)
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._groups: set[int] = set()
        self._writer = -1
        os.register_at_fork(after_in_child=self._forked)

    def begin(self, group: int) -> None:
        """From now on, the group is killed when we die."""
        with self._lock:
            self._groups.add(group)
            self._tell()

    def end(self, group: int) -> None:
        """The group is over, and its number may be another's."""
        with self._lock:
            self._groups.discard(group)
            self._tell()

    def _tell(self) -> None:
        line = " ".join(f"-{group}" for group in self._groups).encode() + b"\n"
        if self._writer >= 0:
            with suppress(BrokenPipeError):
                os.write(self._writer, line)
                return
            os.close(self._writer)
        reader, self._writer = os.pipe2(os.O_CLOEXEC)
        try:
            spawn(["/bin/sh", "-c", WATCHER], [reader])
        finally:
            os.close(reader)
        os.write(self._writer, line)

    def _forked(self) -> None:
        if self._writer >= 0:
            os.close(self._writer)
        self._lock, self._groups, self._writer = threading.Lock(), set(), -1


WATCHED = Watched()


def memory_file(data: bytes, name: str = "guerdon") -> int:
    """A descriptor, open for reading alone, of a file in memory that nobody can change any more."""
    writer = os.memfd_create(name, os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
    try:
        view = memoryview(data)
        while view:
            view = view[os.write(writer, view) :]
        fcntl.fcntl(writer, fcntl.F_ADD_SEALS, 0xF)  # SEAL | SHRINK | GROW | WRITE
        return os.open(f"/proc/self/fd/{writer}", os.O_RDONLY | os.O_CLOEXEC)
    finally:
        os.close(writer)
