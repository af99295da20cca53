"""The line in front of the scoring processes: who waits, who is worked on, and what is done when one hangs.

Requests wait here and are handed to a scoring process in runs. While a run is short, one at a time is under way
and those that come meanwhile make the next one, so that many small requests share a batch; when runs take longer,
more are begun beside them. A process that dies, or works on a request past its deadline, is killed and begun
again, and what else it had is handed out once more, each request by itself.
"""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import subprocess
import sys
import time
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from guerdon.errors import EnvironmentFault
from guerdon.evidence.crew import stopped
from guerdon.server.config import Config
from guerdon.server.frames import areceive, packed
from guerdon.server.protocol import Reply, refusal

SHORT = 0.02  # seconds after which a run no longer keeps the next one waiting
RUN = 32  # the most requests in a run
RUN_BYTES = 4 * 2**20
SLOW = 5.0  # seconds after which what the start waits for is told
START = 300.0  # seconds that a reward may take to load and to grade the probe
PATIENCE = 0.5  # of the timeout, after which the requests of a run are also tried each by itself
ARRIVAL = 1.0  # seconds after SIGTERM that bodies on their way have to arrive
TRIES = 2  # how often a request is worked on when the process that works on it dies


@dataclass(eq=False)
class Job:
    """A request that waits for its reply."""

    path: str
    body: bytes
    reply: asyncio.Future
    ends: float
    tries: int = 0


@dataclass(eq=False)
class Run:
    """Requests that were handed out together."""

    jobs: list[Job]
    began: float
    doubled: bool = False


@dataclass(eq=False)
class Process:
    """A scoring process and its socket; `report` is there once it is ready, and `doing` says what it does before."""

    popen: subprocess.Popen
    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    runs: dict[int, Run] = field(default_factory=dict)
    report: dict[str, Any] | None = None
    doing: str = "the reward is loaded"
    began: float = field(default_factory=time.monotonic)

    def waited(self) -> float:
        """Seconds that it has not been ready."""
        return 0.0 if self.report is not None else time.monotonic() - self.began

    def kill(self) -> None:
        """Ends it, and what it started."""
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(self.popen.pid, signal.SIGKILL)
        self.writer.close()
        self.popen.wait()


class Line:
    """Hands requests to scoring processes.

    Attributes:
        broken: why no scoring process could be started, or "".
        tell: told what the operator has to know, when it is new: that, what a slow start waits for, or the warning of
            a self-test that scored nothing.
        arriving: the time that bodies on their way may still take.
        restarts: how many were begun again.
    """

    def __init__(self, config: Config, on_restart: Callable[[], None] = lambda: None) -> None:
        self.config, self.on_restart = config, on_restart
        self.processes: list[Process] = []
        self.waiting: deque[Job] = deque()
        self.tell: Callable[[str], None] = lambda said: None
        self._told: set[str] = set()
        self.arriving: set[asyncio.Timeout] = set()
        self.broken, self.restarts, self.ends = "", 0, float("inf")
        self._number, self._timer = 0, None
        self._tasks: set[asyncio.Task] = set()

    # Starting and ending.

    async def start(self) -> None:
        """Starts the scoring processes; they are ready some time later: see `ready`."""
        for _ in range(self.config.scorers):
            self._task(self._keep())
        self._task(self._watch())

    async def stop(self) -> None:
        """Ends everything at once."""
        for task in self._tasks:
            task.cancel()
        for process in self.processes:
            process.kill()
        self.processes.clear()
        self._refuse_all("the server is shutting down")

    def drain(self) -> None:
        """From now on there is only the grace for what is under way."""
        self.ends = min(self.ends, time.monotonic() + self.config.grace)

    @property
    def draining(self) -> bool:
        """Whether the server is to end."""
        return self.ends < float("inf")

    def ready(self) -> tuple[bool, dict[str, Any]]:
        """Whether a scoring process can score, and what its self-test said."""
        up = [p for p in self.processes if p.report is not None]
        said: dict[str, Any] = {"scorers": len(up), **(up[0].report if up else {})}
        if self.broken:
            said["broken"] = self.broken
        elif not up and self.processes:
            said["waiting"] = f"{self.processes[0].doing}, for {self.processes[0].waited():.0f} s so far"
        if self.draining:
            said["draining"] = True
        return bool(up) and not self.draining, said

    @property
    def in_flight(self) -> int:
        """How many requests wait or are worked on."""
        return len(self.waiting) + sum(len(run.jobs) for p in self.processes for run in p.runs.values())

    # Asking.

    def put(self, path: str, body: bytes) -> Job:
        """Puts a request in the line; its `reply` is there by its deadline. Cancel it to give up its place."""
        job = Job(path, body, asyncio.get_running_loop().create_future(), time.monotonic() + self.config.timeout)
        self.waiting.append(job)
        self._pump()
        return job

    def _pump(self) -> None:
        """Hands out what waits, where there is room; a short run is waited for."""
        now = time.monotonic()
        while self.waiting:
            free = [p for p in self.processes if p.report is not None and len(p.runs) < self.config.threads]
            if not free:
                return
            process = min(free, key=lambda p: len(p.runs))
            youngest = max((run.began for run in process.runs.values()), default=0.0)
            if now - youngest < SHORT:
                if self._timer is None:
                    self._timer = asyncio.get_running_loop().call_later(SHORT, self._later)
                return
            jobs = self._take()
            if jobs:
                self._number += 1
                process.runs[self._number] = Run(jobs, now)
                process.writer.write(packed((self._number, [(j.path, j.body) for j in jobs])))

    def _later(self) -> None:
        self._timer = None
        self._pump()

    def _take(self) -> list[Job]:
        """The next requests that are still wanted; one that was worked on before goes by itself."""
        jobs: list[Job] = []
        size = 0
        while self.waiting and len(jobs) < RUN and size < RUN_BYTES:
            if jobs and (self.waiting[0].tries or jobs[0].tries):
                break
            job = self.waiting.popleft()
            if not job.reply.done():
                job.tries += 1
                size += len(job.body)
                jobs.append(job)
            if not self.config.merge and jobs:
                break
        return jobs

    # Keeping the processes alive.

    async def _keep(self) -> None:
        """Starts one process, reads what it sends, and starts it again when it ends."""
        wait = 0.1
        while not self.draining:
            process = None
            try:
                process = await self._start()
                process.report = await self._started(process)
                self.broken, wait = "", 0.1
                self._pump()
                while True:
                    number, replies = await areceive(process.reader)
                    self._done(process.runs.pop(number, None), replies)
            except TimeoutError:
                self._is_broken(
                    f"serve: the reward was not loaded and tried within {START:.0f} s; a quicker start is needed"
                )
            except EnvironmentFault as error:
                self._is_broken(str(error))
                self._refuse_all(f"the reward cannot be served: {error}")
            except (asyncio.IncompleteReadError, OSError, EOFError):
                pass  # it died, or was killed
            finally:
                if process is not None:
                    self._gone(process)
            if self.draining:
                return
            self.restarts += 1
            self.on_restart()
            await asyncio.sleep(wait)
            wait = min(wait * 2, 5.0)

    async def _started(self, process: Process) -> dict[str, Any]:
        """What its self-test said; EnvironmentFault where the reward cannot be served."""
        async with asyncio.timeout(START):
            while (got := await areceive(process.reader))[0] == "loaded":
                process.doing = got[1]
        kind, said = got
        if kind == "broken":
            raise EnvironmentFault(said)
        if "warning" in said:
            self._tell_once(f"ready, but {said['warning']}")
        return said

    def _is_broken(self, why: str) -> None:
        if why != self.broken:
            self.broken = why
            self.tell(f"not ready: {why}")

    def _tell_once(self, said: str) -> None:
        if said not in self._told:
            self._told.add(said)
            self.tell(said)

    async def _start(self) -> Process:
        ours, theirs = socket.socketpair()
        command = [sys.executable, "-m", "guerdon.server.scorer", str(theirs.fileno())]
        popen = subprocess.Popen(command, pass_fds=[theirs.fileno()], start_new_session=True, stdin=subprocess.DEVNULL)
        theirs.close()
        ours.setblocking(False)
        reader, writer = await asyncio.open_unix_connection(sock=ours, limit=2**20)
        process = Process(popen, reader, writer)
        self.processes.append(process)
        writer.write(packed(self.config))
        return process

    def _done(self, run: Run | None, replies: list[Reply]) -> None:
        for job, reply in zip(run.jobs if run else [], replies, strict=False):
            if not job.reply.done():
                job.reply.set_result(reply)
        self._pump()

    def _gone(self, process: Process) -> None:
        """Its requests are tried once more; those that were, are told."""
        if process in self.processes:
            self.processes.remove(process)
        process.kill()
        for run in process.runs.values():
            for job in reversed(run.jobs):
                if job.reply.done():
                    continue
                if job.tries < TRIES:
                    self.waiting.appendleft(job)
                else:
                    why = f"unscored: the scoring process died {TRIES} times while it worked on this request"
                    job.reply.set_result(refusal(503, why, **{"Retry-After": "1"}))
        process.runs.clear()
        self._pump()

    async def _watch(self) -> None:
        """Answers what is past its deadline, and kills what still works on it."""
        while True:
            await asyncio.sleep(min(0.25, self.config.timeout / 4))
            now = time.monotonic()
            if not self.broken and self.processes and min(p.waited() for p in self.processes) > SLOW:
                self._tell_once(f"not ready yet: {self.processes[0].doing}; /ready says how long")
            for job in [j for j in self.waiting if now >= min(j.ends, self.ends)]:
                self._late(job)
            self.waiting = deque(j for j in self.waiting if not j.reply.done())
            if now >= self.ends - self.config.grace + ARRIVAL:  # told to end, and some are still sending
                while self.arriving:
                    with suppress(RuntimeError):  # its time is over already
                        self.arriving.pop().reschedule(asyncio.get_running_loop().time())
            for process in list(self.processes):
                if stopped(process.popen.pid):
                    process.kill()
                    continue
                for run in process.runs.values():
                    self._double(run, now)
                late = [j for run in process.runs.values() for j in run.jobs if now >= min(j.ends, self.ends)]
                for job in late:
                    self._late(job)
                if late:  # its task sees the end of the socket, and starts another
                    process.kill()

    def _double(self, run: Run, now: float) -> None:
        """When a run of several takes long, one may hang: each is tried alone too, and the first reply counts."""
        if run.doubled or len(run.jobs) < 2 or now - run.began < self.config.timeout * PATIENCE:
            return
        run.doubled = True
        self.waiting.extendleft(job for job in reversed(run.jobs) if not job.reply.done() and job.tries < TRIES)
        self._pump()

    def _late(self, job: Job) -> None:
        if job.reply.done():
            return
        if self.draining:
            job.reply.set_result(refusal(503, "unscored: the server is shutting down", **{"Retry-After": "1"}))
        else:
            why = (
                f"unscored: not done within {self.config.timeout:g} s; a shorter request is needed; send fewer items, "
                "give its observers a deadline, or start the server with a longer --timeout"
            )
            job.reply.set_result(refusal(504, why))

    def _refuse_all(self, why: str) -> None:
        for job in [*self.waiting, *(j for p in self.processes for run in p.runs.values() for j in run.jobs)]:
            if not job.reply.done():
                job.reply.set_result(refusal(503, f"unscored: {why}", **{"Retry-After": "1"}))
        self.waiting.clear()

    def _task(self, work: Any) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
