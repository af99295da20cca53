"""The worker processes as their pool sees them: started by a keeper, spoken to over sockets, killed through pidfds."""

from __future__ import annotations

import contextlib
import errno
import json
import math
import mmap
import os
import pickle
import signal
import socket
import subprocess
import sys
import time
from dataclasses import dataclass, field

from guerdon.evidence.sending import MOST, Packed, where, why
from guerdon.evidence.worker import HEAD, MAGIC, ROW

KNOWN = 64  # graders that a worker keeps
DEAF = 120.0  # seconds that the keeper may take for a request, with all its imports
STILL = 1.0  # seconds of silence after which it is worth looking whether the keeper was stopped
FAILURES = 3  # in a row, after which no worker is hoped for
GROUP = 4  # PIDFD_SIGNAL_PROCESS_GROUP, of Linux 6.9
# The program that the keeper is: it finds what this process finds, and says why where it cannot start.
PROGRAM = (
    "import sys, json, os\n"
    "control, board, parent, memory, modules, path = json.loads(sys.argv[1])\n"
    "sys.path[:] = path\n"
    "try:\n"
    "    from guerdon.evidence.keeper import main\n"
    "except BaseException as error:\n"
    "    os.write(control, json.dumps({'broken': f'{type(error).__name__}: {error}'}).encode())\n"
    "    raise SystemExit(1)\n"
    "main(control, board, parent, memory, modules)\n"
)
ONE_THREAD = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMEXPR_NUM_THREADS")


@dataclass(eq=False)
class Worker:
    """One worker process.

    Attributes:
        tasks: what it was given and has not answered, by number, in order.
        look: when to look what it is at.
        since: when it was last known to be at nothing, or heard from.
        waits: since when the keeper owes news of its beginning or end; 0 when it does not.
        by: the signal that ended it.
    """

    slot: int
    link: socket.socket
    pid: int = 0
    pidfd: int = -1
    tasks: dict = field(default_factory=dict)
    out: bytearray = field(default_factory=bytearray)
    got: bytearray = field(default_factory=bytearray)
    known: set = field(default_factory=set)
    look: float = math.inf
    since: float = 0.0
    killed: bool = False
    waits: float = 0.0
    by: int = 0

    @property
    def ready(self) -> bool:
        """Whether it may be given items."""
        return self.pid > 0 and not self.killed and not self.out


class Crew:
    """The workers of a pool and the process that keeps them; used from one thread.

    Attributes:
        most: how many workers there may be.
        trouble: why none could be started, where that is so.
    """

    def __init__(self, most: int, memory: int | None, modules: tuple[str, ...]):
        self.most, self.memory, self.modules = most, memory, list(modules)
        self.workers: list[Worker] = []
        self.control: socket.socket | None = None
        self.trouble = ""
        self._failures = 0
        self._keeper: subprocess.Popen | None = None
        self._fd = os.memfd_create("guerdon-board", os.MFD_CLOEXEC)
        os.ftruncate(self._fd, max(most * ROW.size, mmap.PAGESIZE))
        self._board = mmap.mmap(self._fd, 0)

    # Starting and ending.

    def hire(self, needs: tuple[str, ...] = ()) -> Worker | None:
        """Asks for a worker; None where it is hopeless."""
        if self._failures >= FAILURES:
            self._failures = 0  # for the next who asks
            return None
        try:
            return self._hire(needs)
        except OSError as error:  # no descriptors, memory or processes; there may be some later
            self._failures += 1
            self.trouble = why(error)
            return None

    def _hire(self, needs: tuple[str, ...]) -> Worker:
        if self.control is None:
            self._start()
        fresh = [need for need in needs if need not in self.modules]
        if fresh:
            self.modules += fresh
            self._ask({"prepare": fresh, "path": where()})
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
        ours.setblocking(False)
        slot = next(s for s in range(self.most) if all(w.slot != s for w in self.workers))
        ROW.pack_into(self._board, slot * ROW.size, 0, 0, 0)
        worker = Worker(slot, ours, waits=time.monotonic())
        self.workers.append(worker)
        with theirs:
            self._ask({"spawn": slot}, [theirs.fileno()])
        return worker

    def _ask(self, message: dict, fds: list[int] | None = None) -> None:
        with contextlib.suppress(OSError):  # the keeper is gone, which is heard of soon
            socket.send_fds(self.control, [json.dumps(message).encode()], fds or [])

    def _start(self) -> None:
        control, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        path = where()
        given = [theirs.fileno(), self._fd, os.getpid(), self.memory or 0, self.modules, path]
        with theirs, contextlib.ExitStack() as unless_started:
            unless_started.callback(control.close)
            self._keeper = subprocess.Popen(
                [sys.executable, "-c", PROGRAM, json.dumps(given)],
                pass_fds=(theirs.fileno(), self._fd), stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL, start_new_session=True,
                env={**dict.fromkeys(ONE_THREAD, "1"), **os.environ},
            )  # fmt: skip
            unless_started.pop_all()
        self.control = control

    def hear(self) -> list[tuple[Worker, str]] | None:
        """Workers that ended and how, from what the keeper says; None when it is no more."""
        ended = []
        while True:
            try:
                message, rights, _, _ = self.control.recvmsg(1 << 16, socket.CMSG_SPACE(4), socket.MSG_DONTWAIT)
            except BlockingIOError:
                return ended
            except OSError:
                message, rights = b"", []
            if not message:
                return None
            said = json.loads(message)
            if "broken" in said:
                self.trouble = said["broken"]
                return None
            worker = next(
                (w for w in self.workers if w.slot == said.get("spawned", said.get("died", said.get("failed")))), None
            )
            if worker is None:
                continue
            if "spawned" in said:
                self._spawned(worker, said["pid"], rights)
            elif "failed" in said:
                self.trouble = said["why"]
                self._failures += 1
                ended.append((worker, said["why"]))
            else:
                worker.by = said["status"] if said["signal"] else 0
                ended.append((worker, _end(said)))

    def _spawned(self, worker: Worker, pid: int, rights: list) -> None:
        worker.pid, worker.waits = pid, 0.0
        if rights:
            worker.pidfd = int.from_bytes(rights[0][2][:4], sys.byteorder)
            self._failures, self.trouble = 0, ""
            return
        self._failures += 1  # no descriptor was free to hold it by
        self.trouble = os.strerror(errno.EMFILE)
        self.kill(worker)
        with contextlib.suppress(OSError):
            worker.link.shutdown(socket.SHUT_RDWR)  # on which it ends

    def kill(self, worker: Worker) -> None:
        """Kills a worker; the rest of its process group is killed by the keeper as it ends."""
        worker.killed = True
        worker.waits = worker.waits or time.monotonic()
        if worker.pidfd >= 0:
            with contextlib.suppress(ProcessLookupError):
                signal.pidfd_send_signal(worker.pidfd, signal.SIGKILL)

    def watch(self, now: float) -> None:
        """Kills a keeper that was stopped, or silent for too long, which is then heard of as its end."""
        owed = max((now - w.waits for w in self.workers if w.waits), default=0.0)
        if self._keeper is not None and (owed > DEAF or (owed > STILL and stopped(self._keeper.pid))):
            self._keeper.kill()

    def bury(self, worker: Worker) -> None:
        """Lets go of a worker that ended, and ends its process group where a keeper that is no more could not."""
        self.workers.remove(worker)
        worker.link.close()
        if worker.pidfd >= 0:
            with contextlib.suppress(OSError):  # nobody is left, or the kernel knows no groups by descriptor
                signal.pidfd_send_signal(worker.pidfd, signal.SIGKILL, None, GROUP)
            os.close(worker.pidfd)
            worker.pidfd = -1

    def keeper_died(self) -> None:
        """Lets go of a keeper that ended; another is started when a worker is wanted."""
        self.control.close()
        self.control = None
        code = self._keeper.wait()
        self._failures += 1
        self.trouble = self.trouble or f"the process that keeps workers ended with code {code}"

    def close(self) -> None:
        """Ends all processes; nothing is left when this returns."""
        for worker in list(self.workers):
            self.kill(worker)
            self.bury(worker)
        if self.control is not None:
            self.control.close()  # on which the keeper ends whatever is left, and itself
            self.control = None
            self._keeper.send_signal(signal.SIGCONT)  # it may have been stopped
            try:
                self._keeper.wait(5)
            except subprocess.TimeoutExpired:
                self._keeper.kill()
                self._keeper.wait()
        self._board.close()
        os.close(self._fd)

    # Talking.

    def at(self, worker: Worker) -> tuple[float, int, int]:
        """Since when (seconds, monotonic) a worker is at which item, and in which phase."""
        when, item, phase = ROW.unpack_from(self._board, worker.slot * ROW.size)
        return when * 1e-9, item, phase

    def send(self, worker: Worker, packed: Packed, deadline: float | None, items: list[tuple[int, bytes]]) -> None:
        """Gives a worker items; what its socket does not take at once is kept for `flush`."""
        anew = len(worker.known) >= KNOWN and packed.key not in worker.known
        if anew:
            worker.known.clear()
        blob = None if packed.key in worker.known else packed.blob
        worker.known.add(packed.key)
        body = pickle.dumps((anew, packed.key, blob, deadline, items), pickle.HIGHEST_PROTOCOL)
        worker.out += HEAD.pack(MAGIC, len(body))
        worker.out += body
        self.flush(worker)

    def flush(self, worker: Worker) -> None:
        """Sends what is left to be sent, as far as it goes."""
        try:
            while worker.out:
                del worker.out[: worker.link.send(memoryview(worker.out)[: 1 << 20].tobytes())]
        except BlockingIOError:
            pass
        except OSError:
            worker.out.clear()  # it is gone, which is heard of soon
            worker.killed = True

    def receive(self, worker: Worker) -> tuple[list, bool]:
        """Answers that came, and whether more may come."""
        answers: list = []
        for _ in range(64):  # others want to be heard too
            try:
                more = worker.link.recv(1 << 18)
            except BlockingIOError:
                return answers, True
            except OSError:
                return answers, False
            worker.got += more
            if not more or not _frames(worker.got, answers):
                return answers, False
        return answers, True


def stopped(pid: int) -> bool:
    """Whether a process was stopped, as by SIGSTOP; not by a debugger, which is on purpose.

    Example:
        >>> stopped(os.getpid())
        False
    """
    try:
        with open(f"/proc/{pid}/stat", "rb") as stat:
            return stat.read().rpartition(b")")[2].split()[0] == b"T"
    except (OSError, IndexError):
        return False


def _frames(got: bytearray, answers: list) -> bool:
    """Takes whole frames off; False where the bytes are none of a worker's."""
    while len(got) >= HEAD.size:
        magic, length = HEAD.unpack_from(got)
        if magic != MAGIC or length > 2 * MOST:
            return False
        if len(got) < HEAD.size + length:
            return True
        try:
            said = json.loads(bytes(memoryview(got)[HEAD.size : HEAD.size + length]))
        except (ValueError, RecursionError):
            return False
        if not isinstance(said, list):
            return False
        answers.extend(said)
        del got[: HEAD.size + length]
    return True


def _end(said: dict) -> str:
    if not said["signal"]:
        return f"exit status {said['status']}"
    try:
        return f"killed by {signal.Signals(said['status']).name}"
    except ValueError:
        return f"killed by signal {said['status']}"
