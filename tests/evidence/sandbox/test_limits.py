"""Limits: how a run ends when it goes over one, in every mode, and what the watching reads."""

# ruff: noqa: E501 (programs stand in one line each)

import os
import shutil
import subprocess
import sys
import time

import pytest

from guerdon.evidence.sandbox import Job, Limits
from guerdon.evidence.sandbox.limits import Pipes, descendants, prlimit_words, resident, watch

# Judged from outside: how it ended.

ENDS = {
    "loop": ("while True: pass", {"wall": 0.3}, "timeout"),
    "loop against processor time": ("while True: pass", {"cpu": 1, "wall": 9}, "timeout"),
    "sleep": ("import time; time.sleep(60)", {"wall": 0.2}, "timeout"),
    "stop self": ("import os; os.kill(os.getpid(), 19)", {"wall": 0.3}, "timeout"),
    "ignore every signal": (
        "import signal\nfor n in range(1, 65):\n    try: signal.signal(n, signal.SIG_IGN)\n    except Exception: pass\n"
        "while True: pass",
        {"wall": 0.3},
        "timeout",
    ),
    "read for ever": ("open('/dev/zero', 'rb').read()", {}, "exited"),
    "regular expression": ("import re; re.match('(a*)*b', 'a' * 50)", {"wall": 0.3}, "timeout"),
    "power tower": ("9 ** 9 ** 9", {"wall": 0.3}, "timeout"),
    "print for ever": ("while True: print('x' * 9999)", {}, "output"),
    "complain for ever": ("import sys\nwhile True: sys.stderr.write('x' * 9999)", {}, "output"),
    "flood the answers": ("import os\nwhile True: os.write(3, b'x' * 9999)", {}, "output"),
    "a hundred megabytes of JSON": ("import os\nx = b'1,' * 1000\nfor _ in range(50000): os.write(3, x)", {}, "output"),
    "segfault": ("import ctypes; ctypes.string_at(0)", {}, "signalled"),
    "abort": ("import os; os.abort()", {}, "signalled"),
    "recursion": ("def f(): f()\nf()", {}, "exited"),
    "deep recursion": (
        "import sys\nsys.setrecursionlimit(10**9)\ndef f(): f()\nf()",
        {"wall": 0.3},
        ("signalled", "exited", "timeout"),
    ),
    "fork bomb": ("import os\nwhile True: os.fork()", {}, "exited"),
    "thread bomb": (
        "import threading, time\nwhile True: threading.Thread(target=time.sleep, args=(9,)).start()",
        {"wall": 0.4},
        ("exited", "timeout"),
    ),
    "fork bomb where fork is allowed": (
        "import os\nwhile True:\n    try: os.fork()\n    except OSError: pass",
        {"processes": 8, "wall": 0.4},
        ("timeout", "memory"),
    ),
    "memory of several": (
        "import os, time\nfor _ in range(6):\n    if not os.fork():\n        x = bytearray(40 << 20); time.sleep(5); os._exit(0)\n"
        "time.sleep(5)",
        {"processes": 8, "memory": 128 << 20},
        "memory",
    ),
    "empty files without end": (
        "n = 0\nwhile True:\n    open(f'/box/{n}', 'w').close(); n += 1",
        {"wall": 4},
        ("exited", "memory"),
    ),
    "attributes without end": (  # memory of the kernel's that no file's size counts
        "import os\nfor i in range(10**6):\n    open(f'/box/{i}', 'w').close()\n"
        "    for k in range(40): os.setxattr(f'/box/{i}', f'user.{k}', bytes(1000))",
        {"wall": 4},
        ("exited", "memory"),
    ),
    "folders without end": ("import os\nwhile True: os.mkdir('d'); os.chdir('d')", {"wall": 4}, ("exited", "memory")),
    "a file in a file": (
        "f = open('/box/f', 'wb', 0)\nwhile True: f.write(bytes(1 << 20))",
        {},
        ("exited", "signalled"),
    ),
    "byte by byte": ("import os\nfor _ in range(10**7): os.write(1, b'x')", {"wall": 0.6, "output": 1000}, "output"),
    "threads that turn": (
        "import threading\nfor _ in range(12): threading.Thread(target=lambda: [0 for _ in iter(int, 1)]).start()",
        {"wall": 0.4},
        "timeout",
    ),
    "forks that end at once": (
        "import os\nwhile True:\n    try:\n        if os.fork() == 0: os._exit(0)\n        os.wait()\n    except OSError: pass",
        {"wall": 0.3, "processes": 4},
        "timeout",
    ),
    "a large empty mapping that is read": (
        "import mmap, os\nfor _ in range(6):\n    if os.fork(): continue\n"
        "    m = mmap.mmap(-1, 8 << 30, flags=mmap.MAP_PRIVATE | 0x4000, prot=mmap.PROT_READ); m.madvise(15)\n"
        "    for at in range(0, 8 << 30, 2 << 20): m[at]\n    os.read(0, 1); import time; time.sleep(9)\nos.wait()",
        {"processes": 8, "address": 16 << 30, "memory": 32 << 20},
        "memory",
    ),
    "exit at once": ("import os; os._exit(0)", {}, "exited"),
    "execute another": ("import os; os.execv('/bin/sh', ['sh', '-c', 'exit 3'])", {}, "exited"),
}


@pytest.mark.parametrize("attack", ENDS)
def test_a_run_ends_as_it_should_and_in_time(python, attack):
    text, limits, ends = ENDS[attack]
    began = time.monotonic()
    ran = python(text, answers=True, **limits)
    took = time.monotonic() - began
    assert ran.ended in ((ends,) if isinstance(ends, str) else ends), ran
    assert took < limits.get("wall", 5) + 1.0
    most = Limits().output
    assert max(map(len, (ran.stdout, ran.stderr, ran.answers))) <= most
    assert python("print(1)").stdout == b"1\n"


@pytest.mark.slow
def test_the_end_of_processor_time_cannot_be_ignored(python):
    text = "import signal\nsignal.signal(signal.SIGXCPU, signal.SIG_IGN)\nwhile True: pass"
    assert python(text, cpu=1, wall=9).ended == "timeout"


def test_a_loop_in_c_is_ended(sandbox, tmp_path):
    if not shutil.which("gcc"):
        pytest.skip("gcc is not installed")
    (tmp_path / "a.c").write_text("int main(void) { volatile long n = 0; for (;;) n++; }")
    subprocess.run(["gcc", "-O1", "-o", tmp_path / "a", tmp_path / "a.c"], check=True)
    job = Job(("/box/a",), files={"a": (tmp_path / "a").read_bytes()}, limits=Limits(wall=0.3))
    assert sandbox.run(job).ended == "timeout"


def test_many_runs_side_by_side_do_not_eat_each_others_processes(python):
    import concurrent.futures

    text = "import os, time\nfor _ in range(6):\n    if os.fork() == 0: time.sleep(0.2); os._exit(0)\nfor _ in range(6): os.wait()\nprint('ok')"
    with concurrent.futures.ThreadPoolExecutor(6) as pool:
        assert {ran.stdout for ran in pool.map(lambda _: python(text, processes=7), range(6))} == {b"ok\n"}


# What is watched from outside.


def test_descendants_and_memory_are_those_of_the_tree():
    text = "import os, time\nx = bytearray(30 << 20)\nif os.fork() == 0: y = bytearray(20 << 20)\nprint(flush=True); time.sleep(9)"
    with subprocess.Popen([sys.executable, "-I", "-S", "-c", text], stdout=subprocess.PIPE) as tree:
        tree.stdout.read(2)
        assert len(descendants(tree.pid)) == 2
        # The first 30 MB are shared since the fork: counted once exactly, twice quickly.
        assert 50 << 20 < resident(tree.pid, 1 << 20) < 85 << 20 < resident(tree.pid, 1 << 40) + (10 << 20)
        for pid in descendants(tree.pid):
            os.kill(pid, 9)
    assert descendants(2**22 - 1) == [2**22 - 1] and resident(2**22 - 1, 0) == 0


def test_pipes_are_kept_up_to_a_limit_and_the_end_is_seen():
    reader, writer = os.pipe()
    done, end = os.pipe()
    pipes = Pipes({"stdout": reader}, 10)
    os.write(writer, b"x" * 50)
    assert watch(pipes, done, time.monotonic() + 5, lambda: False, 1.0) == "output"
    assert pipes.kept("stdout") == b"x" * 10 and pipes.kept("answers") == b""
    pipes.close()
    reader, other = os.pipe()
    pipes = Pipes({"stdout": reader}, 10)
    os.close(other)  # an end of file is not the end of the run, and must not spin
    began = time.process_time()
    assert watch(pipes, done, time.monotonic() + 0.2, lambda: False, 1.0) == "timeout"
    assert time.process_time() - began < 0.1
    assert watch(pipes, done, time.monotonic() + 5, lambda: True, 0.01) == "memory"
    os.write(end, b"1")
    assert watch(pipes, done, time.monotonic() + 5, lambda: False, 1.0) is None
    pipes.close()
    for one in (writer, done, end):
        os.close(one)


def test_limits_are_never_asked_for_above_what_there_is():
    import resource

    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY:
        assert f"--nofile={hard}:{hard}" in prlimit_words(Limits(open=hard + 100))
