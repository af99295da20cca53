"""The engines: what they allow and refuse is told in test_match, on both; here, what a missing one says."""

import sys

import pytest

from guerdon.errors import MissingExtraError
from guerdon.evidence.sql import Duckdb, Script, Sqlite, sql_match
from guerdon.evidence.sql.engines import Limits


def test_a_missing_engine_names_the_extra(monkeypatch):
    monkeypatch.setitem(sys.modules, "duckdb", None)
    with pytest.raises(MissingExtraError, match=r"guerdon\[sql\]"):
        Duckdb().load()
    found = sql_match(engine=Duckdb()).grade("select 1", "select 1", "create table t (a int)")
    assert found.value is None and "guerdon[sql]" in found.cause


def test_a_script_cannot_reach_other_files(tmp_path):
    with pytest.raises(Exception, match="not authorized"):
        Sqlite().open(Script(f"attach '{tmp_path}/x.db' as x"), Limits())
    with pytest.raises(Exception, match="disabled"):
        Duckdb().open(Script(f"attach '{tmp_path}/x.db' as x"), Limits())
    assert list(tmp_path.iterdir()) == []
