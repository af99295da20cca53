"""Starting a process with chosen descriptors and no others."""

import fcntl
import os

import pytest

from guerdon.evidence.sandbox import SandboxFault
from guerdon.evidence.sandbox.spawn import dropping, memory_file, spawn


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
