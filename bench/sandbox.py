"""How fast isolated Python runs are beside bare ones, as a ratio in one run: `python bench/sandbox.py`.

Two workers, each a process with a sandbox of its own, run the same program again and again; then two workers do
`subprocess.run([python, '-I', '-S', '-c', program])`, which isolates nothing. The rounds alternate, so that what else
the machine does falls on both; the median of the rounds' ratios is printed, with the least and the largest.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import statistics
import subprocess
import time
from functools import partial

from guerdon.evidence.sandbox import Job, find

PYTHON = "/usr/bin/python3"
PROGRAM = "import json, sys\nfor x in (3, 1, 2):\n    print(json.dumps(sorted([x, 2 * x, 0])))\n"


def bare(program: str) -> bytes:
    """The same program in a process of its own, isolated from nothing."""
    return subprocess.run([PYTHON, "-I", "-S", "-c", program], capture_output=True, stdin=subprocess.DEVNULL).stdout


def isolated(mode: str, program: str) -> bytes:
    """The program in a sandbox."""
    return find(mode).run(Job((PYTHON, "-I", "-S", "/box/main.py"), files={"main.py": program.encode()})).stdout


def work(orders, said) -> None:
    """Does one order after the other: (how, how many)."""
    for how, count in iter(orders.get, None):
        began = time.perf_counter()
        wrong = sum(how(PROGRAM) != b"[0, 3, 6]\n[0, 1, 2]\n[0, 2, 4]\n" for _ in range(count))
        said.put((time.perf_counter() - began, wrong))


def main() -> None:
    """Prints a table."""
    asked = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    asked.add_argument("--modes", default="zygote,bubblewrap")
    asked.add_argument("--rounds", type=int, default=7)
    asked.add_argument("--count", type=int, default=100, help="programs of one worker in one round")
    asked.add_argument("--workers", type=int, default=2)
    given = asked.parse_args()
    context = multiprocessing.get_context("forkserver")
    orders = [context.Queue() for _ in range(given.workers)]
    said = context.Queue()
    workers = [context.Process(target=work, args=(queue, said), daemon=True) for queue in orders]
    for worker in workers:
        worker.start()

    def rate(how, count: int) -> float:
        began = time.perf_counter()
        for queue in orders:
            queue.put((how, count))
        wrong = sum(said.get()[1] for _ in workers)
        if wrong:
            raise SystemExit(f"{wrong} programs printed something else")
        return given.workers * count / (time.perf_counter() - began)

    ways = {"bare": bare} | {mode: partial(isolated, mode) for mode in given.modes.split(",")}
    for how in ways.values():
        rate(how, 3)
    rounds = [{name: rate(how, given.count) for name, how in ways.items()} for _ in range(given.rounds)]
    for queue in orders:
        queue.put(None)
    print(f"{given.workers} workers, {given.rounds} rounds of {given.count} each; load {os.getloadavg()[0]:.1f}")
    for name in ways:
        ratios = sorted(one[name] / one["bare"] for one in rounds)
        speed = statistics.median(one[name] for one in rounds)
        print(
            f"{name:11s} {speed:7.1f}/s   {statistics.median(ratios):5.2f}x bare ({ratios[0]:.2f} to {ratios[-1]:.2f})"
        )


if __name__ == "__main__":
    main()
