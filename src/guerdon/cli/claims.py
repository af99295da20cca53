"""`guerdon bench claim`: one claim, all of them, or a list of what there is."""

from __future__ import annotations

import json
from typing import Annotated

import typer
from rich.table import Table

from guerdon.bench import claimed, claims
from guerdon.cli.progress import Bars, console


def claim(
    slug: Annotated[str | None, typer.Argument(help="A claim's name; without one, they are listed.")] = None,
    every: Annotated[bool, typer.Option("--all", help="Run all claims.")] = False,
    seed: Annotated[int, typer.Option(min=0, help="Of everything random.")] = 0,
    seeds: Annotated[int, typer.Option(min=2, help="Repetitions of each experiment.")] = claims.FULL.seeds,
    fast: Annotated[bool, typer.Option("--fast", help="A twentieth of the work; to see that it runs.")] = False,
    at_once: Annotated[
        int | None, typer.Option("--at-once", min=1, help="Processes, of one thread each; default one a core.")
    ] = None,
    markdown: Annotated[bool, typer.Option("--markdown", help="Print the page of docs/claims.md.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON, for programs.")] = False,
) -> None:
    """Check what a paper says of a credit rule, in a world small enough to know the truth."""
    if slug is None and not every:
        _list(as_json)
        return
    if slug is not None and every:
        raise typer.BadParameter(f"claim {slug!r} and --all; one of the two is needed")
    effort = claims.Effort(seeds, claims.FAST.share if fast else claims.FULL.share)
    wanted = claims.names() if every else (slug,)
    found = _run(wanted, seed, effort, at_once)
    if as_json:
        rows = [claimed.as_json(done) for done in found]
        print(json.dumps(rows if every else rows[0], indent=2))
    elif markdown:
        print(claimed.markdown(found, seed, effort), end="")
    elif every:
        console().print(_table(found))
    else:
        _show(found[0])


def _run(wanted: tuple[str, ...], seed: int, effort: claims.Effort, at_once: int | None) -> list[claimed.Done]:
    with Bars() as bars:
        if len(wanted) == 1:
            bars.show(wanted[0], doing=f"{effort.seeds} seeds")
            return [claimed.check(wanted[0], seed, effort)]
        bars.show("claims", done=0, total=len(wanted))

        def tell(done: claimed.Done, left: int) -> None:
            said = f"{done.slug} {'holds' if done.result.holds else 'does not hold'}, {done.seconds:.0f} s"
            bars.show("claims", done=len(wanted) - left, total=len(wanted), now=said)

        return claimed.check_all(wanted, seed, effort, at_once, tell)


def _list(as_json: bool) -> None:
    every = [claims.get(name) for name in claims.names()]
    if as_json:
        print(
            json.dumps([{"slug": c.slug, "title": c.title, "paper": c.paper, "says": c.says} for c in every], indent=2)
        )
        return
    table = Table(box=None, header_style="bold", pad_edge=False)
    for head in ("claim", "about", "what is said"):
        table.add_column(head, overflow="fold", no_wrap=head == "claim")
    for c in every:
        table.add_row(c.slug, c.title, c.says)
    console().print(table)


def _show(done: claimed.Done) -> None:
    out, result = console(), done.result
    words = {
        "claim": done.claim.title, "paper": done.claim.paper, "says": done.claim.says, "figure": str(result.figure),
        "control": str(result.control), "holds": "yes" if result.holds else "no", "note": result.note,
    }  # fmt: skip
    for key, value in words.items():
        out.print(f"[bold]{key:8s}[/bold]", end="")
        out.print(value, markup=False, highlight=False, soft_wrap=True)
    table = Table(box=None, header_style="bold", pad_edge=False)
    table.add_column("further figures", overflow="fold")
    table.add_column("mean and 95 % interval over seeds", overflow="fold")
    for measured in result.rows:
        table.add_row(measured.name, measured.number())
    out.print(table)


def _table(found: list[claimed.Done]) -> Table:
    table = Table(box=None, header_style="bold", pad_edge=False)
    for head in ("claim", "figure", "control", "holds", "seconds"):
        table.add_column(head, overflow="fold")
    for done in found:
        r = done.result
        table.add_row(done.slug, str(r.figure), str(r.control), "yes" if r.holds else "no", f"{done.seconds:.0f}")
    return table
