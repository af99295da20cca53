"""`guerdon recipes`: the methods in a table, or one of them on a page of its own."""

from __future__ import annotations

import importlib
import inspect
import json
from typing import Annotated, Any

import typer
from rich.table import Table
from typer.core import TyperGroup

from guerdon.cli.progress import console

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON, for programs.")]
HEADS = ("recipe", "told", "needs", "compares", "baseline", "idea")


class _ByName(TyperGroup):
    """`recipes NAME` is short for `recipes show NAME`."""

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """Puts `show` before what is no command."""
        return super().resolve_command(ctx, args if not args or args[0] in self.commands else ["show", *args])


recipes_app = typer.Typer(
    cls=_ByName, invoke_without_command=True, subcommand_metavar="[NAME]", help="List recipes; with a NAME, show one."
)


@recipes_app.callback()
def recipes_list(
    context: typer.Context,
    told: Annotated[str | None, typer.Option("--told", help="Only recipes that are told this.")] = None,
    markdown: Annotated[bool, typer.Option("--markdown", help="Print the table of docs/recipes.md.")] = False,
    as_json: AsJson = False,
) -> None:
    """List every recipe: what it is told, and its idea; NAME shows the rest."""
    if context.invoked_subcommand:
        return
    from guerdon import recipes
    from guerdon.errors import UnknownNameError
    from guerdon.recipes.base import TOLD

    if told is not None and told not in TOLD:
        raise UnknownNameError(f"recipes: --told is {told!r}; one of {', '.join(TOLD)} is needed; leave it out for all")
    rows = [r for r in map(recipes.get, recipes.names()) if told in (None, r.told)]
    if as_json:
        print(json.dumps([_about(r) for r in rows], indent=2))
    elif markdown:
        print(as_markdown(rows))
    else:
        table = Table(box=None, header_style="bold", pad_edge=False)
        for head, least in (("recipe", None), ("told", None), ("idea", 34)):
            table.add_column(head, overflow="fold", min_width=least)
        for r in rows:
            table.add_row(r.name, r.told, r.idea)
        console().print(table)


@recipes_app.command("show")
def recipes_show(context: typer.Context, name: str, as_json: AsJson = False) -> None:
    """Show one recipe: what its file says, and every number with its source."""
    from guerdon import recipes

    recipe, out = recipes.get(name), console()
    about = _about(recipe)
    if as_json or context.parent.params["as_json"]:
        print(json.dumps(about, indent=2))
        return
    page = _page(name)
    if page:
        out.print(f"{page}\n", markup=False, highlight=False, soft_wrap=True)
    said_above = ("title", "paper", "idea") if page else ()
    for key in ("title", "paper", "idea", "told", "needs", "compares", "alone", "baseline", "control"):
        value = about[key]
        if key in said_above:
            continue
        said = ", ".join(value) if isinstance(value, list) else value or "-"
        out.print(f"[bold]{key:9s}[/bold] {said}", highlight=False, soft_wrap=True)
    table = Table(box=None, header_style="bold")
    for head in ("number", "value", "source", "where"):
        table.add_column(head, overflow="fold")
    for key, number in recipe.numbers.items():
        table.add_row(key, f"{number.value:g}", number.source, number.note)
    out.print(table)


def as_markdown(rows: list) -> str:
    """The table of recipes as docs/recipes.md has it."""
    lines = [f"| {' | '.join(HEADS)} |", "|---" * len(HEADS) + "|"]
    for r in rows:
        needs = " ".join(f"`{name}`" for name in (*r.needs, *(["a critic"] if r.critic else [])))
        against = ", ".join(sorted(r.credit.compares)) or "nothing"
        baseline = f"`{r.baseline.name}`" if r.baseline else "-"
        lines.append(
            f"| `{r.name}` | {r.told} | {needs.replace('`a critic`', 'a critic')} | {against} | {baseline} | {r.idea} |"
        )
    return "\n".join(lines)


def _page(name: str) -> str:
    """What the recipe's file says of it, without the example; nothing for a control or a baseline."""
    from guerdon import recipes

    if name not in recipes.names():
        return ""
    said = inspect.getdoc(importlib.import_module(f"guerdon.recipes.{name.replace('-', '_')}")) or ""
    return said.split("\nExample")[0].rstrip()


def _about(recipe: Any) -> dict[str, Any]:
    return {
        "name": recipe.name,
        "title": recipe.title,
        "paper": recipe.paper,
        "idea": recipe.idea,
        "told": recipe.told,
        "needs": list(recipe.needs),
        "compares": sorted(recipe.credit.compares),
        "alone": recipe.alone,
        "critic": recipe.critic is not None,
        "baseline": recipe.baseline.name if recipe.baseline else None,
        "control": recipe.control.name if recipe.control else None,
        "numbers": {k: {"value": n.value, "source": n.source, "note": n.note} for k, n in recipe.numbers.items()},
    }
