"""What a turn costs as a play grows: 20, 80 and 320 turns, by what the policy reads.

    python bench/turns.py
    python bench/turns.py --turns 20 80 --plays 1 --json
    python bench/turns.py --plot turns.svg

With the last state, a turn costs the same at any length. With the whole history, what was read
stays read, so the tokens read grow with the number of turns and not with its square; attention
still looks back at all of them, and that is what the curve shows.

The world never ends before its horizon and never repeats itself; its observations all have the
same number of words. Environments and models are in this process, and nothing is trained.
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch

from guerdon.environments.base import Seen
from guerdon.environments.vector import InProcess
from guerdon.policies import LanguagePolicy, LastState, WholeHistory, small
from guerdon.records import Task
from guerdon.rollouts import by_policy, play

WORDS = [f"w{i}" for i in range(100)]
LAST = 10  # turns at the end of a play, of which the mean is taken
CONTEXTS = {"last state": LastState(memory=1), "whole history": WholeHistory()}


@dataclass(frozen=True)
class Endless:
    """A world of random words that only its horizon ends.

    Attributes:
        words_seen: how long every observation is.
    """

    horizon: int
    words_seen: int = 16
    name: str = "endless"
    options: Mapping[str, Any] = field(default_factory=dict)
    trusted = True

    def tasks(self, split: str) -> list[Task]:
        return [Task(str(i)) for i in range(8)]

    def make(self) -> EndlessPlay:
        return EndlessPlay(self)

    def words(self) -> list[str]:
        return WORDS

    def actions(self) -> list[str]:
        return WORDS[:4]


class EndlessPlay:
    """One play of it."""

    def __init__(self, family: Endless) -> None:
        self.family, self.turn, self.rng = family, 0, np.random.default_rng(0)

    def reset(self, task: Task) -> Seen:
        self.turn, self.rng = 0, np.random.default_rng(int(task.prompt))
        return Seen(self._look())

    def step(self, action: str) -> Seen:
        self.turn += 1
        over = self.turn == self.family.horizon
        return Seen(self._look(), reward=0.0, truncated=over, outcome=0.0 if over else None)

    def _look(self) -> str:
        return " ".join(self.rng.choice(WORDS, self.family.words_seen))

    def expert(self) -> str:
        return WORDS[0]

    def close(self) -> None:
        """Nothing is held."""


def policy_for(context: Any, turns: int, width: int, layers: int, say: int) -> LanguagePolicy:
    """A small Llama with room for the longest play; every action has `say` tokens."""
    longest = turns * (Endless(1).words_seen + 1 + say) + 64
    policy = small(WORDS, width=width, layers=layers, longest=longest, context=context, most=say)
    policy.format.ends = frozenset()
    return policy


def measure(context: Any, turns: int, longest: int, plays: int, width: int, layers: int, say: int) -> dict[str, Any]:
    """Plays once to the horizon and times every turn."""
    policy = policy_for(context, longest, width, layers, say)
    family = Endless(turns)
    tasks = family.tasks("train")[:plays]
    # A first short play warms up what is made once.
    play(by_policy(policy, torch.Generator().manual_seed(1)), InProcess(Endless(3)), family.tasks("train")[-1:])
    policy.forget()
    policy.cache.tokens_read = 0
    clock = [time.perf_counter()]
    done = play(
        by_policy(policy, torch.Generator().manual_seed(0)), InProcess(family), tasks,
        progress=lambda over: clock.append(time.perf_counter()),
    )  # fmt: skip
    if [len(t.steps) for t in done] != [turns] * plays:
        raise SystemExit(f"turns: plays of {[len(t.steps) for t in done]} turns; all should have {turns}")
    took = np.diff(clock) * 1e3
    return {
        "turns": turns,
        "end_ms": float(took[-LAST:].mean()),
        "mean_ms": float(took.mean()),
        "tokens_read": policy.cache.tokens_read / plays,
        "tokens_seen": sum(len(s.tokens) for t in done for s in t.steps) / plays,
        "curve_ms": [round(float(x), 3) for x in took],
    }


def compare(
    turns: list[int], plays: int = 2, repeats: int = 3, threads: int = 1, width: int = 64, layers: int = 2, say: int = 4
) -> dict[str, list[dict[str, Any]]]:
    """Every context at every number of turns; of `repeats` plays, the one with the median cost at the end.

    The lengths are played in turn, so that a slow moment of the machine does not fall on one of them.
    """
    torch.set_num_threads(threads)
    out: dict[str, list[dict[str, Any]]] = {}
    for name, context in CONTEXTS.items():
        runs: dict[int, list[dict[str, Any]]] = {n: [] for n in turns}
        for _ in range(repeats):
            for n in turns:
                runs[n].append(measure(context, n, max(turns), plays, width, layers, say))
        out[name] = [sorted(runs[n], key=lambda r: r["end_ms"])[repeats // 2] for n in turns]
        for n, row in zip(turns, out[name], strict=True):
            row["end_ms_all"] = [r["end_ms"] for r in runs[n]]
            row["against_first"] = row["end_ms"] / statistics.median(r["end_ms"] for r in runs[turns[0]])
    return out


def table(found: dict[str, list[dict[str, Any]]]) -> str:
    """The results as text."""
    last = f"ms a turn, last {LAST}"
    lines = [f"{'reads':>14} {'turns':>6} {last:>22} {'mean':>7} {'x first':>8} {'tokens read a turn':>19}"]
    for name, rows in found.items():
        for r in rows:
            per = r["tokens_read"] / r["turns"]
            lines.append(
                f"{name:>14} {r['turns']:>6} {r['end_ms']:>22.2f} {r['mean_ms']:>7.2f} "
                f"{r['against_first']:>8.2f} {per:>19.1f}"
            )
    return "\n".join(lines)


def plot(found: dict[str, list[dict[str, Any]]], path: Path) -> None:
    """The cost of each turn of the longest play, as a small SVG: one line per context."""
    wide, high, edge = 640, 320, 48
    curves = {name: np.array(max(rows, key=lambda r: r["turns"])["curve_ms"]) for name, rows in found.items()}
    # Medians of five turns, so that one interruption is not a spike.
    curves = {n: np.array([np.median(c[max(0, i - 2) : i + 3]) for i in range(len(c))]) for n, c in curves.items()}
    most, turns = max(c.max() for c in curves.values()) * 1.05, max(map(len, curves.values()))

    def at(i: float, y: float) -> str:
        x = edge + (wide - 2 * edge) * i / max(turns - 1, 1)
        return f"{x:.1f},{high - edge - (high - 2 * edge) * y / most:.1f}"

    lines = []
    for (name, c), colour in zip(curves.items(), ("#0072b2", "#d55e00"), strict=True):
        points = " ".join(at(i, y) for i, y in enumerate(c))
        x, y = at(len(c) - 1, c[-1]).split(",")
        lines.append(f'<polyline fill="none" stroke="{colour}" stroke-width="1.5" points="{points}"/>')
        lines.append(f'<text x="{x}" y="{float(y) - 8}" fill="{colour}" text-anchor="end">{name}</text>')
    axes = f'<path d="M{at(0, most)} L{at(0, 0)} L{at(turns - 1, 0)}" fill="none" stroke="#444"/>'
    labels = (
        f'<text x="{wide / 2}" y="{high - 12}" text-anchor="middle">turn (of {turns})</text>'
        f'<text x="8" y="{edge - 16}">ms a turn, up to {most:.0f}</text>'
    )
    box = f'viewBox="0 0 {wide} {high}" font-family="sans-serif" font-size="12"'
    head = f'<svg xmlns="http://www.w3.org/2000/svg" {box}>'
    path.write_text(f"{head}{axes}{labels}{''.join(lines)}</svg>\n")


def main(arguments: list[str] | None = None) -> dict[str, list[dict[str, Any]]]:
    """Runs the measurement and prints it."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--turns", type=int, nargs="+", default=[20, 80, 320])
    for name, value in (("plays", 2), ("repeats", 3), ("threads", 1), ("width", 64), ("layers", 2), ("say", 4)):
        parser.add_argument(f"--{name}", type=int, default=value)
    parser.add_argument("--json", action="store_true", help="print JSON in place of the table")
    parser.add_argument("--plot", type=Path, help="write the curves of the longest play to this SVG file")
    a = parser.parse_args(arguments)
    found = compare(a.turns, a.plays, a.repeats, a.threads, a.width, a.layers, a.say)
    print(json.dumps(found, indent=2) if a.json else table(found))
    if a.plot:
        plot(found, a.plot)
    return found


if __name__ == "__main__":
    main()
