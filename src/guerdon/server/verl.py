"""For verl: an async function to point `custom_reward_function` at.

    reward.custom_reward_function.path=pkg://guerdon.server.verl
    reward.custom_reward_function.name=compute_score
    +reward.custom_reward_function.reward_kwargs.url=http://127.0.0.1:8000

An unscored answer raises, and the run ends with the cause; with `unscored_as` it gets that number, and
`unscored` is 1 in what verl logs. Never 0 by default.
"""

from __future__ import annotations

import os
from functools import cache
from typing import Any

from guerdon.errors import RecordError, UnscoredError
from guerdon.server.client import Client
from guerdon.server.limits import VARIABLE, read_token

ADDRESS = "GUERDON_URL"
AT_ONCE = 64  # requests under way in one process of verl


@cache
def _client(url: str, token: str) -> Client:
    return Client(url, token or None, at_once=AT_ONCE)


@cache
def _parts(url: str, token: str) -> tuple[str, ...]:
    """The parts of the reward, so that every sample has the same keys."""
    return tuple(_client(url, token).ready().get("parts", ()))


async def compute_score(
    data_source: str,
    solution_str: str,
    ground_truth: Any,
    extra_info: Any = None,
    *,
    url: str | None = None,
    token_file: str | None = None,
    unscored_as: float | None = None,
    timeout: float = 180.0,
    **more: Any,
) -> dict[str, Any]:
    """Scores one solution on a reward server.

    Args:
        data_source: becomes the task's key of that name.
        solution_str: the answer, one step.
        ground_truth: the reference.
        extra_info: its texts and numbers become keys of the task.
        url: of the server; without it, the environment variable GUERDON_URL.
        token_file: a file with its token; without it, the environment variable GUERDON_TOKEN.
        unscored_as: the score of an unscored solution; without it, such a solution raises.
        timeout: seconds, with all tries.
        more: what verl adds for reward models of its own; not used.

    Returns:
        `score`, `unscored` (0 or 1), `cause` ("" where scored), and each part of the reward under `part/NAME`, NaN
        where it has no value. The keys are the same for every sample, as verl wants it.

    Raises:
        RecordError: no server is named, or it refused.
        UnscoredError: unscored, and there is no `unscored_as`.
    """
    import asyncio

    url = url or os.environ.get(ADDRESS, "")
    if not url:
        raise RecordError(
            f"compute_score: no server is named; the URL that `guerdon serve` says is needed; give reward_kwargs.url, "
            f"or set {ADDRESS}"
        )
    token = read_token(token_file) if token_file else os.environ.get(VARIABLE, "").strip()
    row = {
        "group": 0,
        "task": {**_told(extra_info), "data_source": str(data_source), "reference": _plain(ground_truth)},
        "steps": [{"action": solution_str}],
    }
    (answer,) = await _client(url, token).ascore([row], timeout)
    if answer.value is None and unscored_as is None:
        raise UnscoredError(
            f"compute_score: unscored: {answer.cause}; a score is needed; mend the cause, or give "
            "reward_kwargs.unscored_as for the number to train on instead"
        )
    names = await asyncio.get_running_loop().run_in_executor(None, _parts, url, token)
    parts = {f"part/{name}": _or_nan(answer.parts.get(name)) for name in names}
    score = float(unscored_as if answer.value is None else answer.value)
    return {"score": score, "unscored": float(answer.value is None), "cause": answer.cause or "", **parts}


def _or_nan(value: float | None) -> float:
    return float("nan") if value is None else value


def _told(extra_info: Any) -> dict[str, Any]:
    """The texts and numbers of a row; the rest is verl's own."""
    rows = {key: _plain(value) for key, value in dict(extra_info or {}).items()}
    taken = ("prompt", "reference")
    out = {k: v for k, v in rows.items() if isinstance(v, str | int | float) and k not in taken and v == v}
    return out | ({"prompt": rows["prompt"]} if isinstance(rows.get("prompt"), str) else {})


def _plain(value: Any) -> Any:
    """numpy's numbers and arrays as Python's own."""
    import numpy as np

    if isinstance(value, np.generic | np.ndarray):
        return _plain(value.tolist())
    if isinstance(value, dict):
        return {str(k): _plain(v) for k, v in value.items()}
    return [_plain(v) for v in value] if isinstance(value, list | tuple) else value
