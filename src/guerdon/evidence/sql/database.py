"""The database that a query is run on: a script, a file or the bytes of a file, given with the task."""

from __future__ import annotations

import base64
import binascii
import json
from dataclasses import dataclass
from typing import Any

from guerdon.errors import RecordError

FILES = (".db", ".sqlite", ".sqlite3", ".duckdb", ".ddb")


@dataclass(frozen=True)
class Script:
    """SQL text that makes the tables and fills them; run in memory, anew for every answer.

    Example:
        >>> Script("create table t (a int); insert into t values (1), (2);").sql[:14]
        'create table t'
    """

    sql: str


@dataclass(frozen=True)
class File:
    """A database file of the engine's own format; opened for reading only. Nothing may write to it."""

    path: str


@dataclass(frozen=True)
class Image:
    """The bytes of a database file of the engine's own format."""

    data: bytes


Database = Script | File | Image


def databases(given: Any) -> tuple[Database, ...]:
    """What a task says about its database, as one or several databases.

    Several are several states of the same schema: a query that is right by luck on one is found out by
    another, so an answer has to match on each.

    Args:
        given: a `Script`, `File` or `Image`; text; bytes; an object with one of the keys `script`, `path`
            and `base64`; a list of these; or any of these as JSON text. Text is a path where it is one
            line that ends in .db, .sqlite, .sqlite3, .duckdb or .ddb, and a script otherwise.

    Raises:
        RecordError: it is none of these, or the list is empty.

    Example:
        >>> databases('{"script": "create table t (a int)"}')
        (Script(sql='create table t (a int)'),)
        >>> databases("shop.sqlite")
        (File(path='shop.sqlite'),)
    """
    if isinstance(given, Script | File | Image):
        return (given,)
    if isinstance(given, bytes):
        return (Image(given),)
    if isinstance(given, str):
        text = given.strip()
        if text[:1] in ("{", "["):
            return databases(_parsed(text))
        if text:
            return (File(text),) if "\n" not in text and text.lower().endswith(FILES) else (Script(given),)
    if isinstance(given, dict):
        return (_of_object(given),)
    if isinstance(given, list | tuple) and given:
        return tuple(database for one in given for database in databases(one))
    raise RecordError(
        f"databases: {str(given)[:60]!r}; a script, a path, bytes, an object or a list of these is needed; "
        'write {"script": "create table ..."}'
    )


def _parsed(text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise RecordError(
            f"databases: text that starts as JSON and is none ({error}); JSON or a script is needed; mend it"
        ) from None


def _of_object(given: dict) -> Database:
    for key, kind in (("script", Script), ("path", File)):
        if set(given) == {key} and isinstance(given[key], str):
            return kind(given[key])
    if set(given) == {"base64"} and isinstance(given["base64"], str):
        try:
            return Image(base64.b64decode(given["base64"], validate=True))
        except binascii.Error as error:
            raise RecordError(f"databases: base64 that cannot be read ({error}); encode the file again") from None
    raise RecordError(
        f"databases: an object with the keys {sorted(map(str, given))}; exactly one of script, path and base64, "
        "as text, is needed; rename it"
    )
