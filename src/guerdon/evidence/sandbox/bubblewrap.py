"""One bubblewrap for each run: new user, process, mount, network, IPC and UTS namespaces, a filter, and limits.

Inside there are /usr, /lib, /lib64 and /bin for reading, /etc/alternatives and the linker's cache, a /proc of the run's
own process namespace, five harmless devices, and /box. Nothing else of the host is mounted, and nothing but /box can
be written. The program waits for a line before it starts, until /box is held open from outside: that is how files are
read back when everything inside is dead.
"""

from __future__ import annotations

import json
import os
import select
import shutil
import signal
import time
from contextlib import suppress
from dataclasses import dataclass, field

from guerdon.evidence.sandbox.base import WORK, Job, Limits, Ran, SandboxFault, checked
from guerdon.evidence.sandbox.limits import Pipes, over, prlimit_words, read_back, watch
from guerdon.evidence.sandbox.seccomp import filter_bytes
from guerdon.evidence.sandbox.spawn import NOBODY, WATCHED, dropping, memory_file, spawn

START = 20.0  # seconds in which a sandbox must stand
EVERY = 0.01  # seconds between two looks at the memory of a run with several processes
SELDOM = 0.05  # of a run with one
LOOK = 0.0004  # between two looks whether bwrap has made the tree
MARK = "/.held"
# Not --block-fd, which takes the end of the pipe for a go: if we die early, nothing must start that nobody watches.
# Descriptor 7 is the reading end of bwrap's own reports: were we the only ones to hold it, bwrap would die of writing
# to nobody when we do, and leave the process that it has just made.
GATE = 'exec 7<&-; read go <&5 || exit 1; exec "$@" 5<&-'
INSTALL = "apt-get install bubblewrap, and user namespaces must be allowed; `guerdon sandbox doctor` says what holds"
ENVIRONMENT = {"HOME": WORK, "TMPDIR": WORK, "PATH": "/usr/bin:/bin", "LANG": "C.UTF-8"}
SHARED = ("/usr", "/lib", "/lib32", "/lib64", "/libx32", "/bin", "/sbin")
READABLE = ("/etc/alternatives", "/etc/ld.so.cache")
DEVICES = ("null", "zero", "full", "random", "urandom")


def house(binary: str) -> list[str]:
    """The command up to what differs from run to run: the namespaces, and the tree without /box."""
    out = [binary, "--unshare-all", "--die-with-parent", "--new-session", "--hostname", "sandbox", "--clearenv"]
    out += ["--uid", str(NOBODY), "--gid", str(NOBODY)]
    for name, value in ENVIRONMENT.items():
        out += ["--setenv", name, value]
    for path in SHARED:
        if os.path.islink(path):
            out += ["--symlink", os.readlink(path), path]
        elif os.path.isdir(path):
            out += ["--ro-bind", path, path]
    for path in READABLE:
        out += ["--ro-bind-try", path, path]
    # Not --dev: its tmpfs has no size, and its pty and tty are of no use to a program that is graded.
    out += ["--proc", "/proc", "--perms", "0755", "--size", "65536", "--tmpfs", "/dev"]
    for name in DEVICES:
        out += ["--dev-bind", f"/dev/{name}", f"/dev/{name}"]
    for name, to in (("fd", "fd"), ("stdin", "fd/0"), ("stdout", "fd/1"), ("stderr", "fd/2")):
        out += ["--symlink", f"/proc/self/{to}", f"/dev/{name}"]
    return [*out, "--dir", "/dev/shm", "--symlink", "box", "/tmp", "--dir", MARK]


def mounts(limits: Limits) -> list[str]:
    """What can be written: /box, and a little of /dev/shm where several processes share semaphores."""
    shm = ["--perms", "1777", "--size", str(min(4 << 20, limits.disk)), "--tmpfs", "/dev/shm"]
    work = ["--perms", "0755", "--size", str(limits.disk), "--tmpfs", WORK]
    return [*(shm if limits.processes > 1 else ()), "--remount-ro", "/dev", *work, "--remount-ro", "/"]


@dataclass(frozen=True)
class Bubblewrap:
    """A fresh sandbox for every run; nothing is shared between runs.

    Args:
        binary: the path of bwrap; None looks for it.

    Raises:
        SandboxFault: from `run`, when the sandbox cannot be made: no binary, or no user namespaces.
    """

    binary: str | None = None
    name: str = field(default="bubblewrap", init=False)

    def run(self, job: Job) -> Ran:
        """Runs one job to its end; see `Job`, `Ran` and `Limits`."""
        installed(checked(job).argv[0])
        return _Run(job, found(self.binary)).run()

    def close(self) -> None:
        """Nothing stays between runs."""


def installed(program: str) -> None:
    """Complains of a program that is not there.

    Raises:
        SandboxFault: it is neither in a folder that is mounted nor brought along.
    """
    if not program.startswith(f"{WORK}/") and not (program.startswith(SHARED) and os.access(program, os.X_OK)):
        raise SandboxFault(
            f"sandbox: {program} is not on this machine; programs are found below {', '.join(SHARED[:2])} and /bin; "
            "install it"
        )


def found(binary: str | None) -> str:
    """The path of bwrap.

    Raises:
        SandboxFault: there is none.
    """
    path = binary or shutil.which("bwrap", path=f"{os.environ.get('PATH', '')}:/usr/bin:/usr/local/bin:/bin")
    if path is None or not os.access(path, os.X_OK):
        raise SandboxFault(f"sandbox: {path or 'bwrap'} is not there; bubblewrap is needed; {INSTALL}")
    return path


def _stands(child: int) -> bool:
    """Whether the tree is made, and bwrap's inner process does nothing more but wait for the program.

    It asks to be killed with the outer one only after it has started the program, and takes the filter next. A program
    that was let go before, and lost us in that moment, would run on with nobody to end it.
    """
    try:
        if os.stat(f"/proc/{child}/root{MARK}").st_dev == os.stat("/").st_dev:
            return False
        with open(f"/proc/{child}/status") as file:
            about = file.read()
    except OSError:
        return False
    return "\nState:\tS" in about and "\nSeccomp:\t2" in about


class _Run:
    """One run: everything that has to be closed, killed and waited for, whatever happens."""

    def __init__(self, job: Job, binary: str) -> None:
        self.job, self.binary = job, binary
        self.ours: list[int] = []  # descriptors to close at the end
        self.pid: int | None = None
        self.first: int | None = None  # a descriptor of the first process of the namespace
        self.pipes: Pipes | None = None

    def run(self) -> Ran:
        try:
            return self._run()
        except (OSError, ValueError, MemoryError) as error:
            raise SandboxFault(f"sandbox: a run failed outside the program ({error}); {INSTALL}") from error
        finally:
            self._end()
            if self.pipes:
                self.pipes.close()
            for one in self.ours:
                with suppress(OSError):
                    os.close(one)

    def _run(self) -> Ran:
        job, limits = self.job, self.job.limits
        status, go = self._start()
        child = self._stands(status)
        self.first = self._own(os.pidfd_open(child))
        folders = tuple(
            self._own(os.open(f"/proc/{child}/root{path}", os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC))
            for path in (WORK, "/dev/shm")[: 1 + (limits.processes > 1)]
        )
        done = self._own(os.pidfd_open(self.pid))
        began = time.monotonic()
        os.write(go, b"\n")
        every = EVERY if limits.processes > 1 else SELDOM
        killed = watch(self.pipes, done, began + limits.wall, over(child, limits, folders), every)
        seconds = time.monotonic() - began
        self._end()
        self.pipes.rest()
        killed = killed or ("output" if self.pipes.flooded else None)
        files = read_back(folders[0], job.keep, limits.file) if job.keep else {}
        ended, code = (killed, None) if killed else self._became(status, seconds)
        kept = (self.pipes.kept(name) for name in ("stdout", "stderr", "answers"))
        return Ran(ended, code, *kept, files=files, seconds=seconds)

    def _own(self, descriptor: int) -> int:
        self.ours.append(descriptor)
        return descriptor

    def _pipe(self) -> tuple[int, int]:
        reader, writer = os.pipe2(os.O_CLOEXEC)
        return self._own(reader), self._own(writer)

    def _start(self) -> tuple[int, int]:
        """Starts bwrap; returns where it says how it stands, and where it waits for a byte."""
        job, given = self.job, [self._own(memory_file(self.job.stdin))]
        ends = {}
        for name in ("stdout", "stderr", *(["answers"] if job.answers else [])):
            ends[name], writer = os.pipe2(os.O_CLOEXEC)
            given.append(self._own(writer))
            self.pipes = Pipes(ends, job.limits.output)
        given += [None] * (not job.answers)
        status, to_us = self._pipe()
        waits, go = self._pipe()
        filtered = self._own(memory_file(filter_bytes(job.limits.processes)))
        command = [*house(self.binary), *mounts(job.limits)[:-2]]
        command += ["--json-status-fd", "4", "--seccomp", "6"]
        given += [to_us, waits, filtered, self._own(os.dup(status))]
        folders = sorted({name[:at] for name in job.files for at, mark in enumerate(name) if mark == "/"})
        for name in folders:
            command += ["--perms", "0755", "--dir", f"{WORK}/{name}"]
        for name, data in job.files.items():
            command += ["--perms", "0755", "--file", str(len(given)), f"{WORK}/{name}"]
            given.append(self._own(memory_file(data)))
        command += ["--remount-ro", "/", "--chdir", WORK, "--", "/bin/sh", "-c", GATE, "sh"]
        command += [*prlimit_words(job.limits), *job.argv]
        self.pid = spawn([*dropping(), *command], given)
        WATCHED.begin(self.pid)
        # Ours of the ends that only the child may hold.
        for one in [g for g in given if g is not None]:
            os.close(one)
            self.ours.remove(one)
        return status, go

    def _stands(self, status: int) -> int:
        """Waits until bwrap has made everything; returns the first process, by our numbers.

        bwrap says the number early, when /proc/N/root still leads to the host. The mark is in the last root alone.
        """
        said, until, child = b"", time.monotonic() + START, 0
        while not (child and _stands(child)):
            if time.monotonic() > until:
                raise SandboxFault(f"sandbox: bwrap did not stand within {START:g} s; the machine is overloaded; retry")
            if not select.select([status], [], [], LOOK if child else START)[0]:
                continue
            data = os.read(status, 4096)
            if not data or b"exit-code" in data:
                self._end()
                self.pipes.rest()
                why = self.pipes.kept("stderr").decode(errors="replace").strip().splitlines()
                raise SandboxFault(f"sandbox: bwrap failed ({why[-1] if why else 'it said nothing'}); {INSTALL}")
            said += data
            if b"\n" in said:
                child = int(json.loads(said.split(b"\n")[0])["child-pid"])
        return child

    def _became(self, status: int, seconds: float) -> tuple[str, int | None]:
        """How the program ended, as bwrap saw it: the status, or 128 and the signal."""
        said = b""
        while data := os.read(status, 4096):
            said += data
        codes = [json.loads(line)["exit-code"] for line in said.splitlines() if b"exit-code" in line]
        if not codes:
            raise SandboxFault(f"sandbox: bwrap was killed, or did not start the program; {INSTALL}")
        number = codes[-1] - 128
        if number == signal.SIGXCPU or (number == signal.SIGKILL and seconds >= self.job.limits.cpu):
            return "timeout", None
        return ("signalled", number) if 0 < number < 65 else ("exited", codes[-1])

    def _end(self) -> None:
        """Kills whatever is left, and waits for it. May be called again."""
        if self.first is not None:
            with suppress(OSError):
                signal.pidfd_send_signal(self.first, signal.SIGKILL)
        if self.pid is not None:
            if self.first is None:
                with suppress(OSError):
                    os.kill(self.pid, signal.SIGKILL)
            WATCHED.end(self.pid)
            with suppress(ChildProcessError):
                os.waitpid(self.pid, 0)
            self.pid = None
        if self.first is not None:
            # The namespace is gone when its first process is: the kernel has killed and waited for all others.
            if not select.select([self.first], [], [], START)[0]:
                raise SandboxFault("sandbox: a killed run does not end; the kernel holds it; look at `dmesg`")
            with suppress(OSError):  # ours only where we are what orphans are given to
                os.waitid(os.P_PIDFD, self.first, os.WEXITED | os.WNOHANG)
