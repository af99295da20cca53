"""What is read of descriptor 3: lines that may mean harm, by the thousand."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from guerdon.evidence.code import compare

Outcome = Literal["passed", "failed", "error", "timeout", "memory"]
LOADED = b'{"loaded": true}'


@dataclass(frozen=True)
class Said:
    """What is known of one test: its outcome, why, and the seconds of its run."""

    outcome: Outcome
    why: str = ""
    seconds: float = 0.0


def replied(answers: bytes, most: int) -> tuple[bool | Said, list[Mapping]]:
    """Whether the program was loaded, or why not, and the replies to calls 0, 1, 2, ...: the first to each, in turn.

    A reply ahead of its turn is not read: it comes from no call that was made. Lines that do not begin as one of
    ours are passed over unread, since there may be a hundred thousand of them.
    """
    loaded: bool | Said = False
    replies: list[Mapping] = []
    for line in answers.split(b"\n")[:-1]:  # what does not end in a newline is not a whole line
        if len(replies) == most:
            break
        if line == LOADED:
            loaded = loaded or True
        elif loaded is False and line.startswith(b'{"load": '):
            reply = parsed(line)
            loaded = Said("memory" if reply.get("memory") is True else "error", compare.shown(reply.get("load", "")))
        elif line.startswith(b'{"i": %d,' % len(replies)):
            replies.append(parsed(line))
    return loaded, replies


def sealed(answers: bytes, key: bytes) -> bytes:
    """The lines that whoever has the key wrote."""
    lines = (line.split(b" ", 1) for line in answers.split(b"\n") if line[32:33] == b" ")
    return b"".join(
        text + b"\n"
        for code, text in lines
        if hmac.compare_digest(code, hashlib.blake2b(text, key=key, digest_size=16).hexdigest().encode())
    )


def parsed(line: bytes) -> Mapping:
    """A line as a mapping; one that is none says why under `strange`."""
    try:
        reply = compare.parse(line)
    except (ValueError, RecursionError) as error:
        return {"strange": str(error)}
    return reply if isinstance(reply, dict) else {}
