"""What the worker of the WASM mode is made of, without WebAssembly: endings, the guard, messages.

What it does with them is in test_wasm.py.
"""

import io
import threading
import time
import types

import pytest
from hypothesis import given
from hypothesis import strategies as st

from guerdon.evidence.sandbox import wasm_worker
from guerdon.evidence.sandbox.wasm_worker import Guard, ended, receive, resident, send

# Endings.


@pytest.mark.parametrize(
    ("trapped", "code", "truncated", "why", "says"),
    [
        (None, 0, (), None, ("exited", 0)),
        (None, 300, (), None, ("exited", 44)),
        (None, 0, ("stdout",), None, ("output", None)),
        ("deadline", None, ("stderr",), None, ("output", None)),
        ("deadline", None, (), None, ("timeout", None)),
        ("cancelled", None, (), "timeout", ("timeout", None)),
        ("cancelled", None, (), "memory", ("memory", None)),
        ("cancelled", None, (), "output", ("output", None)),
        ("memory minimum size of 640 pages exceeds memory limits", None, (), None, ("memory", None)),
        ("stack overflow", None, (), None, ("signalled", 11)),
        ("unreachable", None, (), None, ("signalled", 6)),
        ("something that a later version says", None, (), None, ("signalled", 6)),
    ],
)
def test_endings(trapped, code, truncated, why, says):
    done = types.SimpleNamespace(trapped=trapped, exit_code=code, truncated=truncated)
    assert ended(done, why) == says


def test_the_guard_ends_what_goes_over_and_nothing_else():
    guard, stop = Guard(), threading.Event()
    guard.start()
    guard.watch(60.0, 64 << 20, stop)
    time.sleep(0.1)
    assert not stop.is_set()
    guard.rest()
    guard.watch(0.05, 64 << 20, stop)
    until = time.monotonic() + 5
    while not stop.is_set() and time.monotonic() < until:
        pass  # processor time is what is counted
    assert stop.is_set() and guard.why == "timeout"
    guard.rest()
    if resident():
        stop.clear()
        guard.watch(60.0, -wasm_worker.ROOM - (1 << 20), stop)
        assert stop.wait(5) and guard.why == "memory"
        guard.rest()


# Messages.


@given(blobs=st.lists(st.binary(max_size=50), max_size=4), text=st.text(max_size=20))
def test_a_message_comes_as_it_was_sent(blobs, text):
    file = io.BytesIO()
    send(file, {"text": text}, blobs)
    send(file, {})
    file.seek(0)
    head, got = receive(file)
    assert (head["text"], got) == (text, blobs)
    assert receive(file) == ({"sizes": []}, []) and receive(file) is None


def test_what_the_program_starts_with_can_be_read_by_any_python():
    compile(wasm_worker.GUEST, "guest", "exec")
