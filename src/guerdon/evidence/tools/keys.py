"""One short text for each JSON value, so that many comparisons of large values cost as much as of small ones."""

from __future__ import annotations

import hashlib
import json
import math
from typing import Any

SHORT = 64  # characters of a key; a longer one is hashed


def key_of(value: Any) -> str:
    """The key of a JSON value, equal where values are: 1 is 1.0 and not true, and members come in any order.

    Takes time in proportion to the value. Deeper than Python recurses is a ValueError; `loads` refuses such values.

    Example:
        >>> key_of({"a": 1, "b": [2.0]}) == key_of({"b": [2], "a": 1.0}), key_of(True) == key_of(1)
        (True, False)
    """
    try:
        text = json.dumps(_plain(value), sort_keys=True, separators=(",", ":"))
    except RecursionError:
        raise ValueError("key_of: a value that nests too deep; a flatter one is needed; read it with loads") from None
    return text if len(text) <= SHORT else "#" + hashlib.blake2b(text.encode(), digest_size=24).hexdigest()


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {str(key): _plain(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(inner) for inner in value]
    if isinstance(value, float) and math.isfinite(value) and value == int(value):
        return _plain(int(value))
    if isinstance(value, int) and not isinstance(value, bool) and value.bit_length() > 12_000:
        return {"hex": hex(value)}  # longer than Python writes in decimal digits
    return value
