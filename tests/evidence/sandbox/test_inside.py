"""What a program can reach, told by the program: each says HELD, or ESCAPED and what it got; in every mode.

And, of the fork server, that a program runs in it as it does in an interpreter of its own.
"""

# ruff: noqa: E501 (programs stand in one line each)

import subprocess

import pytest

HEAD = """
import os, sys, ctypes, errno, signal, time
libc = ctypes.CDLL(None, use_errno=True)
def denied(what, call):
    try:
        got = call()
    except (OSError, ValueError, LookupError, OverflowError, MemoryError, RuntimeError) as error:
        return
    print("ESCAPED", what, str(got)[:200])
"""
FOOT = "\nprint('HELD')\n"

SAYS = {
    "host files": """
for path in ("/etc/passwd", "/etc/shadow", "/etc/hostname", "/root", "/home", "/var", "/proc/1/root/root", "/mnt",
             "/sys", "/run", "/boot", "/opt", "/srv", "/media", "/proc/1/environ", "/proc/1/mem", "/proc/kcore"):
    denied(path, lambda: os.listdir(path) if os.path.isdir(path) else open(path, "rb").read(100) or [][0])
""",
    "write outside": """
for path in ("/x", "/usr/x", "/etc/x", "/bin/x", "/lib/x", "/dev/x", "/dev/shm/x", "/proc/x", "/.held/x",
             "/proc/sys/kernel/hostname", "/proc/sys/vm/drop_caches", "/proc/self/oom_score", "/proc/sysrq-trigger"):
    denied(path, lambda: os.write(os.open(path, os.O_WRONLY | os.O_CREAT), b"1"))
denied("mkdir", lambda: os.mkdir("/keep"))
denied("chmod", lambda: os.chmod("/", 0o777))
""",
    "environment": """
extra = set(os.environ) - {"HOME", "TMPDIR", "PATH", "LANG", "PWD"}
if extra or any("SECRET" in v for v in os.environ.values()): print("ESCAPED", extra)
for entry in os.listdir("/proc"):
    if entry.isdigit() and entry != str(os.getpid()):
        denied(entry, lambda: open(f"/proc/{entry}/environ", "rb").read().index(b"SECRET"))
""",
    "processes of others": """
seen = [int(p) for p in os.listdir("/proc") if p.isdigit()]
if len(seen) > 3 or max(seen) > 20: print("ESCAPED", seen)
for pid in range(1, 3000):
    if pid not in seen: denied(pid, lambda: os.kill(pid, 0))
""",
    "descriptors": """
left = []
for n in range(0, 64):
    try: left.append((n, os.readlink(f"/proc/self/fd/{n}")))
    except OSError: pass
for n, to in left:
    if n > 2 or to.startswith("socket:"): print("ESCAPED", n, to)
denied("the first's", lambda: [to for n in os.listdir("/proc/1/fd") if "socket" in (to := os.readlink(f"/proc/1/fd/{n}"))][0])
""",
    "network": """
import socket
for family in range(1, 46):
    for kind in (1, 2, 3, 5):
        if family == socket.AF_UNIX: continue
        denied((family, kind), lambda: socket.socket(family, kind))
denied("dns", lambda: socket.getaddrinfo("example.org", 80))
""",
    "devices": """
for name in ("mem", "kmem", "sda", "vda", "kvm", "tty", "console", "ptmx", "fuse", "net/tun", "loop0", "vsock"):
    denied(name, lambda: os.open("/dev/" + name, os.O_RDONLY))
import stat
denied("mknod", lambda: os.mknod("/box/d", 0o600 | stat.S_IFBLK, os.makedev(254, 0)))
denied("mknod c", lambda: os.mknod("/box/d", 0o600 | stat.S_IFCHR, os.makedev(1, 1)))
""",
    "raise limits": """
import resource
for name in ("AS", "CPU", "FSIZE", "NOFILE", "NPROC"):
    which = getattr(resource, "RLIMIT_" + name)
    hard = resource.getrlimit(which)[1]
    if hard == -1: print("ESCAPED", name, "has no limit")
    denied(name, lambda: resource.setrlimit(which, (hard + 1, hard + 1)))
    denied(name, lambda: resource.prlimit(1, which, (hard + 1, hard + 1)))
""",
    "become root": """
denied("setuid", lambda: os.setuid(0))
denied("setgroups", lambda: os.setgroups([0]))
denied("chroot", lambda: os.chroot("/box"))
denied("sethostname", lambda: __import__("socket").sethostname("x"))
denied("uid_map", lambda: os.write(os.open("/proc/self/uid_map", os.O_WRONLY), b"0 0 1"))
if os.getuid() in (0,) or os.getgroups() not in ([], [65534]): print("ESCAPED", os.getuid(), os.getgroups())
status = open("/proc/self/status").read()
for line in status.splitlines():
    if line.startswith(("CapPrm", "CapEff", "CapInh", "CapAmb")) and int(line.split()[1], 16): print("ESCAPED", line)
    if line.startswith("NoNewPrivs") and line.split()[1] != "1": print("ESCAPED", line)
    if line.startswith("Seccomp:") and line.split()[1] != "2": print("ESCAPED", line)
""",
    "memory without limit": """
if libc.memfd_create(b"x", 0) >= 0: print("ESCAPED memfd")
denied("mmap", lambda: __import__("mmap").mmap(-1, 10 << 30))
denied("bytes", lambda: bytearray(10 << 30))
kept = []
try:
    while True: kept.append(bytearray(16 << 20))
except MemoryError:
    n = len(kept); kept.clear()
    if n > 16: print("ESCAPED", n)
""",
    "fill the disk": """
total = 0
try:
    for n in range(1000):
        with open(f"/tmp/{n}", "wb", buffering=0) as f: total += f.write(b"x" * (1 << 20))
except OSError as error: pass
if total > 33 << 20: print("ESCAPED", total)
""",
    "one large file": """
with open("/box/large", "wb", buffering=0) as f:
    denied("truncate", lambda: f.truncate(1 << 40))
    denied("seek", lambda: (f.seek(1 << 33), f.write(b"x")))
    denied("fallocate", lambda: os.posix_fallocate(f.fileno(), 0, 1 << 30))
""",
    "rmtree": """
import shutil
for top in ("/box", "/dev", "/etc", "/bin", "/proc/self", "/usr/lib/python3", "/tmp"):
    shutil.rmtree(top, ignore_errors=True)
for path in ("/usr/bin/python3", "/dev/null", "/bin/sh", "/lib"):
    if not os.path.exists(path): print("ESCAPED", path)
""",
    "own memory through /proc": """
denied("pid 1", lambda: open("/proc/1/mem", "r+b").read(1))
try:
    with open("/proc/self/mem", "r+b", buffering=0) as f:
        f.seek(id(f)); f.write(b"\\0" * 0)
except OSError: pass
""",
    "hard links and moves": """
denied("link", lambda: os.link("/usr/bin/env", "/box/env"))
denied("rename", lambda: os.rename("/usr/bin/env", "/box/env"))
os.symlink("/etc", "/box/etc")
denied("through a link", lambda: os.listdir("/box/etc/ssl"))
""",
    "setuid programs": """
import stat
os.chmod("/box/main.py", 0o6755)
for path in ("/usr/bin/su", "/usr/bin/mount", "/usr/bin/passwd"):
    denied(path, lambda: open(path, "r+b"))
""",
    "what the kernel holds": """
import fcntl, socket, array
r, w = os.pipe()
denied("pipe size", lambda: fcntl.fcntl(w, 1031, 1 << 20))
total, kept = 0, []
try:
    while True:
        pair = socket.socketpair()
        kept.append(pair)
        for one in pair:
            denied("send buffer", lambda: one.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1 << 30))
            one.setblocking(False)
            try:
                while True: total += one.send(bytes(65536))
            except BlockingIOError: pass
except OSError: pass
if total > 32 << 20: print("ESCAPED", total)
kept.clear()
a, b = socket.socketpair()
n = 0
try:
    while n < 5000:
        a.sendmsg([b"x"], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [r]))]); n += 1
except OSError: pass
if n > 100: print("ESCAPED", n, "in flight")
timer, n = ctypes.c_int(), 0
while n < 1000 and libc.timer_create(1, 0, ctypes.byref(timer)) == 0: n += 1
if n > 300: print("ESCAPED", n, "timers")
""",
    "files that nobody sees": """
n, kept = 0, []
try:
    while True:
        kept.append(os.open("/box", os.O_TMPFILE | os.O_RDWR)); n += os.write(kept[-1], bytes(4 << 20))
except OSError: pass
if n > 33 << 20: print("ESCAPED", n)
""",
    "others' order": """
denied("real time", lambda: os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(1)))
denied("nice", lambda: os.setpriority(os.PRIO_PROCESS, 0, -5))
denied("nice of all", lambda: os.setpriority(os.PRIO_USER, os.getuid(), -20))
if os.getpriority(os.PRIO_PROCESS, 0) < 0: print("ESCAPED", os.getpriority(os.PRIO_PROCESS, 0))
""",
    "what the kernel says": """
for name in ("kmsg", "kcore", "sys/kernel/core_pattern", "sys/kernel/modprobe", "sysrq-trigger", "sys/vm/overcommit_memory",
             "sys/fs/binfmt_misc/register", "irq/default_smp_affinity", "acpi", "scsi", "timer_list"):
    denied(name, lambda: os.open("/proc/" + name, os.O_RDWR))
if any(int(line.split()[0], 16) for line in open("/proc/kallsyms").readlines()[:50]): print("ESCAPED addresses")
""",
    "names that are no names": """
os.mkdir("a\\nb"); open("a\\nb/-rf \\x1b[31m", "w").close(); os.mkfifo("f"); os.symlink("f", "g"); os.symlink("/proc/self/fd", "h")
denied("link from another", lambda: os.link("/proc/self/fd/0", "/box/l", follow_symlinks=True))
""",
    "signals upwards": """
for sig in (signal.SIGTERM, signal.SIGINT, signal.SIGKILL, signal.SIGSTOP, signal.SIGSEGV, signal.SIGHUP):
    for pid in (1, os.getppid()):
        try: os.kill(pid, sig)
        except OSError: pass
signal.signal(signal.SIGTERM, signal.SIG_IGN)
denied("all", lambda: os.kill(-1, signal.SIGKILL) or [][0])
time.sleep(0.02)
""",
}


@pytest.mark.parametrize("attack", SAYS)
def test_what_a_program_tries_is_refused(python, attack, monkeypatch):
    monkeypatch.setenv("SECRET", "SECRET")
    ran = python(HEAD + SAYS[attack] + FOOT, memory=(128 << 20 if "memory" in attack else 512 << 20))
    assert b"ESCAPED" not in ran.stdout, ran.stdout[:1000]
    assert ran.stdout == b"HELD\n" and ran.code == 0, ran
    assert python("print(1)").stdout == b"1\n"


# A program that runs in the forked interpreter does what it does in one of its own.

SAME = {
    "output": "print('a', 'ä€', end=''); import sys; sys.stderr.write('e')",
    "an error": "def f():\n    return 1 / 0\nprint('before')\nf()",
    "a chain of errors": "try: 1 / 0\nexcept Exception as e: raise ValueError('x') from e",
    "bad syntax": "print(1\nx ===",
    "exit with text": "import sys; print('x'); sys.exit('bye')",
    "exit": "raise SystemExit",
    "exit with a number": "import sys; sys.exit(300)",
    "at exit": "import atexit; atexit.register(print, 'late'); print('early')",
    "threads": "import threading, time\nthreading.Thread(target=lambda: (time.sleep(0.05), print('late'))).start()\nprint('early')",
    "a daemon": "import threading, time\nthreading.Thread(target=time.sleep, args=(99,), daemon=True).start()\nprint('x')",
    "deletion": "class A:\n    def __del__(self): print('gone')\na = A()",
    "deletion in a circle": "class A:\n    def __del__(self): print('gone')\na = A(); a.a = a",
    "main": "import sys, __main__\nx = 3\nprint(__name__, __main__.x, __file__, sys.argv, __builtins__.__name__)",
    "pickle": "import pickle\nclass A: pass\nprint(type(pickle.loads(pickle.dumps(A()))).__module__)",
    "paths and flags": "import sys; print(sys.path, sys.flags, sys.executable, sys.prefix, sys.version, sys.getrecursionlimit())",
    "input": "print(input()); import sys; print(sys.stdin.readline(), [*sys.stdin], sys.stdin.encoding, sys.stdin.name)",
    "streams": "import sys\nfor s in (sys.stdin, sys.stdout, sys.stderr): print(s.encoding, s.errors, s.line_buffering, s.mode, s.name)",
    "bytes": "import sys; sys.stdout.buffer.write(sys.stdin.buffer.read()[::-1])",
    "surrogates": "print('\\udcff')",
    "encoding": "# -*- coding: latin-1 -*-\nprint('\u00e9')",
    "closed output": "import sys; sys.stdout.close()",
    "signals": "import signal; print([signal.getsignal(n) for n in (1, 2, 13, 15, 17, 25)])",
    "names": "print(sorted(globals()))",
    "annotations": "x: int = 1\nprint(__annotations__)",
    "folder": "import os; print(os.getcwd(), os.listdir('.'), os.environ['HOME'], os.isatty(0))",
    "warnings": "import warnings; warnings.warn('careful')",
    "exception in a thread": "import threading\nt = threading.Thread(target=lambda: 1 / 0, name='t'); t.start(); t.join()",
    "excepthook": "import sys\nsys.excepthook = lambda *a: print('mine', a[0])\n1 / 0",
    "interrupt": "raise KeyboardInterrupt",
    "an end at exit": "import atexit, os\natexit.register(os._exit, 0)\nprint('before')",
    "an end at exit after an error": "import atexit, os\natexit.register(os._exit, 0)\nprint('before')\n1 / 0",
    "an end without exit": "import os\nprint('lost'); os._exit(3)",
}


@pytest.mark.parametrize("what", SAME)
def test_the_forked_interpreter_is_like_one_of_its_own(modes, what):
    text, stdin = SAME[what], b"eins\nzwei\ndrei"
    ran = {name: run(text, stdin=stdin) for name, run in modes.items()}
    seen = {name: (one.ended, one.code, one.stdout, one.stderr) for name, one in ran.items()}
    assert seen["zygote"] == seen["bubblewrap"]


def test_random_numbers_differ_from_run_to_run(python):
    text = "import random, secrets, uuid; print(random.random(), secrets.token_hex(), uuid.uuid4())"
    assert len({python(text).stdout for _ in range(5)}) == 5


def test_a_text_on_the_command_line_runs_too(modes):
    from guerdon.evidence.sandbox import Job, find

    for name in modes:
        ran = find(name).run(Job(("/usr/bin/python3", "-I", "-S", "-c", "import sys; print(sys.argv)", "a")))
        assert ran.stdout == b"['-c', 'a']\n"


def test_the_server_is_written_for_the_system_interpreter():
    from guerdon.evidence.sandbox import inside

    subprocess.run(["/usr/bin/python3", "-I", "-S", "-m", "py_compile", inside.__file__], check=False)
    assert inside.exit_status(None) == 0 and inside.exit_status(257) == 1
