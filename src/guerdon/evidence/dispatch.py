"""The thread that hands items to workers: whose turn it is, who is overdue, and what becomes of whom.

Every item that is added ends in exactly one verdict or, where its job was cancelled, in none. All
state belongs to this one thread; others leave orders in a queue and wake it.
"""

from __future__ import annotations

import contextlib
import itertools
import os
import selectors
import signal
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field

from guerdon.evidence.crew import STILL, Crew, Worker, stopped
from guerdon.evidence.sending import Packed, read, why
from guerdon.evidence.worker import GRADING, LOADING
from guerdon.records import Verdict

LATE = 0.005  # seconds past a deadline at which this thread says so, without waiting to hear of the end of the worker
START = 10.0  # seconds for a worker to begin an item that it was given
LOAD = 300.0  # seconds for a worker to load a grader
AIM = 0.004  # seconds of work in one chunk
CHUNK = 64  # items at most in a chunk
CHUNK_BYTES = 1 << 20
LOADS = (
    5  # workers in a row that may die while they load a grader; of kills, which may come from outside, ten times that
)
TRIES = 2  # how often an item may have its worker die


@dataclass(eq=False)
class Job:
    """The items of one call.

    Attributes:
        answer: takes (index, verdict) pairs; called from the dispatching thread, must not block.
    """

    packed: Packed
    deadline: float | None
    answer: Callable[[list[tuple[int, Verdict]]], None]
    waiting: deque[Task] = field(default_factory=deque)
    cancelled: float | None = None  # when

    @property
    def kind(self) -> tuple[str, float | None]:
        """What the items of one chunk have in common."""
        return self.packed.key, self.deadline


@dataclass(eq=False, slots=True)
class Task:
    """One item on its way."""

    job: Job
    index: int
    blob: bytes
    number: int = 0
    deaths: int = 0


class Dispatcher:
    """Runs jobs on a crew of workers until it is closed."""

    def __init__(self, crew: Crew, chunks: bool = True):
        self.crew, self.chunks = crew, chunks
        self.orders: deque[tuple] = deque()
        self.turn: deque[Job] = deque()  # jobs with waiting items, whose turn it is first
        self.pace: dict[str, float] = {}  # seconds an item takes, by grader
        self.loads: dict[str, float] = {}  # workers in a row that died loading, by grader
        self.numbers = itertools.count(1)
        self.closed = False
        self.waker = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
        self.selector = selectors.DefaultSelector()
        self.selector.register(self.waker, selectors.EVENT_READ, None)
        self.lock = threading.Lock()
        self.thread = threading.Thread(target=self._run, name="guerdon-pool", daemon=True)
        self.thread.start()

    # For other threads.

    def add(self, job: Job, tasks: list[Task]) -> None:
        """Gives items of a job; raises RuntimeError when the dispatcher is closed."""
        self._order("add", job, tasks)

    def cancel(self, job: Job) -> None:
        """Forgets a job: nothing more is answered to it, and what runs for it is ended soon."""
        with contextlib.suppress(RuntimeError):
            self._order("cancel", job)

    def close(self) -> None:
        """Ends all workers; what was not graded is unscored."""
        with contextlib.suppress(RuntimeError):
            self._order("close")
        if threading.current_thread() is not self.thread:
            self.thread.join(10)

    def _order(self, *order: object) -> None:
        with self.lock:
            if self.closed:
                raise RuntimeError("closed")
            self.closed = order[0] == "close"
            self.orders.append(order)
            os.eventfd_write(self.waker, 1)

    # The thread.

    def _run(self) -> None:
        cause = "the pool was closed"
        try:
            while self._obey():
                self._hand_out()
                self._wait()
        except BaseException as error:  # a fault here must not leave callers waiting
            cause = f"the pool broke: {why(error)}"
        finally:
            with self.lock:
                self.closed = True
            for task in self._all_tasks():
                self._answer([(task, Verdict.unscored(cause))])
            self.crew.close()
            self.selector.close()
            os.close(self.waker)

    def _all_tasks(self) -> list[Task]:
        tasks = [task for job in self.turn for task in job.waiting]
        tasks += [task for worker in self.crew.workers for task in worker.tasks.values()]
        return tasks + [task for order in self.orders if order[0] == "add" for task in order[2]]

    def _obey(self) -> bool:
        while self.orders:
            order = self.orders.popleft()
            if order[0] == "close":
                return False
            job = order[1]
            if order[0] == "cancel":
                job.cancelled = time.monotonic()
                job.waiting.clear()
                for worker in self.crew.workers:
                    if any(task.job is job for task in worker.tasks.values()):
                        worker.look = 0.0
            else:
                self._queue(job, order[2])
        return True

    def _queue(self, job: Job, tasks: list[Task], first: bool = False) -> None:
        if job.cancelled is not None:
            return
        if not job.waiting and job not in self.turn:
            (self.turn.appendleft if first else self.turn.append)(job)
        if first:
            job.waiting.extendleft(reversed(tasks))
        else:
            job.waiting.extend(tasks)

    # Handing out.

    def _hand_out(self) -> None:
        while self.turn:
            job = self.turn[0]
            if not job.waiting:
                self.turn.popleft()
                continue
            worker = self._free(job)
            if worker is None:
                self._hire()
                return
            tasks = self._chunk()
            for task in tasks:
                task.number = next(self.numbers)
            now = time.monotonic()
            worker.look = min(worker.look, now + (STILL if job.deadline is None else min(job.deadline + LATE, STILL)))
            if not worker.tasks:
                worker.since = now
            worker.tasks.update((task.number, task) for task in tasks)
            self.crew.send(worker, job.packed, job.deadline, [(task.number, task.blob) for task in tasks])
            self._listen(worker)

    def _free(self, job: Job) -> Worker | None:
        """The worker that has least to do, if it has (nearly) nothing to do."""
        workers = [w for w in self.crew.workers if w.ready]
        if not workers:
            return None
        worker = min(workers, key=lambda w: len(w.tasks))
        if not worker.tasks:
            return worker
        if not self.chunks or len(self.crew.workers) < self.crew.most:
            return None
        at_it = next(iter(worker.tasks.values())).job.packed.key
        if at_it not in self.pace or job.packed.key not in self.pace:
            return None
        return worker if len(worker.tasks) * max(self.pace[at_it], 2e-5) < AIM / 2 else None

    def _hire(self) -> None:
        wanted = sum(len(job.waiting) for job in itertools.islice(self.turn, 4))
        starting = sum(not w.ready for w in self.crew.workers)
        for _ in range(min(wanted - starting, self.crew.most - len(self.crew.workers))):
            needs = tuple(dict.fromkeys(n for job in self.turn for n in job.packed.needs))
            worker = self.crew.hire(needs)
            if worker is None:
                if not self.crew.workers:
                    self._give_up()
                return
            self._listen(worker)
        control = self.crew.control
        if control is not None and control.fileno() not in self.selector.get_map():
            self.selector.register(control, selectors.EVENT_READ, self.crew)

    def _give_up(self) -> None:
        """No worker can be had: what waits is unscored, with the reason."""
        lost = [task for job in self.turn for task in job.waiting]
        self.turn.clear()
        for task in lost:
            task.job.waiting.clear()
        self._answer([(task, Verdict.unscored(f"no worker could be started: {self.crew.trouble}")) for task in lost])

    def _chunk(self) -> list[Task]:
        """The next items, of several jobs where they ask the same; then it is the next job's turn."""
        kind = self.turn[0].kind
        most = 1
        if self.chunks and kind[0] in self.pace:
            waiting = sum(len(job.waiting) for job in itertools.islice(self.turn, CHUNK) if job.kind == kind)
            share = -(-waiting // (2 * self.crew.most))
            most = max(1, min(CHUNK, int(AIM / max(self.pace[kind[0]], 1e-6)), share))
        tasks: list[Task] = []
        room = CHUNK_BYTES
        for _ in range(len(self.turn)):
            job = self.turn[0]
            if job.kind == kind:
                while job.waiting and len(tasks) < most and room > 0:
                    if job.waiting[0].deaths and tasks:
                        return tasks  # what had a worker die is tried alone
                    tasks.append(job.waiting.popleft())
                    room -= len(tasks[-1].blob)
                    if tasks[-1].deaths:
                        most = 1
            self.turn.rotate(-1)
            if not job.waiting:
                self.turn.remove(job)
            if len(tasks) >= most or room <= 0:
                break
        return tasks

    # Waiting.

    def _listen(self, worker: Worker) -> None:
        events = selectors.EVENT_READ | (selectors.EVENT_WRITE if worker.out else 0)
        known = self.selector.get_map().get(worker.link.fileno())
        if known is None:
            self.selector.register(worker.link, events, worker)
        elif known.events != events:
            self.selector.modify(worker.link, events, worker)

    def _wait(self) -> None:
        busy = [w.look for w in self.crew.workers if w.tasks]
        pause = max(0.0, min(busy) - time.monotonic()) if busy else (STILL if self.turn else None)
        for key, events in self.selector.select(pause):
            if key.data is None:
                with contextlib.suppress(BlockingIOError):
                    os.eventfd_read(self.waker)
            elif key.data is self.crew:
                self._hear_of_workers()
            elif events & selectors.EVENT_WRITE:
                self.crew.flush(key.data)
                self._listen(key.data)
            if key.data is not None and key.data is not self.crew and events & selectors.EVENT_READ:
                self._hear(key.data)
        now = time.monotonic()
        for worker in list(self.crew.workers):
            if worker.tasks and worker.look <= now:
                self._look_at(worker, now)
        self.crew.watch(now)

    def _hear(self, worker: Worker) -> None:
        answers, open_ = self.crew.receive(worker)
        self._take(worker, answers)
        if not open_:
            with contextlib.suppress(KeyError, ValueError):
                self.selector.unregister(worker.link)
            self.crew.kill(worker)  # it hung up or spoke nonsense; what becomes of it is heard from the keeper

    def _take(self, worker: Worker, answers: list) -> None:
        taken, spent = [], 0.0
        for answer in answers:
            try:
                number, seconds, body = answer
                task, verdict = worker.tasks.pop(number), read(body)
            except (TypeError, ValueError, KeyError, AttributeError):  # of no item that it was given, or no verdict
                self.crew.kill(worker)
                break
            if task.job.deadline is not None and seconds > task.job.deadline:
                verdict = _missed(task.job)  # an answer after the deadline is not believed
            taken.append((task, verdict))
            spent += seconds
        if taken:
            key, mean = taken[0][0].job.packed.key, spent / len(taken)
            if len(self.pace) > 1000 and key not in self.pace:
                self.pace.clear()
            self.loads.pop(key, None)
            self.pace[key] = 0.7 * self.pace.get(key, mean) + 0.3 * mean
            worker.since = time.monotonic()
            self._answer(taken)

    def _answer(self, answers: list[tuple[Task, Verdict]]) -> None:
        for job, ours in itertools.groupby(answers, key=lambda a: a[0].job):
            if job.cancelled is None:
                try:
                    job.answer([(task.index, verdict) for task, verdict in ours])
                except Exception:  # whoever asked is gone, with its event loop
                    job.cancelled = time.monotonic()

    # Workers that are late, and those that are no more.

    def _look_at(self, worker: Worker, now: float) -> None:
        began, number, phase = self.crew.at(worker)
        task = worker.tasks.get(number) if phase == GRADING else None
        if task is None:
            limit = began + LOAD if phase == LOADING and began > worker.since - 1 else worker.since + START
            if not worker.killed and (now > limit or stopped(worker.pid)):
                self.crew.kill(worker)
                next(iter(worker.tasks.values())).deaths += 1
            worker.look = now + (STILL if phase == LOADING and not worker.killed else 0.1)
            return
        job = task.job
        if job.cancelled is not None and now - job.cancelled > 0.1:
            self.crew.kill(worker)
        elif job.deadline is not None and now >= began + job.deadline + LATE:
            if self.crew.at(worker)[:2] == (began, number):
                self.crew.kill(worker)
                self._answer([(worker.tasks.pop(number), _missed(job))])
            worker.look = now + LATE
            return
        elif job.deadline is None and stopped(worker.pid):
            self.crew.kill(worker)  # or it would be waited for, for ever
        due = now + STILL if job.deadline is None else began + job.deadline + LATE
        worker.look = min(due, now + 0.1) if job.cancelled is not None else max(due, now + 0.001)

    def _hear_of_workers(self) -> None:
        heard = self.crew.hear()
        if heard is None:  # the keeper is no more, and its workers with it
            with contextlib.suppress(KeyError, ValueError):
                self.selector.unregister(self.crew.control)
            for worker in list(self.crew.workers):
                self._bury(worker, "the process that keeps workers died")
            self.crew.keeper_died()
            return
        for worker, end in heard:
            self._bury(worker, end)

    def _bury(self, worker: Worker, end: str) -> None:
        """Takes what a dead worker still said, blames the item that it was at, gives the others to another."""
        self._take(worker, self.crew.receive(worker)[0])
        began, number, phase = self.crew.at(worker)
        with contextlib.suppress(KeyError, ValueError):
            self.selector.unregister(worker.link)
        self.crew.bury(worker)
        left = list(worker.tasks.values())
        worker.tasks.clear()
        answers, again = [], []
        for task in left:
            at_it = phase == GRADING and task.number == number
            deadline = task.job.deadline
            if at_it and deadline is not None and time.monotonic() >= began + deadline and worker.by == signal.SIGKILL:
                answers.append((task, _missed(task.job)))
                continue
            task.deaths += at_it
            if task.deaths >= TRIES:
                answers.append((task, Verdict.unscored(f"the worker died twice at this item ({end})")))
            else:
                again.append(task)
        self._answer(answers)
        for job, tasks in itertools.groupby(again, key=lambda task: task.job):
            self._queue(job, list(tasks), first=True)
        if phase != GRADING and left:
            doing = "the grader could not be loaded" if phase == LOADING else "no item was begun"
            self._before_grading(left[0].job.packed.key, f"{doing}: its worker died again and again ({end})",
                                 0.1 if worker.by == signal.SIGKILL else 1)  # fmt: skip

    def _before_grading(self, key: str, cause_: str, weight: float) -> None:
        """No item is to blame; but what kills workers before they begin one is not tried for ever."""
        self.loads[key] = self.loads.get(key, 0) + weight
        if self.loads[key] >= LOADS:
            del self.loads[key]
            cause = Verdict.unscored(cause_)
            for job in list(self.turn):
                if job.packed.key == key:
                    lost = [(task, cause) for task in job.waiting]
                    job.waiting.clear()
                    self._answer(lost)


def _missed(job: Job) -> Verdict:
    return Verdict.unscored(f"the grader missed its deadline of {job.deadline:g} s")
