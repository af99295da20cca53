"""A fresh bubblewrap: nothing outlives a run, nothing outside is reached, and what is missing is a fault."""

import contextlib
import os
import shutil
import signal
import socket
import subprocess
from pathlib import Path

import pytest

from guerdon.evidence.sandbox import Bubblewrap, Job, SandboxFault
from guerdon.evidence.sandbox.bubblewrap import found

ECHO = Job(("/bin/echo", "held"))


def test_grandchildren_that_hide_are_dead_after_the_run(python):
    text = """
import os, signal, sys, time
for _ in range(3):
    if os.fork() == 0:
        os.setsid()
        if os.fork(): os._exit(0)
        for n in range(1, 65):
            try: signal.signal(n, signal.SIG_IGN)
            except Exception: pass
        os.closerange(0, 64)
        os.execv("/bin/sleep", ["sleep", sys.argv[1]])
time.sleep(0.1)
"""
    mark = f"4321.{os.getpid()}"
    ran = python(text, mark, processes=16)
    assert ran.ended == "exited" and ran.seconds < 4
    assert mark not in "".join(commands())


def commands():
    """The command line of everything that runs here."""
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):
            yield path.read_text(errors="replace")


def test_a_grandchild_that_holds_the_output_does_not_hold_the_run(python):
    text = "import os, time\nif os.fork() == 0:\n    time.sleep(60)\nprint('done')"
    ran = python(text, processes=4)
    assert ran.stdout == b"done\n" and ran.seconds < 3


def test_loopback_and_abstract_sockets_of_the_host_are_not_there(python):
    server, name = socket.create_server(("127.0.0.1", 0)), f"\0guerdon-{os.getpid()}"
    local = socket.socket(socket.AF_UNIX)
    local.bind(name)
    local.listen()
    port = server.getsockname()[1]
    text = f"""
import socket
for family, to in ((socket.AF_INET, ("127.0.0.1", {port})), (socket.AF_UNIX, {name!r})):
    try:
        socket.socket(family).connect(to); print("CONNECTED")
    except OSError: print("refused")
"""
    with server, local:
        control = subprocess.run(["/usr/bin/python3", "-I", "-S", "-c", text], capture_output=True)
        assert control.stdout == b"CONNECTED\nCONNECTED\n"
        assert python(text).stdout == b"refused\nrefused\n"
        assert python(text, processes=4).stdout == b"refused\nrefused\n"


def test_the_host_is_not_touched(python):
    mark = Path(f"/tmp/guerdon-untouched-{os.getpid()}")
    mark.write_text("mine")
    try:
        python(f"open({str(mark)!r}, 'w').write('theirs')")
        assert mark.read_text() == "mine"
    finally:
        mark.unlink()
    os.kill(os.getpid(), 0)
    assert signal.getsignal(signal.SIGTERM) == signal.SIG_DFL


# The sandbox itself fails: never a result of the program.


@pytest.fixture
def copied():
    """A bwrap that may be taken away; where everyone may reach it."""
    folder = Path(f"/var/tmp/guerdon-test-{os.getpid()}")
    folder.mkdir(mode=0o755, exist_ok=True)
    path = folder / "bwrap"
    shutil.copy(found(None), path)
    path.chmod(0o755)
    yield path
    shutil.rmtree(folder)


def test_a_binary_that_is_removed_is_a_fault(copied):
    box = Bubblewrap(str(copied))
    assert box.run(ECHO).stdout == b"held\n"
    copied.unlink()
    with pytest.raises(SandboxFault, match="apt-get install bubblewrap"):
        box.run(ECHO)


@pytest.mark.parametrize("text", ["#!/bin/sh\nexit 1\n", "#!/bin/sh\nsleep 0.1\n", "#!/bin/sh\nkill -9 $$\n", "junk"])
def test_a_binary_that_fails_is_a_fault(copied, text):
    copied.write_text(text)
    with pytest.raises(SandboxFault, match="apt-get install bubblewrap"):
        Bubblewrap(str(copied)).run(ECHO)


def test_no_descriptors_left_is_a_fault_and_nothing_leaks():
    import resource

    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    before = len(os.listdir("/proc/self/fd"))
    resource.setrlimit(resource.RLIMIT_NOFILE, (before + 4, hard))
    try:
        with pytest.raises(SandboxFault):
            Bubblewrap().run(ECHO)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    assert len(os.listdir("/proc/self/fd")) == before


def test_nothing_leaks_over_many_runs():
    box = Bubblewrap()
    box.run(ECHO)
    before = len(os.listdir("/proc/self/fd"))
    for _ in range(20):
        box.run(ECHO)
    assert len(os.listdir("/proc/self/fd")) == before
    with contextlib.suppress(ChildProcessError):
        assert os.waitpid(-1, os.WNOHANG) == (0, 0)
