"""Checks by name, and how they are put together: the JSON that a task carries becomes one tree of checks."""

from __future__ import annotations

import inspect
import json
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from guerdon.errors import RecordError
from guerdon.evidence.constraints import amounts, contents, language, layout

CHECKS: dict[str, Callable[..., float]] = {
    check.__name__: check
    for check in (
        amounts.words, amounts.sentences, amounts.paragraphs, amounts.lines, amounts.characters, amounts.occurrences,
        amounts.letters, amounts.capital_words, contents.keywords, contents.forbidden, contents.in_order,
        contents.starts, contents.ends, contents.no_commas, contents.quoted, contents.placeholders,
        contents.postscript, contents.repeats_prompt, contents.one_of, contents.script, contents.lower_case,
        contents.upper_case, contents.first_word, layout.bullets, layout.numbered, layout.sections, layout.highlights,
        layout.title, layout.json_text, layout.two_responses, language.matches,
    )
}  # fmt: skip
DEPTH, PARTS = 20, 500


@dataclass(frozen=True)
class Check:
    """A check with its arguments: text to a degree in [0, 1], where 1 says that it holds.

    Example:
        >>> Check("words", (("high", 3),))("one two three")
        1.0
    """

    name: str
    arguments: tuple[tuple[str, Any], ...] = ()

    def __call__(self, text: str) -> float:
        """The degree to which the text keeps it."""
        return CHECKS[self.name](text, **dict(self.arguments))


@dataclass(frozen=True)
class AtLeast:
    """At least `count` of the parts hold; the degree is the mean of the best `count`. All and any are its ends."""

    count: int
    parts: tuple[Node, ...]
    name: str = "at_least"

    def __call__(self, text: str) -> float:
        """The degree to which the text keeps it."""
        best = sorted((part(text) for part in self.parts), reverse=True)[: self.count]
        return sum(best) / self.count if self.count else 1.0


@dataclass(frozen=True)
class Not:
    """The part does not hold: 1 where its degree is below 1, else 0."""

    part: Node
    name: str = "not"

    def __call__(self, text: str) -> float:
        """The degree to which the text keeps it."""
        return float(self.part(text) < 1)


Node = Check | AtLeast | Not


def check(name: str, **arguments: Any) -> Check:
    """A check by name.

    Raises:
        RecordError: no check has that name, or it takes other arguments.

    Example:
        >>> check("keywords", words=["tea"])("Green tea.")
        1.0
    """
    if not isinstance(name, str) or name not in CHECKS:
        raise RecordError(f"check: {str(name)[:40]!r}; one of {', '.join(sorted(CHECKS))} is needed; correct the name")
    signature = inspect.signature(CHECKS[name])
    try:
        bound = signature.bind("", **arguments)
    except TypeError as error:
        raise RecordError(f"check: {name!r}: {error}; {signature} is needed; correct the arguments") from None
    for key, value in bound.arguments.items():
        _fits(name, key, value, str(signature.parameters[key].annotation))
    bound.apply_defaults()
    low, high = bound.arguments.get("low"), bound.arguments.get("high")
    if low is not None and high is not None and low > high:
        raise RecordError(f"check: {name!r} with low={low} above high={high}; no text can keep that; correct the task")
    if name == "matches":
        language.regular(arguments["pattern"])  # a pattern that is none is found here
    made = {k: tuple(v) if isinstance(v, list) else v for k, v in arguments.items()}
    return Check(name, tuple(sorted(made.items())))


def checks_of(spec: Any) -> tuple[tuple[Node, float], ...]:
    """The checks of a task with their weights, from a list or its JSON text.

    An entry is `{"check": NAME, ...arguments}`, `{"all": [...]}`, `{"any": [...]}`, `{"not": {...}}` or
    `{"at_least": K, "of": [...]}`, each also with a `weight` above 0 (1 without). A text alone is the name of
    a check without arguments.

    Raises:
        RecordError: anything else; the sentence names it.

    Example:
        >>> ((node, weight),) = checks_of('[{"any": ["no_commas", {"check": "words", "high": 3}], "weight": 2}]')
        >>> node("One, two, three"), weight
        (1.0, 2.0)
    """
    if isinstance(spec, str):
        try:
            spec = json.loads(spec)
        except (ValueError, RecursionError):
            raise RecordError(f"checks_of: {spec[:40]!r} is no JSON; a list of checks is needed; correct it") from None
    if isinstance(spec, Mapping):
        spec = [spec]
    if not isinstance(spec, list | tuple) or not spec or len(spec) > PARTS:
        raise RecordError(f"checks_of: {str(spec)[:40]!r}; a list of 1 to {PARTS} checks is needed; write one")
    return tuple((_node(entry, 0), _weight(entry)) for entry in spec)


def _node(entry: Any, depth: int) -> Node:
    if depth > DEPTH:
        raise RecordError(f"checks_of: checks that nest more than {DEPTH} deep; flatter ones are needed; simplify them")
    if isinstance(entry, str):
        return check(entry)
    if isinstance(entry, Check | AtLeast | Not):
        return entry
    if not isinstance(entry, Mapping):
        raise RecordError(f"checks_of: {str(entry)[:40]!r} as a check; an object is needed; correct it")
    rest = {str(key): value for key, value in entry.items() if key != "weight"}
    if "check" in rest:
        return check(rest.pop("check"), **rest)
    if set(rest) == {"not"}:
        return Not(_node(rest["not"], depth + 1))
    listed = next((rest[key] for key in ("all", "any", "of") if key in rest), None)
    if isinstance(listed, list | tuple) and 0 < len(listed) <= PARTS:
        parts = tuple(_node(part, depth + 1) for part in listed)
        if set(rest) in ({"all"}, {"any"}):
            return AtLeast(len(parts) if "all" in rest else 1, parts, *rest)
        k = rest.get("at_least")
        if set(rest) == {"at_least", "of"} and isinstance(k, int) and not isinstance(k, bool) and 0 < k <= len(parts):
            return AtLeast(k, parts)
    raise RecordError(
        f"checks_of: an object with the keys {sorted(rest)}; check, all, any, not, or at_least and of, "
        "is needed; correct it"
    )


def _weight(entry: Any) -> float:
    weight = entry.get("weight", 1) if isinstance(entry, Mapping) else 1
    if isinstance(weight, bool) or not isinstance(weight, int | float) or not (0 < weight < math.inf):
        raise RecordError(f"checks_of: a weight of {weight!r}; a number above 0 is needed; correct it")
    return float(weight)


def _fits(name: str, key: str, value: Any, annotation: str) -> None:
    number = isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
    fine = {
        "str": isinstance(value, str), "float": number, "int": number and value == int(value),
        "float | None": value is None or number,
        "Sequence[str]": isinstance(value, list | tuple) and 0 < len(value) <= PARTS
        and all(isinstance(v, str) and v for v in value),
    }[annotation]  # fmt: skip
    if not fine:
        raise RecordError(f"check: {name!r} with {key}={str(value)[:40]!r}; {annotation} is needed; correct it")
