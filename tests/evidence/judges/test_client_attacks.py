"""Servers that keep no rules: whatever they send, there is an answer or a cause, in time."""

import asyncio
import contextlib
import json
import socket
import threading
import time

import pytest

from evidence.judges.endpoint import Answer, said, serving
from guerdon.evidence.judges import Client, Endpoint, NoReply, Reply, Sampling

FINE = said("fine")


def ask(endpoint):
    async def work():
        async with Client(endpoint) as client:
            return await client.ask([{"role": "user", "content": "hello"}], Sampling())

    return asyncio.run(work())


def first_then(*answers):
    """A script: one answer after another, the last for good."""
    return lambda asked: answers[min(asked.number, len(answers) - 1)]


@contextlib.contextmanager
def raw(*pieces, keep=0.0):
    """A server that sends bytes as they are, to everybody, and then stays or hangs up."""
    over = threading.Event()

    def answer(connection):
        with connection, contextlib.suppress(OSError):
            connection.recv(65536)
            for piece in pieces:
                connection.sendall(piece)
            over.wait(keep)

    def serve(server):
        while True:
            try:
                connection, _ = server.accept()
            except OSError:
                return
            threading.Thread(target=answer, args=(connection,), daemon=True).start()

    with socket.create_server(("127.0.0.1", 0)) as server:
        threading.Thread(target=serve, args=(server,), daemon=True).start()
        try:
            url = f"http://127.0.0.1:{server.getsockname()[1]}/v1"
            yield Endpoint(url, "judge", tries=2, timeout=0.5, deadline=1.2, first_wait=0.01, longest_wait=0.02)
        finally:
            over.set()
            server.shutdown(socket.SHUT_RDWR)


OK = b"HTTP/1.1 200 OK\r\n"


@pytest.mark.parametrize(
    "pieces",
    [
        [b"hello\r\n\r\n"], [b""], [OK, *[b"x: " + b"y" * 60_000 + b"\r\n"] * 20], [OK + b"content-length: -5\r\n\r\n"],
        [OK + b"content-length: 500\r\n\r\n{}"], [OK + b"transfer-encoding: chunked\r\n\r\nZZ\r\n"],
        [b"HTTP/1.1 100 Continue\r\n\r\n"] * 500, [b"HTTP/9.9 200 OK\r\n\r\n"], [b"HTTP/1.1 101 Switching\r\n\r\n"],
        [b"HTTP/1.1 000 X\r\n\r\n"], [b"HTTP/1.1 999 X\r\ncontent-length: 0\r\n\r\n"], [OK + b"x\x00: y\r\n\r\n"],
        [OK + b"\r\n", *[b"x" * 65536] * 40],
    ],
    ids=["no http", "nothing", "headers", "length", "short", "chunk", "100", "9.9", "101", "000", "999", "nul",
         "endless"],
)  # fmt: skip
def test_whatever_a_server_sends_is_a_cause_in_time(pieces):
    """It ends by the deadline of 1.2 s; the rest is for a busy machine."""
    began = time.monotonic()
    with raw(*pieces, keep=2.0) as endpoint:
        (reply,) = ask(endpoint)
    assert isinstance(reply, NoReply) and reply.cause and time.monotonic() - began < 3


@pytest.mark.parametrize("status", [408, 425, 500, 501, 505, 521, 529, 599])
def test_every_fault_of_the_server_is_tried_again(status):
    with serving(first_then(Answer(status=status), FINE)) as server:
        (reply,) = ask(server.endpoint())
    assert isinstance(reply, Reply) and reply.calls == 2


@pytest.mark.parametrize(
    "header", ["soon", "-5", "nan", "inf", "Wed, 99 Foo", "Thu, 01 Jan 1970 00:00:00 GMT", "0", ""]
)
def test_a_wait_that_is_none_does_not_hold_anybody(header):
    with serving(first_then(Answer(status=429, headers={"retry-after": header}), FINE)) as server:
        began = time.monotonic()
        (reply,) = ask(server.endpoint())
    assert isinstance(reply, Reply) and time.monotonic() - began < 3


@pytest.mark.parametrize(
    "body",
    [
        {"choices": [{"message": {"content": None}}]}, {"choices": [{"message": {"content": 5}}]},
        {"choices": [{"message": {"content": [{"type": "text", "text": "yes"}]}}]}, {"choices": [{"message": "yes"}]},
        {"choices": [{"message": {"content": "yes", "refusal": "no"}}]}, {"choices": [{}]},
        {"choices": [{"message": {"content": None, "tool_calls": [{}]}, "finish_reason": "tool_calls"}]},
    ],
    ids=range(7),
)  # fmt: skip
def test_a_choice_without_words_is_no_answer(body):
    with serving(first_then(Answer(json.dumps(body).encode()))) as server:
        (reply,) = ask(server.endpoint())
    assert isinstance(reply, NoReply) and len(server.asked) == 1
