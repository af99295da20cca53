"""How many programs a second are graded in a sandbox, beside running them with no safety at all.

    python bench/code_rate.py
    python bench/code_rate.py --seconds 10 --threads 2 --json

The job: one benign Python program and three tests of one function.

    guerdon   `run(program, tests)` in each sandbox mode that works here: one isolated run serves the three tests
    plain     `subprocess.run([python, "-I", "-S", "-c", program])`, once per program, with the three calls written
              into it: no isolation, no limits, no comparison

Both use the interpreter that the sandbox has. They take turns of half a second in one process, so that a busy
machine slows both; the ratio is of their rates.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

from guerdon.evidence import sandbox
from guerdon.evidence.code import run

PROGRAM = "def f(n):\n    return sum(i * i for i in range(n))\n"
TESTS = [{"call": "f", "args": [n], "returns": sum(i * i for i in range(n))} for n in (3, 10, 100)]
CALLS = PROGRAM + "print([f(n) for n in (3, 10, 100)])\n"
TURN = 0.5  # seconds


def plain() -> None:
    """The program and its calls, with no safety."""
    subprocess.run(["/usr/bin/python3", "-I", "-S", "-c", CALLS], capture_output=True, check=True)


def graded(box: sandbox.Sandbox) -> Callable[[], None]:
    """The same, isolated and compared."""

    def once() -> None:
        done = run(PROGRAM, TESTS, sandbox=box)
        if done.verdict.value != 1.0:
            raise RuntimeError(f"the benign program did not pass: {done}")

    return once


def turn(what: Callable[[], None], threads: int) -> tuple[int, float]:
    """How often it was done in one turn, and the seconds that took."""
    began = time.perf_counter()

    def many(_: int) -> int:
        count = 0
        while time.perf_counter() - began < TURN:
            what()
            count += 1
        return count

    with ThreadPoolExecutor(threads) as pool:
        count = sum(pool.map(many, range(threads)))
    return count, time.perf_counter() - began


def main() -> None:
    """Prints the rates and their ratios to plain."""
    options = argparse.ArgumentParser(description="programs graded a second, beside plain subprocesses")
    options.add_argument("--seconds", type=float, default=5.0, help="of each, in all")
    options.add_argument("--threads", type=int, default=2)
    options.add_argument("--json", action="store_true")
    chosen = options.parse_args()
    jobs: dict[str, Callable[[], None]] = {"plain": plain}
    for name in sandbox.AUTOMATIC:
        try:
            jobs[name] = graded(sandbox.find(name))
        except sandbox.SandboxFault as fault:
            print(fault)
    counts = {name: [0, 0.0] for name in jobs}
    for job in jobs.values():
        job()
    for _ in range(max(1, round(chosen.seconds / TURN))):
        for name, job in jobs.items():
            count, seconds = turn(job, chosen.threads)
            counts[name][0] += count
            counts[name][1] += seconds
    rates = {name: count / seconds for name, (count, seconds) in counts.items()}
    rows = {name: {"programs_per_second": rate, "ratio": rate / rates["plain"]} for name, rate in rates.items()}
    if chosen.json:
        print(json.dumps({"threads": chosen.threads, "tests": len(TESTS), **rows}))
        return
    for name, row in rows.items():
        print(f"{name:12} {row['programs_per_second']:8.1f} programs/s   {row['ratio']:5.2f} x plain")


if __name__ == "__main__":
    main()
