"""Tests as data: what is asked of a program, and what it should say."""

from __future__ import annotations

import ast
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from guerdon.errors import RecordError
from guerdon.evidence.code import compare
from guerdon.evidence.code.served import is_guard

FORMS = (
    '{"stdin": text, "stdout": text}, {"call": name, "args": [...], "kwargs": {...}, "returns": value} or '
    '{"file": "test_x.py", "text": text}'
)

_DEFINES = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef, ast.Import, ast.ImportFrom)


@dataclass(frozen=True)
class Output:
    """The program is run on `stdin`, and writes `stdout`."""

    stdin: bytes
    stdout: str
    kind = "stdin"
    name = ""


@dataclass(frozen=True)
class Call:
    """The function `name` of the program is called, and returns `returns`.

    Attributes:
        args, kwargs: JSON data with tags, as they are sent.
        returns: decoded, to compare with.
        size: bytes of it as JSON, at most; an answer needs as much room.
    """

    name: str
    args: Any
    kwargs: Any
    returns: Any
    size: int = field(default=0, compare=False)
    kind = "call"


@dataclass(frozen=True)
class Unit:
    """One test function of a unit-test file, or all of a file that has none.

    Attributes:
        name: `test_f`, `TestClass.test_f`, or the name of the file.
        file, text: of the file.
    """

    name: str
    file: str
    text: str
    kind = "file"


Test = Output | Call | Unit


def read(tests: Any, who: str = "run") -> tuple[Test, ...]:
    """Tests from what a user or a data set gives: a list of mappings, or JSON text of one.

    A unit-test file gives one test for each test function in it, as written: `test_*` functions, and the
    `test*` methods of classes named `Test*` or derived from `TestCase`; a file without any is one test. They
    are found by reading the file here, so that no program can change how many there are.

    Raises:
        RecordError: no tests, or one that is none of the three forms; a unit-test file that any program would pass,
            since nothing in it is run (an `async` test that is not awaited, a test with `yield`, only functions that
            are no tests and are not called). The message says which.

    Example:
        >>> [t.kind for t in read([{"stdin": "1", "stdout": "2"}, {"call": "f", "args": [1], "returns": 2}])]
        ['stdin', 'call']
        >>> [t.name for t in read([{"file": "test_f.py", "text": "def test_a(): pass\\ndef test_b(): pass"}])]
        ['test_a', 'test_b']
    """
    if isinstance(tests, str | bytes):
        try:
            tests = json.loads(tests)
        except (ValueError, RecursionError) as error:
            raise RecordError(f"{who}: tests that are no JSON ({error}); a list is needed; each is {FORMS}") from None
    if isinstance(tests, Mapping) or not isinstance(tests, Sequence):
        raise RecordError(f"{who}: tests of type {type(tests).__name__}; a list is needed; each is {FORMS}")
    if not len(tests):
        raise RecordError(f"{who}: no tests; a share of none is no number; give at least one: {FORMS}")
    return tuple(test for i, each in enumerate(tests) for test in _read(each, f"{who}: test {i}"))


def _read(test: Any, which: str) -> Iterator[Test]:
    if not isinstance(test, Mapping):
        raise RecordError(f"{which} is of type {type(test).__name__}; a mapping is needed; one of {FORMS}")
    keys = set(test) - {"name"}
    if keys == {"stdin", "stdout"}:
        yield Output(_text(test, "stdin", which).encode(), _text(test, "stdout", which))
    elif "call" in keys and "returns" in keys and keys <= {"call", "args", "kwargs", "returns"}:
        yield _call(test, which)
    elif keys == {"file", "text"}:
        yield from _units(_text(test, "file", which), _text(test, "text", which), which)
    else:
        raise RecordError(f"{which} has {', '.join(sorted(map(str, test))) or 'nothing'}; it is to be one of {FORMS}")


def _call(test: Mapping, which: str) -> Call:
    name = _text(test, "call", which)
    if not all(part.isidentifier() for part in name.split(".")):
        raise RecordError(f"{which} calls {name!r}; the name of a function is needed, or names joined by dots")
    args, kwargs = ([] if test.get("args") is None else test["args"]), test.get("kwargs")
    kwargs = {} if kwargs is None else kwargs
    if not isinstance(args, list | tuple) or not isinstance(kwargs, Mapping):
        raise RecordError(
            f"{which} has args of type {type(args).__name__} and kwargs of type {type(kwargs).__name__}; "
            'a list and a mapping are needed: "args": [1], "kwargs": {"n": 1}'
        )
    if not all(isinstance(key, str) for key in kwargs):
        raise RecordError(f"{which} has a keyword that is no text; write kwargs as {{name: value}}")
    try:
        wanted = compare.encode(test["returns"], which)
        size = len(json.dumps(wanted))
        returns = compare.decode(wanted)
        args = compare.encode(args, which)
        kwargs = {key: compare.encode(value, which) for key, value in kwargs.items()}
        compare.decode([args, list(kwargs.values())])
        json.dumps([args, kwargs]).encode()
    except RecursionError:
        raise RecordError(f"{which} is nested too deeply; values of up to {compare.DEEPEST} levels are sent") from None
    except ValueError as error:
        if isinstance(error, RecordError):
            raise
        raise RecordError(f"{which} has a tag that is not well formed: {error}; see guerdon.evidence.code") from None
    return Call(name, args, kwargs, returns, size)


def _units(name: str, text: str, which: str) -> Iterator[Unit]:
    try:
        tree = ast.parse(text)
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        raise RecordError(f"{which}, {name}, is not Python: {error}; correct the file") from None
    found = {node.name: node for node in _functions(tree.body, "test_")}
    classes = {node.name: node for node in tree.body if isinstance(node, ast.ClassDef)}
    cases = {a.asname or a.name: a.name for n in tree.body if isinstance(n, ast.ImportFrom) for a in n.names}
    for node in classes.values():
        bases = [ast.unparse(base).split(".")[-1] for each in _line(node, classes) for base in each.bases]
        bases = [cases.get(base, base) for base in bases]
        case = any(base.endswith("TestCase") for base in bases)
        if node.name.startswith("Test") or case:
            new: dict[str, ast.FunctionDef | ast.AsyncFunctionDef] = {}
            for f in (f for c in _line(node, classes) for f in _functions(c.body, "test")):
                new.setdefault(f"{node.name}.{f.name}", f)  # of the class first, then of those that it derives from
            lost = [f for f in new.values() if isinstance(f, ast.AsyncFunctionDef)]
            if case and lost and "IsolatedAsyncioTestCase" not in bases:
                raise RecordError(
                    f"{which}, {name}: {lost[0].name} is `async` in a TestCase, which does not await it; "
                    "a test that runs is needed; derive its class from IsolatedAsyncioTestCase"
                )
            found |= new
    yielding = next((key for key, node in found.items() if _yields(node)), None)
    if yielding is not None:
        raise RecordError(
            f"{which}, {name}: {yielding} has a `yield`, so that nothing in it is run; a test that runs is needed; "
            "write an assert for each case"
        )
    if not found:
        _refuse_idle(tree, f"{which}, {name}")
    for each in found or [name]:
        yield Unit(each, name, text)


def _refuse_idle(tree: ast.Module, which: str) -> None:
    """Refuses a file without test functions that any program would pass, since it asks nothing when it is loaded."""
    run = [n for node in tree.body if not isinstance(node, _DEFINES) and not is_guard(node) for n in ast.walk(node)]
    named = {node.id for node in run if isinstance(node, ast.Name)}
    lost = next((n.name for n in ast.walk(tree) if _functions([n], "test") and n.name not in named), None)
    asks = [n for n in run if isinstance(n, ast.Assert | ast.Raise) or (isinstance(n, ast.Expr) and _called(n.value))]
    if lost is None and asks:
        return
    has = f"only {lost}, which is no test" if lost else "no test, and asks nothing when it is loaded"
    raise RecordError(
        f"{which} has {has}; functions test_* are needed, or methods test* of a class named Test* or derived from "
        "TestCase, or asserts at its top level; write one, or call what checks the program"
    )


def _called(node: ast.expr) -> bool:
    return isinstance(node.value if isinstance(node, ast.Await) else node, ast.Call)


def _functions(body: list, start: str) -> list[ast.FunctionDef | ast.AsyncFunctionDef]:
    return [
        node
        for node in body
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name.startswith(start)
    ]


def _yields(node: ast.AST) -> bool:
    inner = [n for n in ast.iter_child_nodes(node) if not isinstance(n, (*_DEFINES, ast.Lambda))]
    return any(isinstance(n, ast.Yield | ast.YieldFrom) or _yields(n) for n in inner)


def _line(node: ast.ClassDef, classes: Mapping[str, ast.ClassDef], seen: tuple = ()) -> list[ast.ClassDef]:
    """The class and those of the file that it derives from."""
    if node.name in seen:
        return []
    above = [classes[base.id] for base in node.bases if isinstance(base, ast.Name) and base.id in classes]
    return [node, *(c for base in above for c in _line(base, classes, (*seen, node.name)))]


def _text(test: Mapping, key: str, which: str) -> str:
    value = test[key]
    if not isinstance(value, str):
        raise RecordError(f"{which} has a {key} of type {type(value).__name__}; text is needed; write it in quotes")
    try:
        value.encode()
    except UnicodeEncodeError:
        raise RecordError(f"{which} has a {key} with half a surrogate pair; UTF-8 text is needed; mend it") from None
    return value
