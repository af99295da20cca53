"""Worker processes with a deadline per item that really ends it.

    with Pool(workers=2) as pool:
        verdicts = pool.run(grade, [("1/2", "0.5"), ("9^9^9^9", "7")], deadline=1.0)

A grader that hangs is killed with everything it started, and its item is unscored; the others are
graded. Every item ends in exactly one verdict.
"""

from __future__ import annotations

import asyncio
import os
import pickle
import queue
import sys
import threading
import time
import weakref
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Sequence

from guerdon.errors import GuerdonError
from guerdon.evidence.crew import Crew
from guerdon.evidence.dispatch import Dispatcher, Job, Task
from guerdon.evidence.sending import Packed, pack, why
from guerdon.records import Verdict

Grade = Callable[..., Verdict]
AHEAD = 1024  # items taken from the source and not yet given back
AHEAD_BYTES = 64 << 20
STRIDE = 64  # items taken at once
FOREVER = 1e9  # seconds; more than this is no deadline
PATIENCE = 0.002  # seconds of taking items before those at hand are sent


class Pool:
    """Workers for graders: killed at the deadline, limited in memory, replaced when they die.

    Workers are forked from a process that has loaded the modules already, so one is replaced in
    milliseconds. They start when they are first needed. Several threads and asyncio tasks may use
    one pool at once; they take turns. Scripts need no `__main__` guard, since nothing of a script
    is run again: functions that it defines are sent by value (classes are not: they belong in a file
    of their own). What a grader prints goes nowhere; run it on `Here()` to see it.

    * A grader that misses its deadline is killed with its process group: "the grader missed its
      deadline of 1 s". The clock of an item starts when a worker begins it, and does not count the
      loading of the grader and of the modules that it names in `grade.needs`.
    * An item whose worker died (a crash, os._exit, a kill from outside) is tried once more, alone,
      then unscored. Items that were to come after it are not blamed.
    * A grader that raises, or returns something else than a Verdict, leaves its item unscored.
    * A worker that ran out of memory, or has grown by half of it, is replaced.
    * A killed parent leaves no worker behind, nor what workers started.

    Args:
        workers: how many processes at most; None: one for each core that this process may use.
        memory: bytes of address space that grading may take in a worker beyond what its modules
            take; None: no limit. It is a soft limit: a grader may give programs that it starts another.
        preload: modules loaded before workers are forked.
        chunks: whether quick items are handed over several at a time. They have a clock each all the same.

    Raises:
        GuerdonError: the system is not Linux 5.3 or later.

    Example:
        >>> def longer(said, wanted):
        ...     return Verdict.score(len(said) > len(wanted))
        >>> with Pool(workers=1) as pool:
        ...     [v.value for v in pool.run(longer, [("abc", "a"), ("a", "abc")], deadline=5.0)]
        [1.0, 0.0]
    """

    def __init__(
        self,
        workers: int | None = None,
        memory: int | None = 1 << 30,
        preload: Sequence[str] = ("guerdon.evidence",),
        *,
        chunks: bool = True,
    ):
        if not can():
            raise GuerdonError(
                f"Pool: this is {sys.platform} with Python {sys.version.split()[0]}; Linux 5.3 or later is needed, for "
                "pidfds; use Here(), which keeps no deadlines, or run it in a Linux container"
            )
        if workers is not None and workers < 1:
            raise GuerdonError(f"Pool: workers is {workers}; at least 1 is needed; None takes one for each core")
        self.workers = workers or len(os.sched_getaffinity(0))
        self.memory = memory
        self._preload, self._chunks = tuple(preload), chunks
        self._lock = threading.Lock()
        self._closed = False
        self._engine: tuple[int, Dispatcher] | None = None  # and in which process
        _POOLS.add(self)

    # Asking.

    def run(self, grade: Grade, items: Sequence[tuple], deadline: float | None) -> list[Verdict]:
        """One verdict per item, in order.

        Args:
            grade: called with the values of each item.
            deadline: seconds for one item, from when a worker begins it; None: no limit.

        Raises:
            GuerdonError: the pool is closed, or the grader cannot be sent to a worker.

        Example:
            >>> with Pool(workers=1) as pool:
            ...     pool.run(len, [("abc",)], deadline=1.0)[0].cause
            'the grader returned int, not a Verdict'
        """
        return [verdict for _, verdict in self.imap(grade, items, deadline, ahead=max(AHEAD, len(items)))]

    def imap(
        self, grade: Grade, items: Iterable[tuple], deadline: float | None, *, ordered: bool = True, ahead: int = AHEAD
    ) -> Iterator[tuple[int, Verdict]]:
        """Pairs of place and verdict, as they come.

        Args:
            items: read lazily, in the thread that reads the answers: never more than `ahead` items (or 64
                MB of them) beyond the answers that were read.
            ordered: whether answers come in the order of the items, or as soon as they are there.
            ahead: at least twice the number of workers, to keep them busy.

        Leaving the loop early ends what still runs.

        Example:
            >>> with Pool(workers=1) as pool:
            ...     words = (("a" * n,) for n in range(3))
            ...     [(i, v.value) for i, v in pool.imap(lambda w: Verdict.score(len(w), high=9), words, 1.0)]
            [(0, 0.0), (1, 1.0), (2, 2.0)]
        """
        packed = _packed(grade, deadline)
        answers: queue.SimpleQueue[list[tuple[int, Verdict]]] = queue.SimpleQueue()
        feed = _Feed(self, Job(packed, deadline, answers.put), items, ordered, ahead)
        return self._pairs(feed, answers)

    def _pairs(self, feed: _Feed, answers: queue.SimpleQueue) -> Iterator[tuple[int, Verdict]]:
        try:
            while True:
                fed = feed.more()
                try:
                    while True:
                        feed.take(answers.get(block=not fed and feed.awaits))
                        fed = True  # one wait at most before what came is handed on
                except queue.Empty:
                    pass
                yield from feed.ready()
                if feed.done:
                    return
        finally:
            feed.stop()

    async def arun(self, grade: Grade, items: Iterable[tuple], deadline: float | None) -> list[Verdict]:
        """As `run`, for asyncio: it does not block the event loop. Cancelling it ends what runs for it.

        Example:
            >>> import asyncio
            >>> with Pool(workers=1) as pool:
            ...     verdicts = asyncio.run(pool.arun(lambda said: Verdict.score(said == "a"), [("a",)], 5.0))
            >>> verdicts[0].value
            1.0
        """
        return [verdict async for _, verdict in self.aimap(grade, items, deadline)]

    async def aimap(
        self, grade: Grade, items: Iterable[tuple], deadline: float | None, *, ordered: bool = True, ahead: int = AHEAD
    ) -> AsyncIterator[tuple[int, Verdict]]:
        """As `imap`, for asyncio.

        Example:
            >>> import asyncio
            >>> async def places(pool):
            ...     return [i async for i, _ in pool.aimap(lambda: Verdict.score(1), [(), ()], 5.0)]
            >>> with Pool(workers=1) as pool:
            ...     asyncio.run(places(pool))
            [0, 1]
        """
        packed = _packed(grade, deadline)
        loop = asyncio.get_running_loop()
        answers: asyncio.Queue[list[tuple[int, Verdict]]] = asyncio.Queue()
        job = Job(packed, deadline, lambda found: loop.call_soon_threadsafe(answers.put_nowait, found))
        feed = _Feed(self, job, items, ordered, ahead)
        try:
            while True:
                if not feed.more() and feed.awaits:
                    feed.take(await answers.get())
                else:
                    await asyncio.sleep(0)  # others want their turn while a long source is read
                while not answers.empty():
                    feed.take(answers.get_nowait())
                for pair in feed.ready():
                    yield pair
                if feed.done:
                    return
        finally:
            feed.stop()

    async def grade(self, grade: Grade, item: tuple, deadline: float | None) -> Verdict:
        """The verdict of one item, for asyncio. Those of many callers that ask alike are handed over together.

        Example:
            >>> import asyncio
            >>> with Pool(workers=1) as pool:
            ...     asyncio.run(pool.grade(lambda said: Verdict.score(said == "a"), ("a",), 5.0)).value
            1.0
        """
        packed = _packed(grade, deadline)
        loop = asyncio.get_running_loop()
        answer: asyncio.Future[Verdict] = loop.create_future()

        def settle(verdict: Verdict) -> None:
            if not answer.done():
                answer.set_result(verdict)

        job = Job(packed, deadline, lambda found: loop.call_soon_threadsafe(settle, found[0][1]))
        task = self._task(job, 0, item)
        if isinstance(task, Verdict):
            return task
        engine = self._add(job, [task])
        try:
            return await answer
        finally:
            if engine is not None and (not answer.done() or answer.cancelled()):
                engine.cancel(job)

    # Beginning and ending.

    def close(self) -> None:
        """Ends all workers and what they started; items that are not graded yet are unscored. May be repeated."""
        with self._lock:
            self._closed = True
            engine, self._engine = self._engine, None
        if engine is not None:
            _close(*engine)

    def __enter__(self) -> Pool:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def _task(self, job: Job, index: int, item: tuple) -> Task | Verdict:
        try:
            blob = pickle.dumps(tuple(item), pickle.HIGHEST_PROTOCOL)
        except Exception as error:  # an item may hold anything; the others are not touched
            return Verdict.unscored(f"the item cannot be sent to a worker ({why(error)})")
        if self.memory and len(blob) > self.memory // 4:
            return Verdict.unscored(f"the item is {len(blob) >> 20} MB, more than a quarter of a worker's memory")
        return Task(job, index, blob)

    def _add(self, job: Job, tasks: list[Task]) -> Dispatcher | None:
        """Gives tasks to the workers' thread; where none can be had, they are unscored with the reason."""
        with self._lock:
            if self._closed:
                raise GuerdonError("Pool: it is closed; an open pool is needed; make another, or close this one later")
            # A forked child has workers of its own, and what broke is begun again.
            if self._engine is None or self._engine[0] != os.getpid() or self._engine[1].closed:
                try:
                    made = Dispatcher(Crew(self.workers, self.memory, self._preload), self._chunks)
                except (OSError, RuntimeError) as error:  # no descriptors, no memory, no threads
                    cause = Verdict.unscored(f"no worker could be started: {why(error)}")
                    job.answer([(task.index, cause) for task in tasks])
                    return None
                self._engine = os.getpid(), made
                weakref.finalize(self, _close, *self._engine)
            engine = self._engine[1]
        try:
            engine.add(job, tasks)
        except RuntimeError:
            job.answer([(task.index, Verdict.unscored("the pool was closed")) for task in tasks])
        return engine


class _Feed:
    """The items of one call on their way out, the verdicts on their way back, in order."""

    def __init__(self, pool: Pool, job: Job, items: Iterable[tuple], ordered: bool, ahead: int):
        self.pool, self.job, self.ordered = pool, job, ordered
        self.source, self.ahead = enumerate(items), max(1, ahead)
        self.exhausted = False
        self.sizes: dict[int, int] = {}  # bytes of what was sent and is not answered
        self.bytes = 0
        self.kept: dict[int, Verdict] = {}
        self.next = 0
        self.engine: Dispatcher | None = None

    @property
    def awaits(self) -> bool:
        """Whether anything is to come."""
        return bool(self.sizes)

    @property
    def done(self) -> bool:
        """Whether everything was given back."""
        return self.exhausted and not self.sizes and not self.kept

    def more(self) -> bool:
        """Sends the next few items; False where there are none, or enough are on their way."""
        tasks: list[Task] = []
        until = time.monotonic() + PATIENCE
        took = False
        while (
            not self.exhausted
            and len(tasks) < STRIDE
            and len(self.sizes) + len(self.kept) < self.ahead
            and self.bytes < AHEAD_BYTES
        ):
            try:
                index, item = next(self.source)
            except StopIteration:
                self.exhausted = True
                break
            took = True
            task = self.pool._task(self.job, index, item)
            if isinstance(task, Verdict):
                self.kept[index] = task
            else:
                tasks.append(task)
                self.sizes[index] = len(task.blob)
                self.bytes += len(task.blob)
            if time.monotonic() > until:
                break
        if tasks:
            self.engine = self.pool._add(self.job, tasks)
        return took

    def take(self, answers: list[tuple[int, Verdict]]) -> None:
        """Keeps verdicts until it is their turn."""
        for index, verdict in answers:
            self.bytes -= self.sizes.pop(index)
            self.kept[index] = verdict

    def ready(self) -> Iterator[tuple[int, Verdict]]:
        """Those whose turn it is."""
        while self.kept and (self.next in self.kept or not self.ordered):
            index = self.next if self.ordered else next(iter(self.kept))
            verdict = self.kept.pop(index)
            self.next += 1
            yield index, verdict

    def stop(self) -> None:
        """Lets go of what was not answered."""
        if self.sizes and self.engine is not None:
            self.engine.cancel(self.job)


_POOLS: weakref.WeakSet[Pool] = weakref.WeakSet()
_SHARED: dict[int, Pool] = {}  # by process, so that a forked child makes one of its own
_SHARED_LOCK = threading.Lock()


def shared() -> Pool:
    """The pool of this process: one worker per core, started when first used, ended with the process.

    Example:
        >>> shared() is shared()
        True
    """
    with _SHARED_LOCK:
        pool = _SHARED.get(os.getpid())
        if pool is None or pool._closed:
            pool = _SHARED[os.getpid()] = Pool()
        return pool


def _packed(grade: Grade | Packed, deadline: float | None) -> Packed:
    if deadline is not None and not 0 < deadline < FOREVER:
        raise GuerdonError(
            f"Pool: the deadline is {deadline!r}; a positive number of seconds is needed, at most {FOREVER:g}; "
            "give None for no limit"
        )
    return grade if isinstance(grade, Packed) else pack(grade)


def can() -> bool:
    """Whether this system can have a pool: Linux with pidfds."""
    return sys.platform == "linux" and "pidfd_open" in dir(os)


def _close(process: int, engine: Dispatcher) -> None:
    if process == os.getpid():  # the workers are not a forked child's to end
        engine.close()


def _unlock() -> None:
    """In a forked child: another thread of its parent may have held a lock, and is not there to let go of it."""
    globals().update(_SHARED_LOCK=threading.Lock())
    for pool in _POOLS:
        pool._lock = threading.Lock()


os.register_at_fork(after_in_child=_unlock)
