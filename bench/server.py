"""What HTTP costs: the rate of a reward server beside the same reward in this process, at 64 plays a request.

    python bench/server.py
    python bench/server.py --reward match --rounds 9 --json

One client on loopback, in this process, with several requests under way; the server in processes of its own. Rounds
of the two alternate, and the median of their ratios is told, so that what else the machine does touches both.

In process means: records become a batch, the observers run, the reward is read. The server does that, and reads and
writes JSON and HTTP besides; what it saves is that requests which wait together share a batch.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import contextmanager
from pathlib import Path

from guerdon.batch import Batch
from guerdon.evidence import observe
from guerdon.records import Step, Task, Trajectory
from guerdon.server.client import Client
from guerdon.server.reward import load_reward
from guerdon.store import from_json, to_json

REWARDS = {
    "match": "import guerdon as gd\nfrom guerdon.evidence import match\nREWARD = gd.fact(match())\n",
    "maths": "import guerdon as gd\nfrom guerdon.evidence.maths import maths\nREWARD = gd.fact(maths())\n",
}
BATCH = 64


def plays(n: int) -> list[Trajectory]:
    """Questions with a number as answer, half of them answered right."""
    return [
        Trajectory(i, Task(f"What is {i} + {i}?", str(2 * i)), (Step("", f"\\boxed{{{2 * i + i % 2}}}"),))
        for i in range(n)
    ]


def rate(work: Callable[[], object], items: int) -> float:
    """Items a second."""
    began = time.perf_counter()
    work()
    return items / (time.perf_counter() - began)


@contextmanager
def server(reward: str, *more: str):
    """The URL of a server in a process of its own, once it is ready."""
    command = [sys.executable, "-m", "guerdon", "serve", reward, "--port", "0", "--json", *more]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env={**os.environ, "OMP_NUM_THREADS": "1"})
    try:
        url = json.loads(process.stdout.readline())["url"]
        with Client(url) as client:
            until = time.monotonic() + 120
            while not client.ready()["ready"]:
                assert time.monotonic() < until, client.ready()
                time.sleep(0.1)
        yield url
    finally:
        process.terminate()
        process.wait(60)


def measure(reward: str, rounds: int, items: int, at_once: int, scorers: int) -> dict[str, float]:
    """Medians over rounds in which every way is timed once."""
    term, all_plays = load_reward(reward), plays(items)
    batches = [all_plays[i : i + BATCH] for i in range(0, items, BATCH)]
    rows = [[to_json(play) for play in batch] for batch in batches]
    flat = [row for batch in rows for row in batch]

    def in_process() -> None:
        for batch in batches:
            term(observe(Batch.of(batch), term.observers)).tolist()

    def from_objects() -> None:
        for batch in rows:
            term(observe(Batch.of([from_json(row) for row in batch]), term.observers)).tolist()

    with server(reward, "--scorers", str(scorers)) as url:
        many, one = Client(url, chunk=BATCH, at_once=at_once), Client(url, chunk=1, at_once=at_once)
        single = flat[: items // 8]
        ways = {
            "in_process": lambda: rate(in_process, items),
            "in_process_from_json": lambda: rate(from_objects, items),
            "server_64": lambda: rate(lambda: many.score(flat), items),
            "server_1": lambda: rate(lambda: one.score(single), len(single)),
        }
        for way in ways.values():
            way()  # warm
        found = [{name: way() for name, way in ways.items()} for _ in range(rounds)]
        assert all(answer.scored for answer in many.score(flat))
    out = {name: statistics.median(f[name] for f in found) for name in ways}
    out["ratio"] = statistics.median(f["server_64"] / f["in_process"] for f in found)
    out["ratio_from_json"] = statistics.median(f["server_64"] / f["in_process_from_json"] for f in found)
    return out


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--reward", default="maths", choices=sorted(REWARDS))
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--items", type=int, default=64 * 80)
    parser.add_argument("--at-once", type=int, default=8, help="requests under way")
    parser.add_argument("--scorers", type=int, default=2, help="scoring processes of the server")
    parser.add_argument("--json", action="store_true")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, "reward.py")
        file.write_text(REWARDS[asked.reward])
        found = measure(f"{file}:REWARD", asked.rounds, asked.items, asked.at_once, asked.scorers)
    if asked.json:
        print(json.dumps({"reward": asked.reward, **found}))
        return
    for name, value in found.items():
        print(f"{name:22s} {value:10.2f}" if name.startswith("ratio") else f"{name:22s} {value:10,.0f} plays a second")


if __name__ == "__main__":
    main()
