"""One question to a chat endpoint, until it is answered or its time is up.

A small client of `/v1/chat/completions`, which vLLM, SGLang, llama.cpp, `transformers serve` and the paid
services speak. What comes back is a `Reply` or a `NoReply` with a cause; an exception never does, and
nothing that an endpoint leaves out is made up.
"""

from __future__ import annotations

import asyncio
import json
import math
import os
import random
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from numbers import Real
from typing import Any
from urllib.parse import urlsplit

from guerdon.errors import MissingExtraError, PolicyError
from guerdon.evidence.judges.pace import Pace, wait_asked

AGAIN = frozenset({408, 409, 425, 429, *range(500, 600)})  # the same question may do better later
NEVER = frozenset({401, 403, 404})  # no question will do better: the key, the rights, the address or the model is wrong
SHOWN = 200  # characters of an endpoint's own words in a cause


@dataclass(frozen=True)
class Endpoint:
    """Where a judge is asked, and how patiently.

    Attributes:
        url: up to and with `/v1`; `/chat/completions` is added.
        model: the name that the endpoint knows the judge by.
        key: the name of the environment variable that holds the key; None where none is needed. The
            key itself is read when a question is sent, and is in no version, fact or cause.
        at_once: questions under way at one time.
        per_second: calls a second at most, retries counted; None for no limit.
        tokens_per_second: the same for tokens: four characters sent count as one, and `max_tokens` as used.
        timeout: seconds for one call, from its first byte sent to its last received.
        deadline: seconds for one question with all its tries and the waits between them, counted from
            when it has its turn. It is ended then, whatever it is doing.
        tries: calls for one question at most.
        first_wait, longest_wait: seconds before the second try, doubled for each further one up to the longest;
            half of each wait is drawn at random, so that questions that failed together do not return together.
            `Retry-After` is kept where it asks for more, and then by all questions.
        largest: bytes of an answer at most.
        give_up_after: once this many questions on end have found no answer, those that have not begun
            are unscored with the last cause instead of waiting for a dead endpoint one by one.

    Example:
        >>> Endpoint("http://127.0.0.1:8000/v1", "judge").address
        'http://127.0.0.1:8000/v1/chat/completions'
    """

    url: str
    model: str
    key: str | None = None
    at_once: int = 16
    per_second: Real | None = None
    tokens_per_second: Real | None = None
    timeout: Real = 60.0
    deadline: Real = 180.0
    tries: int = 6
    first_wait: Real = 0.5
    longest_wait: Real = 30.0
    largest: int = 1 << 20
    give_up_after: int = 64

    def __post_init__(self) -> None:
        parts = urlsplit(self.url)
        if parts.scheme not in ("http", "https") or not parts.hostname or parts.query or parts.username:
            shown = self.url if not parts.username else f"{parts.scheme}://...@{parts.hostname}"
            raise PolicyError(
                f"Endpoint: the url is {shown!r}; http:// or https:// with a host, and neither user nor query, is "
                "needed; name the environment variable of the key with key="
            )
        amounts = (self.at_once, self.timeout, self.deadline, self.tries, self.largest, self.give_up_after)
        if min(amounts) <= 0 or not all(r is None or r > 0 for r in (self.per_second, self.tokens_per_second)):
            raise PolicyError("Endpoint: a limit is 0 or less; each has to be above 0; None leaves a rate unlimited")

    @property
    def address(self) -> str:
        """Where questions are sent."""
        return f"{self.url.rstrip('/')}/chat/completions"


@dataclass(frozen=True)
class Sampling:
    """How the judge draws its answer. Another value is another version of the judge.

    Attributes:
        temperature: 0 for the likeliest answer; several votes need more.
        max_tokens: an answer that is cut off here is no verdict.
        seed: of the first vote; the next votes take the numbers after it. None leaves it out.
        logprobs: how many alternatives each token is asked for; 0 asks for no log-probabilities.
        extra: other keys of the request, such as `{"chat_template_kwargs": {"enable_thinking": False}}`.
    """

    temperature: Real = 0.0
    max_tokens: int = 1024
    seed: int | None = None
    logprobs: int = 0
    extra: Mapping[str, Any] = field(default_factory=dict, hash=False)


@dataclass(frozen=True)
class Reply:
    """What the judge said.

    Attributes:
        text: its answer; what it thought before, where the endpoint tells that apart, is not in it.
        logprobs: for each token, the log-probability of each alternative by its text; empty when not asked for.
        tokens_in, tokens_out: as the endpoint counts them, 0 where it does not.
        calls: how many calls it took.
    """

    text: str
    logprobs: tuple[tuple[tuple[str, float], ...], ...] = ()
    tokens_in: int = 0
    tokens_out: int = 0
    calls: int = 1


@dataclass(frozen=True)
class NoReply:
    """Why there is no answer.

    Attributes:
        cause: a sentence.
        calls: how many calls were made for it.
        final: no other question would be answered either.
        down: the endpoint did not work; a question that it refuses is not that.
    """

    cause: str
    calls: int = 0
    final: bool = False
    down: bool = False


class Client:
    """Asks one endpoint, inside one event loop: `async with Client(endpoint) as client`."""

    def __init__(self, endpoint: Endpoint) -> None:
        self.endpoint = endpoint
        self._pace = Pace(endpoint.per_second, endpoint.tokens_per_second)
        self._turns = asyncio.Semaphore(endpoint.at_once)
        self._one_by_one = False  # the endpoint does not give several answers to one call
        self._failed, self._stopped = 0, ""

    async def __aenter__(self) -> Client:
        httpx = _httpx()
        limits = httpx.Limits(max_connections=self.endpoint.at_once, max_keepalive_connections=self.endpoint.at_once)
        secure = urlsplit(self.endpoint.url).scheme.lower() == "https"  # reading certificates takes 20 ms and more
        # Redirects are not followed: the key would go along.
        self._http = httpx.AsyncClient(
            verify=secure, limits=limits, timeout=self.endpoint.timeout, follow_redirects=False
        )
        return self

    async def __aexit__(self, *why: object) -> None:
        await self._http.aclose()

    async def ask(self, messages: Sequence[Mapping], sampling: Sampling, votes: int = 1) -> list[Reply | NoReply]:
        """`votes` answers to one question, each a `Reply` or a `NoReply`.

        They are asked for in one call (`n`); where the endpoint gives fewer, or refuses `n`, the others
        are asked for one by one, and so are all later ones.
        """
        got: list[Reply | NoReply] = []
        if votes > 1 and not self._one_by_one:
            got = await self._question(messages, sampling, 0, votes)
            if len(got) == votes:
                return got
            self._one_by_one = True
            got = [reply for reply in got if isinstance(reply, Reply)]
        more = [self._question(messages, sampling, k, 1) for k in range(len(got), votes)]
        return got + [reply for replies in await asyncio.gather(*more) for reply in replies]

    async def _question(self, messages: Sequence[Mapping], sampling: Sampling, vote: int, n: int) -> list:
        try:
            body = json.dumps(_body(self.endpoint.model, messages, sampling, vote, n)).encode()
        except (TypeError, ValueError) as error:
            return [NoReply(f"the question cannot be sent as JSON: {error}")]
        key, wrong = _key(self.endpoint.key)
        if wrong:
            return [NoReply(wrong, final=True)]
        async with self._turns:
            if self._stopped:
                return [NoReply(self._stopped)] * n
            tries = _Tries()
            tokens = len(body) / 4 + sampling.max_tokens * n
            await self._pace.turn(tokens)  # waiting for one's own limits is not the endpoint's fault
            try:
                async with asyncio.timeout(self.endpoint.deadline):
                    found = await self._until_answered(body, key, n, sampling, tries, tokens)
            except TimeoutError:
                found = NoReply(_late(self.endpoint.deadline, tries), tries.calls, down=True)
        if isinstance(found, list):
            self._failed = 0
            return found
        found = replace(found, cause=found.cause.replace(key, "***") if key else found.cause)
        self._note(found)
        refused = n > 1 and tries.last in (400, 422)  # perhaps only `n` was refused
        return [found] if refused else [found, *[replace(found, calls=0)] * (n - 1)]

    def _note(self, failure: NoReply) -> None:
        self._failed = self._failed + 1 if failure.down else 0
        if failure.final or self._failed >= self.endpoint.give_up_after:
            many = "" if failure.final else f"{self._failed} questions on end found no answer; the last: "
            self._stopped = self._stopped or f"not asked, as {many}{failure.cause}"

    async def _until_answered(
        self, body: bytes, key: str, n: int, sampling: Sampling, tries: _Tries, tokens: float
    ) -> list[Reply | NoReply] | NoReply:
        begun, wait = time.monotonic(), self.endpoint.first_wait
        while True:
            if tries.calls:
                await self._pace.turn(tokens)
            tries.calls += 1
            found = await self._call(body, key, n, sampling, tries)
            if not isinstance(found, _Again):
                return found
            tries.why = found.why
            if tries.calls >= self.endpoint.tries:
                return NoReply(f"{found.why}, at the last of {tries.calls} tries", tries.calls, down=True)
            pause = max(wait * random.uniform(0.5, 1.0), found.wait)
            if time.monotonic() - begun + pause >= self.endpoint.deadline:
                return NoReply(
                    f"{found.why}; the next try, in {pause:.3g} s, would be past the deadline of "
                    f"{self.endpoint.deadline:.3g} s", tries.calls, down=True
                )  # fmt: skip
            if found.wait:
                self._pace.hold(found.wait)
            await asyncio.sleep(pause)
            wait = min(2 * wait, self.endpoint.longest_wait)

    async def _call(
        self, body: bytes, key: str, n: int, sampling: Sampling, tries: _Tries
    ) -> list[Reply | NoReply] | NoReply | _Again:
        httpx = _httpx()
        headers = {"content-type": "application/json", "accept": "application/json", "accept-encoding": "identity"}
        if key:
            headers["authorization"] = f"Bearer {key}"
        tries.last = 0
        try:
            async with (
                asyncio.timeout(self.endpoint.timeout),
                self._http.stream("POST", self.endpoint.address, content=body, headers=headers) as answer,
            ):
                tries.last = answer.status_code
                if answer.headers.get("content-encoding", "identity") != "identity":
                    return NoReply("the endpoint sent a compressed answer, which was not asked for", tries.calls)
                raw = bytearray()
                async for piece in answer.aiter_raw():
                    raw += piece
                    if len(raw) > self.endpoint.largest:
                        return NoReply(f"the answer is larger than {self.endpoint.largest} bytes", tries.calls)
                wait = wait_asked(answer.headers.get("retry-after"))
        except TimeoutError:
            return _Again(f"the endpoint did not answer within {self.endpoint.timeout:.3g} s")
        except httpx.TimeoutException:
            return _Again(f"the endpoint did not answer within {self.endpoint.timeout:.3g} s")
        except httpx.TransportError as error:
            return _Again(f"the connection to the endpoint failed ({type(error).__name__})")
        except (httpx.HTTPError, httpx.InvalidURL, ValueError) as error:
            return NoReply(f"the endpoint could not be asked ({type(error).__name__})", tries.calls)
        if tries.last != 200:
            return _refused(tries, bytes(raw), wait)
        raw = raw.replace(key.encode(), b"***") if key else raw  # an endpoint that echoes it
        return _replies(bytes(raw), n, sampling.logprobs > 0, tries.calls)


@dataclass
class _Tries:
    """What was tried so far; it outlives a question that is ended."""

    calls: int = 0
    last: int = 0
    why: str = ""


@dataclass(frozen=True)
class _Again:
    """A failure that may pass, and how long the endpoint asked to wait."""

    why: str
    wait: float = 0.0


def _httpx() -> Any:
    try:
        import httpx
    except ImportError:
        raise MissingExtraError(
            "Client: httpx is not installed; a judge is asked over HTTP; pip install 'guerdon[judge]'"
        ) from None
    return httpx


def _key(name: str | None) -> tuple[str, str]:
    """The key and what is wrong with it, which does not show it."""
    if name is None:
        return "", ""
    key = os.environ.get(name, "").strip()
    if not key:
        return "", f"the environment variable {name}, which is to hold the key of the judge, is not set"
    if not (key.isascii() and key.isprintable()):
        return "", f"the key in {name} has signs that no header can carry"
    return key, ""


def _body(model: str, messages: Sequence[Mapping], sampling: Sampling, vote: int, n: int) -> dict:
    body = {"model": model, "messages": list(messages), "temperature": sampling.temperature}
    body |= {"max_tokens": sampling.max_tokens, "stream": False}
    if n > 1:
        body["n"] = n
    if sampling.seed is not None:
        body["seed"] = sampling.seed + vote
    if sampling.logprobs:
        body |= {"logprobs": True, "top_logprobs": sampling.logprobs}
    return body | dict(sampling.extra)


def _late(deadline: Real, tries: _Tries) -> str:
    last = f"; before that, {tries.why}" if tries.why else ""
    return f"no answer within the deadline of {deadline:.3g} s, in {tries.calls} tries{last}"


def _refused(tries: _Tries, raw: bytes, wait: float) -> NoReply | _Again:
    said = f"the endpoint answered {tries.last}"
    if tries.last in AGAIN:
        return _Again(said, wait)
    if tries.last in (401, 403):  # an endpoint likes to show parts of a wrong key
        return NoReply(f"{said}: the key is not accepted", tries.calls, final=True)
    words = " ".join(raw[: 4 * SHOWN].decode("utf-8", "replace").split())[:SHOWN]
    return NoReply(f"{said}: {words}" if words else said, tries.calls, final=tries.last in NEVER)


def _replies(raw: bytes, n: int, logprobs: bool, calls: int) -> list[Reply | NoReply] | NoReply | _Again:
    try:
        answer = json.loads(raw)
    except (ValueError, RecursionError):
        return _Again("the endpoint's answer is not JSON")
    choices = answer.get("choices") if isinstance(answer, dict) else None
    if not isinstance(choices, list) or not choices or not all(isinstance(c, dict) for c in choices):
        return _Again("the endpoint's answer has no choices")
    usage = answer.get("usage") if isinstance(answer.get("usage"), dict) else {}
    sent, drawn = (_count(usage.get(name)) for name in ("prompt_tokens", "completion_tokens"))
    got = [_reply(choice, logprobs, calls) for choice in choices[:n]]
    first = got[0]  # what a call cost is counted once
    if isinstance(first, Reply):
        got[0] = Reply(first.text, first.logprobs, sent, drawn, calls)
    return [g if isinstance(g, NoReply) or k == 0 else Reply(g.text, g.logprobs, calls=0) for k, g in enumerate(got)]


def _reply(choice: dict, logprobs: bool, calls: int) -> Reply | NoReply:
    message = choice.get("message")
    text = message.get("content") if isinstance(message, dict) else None
    ended = choice.get("finish_reason")
    if isinstance(message, dict) and message.get("refusal"):
        return NoReply("the judge refused to answer", calls)
    if ended == "content_filter":
        return NoReply("the endpoint's content filter withheld the answer", calls)
    if ended == "length":
        return NoReply("the judge's answer was cut off; give it more max_tokens", calls)
    if not isinstance(text, str):
        return NoReply("the judge's answer has no text", calls)
    seen = _alternatives(choice.get("logprobs")) if logprobs else ()
    if logprobs and not seen:
        return NoReply("log-probabilities were asked for and did not come; this endpoint does not give them", calls)
    return Reply(text, seen, calls=calls)


def _alternatives(found: Any) -> tuple:
    """The alternatives of each token, () where any of it is missing or is no log-probability."""
    tokens = found.get("content") if isinstance(found, dict) else None
    out = []
    for token in tokens if isinstance(tokens, list) else ():
        tops = token.get("top_logprobs") if isinstance(token, dict) else None
        if not isinstance(tops, list) or not tops or not all(_is_alternative(top) for top in tops):
            return ()
        out.append(tuple((top["token"], float(top["logprob"])) for top in tops))
    return tuple(out)


def _is_alternative(top: Any) -> bool:
    if not isinstance(top, dict) or not isinstance(top.get("token"), str):
        return False
    value = top.get("logprob")
    return isinstance(value, int | float) and not isinstance(value, bool) and not math.isnan(value) and value <= 1e-6


def _count(value: Any) -> int:
    return value if isinstance(value, int) and not isinstance(value, bool) and value >= 0 else 0
