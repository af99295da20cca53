"""Does a query give what the reference query gives? Execution match, and the observer made of it."""

from __future__ import annotations

import decimal
import importlib.util
import json
import re
from collections.abc import Callable, Generator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from guerdon.errors import MissingExtraError, RecordError
from guerdon.evidence.grading import Grading
from guerdon.evidence.sql.compare import Agreement, Comparison, Table, agreement, plain
from guerdon.evidence.sql.database import Database, databases
from guerdon.evidence.sql.engines import Engine, Limits, QueryError, Sqlite, an_engine
from guerdon.evidence.sql.isolated import Ended, Phase, isolated
from guerdon.keys import hash_text
from guerdon.records import Verdict

_FENCE = re.compile(r"^[ \t]*```[ \t]*([A-Za-z0-9_+-]*)[^\n`]*\n(.*?)^[ \t]*```", re.S | re.M)


def last_fence(text: str) -> str:
    """The text of the last fenced block that is marked sql, or that is not marked; without one, the whole text.

    Example:
        >>> last_fence("So:" + chr(10) + "```sql" + chr(10) + "select 1" + chr(10) + "```")
        'select 1'
        >>> last_fence(" select 2 ")
        'select 2'
    """
    text = text[-200_000:]
    found = [body for mark, body in _FENCE.findall(text) if mark.lower() in ("", "sql", "sqlite", "duckdb")]
    return (found[-1] if found else text).strip()


@dataclass(frozen=True)
class Wanted:
    """What a task wants: reference queries, each of them right, or the rows themselves.

    Attributes:
        queries: SQL texts.
        rows: the result, where it is known already.
        comparison: options for this task alone, laid over those of the grader.
    """

    queries: tuple[str, ...] = ()
    rows: Table | None = None
    comparison: Mapping[str, Any] = field(default_factory=dict, hash=False)


def wanted(reference: Any) -> Wanted:
    """A task's reference, as `Wanted`.

    Args:
        reference: one query as text; a list of queries; an object with `query`, `queries` or `rows` (a list
            of rows, with `columns` beside it where names count), and `ordered`, `duplicates` and `tolerance`
            where this task differs; or the JSON text of these.

    Raises:
        RecordError: it is none of these.

    Example:
        >>> wanted('{"query": "select a from t order by a", "ordered": true}').comparison
        {'ordered': True}
    """
    if isinstance(reference, str):
        reference = _from_text(reference.strip())
    if isinstance(reference, list | tuple):
        reference = {"queries": reference}
    if not isinstance(reference, Mapping):
        raise RecordError(f"wanted: a {type(reference).__name__}; a query, a list or an object is needed; correct it")
    known = {"query", "queries", "rows", "columns", "ordered", "duplicates", "tolerance"}
    queries = reference.get("queries", [reference["query"]] if "query" in reference else [])
    rows = reference.get("rows")
    if set(reference) - known or not isinstance(queries, list | tuple):
        raise RecordError(
            f"wanted: an object with the keys {sorted(map(str, reference))}; query, queries or rows is needed; "
            "see docs/sql.md"
        )
    if any(not isinstance(q, str) or not q.strip() for q in queries) or (not queries and rows is None):
        raise RecordError("wanted: no reference query, or one that is empty; one is needed; add it to the task")
    if rows is not None and not (isinstance(rows, list) and all(isinstance(row, list) for row in rows)):
        raise RecordError("wanted: rows that are no list of lists; one list per row is needed; correct them")
    table = None if rows is None else Table(rows, tuple(map(str, reference.get("columns", ()))))
    options = {k: reference[k] for k in ("ordered", "duplicates", "tolerance") if k in reference}
    return Wanted(tuple(queries), table, options)


def _from_text(text: str) -> Any:
    """JSON where the text is an object, a list or a string of it, else the text: one query."""
    if text[:1] not in ("{", "[", '"'):
        return [text]
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        return [text]
    return [found] if isinstance(found, str) else found


def run_query(database: Any, sql: str, engine: Engine = Sqlite(), limits: Limits = Limits()) -> Table:  # noqa: B008
    """The result of one reading query on a fresh copy of a database, or QueryError.

    Dates, times, intervals and UUIDs come as text, as they are compared.

    Args:
        database: see `databases`; the first is used.
        sql: one statement that only reads.

    Raises:
        QueryError: refused, failed, or beyond its limits. A `File` that cannot be read raises it too.
        MissingExtraError: the engine is not installed.

    Example:
        >>> run_query("create table t (a int, b text); insert into t values (1, 'x')", "select b, a from t").rows
        [('x', 1)]
        >>> run_query("create table t (a int)", "drop table t")
        Traceback (most recent call last):
        ...
        guerdon.evidence.sql.engines.QueryError: refused: not authorized
    """
    an_engine(engine, "run_query").load()
    (first, *_) = databases(database)

    def work() -> Generator[Phase, None, Any]:
        yield Phase("build", limits.build)
        connection = engine.open(first, limits)
        yield Phase("query", limits.seconds)
        try:
            table = engine.query(connection, _within(sql, limits), limits)
        except QueryError as error:
            return {"why": str(error)}
        return {"columns": table.columns, "rows": [[_sent(v) for v in row] for row in table.rows]}

    ended = isolated(work, limits.memory)
    if ended.why or "why" in ended.value:
        raise QueryError(ended.value["why"] if not ended.why else _ending(ended, limits))
    return Table([tuple(_received(v) for v in row) for row in ended.value["rows"]], tuple(ended.value["columns"]))


@dataclass(frozen=True)
class SqlMatch:
    """The grader of `sql_match`; see there."""

    engine: Engine = field(default_factory=Sqlite)
    comparison: Comparison = field(default_factory=Comparison)
    limits: Limits = field(default_factory=Limits)
    database: tuple[Database, ...] = ()
    statement: Callable[[str], str] = last_fence

    def __post_init__(self) -> None:
        an_engine(self.engine, "sql_match")

    @property
    def needs(self) -> tuple[str, ...]:
        """What is loaded before the clock of an item runs."""
        return tuple(name for name in self.engine.needs if importlib.util.find_spec(name))

    def __call__(self, action: str, reference: Any, database: Any = None) -> Verdict:
        """The verdict on one answer."""
        try:
            goal, states = wanted(reference), self.database or databases(database)
            comparison = replace(self.comparison, **goal.comparison)
            self.engine.load()
        except (RecordError, MissingExtraError) as error:
            return Verdict.unscored(str(error))
        sql = self.statement(str(action))
        found = [self._on(state, sql, goal, comparison) for state in states]
        items = [{"database": i, "value": v.value, **v.facts, "cause": v.cause} for i, v in enumerate(found)]
        worst = next((v for v in found if v.value == 0), None) or next((v for v in found if not v.scored), found[0])
        return replace(worst, items=tuple(items) if len(found) > 1 else ())

    def _on(self, state: Database, sql: str, goal: Wanted, comparison: Comparison) -> Verdict:
        def work() -> Generator[Phase, None, Any]:
            yield Phase("build", self.limits.build)
            connection = self.engine.open(state, self.limits)
            yield Phase("reference", self.limits.seconds * max(1, len(goal.queries)))
            tables, failed = [] if goal.rows is None else [("", goal.rows)], ""
            for query in goal.queries:
                try:
                    tables.append((query, self.engine.query(connection, query, self.limits)))
                except (QueryError, MissingExtraError) as error:
                    failed = str(error)
            if not tables:
                return {"cause": f"the reference query fails ({failed})"}
            yield Phase("query", self.limits.seconds)
            try:
                said = self.engine.query(connection, _within(sql, self.limits), self.limits)
            except QueryError as error:
                return {"why": str(error)}
            except MissingExtraError as error:
                return {"cause": str(error)}
            yield Phase("compare", 5.0 + self.limits.seconds)
            found = [agreement(said, table, comparison.of(query)) for query, table in tables]
            best = max(found, key=lambda a: (a.same, a.recall))
            return {"best": vars(best), "failed": failed}

        return self._verdict(isolated(work, self.limits.memory))

    def _verdict(self, ended: Ended) -> Verdict:
        if ended.why and ended.phase == "query":
            return Verdict.score(0.0, why=_ending(ended, self.limits))
        if ended.why:
            return Verdict.unscored(_ending(ended, self.limits))
        if "cause" in ended.value:
            return Verdict.unscored(ended.value["cause"])
        if "why" in ended.value:
            return Verdict.score(0.0, why=ended.value["why"])
        best = Agreement(**ended.value["best"])
        facts = {
            "precision": best.precision, "recall": best.recall, "rows": best.said, "rows_wanted": best.wanted
        }  # fmt: skip
        if best.same:
            return Verdict.score(1.0, **facts)
        if ended.value["failed"]:
            return Verdict.unscored(f"a reference query fails ({ended.value['failed']}) and the others do not match")
        return Verdict.score(0.0, why="different: the result is not the reference's", **facts)


def sql_match(
    name: str = "sql",
    engine: Engine = Sqlite(),  # noqa: B008 (frozen)
    comparison: Comparison = Comparison(),  # noqa: B008
    limits: Limits = Limits(),  # noqa: B008
    database: Any = None,
    statement: Callable[[str], str] = last_fence,
    reads: tuple[str, ...] = ("action", "reference", "task_database"),
) -> Grading:
    """An observer: 1 where the answer's query gives the reference's result on the task's database, else 0.

    Both queries run on the same fresh copy, the reference first, in a process of their own. A candidate's
    query that is refused, fails, or goes beyond its limits is worth 0, with the fact `why` beginning with
    refused, error, timeout, rows, bytes, memory, crashed or different. Facts `precision` and `recall` are shares
    of rows. Where a task gives several databases, the answer has to match on each, and `NAME/items` has one
    row per database. Unscored: the database cannot be made, a reference query fails and no other matches.

    Args:
        engine: `Sqlite()` or `Duckdb()`, an engine itself and not its name.
        comparison: order, duplicates, tolerance and columns; a task's reference may change the first three.
        limits: of one query.
        database: one for all tasks; None reads the third column of `reads` (what a task's `database` becomes).
        statement: takes the query out of the answer.

    Source: ReViSQL (arXiv 2603.20004): execution match, results as sets (`duplicates=False` there).

    Example:
        >>> from guerdon.batch import Batch, Column
        >>> batch = Batch.from_steps(group=[0, 0], trajectory=[0, 1], reward=[0.0, 0.0],
        ...                          action=["select a from t where a > 1", "select 7"])
        >>> batch = batch.with_columns(reference=Column.of("trajectory", ["select max(a) from t"] * 2))
        >>> shop = "create table t (a int); insert into t values (1), (2)"
        >>> sql_match(database=shop).observe(batch)["sql"].values
        array([1., 0.])
    """
    fixed = databases(database) if database is not None else ()
    grade = SqlMatch(engine, comparison, limits, fixed, statement)
    states = max(1, len(fixed))
    # Above the sum of what the phases may take on the clock, so that the child is ended first, and with a reason.
    deadline = states * (4 * (limits.build + 4 * limits.seconds + 5) + 10)
    return Grading(name, grade, reads[:2] if fixed else reads, deadline=deadline, version=_version(grade))


def _version(grade: SqlMatch) -> str:
    """Names what a verdict depends on; functions by name, so that it is the same in every process."""
    c, state = grade.comparison, hash_text(repr(grade.database))
    named = [getattr(f, "__qualname__", repr(f)) for f in (c.columns, grade.statement, c.ordered)]
    return f"2 {grade.engine} {c.duplicates} {c.tolerance} {named} {grade.limits} {state}"


def _within(sql: str, limits: Limits) -> str:
    if len(sql) > limits.text:
        raise QueryError(f"refused: the query has {len(sql)} characters, more than {limits.text}")
    if not sql.strip():
        raise QueryError("refused: there is no query")
    return sql


def _ending(ended: Ended, limits: Limits) -> str:
    if ended.phase == "query":
        return f"timeout: the query takes more than {limits.seconds:g} s" if ended.why == "timeout" else ended.why
    told = {"start": "the process did not start", "build": "the database could not be made",
            "reference": "the reference query did not end", "compare": "the results could not be compared"}  # fmt: skip
    return f"{told[ended.phase]}: {ended.why}"


def _sent(value: Any) -> Any:
    """A value as JSON that comes back as the same where JSON has it, tagged where it is bytes or a decimal."""
    if value is None or isinstance(value, bool | int | float | str):
        return value
    if isinstance(value, bytes | bytearray):
        return {"bytes": value.hex()}
    if isinstance(value, decimal.Decimal):
        return {"decimal": str(value)}
    if isinstance(value, list | tuple):
        return [_sent(v) for v in value]
    if isinstance(value, dict):
        return {"struct": [[_sent(k), _sent(v)] for k, v in value.items()]}
    return str(plain(value).value)


def _received(value: Any) -> Any:
    if isinstance(value, list):
        return [_received(v) for v in value]
    if not isinstance(value, dict):
        return value
    ((kind, inner),) = value.items()
    if kind == "struct":
        return {_received(k): _received(v) for k, v in inner}
    return bytes.fromhex(inner) if kind == "bytes" else decimal.Decimal(inner)
