"""Tests as data: the three forms, and what is refused."""

import json

import pytest

from guerdon.errors import RecordError
from guerdon.evidence.code.tests import Call, Output, read


def test_the_three_forms():
    given = [
        {"stdin": "1\n", "stdout": "2\n"},
        {"call": "Solution.f", "args": [1, (2,)], "kwargs": {"n": {3}}, "returns": (1, 2), "name": "first"},
        {"file": "test_x.py", "text": "assert f(1) == 2"},
    ]
    out, call, unit = read(given)
    assert out == Output(b"1\n", "2\n")
    assert call == Call("Solution.f", [1, [2]], {"n": {"$set": [3]}}, [1, 2])
    assert unit.name == "test_x.py"
    assert read(json.dumps(given[:1])) == (out,)


FILE = """
import unittest
class Base(unittest.TestCase):
    def test_shared(self): pass
class TestA(Base):
    def test_a(self): pass
    def helper(self): pass
class Plain:
    def test_not(self): pass
class TestB:
    def test_b(self): pass
class Other(Base): pass
def test_c(): pass
async def test_d(): pass
def helper(): pass
"""


def test_the_functions_of_a_file_are_found_without_running_it():
    names = [t.name for t in read([{"file": "test_x.py", "text": FILE}])]
    assert names == [
        "test_c", "test_d", "Base.test_shared", "TestA.test_a", "TestA.test_shared", "TestB.test_b",
        "Other.test_shared",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("tests", "says"),
    [
        ([], "no tests"),
        ("[", "no JSON"),
        ({"stdin": "", "stdout": ""}, "of type dict; a list is needed"),
        (None, "of type NoneType"),
        ([1], "test 0 is of type int"),
        ([{"stdin": "1"}], "test 0 has stdin; it is to be one of"),
        ([{"stdin": "1", "stdout": "1", "std": 1}], "has std, stdin, stdout"),
        ([{"stdin": 1, "stdout": "1"}], "stdin of type int"),
        ([{"stdin": "\ud800", "stdout": "1"}], "half a surrogate pair"),
        ([{"call": "f", "args": [1]}], "has args, call"),
        ([{"call": "f", "args": 1, "returns": 1}], "args of type int"),
        ([{"call": "f", "kwargs": {1: 1}, "returns": 1}], "no text"),
        ([{"call": "f(1)", "returns": 1}], "calls 'f\\(1\\)'; the name of a function"),
        ([{"call": "f", "returns": object()}], "of type object"),
        ([{"call": "f", "args": [object()], "returns": 1}], "of type object"),
        ([{"call": "f", "returns": {"$set": 1}}], "not well formed"),
        ([{"call": "f", "args": [{"$bytes": 1}], "returns": 1}], "not well formed"),
        ([{"file": "x.py", "text": "def"}], "is not Python"),
        ([{}], "has nothing"),
        ([{"file": "x.py", "text": ""}], "no test, and asks nothing"),
        ([{"file": "x.py", "text": "def check(f): assert f(2) == 5"}], "no test, and asks nothing"),
        ([{"file": "x.py", "text": "def test(): assert f(2) == 5"}], "only test, which is no test"),
        ([{"file": "x.py", "text": "class A:\n def test_a(self): pass\nf(1)"}], "only test_a, which is no test"),
        ([{"file": "x.py", "text": "if __name__ == '__main__': assert f(2) == 5"}], "asks nothing"),
        ([{"file": "x.py", "text": "def test_a():\n yield f, 2"}], "test_a has a `yield`"),
        ([{"file": "x.py", "text": "class T(unittest.TestCase):\n async def test_a(s): pass"}], "does not await it"),
    ],
)
@pytest.mark.bad_input
def test_what_is_no_test_is_refused_with_the_way_out(tests, says):
    with pytest.raises(RecordError, match=says):
        read(tests)


def test_tests_of_a_file_are_found_by_whatever_name_their_class_has():
    text = (
        "from unittest import IsolatedAsyncioTestCase, TestCase as Case\nclass A(Case):\n def test_a(self): pass\n"
        "class B(IsolatedAsyncioTestCase):\n async def test_b(self): pass\n"
        "def test_c():\n def inner(): yield 1\n assert inner()"
    )
    assert [t.name for t in read([{"file": "test_x.py", "text": text}])] == ["test_c", "A.test_a", "B.test_b"]
    for whole in ("check(f)", "def test(): assert f(1)\ntest()", "for n in [1]:\n assert f(n)", "raise ValueError"):
        assert [t.name for t in read([{"file": "x.py", "text": whole}])] == ["x.py"]


def test_deep_values_are_refused():
    deep = []
    for _ in range(100_000):
        deep = [deep]
    with pytest.raises(RecordError, match="nested too deeply"):
        read([{"call": "f", "args": deep, "returns": 1}])
