"""Execution match: does a query give what the reference query gives, on sqlite or duckdb?

observe(batch, [sql_match(engine=Duckdb(), comparison=Comparison(ordered=True))])
"""

from __future__ import annotations

from guerdon.evidence.sql.compare import Comparison, Table, any_order, by_name, in_order, same_result, where_ordered
from guerdon.evidence.sql.database import File, Image, Script, databases
from guerdon.evidence.sql.engines import Duckdb, Limits, QueryError, Sqlite
from guerdon.evidence.sql.match import last_fence, run_query, sql_match

__all__ = [
    "Comparison", "Duckdb", "File", "Image", "Limits", "QueryError", "Script", "Sqlite", "Table", "any_order",
    "by_name", "databases", "in_order", "last_fence", "run_query", "same_result", "sql_match",
    "where_ordered",
]  # fmt: skip
