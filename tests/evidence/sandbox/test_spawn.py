"""Starting a process with chosen descriptors and no others."""

import fcntl
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from guerdon.evidence.sandbox import SandboxFault
from guerdon.evidence.sandbox.spawn import Watched, dropping, memory_file, spawn


def test_descriptors_are_those_given_whatever_is_open():
    given, out = memory_file(b"hello"), os.pipe()
    os.set_inheritable(given, True)
    leak = os.open("/dev/null", os.O_RDONLY)
    os.set_inheritable(leak, True)
    pid = spawn(["/bin/sh", "-c", "cat <&5; echo /proc/self/fd/*; env"], [given, out[1], out[1], None, None, given])
    os.close(out[1])
    assert os.waitpid(pid, 0)[1] == 0
    with open(out[0], "rb") as file:
        said = file.read().decode()
    numbers = {int(word.rpartition("/")[2]) for word in said.split() if "/fd/" in word}
    assert (
        said.startswith("hello") and {0, 1, 2, 5} <= numbers and numbers - {0, 1, 2, 5} <= {3}
    )  # 3: the listing's own
    assert "HOME=" not in said
    os.close(given)
    os.close(leak)


def test_root_becomes_nobody_first():
    assert bool(dropping()) == (os.geteuid() == 0)


def test_what_cannot_be_started_is_a_fault():
    with pytest.raises(SandboxFault, match="does not start"):
        spawn(["/no/such/program"], [None])


def test_a_memory_file_cannot_be_changed():
    file = memory_file(b"abc")
    assert os.read(file, 9) == b"abc" and fcntl.fcntl(file, fcntl.F_GETFL) & os.O_ACCMODE == os.O_RDONLY
    with pytest.raises(OSError):
        os.write(os.open(f"/proc/self/fd/{file}", os.O_RDWR), b"x")
    os.close(file)


# What is to end with us.

ASKS = """
import os, sys, time
from guerdon.evidence.sandbox.spawn import Watched, spawn
watched = Watched()
over = spawn(["/bin/true"], [])
watched.begin(over); os.waitpid(over, 0); watched.end(over)
first, second = (spawn(["/bin/sh", "-c", "sleep 60 & sleep 60"], []) for _ in range(2))
watched.begin(first); watched.begin(second)
if sys.argv[1] == "fork" and os.fork() == 0: time.sleep(60)
print(first, second, flush=True)
time.sleep(60)
"""


def living(group):
    """The processes of a group that are not dead."""
    found = []
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            state, _, number = path.read_text().rpartition(")")[2].split()[:3]
        except OSError:
            continue
        if int(number) == group and state != "Z":
            found.append(path.parent.name)
    return found


@pytest.mark.parametrize("how", ["alone", "fork"])
def test_all_of_a_group_ends_when_we_are_killed(how):
    with subprocess.Popen([sys.executable, "-c", ASKS, how], stdout=subprocess.PIPE, start_new_session=True) as asks:
        groups = [int(word) for word in asks.stdout.readline().split()]
        stood = comes(lambda: all(len(living(group)) == 3 for group in groups))
        os.kill(asks.pid, signal.SIGKILL)  # a forked copy, which lives on, does not hold the watcher's pipe open
        ended = comes(lambda: not any(map(living, groups)))
        for pid in living(asks.pid):
            os.kill(int(pid), signal.SIGKILL)
    assert stood and ended


def comes(true, seconds=10.0):
    """Whether something comes true in time."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        if true():
            return True
        time.sleep(0.01)
    return False


def test_a_watcher_that_was_killed_is_started_again():
    watched = Watched()
    watched.begin(one := spawn(["/bin/sleep", "60"], []))
    children = Path(f"/proc/self/task/{os.getpid()}/children").read_text().split()
    watcher = next(
        int(pid) for pid in reversed(children) if b"read -r line" in Path(f"/proc/{pid}/cmdline").read_bytes()
    )
    os.kill(watcher, signal.SIGKILL)
    os.waitpid(watcher, 0)
    watched.end(one)
    os.kill(one, signal.SIGKILL)
    assert os.waitpid(one, 0)[0] == one and living(one) == []
