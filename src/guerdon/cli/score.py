"""`guerdon score TRAJECTORIES.jsonl --reward FILE.py:NAME --out DIR`: what a server would answer, offline."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.markup import escape

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
    if as_json:
        print(json.dumps(summary, indent=2))
    else:
        _show(summary, f"{out_}/scores.jsonl")
    if summary["plays"] and not summary["score"]["scored"]:
        cause, n = next(iter(summary["unscored"].items()))
        console(stderr=True).print(
            f"guerdon: score: 0 of {summary['plays']:,} plays are scored; the most frequent cause ({n:,}) is: {cause}; "
            "mend the reward or the plays, and name another --out",
            markup=False, highlight=False, soft_wrap=True,
        )  # fmt: skip
        raise typer.Exit(1)


def _show(summary: dict[str, Any], file: str) -> None:
    """The table of the reward and its parts, what was unscored and why, and where the scores are."""
    from rich.table import Table

    from guerdon.cli.progress import console

    table = Table(box=None, header_style="bold", pad_edge=False)
    for head in ("reward", "plays", "scored", "mean", "spread", "least", "most"):
        table.add_column(head, overflow="fold")
    for name, about in ((summary["reward"], summary["score"]), *summary["parts"].items()):
        numbers = ["-" if about[key] is None else f"{about[key]:.4g}" for key in ("mean", "std", "min", "max")]
        table.add_row(escape(str(name)), f"{summary['plays']:,}", f"{about['scored']:,}", *numbers)
    out = console()
    out.print(table)
    for cause, n in summary["unscored"].items():
        out.print(f"  {n:,} unscored: {cause}", markup=False, highlight=False)
    out.print(file, markup=False, highlight=False, soft_wrap=True)
