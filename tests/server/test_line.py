"""Faults: what hangs or dies is killed and begun again, nobody's answer is lost, doubled or turned into 0."""

import json
import os
import signal
import socket
import subprocess
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from urllib.parse import urlsplit

import pytest


def play(said, wanted="4", group=0):
    return {"group": group, "task": {"reference": wanted}, "steps": [{"action": said}]}


def values(server, *said):
    status, answer, _ = server.post("/score", {"trajectories": [play(s, group=i) for i, s in enumerate(said)]})
    assert status == 200, answer
    return [a["value"] for a in answer["answers"]]


def test_a_grader_that_hangs_or_dies_leaves_its_own_play_unscored(server):
    began = time.monotonic()
    status, said, _ = server.post(
        "/score", {"trajectories": [play(s, group=i) for i, s in enumerate(["4", "hang", "5", "die", "4"])]}
    )
    assert status == 200
    assert [a["value"] for a in said["answers"]] == [1.5, None, 0.5, None, 1.5]
    assert "deadline" in said["answers"][1]["cause"]
    assert said["answers"][3]["cause"]
    assert time.monotonic() - began < 15


def test_the_server_answers_others_while_something_is_slow(server):
    with ThreadPoolExecutor(1) as other:
        slow = other.submit(values, server, "slow 1.5")
        time.sleep(0.3)
        began = time.monotonic()
        assert server.get("/health")[0] == 200
        assert values(server, "4") == [1.5]
        assert time.monotonic() - began < 1.0
        assert slow.result() == [0.5]


@pytest.fixture(scope="module")
def short(serving):
    """A server that gives little time."""
    with serving(timeout=2.0) as server:
        yield server


def test_an_observer_that_never_ends_is_answered_504_and_the_server_answers_again(short):
    before = short.ready().count("guerdon_scorer_restarts_total")
    status, said, _ = short.post("/score", {"trajectories": [play("slow 600")]})
    assert status == 504
    assert "--timeout" in said["detail"]
    assert short.ready().client.score([play("4")])[0].value == 1.5
    assert short.count("guerdon_scorer_restarts_total") == before + 1


def test_a_grading_worker_that_is_killed_loses_no_verdict(server):
    with ThreadPoolExecutor(1) as other:
        asked = other.submit(values, server, "4", "wait", "5")
        time.sleep(0.3)
        family = _descendants(server.scorers()[0])
        leaves = [pid for pid in family if not _descendants(pid)]
        assert leaves
        for pid in leaves:
            os.kill(pid, signal.SIGKILL)
        assert asked.result() == [1.5, 1.5, 0.5]
    assert values(server, "4") == [1.5]


def _descendants(pid):
    """Processes that this one started, and theirs."""
    out = subprocess.run(["ps", "-o", "pid=", "--ppid", str(pid)], capture_output=True, text=True).stdout
    children = [int(child) for child in out.split()]
    return [*children, *(it for child in children for it in _descendants(child))]


def test_a_request_that_hangs_takes_nobody_with_it_who_waited_beside_it(short):
    short.ready()
    with ThreadPoolExecutor(9) as others:
        hangs = others.submit(short.post, "/score", {"trajectories": [play("slow 600")]})
        asked = [others.submit(values, short, "4") for _ in range(8)]
        assert [a.result() for a in asked] == [[1.5]] * 8
        assert hangs.result()[0] == 504


def test_requests_survive_a_scoring_process_that_is_killed(server):
    before = server.ready().count("guerdon_scorer_restarts_total")
    (scorer,) = server.scorers()
    with ThreadPoolExecutor(4) as others:
        asked = [others.submit(values, server, "slow 0.7", "4", "raise") for _ in range(4)]
        time.sleep(0.4)
        os.kill(scorer, signal.SIGKILL)
        assert [a.result() for a in asked] == [[0.5, 1.5, None]] * 4
    assert server.count("guerdon_scorer_restarts_total") == before + 1
    assert server.scorers() != [scorer]


@pytest.mark.slow
def test_two_scoring_processes_share_the_work_and_one_goes_on_alone(serving):
    with serving(scorers=2) as server:
        server.until(lambda: server.client.ready().get("scorers") == 2)
        with ThreadPoolExecutor(4) as others:
            asked = [others.submit(values, server, "slow 0.5", "4") for _ in range(4)]
            time.sleep(0.2)
            os.kill(server.scorers()[0], signal.SIGKILL)
            assert server.client.ready()["ready"]
            assert [a.result() for a in asked] == [[0.5, 1.5]] * 4


@pytest.mark.slow
def test_a_request_that_kills_its_process_twice_is_told(serving, tmp_path):
    file = tmp_path / "deadly.py"
    file.write_text(
        "import os\nimport guerdon as gd\n"
        "def score(batch):\n    if 'kill' in batch['action'].tolist():\n        os._exit(1)\n"
        "    return gd.fact('outcome')(batch)\n"
        "REWARD = gd.Term('deadly', score)\n"
    )
    with serving("REWARD", reward=f"{file}:REWARD") as server:
        server.ready()
        status, said, _ = server.post("/score", {"trajectories": [play("kill")]})
        assert status == 503
        assert "died 2 times" in said["detail"]
        assert server.ready().client.score([{**play("4"), "outcome": 2.0}])[0].value == 2.0


def test_a_client_that_goes_away_gives_up_its_place(server):
    at = urlsplit(server.url)
    before = server.count("guerdon_clients_gone_total")
    body = b'{"trajectories": [{"group": 0, "task": {"reference": "4"}, "steps": [{"action": "slow 1"}]}]}'
    for _ in range(3):
        sock = socket.create_connection((at.hostname, at.port))
        sock.sendall(b"POST /score HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body))
        time.sleep(0.1)
        sock.close()
    half = socket.create_connection((at.hostname, at.port))
    half.sendall(b"POST /score HTTP/1.1\r\nHost: x\r\nContent-Length: 999\r\n\r\n{")
    half.close()
    assert values(server, "4") == [1.5]
    server.until(lambda: server.count("guerdon_clients_gone_total") >= before + 4)
    server.until(lambda: server.count("guerdon_in_flight") == 0)


def test_more_requests_than_are_taken_are_told_to_come_again(strict):
    body = json.dumps({"trajectories": [play("wait")]}).encode()  # which takes a while
    with sending(strict, *[body] * 6) as socks:
        said = [sock.recv(4096) for sock in socks]
    refused = [s for s in said if s.startswith(b"HTTP/1.1 429")]
    assert len(refused) == 2
    assert all(b"retry-after: 1" in s.lower() for s in refused)


@contextmanager
def sending(server, *bodies, length=None):
    """A connection for each body."""
    at, socks = urlsplit(server.url), []
    for body in bodies:
        socks.append(socket.create_connection((at.hostname, at.port), 10))
        head = b"POST /score?token=secret HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n"
        socks[-1].sendall(head % (length or len(body)) + body)
    yield socks
    for sock in socks:
        sock.close()


def test_a_scoring_process_that_is_stopped_is_begun_again(server):
    os.kill(server.ready().scorers()[0], signal.SIGSTOP)
    began = time.monotonic()
    assert values(server, "4", "5") == [1.5, 0.5]
    assert time.monotonic() - began < 20  # not when all the time of a request has passed


def test_on_sigterm_what_is_under_way_is_finished_and_then_it_ends(serving):
    with serving(grace=10.0) as server:
        server.ready()
        with ThreadPoolExecutor(1) as other, sending(server, b"{", length=99) as (half,):  # and never the rest
            asked = other.submit(values, server, "slow 1", "4")
            time.sleep(0.4)
            scorers = server.scorers()
            began = time.monotonic()
            server.process.send_signal(signal.SIGTERM)
            assert asked.result() == [0.5, 1.5]
            assert half.recv(4096).startswith(b"HTTP/1.1 408")
        assert server.process.wait(10) == 0
        assert time.monotonic() - began < 8
        assert not any(os.path.exists(f"/proc/{pid}") for pid in scorers)


@pytest.mark.slow
def test_what_does_not_finish_within_the_grace_is_told(serving):
    with serving(grace=0.5) as server:
        server.ready()
        with ThreadPoolExecutor(1) as other:
            asked = other.submit(server.post, "/score", {"trajectories": [play("slow 600")]})
            time.sleep(0.4)
            began = time.monotonic()
            server.process.send_signal(signal.SIGTERM)
            status, said, _ = asked.result()
        assert status == 503
        assert "shutting down" in said["detail"]
        assert server.process.wait(10) == 0
        assert time.monotonic() - began < 6


@pytest.mark.slow
def test_a_killed_listener_leaves_nothing_behind(serving):
    with serving() as server:
        server.ready()
        scorers = server.scorers()
        server.process.kill()
        server.until(lambda: not any(_runs(pid) for pid in scorers), 10)


def _runs(pid):
    try:
        with open(f"/proc/{pid}/stat") as file:
            return file.read().rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False


SLOW = (
    "import time\nimport numpy as np\nimport guerdon as gd\nfrom guerdon.batch import Column\n"
    "from guerdon.evidence import Reading\n"
    "def read(batch):\n    time.sleep({})\n    return Column.of('trajectory', np.ones(batch.size('trajectory')))\n"
    "REWARD = gd.fact(Reading('patient', read))\n"
)


def test_readiness_says_what_it_waits_for(serving, tmp_path):
    (tmp_path / "slow.py").write_text(SLOW.format(2))
    with serving(reward=f"{tmp_path}/slow.py:REWARD") as server:
        said = server.until(lambda: server.get("/ready")[1].get("waiting"))
        assert said == "the reward is loaded, for 0 s so far"
        server.until(lambda: "plays are graded by patient" in server.get("/ready")[1].get("waiting", ""))
        assert server.get("/ready")[0] == 503
        assert "waiting" not in server.ready().get("/ready")[1]


@pytest.mark.slow
def test_a_reward_that_cannot_be_loaded_is_told_by_readiness(serving):
    with serving("MISSING") as server:
        server.until(lambda: "broken" in server.get("/ready")[1])
        status, said, _ = server.get("/ready")
        assert status == 503
        assert "MISSING" in said["broken"]
        asked = threading.Thread(target=server.post, args=("/score", {"trajectories": [play("4")]}))
        asked.start()
        asked.join(15)
        assert not asked.is_alive()
