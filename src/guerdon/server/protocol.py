"""What a route is: how its request becomes plays, and answers its reply. No part of this knows of HTTP servers."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from guerdon.errors import RecordError
from guerdon.records import Trajectory
from guerdon.server.config import Config
from guerdon.server.scoring import Answer

# What the causes of unscored items are counted under: a metric has few labels, a cause has any words.
CLASSES = (
    ("deadline", r"deadline|timed? ?out|not done within"),
    ("worker", r"worker|killed|died|memory|sandbox"),
    ("judge", r"judge|429|rate limit|endpoint|HTTP"),
    ("play", r"the play failed"),
    ("missing", r"missing|no column|no value|no reference|has no"),
)


@dataclass(frozen=True)
class Asked:
    """A request that was read: its plays, and what the reply needs of it."""

    plays: Sequence[Trajectory]
    raw: Any = None


@dataclass(frozen=True)
class Reply:
    """A reply, and what is to be counted of it."""

    status: int
    body: bytes
    headers: Mapping[str, str] = field(default_factory=dict)
    items: int = 0
    unscored: Mapping[str, int] = field(default_factory=dict)
    substituted: int = 0


@dataclass(frozen=True)
class Protocol:
    """One route.

    Attributes:
        path: where it answers.
        about: one line for the page of the API.
        read: from the decoded request to plays; what is wrong with it is a RecordError.
        write: from the answers to the decoded reply, or to a whole Reply.
        alone: it sends one play at a time, so a reward that compares plays cannot be served on it.
        again: an unscored play is graded again by the server, as this client would not ask for it.
        request, reply: their JSON schemas.
    """

    path: str
    about: str
    read: Callable[[Any, Config], Asked]
    write: Callable[[Asked, list[Answer], Config], Any]
    alone: bool = False
    again: bool = False
    request: Mapping[str, Any] = field(default_factory=dict)
    reply: Mapping[str, Any] = field(default_factory=dict)


def decoded(body: bytes) -> Any:
    """The request's JSON value; `NaN` and its kin are refused, as no JSON."""
    try:
        return json.loads(body, parse_constant=_no_constant)
    except (ValueError, RecursionError) as error:
        raise BodyError(f"the body is not JSON ({error}); one JSON object is needed; send it as UTF-8 text") from error


class BodyError(RecordError):
    """The body is no JSON at all: 400, where a RecordError is 422."""


def refusal(status: int, why: str, **headers: str) -> Reply:
    """A reply that says in one sentence what is wrong."""
    return Reply(status, encoded({"detail": why}), headers)


def encoded(value: Any) -> bytes:
    """JSON without NaN."""
    return json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode("utf-8", "replace")


def counted(answers: Sequence[Answer]) -> dict[str, int]:
    """How many answers are unscored, by the class of their cause.

    Example:
        >>> counted([Answer(1.0), Answer(None, "maths: not done within 1 s")])
        {'deadline': 1}
    """
    out: dict[str, int] = {}
    for answer in answers:
        if answer.value is None:
            kind = class_of(answer.cause or "")
            out[kind] = out.get(kind, 0) + 1
    return out


def class_of(cause: str) -> str:
    """The class of a cause: deadline, worker, judge, play, missing, or fault."""
    return next((kind for kind, words in CLASSES if re.search(words, cause, re.I)), "fault")


def need(obj: Any, key: str, kind: type | tuple[type, ...], said: str, route: str) -> Any:
    """The value under a key of a request, or a RecordError that says what is needed there."""
    if type(obj) is not dict:
        raise RecordError(f"{route}: the body is {_shown(obj)}; an object is needed; send {{{key!r}: ...}}")
    value = obj.get(key)
    if not isinstance(value, kind):
        given = _shown(value) if key in obj else "not there"
        raise RecordError(f"{route}: {key!r} is {given}; {said} is needed; add it to the body")
    return value


def text_of(value: Any) -> str:
    """The text of a prompt: as it is, or of chat messages, one after another."""
    if isinstance(value, list):
        return "\n\n".join(t for t in map(text_of, value) if t)
    if isinstance(value, dict):
        return text_of(value.get("content", value.get("text", "")))
    return value if isinstance(value, str) else ""


def _shown(value: Any) -> str:
    shown = repr(value)
    return shown if len(shown) <= 60 else shown[:57] + "..."


def _no_constant(token: str) -> None:
    raise ValueError(f"{token} is not JSON; write null where there is no number")
