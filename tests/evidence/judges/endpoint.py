"""A chat endpoint on loopback that does what a script says: it answers, refuses, drags, hangs up, or talks nonsense.

A script is a function from a request to an `Answer`; the same server tells afterwards what it was asked.
"""

from __future__ import annotations

import json
import re
import threading
import time
from collections.abc import Callable
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from guerdon.evidence.judges import Endpoint


@dataclass(frozen=True)
class Asked:
    """One call: its number from 0, body, headers, when it came."""

    number: int
    body: dict
    headers: dict
    at: float

    @property
    def text(self) -> str:
        """The last message."""
        return self.body["messages"][-1]["content"]

    @property
    def code(self) -> str:
        """The code that a verdict has to bear."""
        return re.search(r"bear the code ([0-9a-f]{12})", self.body["messages"][0]["content"]).group(1)

    def part(self, label: str) -> str:
        """The material under a label."""
        found = re.search(rf"<<(\w+) {re.escape(label)}>>\n(.*?)\n<<end \1 {re.escape(label)}>>", self.text, re.S)
        return found.group(2)

    def sealed(self, **fields) -> str:
        """A verdict as a faithful judge writes it."""
        return json.dumps({"code": self.code, **fields})


@dataclass(frozen=True)
class Answer:
    """What is sent: a status, headers and a body; or nothing, slowly, or half of it."""

    body: bytes = b""
    status: int = 200
    headers: dict = field(default_factory=dict)
    wait: float = 0.0
    drip: float = 0.0  # seconds between bytes
    cut: int | None = None  # bytes after which the connection is closed
    silent: bool = False  # close without a word


def said(*texts: str, logprobs=None, finish="stop", **message) -> Answer:
    """A well-formed answer with one choice per text."""
    choices = []
    for i, text in enumerate(texts):
        choice = {"index": i, "message": {"role": "assistant", "content": text, **message}, "finish_reason": finish}
        if logprobs is not None:
            choice["logprobs"] = logprobs
        choices.append(choice)
    return Answer(json.dumps({"choices": choices, "usage": {"prompt_tokens": 7, "completion_tokens": 3}}).encode())


def score(value, reason="so it is") -> Callable[[Asked], Answer]:
    """A judge that gives this score to everything."""
    return lambda asked: said(asked.sealed(reason=reason, score=value))


def verdict(word, reason="so it is") -> Callable[[Asked], Answer]:
    """A judge that says this word of everything, asked one question."""
    return lambda asked: said(asked.sealed(verdict_reason=reason, verdict=word))


class Server(ThreadingHTTPServer):
    """Serves a script and keeps what it was asked."""

    daemon_threads = True
    request_queue_size = 256

    def __init__(self, script: Callable[[Asked], Answer]):
        super().__init__(("127.0.0.1", 0), _Handler)
        self.script, self.asked, self.lock, self.over = script, [], threading.Lock(), threading.Event()
        self.now, self.most = 0, 0

    def endpoint(self, **given) -> Endpoint:
        """Where it is, with short waits."""
        url = f"http://127.0.0.1:{self.server_address[1]}/v1"
        quick = {"timeout": 5.0, "deadline": 10.0, "first_wait": 0.01, "longest_wait": 0.05}
        return Endpoint(url, "judge", **{**quick, **given})

    def handle_error(self, request, client_address):
        """A client that has hung up is no news."""


@contextmanager
def serving(script: Callable[[Asked], Answer]):
    """A server with that script, gone afterwards."""
    server = Server(script)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.over.set()
        server.shutdown()
        server.server_close()
        thread.join(5)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True  # headers and body are sent apart; waiting for the first would cost 40 ms a call

    def do_POST(self):
        server = self.server
        raw = self.rfile.read(int(self.headers["content-length"]))
        with server.lock:
            asked = Asked(len(server.asked), json.loads(raw), dict(self.headers.items()), time.monotonic())
            server.asked.append((self.path, asked))
            server.now += 1
            server.most = max(server.most, server.now)
        try:
            self.answer(server.script(asked))
        finally:
            with server.lock:
                server.now -= 1

    def answer(self, answer: Answer):
        self.server.over.wait(answer.wait)
        if answer.silent:
            self.close_connection = True
            return
        self.send_response(answer.status)
        for name, value in {"content-type": "application/json", **answer.headers}.items():
            self.send_header(name, value)
        self.send_header("content-length", str(len(answer.body)))
        self.end_headers()
        body = answer.body if answer.cut is None else answer.body[: answer.cut]
        if answer.drip:
            for byte in body:
                if self.server.over.wait(answer.drip):
                    break
                self.wfile.write(bytes([byte]))
                self.wfile.flush()
        else:
            self.wfile.write(body)
        if answer.cut is not None:
            self.close_connection = True

    def log_message(self, *what):
        pass
