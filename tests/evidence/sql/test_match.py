"""sql_match and run_query: what is accepted, rejected, unscored; and what a hostile query can do, on both engines."""

import json
import os
import sqlite3
import time

import numpy as np
import pytest

from guerdon.batch import Batch, Column
from guerdon.errors import RecordError
from guerdon.evidence import observe, using
from guerdon.evidence.pool import Pool
from guerdon.evidence.sql import (
    Comparison,
    Duckdb,
    File,
    Image,
    Limits,
    QueryError,
    Script,
    Sqlite,
    any_order,
    by_name,
    last_fence,
    run_query,
    sql_match,
)

SHOP = """
create table item (id integer, name text, price double, sold boolean, day date);
insert into item values (1, 'pen', 1.5, true, '2024-02-29'), (2, 'ink', 9.99, false, '2024-03-01'),
                        (3, 'pad', 4.0, true, null), (4, 'pen', 2.5, null, '2024-03-01');
"""
ENGINES = [Sqlite(), Duckdb()]
engines = pytest.mark.parametrize("engine", ENGINES, ids=lambda e: e.name)
QUICK = Limits(seconds=0.2, memory=400_000_000)


def verdict(said, wanted, engine, database=SHOP, limits=QUICK, **options):
    return sql_match(engine=engine, limits=limits, comparison=Comparison(**options)).grade(said, wanted, database)


# Worked examples.


@engines
@pytest.mark.parametrize(
    ("said", "wanted"),
    [
        ("select name from item where price > 2", "select name from item where price > 2"),
        ("select name from item order by price desc", "select name from item"),
        ("select avg(price) from item", "select sum(price) / count(price) from item"),
        ("select count(*) from item", "select 4.0"),
        ("select count(*) from item where sold is null", "select 1"),
        ("select day from item where id = 3", "select null"),
        ("with recursive n(i) as (select 1 union all select i + 1 from n where i < 5) select sum(i) from n",
         "select 15"),
        ("select /* by name */ name -- of it\n from item;", "select name from item;  "),
        ("Here it is:\n```sql\nselect 1 + 1\n```\n", "select 2"),
        ("select name from item where 1 = 0", "select name from item where 2 = 0"),
        ("select sold from item where id = 1", "select 1"),
    ],
)  # fmt: skip
def test_accepts(said, wanted, engine):
    found = verdict(said, wanted, engine)
    assert (found.value, found.facts["recall"]) == (1.0, 1.0)


@engines
@pytest.mark.parametrize(
    ("said", "wanted", "why"),
    [
        ("select name from item where price > 2", "select name from item", "different"),
        ("select distinct name from item", "select name from item", "different"),
        ("select id, name from item", "select name, id from item", "different"),
        ("select '1'", "select 1", "different"),
        ("select null", "select 0", "different"),
        ("select null", "select ''", "different"),
        ("select 9007199254740993", "select 9007199254740992", "different"),
        ("select 1.01", "select 1.00", "different"),
        ("select name from nowhere", "select name from item", "error"),
        ("selec name from item", "select name from item", "error"),
        ("", "select name from item", "refused"),
        ("-- nothing", "select name from item", "refused"),
        ("I do not know", "select name from item", "error"),
        ("select 1; select 4", "select 4", "refused"),
        ("select \x00 1", "select 1", "error"),
        ("select '\ud800'", "select 1", "error"),
        ("select 1 --" + "x" * 30_000, "select 1", "refused"),
    ],
)
def test_rejects(said, wanted, why, engine):
    found = verdict(said, wanted, engine)
    assert found.value == 0.0 and found.facts["why"].startswith(why), found


@engines
def test_order_duplicates_columns_and_tolerance_are_options(engine):
    by_price, backwards = "select id from item order by price", "select id from item order by price desc"
    assert verdict(backwards, by_price, engine).value == 1.0
    assert verdict(backwards, by_price, engine, ordered=True).value == 0.0
    assert verdict(backwards, json.dumps({"query": by_price, "ordered": True}), engine).value == 0.0
    assert verdict("select distinct name from item", "select name from item", engine, duplicates=False).value == 1.0
    swapped = ("select name, id from item", "select id, name from item")
    assert verdict(*swapped, engine, columns=any_order).value == 1.0
    assert verdict(*swapped, engine, columns=by_name).value == 1.0
    assert verdict("select name as id, id as name from item", swapped[1], engine, columns=by_name).value == 0.0
    assert verdict("select 1.01", "select 1.0", engine, tolerance=0.02).value == 1.0


@engines
def test_partial_results_are_told_by_precision_and_recall(engine):
    found = verdict("select id from item where id in (1, 2)", "select id from item where id in (2, 3, 4)", engine)
    assert (found.value, found.facts["precision"], found.facts["recall"]) == (0.0, 0.5, pytest.approx(1 / 3))


@engines
def test_several_references_are_each_right_and_known_rows_need_no_query(engine):
    several = json.dumps(["select 1", "select 2"])
    assert [verdict(f"select {n}", several, engine).value for n in (1, 2, 3)] == [1.0, 1.0, 0.0]
    rows = {"rows": [["ink", 9.99], ["pad", 4]]}
    assert verdict("select name, price from item where price > 3", rows, engine).value == 1.0


@engines
def test_what_is_right_by_luck_on_one_state_is_found_out_on_another(engine):
    states = json.dumps([{"script": SHOP}, {"script": SHOP + "insert into item values (9, 'gum', 3.5, true, null);"}])
    found = verdict("select 4", "select count(*) from item", engine, states)
    assert found.value == 0.0 and [item["value"] for item in found.items] == [1.0, 0.0]
    assert verdict("select count(*) from item", "select count(id) from item", engine, states).value == 1.0


def test_nan_equals_nan_in_duckdb_and_is_null_in_sqlite():
    assert verdict("select 'nan'::double", "select 'nan'::double", Duckdb()).value == 1.0
    assert verdict("select 'nan'::double", "select null", Duckdb()).value == 0.0
    assert verdict("select 9e999 - 9e999", "select null", Sqlite()).value == 1.0
    assert verdict("select 9e999", "select 9e999", Sqlite()).value == 1.0


def test_decimals_dates_and_intervals_in_duckdb():
    same = [("select 2.50::decimal(9, 2)", "select 2.5::double"), ("select sum(id) from item", "select 10"),
            ("select date '2024-02-29'", "select '2024-02-29'"), ("select [1, 2]", "select [1, 2]"),
            ("select interval 1 day", "select interval 24 hour"),
            ("select {'a': 1}", "select {'a': 1}"), ("select '\\x00'::blob", "select '\\x00'::blob")]  # fmt: skip
    assert [verdict(*pair, Duckdb()).value for pair in same] == [1.0] * len(same)
    other = [("select timestamp '2024-02-29 00:00:00'", "select date '2024-02-29'"), ("select [1, 2]", "select [2, 1]"),
             ("select 'a'::blob", "select 'a'")]  # fmt: skip
    assert [verdict(*pair, Duckdb()).value for pair in other] == [0.0] * len(other)


def test_the_last_fence_is_the_answer():
    assert last_fence("```sql\nselect 1\n```\nno:\n```sql\nselect 2\n```\n```python\nprint()\n```") == "select 2"
    assert last_fence("select 3") == "select 3"


# Unscored.


@engines
@pytest.mark.parametrize(
    ("wanted", "database", "cause"),
    [
        ("select x from nowhere", SHOP, "reference query fails"),
        ("drop table item", SHOP, "reference query fails"),
        ("select 1", "create tabel", "could not be made"),
        ("select 1", "/nowhere/at/all.db", "could not be made"),
        ("select 1", "", "databases:"),
        ("select 1", '{"scrpt": "x"}', "exactly one of"),
        ("", SHOP, "no reference query"),
        ("{}", SHOP, "no reference query"),
        ('{"sql": "select 1"}', SHOP, "query, queries or rows"),
        ('{"rows": [1]}', SHOP, "list of lists"),
    ],
)
def test_unscored(wanted, database, cause, engine):
    found = verdict("select 1", wanted, engine, database)
    assert found.value is None and cause in found.cause, found


@engines
def test_a_reference_that_never_ends_is_unscored(engine):
    endless = "with recursive n(i) as (select 1 union all select i + 1 from n) select count(*) from n"
    found = verdict("select 1", endless, engine, limits=Limits(seconds=0.2))
    assert found.value is None and "timeout" in found.cause


@engines
def test_one_failing_reference_of_two_matters_only_where_the_other_does_not_match(engine):
    two = json.dumps(["select x from nowhere", "select 2"])
    assert verdict("select 2", two, engine).value == 1.0
    assert verdict("select 3", two, engine).value is None


def test_a_bytes_database_that_is_none_is_unscored():
    assert verdict("select 1", "select 1", Sqlite(), {"base64": "bm8gZGF0YWJhc2UgYXQgYWxsLi4u"}).value is None


# Attacks. Each ends with 0 and says why, well before the pool's deadline.

BOTH = [
    ("drop table item", "refused"), ("delete from item", "refused"), ("update item set price = 0", "refused"),
    ("insert into item(id) values (7)", "refused"), ("create table z (a int)", "refused"),
    ("create temp table z as select 1", "refused"), ("create view v as select 1", "refused"),
    ("attach 'TMP/x.db' as x", "refused"), ("attach ':memory:' as x", "refused"), ("detach main", "refused"),
    ("vacuum", "refused"), ("begin", "refused"), ("analyze", "refused"), ("explain select 1", ""),
    ("with x as (select 1) insert into item(id) select * from x", "refused"),
    ("select * from item; drop table item", "refused"),
    ("with recursive n(i) as (select 1 union all select i + 1 from n) select i from n", ""),
    ("with recursive n(i) as (select 1 union all select i + 1 from n) select count(*) from n", "timeout"),
    ("select count(*) from item a, item b, item c, item d, item e, item f, item g, item h, item i, item j, item k, "
     "item l, item m, item n, item o, item p where a.id + b.id + p.id > 99", ""),
    ("select " + "(" * 5000 + "1" + ")" * 5000, "error"),
    ("select " + "1+" * 5000 + "1", "error"),
    ("select " + "not " * 4000 + "1", "error"),
    ("with " + ", ".join(f"c{i} as (select * from c{i - 1} a, c{i - 1} b)" if i else "c0 as (select 1 x)"
                         for i in range(26)) + " select count(*) from c25", ""),
]  # fmt: skip
OF_SQLITE = [
    ("pragma writable_schema = 1", "refused"), ("pragma table_info(item)", "refused"),
    ("select * from pragma_table_info('item')", "refused"), ("select load_extension('x')", "refused"),
    ("select readfile('/etc/passwd')", "error"), ("select writefile('TMP/out', 'x')", "error"),
    ("vacuum into 'TMP/out.db'", "refused"), ("select length(zeroblob(1000000000))", "memory"),
    ("select hex(randomblob(1000000000))", "memory"), ("select printf('%1000000000d', 1)", ""),
    ("with recursive n(s) as (select 'x' union all select s || s from n) select max(length(s)) from n", "memory"),
    ("with recursive n(i) as (select 1 union all select i + 1 from n limit 900000) select group_concat(i) from n", ""),
    ("select replace(hex(zeroblob(400000)), '0', 'a') like '" + "%a" * 400 + "%b'", ""),
    ("select instr(replace(hex(zeroblob(400000)), '0', 'a'), replace(hex(zeroblob(200000)), '0', 'a') || 'b')", ""),
    ("select replace(hex(zeroblob(400000)), '0', 'a') glob '" + "*[a-z]" * 150 + "b'", ""),
]  # fmt: skip
OF_DUCKDB = [
    ("copy item to 'TMP/out.csv'", "refused"), ("export database 'TMP/out'", "refused"),
    ("select * from read_text('/etc/passwd')", "error"), ("select * from '/etc/passwd'", "error"),
    ("select * from read_csv('/etc/passwd')", "error"), ("select * from glob('/*')", "error"),
    ("install httpfs", "refused"), ("load httpfs", "refused"), ("set memory_limit = '9GB'", "refused"),
    ("pragma threads = 4", "refused"), ("call pragma_version()", "refused"), ("checkpoint", "refused"),
    ("select * from SHOP", "error"), ("select * from read_json('http://127.0.0.1:1/x')", "error"),
    ("select getenv('HOME')", "error"), ("select * from range(1000000000000)", "rows"),
    ("select length(repeat('a', 3000000000))", ""), ("select len(range(1000000000))", ""),
    ("select sleep_ms(60000)", ""), ("select max(md5(a.i::text || b.i::text)) from range(1000000) a(i), "
     "range(1000000) b(i)", "timeout"),
    ("select list(i) from range(200000000) r(i)", ""), ("prepare p as select 1", "refused"),
    ("select regexp_matches(repeat('a', 100000), '(a*)*b')", ""),
]  # fmt: skip
ATTACKS = [(e, *a) for e in ENGINES for a in BOTH + (OF_SQLITE if e.name == "sqlite" else OF_DUCKDB)]


@pytest.mark.parametrize(("engine", "said", "why"), ATTACKS, ids=lambda v: getattr(v, "name", str(v)[:40]))
def test_attacks_are_held_and_worth_nothing(engine, said, why, tmp_path):
    began = time.monotonic()
    found = verdict(said.replace("TMP", str(tmp_path)), "select 'never'", engine)
    assert found.value == 0.0 and found.facts["why"].startswith(why), found
    assert time.monotonic() - began < 12 and list(tmp_path.iterdir()) == []


@engines
def test_nothing_that_a_query_does_reaches_a_file(engine, tmp_path):
    path = tmp_path / f"shop.{engine.name}"
    if engine.name == "sqlite":
        with sqlite3.connect(path) as made:
            made.executescript(SHOP)
        made.close()
    else:
        import duckdb

        with duckdb.connect(str(path)) as made:
            made.execute(SHOP)
    before = path.read_bytes()
    for said in ("delete from item", "drop table item", "update item set id = 0", "create table z (a int)"):
        assert verdict(said, "select 4", engine, File(str(path))).value == 0.0
    assert verdict("select count(*) from item", "select 4", engine, File(str(path))).value == 1.0
    assert verdict("select count(*) from item", "select 4", engine, Image(before)).value == 1.0
    assert path.read_bytes() == before and [p.name for p in tmp_path.iterdir()] == [path.name]


@engines
def test_many_columns_that_hold_the_same_are_compared_in_time(engine):
    wide = "select " + ", ".join(f"price * 0 as c{i}" for i in range(30)) + ", id as last from item"
    other = "select id as last, " + ", ".join(f"price * 0 as c{i}" for i in range(30)) + " from item"
    began = time.monotonic()
    assert verdict(other, wide, engine, columns=any_order).value == 1.0
    assert time.monotonic() - began < 5


def test_limits_of_rows_and_bytes():
    count = "with recursive n(i) as (select 1 union all select i + 1 from n where i < 50) select i from n"
    assert verdict(count, "select 1", Sqlite(), limits=Limits(rows=49)).facts["why"].startswith("rows")
    assert verdict(count, "select 1", Sqlite(), limits=Limits(bytes=99)).facts["why"].startswith("bytes")
    assert verdict(count, count, Sqlite(), limits=Limits(rows=50)).value == 1.0


def children():
    with open(f"/proc/self/task/{os.getpid()}/children") as file:
        return file.read().split()


def test_no_child_is_left_behind():
    before = children()
    verdict("select 1", "select 1", Sqlite())
    verdict(
        "with recursive n(i) as (select 1 union all select i + 1 from n) select count(*) from n", "select 1", Sqlite()
    )
    assert children() == before


@engines
def test_on_the_pool_a_query_that_never_ends_is_scored_and_a_reference_that_does_is_not(engine):
    endless = "with recursive n(i) as (select 1 union all select i + 1 from n) select count(*) from n"
    long = "select len(range(1000000000))" if engine.name == "duckdb" else endless
    said = ["select 4", endless, long, "drop table item", "select 4"]
    batch = Batch.from_steps(group=[0] * 5, trajectory=list(range(5)), reward=[0.0] * 5, action=said)
    batch = batch.with_columns(reference=Column.of("trajectory", ["select count(*) from item"] * 4 + [endless]))
    with Pool(workers=1) as pool, using(pool):
        seen = observe(batch, [sql_match(engine=engine, limits=QUICK, database=SHOP)])
    assert seen["sql"].tolist() == [1.0, 0.0, 0.0, 0.0, None]
    assert [(why or "").split(":")[0] for why in seen["sql/why"].tolist()][1:4:2] == ["timeout", "refused"]


# run_query and the observer.


@engines
def test_run_query_gives_rows_and_names(engine):
    found = run_query(SHOP, "select name as n, price from item where id = 1", engine)
    assert (found.columns, found.rows) == (("n", "price"), [("pen", 1.5)])
    with pytest.raises(QueryError, match="refused"):
        run_query(Script(SHOP), "drop table item", engine)


def test_run_query_gives_each_kind_of_value_back():
    (row,) = run_query(SHOP, "select x'00ff', 'nan', 9e999, null, 3", Sqlite()).rows
    assert row == (b"\x00\xff", "nan", float("inf"), None, 3)
    (row,) = run_query(SHOP, "select [1.5::double], {'a': 2}, date '2024-02-29', 1.50::decimal(4, 2)", Duckdb()).rows
    assert row[:3] == ([1.5], {"a": 2}, "2024-02-29") and str(row[3]) == "1.50"


@engines
def test_the_observer_reads_the_database_of_each_task(engine):
    batch = Batch.from_steps(group=[0] * 3, trajectory=[0, 1, 2], reward=[0.0] * 3,
                             action=["select a from t", "select 8", "select 9"])  # fmt: skip
    scripts = ["create table t (a int); insert into t values (7)", "create table t (a int); insert into t values (8)"]
    batch = batch.with_columns(
        reference=Column.of("trajectory", ["select max(a) from t"] * 3),
        task_database=Column.of("trajectory", [*scripts, "create tabel"]),
    )
    seen = observe(batch, [sql_match(engine=engine)])
    assert seen["sql"].tolist() == [1.0, 1.0, None] and "could not be made" in seen["sql/cause"].tolist()[2]
    np.testing.assert_array_equal(seen["sql/recall"].values, [1.0, 1.0, np.nan])


def test_versions_tell_options_apart_and_are_the_same_each_time():
    versions = [sql_match(comparison=c).version for c in (Comparison(), Comparison(), Comparison(ordered=True))]
    assert versions[0] == versions[1] != versions[2] and " at 0x" not in versions[0]


@pytest.mark.bad_input
@pytest.mark.parametrize("engine", ["duckdb", "postgres", Sqlite, None])
def test_the_name_of_an_engine_is_no_engine(engine):
    for make in (lambda: sql_match(engine=engine), lambda: run_query("", "select 1", engine)):
        with pytest.raises(RecordError, match=r"an engine is needed; write Duckdb\(\) or Sqlite\(\)"):
            make()
