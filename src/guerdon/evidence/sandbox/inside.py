"""The fork server that runs inside bubblewrap; started by zygote.py in the system's interpreter, as `python -I -S`.

It imports nothing of Guerdon, and nothing of a run ever reaches this process: it takes descriptors, makes a child with
namespaces of its own, and hands back a descriptor of that child. The child (the first process of its namespace) mounts
a fresh /box and /proc, and forks the program, which reads its own job, gives everything up and runs. So nothing can be
left from one run for the next, not even in memory.
"""

# ruff: noqa: F401
# ruff: noqa: S110, SIM105, SIM115, UP031, RUF059
# (at a program's end nothing may raise, and plain Python is quick)
import _socket
import array
import atexit
import builtins
import ctypes
import errno
import gc
import io
import json
import os
import resource
import select
import signal
import struct
import sys
import types

for _name in [
    "abc",
    "bisect",
    "collections",
    "collections.abc",
    "contextlib",
    "copy",
    "dataclasses",
    "datetime",
    "enum",
    "functools",
    "heapq",
    "inspect",
    "itertools",
    "linecache",
    "math",
    "operator",
    "random",
    "re",
    "string",
    "threading",
    "time",
    "traceback",
    "typing",
    "warnings",
]:
    __import__(_name)

NEW = 0x10000000 | 0x20000000 | 0x00020000 | 0x08000000 | 0x04000000 | 0x02000000  # user pid mount ipc uts cgroup
# A network namespace of its own is a third of the time of a run. A run with one process cannot make a socket at all
# (the filter refuses them, abstract ones too), so the server's, in which there is nothing, is as good.
NET = 0x40000000
PIDFD = 0x00001000
CLONE = {"x86_64": 56, "aarch64": 220}[os.uname().machine]
NOSUID, NODEV, NOEXEC, RDONLY = 2, 4, 8, 1
HEAD = struct.Struct("=QQQ")  # disk, files, processes
INTERRUPTED = 256 + signal.SIGINT  # not a status: the interpreter ends itself with the signal
libc = ctypes.PyDLL(None, use_errno=True)  # holds the interpreter's lock, so that nothing else runs in a fresh child


def checked(result, what):
    """The result of a C call; an error when it is -1."""
    if result == -1:
        number = ctypes.get_errno()
        raise OSError(number, f"{what}: {os.strerror(number)}")
    return result


def send(sock, data, descriptors=()):
    """Sends a message, with descriptors."""
    rights = [(_socket.SOL_SOCKET, _socket.SCM_RIGHTS, array.array("i", descriptors))] if descriptors else []
    sock.sendmsg([data], rights)


def receive(sock):
    """A message and the descriptors that came with it."""
    data, extra, flags, _ = sock.recvmsg(4096, _socket.CMSG_SPACE(4 * 8))
    out = array.array("i")
    for level, kind, rights in extra:
        if level == _socket.SOL_SOCKET and kind == _socket.SCM_RIGHTS:
            out.frombytes(rights[: len(rights) - len(rights) % 4])
    return data, list(out)


def serve(sock):
    """Takes requests until the other end is closed, which ends this process and, with it, all namespaces below."""
    filters = {1: receive(sock)[0], 2: receive(sock)[0]}
    send(sock, b"ready")
    running = 0
    while True:
        if running and not select.select([sock], [], [], 0.25)[0]:
            running -= reap()
            continue
        data, given = receive(sock)
        if not data:
            os._exit(0)
        running -= reap()
        pidfd = ctypes.c_int(-1)
        flags = NEW | PIDFD | signal.SIGCHLD | (NET if HEAD.unpack(data)[2] > 1 else 0)
        pid = libc.syscall(CLONE, ctypes.c_ulong(flags), None, ctypes.byref(pidfd), None, None)
        if pid == 0:
            first(sock, data, given, filters)
            os._exit(0)
        ctl = _socket.socket(fileno=given[0])
        try:
            if pid == -1:
                send(ctl, b"e" + ("no new namespaces: " + os.strerror(ctypes.get_errno())).encode())
            else:
                running += 1
                send(ctl, b"p", [pidfd.value])
                os.close(pidfd.value)
        except OSError:
            pass  # nobody waits for this run any more; its first process will notice
        finally:
            ctl.close()
            for one in given[1:]:
                os.close(one)


def reap():
    """Waits for runs that are over; how many there were."""
    count = 0
    try:
        while os.waitpid(-1, os.WNOHANG)[0]:
            count += 1
    except ChildProcessError:
        pass
    return count


def first(sock, head, given, filters):
    """The first process of the run's namespaces: makes the tree, forks the program, says how it ended."""
    ctl = _socket.socket(fileno=given[0])
    try:
        checked(libc.prctl(1, ctypes.c_ulong(9), 0, 0, 0), "die with the server")
        sock.close()
        disk, files, processes = HEAD.unpack(head)
        tree(disk, files, processes)
        folders = [os.open("/box", os.O_PATH | os.O_DIRECTORY)]
        if processes > 1:
            folders.append(os.open("/dev/shm", os.O_PATH | os.O_DIRECTORY))
        checked(libc.prctl(4, ctypes.c_ulong(0), 0, 0, 0), "hide")  # not dumpable: the program cannot look in here
        send(ctl, b"w", folders)
        pid = os.fork()
        if pid == 0:
            try:
                ctl.close()
                program(given[1:], filters[1 if processes == 1 else 2])
            except BaseException as error:
                os.write(2, (f"sandbox: {error}\n").encode(errors="replace"))
            os._exit(127)
        for one in given[1:] + folders:
            os.close(one)
        drop()
        while True:
            ended, status, usage = os.wait4(-1, 0)
            if ended == pid:
                break
        send(ctl, struct.pack("=cid", b"s", status, usage.ru_utime + usage.ru_stime))
    except BaseException as error:
        try:
            send(ctl, b"e" + str(error).encode(errors="replace")[:1000])
        except OSError:
            pass


def put(path, text):
    """Writes a file of the kernel's in one call."""
    file = os.open(path, os.O_WRONLY)
    os.write(file, text)
    os.close(file)


def tree(disk, files, processes):
    """Who we are, and what can be written: mounts that this run alone has."""
    put("/proc/self/setgroups", b"deny")
    put("/proc/self/uid_map", b"65534 65534 1")
    put("/proc/self/gid_map", b"65534 65534 1")
    options = "size=%d,nr_inodes=%d,mode=0755" % (disk, files)
    mount("tmpfs", "/box", NOSUID | NODEV, options)
    mount("proc", "/proc", NOSUID | NODEV | NOEXEC, None)
    if processes > 1:
        mount("tmpfs", "/dev/shm", NOSUID | NODEV, "size=%d,nr_inodes=%d,mode=1777" % (min(disk, 4 << 20), files))
    os.chdir("/box")


def mount(kind, where, flags, options):
    """Mounts one file system."""
    given = options.encode() if options else None
    checked(libc.mount(kind.encode(), where.encode(), kind.encode(), ctypes.c_ulong(flags), given), "mount " + where)


def drop():
    """Gives every capability up."""
    header = struct.pack("=Ii", 0x20080522, 0)
    checked(libc.capset(header, b"\0" * 24), "capset")


def taken(file, size):
    """So many bytes of a file."""
    data = os.read(file, size)
    while len(data) < size:
        data += os.read(file, size - len(data))
    return data


def program(given, filtered):
    """What the forked process does before the program's own first line."""
    job = json.loads(taken(given[0], struct.unpack("=I", taken(given[0], 4))[0]))
    for name, length in job["files"]:
        if "/" in name:
            os.makedirs(name.rpartition("/")[0], exist_ok=True)
        out = os.open(name, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o755)
        while length:
            length -= os.sendfile(out, given[0], None, length)
        os.close(out)
    os.setsid()
    high = [os.dup(one) for one in given[1:]]  # above all targets: 0 to 2 are open, and given are 3 and more
    high = [one if one > 3 else os.dup(one) for one in high]
    for to, one in enumerate(high):
        os.dup2(one, to, inheritable=True)
    os.closerange(len(high), 1 << 20)
    for which, (soft, hard) in job["limits"]:
        _, has = resource.getrlimit(which)
        top = hard if has == resource.RLIM_INFINITY else min(hard, has)
        resource.setrlimit(which, (min(soft, top), top))
    drop()
    checked(libc.prctl(4, ctypes.c_ulong(1), 0, 0, 0), "dumpable")
    checked(libc.prctl(38, ctypes.c_ulong(1), 0, 0, 0), "no new privileges")
    text = ctypes.create_string_buffer(filtered, len(filtered))
    command = struct.pack("=HxxxxxxQ", len(filtered) // 8, ctypes.addressof(text))
    checked(libc.prctl(22, ctypes.c_ulong(2), command, 0, 0), "seccomp")
    del text
    argv = job["argv"]
    if job["python"]:
        run_python(argv)
    for one in (signal.SIGPIPE, signal.SIGXFSZ):
        signal.signal(one, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    try:
        os.execv(argv[0], argv)
    except OSError as error:
        os.write(2, (f"{argv[0]}: {error.strerror}\n").encode(errors="replace"))
        os._exit(126)


def run_python(argv):
    """Does what `python -I -S ...` does with a script or `-c`, in this interpreter; never returns."""
    signal.signal(signal.SIGINT, signal.default_int_handler)
    sys.stdin, sys.stdout, sys.stderr = stream(0, "r"), stream(1, "w"), stream(2, "w")
    sys.__stdin__, sys.__stdout__, sys.__stderr__ = sys.stdin, sys.stdout, sys.stderr
    sys.orig_argv = list(argv)
    main = types.ModuleType("__main__")
    main.__builtins__, main.__annotations__ = builtins, {}
    sys.modules["__main__"] = main
    status = 0
    try:
        if argv[3] == "-c":
            sys.argv = ["-c", *argv[5:]]
            source, name = argv[4], "<string>"
        else:
            sys.argv = argv[3:]
            main.__file__ = name = argv[3]
            main.__cached__ = None
            with open(name, "rb") as file:
                source = file.read()
        try:
            exec(compile(source, name, "exec", dont_inherit=True), main.__dict__)
        finally:
            if argv[3] != "-c":
                flush()  # of a file, not of a text, the interpreter does so before all that comes at the end
    except SystemExit as stop:
        status = exit_status(stop.code)
    except BaseException as error:
        status = INTERRUPTED if isinstance(error, KeyboardInterrupt) else 1
        try:
            error.__traceback__ = error.__traceback__.tb_next
            sys.excepthook(type(error), error, error.__traceback__)
        except BaseException:
            pass
        del error
    finish(main, status)


def flush():
    """Writes out what was printed, as far as there is where to."""
    for file in (sys.stderr, sys.stdout):
        try:
            file.flush()
        except BaseException:
            pass


def stream(number, mode):
    """Like the interpreter's own, which looked at descriptors that are others now."""
    said = ("<stdin>", "<stdout>", "<stderr>")[number]
    buffer = open(number, mode + "b", closefd=False)
    buffer.raw.name = said
    errors = "backslashreplace" if number == 2 else "surrogateescape"
    text = io.TextIOWrapper(buffer, "utf-8", errors, None if mode == "r" else "\n", line_buffering=number == 2)
    text.mode = mode
    return text


def exit_status(code):
    """The exit status of `SystemExit(code)`, which may be text."""
    if code is None:
        return 0
    if isinstance(code, int):
        return code & 0xFF
    try:
        sys.stderr.write(str(code) + "\n")
    except BaseException:
        pass
    return 1


def finish(main, status):
    """What the interpreter does at its end, without the time that it takes to free what the server had imported."""
    steps = [sys.modules["threading"]._shutdown, atexit._run_exitfuncs, main.__dict__.clear, gc.collect]
    for step in steps:
        try:
            step()
        except BaseException:
            pass
    for file in (sys.stderr, sys.stdout):
        try:
            if file is not None and not file.closed:
                file.flush()
        except BaseException:
            status = 120 if file is sys.stdout else status
    if status == INTERRUPTED:
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        os.kill(os.getpid(), signal.SIGINT)
    os._exit(status)


def warm():
    """Does here once what every run does: what is found or written down on the way is then not copied in each."""
    for name in ("prctl", "mount", "capset", "syscall"):
        getattr(libc, name)
    for _ in range(20):  # by then the interpreter has settled how it runs these functions
        with stream(0, "r"), stream(1, "w"), stream(2, "w"):
            job = json.loads('{"argv": ["a", "b"], "python": true, "limits": [[1, [2, 2]]], "files": [["main.py", 3]]}')
            main = types.ModuleType(str(job["argv"][0]))
            exec(
                compile(b"import json, sys\nx = [y for y in (1, 2)]\n", "main.py", "exec", dont_inherit=True),
                main.__dict__,
            )


if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    control = _socket.socket(fileno=3)
    sys.argv = [""]
    warm()
    gc.collect()
    gc.freeze()
    serve(control)
