"""The maths verifier against labels and against math-verify: agreement, errors by kind, and speed.

    python bench/maths.py [LABELLED.jsonl]

Each pair is asked once of each. Ours: `equal_all` on a pool of two workers with a deadline of 1 s, caches off.
math-verify: one thread, its own timeouts on, references and bare formulas wrapped in dollars, as its manual asks.
"""

from __future__ import annotations

import json
import logging
import os
import re
import sys
import time
from collections import Counter, defaultdict
from pathlib import Path

from guerdon.evidence.maths import equal_all, exact, verify
from guerdon.evidence.pool import Pool
from guerdon.evidence.use import using

LABELLED = Path(__file__).parents[1] / "tests" / "evidence" / "maths" / "labelled.jsonl"
KNOWN = ("huggingface/Math-Verify#", "modelscope/ms-swift#", "TRL ", "hkust-nlp/")


DELIMITED = ("$", "\\boxed", "\\fbox", "\\(", "\\[", "####", "\n", "<")


def wrapped(text: str) -> str:
    """A bare formula as math-verify wants it, in dollars and in LaTeX; prose and what has delimiters as it is."""
    if any(d in text for d in DELIMITED) or len(re.findall(r"(?<![\\{A-Za-z])[A-Za-z]{2,}", text)) > 3:
        return text
    if "**" in text:  # Python's spelling
        text = re.sub(r"\*\*(\d+)", r"^{\1}", text).replace("*", " ")
    return f"${text}$"


def theirs(rows: list[dict]) -> list[bool]:
    """What math-verify says, pair by pair, on this thread."""
    from math_verify import parse
    from math_verify import verify as agree

    return [agree(parse(wrapped(row["reference"])), parse(wrapped(row["answer"]))) for row in rows]


def main() -> None:
    path = Path(sys.argv[1]) if len(sys.argv) > 1 else LABELLED
    rows = [json.loads(line) for line in path.read_text("utf-8").splitlines()]
    logging.getLogger("math_verify").setLevel(logging.CRITICAL)
    exact.read = exact.read.__wrapped__
    verify.reference_text = verify.reference_text.__wrapped__
    kinds = defaultdict(list)
    for row in rows:
        kinds[row["kind"]].append(row)
    theirs(rows[:20])
    with Pool(workers=2) as pool, using(pool):
        equal_all([(r"\int_0^1 x dx", r"\int_0^1 y dy")] * 4, deadline=30.0)  # the workers are up
        spent = {}
        for kind, some in kinds.items():
            start = time.perf_counter()
            for row, verdict in zip(some, equal_all((r["answer"], r["reference"]) for r in some), strict=True):
                row["ours"], row["path"] = verdict.value, verdict.facts.get("path")
            middle = time.perf_counter()
            for row, said in zip(some, theirs(some), strict=True):
                row["theirs"] = float(said)
            spent[kind] = (middle - start, time.perf_counter() - middle)
    report(rows, kinds, spent)


def errors(rows: list[dict], who: str) -> tuple[int, int, int]:
    """False positives, false negatives, unscored."""
    return (
        sum(r[who] == 1 and not r["label"] for r in rows),
        sum(r[who] == 0 and bool(r["label"]) for r in rows),
        sum(r[who] is None for r in rows),
    )


def report(rows: list[dict], kinds: dict, spent: dict) -> None:
    print(f"load average {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores; {len(rows)} pairs\n")
    print(f"{'kind':<18}{'pairs':>6} | ours FP FN ? | theirs FP FN | ours/s theirs/s ratio")
    for kind, some in sorted(kinds.items()):
        line(kind, some, *spent[kind])
    line("all", rows, sum(a for a, _ in spent.values()), sum(b for _, b in spent.values()))
    calm = [kind for kind in kinds if kind != "adversarial"]
    line(
        "but adversarial", [r for kind in calm for r in kinds[kind]], *(sum(spent[k][i] for k in calm) for i in (0, 1))
    )
    ordinary = [r for r in rows if r["ordinary"]]
    agreed = sum(r["ours"] == r["theirs"] for r in ordinary)
    print(f"\nordinary answers: {len(ordinary)}; ours as theirs: {agreed} ({agreed / len(ordinary):.1%})")
    for title, some in (
        ("elsewhere", [r for r in rows if not r["source"].startswith("ours")]),
        ("known errors (threads on math-verify)", [r for r in rows if r["source"].startswith(KNOWN)]),
        ("held out", [r for r in rows if "held out" in r["source"]]),
    ):
        share = [sum(r[who] == r["label"] for r in some) / max(len(some), 1) for who in ("ours", "theirs")]
        print(f"{title}: {len(some)} pairs; right: ours {share[0]:.1%}, theirs {share[1]:.1%}")
    print("paths:", dict(Counter(r["path"] for r in rows)))
    for r in ordinary:
        if r["ours"] != r["theirs"]:
            print(
                f"  ordinary, theirs {r['theirs']:g}, label {r['label']}: {r['answer'][:60]!r}, {r['reference'][:50]!r}"
            )
    for r in rows:
        if r["ours"] != r["label"]:
            print(f"  ours {r['ours']}, label {r['label']}: {r['answer'][:70]!r} for {r['reference'][:60]!r}")


def line(kind: str, rows: list[dict], ours: float, other: float) -> None:
    a, b = errors(rows, "ours"), errors(rows, "theirs")
    n = len(rows)
    print(
        f"{kind:<18}{n:>6} | {a[0]:>7} {a[1]:>2} {a[2]:>1} | {b[0]:>9} {b[1]:>2} |"
        f" {n / ours:>6.0f} {n / other:>8.0f} {other / ours:>5.1f}"
    )


if __name__ == "__main__":
    main()
