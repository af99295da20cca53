"""What a sandbox isolates on this machine, found out by attacking it.

Each check is a program that tries something, run inside; where the same program can be run outside without harm, it is,
as a control: an attack that would fail anyway shows nothing. A check is held, not held, or not known (its control
failed, or the sandbox did).
"""

from __future__ import annotations

import contextlib
import os
import platform
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from guerdon.evidence.sandbox.base import Job, Limits, Ran, Sandbox, SandboxFault

PYTHON = "/usr/bin/python3"
SECRET = "GUERDON_DOCTOR"
SHORT = Limits(wall=3, cpu=3)
LANGUAGES = {
    "python": ("/usr/bin/python3", "--version"),
    "c": ("/usr/bin/cc", "--version"),
    "javascript": ("/usr/bin/node", "--version"),
    "lua": ("/usr/bin/lua", "-v"),
    "bash": ("/bin/bash", "--version"),
}
# Where there are no processes at all there is nothing to sum or to survive; the check is held, not known by an error.
ALONE = "if 'fork' not in dir(os): print('alone'); raise SystemExit\n"


@dataclass(frozen=True)
class Check:
    """One attack.

    Args:
        name: what is tried.
        program: Python that prints GOT when it got what it wanted; `{word}` is filled in from the scene.
        limits: of the run.
        held: whether a run of it shows that the attack was held; None: it ended by itself without GOT.
        control: whether the program can be run outside, where it must print GOT.
    """

    name: str
    program: str
    limits: Limits = SHORT
    held: Callable[[Ran], bool] | None = None
    control: bool = False


@dataclass(frozen=True)
class Finding:
    """What came of one check in one mode: held is None when it could not be found out, and `said` says why."""

    name: str
    held: bool | None
    said: str = ""


CHECKS = (
    Check("network: TCP on loopback", "import socket\nsocket.create_connection(('127.0.0.1', {port})); print('GOT')",
          control=True),
    Check("network: abstract local sockets",
          "import socket\nsocket.socket(socket.AF_UNIX).connect({abstract!r}); print('GOT')", control=True),
    Check("environment of the host", "import os\nif 'GUERDON_DOCTOR' in os.environ: print('GOT')", control=True),
    Check("files of the host: a temporary file", "open({file!r}).read(); print('GOT')", control=True),
    Check("files of the host: /etc/passwd", "open('/etc/passwd').read(); print('GOT')", control=True),
    Check("processes of the host", "import os\nos.stat('/proc/{pid}/status') and os.kill({pid}, 0); print('GOT')",
          control=True),
    Check("writing outside /box",
          "import os\nfor path in ('/x', '/usr/x', '/etc/x', '/dev/x', '/dev/shm/x', '/proc/sys/kernel/hostname'):\n"
          "    try: os.open(path, os.O_WRONLY | os.O_CREAT); print('GOT', path)\n    except OSError: pass"),
    Check("root and capabilities",
          "import os\nfor line in open('/proc/self/status'):\n"
          "    if line[:6] in ('CapEff', 'CapPrm') and int(line.split()[1], 16): print('GOT', line)\n"
          "if 0 in (os.getuid(), os.geteuid(), os.getgid()): print('GOT root')"),
    Check("system calls: filter, namespaces, tracing",
          "import ctypes\nlibc = ctypes.CDLL(None)\nif libc.unshare(0x10000000) == 0: print('GOT unshare')\n"
          "if libc.ptrace(0, 0, 0, 0) == 0: print('GOT ptrace')\n"
          "if 'Seccomp:\\t2' not in open('/proc/self/status').read(): print('GOT no filter')"),
    Check("fork, with one process", "import os\nif os.fork(): print('GOT')\nelse: os._exit(0)", control=True),
    Check("fork bomb, with eight", "import os\nn = 0\nfor _ in range(200):\n    try:\n"
          "        if os.fork() == 0:\n            import time; time.sleep(9); os._exit(0)\n        n += 1\n"
          "    except OSError: break\nif n > 30: print('GOT', n)", Limits(wall=3, cpu=3, processes=8)),
    Check("memory of one process", "x = bytearray(2 << 30); print('GOT')"),
    Check("memory of several processes",
          "import os, time\n" + ALONE + "for _ in range(5):\n"
          "    if os.fork() == 0: x = bytearray(40 << 20); time.sleep(9); os._exit(0)\ntime.sleep(9)",
          Limits(wall=4, processes=8, memory=96 << 20), lambda ran: ran.ended == "memory" or ran.stdout == b"alone\n"),
    Check("filling /tmp", "n = 0\ntry:\n    for i in range(200):\n"
          "        with open(f'/tmp/{{i}}', 'wb', 0) as f: n += f.write(bytes(1 << 20))\nexcept OSError: pass\n"
          "if n > 33 << 20: print('GOT', n)"),
    Check("filling /dev/shm", "n = 0\ntry:\n    for i in range(200):\n"
          "        with open(f'/dev/shm/{{i}}', 'wb', 0) as f: n += f.write(bytes(1 << 20))\nexcept OSError: pass\n"
          "if n > 17 << 20: print('GOT', n)", Limits(wall=3, processes=2)),
    Check("deadline", "while True: pass", Limits(wall=0.3), lambda ran: ran.ended == "timeout" and ran.seconds < 2),
    Check("processor time", "while True: pass", Limits(cpu=1, wall=8), lambda ran: ran.ended == "timeout"),
    Check("flood of output", "while True: print('x' * 9999)", held=lambda ran: ran.ended == "output"),
)  # fmt: skip
HIDE = (
    "import os, time\n" + ALONE + "if os.fork() == 0:\n    os.setsid()\n    if os.fork() == 0:\n"
    "        os.closerange(0, 99); os.execv('/bin/sleep', ['sleep', {mark!r}])\n    os._exit(0)\ntime.sleep(0.1)"
)


def examine(sandbox: Sandbox) -> list[Finding]:
    """Attacks one sandbox; a list of what was held, in the order of `CHECKS`.

    Example:
        >>> from guerdon.evidence.sandbox import find
        >>> all(finding.held for finding in examine(find()))  # doctest: +SKIP
        True
    """
    with _scene() as scene:
        found = [_try(check, sandbox, scene) for check in CHECKS]
    return [*found, _grandchildren(sandbox), _persistence(sandbox)]


def languages(sandbox: Sandbox) -> dict[str, str | None]:
    """The languages that can be graded here: name -> what its program says of its version, None when it is missing."""
    out: dict[str, str | None] = {}
    for name, argv in LANGUAGES.items():
        try:
            ran = sandbox.run(Job(argv, limits=Limits(processes=32, address=64 << 30)))
            said = (ran.stdout or ran.stderr).decode(errors="replace").splitlines()
            out[name] = said[0] if ran.code == 0 and said else None
        except SandboxFault:
            out[name] = None
    return out


def machine() -> dict[str, str]:
    """The kernel, the architecture and the user, which decide what can be isolated."""
    user = "root, who becomes nobody first" if os.geteuid() == 0 else f"user {os.geteuid()}"
    return {"kernel": platform.release(), "machine": platform.machine(), "user": user}


@contextlib.contextmanager
def _scene():
    """What there is to reach outside: listeners, a file, a variable of the environment, this process."""
    server = socket.create_server(("127.0.0.1", 0))
    abstract = f"\0guerdon-doctor-{os.getpid()}"
    local = socket.socket(socket.AF_UNIX)
    local.bind(abstract)
    local.listen(64)
    with server, local, tempfile.NamedTemporaryFile("w", prefix="guerdon-doctor-", dir="/var/tmp") as file:
        file.write("secret")
        file.flush()
        before = os.environ.get(SECRET)
        os.environ[SECRET] = "secret"
        try:
            yield {"port": server.getsockname()[1], "abstract": abstract, "file": file.name, "pid": os.getpid()}
        finally:
            os.environ.pop(SECRET) if before is None else os.environ.update({SECRET: before})


def _try(check: Check, sandbox: Sandbox, scene: dict) -> Finding:
    program = check.program.format(**scene)
    if check.control:
        bare = subprocess.run([PYTHON, "-I", "-S", "-c", program], capture_output=True, timeout=30)
        if b"GOT" not in bare.stdout:
            return Finding(check.name, None, "the attack does not work outside either, so it shows nothing")
    try:
        ran = _python(sandbox, program, check.limits)
    except SandboxFault as fault:
        return Finding(check.name, None, str(fault))
    held = check.held(ran) if check.held else b"GOT" not in ran.stdout and ran.ended in ("exited", "signalled")
    return Finding(check.name, held, "" if held else f"{ran.ended}; {ran.stdout[:100].decode(errors='replace')}")


def _python(sandbox: Sandbox, program: str, limits: Limits) -> Ran:
    return sandbox.run(Job((PYTHON, "-I", "-S", "/box/main.py"), files={"main.py": program.encode()}, limits=limits))


def _grandchildren(sandbox: Sandbox) -> Finding:
    mark = f"{time.time_ns() % 10**9 + 10**6}.5"
    try:
        ran = _python(sandbox, HIDE.format(mark=mark), Limits(wall=5, processes=8))
    except SandboxFault as fault:
        return Finding("grandchildren that hide", None, str(fault))
    alive = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):
            if mark in path.read_text(errors="replace"):
                alive.append(path.parent.name)
    held = ran.ended == "exited" and ran.code == 0 and not alive
    return Finding("grandchildren that hide", held, "" if held else f"{ran.ended} {ran.code}; alive: {alive}")


def _persistence(sandbox: Sandbox) -> Finding:
    where = "('/box/left', '/tmp/left', '/dev/shm/left', '/dev/left')"
    leave = f"for p in {where}:\n    try: open(p, 'w')\n    except OSError: pass"
    look = f"import os\nif any(map(os.path.exists, {where})): print('GOT')"
    try:
        _python(sandbox, leave, Limits(wall=5, processes=2))
        left = b"GOT" in _python(sandbox, look, Limits(wall=5, processes=2)).stdout
    except SandboxFault as fault:
        return Finding("nothing left for the next run", None, str(fault))
    return Finding("nothing left for the next run", not left)
