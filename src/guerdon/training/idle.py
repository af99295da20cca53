"""Which parts and gates of the reward had no effect in a whole run, read off what was written each iteration."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import asdict
from functools import reduce
from typing import Any

from guerdon.batch import Batch
from guerdon.rewards import Term
from guerdon.rewards.idle import Movement, Opening, Seen, together, watch

LOTS = {"movement": Movement, "opening": Opening}  # what a lot of items is, by the key that it is written under


def noticed(batch: Batch, reward: Term) -> dict[str, dict[str, Any]]:
    """What one batch shows of each part and gate of a reward, as it is written to metrics.jsonl.

    Example:
        >>> from guerdon.rewards import fact
        >>> batch = Batch.from_steps(group=[0, 0], trajectory=[0, 1], reward=[1.0, 0.0])
        >>> noticed(batch, fact("outcome"))["movement"]["outcome"]["apart"]
        1
    """
    seen = watch(batch, reward)
    return {
        kind: {name: _written(asdict(one)) for name, one in seen.items() if isinstance(one, lot)}
        for kind, lot in LOTS.items()
    }


def idle(lines: Iterable[Mapping[str, Any]]) -> list[str]:
    """Why parts and gates had no effect, over all iterations; empty where all may have had one.

    Args:
        lines: those of metrics.jsonl; one without the key `noticed` says nothing.

    Example:
        >>> line = {"noticed": {"opening": {"gate won": {"name": "won", "items": 3, "open": 0}}}}
        >>> idle([line, line])[0][:37]
        "gate 'won' never opened in 6 items; l"
    """
    seen = reduce(together, (_read(line["noticed"]) for line in lines if "noticed" in line), {})
    return [reason for one in seen.values() if (reason := one.idle)]


def _written(one: dict[str, Any]) -> dict[str, Any]:
    """JSON has no infinity; the bounds of nothing are left out, and read back as what they are by default."""
    return {k: v for k, v in one.items() if not (isinstance(v, float) and math.isinf(v))}


def _read(line: Mapping[str, Mapping[str, Any]]) -> Seen:
    return {name: LOTS[kind](**one) for kind, of_kind in line.items() for name, one in of_kind.items()}
