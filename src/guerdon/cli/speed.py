"""`guerdon bench speed`: the figures, as a table or as JSON."""

from __future__ import annotations

import json
from typing import Annotated

import typer
from rich.table import Table

from guerdon.bench import losses as loss_bench
from guerdon.bench import speed as bench
from guerdon.cli.progress import Bars, console


def speed(
    small: Annotated[bool, typer.Option("--small", help="A hundredth of the work; to see that it runs.")] = False,
    losses: Annotated[bool, typer.Option("--losses", help="Losses beside verl's and TRL's, instead.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON, for programs.")] = False,
) -> None:
    """Time our credit beside verl's, beside np.unique and beside a plain copy; or our losses (a minute or two)."""
    which = loss_bench if losses else bench
    with Bars() as bars:
        rows = which.measure(which.SMALL if small else which.FULL, lambda what: bars.show("speed", what))
    if as_json:
        print(json.dumps([row.as_dict() for row in rows], indent=2))
        return
    table = Table(box=None, header_style="bold", pad_edge=False)
    for head in bench.HEADS:
        table.add_column(head, overflow="fold")
    for cells in bench.table(rows):
        table.add_row(*cells)
    out = console()
    out.print(table)
    asked = [row for row in rows if row.asked is not None]
    if asked:
        out.print(f"{sum(bool(row.holds) for row in asked)} of {len(asked)} figures hold", highlight=False)
