"""The client against real servers: order, groups, deadlines, and servers that are busy, gone or back again."""

import asyncio
import json
import socket
import threading
import time
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from guerdon.errors import RecordError
from guerdon.records import Step, Task, Trajectory
from guerdon.server import Client


def play(said, group=0):
    return Trajectory(group, Task("2+2?", "4"), (Step("", said),))


@contextmanager
def talking(*statuses, wait=0.0):
    """The URL of a server that says these statuses, one a request, then right answers; and what it was asked."""
    asked, left = [], list(statuses)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self):
            rows = json.loads(self.rfile.read(int(self.headers["Content-Length"])))["trajectories"]
            asked.append([row["group"] for row in rows])
            status = left.pop(0) if left else 200
            time.sleep(wait)
            if status == "drop":
                self.close_connection = True
                return
            said = {"answers": [{"value": float(r["group"]), "cause": None, "parts": {}} for r in rows]}
            body = json.dumps(said if status == 200 else {"detail": "not now"}).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_):
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}", asked
        server.shutdown()


def test_answers_come_in_order_and_groups_are_never_cut():
    groups = [0, 1, 0, 2, 1, 3, 4, 4, 4, 0]
    with talking() as (url, asked), Client(url, chunk=3) as client:
        answers = client.score([play("4", group) for group in groups])
    assert [a.value for a in answers] == groups
    assert sorted(map(sorted, asked)) == [[0, 0, 0], [1, 1, 2], [3], [4, 4, 4]]


def test_scoring_is_the_same_sync_and_async_and_of_records_or_objects(server):
    plays = [play(said, i) for i, said in enumerate(["4", "5", "raise"])]
    rows = [{"group": p.group, "task": {"reference": "4"}, "steps": [{"action": p.steps[0].action}]} for p in plays]
    with Client(server.url, chunk=1) as client:
        found = [client.score(plays), client.score(rows), asyncio.run(client.ascore(plays))]
        assert [[a.value for a in answers] for answers in found] == [[1.5, 0.5, None]] * 3
        assert found[0][0].parts == {"right": 1.0, "there": 0.5}
        assert client.score([]) == []
        assert client.ready()["reward"] == "right + there"


@pytest.mark.parametrize("fault", [429, 503, 502, "drop"])
def test_a_server_that_is_busy_or_gone_is_asked_again(fault):
    with talking(fault, fault) as (url, asked), Client(url) as client:
        assert client.score([play("4", 7)])[0].value == 7.0
        assert len(asked) == 3


def test_a_kept_connection_that_the_server_closed_is_no_fault():
    with talking(200, "drop") as (url, asked), Client(url) as client:
        assert [client.score([play("4", 7)])[0].value for _ in range(2)] == [7.0, 7.0]
        assert len(asked) == 3


def test_what_has_no_answer_by_the_deadline_is_unscored_with_the_cause():
    with talking(*[503] * 99) as (url, _), Client(url) as client:
        began = time.monotonic()
        (answer,) = client.score([play("4")], deadline=1.0)
        assert time.monotonic() - began < 1.5
        assert answer.value is None
        assert "not now" in answer.cause
    with talking(wait=3.0) as (url, _), Client(url) as client:
        began = time.monotonic()
        assert client.score([play("4")], deadline=0.5)[0].value is None
        assert time.monotonic() - began < 1.5


def test_no_server_at_all_is_unscored_with_the_cause():
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{free.getsockname()[1]}"
    with Client(url, timeout=0.5) as client:
        assert "no answer" in client.score([play("4")])[0].cause
        assert client.ready()["ready"] is False


@pytest.mark.parametrize("status", [500, 504])
def test_a_fault_of_the_server_is_unscored_at_once(status):
    with talking(status) as (url, asked), Client(url) as client:
        assert client.score([play("4")])[0].cause == f"the reward server said {status}: not now"
        assert len(asked) == 1


def test_what_is_asked_wrongly_raises(strict):
    with Client(strict.url, token="wrong") as client, pytest.raises(RecordError, match="refused \\(401\\)"):
        client.score([play("4")])
    with Client(strict.url, token="secret") as client:
        assert client.score([play("4")])[0].value == 1.0
        with pytest.raises(RecordError, match="at most 4"):
            client.score([play("4")] * 5)
        with pytest.raises(RecordError, match="None where a number is missing"):
            client.score([{"group": 0, "steps": [{"reward": float("nan")}]}])
    with pytest.raises(RecordError, match="http://HOST:PORT"):
        Client("localhost:8000")
