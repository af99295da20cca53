"""Puts the page together: one HTML file that needs nothing else."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Sequence
from html import escape
from importlib.resources import files
from pathlib import Path

from guerdon.report import charts, curves, svg, words
from guerdon.report.data import Folder, read
from guerdon.report.summary import Row, table
from guerdon.report.trajectories import Limits, article, largest, plays
from guerdon.store import atomic

BUDGET = 2_800_000  # bytes; a page that is mailed or opened on a phone should stay under 3 MB
LADDER = (
    Limits(),
    Limits(6, 40, 400),
    Limits(6, 30, 200),
    Limits(4, 24, 120),
    Limits(2, 20, 80),
    Limits(1, 10, 60),
    Limits(0),
)
SECTIONS = (
    ("methods", "Methods"), ("curves", "Learning curves"), ("parts", "Reward parts"), ("dead", "Dead groups"),
    ("unscored", "Unscored"), ("optimisation", "Optimisation"), ("trajectories", "Trajectories"),
    ("how", "How it was run"),
)  # fmt: skip
NBSP = "\N{NO-BREAK SPACE}"
COLUMNS = ("method", "is told", "baseline", "control", "success", "env steps", "time", "dead groups", "unscored")


def write(folder: str | Path) -> Path:
    """Writes `report.html` into a run folder or a compare folder, whole or not at all.

    Args:
        folder: a run folder, or a compare folder of run folders.

    Returns:
        The path of the page.

    Raises:
        RunFolderError: the folder holds no run, or the page cannot be written there.
    """
    folder = Path(folder)
    text = page(read(folder))
    with atomic(folder / "report.html") as part:
        part.write_text(text, encoding="utf-8")
    return folder / "report.html"


def page(folder: Folder) -> str:
    """The whole page as text, with as much of the trajectories as fits the budget."""
    rows = table(folder)
    before, after = _head(folder, rows), _how(folder)
    text = ""
    for limits in LADDER:
        text = before + _viewer(folder, limits) + after
        if len(text.encode()) <= BUDGET:
            break
    return text


def _head(folder: Folder, rows: Sequence[Row]) -> str:
    style, script = _asset("page.css"), _asset("page.js")
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    # Only our own script may run, so that a text that slips through the escaping still does nothing.
    policy = f"default-src 'none'; style-src 'unsafe-inline'; script-src 'sha256-{digest}'; img-src data:"
    title = words.title(folder)
    jump = "".join(f'<a href="#{identity}">{name}</a>' for identity, name in SECTIONS)
    missing = f"What is missing ({len(folder.notes)})"
    notes = "".join(f"<li>{escape(note)}</li>" for note in folder.notes)
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        f'<meta http-equiv="Content-Security-Policy" content="{policy}">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        '<meta name="color-scheme" content="light dark">'
        f'<link rel="icon" href="data:,"><title>{escape(title)}</title><style>{style}</style></head><body>'
        f'<header><p class="brand">Guerdon report <button id="theme" type="button" hidden>dark</button></p>'
        f'<h1>{escape(title)}</h1>'
        f'<p class="verdict">{escape(words.verdict(folder, rows).replace(" %", NBSP + "%"))}</p>'
        + (f'<details class="notes"><summary>{missing}</summary><ul>{notes}</ul></details>' if notes else "")
        + f'<nav class="jump" aria-label="sections">{jump}</nav></header><main>{_table(folder, rows)}'
        + _section("curves", "Learning curves", charts.bands(folder), charts.learning(folder))
        + _section(
            "parts", "What the reward was made of",
            "The mean per trajectory of each part of the recipe's reward; the thin line over them is their sum. "
            "What is below zero is a part that takes away.",
            charts.parts(folder),
        )
        + _section(
            "dead", "Dead groups",
            "A group is dead when all its advantages are zero: its plays cost environment steps and teach nothing.",
            charts.dead(folder),
        )
        + _section(
            "unscored", "Unscored, by cause",
            "What the grader could not score. It is not zero: it is left out of every baseline and gets no advantage.",
            charts.missing(folder),
        )
        + _section(
            "optimisation", "Optimisation", "One small chart per measure, all methods in each.",
            charts.optimisation(folder),
        )
    )  # fmt: skip


def _table(folder: Folder, rows: Sequence[Row]) -> str:
    if not rows:
        return _section("methods", "Methods", "", '<p class="none">No run has started yet.</p>')
    look = curves.styles(folder.methods)
    controlled = {r.control: r for r in rows if r.control}
    by_name = {r.method: r for r in rows}
    head = "".join(f'<th scope="col">{c}</th>' for c in COLUMNS)
    bodies = "".join(
        _row(r, by_name, controlled.get(r.method) if r.role == "control" else None, look[r.method]) for r in rows
    )
    intervals = "; ".join(dict.fromkeys(r.interval for r in rows if r.interval))
    told = f"Interval: {intervals}. " if intervals else ""
    lead = f"{told}Steps and time are means over seeds at the end; dead groups and unscored are means over the run."
    return _section(
        "methods", "Methods", lead, f'<table class="methods"><thead><tr>{head}</tr></thead>{bodies}</table>'
    )


def _row(row: Row, by_name: dict[str, Row], parent: Row | None, style: svg.Style) -> str:
    role = f"control of {parent.method}" if parent else row.role
    served = [r.method for r in by_name.values() if r.baseline == row.method and r.role != "control"]
    if not parent and served:
        role = f"baseline of {', '.join(served)}" if len(served) <= 3 else f"baseline of {len(served)}"
    if row.success is None:
        success = "not measured yet"
    else:
        span = "" if row.low is None else f" <small>{words.percent(row.low)} to {words.percent(row.high)}</small>"
        where = "" if row.source == "held-out" else " <small>in training</small>"
        if row.trained is not None and row.source == "held-out":
            where = f" <small>training tasks {words.percent(row.trained)}</small>"
        success = f"<b>{words.percent(row.success)}</b>{span}{where}{svg.whisker(row.success, row.low, row.high)}"
    seeds = f"{row.seeds} seed{'s' * (row.seeds != 1)}" + (
        "" if row.finished == row.seeds else f", {row.finished} finished"
    )
    cells = (
        escape(row.told or "not said"), _other(row.baseline, by_name, row), _other(row.control, by_name, row), success,
        words.count(row.env_steps), words.seconds(row.seconds), words.percent(row.dead_groups),
        words.percent(row.unscored),
    )  # fmt: skip
    inside = "".join(
        f'<td data-label="{label}"><div>{cell}</div></td>' for label, cell in zip(COLUMNS[1:], cells, strict=True)
    )
    related = " ".join(escape(n) for n in (row.method, row.baseline, row.control) if n)
    return (
        f'<tbody class="{"child" if parent else row.role}" id="m-{escape(row.method)}" '
        f'data-related="{related}" style="--c:{style.color}"><tr>'
        f'<th scope="row">{svg.swatch(style)}'
        f'<span class="name">{escape(row.method)}</span><small>{escape(role)}, {seeds}</small></th>'
        f"{inside}</tr></tbody>"
    )


def _other(name: str | None, by_name: dict[str, Row], row: Row) -> str:
    """A link to the row of a baseline or control, with how far it is from this row."""
    if not name:
        return '<span class="dim">none</span>'
    other = by_name.get(name)
    if other is None:
        return f'{escape(name)} <small class="dim">not run here</small>'
    gap = ""
    if row.success is not None and other.success is not None:
        points = 100 * (row.success - other.success)
        gap = f" <small>{points:+.0f} points</small>".replace("-", "\N{MINUS SIGN}")
    return f'<a href="#m-{escape(name)}">{escape(name)}</a>{gap}'


def _viewer(folder: Folder, limits: Limits) -> str:
    lead = (
        "The colour of a turn, and the number beside or below it, are its advantage: "
        "blue was made more likely, orange less. "
        "Colours are scaled to the largest advantage shown for the method, so they do not compare between methods. "
        "Facts and reward parts are what was seen after the action."
    )
    panels = []
    for at, method in enumerate(folder.methods):
        chosen, said = plays(method, limits)
        scale = largest(chosen)
        inside = "".join(article(play, scale, f"t{at}-{i}") for i, play in enumerate(chosen))
        panels.append(
            f'<section class="panel" data-method="{escape(method.name)}">'
            f'<h3>{escape(method.name)}</h3><p class="from">{escape(said)}</p>'
            f"{inside}</section>"
        )
    viewer = (
        f'<div id="viewer">{"".join(panels)}</div>'
        if panels
        else '<p class="none">There is no run yet, so no trajectory.</p>'
    )
    return _section("trajectories", "Trajectories, turn by turn", lead, viewer)


def _how(folder: Folder) -> str:
    blocks = []
    for method in folder.methods:
        pairs = "".join(f"<dt>{escape(k)}</dt><dd>{escape(v)}</dd>" for k, v in words.setup(method.runs[0]))
        inside = f"<dl>{pairs}</dl>" if pairs else "<p>Nothing is recorded.</p>"
        blocks.append(f"<details><summary>{escape(method.name)}</summary>{inside}</details>")
    how = _section("how", "How it was run", "The first seed of each method.", "".join(blocks))
    return f'{how}</main><div id="tip" role="status" hidden></div><script>{_asset("page.js")}</script></body></html>\n'


def _section(identity: str, name: str, lead: str, inside: str) -> str:
    said = f'<p class="lead">{escape(lead)}</p>' if lead else ""
    return f'<section id="{identity}"><h2>{escape(name)}</h2>{said}{inside}</section>'


def _asset(name: str) -> str:
    return files("guerdon.report").joinpath(name).read_text(encoding="utf-8")
