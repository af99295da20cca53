"""The filter: well formed, refusing what it names, letting through what ordinary programs need."""

import platform
import struct

import pytest

from guerdon.evidence.sandbox import SandboxFault
from guerdon.evidence.sandbox.seccomp import ALLOW, MACHINES, filter_bytes

HERE = MACHINES.get(platform.machine())
CALL = """
import ctypes, os
libc = ctypes.CDLL(None, use_errno=True)
libc.syscall.restype = ctypes.c_long
def call(*a):
    ctypes.set_errno(0)
    got = libc.syscall(*[ctypes.c_ulong(x & (2**64 - 1)) for x in a], *[ctypes.c_ulong(0)] * (7 - len(a)))
    return ctypes.get_errno() if got == -1 else 0
"""


def interpret(filtered, arch, number, arg0=0, arg1=0, arg2=0):
    """What the kernel would answer: a slow reading of the same program."""
    data = struct.pack("=IIQQQQQQQ", number, arch, 0, arg0, arg1, arg2, 0, 0, 0)
    ops = [struct.unpack_from("=HBBI", filtered, at) for at in range(0, len(filtered), 8)]
    at, word = 0, 0
    while True:
        code, yes, no, k = ops[at]
        at += 1
        if code == 0x20:
            word = struct.unpack_from("=I", data, k)[0]
        elif code == 0x06:
            return k
        else:
            holds = {0x15: word == k, 0x35: word >= k, 0x45: bool(word & k)}[code]
            at += yes if holds else no


@pytest.mark.parametrize("machine", MACHINES)
@pytest.mark.parametrize("processes", [1, 4])
class TestTheProgram:
    def test_every_named_call_is_refused_and_no_path_runs_off_the_end(self, machine, processes):
        one, filtered = MACHINES[machine], filter_bytes(processes, machine)
        for number in range(0, 520):
            got = interpret(filtered, one.audit, number)
            named = number in one.refused.values() or number in one.missing.values() or number > 450
            if named:
                assert got != ALLOW, number
        assert interpret(filtered, one.audit, one.missing["clone3"]) == 0x50000 | 38

    def test_forks_and_threads(self, machine, processes):
        one, filtered = MACHINES[machine], filter_bytes(processes, machine)
        assert interpret(filtered, one.audit, one.clone, 0x10000 | 0x100) == ALLOW
        assert (interpret(filtered, one.audit, one.clone, 17) == ALLOW) == (processes > 1)
        for flag in (0x20000, 0x2000000, 0x4000000, 0x8000000, 0x10000000, 0x20000000, 0x40000000):
            assert interpret(filtered, one.audit, one.clone, 17 | flag) != ALLOW
            assert interpret(filtered, one.audit, one.clone, 0x10000 | flag) != ALLOW
        for number in one.forks.values():
            assert (interpret(filtered, one.audit, number) == ALLOW) == (processes > 1)

    def test_arguments_are_read_where_the_kernel_reads_them(self, machine, processes):
        one, filtered = MACHINES[machine], filter_bytes(processes, machine)
        high = 0xFFFFFFFF << 32  # the kernel takes an int: what stands above it must not matter
        for domain in (2, 10, 16, 17, 38, 40):
            assert interpret(filtered, one.audit, one.socket[0], domain | high) != ALLOW
        assert (interpret(filtered, one.audit, one.socket[0], 1) == ALLOW) == (processes > 1)
        assert interpret(filtered, one.audit, one.socket[1], 1) == ALLOW
        assert interpret(filtered, one.audit, one.ioctl, 0, 0x5412 | high) != ALLOW
        assert interpret(filtered, one.audit, one.ioctl, 0, 0x5401) == ALLOW
        assert interpret(filtered, one.audit, one.personality, 0x40000) != ALLOW
        assert interpret(filtered, one.audit, one.personality, 0xFFFFFFFF) == ALLOW
        assert interpret(filtered, one.audit, one.prlimit, 1) != ALLOW
        assert interpret(filtered, one.audit, one.fcntl, 0, 1031 | high) != ALLOW  # F_SETPIPE_SZ
        assert interpret(filtered, one.audit, one.fcntl, 0, 1032) == ALLOW
        assert interpret(filtered, one.audit, one.setsockopt, 0, 1, 7 | high) != ALLOW  # SO_SNDBUF
        assert interpret(filtered, one.audit, one.setsockopt, 0, 1, 32) != ALLOW  # SO_SNDBUFFORCE
        assert interpret(filtered, one.audit, one.setsockopt, 0, 1, 2) == ALLOW
        assert interpret(filtered, one.audit, one.prlimit, 0) == ALLOW

    def test_other_architectures_are_killed(self, machine, processes):
        filtered = filter_bytes(processes, machine)
        for audit in (0x40000003, 0x40000028, 0xC00000F3):
            assert interpret(filtered, audit, 0) == 0x80000000
        assert interpret(filtered, MACHINES[machine].audit, 0x40000000 + 59) == 0x50000 | 38


def test_a_machine_without_a_table_is_said_to_be_so():
    with pytest.raises(SandboxFault, match="riscv64"):
        filter_bytes(1, "riscv64")


# In the sandbox, with the kernel.


@pytest.mark.skipif(HERE is None, reason="no table")
def test_the_kernel_refuses_each_named_call(python):
    calls = {**HERE.refused, **HERE.missing}
    said = python(CALL + f"for name, n in {calls!r}.items(): print(name, call(n))").stdout.decode().split()
    got = dict(zip(said[::2], map(int, said[1::2])))
    assert {name: got.get(name) for name in HERE.refused if got.get(name) != 1} == {}
    assert {name: got.get(name) for name in HERE.missing if got.get(name) != 38} == {}


@pytest.mark.skipif(HERE is None, reason="no table")
def test_the_kernel_refuses_what_hides_in_arguments(python):
    one = HERE
    wanted = {
        f"call({one.clone}, 17)": 1,
        f"call({one.clone}, 0x10000000 | 17)": 1,
        f"call({one.clone}, 17 | (7 << 32))": 1,
        f"call({one.socket[0]}, 40, 1)": 97,
        f"call({one.socket[0]}, 2 | (1 << 32), 1)": 97,
        f"call({one.socket[0]}, 38, 5)": 97,
        f"call({one.personality}, 0x0400000)": 1,
        f"call({one.ioctl}, 0, 0x5412)": 1,
        f"call({one.ioctl}, 0, 0x5412 | (1 << 40))": 1,
        f"call({one.prlimit}, 1, 7)": 1,
        "call(451)": 38,
        "call(9999)": 38,
    }
    said = python(CALL + "".join(f"print({text})\n" for text in wanted)).stdout.split()
    assert dict(zip(wanted, map(int, said))) == wanted


@pytest.mark.skipif(platform.machine() != "x86_64", reason="only x86_64 has other numbers")
def test_x32_and_32_bit_calls_do_not_slip_through(python):
    assert python(CALL + "print(call(0x40000000 + 101), call(0x40000000 + 521))").stdout == b"38 38\n"
    old = """
import ctypes, mmap
page = mmap.mmap(-1, 4096, prot=7)
page.write(bytes.fromhex("b814000000cd80c3"))  # mov eax, 20 (getpid); int 0x80; ret
print(ctypes.CFUNCTYPE(ctypes.c_int)(ctypes.addressof(ctypes.c_char.from_buffer(page)))())
"""
    ran = python(old)
    assert ran.ended == "signalled" and ran.code in (31, 11) and ran.stdout == b""


def test_ordinary_programs_are_let_through(python):
    text = """
import asyncio, socket, threading, tempfile, time, os
a, b = socket.socketpair(); a.send(b"1"); assert b.recv(1) == b"1"
out = []
t = [threading.Thread(target=out.append, args=(n,)) for n in range(6)]
[x.start() for x in t]; [x.join() for x in t]
async def main(): await asyncio.sleep(0); return 7
assert asyncio.run(main()) == 7 and len(out) == 6
with tempfile.NamedTemporaryFile() as f: assert f.name.startswith("/box")
print("ok")
"""
    ran = python(text)
    assert ran.stdout == b"ok\n", ran
    text = """
import multiprocessing, subprocess
assert subprocess.run(["/bin/echo", "x"], capture_output=True).stdout == b"x\\n"
if __name__ == "__main__":
    with multiprocessing.get_context("fork").Pool(2) as pool: print(pool.map(abs, [-1, -2]))
"""
    ran = python(text, processes=8)
    assert ran.stdout == b"[1, 2]\n", ran
