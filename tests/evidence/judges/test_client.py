"""One question to an endpoint that answers, fails, drags and lies; a real server on loopback, nothing mocked."""

import asyncio
import gzip
import json
import threading
import time

import numpy as np
import pytest

from evidence.judges.endpoint import Answer, said, serving
from guerdon.errors import PolicyError
from guerdon.evidence.judges import Client, Endpoint, NoReply, Reply, Sampling

HELLO = [{"role": "user", "content": "hello"}]


def ask(endpoint, votes=1, times=1, **sampling):
    """The replies to a question, asked so many times side by side."""

    async def work():
        async with Client(endpoint) as client:
            got = await asyncio.gather(*[client.ask(HELLO, Sampling(**sampling), votes) for _ in range(times)])
            return [reply for replies in got for reply in replies]

    return asyncio.run(work())


def first_then(*answers):
    """A script: one answer after another, the last for good."""
    return lambda asked: answers[min(asked.number, len(answers) - 1)]


FINE = said("fine")


# It answers.


def test_an_answer_with_its_cost():
    with serving(first_then(FINE)) as server:
        (reply,) = ask(server.endpoint(), max_tokens=9, seed=3, extra={"top_p": 0.5})
    assert reply == Reply("fine", tokens_in=7, tokens_out=3, calls=1)
    path, asked = server.asked[0]
    assert path == "/v1/chat/completions"
    assert asked.body == {
        "model": "judge", "messages": HELLO, "temperature": 0.0, "max_tokens": 9, "stream": False,
        "seed": 3, "top_p": 0.5,
    }  # fmt: skip


def test_thought_that_is_told_apart_is_not_in_the_answer():
    with serving(first_then(said("fine", reasoning_content="score 10"))) as server:
        assert ask(server.endpoint())[0].text == "fine"


# It fails, and may do better.


@pytest.mark.parametrize(
    "fault",
    [
        Answer(status=429),
        Answer(status=500, body=b"oops"),
        Answer(status=503),
        Answer(silent=True),
        Answer(body=b"<html>gateway</html>"),
        Answer(body=FINE.body[:40]),
        Answer(body=FINE.body, cut=20),
        Answer(body=b"{}"),
        Answer(body=b'{"choices": []}'),
        Answer(body=b"[" * 100_000),
        Answer(body=b"\xff\xfe"),
    ],
    ids=["429", "500", "503", "silent", "html", "half json", "half body", "no choices", "none", "deep", "bytes"],
)
def test_a_passing_fault_is_tried_again(fault):
    with serving(first_then(fault, fault, FINE)) as server:
        (reply,) = ask(server.endpoint())
    assert isinstance(reply, Reply) and reply.calls == 3 and len(server.asked) == 3


def test_a_lasting_fault_ends_with_its_cause():
    with serving(first_then(Answer(status=500))) as server:
        (reply,) = ask(server.endpoint(tries=3))
    assert reply.cause == "the endpoint answered 500, at the last of 3 tries" and len(server.asked) == 3


def test_a_dead_endpoint_is_a_cause():
    endpoint = Endpoint("http://127.0.0.1:9/v1", "judge", tries=2, first_wait=0.01)
    assert "connection to the endpoint failed (ConnectError)" in ask(endpoint)[0].cause


def test_waits_grow_and_differ():
    with serving(first_then(Answer(status=500))) as server:
        ask(server.endpoint(tries=4, first_wait=0.05, longest_wait=10.0))
    at = [asked.at for _, asked in server.asked]
    first, second, third = np.diff(at).tolist()
    assert first >= 0.025 and second >= 0.05 and third >= 0.1


def test_retry_after_is_kept_and_holds_the_others_too():
    with serving(lambda a: Answer(status=429, headers={"Retry-After": "0.4"}) if a.number == 0 else FINE) as server:

        async def work():
            async with Client(server.endpoint(at_once=2)) as client:
                one = asyncio.create_task(client.ask(HELLO, Sampling()))
                await asyncio.sleep(0.15)
                return await asyncio.gather(one, client.ask(HELLO, Sampling()))

        replies = asyncio.run(work())
    begun = server.asked[0][1].at
    assert all(isinstance(reply, Reply) for (reply,) in replies)
    assert min(asked.at for _, asked in server.asked[1:]) - begun >= 0.38


def test_a_wait_past_the_deadline_is_not_waited_for():
    with serving(first_then(Answer(status=429, headers={"Retry-After": "600"}))) as server:
        begun = time.monotonic()
        (reply,) = ask(server.endpoint(deadline=2.0))
    assert time.monotonic() - begun < 1.0
    assert "the next try, in 600 s, would be past the deadline of 2 s" in reply.cause


# It fails for good.


@pytest.mark.parametrize(
    ("answer", "cause"),
    [
        (said("half of", finish="length"), "cut off"),
        (said("", finish="content_filter"), "content filter"),
        (said(None, refusal="I will not"), "refused"),
        (said(None), "no text"),
        (said(7), "no text"),
        (Answer(status=400, body=b'{"error": "context too long"}'), "400: {\"error\": \"context too long\"}"),
        (Answer(status=302, headers={"Location": "http://127.0.0.1:9/"}), "302"),
        (Answer(body=gzip.compress(FINE.body), headers={"Content-Encoding": "gzip"}), "compressed"),
        (Answer(body=b" " * 3000), "larger than 2000 bytes"),
    ],
)  # fmt: skip
def test_what_no_second_try_mends_is_asked_once(answer, cause):
    with serving(first_then(answer)) as server:
        (reply,) = ask(server.endpoint(largest=2000))
    assert isinstance(reply, NoReply) and cause in reply.cause
    assert len(server.asked) == 1


def test_a_wrong_key_stops_all_questions_and_its_words_are_not_shown():
    with serving(first_then(Answer(status=401, body=b"wrong key sk-12***89"))) as server:
        replies = ask(server.endpoint(at_once=1), times=20)
    assert len(server.asked) == 1 and all(isinstance(reply, NoReply) for reply in replies)
    assert replies[0].cause == "the endpoint answered 401: the key is not accepted"
    assert replies[-1].cause == "not asked, as the endpoint answered 401: the key is not accepted"


def test_a_dead_endpoint_is_given_up_and_questions_that_it_refuses_are_not_counted():
    with serving(first_then(Answer(status=500))) as server:
        replies = ask(server.endpoint(tries=1, at_once=1, give_up_after=5), times=50)
    assert len(server.asked) == 5 and "5 questions on end found no answer" in replies[-1].cause
    with serving(first_then(Answer(status=400))) as server:
        ask(server.endpoint(at_once=2, give_up_after=5), times=20)
    assert len(server.asked) == 20


# It drags.


def test_a_call_that_is_never_answered_is_ended():
    with serving(first_then(Answer(wait=30), FINE)) as server:
        begun = time.monotonic()
        (reply,) = ask(server.endpoint(timeout=0.3))
    assert isinstance(reply, Reply) and time.monotonic() - begun < 2.0


def test_an_answer_that_drips_is_ended_though_bytes_keep_coming():
    with serving(first_then(Answer(body=FINE.body, drip=0.1))) as server:
        begun = time.monotonic()
        (reply,) = ask(server.endpoint(timeout=0.3, tries=1))
    assert time.monotonic() - begun < 1.5 and "did not answer within 0.3 s" in reply.cause


def test_the_deadline_ends_a_question_whatever_it_is_doing():
    with serving(first_then(Answer(status=500), Answer(wait=30))) as server:
        begun = time.monotonic()
        replies = ask(server.endpoint(deadline=0.5, timeout=20.0), times=3)
    assert time.monotonic() - begun < 1.5
    assert all("no answer within the deadline of 0.5 s" in reply.cause for reply in replies)


def test_no_more_questions_at_once_than_allowed():
    with serving(lambda asked: said("fine") if time.sleep(0.02) is None else None) as server:
        assert len(ask(server.endpoint(at_once=3), times=20)) == 20
    assert 1 < server.most <= 3


def test_calls_keep_to_their_rate_and_waiting_for_it_is_not_on_the_deadline():
    with serving(first_then(FINE)) as server:
        replies = ask(server.endpoint(per_second=20.0, deadline=0.3, timeout=0.3), times=12)
    at = sorted(asked.at for _, asked in server.asked)
    assert all(isinstance(reply, Reply) for reply in replies)
    assert at[-1] - at[0] >= 11 / 20 - 0.08


# Several votes.


def test_votes_come_from_one_call_where_the_endpoint_gives_them():
    with serving(lambda asked: said(*["fine"] * asked.body.get("n", 1))) as server:
        replies = ask(server.endpoint(), votes=3)
    assert [r.calls for r in replies] == [1, 0, 0] and [r.tokens_in for r in replies] == [7, 0, 0]
    assert len(server.asked) == 1


def test_votes_are_asked_for_one_by_one_where_n_is_passed_over():
    with serving(lambda asked: said(f"vote {asked.body.get('seed')}")) as server:
        replies = ask(server.endpoint(), votes=3, seed=5)
    assert sorted(reply.text for reply in replies) == ["vote 5", "vote 6", "vote 7"]
    assert [asked.body.get("n") for _, asked in server.asked] == [3, None, None]


def test_votes_are_asked_for_one_by_one_where_n_is_refused():
    with serving(lambda asked: Answer(status=400) if "n" in asked.body else FINE) as server:
        replies = ask(server.endpoint(), votes=2)
    assert [type(reply) for reply in replies] == [Reply, Reply] and len(server.asked) == 3


# Log-probabilities.

GIVEN = {"content": [{"token": "Yes", "logprob": -0.1, "top_logprobs": [{"token": "Yes", "logprob": -0.1}]}]}


def test_log_probabilities_come_as_they_are():
    with serving(first_then(said("Yes", logprobs=GIVEN))) as server:
        (reply,) = ask(server.endpoint(), logprobs=5)
    assert reply.logprobs == ((("Yes", -0.1),),)
    assert server.asked[0][1].body["top_logprobs"] == 5 and server.asked[0][1].body["logprobs"] is True


@pytest.mark.parametrize(
    "given",
    [
        None,
        {},
        {"content": None},
        {"content": []},
        {"content": [{"token": "Yes", "logprob": -0.1}]},
        {"content": [{"token": "Yes", "top_logprobs": []}]},
        {"content": [{"token": "Yes", "top_logprobs": [{"token": "Yes", "logprob": None}]}]},
        {"content": [{"token": "Yes", "top_logprobs": [{"token": "Yes", "logprob": 0.5}]}]},
        {"content": [{"token": "Yes", "top_logprobs": [{"token": "Yes", "logprob": True}]}]},
    ],
)
def test_log_probabilities_that_do_not_come_are_noticed(given):
    with serving(first_then(said("Yes", logprobs=given))) as server:
        (reply,) = ask(server.endpoint(), logprobs=5)
    assert "log-probabilities were asked for and did not come" in reply.cause


# Keys.

SECRET = "sk-very-secret-0815"


def test_the_key_is_sent_and_seen_nowhere_else(monkeypatch):
    monkeypatch.setenv("JUDGE_KEY", SECRET)
    with serving(lambda asked: Answer(status=400, body=f"bad {asked.headers['authorization']}".encode())) as server:
        endpoint = server.endpoint(key="JUDGE_KEY")
        (reply,) = ask(endpoint)
    assert server.asked[0][1].headers["authorization"] == f"Bearer {SECRET}"
    assert reply.cause == "the endpoint answered 400: bad Bearer ***"
    assert SECRET not in repr(endpoint)


def test_a_key_that_the_endpoint_repeats_in_an_answer_is_blotted_out(monkeypatch):
    monkeypatch.setenv("JUDGE_KEY", SECRET)
    with serving(lambda asked: said(f"you sent {asked.headers['authorization']}")) as server:
        assert ask(server.endpoint(key="JUDGE_KEY"))[0].text == "you sent Bearer ***"


def test_a_key_that_is_not_there_is_a_cause_and_nothing_is_sent(monkeypatch):
    monkeypatch.delenv("JUDGE_KEY", raising=False)
    with serving(first_then(FINE)) as server:
        assert "JUDGE_KEY" in ask(server.endpoint(key="JUDGE_KEY"))[0].cause
        monkeypatch.setenv("JUDGE_KEY", f"{SECRET}\nevil")
        assert SECRET not in ask(server.endpoint(key="JUDGE_KEY"))[0].cause
        assert not server.asked


@pytest.mark.parametrize(
    "url", ["127.0.0.1:8000/v1", "ftp://x/v1", "http://", "http://me:pass@host/v1", "http://h/v1?k=1"]
)
def test_an_address_that_is_none_is_refused_without_its_password(url):
    with pytest.raises(PolicyError) as refused:
        Endpoint(url, "judge")
    assert "pass@" not in str(refused.value)


def test_limits_have_to_be_above_zero():
    with pytest.raises(PolicyError):
        Endpoint("http://h/v1", "judge", per_second=0.0)


# None lost.


def test_under_mixed_faults_every_question_ends_in_exactly_one_answer_that_is_its_own():
    """Odd questions meet a fault first; each answer says the question's own number."""
    faults = [Answer(status=429, headers={"Retry-After": "0.01"}), Answer(status=500), Answer(silent=True),
              Answer(body=b"garbage"), Answer(body=FINE.body, cut=10)]  # fmt: skip
    met, lock = set(), threading.Lock()

    def script(asked):
        number = int(asked.text)
        with lock:
            fresh = number not in met
            met.add(number)
        return faults[number // 2 % 5] if number % 2 and fresh else said(str(number))

    async def work(endpoint):
        async with Client(endpoint) as client:
            questions = [[{"role": "user", "content": str(i)}] for i in range(200)]
            return await asyncio.gather(*[client.ask(q, Sampling()) for q in questions])

    with serving(script) as server:
        replies = asyncio.run(work(server.endpoint(at_once=8)))
    assert [reply.text for (reply,) in replies] == [str(i) for i in range(200)]
    assert sum(reply.calls for (reply,) in replies) == len(server.asked) == 300


def test_a_question_that_is_no_json_is_a_cause():
    with serving(first_then(FINE)) as server:
        (reply,) = ask(server.endpoint(), extra={"x": {1, 2}})
    assert "cannot be sent as JSON" in reply.cause and json.dumps(server.asked) == "[]"
