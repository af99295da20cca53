"""The fast sandbox: a fork server inside bubblewrap, and fresh namespaces for every run.

A run costs a fork instead of the start of bubblewrap and of an interpreter. What isolates it is made anew each time:
user, process, mount, IPC and UTS namespaces, /box, /proc, limits, no capabilities, and the filter. A run with several
processes has a network namespace of its own too; one with a single process shares the server's, which is empty, and
cannot make a socket, because the filter refuses it (to make that namespace took a third of the run's time). A Python
program (`python -I -S FILE` or `-c TEXT`, with the server's interpreter) runs in the forked interpreter; anything else
is executed. What runs share is the read-only tree of the host, and the seed of Python's string hashes, which is drawn
when the server starts.
"""

from __future__ import annotations

import array
import json
import os
import select
import signal
import socket
import struct
import threading
import time
from contextlib import suppress
from pathlib import Path

from guerdon.evidence.sandbox.base import WORK, Job, Ran, SandboxFault, checked
from guerdon.evidence.sandbox.bubblewrap import EVERY, INSTALL, SELDOM, START, found, house, installed
from guerdon.evidence.sandbox.limits import MOST_INODES, Pipes, over, read_back, rlimits, watch
from guerdon.evidence.sandbox.seccomp import filter_bytes
from guerdon.evidence.sandbox.spawn import dropping, memory_file, spawn

PYTHON = "/usr/bin/python3"
HEAD = struct.Struct("=QQQ")
SERVER = "/.server.py"


class _Died(Exception):
    """The server is gone; the run may be tried once more."""


class Zygote:
    """A fork server that makes a fresh sandbox for every run; started at the first run, again when it dies.

    Args:
        binary: the path of bwrap; None looks for it.
        python: the interpreter of the server, and of the programs that run without a start of their own; it must lie
            below /usr.

    Raises:
        SandboxFault: from `run`, when the server cannot be started, or died twice under the same run.

    A process that is forked from this one starts a server of its own; a pickled copy does too.
    """

    name = "zygote"

    def __init__(self, binary: str | None = None, python: str = PYTHON) -> None:
        self.binary, self.python = binary, python
        self._lock = threading.Lock()
        self._owner = os.getpid()
        self._live: _Server | None = None

    def __reduce__(self) -> tuple:
        return Zygote, (self.binary, self.python)

    def run(self, job: Job) -> Ran:
        """Runs one job to its end; see `Job`, `Ran` and `Limits`."""
        installed(checked(job).argv[0])
        for _ in range(2):
            server = self._server()
            run = _Run(job, self.python)
            try:
                return run.run(server)
            except _Died:
                self._bury(server)
            except (OSError, ValueError, MemoryError) as error:
                raise SandboxFault(f"sandbox: a run failed outside the program ({error}); {INSTALL}") from error
            finally:
                run.end()
        raise SandboxFault(f"sandbox: the fork server died twice under one run; look at `dmesg`; {INSTALL}")

    def close(self) -> None:
        """Ends the server and every run in it."""
        if self._owner == os.getpid() and self._live is not None:
            self._bury(self._live)

    def _server(self) -> _Server:
        if self._owner != os.getpid():  # forked: the server belongs to the parent
            self._lock, self._owner = threading.Lock(), os.getpid()
            if self._live is not None:
                self._live.sock.close()
                self._live = None
        with self._lock:
            if self._live is None:
                self._live = _Server(found(self.binary), self.python)
            return self._live

    def _bury(self, server: _Server) -> None:
        with self._lock:
            server.end()
            if self._live is server:
                self._live = None

    def __del__(self) -> None:
        with suppress(Exception):
            self.close()


class _Server:
    """The running server: the socket that requests go to, and bwrap's process."""

    def __init__(self, binary: str, python: str) -> None:
        installed(python)
        self.pid: int | None = None
        self.sock, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        text = memory_file(Path(__file__).with_name("inside.py").read_bytes())
        said, says = os.pipe2(os.O_CLOEXEC)
        nothing = os.open(os.devnull, os.O_RDWR | os.O_CLOEXEC)
        try:
            command = [word for word in house(binary) if word != "--die-with-parent"]  # of a thread, which may end
            command += [
                "--as-pid-1",
                "--size",
                "4096",
                "--tmpfs",
                WORK,
                "--perms",
                "0444",
                "--ro-bind-data",
                "4",
                SERVER,
            ]
            command += ["--size", "4096", "--tmpfs", "/dev/shm", "--remount-ro", "/dev/shm"]
            command += ["--remount-ro", "/dev", "--remount-ro", WORK, "--remount-ro", "/", "--chdir", "/", "--"]
            command += [python, "-I", "-S", SERVER]
            self.pid = spawn([*dropping(), *command], [nothing, nothing, says, theirs.fileno(), text])
            os.close(says)
            says = -1
            theirs.close()
            self._greet(said)
        except BaseException:
            self.end()
            raise
        finally:
            theirs.close()
            for one in (text, said, nothing, *([says] if says >= 0 else [])):
                os.close(one)

    def _greet(self, said: int) -> None:
        try:
            self.sock.settimeout(START)
            for processes in (1, 2):
                self.sock.send(filter_bytes(processes))
            if self.sock.recv(16) == b"ready":
                return
        except OSError:
            pass
        self.end()
        os.set_blocking(said, False)
        why = ""
        with suppress(BlockingIOError):
            why = os.read(said, 65536).decode(errors="replace").strip()
        raise SandboxFault(
            f"sandbox: the fork server does not start ({why.splitlines()[-1] if why else 'it said nothing'}); {INSTALL}"
        )

    def end(self) -> None:
        """Closes the socket, at which the server ends, and every namespace below it; waits for it."""
        self.sock.close()
        if self.pid is not None:
            pid, self.pid = self.pid, None
            with suppress(OSError):
                watched = os.pidfd_open(pid)
                if not select.select([watched], [], [], 2.0)[0]:
                    signal.pidfd_send_signal(watched, signal.SIGKILL)
                os.close(watched)
            with suppress(ChildProcessError):
                os.waitpid(pid, 0)


class _Run:
    """One run: everything that has to be closed and killed, whatever happens."""

    def __init__(self, job: Job, python: str) -> None:
        self.job, self.python = job, python
        self.ours: list[int] = []
        self.first: int | None = None
        self.pipes: Pipes | None = None

    def run(self, server: _Server) -> Ran:
        limits = self.job.limits
        ctl = self._ask(server)
        folders = self._stands(ctl)
        began = time.monotonic()
        every = EVERY if limits.processes > 1 else SELDOM
        killed = watch(self.pipes, ctl.fileno(), began + limits.wall, over(self._pid(), limits, folders), every)
        seconds = time.monotonic() - began
        said = b"" if killed else self._hear(ctl)[0]
        self._kill()
        self.pipes.rest()
        killed = killed or ("output" if self.pipes.flooded else None)
        files = read_back(folders[0], self.job.keep, limits.file) if self.job.keep else {}
        ended, code = (killed, None) if killed else _became(said, limits.cpu)
        kept = (self.pipes.kept(name) for name in ("stdout", "stderr", "answers"))
        return Ran(ended, code, *kept, files=files, seconds=seconds)

    def _pid(self) -> int:
        """What the first process is called here; 0 where nobody asks, since there is one process alone."""
        if self.job.limits.processes == 1:
            return 0
        with open(f"/proc/self/fdinfo/{self.first}") as file:
            return next(int(line.split()[1]) for line in file if line.startswith("Pid:"))

    def end(self) -> None:
        """Kills what is left and closes everything."""
        try:
            self._kill()
        finally:
            if self.pipes:
                self.pipes.close()
            for one in self.ours:
                with suppress(OSError):
                    os.close(one)
            self.ours, self.first = [], None

    def _own(self, descriptor: int) -> int:
        self.ours.append(descriptor)
        return descriptor

    def _ask(self, server: _Server) -> socket.socket:
        job, ends = self.job, {}
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._own(ours.detach())
        given = [self._own(theirs.detach()), self._own(memory_file(_packed(job, self.python)))]
        nothing = not job.stdin
        given.append(self._own(os.open(os.devnull, os.O_RDONLY | os.O_CLOEXEC) if nothing else memory_file(job.stdin)))
        for name in ("stdout", "stderr", *(["answers"] if job.answers else [])):
            ends[name], writer = os.pipe2(os.O_CLOEXEC)
            given.append(self._own(writer))
            self.pipes = Pipes(ends, job.limits.output)
        head = HEAD.pack(job.limits.disk, MOST_INODES, job.limits.processes)
        rights = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", given))]
        try:
            server.sock.sendmsg([head], rights)
        except OSError as error:
            raise _Died from error
        for one in given:
            os.close(one)
            self.ours.remove(one)
        return socket.socket(fileno=os.dup(self.ours[0]))

    def _hear(self, ctl: socket.socket) -> tuple[bytes, list[int]]:
        try:
            data, given, _, _ = socket.recv_fds(ctl, 4096, 4)
        except TimeoutError:
            raise SandboxFault(f"sandbox: no answer in {START:g} s; the machine is overloaded; retry") from None
        except OSError as error:
            raise _Died from error
        for one in given:
            os.set_inheritable(one, False)
            self._own(one)
        if not data:
            raise _Died
        if data[:1] == b"e":
            raise SandboxFault(f"sandbox: a run could not be isolated ({data[1:].decode(errors='replace')}); {INSTALL}")
        return data, given

    def _stands(self, ctl: socket.socket) -> tuple[int, ...]:
        """Waits for the descriptor of the first process, and for those of the folders that can be written."""
        ctl.settimeout(START)
        folders: tuple[int, ...] = ()
        while self.first is None or not folders:
            data, given = self._hear(ctl)
            if data == b"p":
                self.first = given[0]
            elif data == b"w":
                folders = tuple(given)
        return folders

    def _kill(self) -> None:
        if self.first is None:
            return
        with suppress(OSError):
            signal.pidfd_send_signal(self.first, signal.SIGKILL)
        # The namespace is gone when its first process is: the kernel has killed and waited for all others.
        if not select.select([self.first], [], [], START)[0]:
            raise SandboxFault("sandbox: a killed run does not end; the kernel holds it; look at `dmesg`")


def _packed(job: Job, python: str) -> bytes:
    argv = list(job.argv)
    in_python = argv[:3] == [python, "-I", "-S"] and (
        (len(argv) > 4 and argv[3] == "-c") or (len(argv) > 3 and not argv[3].startswith("-"))
    )
    head = {
        "argv": argv,
        "python": in_python,
        "limits": list(rlimits(job.limits).items()),
        "files": [(name, len(data)) for name, data in job.files.items()],
    }
    text = json.dumps(head).encode()
    return b"".join([struct.pack("=I", len(text)), text, *job.files.values()])


def _became(said: bytes, cpu: float) -> tuple[str, int]:
    _, status, used = struct.unpack("=cid", said)
    if os.WIFSIGNALED(status):
        number = os.WTERMSIG(status)
        if number == signal.SIGXCPU or (number == signal.SIGKILL and used >= cpu):
            return "timeout", None
        return "signalled", number
    return "exited", os.WEXITSTATUS(status)
