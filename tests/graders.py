"""Graders that do what an item tells them to, for better or worse. Light to import: workers load it."""

import contextlib
import os
import signal
import sys
import threading
import time

from guerdon.records import Verdict


def grade(what, number=0):
    """Does what it is told to, for better or worse."""
    if what == "ok":
        return Verdict.score(number % 2, number=number)
    if what == "pid":
        return Verdict.score(1, pid=os.getpid())
    if what == "sleep":
        time.sleep(number)
        return Verdict.score(1)
    if what == "hang":
        while True:
            time.sleep(1)
    if what == "big":
        return Verdict.score(number) if 9**9**9**9 else None
    if what == "deaf":
        signal.pthread_sigmask(signal.SIG_SETMASK, range(1, signal.NSIG))
        signal.setitimer(signal.ITIMER_REAL, 0)
        return grade("hang")
    if what == "stop":
        os.kill(os.getpid(), signal.SIGSTOP)
    if what == "memory":
        return Verdict.score(len([bytearray(1 << 26) for _ in range(999)]))
    if what == "_exit":
        os._exit(number)
    if what == "exit":
        sys.exit("goodbye")
    if what == "kill":
        os.kill(os.getpid(), signal.SIGKILL)
    if what == "segfault":
        import ctypes

        ctypes.string_at(0)
    if what == "raise":
        raise RuntimeError("cannot read it")
    if what == "number":
        return 1.0
    if what == "lambda":
        return Verdict.score(1, why=lambda: 0)
    if what == "long":
        return Verdict.score(1, why="x" * (17 << 20))
    if what == "noise":
        print("noise " * 10000, flush=True)
        os.write(1, b"noise" * 10000)
        os.write(2, b"noise" * 10000)
        sys.stderr.write("noise")
        return Verdict.score(1)
    if what == "flood":
        for fd in open_descriptors():
            with contextlib.suppress(OSError):
                os.write(fd, b"[[1, 0.0, [1.0, null, 0.0, 1.0, {}, []]]]" * 100000)
        return Verdict.score(1)
    if what == "close":
        os.closerange(0, 100000)
        return Verdict.score(1)
    if what == "fork":
        if os.fork() == 0:
            return Verdict.score(0, number=number)  # the child comes back, too
        return Verdict.score(1, number=number)
    if what == "thread":
        threading.Thread(target=spin, daemon=bool(number)).start()
        return Verdict.score(1)
    if what == "base":
        raise BaseException("odd")
    if what == "interrupt":
        raise KeyboardInterrupt
    if what == "recurse":
        return grade(what, number)
    if what == "nan":
        return Verdict.score(float("nan"))
    if what == "outside":
        return Verdict.score(7)
    if what == "deep":
        return Verdict.score(1, why=nested(60_000))
    if what == "nothing":
        return None
    if what == "closed tracer":
        sys.settrace(lambda *_: 1 / 0)
        return Verdict.score(1)
    if what == "die in a thread":
        threading.Thread(target=os._exit, args=(3,)).start()
        time.sleep(60)
    raise ValueError(what)


grade.needs = (__name__,)  # loaded once, before workers are forked


def open_descriptors():
    return [int(fd) for fd in os.listdir("/proc/self/fd") if int(fd) > 2]


def spin():
    while True:
        pass


def nested(depth):
    """Lists in lists."""
    out = []
    for _ in range(depth):
        out = [out]
    return out


def pooled(number):
    """Grades in a pool of its own."""
    from guerdon.evidence.pool import Pool

    with Pool(workers=1) as pool:
        return pool.run(grade, [("ok", number)], 20.0)[0]


def offspring(file, daemon):
    """Leaves grandchildren that would live on, writes their numbers down, and hangs."""
    if os.fork() == 0:
        if daemon:
            os.setsid()
            if os.fork():
                os._exit(0)
        with open(file, "a") as out:
            out.write(f"{os.getpid()}\n")
        time.sleep(60)
        os._exit(0)
    time.sleep(60)


def late(seconds):
    """Would answer, if it were let."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        pass
    return Verdict.score(1)


def length(text):
    """How long it is."""
    return Verdict.score(1, length=len(text))
