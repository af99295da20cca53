"""Tool calls as they stand in text: JSON, Hermes tags, Python syntax. Nothing is evaluated.

A parser takes a text and gives the calls in it and how many were broken. A text without any sign of a
call has no calls; one that set out to call and got it wrong has a broken call, which is the candidate's doing.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from guerdon.evidence.plain import loads
from guerdon.evidence.texts.words import LIMIT
from guerdon.evidence.tools.keys import key_of

MOST = 500
"""Calls in one text: what is beyond is broken."""

_PYTHON = 20_000  # characters; above, Python's own parser is not asked
_NAMES = ("arguments", "parameters", "args", "input")


@dataclass(frozen=True)
class Call:
    """One call of a tool.

    Attributes:
        arguments: by name; one given by position has its number, as text, for a name.
    """

    name: str
    arguments: Mapping[str, Any] = field(default_factory=dict, hash=False)

    @cached_property
    def keys(self) -> Mapping[str, str]:
        """Of each argument the key of its value (`key_of`), by which values are compared."""
        return {name: key_of(value) for name, value in self.arguments.items()}

    @cached_property
    def values(self) -> frozenset[str]:
        """The keys of all values."""
        return frozenset(self.keys.values())


@dataclass(frozen=True)
class Parsed:
    """The calls of a text in their order, and how many others were broken.

    Attributes:
        why: what was wrong with the first broken one; None where none was.
    """

    calls: tuple[Call, ...] = ()
    broken: int = 0
    why: str | None = None

    def plus(self, other: Parsed) -> Parsed:
        """Both, one after the other."""
        return Parsed(self.calls + other.calls, self.broken + other.broken, self.why or other.why)


Parser = Callable[[str], Parsed]


def call_of(given: Any) -> Call:
    """A call from a parsed JSON object, in any of the usual shapes.

    `{"name": n, "arguments": {...}}`, with `parameters`, `args` or `input` for `arguments`, JSON text in the place of
    the object, all of it under `function` or `function_call`.

    Raises:
        ValueError: it is none of these.

    Example:
        >>> call_of({"type": "function", "function": {"name": "add", "arguments": '{"a": 1}'}})
        Call(name='add', arguments={'a': 1})
    """
    for outer in ("function", "function_call"):
        if isinstance(given, dict) and isinstance(given.get(outer), dict):
            given = given[outer]
    if not isinstance(given, dict):
        raise ValueError("a call is an object with a name and arguments")
    name = given.get("name", given.get("tool"))
    if not isinstance(name, str) or not name:
        raise ValueError("a call has no name")
    present = [key for key in _NAMES if key in given]
    if len(present) > 1:
        raise ValueError(f"a call has both {present[0]} and {present[1]}")
    arguments = given[present[0]] if present else {}
    if isinstance(arguments, str):
        arguments = loads(arguments) if arguments.strip() else {}
    arguments = {} if arguments is None else arguments
    if not isinstance(arguments, dict):
        raise ValueError("the arguments of a call are not an object")
    return Call(name, arguments)


def calls_of(given: Any) -> Parsed:
    """The calls of a parsed JSON value: one call, a list of them, or a message with `tool_calls`.

    Example:
        >>> calls_of([{"name": "f"}, {"nome": "g"}])
        Parsed(calls=(Call(name='f', arguments={}),), broken=1, why='a call has no name')
    """
    if isinstance(given, dict) and "tool_calls" in given:
        given = given["tool_calls"]
    out = Parsed()
    some = given if isinstance(given, list) else [given]
    for one in some[:MOST]:
        try:
            out = Parsed((*out.calls, call_of(one)), out.broken, out.why)
        except ValueError as error:
            out = out.plus(_broken(error))
    return out.plus(Parsed(broken=max(len(some) - MOST, 0), why="too many calls" if len(some) > MOST else None))


def json_calls(text: str) -> Parsed:
    """Calls in the OpenAI form: the whole text, or each fenced block of it that is one, is JSON.

    Example:
        >>> json_calls('{"name": "go", "arguments": {"to": "north"}}').calls
        (Call(name='go', arguments={'to': 'north'}),)
        >>> json_calls("I am done.").broken
        0
    """
    return _each(_json_blocks(text), _of_json)


def hermes_calls(text: str) -> Parsed:
    """Calls in `<tool_call>` ... `</tool_call>`, each JSON, wherever they stand in the text.

    A tag that is not closed is a broken call.

    Example:
        >>> hermes_calls('Let me see. <tool_call>{"name": "look", "arguments": {}}</tool_call>').calls
        (Call(name='look', arguments={}),)
        >>> hermes_calls('<tool_call>{"name": "look"').broken
        1
    """
    blocks = text.split("<tool_call>", MOST + 1)[1:]
    return _each([_Block(*_upto(block, "</tool_call>")) for block in blocks], _of_json)


def python_calls(text: str) -> Parsed:
    """Calls in Python syntax with literal arguments: `f(a=1)`, one a line, or a list of them; whole text or fenced.

    Read by `ast` and never run. A name in the place of a literal (`f(x)`), a call inside a call and `*args` are broken
    calls. What is no call (prose, or code in a ```python fence) is none; in a ```tool_code fence it is a broken one.

    Example:
        >>> python_calls("[go(to='north', steps=2), look()]").calls
        (Call(name='go', arguments={'to': 'north', 'steps': 2}), Call(name='look', arguments={}))
        >>> python_calls("os.system(input())").why
        'an argument is not a literal'
    """
    if meant := _fences(text, ("tool_code",)):
        return _each(meant, _of_python)
    if fenced := _fences(text, ("python", "py")):
        return _each([block for block in fenced if block.closed], _of_code)
    return _of_code(text)


def any_calls(text: str) -> Parsed:
    """Calls in whichever of the three forms the text has: Hermes tags, else JSON, else Python syntax.

    A text above 200,000 characters is one broken call.

    Example:
        >>> [any_calls(t).calls[0].name for t in ('<tool_call>{"name": "a"}</tool_call>', '{"name": "b"}', "c()")]
        ['a', 'b', 'c']
    """
    if len(text) > LIMIT:
        return Parsed(broken=1, why=f"longer than {LIMIT} characters")
    if "<tool_call>" in text:
        return hermes_calls(text)
    if _json_blocks(text):
        return json_calls(text)
    return python_calls(text)


@dataclass(frozen=True)
class _Block:
    """The text of one block, and whether it came to an end."""

    text: str
    closed: bool = True


def _each(blocks: list[_Block], read: Callable[[str], Parsed]) -> Parsed:
    calls: list[Call] = []
    broken, why = 0, None
    for block in blocks:
        one = read(block.text) if block.closed else Parsed(broken=1, why="a call is not closed")
        if len(calls) + len(one.calls) > MOST:
            one = Parsed(broken=len(one.calls) + one.broken, why="too many calls")
        calls += one.calls
        broken, why = broken + one.broken, why or one.why
    return Parsed(tuple(calls), broken, why)


def _of_json(text: str) -> Parsed:
    try:
        return calls_of(loads(text))
    except ValueError as error:
        return _broken(error)


def _broken(error: Exception | str) -> Parsed:
    return Parsed(broken=1, why=str(error)[:200] or type(error).__name__)


def _upto(text: str, end: str) -> tuple[str, bool]:
    inner, mark, _ = text.partition(end)
    return inner.strip(), bool(mark)


def _json_blocks(text: str) -> list[_Block]:
    """The whole text where it begins as JSON does, else its fenced blocks that do."""
    if _begins_as_json(text):
        return [_Block(text)]
    return [b for b in _fences(text, ("json", "tool_call", "")) if _begins_as_json(b.text)]


def _begins_as_json(text: str) -> bool:
    start = text.lstrip()[:200]
    return start[:1] == "{" or (start[:1] == "[" and start[1:].lstrip()[:1] in ("{", "]"))


def _fences(text: str, languages: tuple[str, ...]) -> list[_Block]:
    """Blocks between ``` marks whose first line is one of the languages; linear in the text."""
    parts, out = text.split("```"), []
    for i in range(1, len(parts), 2):
        language, line, body = parts[i].partition("\n")
        if line and language.strip().lower() in languages:
            out.append(_Block(body.strip(), i + 1 < len(parts)))
    return out[: MOST + 1]


def _of_code(text: str) -> Parsed:
    """Calls in text that may be something else."""
    return _of_python(text, plain=True)


def _of_python(text: str, plain: bool = False) -> Parsed:
    text = text.strip()
    if len(text) > _PYTHON:
        return Parsed() if plain else _broken(f"longer than {_PYTHON} characters")
    if plain and not ("(" in text and text.endswith((")", "]", ";"))):
        return Parsed()
    try:
        tree = ast.parse(text)
    except (SyntaxError, ValueError, MemoryError, RecursionError) as error:
        return Parsed() if plain else _broken(type(error).__name__)
    nodes: list[ast.AST] = []
    for statement in tree.body:
        value = statement.value if isinstance(statement, ast.Expr) else statement
        nodes += value.elts if isinstance(value, ast.List | ast.Tuple) else [value]
    if plain and not any(isinstance(node, ast.Call) for node in nodes):
        return Parsed()
    calls: list[Call] = []
    broken, why = 0, None
    for node in nodes[: MOST + 1]:
        try:
            calls.append(_python_call(node))
        except (ValueError, RecursionError, TypeError, MemoryError) as error:
            broken, why = broken + 1, why or str(error)
    return Parsed(tuple(calls[:MOST]), broken + max(len(nodes) - MOST, 0), why)


def _python_call(node: ast.AST) -> Call:
    if not isinstance(node, ast.Call):
        raise ValueError("what stands there is no call")
    parts, at = [], node.func
    while isinstance(at, ast.Attribute):
        parts.append(at.attr)
        at = at.value
    if not isinstance(at, ast.Name):
        raise ValueError("a call has no plain name")
    given = [(str(i), argument) for i, argument in enumerate(node.args)]
    given += [(keyword.arg, keyword.value) for keyword in node.keywords]
    if len({name for name, _ in given} - {None}) < len(given):
        raise ValueError("an argument is given twice, or by stars")
    return Call(".".join([at.id, *reversed(parts)]), {name: _literal(value) for name, value in given})


def _literal(node: ast.AST) -> Any:
    """The value of a literal as JSON would have it: a tuple is a list, keys are text."""
    match node:
        case ast.Constant(value=None | bool() | int() | float() | str() as value):
            return value
        case ast.UnaryOp(op=ast.USub(), operand=ast.Constant(value=int() | float() as value)) if value is not True:
            return -value
        case ast.List(elts=inner) | ast.Tuple(elts=inner):
            return [_literal(one) for one in inner]
        case ast.Dict(keys=keys, values=values) if all(
            isinstance(k, ast.Constant) and isinstance(k.value, str) for k in keys
        ) and len({k.value for k in keys}) == len(keys):
            return {k.value: _literal(v) for k, v in zip(keys, values, strict=True)}
    raise ValueError("an argument is not a literal")
