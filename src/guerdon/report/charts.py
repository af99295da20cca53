"""The figures of the page: a chart, its legend, and its numbers as a table for those who want to read them."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from guerdon.report import curves, svg
from guerdon.report.data import Folder, Method, number
from guerdon.report.summary import unscored
from guerdon.report.svg import Series

X = "environment steps"
SMALL = (
    ("entropy", "Entropy of the policy", False),
    ("kl_old", "KL to the policy that sampled", False),
    ("grad_norm", "Gradient norm", False),
    ("ratio_clipped", "Share of clipped ratios", True),
    ("length", "Steps per trajectory", False),
    ("invalid", "Share of invalid actions", True),
    ("milestones", "Milestones reached", False),
)


def learning(folder: Folder) -> str:
    """Held-out and training success against environment steps."""
    methods = folder.methods
    held, trained = curves.held_out(methods), curves.series(methods, lambda line: number(line, "success"), bounded=True)
    return _grid(
        _lines(
            held,
            "Success on held-out tasks",
            percent=True,
            marks=True,
            none="No evaluation on held-out tasks is recorded yet.",
        ),
        _lines(trained, "Success in training", percent=True, none="No training success is recorded yet."),
    )


def bands(folder: Folder) -> str:
    """What the bands around the lines are, and whether points were averaged, in one sentence or two."""
    longest = max((len(r.lines) for r in folder.runs), default=0)
    return _band(folder) + (
        f" Neighbours are averaged where a run has more than {curves.MOST} points." if longest > curves.MOST else ""
    )


def _band(folder: Folder) -> str:
    most = folder.seeds
    if most <= 1:
        return (
            "One seed: the band around held-out success is the 95 % Wilson interval of its evaluation; "
            "the other curves have none."
        )
    if most < 4:
        return f"A line is the mean over {most} seeds, its band goes from the lowest to the highest seed."
    few = min(len(m.runs) for m in folder.methods)
    less = " (lowest to highest seed where there are fewer than four)" if few < 4 else ""
    return f"A line is the mean over {most} seeds, its band the 95 % t interval{less}."


def parts(folder: Folder) -> str:
    """What the reward was made of over time, a stack per method."""
    figures = _stacks(folder.methods, "parts", "worth per trajectory")
    return _grid(*figures, small=len(figures) > 2) if figures else _none("No reward parts are recorded yet.")


def dead(folder: Folder) -> str:
    """The share of groups whose members all got the same, so that they taught nothing."""
    found = curves.series(folder.methods, lambda line: number(line, "dead_groups"), bounded=True)
    return _grid(_lines(found, "Dead groups", percent=True, none="No share of dead groups is recorded yet."))


def missing(folder: Folder) -> str:
    """The share that could not be scored, by cause."""
    recorded = [m for m in folder.methods if any(unscored(line) is not None for r in m.runs for line in r.lines)]
    if not recorded:
        return _none("Whether anything was left unscored is not recorded.")
    figures = _stacks(recorded, "unscored", "share unscored", percent=True)
    clean = [m.name for m in recorded if not any(unscored(line) for r in m.runs for line in r.lines)]
    said = ""
    if clean and not figures:
        said = _none("Everything was scored: no method has an unscored share.")
    elif clean:
        said = _none(f"Everything was scored for {', '.join(clean)}.")
    return said + (_grid(*figures, small=len(figures) > 2) if figures else "")


def optimisation(folder: Folder) -> str:
    """Small multiples: entropy, KL, gradient norm and their like."""
    figures = []
    for key, name, percent in SMALL:
        found = curves.series(folder.methods, lambda line, key=key: number(line, key))
        if found or key in ("entropy", "kl_old", "grad_norm"):
            figures.append(_lines(found, name, percent=percent, none=f"{name}: not recorded yet."))
    return _grid(*figures, small=True)


def _lines(series: Sequence[Series], title: str, *, none: str, percent: bool = False, marks: bool = False) -> str:
    if not series:
        return _none(none)
    series = sorted(series, key=lambda s: -s.points[-1][1])  # the legend stands in the order of the lines' ends
    chart = svg.lines(
        series, title=title, x_label=X, percent=percent, marks=marks and max(len(s.points) for s in series) <= 40
    )
    return _figure(title, chart, series, percent)


def _stacks(methods: Sequence[Method], key: str, unit: str, *, percent: bool = False) -> list[str]:
    names = curves.names_under(methods, key)
    colors = {name: f"var(--p{i % 9})" for i, name in enumerate(names)}
    out = []
    for method in methods:
        layers = curves.layers(method, key, names, colors)
        if layers:
            chart = svg.stacked(layers, title=f"{method.name}, {unit}", x_label=X, percent=percent)
            out.append(_figure(f"{method.name}: {unit}", chart, layers, percent, area=True))
        elif key == "parts" and any(line.get(key) for r in method.runs for line in r.lines):
            out.append(_none(f"{method.name}: every part of the reward is zero so far."))
    return out


def _figure(title: str, chart: str, series: Sequence[Series], percent: bool, *, area: bool = False) -> str:
    write = (lambda y: f"{100 * y:.3g}%") if percent else svg.short
    keys = "".join(
        f'<li data-name="{escape(s.name)}">{svg.swatch(s.style, area)}{escape(s.name)} '
        f"<b>{write(s.points[-1][1])}</b></li>"
        for s in series
    )
    return (
        f"<figure><figcaption>{escape(title)}</figcaption>{chart}"
        f'<ul class="legend" aria-label="legend, with the last value">{keys}</ul>'
        f"{_numbers(series, write)}</figure>"
    )


def _numbers(series: Sequence[Series], write) -> str:
    """First, quarters and last point of each series as a small table."""
    rows = []
    for one in series:
        n = len(one.points)
        at = sorted({0, n // 4, n // 2, 3 * n // 4, n - 1})
        cells = "".join(
            f"<td>{write(one.points[i][1])} <small>at {svg.short(one.points[i][0])}</small></td>" for i in at
        )
        rows.append(f'<tr><th scope="row">{escape(one.name)}</th>{cells}</tr>')
    inside = "".join(rows)
    return (
        f'<details class="numbers"><summary>Numbers</summary><div class="scroll">'
        f"<table>{inside}</table></div></details>"
    )


def _grid(*figures: str, small: bool = False) -> str:
    return f'<div class="grid{" small" if small else ""}">{"".join(figures)}</div>'


def _none(sentence: str) -> str:
    return f'<p class="none">{escape(sentence)}</p>'
