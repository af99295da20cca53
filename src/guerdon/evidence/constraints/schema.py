"""Does the answer's JSON keep a JSON schema?"""

from __future__ import annotations

import importlib.util
import json
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from guerdon.errors import MissingExtraError
from guerdon.evidence.constraints.keywords import KEYWORDS
from guerdon.evidence.constraints.layout import parsed
from guerdon.evidence.grading import Grading
from guerdon.evidence.plain import loads
from guerdon.records import Verdict

ERRORS = 50  # are listed; more make no difference
DEEP = 30  # levels of an answer within which a schema that never ends is the schema's fault


class SchemaError(ValueError):
    """A schema that cannot be used."""


@dataclass(frozen=True)
class KeepsSchema:
    """The grader of `json_schema`; see there. `schema` is JSON text, or None to read the reference."""

    schema: str | None = None
    extract: Callable[[str], str] = str.strip

    @property
    def needs(self) -> tuple[str, ...]:
        """What is loaded before the clock of an item runs."""
        return tuple(name for name in ("jsonschema", "referencing") if importlib.util.find_spec(name))

    def __call__(self, action: str, reference: Any = None) -> Verdict:
        """The verdict on one answer."""
        given = self.schema if self.schema is not None else reference
        try:
            validator = _validator(given if isinstance(given, str) else json.dumps(given, sort_keys=True))
        except (SchemaError, MissingExtraError) as error:
            return Verdict.unscored(str(error))
        except (ValueError, TypeError, RecursionError) as error:
            return Verdict.unscored(f"the schema cannot be read: {error}")
        try:
            said = parsed(self.extract(str(action)))
        except ValueError as error:
            return Verdict.score(0.0, why=f"not JSON: {error}"[:300])
        return _judged(validator, said)


def json_schema(
    name: str = "json_schema",
    schema: Any = None,
    extract: Callable[[str], str] = str.strip,
    reads: tuple[str, str] = ("action", "reference"),
    deadline: float = 5.0,
) -> Grading:
    """An observer: 1 where the answer is JSON that keeps a schema, else 0 with the fact `why`.

    The answer has to be JSON throughout, or one fenced block of it, of at most 200,000 characters, with no name twice
    in an object. Fact `errors`: how many parts break the schema, up to 50; `NAME/items` lists where, and which keyword.
    A schema that is none, or refers to another document (nothing is fetched), is unscored, and so is everything where
    jsonschema is not installed. Items are told apart in linear time and multiples taken exactly (19.99 is one of 0.01).
    Patterns in schemas run in linear time where they are regular; the others, and schemas that branch without end, may
    take until `deadline`, and are then unscored.

    Args:
        schema: for all tasks, as an object or JSON text; None reads the reference.

    Example:
        >>> from guerdon.batch import Batch, Column
        >>> batch = Batch.from_steps(group=[0, 0], trajectory=[0, 1], reward=[0.0, 0.0],
        ...                          action=['{"a": 1}', '{"a": "x"}'])
        >>> json_schema(schema={"properties": {"a": {"type": "integer"}}}).observe(batch)["json_schema"].values
        array([1., 0.])
    """
    fixed = schema if schema is None or isinstance(schema, str) else json.dumps(schema, sort_keys=True)
    version = f"2 {fixed!r} {getattr(extract, '__qualname__', repr(extract))}"
    columns = reads if fixed is None else reads[:1]
    return Grading(name, KeepsSchema(fixed, extract), columns, deadline=deadline, version=version)


def _judged(validator: Any, said: Any) -> Verdict:
    items, why = [], ""
    try:
        for error in validator.iter_errors(said):
            where = "/".join(map(str, error.absolute_path))[:200]
            why = why or f"{where or 'the whole'}: {error.message[:200]}"
            items.append({"where": where, "keyword": str(error.validator)})
            if len(items) == ERRORS:
                break
    except RecursionError:
        if _depth(said) > DEEP:
            return Verdict.score(0.0, why=f"JSON that nests more than {DEEP} deep")
        return Verdict.unscored("the schema leads into itself without end")
    except Exception as error:  # a reference that leads nowhere is only found on the way
        return Verdict.unscored(f"the schema cannot be followed: {type(error).__name__}: {str(error)[:200]}")
    return Verdict.score(0.0, items=items, why=why, errors=len(items)) if items else Verdict.score(1.0, errors=0)


def _depth(value: Any) -> int:
    deepest, stack = 0, [(value, 1)]
    while stack:
        one, depth = stack.pop()
        deepest = max(deepest, depth)
        if isinstance(one, dict | list):
            stack += [(part, depth + 1) for part in (one.values() if isinstance(one, dict) else one)]
    return deepest


@lru_cache(maxsize=64)
def _validator(text: str) -> Any:
    try:
        import jsonschema
        import referencing
    except ImportError:
        raise MissingExtraError(
            "json_schema: jsonschema is not installed; schemas cannot be checked; pip install 'guerdon[logic]'"
        ) from None
    schema = loads(text)
    if not isinstance(schema, dict | bool):
        raise SchemaError(f"the schema is a {type(schema).__name__}, and no object")
    known = jsonschema.validators.validator_for(schema, default=jsonschema.Draft202012Validator)
    try:
        known.check_schema(schema)
    except jsonschema.SchemaError as error:
        raise SchemaError(f"the schema is none: {error.message[:200]}") from None
    return jsonschema.validators.extend(known, KEYWORDS)(schema, registry=referencing.Registry())
