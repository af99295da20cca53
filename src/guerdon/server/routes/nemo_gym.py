"""POST /verify: what a NeMo-Gym agent asks a resources server at the end of a rollout.

    {"responses_create_params": {"input": ...}, "response": {"output": [...]}, ...}
    the same, and "reward": number, and "reward_components": {part: number} where the reward has parts

The output of the model becomes steps: a step ends where a tool answers. The reference is found under one of
`--reference-keys`, in the request or in its `verifier_metadata`. An unscored rollout is HTTP 503 with the cause,
after the server's own retries. Where the operator gave `--unscored-as`, it is that number, with `mask_sample` true
and the cause as `failure_reason`, which newer versions of NeMo-Gym leave out of their statistics.
"""

from __future__ import annotations

import json
from typing import Any

from guerdon.records import Step, Task, Trajectory
from guerdon.server.config import Config
from guerdon.server.protocol import Asked, Protocol, Reply, need, text_of
from guerdon.server.routes.slime import unscored
from guerdon.server.scoring import Answer

ECHOED = frozenset(("responses_create_params", "response"))


def read(body: Any, config: Config) -> Asked:
    """One play; what the request has beside the protocol's own keys is the task's."""
    output = need(need(body, "response", dict, "a response object", "/verify"), "output", list, "a list", "/verify")
    asked = need(body, "responses_create_params", dict, "an object with the input", "/verify")
    more = body.get("verifier_metadata")
    about = {**(more if isinstance(more, dict) else {}), **{k: v for k, v in body.items() if k not in ECHOED}}
    key = next((k for k in config.references if k in about), None)
    reference = about.pop(key) if key else None
    return Asked([Trajectory(0, Task(text_of(asked.get("input")), reference, about), _steps(output, config))], body)


def _steps(output: list, config: Config) -> tuple[Step, ...]:
    """A step for what the model did between two answers of tools."""
    steps: list[Step] = []
    seen, did, called = [], [], []

    def close() -> None:
        said = config.said("\n\n".join(did))
        extra = {"tool_calls": called.copy()} if called else {}
        steps.append(Step("\n\n".join(seen), said, extra=extra))
        seen.clear(), did.clear(), called.clear()

    for item in output:
        if not isinstance(item, dict):
            continue
        kind = item.get("type", "message")
        if kind == "function_call_output" or (kind == "message" and item.get("role", "assistant") != "assistant"):
            if did or called:
                close()
            seen.append(text_of(item.get("output", item.get("content", ""))))
        elif kind == "message":
            did.append(text_of(item.get("content", "")))
        elif kind == "function_call":
            call = {"name": item.get("name"), "arguments": item.get("arguments")}
            called.append(call)
            did.append(json.dumps(call, ensure_ascii=False))
    if did or called or not steps:
        close()
    return tuple(steps)


def write(asked: Asked, answers: list[Answer], config: Config) -> dict[str, Any] | Reply:
    """The request with its reward, or 503."""
    answer = answers[0]
    reward = answer.value if answer.scored else unscored(answer, config)
    if isinstance(reward, Reply):
        return reward
    out = {**asked.raw, "reward": reward}
    if answer.parts:
        out["reward_components"] = {k: reward if v is None else v for k, v in answer.parts.items()}
    if not answer.scored:
        out |= {"mask_sample": True, "failure_reason": answer.cause}
    return out


ROUTE = Protocol(
    "/verify",
    "NeMo-Gym: the request with its reward; 503 with the cause where unscored, or the number of --unscored-as.",
    read,
    write,
    alone=True,
    again=True,
    request={
        "type": "object",
        "required": ["responses_create_params", "response"],
        "properties": {"responses_create_params": {"type": "object"}, "response": {"type": "object"}},
    },
    reply={
        "type": "object",
        "required": ["reward"],
        "properties": {
            "reward": {"type": "number"},
            "reward_components": {"type": "object", "additionalProperties": {"type": "number"}},
        },
    },
)
