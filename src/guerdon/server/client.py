"""Asks a reward server from Python, sync and async, with the standard library alone.

    client = Client("http://127.0.0.1:8000")
    answers = client.score(trajectories)          # or: await client.ascore(trajectories)

What the server could not do in time is an unscored answer with its cause; what was asked wrongly raises.
"""

from __future__ import annotations

import asyncio
import http.client
import json
import random
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from threading import Lock
from typing import Any
from urllib.parse import urlsplit

from guerdon.errors import RecordError
from guerdon.records import Trajectory
from guerdon.server.scoring import Answer
from guerdon.store import to_json

LATER = frozenset((429, 502, 503))  # what another try may change
LONGEST = 10.0  # seconds between two tries
LOST = (ConnectionError, TimeoutError, http.client.HTTPException, OSError)


@dataclass(frozen=True)
class _Lost:
    """Nothing came back, and why."""

    why: str


class Client:
    """A reward server, asked over HTTP.

    Connections are kept and used again; `score` and `ascore` may be called from many threads and tasks at once.
    Proxies are not used: a reward server stands beside its trainer.

    Args:
        url: where it listens, as `guerdon serve` says it.
        token: what the server was started with, if anything.
        timeout: seconds that one call may take, with all its tries; overridden by `deadline` of a call.
        chunk: the most trajectories in a request; a group is never cut, so that a large one makes a larger request.
        at_once: requests under way at the same time.

    Raises:
        RecordError: the URL is none.
    """

    def __init__(
        self, url: str, token: str | None = None, timeout: float = 180.0, chunk: int = 256, at_once: int = 8
    ) -> None:
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise RecordError(f"Client: the url is {url!r}; http://HOST:PORT is needed; see what `guerdon serve` says")
        self.url, self.timeout, self.chunk = url.rstrip("/"), timeout, max(chunk, 1)
        self._secure, self._base = parts.scheme == "https", parts.path.rstrip("/")
        self._host, self._port = parts.hostname, parts.port or (443 if parts.scheme == "https" else 80)
        self._headers = {"Content-Type": "application/json"} | ({"Authorization": f"Bearer {token}"} if token else {})
        self._idle: list[http.client.HTTPConnection] = []
        self._lock = Lock()
        self._threads = ThreadPoolExecutor(at_once, thread_name_prefix="guerdon-client")

    def __enter__(self) -> Client:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Closes the connections; calls that are under way end."""
        self._threads.shutdown(wait=False, cancel_futures=True)
        with self._lock:
            while self._idle:
                self._idle.pop().close()

    def score(
        self, trajectories: Sequence[Trajectory | Mapping[str, Any]], deadline: float | None = None
    ) -> list[Answer]:
        """One answer per trajectory, in order.

        Args:
            trajectories: records, or the JSON objects of their lines. Plays of one group are sent together.
            deadline: seconds for the whole call; then what has not come is unscored.

        Returns:
            Answers with `.value`, `.cause`, `.scored`, `.parts`, `.steps`, `.facts`. A server that stays busy or away
            until the deadline leaves its chunk unscored, with the cause.

        Raises:
            RecordError: the server refused: a wrong token, a record that is none, a reward that does not fit.
        """
        ends = time.monotonic() + (self.timeout if deadline is None else deadline)
        chunks = list(self._chunks(trajectories))
        if len(chunks) == 1:
            return self._chunk(chunks[0][1], ends)
        done = [(places, self._threads.submit(self._chunk, rows, ends)) for places, rows in chunks]
        return _in_order(len(trajectories), [(places, future.result()) for places, future in done])

    async def ascore(
        self, trajectories: Sequence[Trajectory | Mapping[str, Any]], deadline: float | None = None
    ) -> list[Answer]:
        """The same for an event loop: it waits in threads of the client's own."""
        ends = time.monotonic() + (self.timeout if deadline is None else deadline)
        chunks, loop = list(self._chunks(trajectories)), asyncio.get_running_loop()
        done = await asyncio.gather(
            *(loop.run_in_executor(self._threads, self._chunk, rows, ends) for _, rows in chunks)
        )
        return _in_order(len(trajectories), [(places, got) for (places, _), got in zip(chunks, done, strict=True)])

    def ready(self) -> dict[str, Any]:
        """What the server says of itself: `ready`, the reward's name and parts, what its self-test gave."""
        got = self._ask("GET", "/ready", None, time.monotonic() + min(self.timeout, 10.0), LATER - {503})
        if isinstance(got, _Lost):
            return {"ready": False, "broken": got.why}
        return json.loads(got[1])

    def _chunks(self, trajectories: Sequence) -> Iterator[tuple[list[int], list[dict]]]:
        """Places and rows of requests, each of whole groups."""
        groups: dict[Any, list[int]] = {}
        rows = [to_json(t) if isinstance(t, Trajectory) else t for t in trajectories]
        for i, row in enumerate(rows):
            groups.setdefault(row.get("group") if isinstance(row, Mapping) else None, []).append(i)
        places: list[int] = []
        for group in groups.values():
            if places and len(places) + len(group) > self.chunk:
                yield places, [rows[i] for i in places]
                places = []
            places += group
        if places:
            yield places, [rows[i] for i in places]

    def _chunk(self, rows: list[dict], ends: float) -> list[Answer]:
        try:
            body = json.dumps({"trajectories": rows}, allow_nan=False).encode()
        except (ValueError, TypeError) as error:
            raise RecordError(
                f"Client.score: a trajectory holds what JSON does not ({error}); text, finite numbers, lists and "
                "objects are needed; use None where a number is missing"
            ) from error
        got = self._ask("POST", "/score", body, ends, LATER)
        if isinstance(got, _Lost):
            return [Answer(None, got.why)] * len(rows)
        status, said = got
        if status == 200:
            return [Answer(**answer) for answer in json.loads(said)["answers"]]
        why = _detail(said)
        if 400 <= status < 500:
            raise RecordError(f"Client.score: the server at {self.url} refused ({status}): {why}")
        return [Answer(None, f"the reward server said {status}: {why}")] * len(rows)

    def _ask(self, method: str, path: str, body: bytes | None, ends: float, later: frozenset) -> Any:
        """Status and body, or _Lost: tries until the deadline, with longer and longer waits."""
        wait, why, sent = 0.1, "", 0
        while (left := ends - time.monotonic()) > 0:
            connection, fresh = self._connection(left)
            try:
                connection.request(method, self._base + path, body, self._headers)
                response = connection.getresponse()
                said = response.read()
            except LOST as error:
                connection.close()
                if not fresh and not isinstance(error, TimeoutError):
                    continue  # the server closed a connection that was kept: no fault
                why, pause = f"{type(error).__name__}: {error}", wait
            else:
                self._keep(connection, response)
                if response.status not in later:
                    return response.status, said
                why = f"it said {response.status}: {_detail(said)}"
                pause = max(wait, _seconds(response.getheader("Retry-After")))
            sent, wait = sent + 1, min(2 * wait, LONGEST)
            pause *= random.uniform(0.8, 1.2)  # so that clients do not come back all at once
            if time.monotonic() + pause >= ends:
                break
            time.sleep(pause)
        return _Lost(
            f"the reward server at {self.url} gave no answer by the deadline, after {max(sent, 1)} tries ({why})"
        )

    def _connection(self, left: float) -> tuple[http.client.HTTPConnection, bool]:
        with self._lock:
            kept = self._idle.pop() if self._idle else None
        kind = http.client.HTTPSConnection if self._secure else http.client.HTTPConnection
        connection = kept or kind(self._host, self._port)
        connection.timeout = left
        if connection.sock is not None:
            connection.sock.settimeout(left)
        return connection, kept is None

    def _keep(self, connection: http.client.HTTPConnection, response: http.client.HTTPResponse) -> None:
        if response.will_close:
            connection.close()
            return
        with self._lock:
            self._idle.append(connection)


def _in_order(n: int, done: list[tuple[list[int], list[Answer]]]) -> list[Answer]:
    out: list[Answer | None] = [None] * n
    for places, answers in done:
        for i, answer in zip(places, answers, strict=True):
            out[i] = answer
    return out


def _detail(said: bytes) -> str:
    with suppress(ValueError, KeyError, TypeError):
        return str(json.loads(said)["detail"])
    return said[:200].decode("utf-8", "replace")


def _seconds(header: str | None) -> float:
    return min(float(header), LONGEST) if header and header.replace(".", "", 1).isdigit() else 0.0
