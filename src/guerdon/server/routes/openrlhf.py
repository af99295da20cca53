"""POST /get_reward: what OpenRLHF sends to `--reward.remote_url`.

    {"query": [...], "prompts": [...], "labels": [...]}     a query is the prompt and the answer, as one text
    {"rewards": [...], "scores": [...], "extra_logs": {...}}

An unscored query has null in `rewards` and `scores`, never a number. `extra_logs` has `unscored`, 0 or 1 a query,
and the parts that every query of the request has: OpenRLHF makes tensors of them, which hold no null.
"""

from __future__ import annotations

from typing import Any

from guerdon.errors import RecordError
from guerdon.records import Step, Task, Trajectory
from guerdon.server.config import Config
from guerdon.server.protocol import Asked, Protocol, need, text_of
from guerdon.server.scoring import Answer


def read(body: Any, config: Config) -> Asked:
    """One play a query: its prompt, the label as reference, and what comes after the prompt as answer."""
    queries = need(body, "query", list, "a list of texts", "/get_reward")
    n = len(queries)
    prompts, labels = (_as_long(body, key, n) for key in ("prompts", "labels"))
    plays = []
    for i, (query, prompt, label) in enumerate(zip(queries, prompts, labels, strict=True)):
        if type(query) is not str:
            raise RecordError(f"/get_reward: query[{i}] is {query!r}; a text is needed; send the decoded sequence")
        said = config.said(_after(query, text_of(prompt)))
        plays.append(Trajectory(i, Task(text_of(prompt), label), (Step("", said),)))
    return Asked(plays)


def write(asked: Asked, answers: list[Answer], config: Config) -> dict[str, Any]:
    """The three lists, null where a play is unscored."""
    values = [a.value for a in answers]
    names = dict.fromkeys(name for a in answers for name in a.parts)
    logs: dict[str, list] = {"unscored": [float(v is None) for v in values]}
    for name in names:
        parts = [a.parts.get(name) for a in answers]
        if None not in parts:
            logs[name] = parts
    return {"rewards": values, "scores": values, "extra_logs": logs}


def _as_long(body: dict, key: str, n: int) -> list:
    given = body.get(key)
    if given is None:
        return [None] * n
    if type(given) is not list or len(given) != n:
        many = f"{len(given)} of them" if type(given) is list else "no list"
        raise RecordError(f"/get_reward: {key!r} has {many} for {n} queries; one each is needed; send null for none")
    return given


def _after(query: str, prompt: str) -> str:
    """What comes after the prompt; special tokens may stand before it. All of it where the prompt is not in it."""
    at = query.find(prompt) if prompt else -1
    return query if at < 0 else query[at + len(prompt) :]


LIST = {"type": "array"}
ROUTE = Protocol(
    "/get_reward",
    "OpenRLHF: point --reward.remote_url here; null for an unscored query.",
    read,
    write,
    alone=True,
    again=True,
    request={
        "type": "object",
        "required": ["query"],
        "properties": {"query": {"type": "array", "items": {"type": "string"}}, "prompts": LIST, "labels": LIST},
    },
    reply={"type": "object", "properties": {"rewards": LIST, "scores": LIST, "extra_logs": {"type": "object"}}},
)
