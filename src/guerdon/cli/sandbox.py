"""`guerdon sandbox doctor`: what is isolated on this machine, by trying it."""

from __future__ import annotations

import json
from typing import Annotated

import typer
from rich.table import Table

from guerdon.cli.progress import console

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON, for programs.")]
MARKS = {True: "held", False: "[bold red]NOT HELD[/bold red]", None: "[yellow]unknown[/yellow]"}

sandbox_app = typer.Typer(no_args_is_help=True, help="The sandbox of model-written code.")


@sandbox_app.callback()
def sandbox_root() -> None:
    """The sandbox of model-written code."""


@sandbox_app.command()
def doctor(as_json: AsJson = False) -> None:
    """Attack every sandbox that works here and say what was held; exit 0 if one of them holds everything."""
    from guerdon.evidence import sandbox as box
    from guerdon.evidence.sandbox.doctor import examine, languages, machine

    found, missing = {}, {}
    spoken: dict[str, str | None] = {}
    for name in box.MODES:
        try:
            mode = box.find(name)
        except box.SandboxFault as fault:
            missing[name] = str(fault.__cause__ or fault).removeprefix("find: ")
            continue
        found[name] = examine(mode)
        spoken = spoken or languages(mode)
    held = [name for name, findings in found.items() if all(finding.held for finding in findings)]
    if as_json:
        about = {
            "machine": machine(),
            "held": held,
            "modes": {
                name: {one.name: {"held": one.held, "said": one.said} for one in findings}
                for name, findings in found.items()
            },
            "missing": missing,
            "languages": spoken,
        }
        print(json.dumps(about, indent=2))
    else:
        _show(machine(), found, missing, spoken, held)
    raise typer.Exit(0 if held else 1)


def _show(about: dict, found: dict, missing: dict, spoken: dict, held: list[str]) -> None:
    out = console()
    out.print(f"kernel {about['kernel']}, {about['machine']}, {about['user']}", highlight=False, soft_wrap=True)
    if found:
        table = Table(box=None, header_style="bold", pad_edge=False)
        table.add_column("tried")
        for name in found:
            table.add_column(name)
        for row in zip(*found.values(), strict=True):
            table.add_row(row[0].name, *(MARKS[one.held] for one in row))
        out.print(table)
    for name, findings in found.items():
        for one in findings:
            if not one.held:
                out.print(f"{name}, {one.name}: {one.said}", markup=False, highlight=False, soft_wrap=True)
    for name, why in spoken.items():
        out.print(f"{name:11s} {why or 'is not installed'}", markup=False, highlight=False, soft_wrap=True)
    for name, why in missing.items():
        out.print(f"not here: {name}: {why}", markup=False, highlight=False, soft_wrap=True)
    if held:
        out.print(f"Held: {', '.join(held)}.", highlight=False)
        if held == ["wasm"]:
            out.print(
                "It runs Python alone, and is taken only where it is asked for: sandbox='wasm'.",
                highlight=False,
                soft_wrap=True,
            )
    else:
        out.print(
            "No sandbox here holds everything, so programs are not graded: apt-get install bubblewrap, and allow user "
            "namespaces.",
            highlight=False,
            soft_wrap=True,
        )
