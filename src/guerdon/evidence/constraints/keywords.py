"""Keywords of JSON schemas that an answer could otherwise stall or fool: patterns, unique items, multiples."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from fractions import Fraction
from typing import Any

from guerdon.evidence.constraints.language import PatternError, regular
from guerdon.evidence.tools.keys import key_of


def found(pattern: str, text: str) -> bool:
    """Whether a pattern is somewhere in a text, in time linear in the text where the pattern is regular.

    Example:
        >>> found("^(a+)+$", "a" * 50 + "!"), found("b|c", "abc")
        (False, True)
    """
    start, end = pattern.startswith("^"), pattern.endswith("$") and not pattern.endswith("\\$")
    inner = pattern[start : len(pattern) - end]
    if (start or end) and "|" in _outside_brackets(inner):  # each anchor then belongs to one side only
        return re.search(pattern, text) is not None
    anything = r"(?:.|\n)*"
    try:
        whole = regular(f"{'' if start else anything}(?:{inner}){'' if end else anything}")
    except PatternError:
        return re.search(pattern, text) is not None
    return whole.accepts(text)


def _outside_brackets(pattern: str) -> str:
    """What stands in no bracket; an escaped sign counts as nothing."""
    out, depth = [], 0
    for sign in re.sub(r"\\.", "", pattern):
        depth += (sign in "([") - (sign in ")]")
        out += [sign] * (depth == 0)
    return "".join(out)


def multiple(value: float, of: float) -> bool:
    """Whether a number as it is written is a whole multiple of another: 19.99 is one of 0.01, whatever floats say.

    Example:
        >>> multiple(19.99, 0.01), multiple(7, 2), multiple(float("inf"), 2)
        (True, False, False)
    """
    try:
        a, b = (Fraction(x) if isinstance(x, int) else Fraction(repr(x)) for x in (value, of))
    except (ValueError, OverflowError):  # 1e999 is infinite
        return False
    return (a / b).denominator == 1


def _broken(message: str) -> Any:
    import jsonschema

    return jsonschema.ValidationError(message)


def _pattern(validator: Any, pattern: str, said: Any, schema: Any) -> Iterator[Any]:
    if isinstance(said, str) and not found(pattern, said):
        yield _broken(f"{said[:60]!r} does not match {pattern[:60]!r}")


def _pattern_properties(validator: Any, patterns: Mapping, said: Any, schema: Any) -> Iterator[Any]:
    if not isinstance(said, dict):
        return
    for pattern, inner in patterns.items():
        for name, value in said.items():
            if found(pattern, name):
                yield from validator.descend(value, inner, path=name, schema_path=pattern)


def _additional_properties(validator: Any, inner: Any, said: Any, schema: Mapping) -> Iterator[Any]:
    if not isinstance(said, dict):
        return
    patterns, known = schema.get("patternProperties", {}), schema.get("properties", {})
    extra = [name for name in said if name not in known and not any(found(p, name) for p in patterns)]
    if isinstance(inner, Mapping):
        for name in extra:
            yield from validator.descend(said[name], inner, path=name)
    elif not inner and extra:
        named = ", ".join(repr(name[:40]) for name in sorted(extra)[:5])
        yield _broken(f"additional properties are not allowed: {named}{', ...' if len(extra) > 5 else ''}")


def _unique_items(validator: Any, wanted: Any, said: Any, schema: Any) -> Iterator[Any]:
    if wanted and isinstance(said, list) and len(set(map(key_of, said))) < len(said):
        yield _broken("the items are not unique")


def _multiple_of(validator: Any, of: Any, said: Any, schema: Any) -> Iterator[Any]:
    number = isinstance(said, int | float) and not isinstance(said, bool)
    if number and not multiple(said, of):
        yield _broken(f"{str(said)[:60]} is not a multiple of {of}")


KEYWORDS = {
    "pattern": _pattern, "patternProperties": _pattern_properties, "additionalProperties": _additional_properties,
    "uniqueItems": _unique_items, "multipleOf": _multiple_of,
}  # fmt: skip
