"""What the pool costs per item, with and without chunks, and with hostile items among the others.

    python bench/pool.py [ITEMS]

All figures are of one run, in turns, so that another load on the machine falls on all of them; each is the
median of five. A trivial grader is run in this process, in a pool of two, in one that hands items over one by
one, and in `concurrent.futures.ProcessPoolExecutor`, which has no deadline to keep.
"""

from __future__ import annotations

import os
import statistics
import sys
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context

from guerdon.evidence.pool import Pool
from guerdon.evidence.use import Here
from guerdon.records import Verdict

ROUNDS, WORKERS, DEADLINE = 5, 2, 0.2


def trivial(what: str, number: int) -> Verdict:
    """Answers at once, hangs or dies."""
    if what == "hang":
        time.sleep(60)
    if what == "die":
        os._exit(1)
    return Verdict.score(number % 2)


def busy(what: str, number: int) -> Verdict:
    """Works for half a millisecond."""
    until = time.perf_counter() + 0.0005
    while time.perf_counter() < until:
        pass
    return Verdict.score(number % 2)


def mixed(n: int) -> list[tuple[str, int]]:
    """One item in forty hangs, one in forty kills its worker."""
    kinds = {0: "hang", 20: "die"}
    return [(kinds.get(i % 40, "ok"), i) for i in range(n)]


def timed(run: Callable[[], object]) -> float:
    """Seconds."""
    began = time.perf_counter()
    run()
    return time.perf_counter() - began


def main() -> None:
    """Prints a table: microseconds an item, and the ratio to the pool with chunks."""
    n = int(sys.argv[1]) if len(sys.argv) > 1 else 4000
    items, some = [("ok", i) for i in range(n)], mixed(max(200, n // 20))
    with (
        Pool(WORKERS) as pool,
        Pool(WORKERS, chunks=False) as single,
        ProcessPoolExecutor(WORKERS, get_context("forkserver")) as executor,
    ):
        ways: dict[str, tuple[int, Callable[[], object]]] = {
            "pool": (n, lambda: pool.run(trivial, items, DEADLINE)),
            "pool, one by one": (n, lambda: single.run(trivial, items, DEADLINE)),
            "executor, one by one": (n, lambda: list(executor.map(trivial, *zip(*items, strict=True)))),
            "this process": (n, lambda: Here().run(trivial, items, None)),
            "pool, 0.5 ms of work": (n // 4, lambda: pool.run(busy, items[: n // 4], DEADLINE)),
            "this process, 0.5 ms of work": (n // 4, lambda: Here().run(busy, items[: n // 4], None)),
            "pool, 1 in 20 hostile": (len(some), lambda: pool.run(trivial, some, DEADLINE)),
        }
        for _, run in ways.values():
            run()
        took: dict[str, list[float]] = {name: [] for name in ways}
        for _ in range(ROUNDS):
            for name, (count, run) in ways.items():
                took[name].append(timed(run) / count * 1e6)
    base = statistics.median(took["pool"])
    print(f"{n} items, {WORKERS} workers, deadline {DEADLINE} s, load {os.getloadavg()[0]:.1f}")
    for name, seen in took.items():
        middle = statistics.median(seen)
        print(f"{name:30} {middle:9.1f} us/item  [{min(seen):.1f}, {max(seen):.1f}]  x{middle / base:.2f}")


if __name__ == "__main__":
    main()
