"""More that a hostile or odd query can do: what is refused, what is let through, and whose fault a failure is."""

import json
import socket
import time

import pytest

from guerdon.evidence.sql import Comparison, Duckdb, Limits, Script, Sqlite, run_query, sql_match, where_ordered

SHOP = """
create table item (id integer, name text, price double, day date);
insert into item values (1, 'pen', 1.5, '2024-02-29'), (2, 'ink', 9.99, '2024-03-01'), (3, 'pad', 4.0, null);
"""
ENGINES = [Sqlite(), Duckdb()]
engines = pytest.mark.parametrize("engine", ENGINES, ids=lambda e: e.name)
QUICK = Limits(seconds=0.2, memory=400_000_000)


def verdict(said, wanted, engine, database=SHOP, limits=QUICK, **options):
    return sql_match(engine=engine, limits=limits, comparison=Comparison(**options)).grade(said, wanted, database)


# Attacks.

BOTH = [
    ("end; attach ':memory:' as z", "refused"), ("/* a */ drop /* b */ table /* c */ item", "refused"),
    ("select 1;\n-- two\ndelete from item", "refused"), ("commit", "refused"), ("rollback", "refused"),
    ("rel\u0435ase x", "error"), ("\uff33\uff25\uff2c\uff25\uff23\uff34 1", "error"),
    ("execute immediate 'x'", "error"),
    ("copy (select 1) to 'TMP/out.csv'", ""), ("select 1 into outfile 'TMP/out'", "error"),
    ("create trigger t after insert on item begin select 1; end", ""), ("alter table item rename to x", "refused"),
    ("reindex item", ""), ("replace into item(id) values (1)", ""), ("delete from item returning id", "refused"),
    ("select " + ", ".join(["1"] * 3000), ""), ("select 1 where " + " and ".join(["1 = 1"] * 2000), ""),
]  # fmt: skip
OF_SQLITE = [
    ("savepoint a", "refused"), ("pragma database_list", "refused"), ("select * from sqlite_dbpage", "error"),
    ("select * from dbstat", "error"), ("select * from pragma_function_list", "refused"),
    ("select sqlite_log(1, 'x')", "refused"), ("select fts3_tokenizer('simple')", ""),
    ("select edit('x', 'vi')", "error"), ("select eval('drop table item')", "error"),
    ("select abs(-9223372036854775807 - 1)", "error"), ("select 1 where 'a' regexp '(a*)*b'", "error"),
    ("with recursive n(i) as (select 1 union all select i + 1 from n limit 3000) "
     "select randomblob(900000) b from n order by b", ""),
    ("with recursive n(b) as (select randomblob(900000) union all select randomblob(900000) from n) "
     "select max(b) from n", "timeout"),
    ("select replace(printf('%.*c', 900000, 'x'), 'x', printf('%.*c', 900000, 'y'))", "memory"),
]  # fmt: skip
OF_DUCKDB = [
    ("select * from sniff_csv('/etc/passwd')", "error"), ("select * from read_blob('/proc/self/environ')", "error"),
    ("select * from read_parquet('/etc/passwd')", "error"), ("from parquet_metadata('/etc/passwd')", "error"),
    ("select * from 'http://127.0.0.1:PORT/x.csv'", "error"), ("from read_csv('http://127.0.0.1:PORT/x')", "error"),
    ("from query('copy item to \"TMP/out.csv\"')", "error"), ("from force_checkpoint()", "error"),
    ("from json_execute_serialized_sql('{}')", "error"), ("select * from arrow_scan(1, 2, 3)", "error"),
    ("select * from pandas_scan(1)", "error"), ("set enable_external_access = true", "refused"),
    ("reset enable_external_access", "refused"), ("attach 'TMP/x.db'", "refused"), ("use memory", "refused"),
    ("create secret s (type s3, key_id 'x', secret 'y')", "refused"), ("select nextval('q')", "error"),
    ("pivot item on name using sum(price)", "refused"), ("select bitstring('1', 2000000000)", ""),
    ("select histogram(i) from range(100000000) t(i)", ""),
    ("select string_agg(i::text) from range(100000000) t(i)", ""),
]  # fmt: skip
ATTACKS = [(e, *a) for e in ENGINES for a in BOTH + (OF_SQLITE if e.name == "sqlite" else OF_DUCKDB)]


@pytest.fixture(scope="module")
def listening():
    """A port on which somebody would notice a call."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(0.0)
        yield server


@pytest.mark.parametrize(("engine", "said", "why"), ATTACKS, ids=lambda v: getattr(v, "name", str(v)[:40]))
def test_attacks_are_held_and_worth_nothing(engine, said, why, tmp_path, listening):
    said = said.replace("TMP", str(tmp_path)).replace("PORT", str(listening.getsockname()[1]))
    began = time.monotonic()
    found = verdict(said, "select 'never'", engine)
    assert found.value == 0.0 and found.facts["why"].startswith(why), found
    assert time.monotonic() - began < 12 and list(tmp_path.iterdir()) == []
    with pytest.raises(BlockingIOError):
        listening.accept()


def test_sorting_much_reaches_no_disk():
    connection = Sqlite().open(Script(SHOP), QUICK)
    connection.set_authorizer(None)
    assert connection.execute("pragma temp_store").fetchone() == (2,)  # memory
    rows = "with recursive n(i) as (select 1 union all select i + 1 from n limit 40) "
    found = run_query(SHOP, f"{rows} select count(*) from (select randomblob(900000) b from n order by b)")
    assert found.rows == [(40,)]


# What is odd and right.


@engines
@pytest.mark.parametrize(
    "said",
    ["select 1;;", "select 1 ; \n;", ";select 1", "values (1)", "SELECT 1 WHERE 1=1",
     "select 1 as \"'; drop table item\"", "with a as materialized (select 1) select * from a", "-- a\nselect 1 -- b"],
)  # fmt: skip
def test_one_statement_in_other_words(engine, said):
    assert verdict(said, "select 1", engine).value == 1.0


@engines
@pytest.mark.parametrize(
    ("said", "wanted", "value"),
    [
        ("select '1'", "select 1", 0.0), ("select 1.0", "select 1", 1.0), ("select null", "select ''", 0.0),
        ("select null", "select null", 1.0), ("select 0.1 + 0.2", "select 0.3", 1.0),
        ("select 1 union all select 1", "select 1", 0.0), ("select 1 where 1 = 0", "select 2 where 1 = 0", 1.0),
        ("select 1 where 1 = 0", "select 1", 0.0), ("select 1, 2", "select 1", 0.0), ("select 'A'", "select 'a'", 0.0),
        ("select 'a '", "select 'a'", 0.0),
        ("select 1, null union all select null, 1", "select null, 1 union all select 1, null", 1.0),
        ("select '\u00e9'", "select 'e\u0301'", 0.0), ("select '2024-02-29'", "select day from item where id = 1", 1.0),
        ("select 9223372036854775807", "select 9223372036854775806", 0.0),
        ("select " + ", ".join(map(str, range(400))), "select " + ", ".join(map(str, range(400))), 1.0),
    ],
)  # fmt: skip
def test_what_counts_as_the_same(engine, said, wanted, value):
    assert verdict(said, wanted, engine).value == value


def test_json_tables_can_be_read_and_pragma_tables_cannot():
    assert verdict("select value from json_each('[1]')", "select 1", Sqlite()).value == 1.0
    assert verdict("select count(*) from json_tree('[1]')", "select 2", Sqlite()).value == 1.0
    assert (
        verdict("select name from pragma_table_info('item')", "select 1", Sqlite()).facts["why"].startswith("refused")
    )


# The order of rows, where the reference has one.


@pytest.mark.parametrize(
    ("query", "ordered"),
    [
        ("select a from t order by a", True), ("SELECT a FROM t ORDER\n BY a LIMIT 3", True),
        ("select a from (select a from t order by a) x", False), ("select 'order by' from t", False),
        ("select a from t -- order by a", False), ("select a /* order by */ from t", False),
        ("select sum(a) over (order by b) from t", False), ('select "order by" from t', False),
        ("select a from t union select b from t order by 1", True), ("select 'it''s' from t order by 1", True),
        ("", False), ("select (", False),
    ],
)  # fmt: skip
def test_whether_a_query_orders_its_rows(query, ordered):
    assert where_ordered(query) is ordered


@engines
def test_order_counts_only_where_the_reference_orders(engine):
    up, down, free = "select id from item order by id", "select id from item order by id desc", "select id from item"
    asked = {"engine": engine, "ordered": where_ordered}
    assert [verdict(*pair, **asked).value for pair in ((down, up), (up, up), (down, free))] == [0.0, 1.0, 1.0]
    assert verdict(down, {"rows": [[1], [2], [3]]}, **asked).value == 1.0
    assert verdict(down, json.dumps([up, free]), **asked).value == 1.0
    assert verdict(down, {"query": up, "ordered": False}, **asked).value == 1.0
    assert sql_match(comparison=Comparison(where_ordered)).version != sql_match().version


# Times with a zone in duckdb, which it hands over only with another library.


def test_times_with_a_zone_are_compared_in_utc_without_another_library():
    pairs = [
        ("select '2024-01-01 02:00:00+04'::timestamptz", "select '2024-01-01 00:00:00+02'::timestamptz", 1.0),
        ("select '2024-01-01 00:00:00+00'::timestamptz t, 1 -- c",
         "select '2024-01-01 00:00:00+00'::timestamptz, 1", 1.0),
        ("select '2024-01-01 00:00:01+00'::timestamptz", "select '2024-01-01 00:00:00+00'::timestamptz", 0.0),
        ("select null::timestamptz", "select null", 1.0), ("select 'infinity'::timestamptz", "select 1", 0.0),
    ]  # fmt: skip
    assert [verdict(said, wanted, Duckdb()).value for said, wanted, _ in pairs] == [value for *_, value in pairs]


def test_what_only_that_library_can_hand_over_is_nobodys_zero():
    found = verdict("select [now()]", "select 1", Duckdb())
    try:
        import pytz  # noqa: F401
    except ImportError:
        assert found.value is None and "pytz" in found.cause
    else:
        assert found.value == 0.0
