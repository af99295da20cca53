"""The engines that run queries: sqlite and duckdb, closed to everything but reading one database.

An engine makes a connection to a fresh database in memory, or to a file opened for reading, and runs
one reading statement on it under limits. It is meant to run inside `isolated`, where what no limit of
the engine reaches is ended by killing the process.
"""

from __future__ import annotations

import contextlib
import datetime
import os
import sqlite3
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable
from urllib.parse import quote

from guerdon.errors import GuerdonError, MissingExtraError, RecordError
from guerdon.evidence.sql.compare import Table
from guerdon.evidence.sql.database import Database, File, Image, Script

STEPS = 500  # of sqlite's machine between two looks at the clock; one may take milliseconds (randomblob)


class QueryError(GuerdonError, ValueError):
    """A query that is refused, fails, or goes beyond its limits; the first word of the sentence says which."""


@dataclass(frozen=True)
class Limits:
    """What one query may take.

    Attributes:
        seconds: of processor time; four times that, and a second, on the clock.
        rows: of its result.
        bytes: of its result, counted as text and bytes plus 8 for every other value.
        cell: bytes of one value, also of those in between (sqlite).
        text: characters of the query itself.
        memory: bytes that the engine may use.
        build: seconds for making the database.
    """

    seconds: float = 2.0
    rows: int = 10_000
    bytes: int = 16_000_000
    cell: int = 1_000_000
    text: int = 20_000
    memory: int = 512_000_000
    build: float = 10.0


@runtime_checkable
class Engine(Protocol):
    """Whatever runs SQL."""

    name: str
    needs: tuple[str, ...]  # modules that are loaded before a clock runs

    def load(self) -> None:
        """Imports what it needs; raises MissingExtraError where that is not installed."""
        ...

    def open(self, database: Database, limits: Limits) -> Any:
        """A connection to the database. Raises whatever the engine does where it cannot be made."""
        ...

    def query(self, connection: Any, sql: str, limits: Limits) -> Table:
        """The result of one reading statement. Raises QueryError."""
        ...


@dataclass(frozen=True)
class Sqlite:
    """sqlite, in the version that Python brings.

    Reading is all that a query may do: an authorizer allows SELECT, READ, RECURSIVE and functions but
    for those that touch files, and refuses everything else, so also ATTACH, PRAGMA and what they hide in.
    Values above `Limits.cell` are refused by the engine, so are deep expressions and wide results.
    """

    name: str = "sqlite"
    needs: tuple[str, ...] = ()

    def load(self) -> None:
        """Nothing is needed."""

    def open(self, database: Database, limits: Limits) -> sqlite3.Connection:
        """In memory from a script or bytes; a file is opened for reading and must not change meanwhile."""
        match database:
            case File(path):
                uri = f"file:{quote(os.path.abspath(path))}?mode=ro&immutable=1"
                connection = sqlite3.connect(uri, uri=True, isolation_level=None)
            case Image(data):
                connection = sqlite3.connect(":memory:", isolation_level=None)
                connection.deserialize(data)
            case Script(sql):
                connection = sqlite3.connect(":memory:", isolation_level=None)
                connection.set_authorizer(_builds)
                connection.executescript(sql)
        connection.execute("select count(*) from sqlite_master").fetchone()  # a file that is none is found here
        connection.execute("pragma temp_store = memory")  # sorting must not reach a disk
        with contextlib.suppress(sqlite3.OperationalError):  # these tables are made at first use, then refused
            connection.execute("select 1 from json_each('[]'), json_tree('[]')").fetchall()
        connection.set_authorizer(_reads)
        for category, value in {
            sqlite3.SQLITE_LIMIT_LENGTH: limits.cell, sqlite3.SQLITE_LIMIT_SQL_LENGTH: 4 * limits.text,
            sqlite3.SQLITE_LIMIT_COLUMN: 500, sqlite3.SQLITE_LIMIT_EXPR_DEPTH: 500,
            sqlite3.SQLITE_LIMIT_COMPOUND_SELECT: 200, sqlite3.SQLITE_LIMIT_ATTACHED: 0,
            sqlite3.SQLITE_LIMIT_LIKE_PATTERN_LENGTH: 1000, sqlite3.SQLITE_LIMIT_WORKER_THREADS: 0,
        }.items():  # fmt: skip
            connection.setlimit(category, value)
        return connection

    def query(self, connection: sqlite3.Connection, sql: str, limits: Limits) -> Table:
        """The result of one SELECT."""
        until = time.process_time() + limits.seconds
        connection.set_progress_handler(lambda: time.process_time() > until, STEPS)
        try:
            cursor = connection.execute(sql.rstrip("; \t\r\n"))
            if cursor.description is None:
                raise QueryError("refused: the text holds no query that gives rows")
            return _fetched(cursor.fetchmany, [d[0] for d in cursor.description], limits)
        except MemoryError:
            raise QueryError("memory: the query takes more than it may") from None
        except (sqlite3.Error, sqlite3.Warning, ValueError, OverflowError) as error:
            if isinstance(error, QueryError):
                raise
            raise QueryError(_why(str(error), limits)) from None
        finally:
            connection.set_progress_handler(None, 0)


@dataclass(frozen=True)
class Duckdb:
    """duckdb, of the extra guerdon[sql].

    One statement that is a SELECT (also written FROM, VALUES or WITH) runs in a read-only transaction,
    with file systems, extensions and Python variables out of reach and the settings locked.
    """

    name: str = "duckdb"
    needs: tuple[str, ...] = ("duckdb",)

    def load(self) -> None:
        """Imports duckdb.

        Raises:
            MissingExtraError: it is not installed.
        """
        try:
            import duckdb  # noqa: F401
        except ImportError:
            raise MissingExtraError(
                "Duckdb: duckdb is not installed; queries cannot be run on it; pip install 'guerdon[sql]'"
            ) from None

    def open(self, database: Database, limits: Limits) -> Any:
        """In memory from a script; a file, and bytes by way of a temporary file, are opened for reading."""
        import duckdb

        fixed = {"threads": "1", "memory_limit": f"{limits.memory // 1_000_000}MB"}
        with contextlib.ExitStack() as stack:
            match database:
                case File(path):
                    connection = duckdb.connect(path, read_only=True, config=fixed)
                case Image(data):
                    folder = stack.enter_context(tempfile.TemporaryDirectory())
                    path = os.path.join(folder, "database.duckdb")
                    with open(path, "wb") as file:
                        file.write(data)
                    connection = duckdb.connect(path, read_only=True, config=fixed)
                case Script(sql):
                    connection = duckdb.connect(":memory:", config={**fixed, "enable_external_access": "false"})
                    connection.execute(sql)
            for setting, value in _CLOSED.items():
                connection.execute(f"set {setting}={value}")
        return connection

    def query(self, connection: Any, sql: str, limits: Limits) -> Table:
        """The result of one SELECT."""
        import duckdb

        with _interrupted(connection, limits.seconds):
            try:
                statements = connection.extract_statements(sql)
                if len(statements) != 1 or statements[0].type != duckdb.StatementType.SELECT:
                    raise QueryError("refused: one statement that only reads is needed")
                connection.execute("begin transaction read only")
                try:
                    cursor = connection.execute(statements[0])
                    names, zoned = [d[0] for d in cursor.description], _zoned(cursor.description)
                    if not zoned:
                        return _fetched(cursor.fetchmany, names, limits)
                    rest = connection.execute(_in_microseconds(statements[0].query, len(names), zoned))
                    found = _fetched(rest.fetchmany, names, limits)
                    return Table([_with_zone(row, zoned) for row in found.rows], found.columns)
                finally:
                    connection.execute("rollback")
            except (duckdb.OutOfMemoryException, MemoryError):
                raise QueryError("memory: the query takes more than it may") from None
            except (duckdb.Error, ValueError, TypeError, OverflowError, RuntimeError) as error:
                if isinstance(error, QueryError):
                    raise
                if "Required module" in str(error):  # no fault of the query
                    raise MissingExtraError(
                        "Duckdb: a result holds times with a zone inside lists or structs, for which duckdb needs "
                        "pytz; it is not installed; pip install pytz"
                    ) from None
                raise QueryError(_why(str(error), limits)) from None


_CLOSED = {
    "enable_external_access": "false", "disabled_filesystems": "'LocalFileSystem'",
    "max_temp_directory_size": "'0KB'", "allow_community_extensions": "false",
    "autoinstall_known_extensions": "false", "autoload_known_extensions": "false",
    "python_enable_replacements": "false", "max_expression_depth": "250", "lock_configuration": "true",
}  # fmt: skip
_FILES = {"load_extension", "readfile", "writefile", "edit", "fts3_tokenizer", "zipfile", "lsdir", "sqlite_log"}


def _reads(action: int, first: str | None, second: str | None, *_: str | None) -> int:
    if action == sqlite3.SQLITE_FUNCTION:
        allowed = (second or "").lower() not in _FILES
    else:
        allowed = action in (sqlite3.SQLITE_SELECT, sqlite3.SQLITE_READ, sqlite3.SQLITE_RECURSIVE)
    return sqlite3.SQLITE_OK if allowed else sqlite3.SQLITE_DENY


def _builds(action: int, first: str | None, second: str | None, *_: str | None) -> int:
    """A task's own script may do everything but reach other files."""
    other = action in (sqlite3.SQLITE_ATTACH, sqlite3.SQLITE_DETACH)
    named = action == sqlite3.SQLITE_FUNCTION and (second or "").lower() in _FILES
    return sqlite3.SQLITE_DENY if other or named else sqlite3.SQLITE_OK


def _fetched(fetch: Callable[[int], list], columns: list[str], limits: Limits) -> Table:
    rows: list[tuple] = []
    size = 0
    while more := fetch(256):
        rows += more
        size += sum(len(v) if isinstance(v, str | bytes) else 8 for row in more for v in row)
        if len(rows) > limits.rows:
            raise QueryError(f"rows: the result has more than {limits.rows} rows")
        if size > limits.bytes:
            raise QueryError(f"bytes: the result takes more than {limits.bytes} bytes")
    return Table(rows, tuple(columns))


def _zoned(description: list) -> list[int]:
    """Places of the columns of times with a zone, which duckdb hands over only where pytz is installed."""
    return [i for i, d in enumerate(description) if str(d[1]) == "TIMESTAMP WITH TIME ZONE"]


def _in_microseconds(sql: str, width: int, zoned: list[int]) -> str:
    """The query with microseconds since 1970 in place of the times."""
    names = [f"c{i}" for i in range(width)]
    wanted = [f"epoch_us({name})" if i in zoned else name for i, name in enumerate(names)]
    inner = sql.strip().rstrip("; \t\r\n")
    return f"select {', '.join(wanted)} from ({inner}\n) as t({', '.join(names)})"


def _with_zone(row: tuple, zoned: list[int]) -> tuple:
    return tuple(_utc(value) if i in zoned else value for i, value in enumerate(row))


def _utc(microseconds: int | None) -> Any:
    if microseconds is None:
        return None
    try:
        return datetime.datetime(1970, 1, 1, tzinfo=datetime.UTC) + datetime.timedelta(microseconds=microseconds)
    except OverflowError:  # infinity, and years that Python does not know
        return f"{microseconds} us since 1970"


@contextlib.contextmanager
def _interrupted(connection: Any, seconds: float) -> Iterator[None]:
    done, until, wall = threading.Event(), time.process_time() + seconds, time.monotonic() + 4 * seconds

    def watch() -> None:
        while not done.wait(0.02):
            if time.process_time() > until or time.monotonic() > wall:
                connection.interrupt()

    threading.Thread(target=watch, daemon=True).start()
    try:
        yield
    finally:
        done.set()


def _why(said: str, limits: Limits) -> str:
    """The engine's words as the sentence of a QueryError."""
    words = " ".join(said.split())[:300]
    if "nterrupt" in words:
        return f"timeout: the query takes more than {limits.seconds:g} s"
    if (
        "not authorized" in words
        or "authorization denied" in words
        or "prohibited" in words
        or "one statement at a time" in words
    ):
        return f"refused: {words}"
    if "too big" in words or "Out of Memory" in words or "out of memory" in words:
        return f"memory: {words}"
    return f"error: {words}"


def an_engine(given: Any, who: str) -> Engine:
    """What is given, which is an engine; else RecordError, with what to write.

    Example:
        >>> an_engine("duckdb", "sql_match")
        Traceback (most recent call last):
        ...
        guerdon.errors.RecordError: sql_match: engine is 'duckdb'; an engine is needed; write Duckdb() or Sqlite()
    """
    if isinstance(given, type) or not isinstance(given, Engine):
        raise RecordError(f"{who}: engine is {given!r}; an engine is needed; write Duckdb() or Sqlite()")
    return given
