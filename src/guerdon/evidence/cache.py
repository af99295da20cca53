"""Verdicts remembered on disk by what was asked, so that scoring again with another reward runs no verifier again."""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import hashlib
import json
import marshal
import os
import sqlite3
import threading
import time
import types
import warnings
import weakref
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from guerdon.evidence.sending import read, written
from guerdon.records import Verdict

PLAIN = frozenset({str, int, float, bool, type(None)})
AT_ONCE = 500  # keys in one question
BUSY = 20.0  # seconds to wait for another writer
REST = 60.0  # seconds in which nothing is written, after another writer was waited for in vain


class Cache:
    """Scored verdicts in a folder, by key, with their facts and items.

    Several processes and threads may use one folder at once. Unscored verdicts are never kept: they
    are asked again. What cannot be read or written (a corrupt file, a full disk, a folder that is not
    writable) loses no verdict: grading goes on without it, with one warning.

    Args:
        folder: made where there is none; on a local disk (the file is sqlite with a write-ahead log).

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     cache = Cache(folder)
        ...     cache.put({"k": Verdict.score(0.5, why="close"), "l": Verdict.unscored("no judge")})
        ...     cache.get(["k", "l"])["k"].facts, len(cache.get(["l"]))
        ({'why': 'close'}, 0)
    """

    def __init__(self, folder: str | os.PathLike):
        self.file = Path(folder) / "verdicts.sqlite"
        self._lock = threading.RLock()
        self._open: tuple[int, tuple[int, int], sqlite3.Connection] | None = None  # in which process, and which file
        self._off = False
        self._rests = 0.0  # until when nothing is written
        _CACHES.add(self)
        self._warned: set[str] = set()

    def get(self, keys: Sequence[str]) -> dict[str, Verdict]:
        """The verdicts that are known, by key; one whose text was damaged is not known."""
        known: dict[str, Verdict] = {}
        with self._using("read") as rows:
            for at in range(0, len(keys) if rows else 0, AT_ONCE):
                some = list(keys[at : at + AT_ONCE])
                asked = f"SELECT key, text, sum FROM verdicts WHERE key IN ({','.join('?' * len(some))})"
                for key, text, check in rows.execute(asked, some):
                    with contextlib.suppress(ValueError, TypeError, AttributeError):
                        if zlib.crc32(text.encode()) == check:
                            known[key] = read(json.loads(text))
        return known

    def put(self, verdicts: Mapping[str, Verdict]) -> None:
        """Remembers those that are scored."""
        texts = []
        for key, verdict in verdicts.items():
            if verdict.scored:
                with contextlib.suppress(TypeError, ValueError):  # a fact without a JSON form: asked again next time
                    texts.append((key, text := written(verdict), zlib.crc32(text.encode())))
        if not texts:
            return
        with self._using("write") as rows:
            if rows:
                rows.execute("BEGIN IMMEDIATE")
                rows.executemany("INSERT OR REPLACE INTO verdicts VALUES (?, ?, ?)", texts)
                rows.execute("COMMIT")

    def close(self) -> None:
        """Closes the file; the next use opens it again."""
        with self._lock:
            if self._open is not None:
                process, _, rows = self._open
                # What a fork brought along is the parent's to close, and closing it here would write to its file.
                rows.close() if process == os.getpid() else _FORKED.append(rows)
                self._open = None

    def __getstate__(self) -> dict:
        return {"folder": str(self.file.parent)}

    def __setstate__(self, state: dict) -> None:
        self.__init__(**state)

    @contextlib.contextmanager
    def _using(self, what: str) -> Iterator[sqlite3.Connection | None]:
        """The open file, or None where it cannot be opened; errors end the block, not the grading."""
        with self._lock:
            rows = None
            try:
                rows = None if what == "write" and time.monotonic() < self._rests else self._connected()
                yield rows
            except (sqlite3.Error, OSError) as error:
                if rows is not None:
                    with contextlib.suppress(sqlite3.Error):
                        rows.execute("ROLLBACK")
                full_or_busy = isinstance(error, sqlite3.OperationalError) and rows is not None
                if getattr(error, "sqlite_errorname", "") == "SQLITE_BUSY":
                    self._rests = time.monotonic() + REST  # it may be stopped; grading does not stand still with it
                self._off = self._off or not full_or_busy  # a full disk may have room later
                self._warn(what, error)
                if rows is None:
                    yield None

    def _connected(self) -> sqlite3.Connection | None:
        if self._off:
            return None
        if self._open is not None:
            if self._open[:2] == (os.getpid(), _identity(self.file)):
                return self._open[2]
            self.close()  # it is the parent's of a fork, or was deleted or replaced under us
        self.file.parent.mkdir(parents=True, exist_ok=True)
        rows = sqlite3.connect(self.file, timeout=BUSY, isolation_level=None, check_same_thread=False)
        try:
            rows.execute("PRAGMA journal_mode=WAL")
            rows.execute("PRAGMA synchronous=NORMAL")
            rows.execute("CREATE TABLE IF NOT EXISTS verdicts (key TEXT PRIMARY KEY, text TEXT, sum INT) WITHOUT ROWID")
        except BaseException:
            rows.close()
            raise
        self._open = os.getpid(), _identity(self.file), rows
        return rows

    def _warn(self, what: str, error: Exception) -> None:
        if what not in self._warned:
            self._warned |= {"read", "write"} if self._off else {what}
            warnings.warn(
                f"Cache: {self.file} fails at a {what} ({error}); grading goes on and "
                "its verdicts are not remembered; make room, delete a damaged file, or name another folder",
                stacklevel=4,
            )


def _identity(file: Path) -> tuple[int, int]:
    try:
        found = os.stat(file)
    except OSError:
        return 0, 0
    return found.st_dev, found.st_ino


_CACHES: weakref.WeakSet[Cache] = weakref.WeakSet()
_FORKED: list[sqlite3.Connection] = []  # connections of parents, kept so that they are never closed here


def _unlock() -> None:
    """In a forked child: another thread of its parent may have held a lock, and is not there to let go of it."""
    for cache in _CACHES:
        cache._lock = threading.RLock()


os.register_at_fork(after_in_child=_unlock)

# Keys.


def keys(
    name: str, version: str, low: float, high: float, grade: Callable[..., Verdict], items: Sequence[tuple]
) -> list[str | None]:
    """The key of each item: a hash of the observer, the grader with its settings, and the item's values.

    A deadline is no part of it: what is kept was scored in time. A function outside guerdon is known
    by its code too, since whoever edits it may forget the version. None where the grader or a value
    has no certain form; such an item is graded anew each time.

    Example:
        >>> one, same, other = keys("f1", "1", 0, 1, len, [("a", 1), ("a", 1), ("a", 1.0)])
        >>> one == same, one == other
        (True, False)
    """
    head = hashlib.sha256()
    try:
        _feed(head, (name, version, float(low), float(high)))
        _feed(head, grade)
    except TypeError:
        return [None] * len(items)
    found: list[str | None] = []
    for item in items:
        one = head.copy()
        try:
            if all(type(value) in PLAIN for value in item):
                one.update(b"J" + json.dumps(item).encode())
            else:
                _feed(one, tuple(item))
            found.append(one.hexdigest())
        except TypeError:
            found.append(None)
    return found


def _feed(into: Any, value: Any) -> None:
    """Hashes a value with its type; TypeError where the value has no form of its own that is equal everywhere."""
    if isinstance(value, np.generic):
        value = value.item()
    if type(value) in PLAIN:
        into.update(b"P" + json.dumps(value).encode() + b"\0")
    elif isinstance(value, bytes | bytearray):
        into.update(b"B%d\0" % len(value) + bytes(value))
    elif isinstance(value, list | tuple):
        into.update(b"L%d\0" % len(value))
        for part in value:
            _feed(into, part)
    elif isinstance(value, Mapping):
        into.update(b"M%d\0" % len(value))
        for digest in sorted(_digest(pair) for pair in value.items()):
            into.update(digest)
    elif isinstance(value, set | frozenset):
        into.update(b"S%d\0" % len(value) + b"".join(sorted(map(_digest, value))))
    elif isinstance(value, np.ndarray) and value.dtype.kind in "biufcSU":
        into.update(f"A{value.dtype.str}{value.shape}\0".encode() + value.tobytes())
    elif isinstance(value, Path):
        into.update(b"F" + str(value).encode() + b"\0")
    else:
        _feed_code(into, value)


def _feed_code(into: Any, value: Any) -> None:
    if isinstance(value, functools.partial):
        into.update(b"C")
        _feed(into, (value.func, value.args, value.keywords))
    elif isinstance(value, types.FunctionType):
        into.update(b"G")
        _feed(into, (value.__module__, value.__qualname__))
        if not (value.__module__ or "").startswith("guerdon."):
            cells = [cell.cell_contents for cell in value.__closure__ or ()]
            code = marshal.dumps(value.__code__.replace(co_filename="", co_firstlineno=1, co_linetable=b""))
            _feed(into, (code, value.__defaults__, value.__kwdefaults__, cells))
    elif isinstance(value, type | types.BuiltinFunctionType):
        into.update(b"T")
        _feed(into, (value.__module__, value.__qualname__))
    elif dataclasses.is_dataclass(value):
        into.update(b"D")
        fields = {field.name: getattr(value, field.name) for field in dataclasses.fields(value) if field.compare}
        _feed(into, (type(value), fields))
    else:
        raise TypeError(f"{type(value).__name__} has no certain form")


def _digest(value: Any) -> bytes:
    one = hashlib.sha256()
    _feed(one, value)
    return one.digest()
