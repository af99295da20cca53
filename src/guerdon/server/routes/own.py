"""POST /score: plays in the record form of JSONL, answers with verdicts, parts, step rewards and facts.

    {"trajectories": [{"group": 0, "task": {"prompt": ..., "reference": ...}, "steps": [{"action": ...}]}, ...]}
    {"answers": [{"value": 1.0, "cause": null, "parts": {...}, "steps": [...], "facts": {...}}, ...]}

An unscored play has value null and a cause. Plays of one group in one request are compared with each other;
plays of different requests never are.
"""

from __future__ import annotations

from typing import Any

from guerdon.server.config import Config
from guerdon.server.protocol import Asked, Protocol, need
from guerdon.server.scoring import Answer
from guerdon.store import from_json

NUMBER = {"type": ["number", "null"]}


def read(body: Any, config: Config) -> Asked:
    """The trajectories, each checked; the message of a wrong one has its place."""
    rows = need(body, "trajectories", list, "a list of trajectories", "/score")
    return Asked([from_json(row, f"trajectories[{i}]") for i, row in enumerate(rows)])


def write(asked: Asked, answers: list[Answer], config: Config) -> dict[str, Any]:
    """One answer per trajectory, in order."""
    return {"answers": [answer.as_json() for answer in answers]}


ROUTE = Protocol(
    "/score",
    "Guerdon's own: trajectories in, one verdict each with parts, step rewards and facts.",
    read,
    write,
    request={
        "type": "object",
        "required": ["trajectories"],
        "properties": {
            "trajectories": {
                "type": "array",
                "items": {
                    "type": "object",
                    "required": ["group", "steps"],
                    "properties": {
                        "group": {"type": ["string", "integer"]},
                        "task": {"type": "object"},
                        "steps": {"type": "array", "items": {"type": "object"}},
                        "outcome": NUMBER,
                        "ended": {"type": "object"},
                    },
                },
            }
        },
    },
    reply={
        "type": "object",
        "required": ["answers"],
        "properties": {
            "answers": {
                "type": "array",
                "items": {
                    "type": "object",
                    "required": ["value", "cause", "parts"],
                    "properties": {
                        "value": NUMBER,
                        "cause": {"type": ["string", "null"]},
                        "parts": {"type": "object", "additionalProperties": NUMBER},
                        "steps": {"type": "array", "items": NUMBER},
                        "facts": {"type": "object"},
                    },
                },
            }
        },
    },
)
