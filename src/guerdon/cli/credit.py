"""`guerdon bench credit`: how well credit rules point along the true gradient."""

from __future__ import annotations

import json
import math
import shlex
import sys
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.table import Table

from guerdon.cli.progress import Bars, console


def credit(
    out_: Annotated[Path, typer.Option("--out", help="A folder of its own for the results and the page.")],
    recipes: Annotated[
        str, typer.Option("--recipes", help="Names with commas between them, also NAME-control; default all.")
    ] = "",
    worlds: Annotated[
        str, typer.Option("--worlds", help="Names, or FILE.py:WORLD, with commas between them; default all.")
    ] = "",
    most: Annotated[
        str, typer.Option("--most", help="The largest budget, in environment steps: 2^K or a number.")
    ] = "2^20",
    batches: Annotated[int, typer.Option(min=64, help="Independent batches at each budget.")] = 64,
    seed: Annotated[int, typer.Option(min=0, help="Of everything random.")] = 0,
    at_once: Annotated[
        int | None, typer.Option("--at-once", min=1, help="Processes, of one thread each; default one a core.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON, for programs.")] = False,
) -> None:
    """Measure how well credit rules point along the true gradient, at equal environment steps.

    Stopped and repeated, the same command does what is left.
    """
    from guerdon.bench.measure import Options
    from guerdon.bench.study import RESULTS, study
    from guerdon.report.credit import write

    options = Options(batches, budget_of(most), seed)
    done: list[str] = []
    with Bars() as bars:

        def tell(name: str, budget: float, left: int) -> None:
            if left:
                bars.show(name, done=budget, total=options.most, now=f"{left} rules")
                return
            done.append(name)
            bars.end(name, f"measured, {len(done)} so far")

        bars.show("policies", "following the exact gradient")
        command = shlex.join(["guerdon", *sys.argv[1:]])
        results = study(out_, listed(recipes), listed(worlds), options, command, tell, at_once)
    page = write(out_)
    if as_json:
        print(json.dumps(results))
        return
    out = console()
    out.print(_table(results))
    out.print(f"results {out_ / RESULTS}\nreport  {page}", highlight=False, soft_wrap=True)


def _table(results: dict[str, Any]) -> Table:
    table = Table(box=None, header_style="bold", pad_edge=False)
    for head in ("recipe", "state seen", "told", "fewer steps than grpo", "worst", "reaches 0.9"):
        table.add_column(head, overflow="fold")
    for row in sorted(results["summary"], key=lambda r: -(r["ratio"] or 0.0)):
        ratio, worst = row["ratio"], row["worst"]
        mean = "-" if ratio is None else f"{ratio:.2f} x  {row['low']:.2f} to {row['high']:.2f}"
        low = "-" if worst is None else f"{worst['value']:.2f} x  {worst['world'].rpartition(':')[2]}, {worst['stage']}"
        told = results["rules"][row["recipe"]]["told"]
        table.add_row(row["recipe"], row["view"] or "-", told, mean, low, f"{row['reached']} of {row['pairs']}")
    return table


def listed(text: str) -> list[str] | None:
    """Names from a text with commas between them; None for no name.

    Example:
        >>> listed("grpo, gigpo"), listed("")
        (['grpo', 'gigpo'], None)
    """
    return [name.strip() for name in text.split(",") if name.strip()] or None


def budget_of(text: str) -> float:
    """A number of steps from a text such as "2^16".

    Raises:
        BadParameter: it is no number from 1 to 2^20.

    Example:
        >>> budget_of("2^10"), budget_of("5000")
        (1024.0, 5000.0)
    """
    base, _, power = text.partition("^")
    try:
        value = float(base) ** float(power) if power else float(base)
    except (ValueError, OverflowError):
        value = math.nan
    if not 1 <= value <= 2.0**20:
        raise typer.BadParameter(f"--most is {text!r}; a number from 1 to 2^20 is needed, such as 2^16")
    return value
