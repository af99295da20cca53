"""How fast an endpoint is asked: so many calls and tokens a second, and not before it wants to be."""

from __future__ import annotations

import asyncio
import math
import time
from email.utils import parsedate_to_datetime
from numbers import Real


class Pace:
    """Lets calls through at a rate, in the order in which they came.

    Each call books the next free moment, so that a burst after a pause is as slow as any other second.

    Args:
        per_second: calls a second; None for no limit.
        tokens_per_second: tokens a second; None for no limit.
    """

    def __init__(self, per_second: Real | None = None, tokens_per_second: Real | None = None) -> None:
        self._each = 0.0 if per_second is None else 1.0 / per_second
        self._token = 0.0 if tokens_per_second is None else 1.0 / tokens_per_second
        self._free = 0.0
        self._held = 0.0

    async def turn(self, tokens: Real = 0.0) -> None:
        """Returns when a call with so many tokens may be sent."""
        now = time.monotonic()
        mine = max(now, self._free)
        self._free = mine + max(self._each, tokens * self._token)
        while (wait := max(mine, self._held) - time.monotonic()) > 0:
            await asyncio.sleep(wait)

    def hold(self, seconds: Real) -> None:
        """Lets nobody through for that long: the endpoint has asked for it."""
        self._held = max(self._held, time.monotonic() + seconds)


def wait_asked(header: str | None) -> float:
    """The seconds that a `Retry-After` header asks for: a number or a date; 0 for none, a past one, or nonsense.

    Example:
        >>> wait_asked("2"), wait_asked("-1"), wait_asked("soon"), wait_asked("Wed, 21 Oct 2015 07:28:00 GMT")
        (2.0, 0.0, 0.0, 0.0)
    """
    if not header:
        return 0.0
    try:
        seconds = float(header)
    except ValueError:
        try:
            seconds = parsedate_to_datetime(header).timestamp() - time.time()
        except (ValueError, TypeError, OverflowError):
            return 0.0
    return seconds if seconds > 0 and math.isfinite(seconds) else 0.0
