"""databases: what a task may say about its database."""

import base64
import json

import pytest

from guerdon.errors import RecordError
from guerdon.evidence.sql import File, Image, Script, databases


@pytest.mark.parametrize(
    ("given", "wanted"),
    [("create table t (a int)", Script("create table t (a int)")), ("a b.SQLITE3", File("a b.SQLITE3")),
     ({"path": "x"}, File("x")), (b"xyz", Image(b"xyz")), (Script("s"), Script("s")),
     ({"base64": base64.b64encode(b"xyz").decode()}, Image(b"xyz")), ("select 'a'\n.db", Script("select 'a'\n.db"))],
)  # fmt: skip
def test_one(given, wanted):
    assert databases(given) == (wanted,)
    if isinstance(given, dict):
        assert databases(json.dumps(given)) == (wanted,)


def test_several_are_states_of_one_schema():
    assert databases('["create table t (a int)", {"path": "x"}]') == (Script("create table t (a int)"), File("x"))


@pytest.mark.parametrize(
    "given", ["", "  ", None, 3, [], {}, "{", "[" * 5000, {"path": 3}, {"script": "a", "path": "b"}, {"base64": "*"}]
)
def test_anything_else_is_refused(given):
    with pytest.raises(RecordError, match="databases: "):
        databases(given)
