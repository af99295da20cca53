"""`guerdon bench`: how good, and how fast, credit is; a command a module."""

from __future__ import annotations

import typer

from guerdon.cli.claims import claim
from guerdon.cli.credit import credit
from guerdon.cli.speed import speed

bench_app = typer.Typer(no_args_is_help=True, help="Measure credit rules: how well they point, and how fast they are.")
bench_app.command()(credit)
bench_app.command()(claim)
bench_app.command()(speed)
