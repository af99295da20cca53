"""Trajectories as JSONL: one JSON object a line is one trajectory.

    {"group", "task": {"prompt", "reference", ...},
     "steps": [{"observation", "action", "reward"?, "state"?, "next_state"?, "facts"?: {name: value or null},
                "tokens"?, "logprobs"?, "sequence"?, "terminated"?}],
     "outcome"?, "ended"?: {"how": "finished"|"truncated"|"failed", "by"?, "at"?, "cause"?}}

Keys that are not known are kept as `extra` and written again.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from guerdon.errors import RecordError
from guerdon.records import Ended, Step, Task, Trajectory
from guerdon.store.files import atomic

HUGE = sys.float_info.max
TASK_KEYS = frozenset(("prompt", "reference"))
STEP_KEYS = frozenset(Step.__dataclass_fields__) - {"extra"}
ENDED_KEYS = frozenset(("how", "by", "at", "cause"))
TRAJECTORY_KEYS = frozenset(("group", "task", "steps", "outcome", "ended"))
NULL = "write null where there is none"


def write_jsonl(path: str | Path, trajectories: Iterable[Trajectory]) -> None:
    """Writes one JSON object a line, one line a trajectory, atomically."""
    with atomic(path) as part, open(part, "wb") as file:
        for number, trajectory in enumerate(trajectories):
            obj = to_json(trajectory)
            try:
                line = json.dumps(obj, ensure_ascii=False, allow_nan=False, default=_plain).encode()
            except UnicodeEncodeError:  # half a surrogate pair has no UTF-8, but it has an escape
                line = json.dumps(obj, allow_nan=False, default=_plain).encode()
            except (ValueError, TypeError) as error:
                raise RecordError(
                    f"write_jsonl: trajectory {number} holds what JSON does not ({error}); text, finite numbers, "
                    "lists and objects are needed; use None where a number is missing"
                ) from error
            file.write(line + b"\n")


def read_jsonl(path: str | Path) -> Iterator[Trajectory]:
    """The trajectories of a JSONL file, one a line, read as they are asked for.

    Raises:
        RecordError: no such file, or a line that is not a trajectory; the message has its number.
    """
    decode = json.JSONDecoder(parse_constant=_no_constant).decode
    try:
        file = open(path, "rb")  # noqa: SIM115 (the error belongs to the open alone)
    except OSError as error:
        raise RecordError(
            f"read_jsonl: cannot read {path} ({error.strerror}); "
            "a file with one JSON object a line is needed; check the path"
        ) from error
    with file:
        for number, line in enumerate(file, 1):
            if not line.strip():
                continue
            where = f"{path}, line {number}"
            try:
                obj = decode(line.decode("utf-8-sig"))
            except (ValueError, RecursionError) as error:
                raise RecordError(
                    f"read_jsonl: {where}: {error}; one whole JSON object a line is needed; mend the line or remove it"
                ) from error
            yield from_json(obj, where)


def to_json(trajectory: Trajectory) -> dict[str, Any]:
    """The trajectory as one JSON object; `from_json` gives the same trajectory back.

    Example:
        >>> to_json(Trajectory(group=1, steps=(Step("a door", "open"),), outcome=1.0))["steps"]
        [{'observation': 'a door', 'action': 'open'}]
    """
    t, ended = trajectory, trajectory.ended
    task: dict[str, Any] = {"prompt": t.task.prompt}
    if t.task.reference is not None:
        task["reference"] = _plain(t.task.reference)
    end = {"how": ended.how, "by": ended.by, "at": ended.at, "cause": ended.cause}
    out: dict[str, Any] = {
        "group": _plain(t.group),
        "task": task | _extra("task", t.task.extra, TASK_KEYS),
        "steps": [_step_to_json(step) for step in t.steps],
    }
    if t.outcome is not None:
        out["outcome"] = float(t.outcome)
    out["ended"] = {k: _plain(v) for k, v in end.items() if v is not None} | _extra("ended", ended.extra, ENDED_KEYS)
    return out | _extra("trajectory", t.extra, TRAJECTORY_KEYS)


def _step_to_json(step: Step) -> dict[str, Any]:
    out: dict[str, Any] = {"observation": step.observation, "action": step.action}
    if step.reward is not None:
        out["reward"] = float(step.reward)
    if step.state is not None:
        out["state"] = _plain(step.state)
    if step.next_state is not None:
        out["next_state"] = _plain(step.next_state)
    if step.facts:
        out["facts"] = {name: _plain(value) for name, value in step.facts.items()}
    if step.tokens is not None:
        out["tokens"] = list(map(int, step.tokens))
    if step.logprobs is not None:
        out["logprobs"] = list(map(float, step.logprobs))
    if step.sequence is not None:
        out["sequence"] = int(step.sequence)
    if step.terminated:
        out["terminated"] = True
    return out | _extra("step", step.extra, STEP_KEYS)


def _plain(value: Any) -> Any:
    return value.tolist() if isinstance(value, np.generic | np.ndarray) else value


def _extra(what: str, extra: Mapping[str, Any], known: frozenset[str]) -> Mapping[str, Any]:
    if extra and (taken := known & extra.keys()):
        raise RecordError(
            f"to_json: the extra keys of a {what} include {', '.join(sorted(taken))}; "
            "extra keys are those without a field of their own; set the field instead"
        )
    return extra


def from_json(obj: Any, where: str = "the object") -> Trajectory:
    """A trajectory from one JSON object; `where` says in messages which one it was.

    Raises:
        RecordError: something is not what it should be; the message has its path in the object.

    Example:
        >>> from_json({"group": 1, "steps": [{"action": "open"}], "outcome": 1}).outcome
        1.0
    """
    if type(obj) is not dict:
        raise _bad(where, "it", obj, "an object with a group and steps", "write one object a line")
    for key in ("group", "steps"):
        if key not in obj:
            raise RecordError(
                f"from_json: {where}: there is no {key!r} among {', '.join(sorted(obj)) or 'no keys'}; "
                "a trajectory has a group and steps; add it"
            )
    group, steps = obj["group"], obj["steps"]
    if type(group) is not str and type(group) is not int:
        raise _bad(where, "group", group, "a text or a whole number", "give the plays of one prompt one label")
    if type(steps) is not list:
        raise _bad(where, "steps", steps, "a list", "write [] for a play without steps")
    return Trajectory(
        group,
        _task(obj.get("task"), where),
        tuple([_step(step, f"steps[{i}]", where) for i, step in enumerate(steps)]),
        _number(obj.get("outcome"), "outcome", where),
        _ended(obj.get("ended"), where),
        _unknown(obj, TRAJECTORY_KEYS),
    )


def _step(obj: Any, at: str, where: str) -> Step:
    if type(obj) is not dict:
        raise _bad(where, at, obj, "an object", "write {} for a step of which nothing is known")
    get = obj.get
    terminated, facts = get("terminated", False), get("facts")
    if type(terminated) is not bool:
        raise _bad(where, f"{at}.terminated", terminated, "true or false", "leave it out where it is not known")
    return Step(
        _text(get("observation", ""), at, "observation", where),
        _text(get("action", ""), at, "action", where),
        _number(get("reward"), f"{at}.reward", where),
        _anchor(get("state"), at, "state", where),
        _anchor(get("next_state"), at, "next_state", where),
        _facts(facts, at, where) if facts is not None else {},
        *_tokens(get("tokens"), get("logprobs"), at, where),
        _whole(get("sequence"), at, "sequence", where),
        terminated,
        _unknown(obj, STEP_KEYS),
    )


def _task(obj: Any, where: str) -> Task:
    if obj is None:
        return Task()
    if type(obj) is not dict:
        raise _bad(where, "task", obj, "an object", 'write {"prompt": ...}')
    return Task(_text(obj.get("prompt", ""), "task", "prompt", where), obj.get("reference"), _unknown(obj, TASK_KEYS))


def _ended(obj: Any, where: str) -> Ended:
    if obj is None:
        return Ended.finished()
    if type(obj) is not dict or obj.get("how") not in ("finished", "truncated", "failed"):
        need = '{"how": "finished"}, "truncated" or "failed"'
        raise _bad(where, "ended", obj, need, "leave it out for a play that came to its own end")
    at = _whole(obj.get("at"), "ended", "at", where)
    by, cause = (None if obj.get(k) is None else _text(obj[k], "ended", k, where) for k in ("by", "cause"))
    return Ended(obj["how"], by, at, cause, _unknown(obj, ENDED_KEYS))


def _facts(facts: Any, at: str, where: str) -> dict[str, Any]:
    if type(facts) is not dict:
        raise _bad(where, f"{at}.facts", facts, "an object of names and values", "write {} where there are none")
    for name, value in facts.items():
        if type(value) is float and not -HUGE <= value <= HUGE:
            raise _bad(where, f"{at}.facts.{name}", value, "a finite number", NULL)
    return facts


def _tokens(tokens: Any, logprobs: Any, at: str, where: str) -> tuple[tuple | None, tuple | None]:
    if tokens is not None:
        if type(tokens) is not list or not set(map(type, tokens)) <= {int} or (tokens and min(tokens) < 0):
            raise _bad(
                where, f"{at}.tokens", tokens, "a list of token numbers from 0", "leave it out where they are not known"
            )
        tokens = tuple(tokens)
    if logprobs is not None:
        if (
            type(logprobs) is not list
            or not set(map(type, logprobs)) <= {float, int}
            or not -HUGE <= sum(logprobs) <= HUGE
        ):
            raise _bad(
                where, f"{at}.logprobs", logprobs, "a list of finite numbers", "leave it out where they are not known"
            )
        if tokens is None or len(logprobs) > len(tokens):
            raise _bad(
                where, f"{at}.logprobs", logprobs, f"at most as many as tokens, {len(tokens or ())}",
                "give one per sampled token, the last ones of the step",
            )  # fmt: skip
        logprobs = tuple(map(float, logprobs))
    return tokens, logprobs


def _number(value: Any, at: str, where: str) -> float | None:
    if value is None:
        return None
    if (type(value) is not float and type(value) is not int) or not -HUGE <= value <= HUGE:
        raise _bad(where, at, value, "a finite number or null", NULL)
    return float(value)


def _whole(value: Any, at: str, key: str, where: str) -> int | None:
    if value is None or (type(value) is int and 0 <= value < 2**63):
        return value
    raise _bad(where, f"{at}.{key}", value, "a whole number from 0", "leave it out where there is none")


def _anchor(value: Any, at: str, key: str, where: str) -> str | int | None:
    if value is None or type(value) is str or (type(value) is int and -(2**63) <= value < 2**63):
        return value
    raise _bad(where, f"{at}.{key}", value, "a text or a whole number of 64 bits", "write the state as text")


def _text(value: Any, at: str, key: str, where: str) -> str:
    if type(value) is str:
        return value
    raise _bad(where, f"{at}.{key}", value, "a text", 'write "" where there is none')


def _unknown(obj: dict[str, Any], known: frozenset[str]) -> dict[str, Any]:
    return {} if obj.keys() <= known else {key: value for key, value in obj.items() if key not in known}


def _bad(where: str, at: str, given: Any, need: str, way: str) -> RecordError:
    shown = repr(given)
    shown = shown if len(shown) <= 60 else shown[:57] + "..."
    return RecordError(f"from_json: {where}: {at} is {shown}; {need} is needed; {way}")


def _no_constant(token: str) -> None:
    raise ValueError(f"{token} is not JSON, and a missing number is not a number: write null")
