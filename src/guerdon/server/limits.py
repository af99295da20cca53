"""Who may ask, and how much: the token, the length of a body, how many requests are there at once."""

from __future__ import annotations

import hmac
import os
from pathlib import Path
from typing import Any

from guerdon.errors import RecordError
from guerdon.server.config import Config
from guerdon.server.protocol import Reply, refusal

VARIABLE = "GUERDON_TOKEN"


def read_token(file: str | Path | None) -> str:
    """The token in a file, or in the environment variable GUERDON_TOKEN; "" where there is neither.

    Raises:
        RecordError: the file cannot be read, is empty, or is not one line of plain ASCII.
    """
    if file is None:
        return os.environ.get(VARIABLE, "").strip()
    try:
        token = Path(file).read_text().strip()
    except (OSError, ValueError) as error:
        raise RecordError(
            f"read_token: cannot read {file} ({error}); a file with the token is needed; check the path"
        ) from error
    if not token or not token.isascii() or any(c.isspace() for c in token):
        raise RecordError(
            f"read_token: {file} holds no token; one line of ASCII without blanks is needed; make one with "
            "python -c 'import secrets; print(secrets.token_urlsafe())'"
        )
    return token


def allowed(token: str, authorization: str, query: str) -> bool:
    """Whether a request shows the token, compared in constant time.

    Trainers that can only be told a URL show it there: `http://host:8000/slime?token=TOKEN`.
    """
    if not token:
        return True
    kind, _, shown = authorization.partition(" ")
    shown = shown.strip() if kind.lower() == "bearer" else query
    return hmac.compare_digest(shown.encode(), token.encode())


def unauthorised() -> Reply:
    """401, and how to show a token."""
    return refusal(
        401,
        "the token is missing or wrong; the one that the server was started with is needed; send the header "
        "Authorization: Bearer TOKEN, or add ?token=TOKEN to the URL",
        **{"WWW-Authenticate": "Bearer"},
    )


def too_many(config: Config) -> Reply:
    """429: later there is room again."""
    return refusal(
        429,
        f"{config.in_flight} requests are under way; no more are taken at once; ask again in a second, or start the "
        "server with a higher --in-flight",
        **{"Retry-After": "1"},
    )


def too_slow(config: Config) -> Reply:
    """408: half a body, and then nothing."""
    return refusal(
        408,
        f"the body did not arrive within {config.timeout:g} s, or before the server's end; a whole one is needed; send "
        "it at once, or start the server with a longer --timeout",
        Connection="close",
    )


async def body_of(request: Any, config: Config) -> bytes | Reply:
    """The whole body, or 413 as soon as it is seen to be too long."""
    said = request.headers.get("content-length", "")
    parts, size = [], int(said) if said.isdigit() else 0
    if size <= config.body:
        size = 0
        async for part in request.stream():
            size += len(part)
            if size > config.body:
                break
            parts.append(part)
    if size > config.body:
        return refusal(
            413,
            f"the body is longer than {config.body:,} bytes; a shorter one is needed; send fewer items in a request, "
            "or start the server with a higher --body",
            Connection="close",
        )
    return b"".join(parts)
