"""Real servers in processes of their own, on loopback."""

import http.client
import json
import os
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import pytest

import guerdon
from guerdon.server import Client

SOURCE = Path(guerdon.__file__).parents[1]
START = """
import json, sys
from guerdon.server import Config, run
run.serve(Config(**json.loads(sys.argv[1])), as_json=True)
"""

# What is said decides what happens: to be graded well or badly, to hang, to die, to raise, to take long.
REWARD = """
import os, time
import numpy as np
import guerdon as gd
from guerdon.batch import Column
from guerdon.evidence import Grading, Reading
from guerdon.records import Verdict


def graded(said, wanted):
    if said == "hang":
        while True:
            pass
    if said == "wait":
        time.sleep(0.6)
        return Verdict.score(1)
    if said == "die":
        os._exit(1)
    if said == "raise":
        raise ValueError("no such thing")
    return Verdict.score(said == wanted, length=len(said))


def read(batch):
    said = [a or "" for a in batch["action"].tolist()]
    if "poison" in said:
        raise ValueError("poisoned")
    for text in said:
        if text.startswith("slow"):
            time.sleep(float(text.split()[1]))
    return Column.of("trajectory", np.ones(batch.size("trajectory")))


right = Grading("right", graded, deadline=1.0)
PLAIN = gd.fact(Grading("exact", graded, deadline=None))
REWARD = gd.fact(right) + 0.5 * gd.fact(Reading("there", read))
STEPS = gd.fact("reward")
GROUPS = gd.rewards.group_mean(gd.fact(right))
NONE = "no term"
"""


class Server:
    """A server, its address, and its process."""

    def __init__(self, process, url):
        self.process, self.url = process, url
        self.client = Client(url, timeout=30)

    def until(self, what, seconds=30):
        """Waits until `what()` is true."""
        ends = time.monotonic() + seconds
        while not (found := what()):
            assert time.monotonic() < ends, "it did not come"
            time.sleep(0.02)
        return found

    def post(self, path, obj, **headers):
        """Status, decoded answer and headers of one request on a connection of its own."""
        body = obj if isinstance(obj, bytes) else json.dumps(obj).encode()
        return self.ask("POST", path, body, headers)

    def get(self, path, **headers):
        """The same, without a body."""
        return self.ask("GET", path, None, headers)

    def ask(self, method, path, body, headers):
        """One request."""
        at = urlsplit(self.url)
        connection = http.client.HTTPConnection(at.hostname, at.port, timeout=30)
        connection.request(method, path, body, headers)
        response = connection.getresponse()
        said = response.read()
        connection.close()
        json_said = "json" in (response.getheader("content-type") or "")
        return response.status, json.loads(said) if json_said else said.decode(), dict(response.getheaders())

    def count(self, name):
        """A number of /metrics, by its name and labels."""
        lines = self.get("/metrics", Authorization="Bearer secret")[1].splitlines()
        return next((float(line.rpartition(" ")[2]) for line in lines if line.startswith(name)), 0.0)

    def ready(self):
        """Waits until it is ready; itself."""
        self.until(lambda: self.client.ready()["ready"])
        return self

    def scorers(self):
        """The ids of the processes that score."""
        out = subprocess.run(["ps", "-o", "pid=", "--ppid", str(self.process.pid)], capture_output=True, text=True)
        return [int(pid) for pid in out.stdout.split()]


@contextmanager
def _serving(reward, **config):
    """A server of `reward`, FILE.py:NAME, that is ended afterwards."""
    about = json.dumps({"reward": str(reward), "port": 0, "workers": "1", "scorers": 1, **config})
    environment = {**os.environ, "PYTHONPATH": str(SOURCE), "OMP_NUM_THREADS": "1"}
    process = subprocess.Popen([sys.executable, "-c", START, about], stdout=subprocess.PIPE, text=True, env=environment)
    try:
        yield Server(process, json.loads(process.stdout.readline())["url"])
    finally:
        process.kill()
        process.wait(10)
        process.stdout.close()


@pytest.fixture(scope="session")
def rewards(tmp_path_factory):
    """The file of rewards."""
    file = tmp_path_factory.mktemp("rewards") / "reward.py"
    file.write_text(REWARD)
    return file


@pytest.fixture(scope="session")
def server(rewards):
    """A server of a sum of two facts, with room for everything."""
    with _serving(f"{rewards}:REWARD", retries=1) as it:
        yield it.ready()


@pytest.fixture(scope="session")
def strict(rewards):
    """A server that asks for a token, takes little, and gives a number for what is unscored."""
    with _serving(
        f"{rewards}:PLAIN", token="secret", body=4096, items=4, in_flight=4, unscored_as=-1.0, retries=0
    ) as it:
        yield it.ready()


@pytest.fixture(scope="session")
def serving(rewards):
    """`with serving("REWARD", timeout=1.0) as server`: a server of one of the rewards, for one test."""
    return lambda name="REWARD", **config: _serving(**{"reward": f"{rewards}:{name}", **config})
