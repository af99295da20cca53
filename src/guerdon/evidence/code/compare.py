"""Is what a program answered what the test wants? Values by type, output by line. All of it outside the sandbox.

Answers cross the pipe as JSON. What JSON has no word for has a tag, an object with one key:

    {"$set": [...]}  {"$bytes": "hex"}  {"$dict": [[key, value], ...]}  {"$float": "nan" | "inf" | "-inf"}
    {"$int": "0x..."}  (an integer of more than 4,000 digits)  {"$complex": [re, im]}  {"$empty": 0}  (a Lua table)

A tuple is written as a list, so `(1, 2)` and `[1, 2]` are the same answer.
"""

from __future__ import annotations

import json
import math
import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from guerdon.errors import RecordError

DEEPEST = 200  # levels of nesting in an answer
DIGITS = 4000  # of an integer in decimal; above it the tag $int, since decimal takes time that grows with the square
# The closing quote may be missing: a text without one is then passed over once, not tried again at each of its quotes.
_TEXT = re.compile(r'"(?:[^"\\]|\\.)*"?', re.DOTALL)


@dataclass(frozen=True)
class Bag:
    """A set: its members in no order."""

    members: tuple


@dataclass(frozen=True)
class Pairs:
    """A mapping: its keys are any data."""

    pairs: tuple


class _Empty:
    """A table without entries, in a language that cannot tell an empty list from an empty mapping."""

    def __repr__(self) -> str:
        return "{}"


EMPTY = _Empty()


def encode(value: Any, who: str = "encode") -> Any:
    """A Python value as JSON data with tags, for a test that is given as Python objects.

    Data that is JSON already, tags included, stays as it is.

    Args:
        value: None, bool, int, float, complex, text, bytes, and lists, tuples, sets and mappings of these.
        who: for the message of the error.

    Raises:
        RecordError: anything else.

    Example:
        >>> encode({"a": (1, {2})}), encode({1: b"x"})
        ({'a': [1, {'$set': [2]}]}, {'$dict': [[1, {'$bytes': '78'}]]})
    """
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, str):
        return str(value)
    if isinstance(value, int):
        return {"$int": hex(value)} if value.bit_length() > 13_000 else int(value)
    if isinstance(value, float):
        return float(value) if math.isfinite(value) else {"$float": str(float(value))}
    if isinstance(value, complex):
        return {"$complex": [encode(value.real), encode(value.imag)]}
    if isinstance(value, bytes | bytearray):
        return {"$bytes": bytes(value).hex()}
    if isinstance(value, list | tuple):
        return [encode(v, who) for v in value]
    if isinstance(value, set | frozenset):
        return {"$set": [encode(v, who) for v in value]}
    if isinstance(value, Mapping):
        if all(type(k) is str for k in value):
            return {k: encode(v, who) for k, v in value.items()}
        return {"$dict": [[encode(k, who), encode(v, who)] for k, v in value.items()]}
    raise RecordError(
        f"{who}: a value of type {type(value).__name__}; a test compares data: None, bool, int, float, complex, text, "
        "bytes, list, tuple, set, dict; compare a part of it that is data, or write a unit-test file"
    )


def parse(text: str | bytes) -> Any:
    """JSON text from a program that may mean harm, as plain data; `decode` reads its tags.

    Raises:
        ValueError: not JSON, nested deeper than 200 levels, or an integer of more than 4,000 digits.

    Example:
        >>> parse('[1, 2.0]')
        [1, 2.0]
        >>> parse("[" * 5000)
        Traceback (most recent call last):
        ValueError: nested deeper than 200 levels
    """
    if isinstance(text, bytes):
        text = text.decode("utf-8")
    if text.count("[") + text.count("{") > DEEPEST and _depth(text) > DEEPEST:
        raise ValueError(f"nested deeper than {DEEPEST} levels")
    return json.loads(text, parse_int=_integer)


def decode(data: Any) -> Any:
    """The value that JSON data with tags stands for.

    Raises:
        ValueError: a tag that is not well formed.

    Example:
        >>> decode({"$set": [1, 2]}), decode({"$float": "inf"}), decode({"$bytes": "78"})
        (Bag(members=(1, 2)), inf, b'x')
    """
    if isinstance(data, list):
        return [decode(v) for v in data]
    if not isinstance(data, dict):
        return data
    if len(data) == 1:
        ((tag, inner),) = data.items()
        if tag in _TAGS:
            try:
                return _TAGS[tag](inner)
            except (TypeError, KeyError, AttributeError) as error:
                raise ValueError(f"{tag} holds {type(inner).__name__}: {error}") from None
    return Pairs(tuple((k, decode(v)) for k, v in data.items()))


def same(got: Any, wanted: Any, tolerance: float = 0.0, integers: bool = False) -> bool:
    """Whether two decoded values are one: by type and value, down to the last part.

        |got - wanted| <= tolerance * max(1, |wanted|)      for two floats

    `True` is not 1; 1.0 is not 1 unless `integers`; NaN is NaN; a set is compared without order and a
    mapping by its keys, both keys and members without tolerance.

    Args:
        got: decoded, from the program.
        wanted: decoded, from the test.
        tolerance: of floats; 0 is bit for bit, with 0.0 = -0.0.
        integers: a float that is a whole number equals that integer.

    Example:
        >>> same(1, True), same(1.0, 1), same(1.0, 1, integers=True), same([0.1 + 0.2], [0.3], tolerance=1e-9)
        (False, False, True, True)
    """
    if got is EMPTY:
        return wanted == [] or wanted == Pairs(())
    if isinstance(wanted, float) or isinstance(got, float):
        return _same_number(got, wanted, tolerance, integers)
    if type(got) is not type(wanted):
        return False
    if isinstance(wanted, list):
        return len(got) == len(wanted) and all(
            same(g, w, tolerance, integers) for g, w in zip(got, wanted, strict=True)
        )
    if isinstance(wanted, Bag):
        return _counted(got.members, integers) == _counted(wanted.members, integers)
    if isinstance(wanted, Pairs):
        theirs = {_key(k, integers): v for k, v in got.pairs}
        ours = {_key(k, integers): v for k, v in wanted.pairs}
        return theirs.keys() == ours.keys() and all(same(theirs[k], v, tolerance, integers) for k, v in ours.items())
    return got == wanted


def same_output(got: bytes, wanted: str, tolerance: float = 0.0) -> bool:
    """Whether two outputs are one: line by line, blanks at the end of a line and empty lines at the end apart.

    Args:
        got: what was written; bytes that are not UTF-8 equal nothing.
        tolerance: above 0, words that are both finite decimal numbers are equal within it (as in `same`), and
            blanks between words do not count.

    Example:
        >>> same_output(b"1 \\n2\\r\\n\\n", "1\\n2"), same_output(b" 1", "1"), same_output(b"0.30001 x", "0.3 x", 1e-3)
        (True, False, True)
    """
    theirs, ours = _lines(got.decode("utf-8", "surrogateescape")), _lines(wanted)
    if len(theirs) != len(ours):
        return False
    return all(g == w or (tolerance > 0 and _same_words(g, w, tolerance)) for g, w in zip(theirs, ours, strict=True))


def shown(value: Any, most: int = 200) -> str:
    """A text, or any value, cut and made fit to be stored: no lone surrogates, no control signs.

    Example:
        >>> shown("a\\ud800b\\n"), shown("x" * 300, 5)
        ('a?b', 'xxxxx...')
    """
    if not isinstance(value, str):
        try:
            value = repr(value)
        except ValueError:  # an integer too long for decimal
            value = f"a {type(value).__name__}"
    text = value[: most * 4].encode("utf-8", "replace").decode("utf-8")
    text = "".join(sign if sign.isprintable() else " " for sign in text).strip()
    return text if len(text) <= most else f"{text[:most]}..."


def _same_number(got: Any, wanted: Any, tolerance: float, integers: bool) -> bool:
    if type(got) is not type(wanted):
        if not integers or {type(got), type(wanted)} != {int, float}:
            return False
        whole, other = (got, wanted) if isinstance(got, int) else (wanted, got)
        if tolerance == 0 or whole.bit_length() > 1000:
            return bool(math.isfinite(other)) and whole == other
        got, wanted = float(got), float(wanted)
    if math.isnan(wanted) or math.isnan(got):
        return math.isnan(wanted) and math.isnan(got)
    return got == wanted or abs(got - wanted) <= tolerance * max(1.0, abs(wanted)) < math.inf


def _same_words(got: str, wanted: str, tolerance: float) -> bool:
    theirs, ours = got.split(), wanted.split()
    return len(theirs) == len(ours) and all(
        g == w or (_NUMBER.fullmatch(g) and _NUMBER.fullmatch(w) and _same_number(float(g), float(w), tolerance, False))
        for g, w in zip(theirs, ours, strict=True)
    )


def _lines(text: str) -> list[str]:
    lines = [line.rstrip(" \t\r\f\v") for line in text.split("\n")]
    while lines and not lines[-1]:
        lines.pop()
    return lines


def _counted(members: tuple, integers: bool) -> Counter:
    return Counter(_key(m, integers) for m in members)


def _key(value: Any, integers: bool) -> Any:
    """A hashable stand-in, equal exactly where `same` holds without tolerance.

    Numbers stand as texts: whoever answers can choose a hundred thousand integers of one hash, but no such texts.
    """
    if isinstance(value, float):
        if integers and value.is_integer():
            return "int", hex(int(value))
        return "float", (value + 0.0).hex()  # -0.0 is 0.0
    if isinstance(value, int) and not isinstance(value, bool):
        return "int", hex(value)
    if isinstance(value, complex):
        return "complex", (value.real + 0.0).hex(), (value.imag + 0.0).hex()
    if isinstance(value, list):
        return "list", tuple(_key(v, integers) for v in value)
    if isinstance(value, Bag):
        return "set", frozenset(_counted(value.members, integers).items())
    if isinstance(value, Pairs):
        return "dict", frozenset((_key(k, integers), _key(v, integers)) for k, v in value.pairs)
    return type(value).__name__, value


def _depth(text: str) -> int:
    deep = deepest = 0
    for sign in _TEXT.sub("", text):
        if sign in "[{":
            deep += 1
            deepest = max(deepest, deep)
        elif sign in "]}":
            deep -= 1
    return deepest


def _integer(digits: str) -> int:
    if len(digits) > DIGITS:
        raise ValueError(f"an integer of {len(digits)} digits; at most {DIGITS} are read in decimal")
    return int(digits)


def _pairs(inner: list) -> Pairs:
    return Pairs(tuple((decode(k), decode(v)) for k, v in _listed(inner)))


def _hexadecimal(inner: str) -> int:
    if not _HEX.fullmatch(inner):
        raise ValueError("$int holds no hexadecimal integer")
    return int(inner, 16)


def _listed(inner: Any) -> list:
    if not isinstance(inner, list):
        raise TypeError("a list is needed")
    return inner


def _complex(inner: list) -> complex:
    real, imaginary = (decode(part) for part in _listed(inner))
    return complex(float(real), float(imaginary))


_NUMBER = re.compile(r"[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d+)?", re.ASCII)  # one way to read any text: no trying again
_HEX = re.compile(r"-?0x[0-9a-f]+")
_FLOATS = {"nan": math.nan, "inf": math.inf, "-inf": -math.inf}
_TAGS = {
    "$set": lambda inner: Bag(tuple(decode(v) for v in _listed(inner))),
    "$bytes": bytes.fromhex,
    "$dict": _pairs,
    "$float": _FLOATS.__getitem__,
    "$int": _hexadecimal,
    "$complex": _complex,
    "$empty": lambda inner: EMPTY,
}
