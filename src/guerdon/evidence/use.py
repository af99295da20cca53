"""Which workers and which memory of verdicts are in use, and the protocols that both follow."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Protocol, runtime_checkable

from guerdon.evidence.sending import graded, why
from guerdon.records import Verdict

Grade = Callable[..., Verdict]
Progress = Callable[[str, int, int], None]  # observer, items done, items in all


@runtime_checkable
class Workers(Protocol):
    """Whatever runs a grader over many items."""

    def run(self, grade: Grade, items: Sequence[tuple], deadline: float | None) -> list[Verdict]:
        """One verdict per item, in order. A grader that raises, hangs or dies leaves its item unscored."""
        ...


@runtime_checkable
class Memory(Protocol):
    """Whatever remembers verdicts by key. Only scored ones are given to it."""

    def get(self, keys: Sequence[str]) -> Mapping[str, Verdict]:
        """The verdicts that are known, by key."""
        ...

    def put(self, verdicts: Mapping[str, Verdict]) -> None:
        """Remembers verdicts by key."""
        ...


class Here:
    """Runs graders in this process, one after another; a deadline cannot be kept here, so none is.

    For graders that are pure and quick, and to see what a grader prints or to step through it.

    Example:
        >>> Here().run(lambda said: Verdict.score(said == "a"), [("a",), ("b",)], None)[1].value
        0.0
    """

    def run(self, grade: Grade, items: Sequence[tuple], deadline: float | None) -> list[Verdict]:
        """One verdict per item; one that raises leaves its item unscored."""
        return [_here(grade, item) for item in items]


@contextmanager
def using(
    workers: Workers | None = None, cache: Memory | None = None, progress: Progress | None = None
) -> Iterator[Workers | None]:
    """Inside the block, graders that have a deadline run on these workers and remember their verdicts.

    What is not given stays what it was. It holds for the thread, or the asyncio task, that entered
    the block; other threads are not touched.

    Args:
        workers: a `Pool`, `RayWorkers`, `Here()`; where none was ever given, a pool of the process
            with a worker per core.
        cache: a `Cache`; where none was ever given, nothing is remembered.
        progress: called with the observer's name, how many items are done, and of how many.

    Example:
        >>> with using(workers=Here()) as workers:
        ...     workers is workers_in_use()
        True
    """
    given = [(_WORKERS, workers), (_CACHE, cache), (_PROGRESS, progress)]
    tokens = [(variable, variable.set(value)) for variable, value in given if value is not None]
    try:
        yield workers
    finally:
        for variable, token in tokens:
            variable.reset(token)


def workers_in_use() -> Workers:
    """The workers of the innermost `using`; else the process's own pool, or in a worker that very process.

    Example:
        >>> here = Here()
        >>> with using(here):
        ...     workers_in_use() is here
        True
    """
    workers = _WORKERS.get()
    if workers is not None:
        return workers
    from guerdon.evidence.pool import can, shared
    from guerdon.evidence.worker import INSIDE

    return shared() if can() and not os.environ.get(INSIDE) else Here()


def cache_in_use() -> Memory | None:
    """The cache of the innermost `using` that gave one; None where none was given.

    Example:
        >>> cache_in_use() is None
        True
    """
    return _CACHE.get()


def progress_in_use() -> Progress | None:
    """Whom to tell how far graders are; None for nobody.

    Example:
        >>> with using(progress=print):
        ...     progress_in_use() is print
        True
    """
    return _PROGRESS.get()


_WORKERS: ContextVar[Workers | None] = ContextVar("workers", default=None)
_CACHE: ContextVar[Memory | None] = ContextVar("cache", default=None)
_PROGRESS: ContextVar[Progress | None] = ContextVar("progress", default=None)


def _here(grade: Grade, item: tuple) -> Verdict:
    try:
        return graded(grade, item)
    except KeyboardInterrupt:  # whoever sits before it means the whole run
        raise
    except BaseException as error:  # MemoryError, SystemExit: of the grader, and no reason to end with it
        return Verdict.unscored(why(error))
