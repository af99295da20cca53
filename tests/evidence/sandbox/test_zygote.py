"""The fork server: runs share nothing, it may die, and it belongs to one process."""

import os
import pickle
import random
import shutil
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from guerdon.evidence.sandbox import Bubblewrap, Job, Limits, SandboxFault, Zygote
from guerdon.evidence.sandbox.bubblewrap import found

ECHO = Job(("/bin/echo", "held"))


def program(text, **limits):
    return Job(("/usr/bin/python3", "-I", "-S", "/box/a.py"), files={"a.py": text.encode()}, limits=Limits(**limits))


def test_nothing_persists_from_one_run_to_the_next(python):
    for path in ("/box/left", "/tmp/left", "/dev/shm/left"):
        python(f"open({path!r}, 'w').write('1')", processes=4)
        assert python(f"import os; print(os.path.exists({path!r}))", processes=4).stdout == b"False\n"
    python("import builtins, json, sys\njson.dumps = builtins.print = sys.stdout = None\nsys.modules.clear()")
    assert python("import json; print(json.dumps([1]))").stdout == b"[1]\n"


def test_one_run_does_not_find_another_in_its_memory(python):
    secret = "".join(map(chr, (120, 113, 55, 107, 90))) * 4
    python(f"x = {secret!r}; print(x)", stdin=secret.encode())
    hunt = """
found = 0
needle = bytes((120, 113, 55, 107, 90)) * 4
for line in open("/proc/self/maps"):
    a, b = (int(x, 16) for x in line.split()[0].split("-"))
    if "r" in line.split()[1] and "[v" not in line:
        with open("/proc/self/mem", "rb", buffering=0) as f:
            try:
                f.seek(a)
                data = f.read(b - a)
            except (OSError, OverflowError, ValueError): continue
            found += sum(1 for at in range(len(data)) if False) + data.count(needle)
print(found - 0)
"""
    # What the hunter makes itself to look for it is in its memory too: a run that was first finds as many.
    with_, without = python(hunt), python(hunt.replace("(120, 113, 55, 107, 90)", "(121, 114, 56, 108, 91)"))
    assert with_.code == 0 and with_.stdout == without.stdout


def test_runs_at_the_same_time_do_not_meet(python):
    text = """
import socket, time, os
s = socket.socket(socket.AF_UNIX)
s.bind("\\0meeting"); s.listen()
open("/dev/shm/meeting", "w").write("x")
time.sleep(0.6)
"""
    first = threading.Thread(target=python, args=(text,), kwargs={"processes": 4})
    first.start()
    time.sleep(0.25)
    said = python(
        "import socket, os\nprint(os.listdir('/dev/shm'), len([p for p in os.listdir('/proc') if p.isdigit()]) < 4)\n"
        "try: socket.socket(socket.AF_UNIX).connect('\\0meeting'); print('met')\nexcept OSError: print('alone')",
        processes=4,
    )
    first.join()
    assert said.stdout == b"[] True\nalone\n", said


# The server.


@pytest.fixture
def zygote():
    try:
        box = Zygote()
        box.run(ECHO)
    except SandboxFault as fault:
        pytest.skip(str(fault))
    yield box
    box.close()


def test_a_server_that_was_killed_is_started_again(zygote):
    first = zygote._live.pid
    end(zygote)
    assert zygote.run(ECHO).stdout == b"held\n"
    assert zygote._live.pid != first


def test_a_server_that_dies_under_a_run_gives_it_one_more_try(zygote):
    out = []
    runner = threading.Thread(
        target=lambda: out.append(zygote.run(program("import time; time.sleep(0.4); print('x')")))
    )
    runner.start()
    time.sleep(0.2)
    end(zygote)
    runner.join(10)
    assert out[0].stdout == b"x\n"


def test_a_server_that_dies_twice_is_a_fault(zygote):
    out, stop = [], threading.Event()

    def run():
        try:
            out.append(zygote.run(program("import time; time.sleep(5)", wall=6)))
        except SandboxFault as fault:
            out.append(fault)
        stop.set()

    runner = threading.Thread(target=run)
    runner.start()
    while not stop.wait(0.1):
        end(zygote)
    runner.join(10)
    assert isinstance(out[0], SandboxFault) and "twice" in str(out[0])
    assert zygote.run(ECHO).stdout == b"held\n"


def end(zygote):
    """Kills bwrap's process and, with the end of the namespace's first process, everything below."""
    live = zygote._live
    if live is not None and live.pid is not None:
        for pid in Path(f"/proc/{live.pid}/task/{live.pid}/children").read_text().split():
            os.kill(int(pid), signal.SIGKILL)


def test_without_its_binary_a_server_cannot_be_started_again():
    folder = Path(f"/var/tmp/guerdon-zygote-{os.getpid()}")
    folder.mkdir(mode=0o755)
    try:
        path = folder / "bwrap"
        shutil.copy(found(None), path)
        box = Zygote(str(path))
        assert box.run(ECHO).stdout == b"held\n"
        path.unlink()
        assert box.run(ECHO).stdout == b"held\n"  # what runs goes on
        end(box)
        with pytest.raises(SandboxFault, match="apt-get install bubblewrap"):
            box.run(ECHO)
    finally:
        shutil.rmtree(folder)


def test_a_forked_process_and_a_pickled_copy_have_their_own(zygote):
    assert pickle.loads(pickle.dumps(zygote)).run(ECHO).stdout == b"held\n"
    pid = os.fork()
    if pid == 0:
        ok = zygote.run(ECHO).stdout == b"held\n"
        zygote.close()
        os._exit(0 if ok else 1)
    assert os.waitpid(pid, 0)[1] == 0
    assert zygote.run(ECHO).stdout == b"held\n"


def test_runs_end_with_the_process_that_asked_for_them():
    mark = f"4322.{os.getpid()}"
    text = (
        "import sys\nfrom guerdon.evidence.sandbox import *\n"
        f"find(sys.argv[1]).run(Job(('/bin/sleep', '{mark}'), limits=Limits(wall=60)))"
    )
    # Two command lines bear the mark when bwrap is about to start, four when all runs: both are moments to die.
    for mode, lines in (("zygote", 2), ("bubblewrap", 2), ("bubblewrap", 4)):
        with subprocess.Popen([sys.executable, "-c", text, mode]) as asks:
            assert wait_for(lambda least=lines: running(mark) >= least)
            asks.kill()
        assert wait_for(lambda: running(mark) == 0), mode


@pytest.mark.parametrize(("make", "longest"), [(Bubblewrap, 0.08), (Zygote, 0.3)])
@pytest.mark.parametrize("times", [12, pytest.param(150, marks=pytest.mark.slow)])
def test_nothing_stays_whatever_the_moment_in_which_we_are_killed(make, longest, times):
    mark, chance = f"4323.{os.getpid()}{times}", random.Random(times)
    for _ in range(times):
        pid = os.fork()
        if pid == 0:
            try:
                make().run(Job(("/bin/sleep", mark), limits=Limits(wall=60, processes=chance.choice((1, 4)))))
            finally:
                os._exit(0)
        time.sleep(chance.uniform(0, longest))
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
    assert wait_for(lambda: running(mark) == 0)


def running(mark):
    def says(path):
        try:
            return mark.encode() in path.read_bytes()
        except OSError:
            return False

    return sum(says(path) for path in Path("/proc").glob("[0-9]*/cmdline"))


def wait_for(true, seconds=10.0):
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        if true():
            return True
        time.sleep(0.02)
    return False


def test_many_threads_and_nothing_leaks(zygote):
    before = len(os.listdir("/proc/self/fd"))
    wrong = []

    def some():
        for n in range(25):
            if zygote.run(program(f"print({n})")).stdout != f"{n}\n".encode():
                wrong.append(n)

    threads = [threading.Thread(target=some) for _ in range(4)]
    for one in threads:
        one.start()
    for one in threads:
        one.join()
    assert wrong == [] and len(os.listdir("/proc/self/fd")) == before
    zygote.close()
    assert len(os.listdir("/proc/self/fd")) == before - 1
