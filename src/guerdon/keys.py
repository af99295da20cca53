"""Keys: one int64 number for each state, action or text, the same in every run and on every machine."""

from __future__ import annotations

import hashlib
from typing import Any

import numpy as np
import pyarrow as pa
from jaxtyping import Int

Array = np.ndarray


def keys(values: Any) -> Int[Array, "n"]:
    """Whole numbers as they are, text and fractions through one stable hash (BLAKE2b, 8 bytes).

    A whole number has one key, written as an integer or with a point; 0.0 is -0.0. What is missing has the key 0, and
    so has NaN.

    Args:
        values: an array of numpy or pyarrow, or a list of numbers or texts.

    Example:
        >>> keys(["a room", "a room"]).tolist(), keys([2.0, -0.0]).tolist()
        ([-3049048748786829024, -3049048748786829024], [2, 0])
    """
    if isinstance(values, np.ndarray) and values.dtype.kind in "iub":
        return values.astype(np.int64)
    array = values if isinstance(values, pa.Array) else pa.array(np.asarray(values).tolist())
    if pa.types.is_integer(array.type) or pa.types.is_boolean(array.type):
        return np.asarray(array.fill_null(0)).astype(np.int64)
    coded = array if isinstance(array, pa.DictionaryArray) else array.dictionary_encode()
    each = [hash_text(w) if isinstance(w, str) else _of_number(w) for w in coded.dictionary.to_pylist()]
    return np.array([*each, 0], np.int64)[np.asarray(coded.indices.fill_null(len(each)))]


def hash_text(text: str) -> int:
    """A stable signed 64-bit hash of a text.

    Example:
        >>> hash_text("")
        -5426141060434712860
    """
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest(), "little", signed=True)


def _of_number(x: float) -> int:
    if x != x:
        return 0
    return int(x) if x.is_integer() and abs(x) < 2**53 else hash_text(repr(x))
