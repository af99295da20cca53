"""`guerdon score TRAJECTORIES.jsonl --reward FILE.py:NAME --out DIR`: what a server would answer, offline."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any

import typer

from guerdon.cli.serve import Cache, Workers


def score(
    trajectories: Annotated[Path, typer.Argument(metavar="TRAJECTORIES.jsonl", help="One play a line.")],
    reward: Annotated[str, typer.Option("--reward", help="FILE.py:NAME of a Term.")],
    out_: Annotated[Path, typer.Option("--out", help="The folder for scores.jsonl, summary.json and batches/.")],
    chunk: Annotated[int, typer.Option("--chunk", min=1, help="Plays scored, and kept, at once.")] = 1024,
    workers: Workers = None,
    cache: Cache = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the summary as JSON, for programs.")] = False,
) -> None:
    """Score a file of trajectories; killed and repeated, it does what is left."""
    from guerdon.cli.progress import Bars, console
    from guerdon.server.offline import score_file
    from guerdon.server.reward import load_reward, open_cache, open_workers
    from guerdon.server.scoring import Scoring

    scoring = Scoring(load_reward(reward), open_workers(workers), open_cache(cache))
    with Bars() as bars:

        def show(done: int, total: int, unscored: int) -> None:
            bars.show("score", done=done, total=total, now=f"{unscored} unscored" if unscored else "")

        summary = score_file(scoring, trajectories, reward, out_, chunk, show)
        if not summary["plays"]:
            bars.end("score", f"{trajectories} holds no trajectory; there is nothing to score")
    print(json.dumps(summary, indent=2)) if as_json else console().print(_table(summary), f"{out_}/scores.jsonl")


def _table(summary: dict[str, Any]) -> Any:
    from rich.table import Table

    table = Table(box=None, header_style="bold", pad_edge=False)
    for head in ("reward", "plays", "scored", "mean", "spread", "least", "most"):
        table.add_column(head)
    for name, about in ((summary["reward"], summary["score"]), *summary["parts"].items()):
        numbers = ["-" if about[key] is None else f"{about[key]:.4g}" for key in ("mean", "std", "min", "max")]
        table.add_row(name, f"{summary['plays']:,}", f"{about['scored']:,}", *numbers)
    for cause, n in summary["unscored"].items():
        table.add_row(f"  unscored: {cause}", f"{n:,}")
    return table
