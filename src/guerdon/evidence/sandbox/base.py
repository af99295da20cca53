"""What every sandbox takes and gives: limits, a job, and what became of it.

`Ran.ended` is about the program; `SandboxFault` is about the sandbox. A grader scores the first and leaves the second
unscored, so that a missing binary or a kernel that forbids namespaces is never mistaken for a wrong answer.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, Protocol, runtime_checkable

from guerdon.errors import GuerdonError

Ended = Literal["exited", "signalled", "timeout", "memory", "output"]
WORK = "/box"  # the working folder inside, also HOME and TMPDIR
ANSWERS = 3  # the descriptor of the answers
MOST_FILES = 200  # each file is a descriptor until the start


class SandboxFault(GuerdonError, RuntimeError):
    """The sandbox itself failed: it is missing, may not make namespaces, or died. The caller says unscored."""


@dataclass(frozen=True)
class Limits:
    """What a program may use; every limit is enforced by the kernel or by the process outside.

    Args:
        wall: seconds of the whole run, after which every process of it is killed.
        cpu: seconds of processor time of one process.
        memory: bytes. With one process its address space; with several, the sum over the process namespace, looked at
            every few milliseconds, and everything is killed above it.
        address: bytes of address space of one process; None is `memory`. A C compiler and node reserve far more
            address space than they touch.
        processes: how many processes there may be; 1 has the kernel deny fork. Up to 16 threads come on top.
        file: bytes of one file.
        disk: bytes of the file system at /box (working folder, HOME and TMPDIR; /tmp leads there).
        open: file descriptors of one process.
        output: bytes kept of stdout, of stderr and of the answers, each; a program that writes more is killed.

    Example:
        >>> Limits(wall=2.0, processes=16, address=2 << 30).memory == 512 << 20
        True
    """

    wall: float = 10.0
    cpu: float = 10.0
    memory: int = 512 << 20
    address: int | None = None
    processes: int = 1
    file: int = 8 << 20
    disk: int = 32 << 20
    open: int = 64
    output: int = 1 << 20


@dataclass(frozen=True)
class Job:
    """One program to run.

    Args:
        argv: an absolute program inside the sandbox and its arguments.
        stdin: what the program reads; it is a file, so no size of it can block the run.
        files: relative path under /box -> contents, written before the start (mode 0755).
        keep: relative paths under /box read back afterwards: regular files alone, never through a link, and none
            larger than `limits.file`.
        answers: True opens descriptor 3 as a pipe; what is written there comes back as `Ran.answers`.
        limits: what the program may use.

    Example:
        >>> Job(("/usr/bin/python3", "-I", "-S", "/box/main.py"), files={"main.py": b"print(1)"}).limits.processes
        1
    """

    argv: tuple[str, ...]
    stdin: bytes = b""
    files: Mapping[str, bytes] = field(default_factory=dict)
    keep: tuple[str, ...] = ()
    answers: bool = False
    limits: Limits = Limits()


@dataclass(frozen=True)
class Ran:
    """What the program did.

    Args:
        ended: exited by itself; signalled (it crashed, or killed itself); timeout (wall or processor time); memory (the
            sum over its processes, or its count of files, went over the limit); output (it wrote more than is kept).
        code: the exit status, or the signal's number when signalled; None when it was killed from outside.
        stdout: at most `limits.output` bytes, as are `stderr` and `answers`.
        files: those of `keep` that exist.
        seconds: from the start of the program to its end, as seen from outside.

    Example:
        >>> Ran("exited", 0, stdout=b"1").ended
        'exited'
    """

    ended: Ended
    code: int | None
    stdout: bytes = b""
    stderr: bytes = b""
    answers: bytes = b""
    files: Mapping[str, bytes] = field(default_factory=dict)
    seconds: float = 0.0


@runtime_checkable
class Sandbox(Protocol):
    """Runs programs that nobody trusts. `run` blocks, is safe in threads, and raises only SandboxFault."""

    name: str

    def run(self, job: Job) -> Ran:
        """Runs one job to its end."""
        ...

    def close(self) -> None:
        """Ends what was started; running jobs become SandboxFault."""
        ...


def checked(job: Job) -> Job:
    """The job, if a sandbox can take it.

    Raises:
        SandboxFault: no argv, a relative program, a name that leaves /box, too many files, a limit below its least.

    Example:
        >>> checked(Job(("/bin/true",), files={"../x": b""}))
        Traceback (most recent call last):
        guerdon.evidence.sandbox.base.SandboxFault: sandbox: the file name '../x'; a relative path without '..', \
empty parts and NUL is needed; name the files below /box
    """
    if not job.argv or not job.argv[0].startswith("/") or any("\0" in part for part in job.argv):
        raise SandboxFault(f"sandbox: argv {job.argv!r}; an absolute program and no NUL is needed; give its full path")
    for name in (*job.files, *job.keep):
        parts = name.split("/")
        if any(part in ("", ".", "..") or len(part.encode(errors="surrogateescape")) > 255 for part in parts) or (
            "\0" in name or len(name) > 1000
        ):
            raise SandboxFault(
                f"sandbox: the file name {name[:80]!r}; a relative path without '..', empty parts and NUL is needed; "
                "name the files below /box"
            )
        if any("/".join(parts[:n]) in job.files for n in range(1, len(parts))):
            raise SandboxFault(f"sandbox: {name[:80]!r} lies below a file; a folder is needed; rename one of the two")
    if len(job.files) > MOST_FILES:
        raise SandboxFault(f"sandbox: {len(job.files)} files; at most {MOST_FILES} are taken; pack them into one")
    least = job.limits
    if least.processes < 1 or least.wall <= 0 or least.cpu <= 0 or least.open < 8 or min(least.memory, least.disk) < 1:
        raise SandboxFault(f"sandbox: {least}; every limit must be positive, and open at least 8; raise it")
    if sum(map(len, job.files.values())) > least.disk:
        raise SandboxFault(
            f"sandbox: files of {sum(map(len, job.files.values()))} bytes; limits.disk is {least.disk}; raise it"
        )
    return job
