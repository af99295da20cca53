"""What is read of descriptor 3."""

import hashlib
import time

from hypothesis import given
from hypothesis import strategies as st

from guerdon.evidence.code.replies import Said, parsed, replied, sealed

L = b'{"loaded": true}\n'


def signed(text, key):
    return hashlib.blake2b(text, key=key, digest_size=16).hexdigest().encode() + b" " + text + b"\n"


@given(st.binary(max_size=300))
def test_any_bytes_are_read(noise):
    loaded, replies = replied(noise + b"\n" + L + b'{"i": 0, "ok": 1}\n', 3)
    assert (loaded is True or b'{"load": ' in noise) and replies[0]["i"] == 0


def test_replies_count_in_turn_and_once():
    text = L + b'{"i": 1, "ok": 5}\n{"i": 0, "ok": 1}\n{"i": 0, "ok": 2}\n{"i": 1, "ok": 3}\n{"i": 3, "ok": 3}\n'
    assert [r["ok"] for r in replied(text, 9)[1]] == [1, 3]
    assert [r["ok"] for r in replied(text, 1)[1]] == [1]


def test_half_a_line_is_no_reply():
    assert replied(b'{"i": 0, "ok": 1}', 1)[1] == []


def test_a_program_that_did_not_load_said_why_before_it_was_loaded():
    assert replied(b'{"load": "NameError: x", "memory": false}\n', 1)[0] == Said("error", "NameError: x")
    assert replied(L + b'{"load": "NameError: x"}\n', 1)[0] is True
    assert replied(b'{"load": [', 1)[0] is False
    assert replied(b'{"load": [\n', 1)[0] == Said("error", "")


def test_what_cannot_be_parsed_is_a_reply_without_a_value():
    (reply,) = replied(b'{"i": 0, "ok": ' + b"[" * 10_000 + b"\n", 1)[1]
    assert "nested" in reply["strange"] and "ok" not in reply
    assert parsed(b"[1]") == {}


def test_a_flood_of_lines_takes_no_time():
    began = time.monotonic()
    replied(b"\n" * (1 << 20), 9)
    replied(b'{"i": 9, "ok": 1}\n' * 60_000, 9)
    sealed(b"x" * 32 + b" \n" * (1 << 19), b"key")
    assert time.monotonic() - began < 2.0


def test_only_who_has_the_key_is_read():
    key = b"k" * 32
    good = signed(b'{"i": 0}', key)
    assert sealed(good, key) == b'{"i": 0}\n'
    assert sealed(signed(b'{"i": 0}', b"other") + b'{"i": 0}\n' + good[:-2] + b"9\n", key) == b""
    assert sealed("é".encode() * 16 + b" x\n", key) == b""
