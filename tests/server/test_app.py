"""The routes over real HTTP, who may ask, how much, and what is counted."""

import http.client
import json
import re
import socket
from urllib.parse import urlsplit

import pytest


def play(said, wanted="4", group=0, **more):
    return {"group": group, "task": {"prompt": "2+2?", "reference": wanted}, "steps": [{"action": said}], **more}


def test_a_batch_is_answered_with_values_parts_facts_and_causes(server):
    status, said, _ = server.post("/score", {"trajectories": [play("4"), play("5"), play("raise", group=1)]})
    good, bad, none = said["answers"]
    assert status == 200
    assert good["value"] == 1.5
    assert good["parts"] == {"right": 1.0, "there": 0.5}
    assert good["facts"]["right/length"] == 1.0
    assert (bad["value"], none["value"]) == (0.5, None)
    assert "no such thing" in none["cause"]


def test_every_number_that_is_not_there_is_null(server):
    status, said, _ = server.post("/score", {"trajectories": [play("4"), play("4", wanted=None)]})
    assert status == 200
    assert "NaN" not in json.dumps(said)
    assert said["answers"][1]["parts"] == {"right": None, "there": 0.5}


# What is wrong with a request is one sentence, with the way out.


@pytest.mark.parametrize(
    ("path", "body", "status", "words"),
    [
        ("/score", b"{no json", 400, "not JSON"),
        ("/score", b'{"trajectories": [{"group": 1, "steps": [{"reward": NaN}]}]}', 400, "write null"),
        ("/score", b"\xff\xfe", 400, "not JSON"),
        ("/score", b"[" * 100_000, 400, "not JSON"),
        ("/score", [], 422, "an object is needed"),
        ("/score", {"plays": []}, 422, "'trajectories' is not there"),
        ("/score", {"trajectories": [{"steps": []}]}, 422, "trajectories[0]"),
        ("/score", {"trajectories": [play("4"), play(4)]}, 422, "trajectories[1]: steps[0].action"),
        ("/get_reward", {"query": "one"}, 422, "a list of texts"),
        ("/get_reward", {"query": ["a"], "prompts": []}, 422, "one each"),
        ("/slime", {"prompt": "a"}, 422, "'response' is not there"),
        ("/verify", {"response": {"output": []}}, 422, "responses_create_params"),
    ],
)
def test_a_wrong_request_is_told_what_is_needed(server, path, body, status, words):
    found, said, _ = server.post(path, body)
    assert found == status
    assert words in said["detail"]


def test_there_is_no_such_route(server):
    for status, said, _ in (server.post("/nowhere", {}), server.post("/score/", {}), server.get("/score")):
        assert status in (404, 405)
        assert "POST /score, /get_reward" in said["detail"]


# Limits.


def test_a_request_without_the_token_is_refused_and_the_url_may_hold_it(strict):
    body = {"trajectories": [play("4")]}
    assert strict.post("/score", body)[0] == 401
    assert strict.post("/score", body, Authorization="Bearer wrong")[0] == 401
    assert strict.post("/score", body, Authorization="Bearer secr\xe9t")[0] == 401
    assert "Bearer TOKEN" in strict.post("/score", body)[1]["detail"]
    assert strict.post("/score", body, Authorization="Bearer secret")[0] == 200
    assert strict.post("/slime?token=secret", {"response": "4", "label": "4"})[1] == 1.0
    assert strict.get("/metrics")[0] == 401
    assert strict.get("/health")[0] == strict.get("/ready")[0] == 200


def test_a_long_body_is_refused_before_it_is_read(strict):
    connection = http.client.HTTPConnection(urlsplit(strict.url).netloc, timeout=10)
    connection.putrequest("POST", "/score")
    connection.putheader("Authorization", "Bearer secret")
    connection.putheader("Content-Length", str(10**12))
    connection.endheaders()
    response = connection.getresponse()
    assert response.status == 413
    assert "--body" in json.loads(response.read())["detail"]
    connection.close()


def test_a_long_body_in_pieces_is_refused_too(strict):
    at = urlsplit(strict.url)
    head = f"POST /score?token=secret HTTP/1.1\r\nHost: {at.netloc}\r\nTransfer-Encoding: chunked\r\n\r\n"
    with socket.create_connection((at.hostname, at.port), 10) as sock:
        sock.sendall(head.encode() + b"800\r\n" + b"x" * 2048 + b"\r\n" + b"900\r\n" + b"x" * 2304 + b"\r\n")
        assert sock.recv(1024).startswith(b"HTTP/1.1 413")


def test_more_items_than_are_taken_is_told_how_many_are(strict):
    status, said, _ = strict.post("/score", {"trajectories": [play("4")] * 5}, Authorization="Bearer secret")
    assert status == 422
    assert "at most 4" in said["detail"]


# Unscored.


def test_an_unscored_response_is_503_for_those_who_know_only_numbers(server):
    status, said, headers = server.post("/slime", {"prompt": "?", "response": "raise", "label": "4"})
    assert status == 503
    assert "no such thing" in said["detail"]
    assert float(headers["retry-after"]) > 0
    status, said, _ = server.post(
        "/verify", {"responses_create_params": {"input": "?"}, "response": {"output": []}, "n": 1}
    )
    assert status == 503


def test_or_the_number_of_the_operator_and_it_is_counted(strict):
    before = strict.count('guerdon_unscored_as_total{route="/slime"}')
    body = {"prompt": "?", "response": "raise", "label": "4"}
    assert strict.post("/slime?token=secret", body)[:2] == (200, -1.0)
    assert strict.count('guerdon_unscored_as_total{route="/slime"}') == before + 1
    said = strict.post("/verify?token=secret", {"responses_create_params": {"input": "?"}, "response": {"output": []}})[
        1
    ]
    assert said["reward"] == -1.0
    assert said["mask_sample"] is True
    assert "reference" in said["failure_reason"]


def test_openrlhf_gets_null_even_then(strict):
    status, said, _ = strict.post("/get_reward?token=secret", {"query": ["raise", "4"], "labels": ["4", "4"]})
    assert status == 200
    assert said == {"rewards": [None, 1.0], "scores": [None, 1.0], "extra_logs": {"unscored": [1.0, 0.0]}}


@pytest.mark.slow
def test_a_reward_that_compares_plays_is_refused_where_they_come_alone(serving):
    with serving("GROUPS") as server:
        server.ready()
        status, said, _ = server.post("/slime", {"response": "4", "label": "4"})
        assert status == 422
        assert "/score" in said["detail"]
        _, said, _ = server.post("/score", {"trajectories": [play("4"), play("5")]})
        assert [a["value"] for a in said["answers"]] == [0.5, 0.5]
        status, said, _ = server.get("/ready")
        assert "compares" in said


# State.


def test_readiness_says_what_the_probe_gave(server):
    status, said, _ = server.get("/ready")
    assert status == 200
    assert said["self_test"] == "3 of 3 scored"
    assert said["parts"] == ["right", "there"]


def test_what_is_counted(server):
    before = [server.count(f'guerdon_{name}_total{{route="/score"') for name in ("items", "scored")]
    fault = 'guerdon_unscored_total{cause="fault",route="/score"}'
    faults = server.count(fault)
    server.post("/score", {"trajectories": [play("4"), play("raise", group=1)]})
    assert server.count('guerdon_items_total{route="/score"}') == before[0] + 2
    assert server.count('guerdon_scored_total{route="/score"}') == before[1] + 1
    assert server.count(fault) == faults + 1
    assert server.count('guerdon_request_seconds_count{route="/score"}') > 0
    assert server.count("guerdon_in_flight") == 0


def test_the_description_is_valid_and_its_page_needs_nothing_from_elsewhere(server):
    schema = server.get("/openapi.json")[1]
    assert schema["openapi"].startswith("3.")
    assert {"/score", "/get_reward", "/slime", "/verify", "/health", "/ready", "/metrics"} <= set(schema["paths"])
    for path in ("/score", "/get_reward", "/slime", "/verify"):
        about = schema["paths"][path]["post"]
        assert about["requestBody"]["content"]["application/json"]["schema"]["type"] == "object"
        assert {"200", "400", "401", "413", "422", "429", "503", "504"} <= set(about["responses"])
    page = server.get("/docs")[1]
    assert "POST /score" in page
    assert re.findall(r"(?:src|href)=[\"']?(\S+?)[\"'> ]", page) == ["openapi.json"]
