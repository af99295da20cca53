"""POST /slime: what slime's `remote_rm` sends to `--rm-url`.

    {"prompt": text or messages, "response": text, "label": any}     a JSON number

An unscored response is HTTP 503 with the cause, after the server's own retries; slime then asks again. Where the
operator gave `--unscored-as`, it is that number, and counted.
"""

from __future__ import annotations

from typing import Any

from guerdon.records import Step, Task, Trajectory
from guerdon.server.config import Config
from guerdon.server.protocol import Asked, Protocol, Reply, need, refusal, text_of
from guerdon.server.scoring import Answer


def read(body: Any, config: Config) -> Asked:
    """One play of one step."""
    said = config.said(need(body, "response", str, "a text", "/slime"))
    return Asked([Trajectory(0, Task(text_of(body.get("prompt")), body.get("label")), (Step("", said),))])


def write(asked: Asked, answers: list[Answer], config: Config) -> float | Reply:
    """The number, or 503."""
    value = answers[0].value
    return unscored(answers[0], config) if value is None else value


def unscored(answer: Answer, config: Config) -> float | Reply:
    """What a client that knows only numbers gets for an unscored play."""
    if config.unscored_as is not None:
        return float(config.unscored_as)
    return refusal(503, f"unscored: {answer.cause}", **{"Retry-After": "1"})


ROUTE = Protocol(
    "/slime",
    "slime: point --rm-url here; 503 with the cause for an unscored response, or the number of --unscored-as.",
    read,
    write,
    alone=True,
    again=True,
    request={
        "type": "object",
        "required": ["response"],
        "properties": {"prompt": {}, "response": {"type": "string"}, "label": {}},
    },
    reply={"type": "number"},
)
