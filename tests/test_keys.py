"""Keys are in files: they never change, and are equal exactly where what they are of is."""

import os
import subprocess
import sys

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from guerdon.batch import Batch
from guerdon.keys import keys

KEYS = [-3049048748786829024, -5426141060434712860, 2362285139686184012]  # of "a room", "" and "ключ"


def test_the_key_of_a_text_never_changes():
    # Keys are in files: another value would break every saved run.
    assert keys(["a room", "", "ключ"]).tolist() == KEYS


def test_the_key_is_the_same_in_another_process_with_another_hash_seed():
    code = "from guerdon.keys import keys; print(keys(['a room', '', 'ключ']).tolist())"
    env = {**os.environ, "PYTHONHASHSEED": "4321", "PYTHONIOENCODING": "utf-8"}
    done = subprocess.run([sys.executable, "-c", code], env=env, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == str(KEYS)


@given(st.lists(st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=5), max_size=20))
def test_keys_are_equal_exactly_where_texts_are_in_any_container(words):
    key = keys(words)
    assert key.dtype == np.int64
    for i, word in enumerate(words):
        assert [k == key[i] for k in key] == [w == word for w in words]
    text = pa.array(words, pa.string())
    for same in (text, text.dictionary_encode(), np.array(words, dtype=object)):
        assert keys(same).tolist() == key.tolist()


@pytest.mark.parametrize("dtype", [np.int64, np.int32, np.uint8, bool])
def test_whole_numbers_are_their_own_keys(dtype):
    assert keys(np.array([0, 1, 1], dtype)).tolist() == [0, 1, 1]
    assert keys([0, 2**62, -5]).tolist() == [0, 2**62, -5]


@given(st.lists(st.floats(allow_nan=False)))
def test_keys_of_fractions_are_equal_where_the_numbers_are(numbers):
    found = keys(np.array(numbers)).tolist()
    for x, one in zip(numbers, found, strict=True):
        assert [other for y, other in zip(numbers, found, strict=True) if y == x] == [one] * numbers.count(x)
        assert (one == x) == (x.is_integer() and abs(x) < 2**53)
    assert len(set(found)) == len(set(numbers))


def test_a_whole_number_has_one_key_and_what_is_missing_has_another():
    assert keys(np.array([2.0, -0.0, np.nan])).tolist() == [2, 0, 0]
    assert keys([2.0, None, 2.5]).tolist() == [2, 0, int(keys([2.5])[0])]


def test_a_batch_has_them_at_hand():
    assert Batch.key(["a room"]).tolist() == KEYS[:1]
