"""The figures of the page of a credit measurement: the map of budgets, the curves, the table of failures."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from html import escape
from statistics import fmean, median
from typing import Any

from guerdon.report.svg import BOTTOM, HEIGHT, LEFT, RIGHT, TOP, WIDTH, Axes, short

REFERENCE, EXACT = "grpo", "exact"
LOUD = 8.0  # the ratio at which a cell of the map has its full colour
Row = Mapping[str, Any]


def identity(row: Row) -> str:
    """What tells one line from another.

    Example:
        >>> identity({"recipe": "gigpo", "view": "observed key"})
        'gigpo, observed key'
    """
    return f"{row['recipe']}, {row['view']}" if row["view"] else row["recipe"]


def times(x: float) -> str:
    """A ratio with two digits.

    Example:
        >>> times(11.84), times(0.317), times(2.0)
        ('12', '0.32', '2.0')
    """
    return f"{x:.0f}" if x >= 9.95 else f"{x:.1f}" if x >= 0.995 else f"{x:.2f}"


def plain(world: str) -> str:
    """A world's name without the file that it is from."""
    return world.rpartition(":")[2]


def key() -> str:
    """What the colours and the slanted numbers of the map mean."""
    up, down = (f'<i class="{c}" style="background:var(--{n})"></i>' for c, n in (("up", "pos"), ("down", "neg")))
    return (
        f'<ul class="key"><li>{up}fewer steps than {REFERENCE}</li><li>{down}more steps</li>'
        "<li><b>2.4</b>&nbsp; times fewer steps; below it the steps</li>"
        "<li><i></i><em>slanted: 0.9 not reached by one of the two; below it this rule's best cosine</em></li></ul>"
    )


def budgets(results: Mapping[str, Any], ranked: Sequence[Row], coloured: Mapping[str, str]) -> str:
    """The map: a row a recipe, a cell a world and stage, with the ratio to the reference and the steps."""
    places = [(w, s) for w, about in results["measured"].items() for s in about["stages"]]
    at = {(identity(r), r["world"], r["stage"]): r for r in results["rows"]}
    heads = "".join(
        f'<th class="first" colspan="{len(about["stages"])}" scope="colgroup">{escape(plain(w))}</th>'
        for w, about in results["measured"].items()
    )
    names = "".join(f'<th{_first(results, w, s)} scope="col">{escape(s)}</th>' for w, s in places)
    body = []
    for s in ranked:
        own = identity(s)
        colour = coloured.get(own)
        fixed = f' data-color="{colour}"' if colour else ""
        view = f" <small>{escape(s['view'])}</small>" if s["view"] else ""
        cells = "".join(_cell(at.get((own, w, stage)), _first(results, w, stage, "cell3")) for w, stage in places)
        mean = "–" if s["ratio"] is None else times(s["ratio"])
        span = "" if s["ratio"] is None else f"<small>{times(s['low'])} to {times(s['high'])}</small>"
        body.append(
            f'<tr{" class=reference" if s["recipe"] == REFERENCE else ""}><th scope="row"><label>'
            f'<input type="checkbox" value="{escape(own)}" data-name="{escape(own)}"{fixed}'
            f"{' checked' if colour is not None else ''}><span><b>{escape(s['recipe'])}</b>{view}<br>"
            f"<small>told {escape(results['rules'][s['recipe']]['told'])}</small></span></label></th>"
            f'<td class="mean"><b>{mean}</b>{span}</td><td>{s["reached"]}/{s["pairs"]}</td>{cells}</tr>'
        )
    return (
        '<div class="wrap" tabindex="0" role="region" aria-label="budgets by recipe and world">'
        '<table class="map"><thead>'
        f'<tr><th rowspan="2" scope="col">recipe</th><th rowspan="2" scope="col">mean</th>'
        f'<th rowspan="2" scope="col">reach</th>{heads}</tr><tr>{names}</tr></thead><tbody>{"".join(body)}</tbody>'
        "</table></div>"
    )


def _first(results: Mapping[str, Any], world: str, stage: str, also: str = "") -> str:
    first = next(iter(results["measured"][world]["stages"])) == stage
    names = " ".join(n for n in (also, "first" if first else "") if n)
    return f' class="{names}"' if names else ""


def _cell(row: Row | None, kind: str) -> str:
    if row is None:
        return f'<td{kind} title="not measured here">·</td>'
    ratio, steps, best = row["ratio"], row["budget"]["steps"], row["best"]
    low = f"cos {best['cosine']:.2f}".replace("0.", ".") if steps is None else short(float(round(steps)))
    said = f"{identity(row)} in {plain(row['world'])}, {row['stage']}: {row['left']}; best cosine {best['cosine']:.3f}"
    if ratio is None or not ratio["value"]:
        return f'<td{kind} title="{escape(said)}">–<small>{low}</small></td>'
    value = ratio["value"]
    strength = min(abs(math.log(value)) / math.log(LOUD), 1.0)
    side = "up" if value > 1.005 else "down" if value < 0.995 else ""
    also = f"{side} no" if ratio["at"] < 0.9 or steps is None else side
    kind = kind.replace('class="', f'class="{also} ') if also else kind
    bound = {"at least": "≥", "at most": "≤"}.get(ratio["bound"], "")
    said += f"; {value:.2f} times fewer [{ratio['low']:.2f} to {ratio['high']:.2f}] at cosine {ratio['at']:.2f}"
    shown = f"<b>{bound}{times(value)}</b><small>{low}</small>"
    return f'<td{kind} style="--a:{strength:.2f}" title="{escape(said)}">{shown}</td>'


def curves(results: Mapping[str, Any], coloured: Mapping[str, str]) -> str:
    """A picture of cosine against steps for each world and stage."""
    out = []
    for world, about in results["measured"].items():
        figures = []
        for stage, told in about["stages"].items():
            rows = [r for r in results["rows"] if r["world"] == world and r["stage"] == stage]
            caption = f"{stage}: return {told['return']:.3g}, {told['steps_per_play']:.3g} steps a play"
            figures.append(f"<figure><figcaption>{escape(caption)}</figcaption>{chart(rows, coloured)}</figure>")
        size = f"{about['states']} states, {about['keys']} keys, {about['actions']} actions, horizon {about['horizon']}"
        out.append(
            f'<div class="world"><h3>{escape(plain(world))}</h3><p>{escape(about["about"])} {size}.</p>'
            f'<div class="grid small">{"".join(figures)}</div></div>'
        )
    return "".join(out)


def chart(rows: Sequence[Row], coloured: Mapping[str, str]) -> str:
    """Cosine against the logarithm of the steps: a thin grey line a rule, and colours for some."""
    least = min((s for r in rows for s in r["curve"]["steps"]), default=1.0)
    most = max((s for r in rows for s in r["curve"]["steps"]), default=2.0)
    cosines = [c for r in rows for c in r["curve"]["cosine"]]
    axes = Axes(math.log10(least), max(math.log10(most), math.log10(least) + 0.3), min(0.0, *cosines, 0.0), 1.0)
    own = sorted(rows, key=lambda r: identity(r) in coloured)
    lines, data, hue = [], [], 0
    for row in own:
        name, curve = identity(row), row["curve"]
        on = name in coloured
        colour = coloured.get(name) or f"var(--s{hue % 8})"
        hue += on and not coloured[name]
        xs = [axes.px(math.log10(s)) for s in curve["steps"]]
        path = _path(xs, [axes.py(c) for c in curve["cosine"]])
        band = _path(xs + xs[::-1], [axes.py(v) for v in curve["cosine_high"] + curve["cosine_low"][::-1]]) + "Z"
        dot = f'<circle cx="{xs[0]:.1f}" cy="{axes.py(curve["cosine"][0]):.1f}" r="3"/>' if len(xs) == 1 else ""
        lines.append(
            f'<g class="curve{" on" if on else ""}" data-id="{escape(name)}" style="--c:{colour}">'
            f'<path class="spread" d="{band}"/><path d="{path}"/>{dot}</g>'
        )
        points = [
            [round(x, 1), round(axes.py(c), 1), round(s), c]
            for x, s, c in zip(xs, curve["steps"], curve["cosine"], strict=True)
        ]
        data.append({"id": name, "name": name, "points": points})
    goal = axes.py(0.9)
    return (
        f'<svg class="chart" viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{escape(_said(own, coloured))}" '
        f'data-chart="{escape(json.dumps(data, separators=(",", ":")))}">{_frame(axes)}{"".join(lines)}'
        f'<line class="goal" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{goal:.1f}" y2="{goal:.1f}"/></svg>'
    )


def _path(xs: Sequence[float], ys: Sequence[float]) -> str:
    return "M" + "L".join(f"{x:.1f} {y:.1f}" for x, y in zip(xs, ys, strict=True))


def _said(rows: Sequence[Row], coloured: Mapping[str, str]) -> str:
    ends = (f"{identity(r)} ends at {r['curve']['cosine'][-1]:.2f}" for r in rows if identity(r) in coloured)
    return f"Cosine against environment steps. {'; '.join(ends)}."


def _frame(axes: Axes) -> str:
    out = []
    for y in (-0.5, 0.0, 0.25, 0.5, 0.75, 1.0):
        if axes.y0 <= y:
            zero = ' class="zero"' if y == 0 else ""
            out.append(f'<line{zero} x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{axes.py(y):.1f}" y2="{axes.py(y):.1f}"/>')
            out.append(f'<text x="{LEFT - 6}" y="{axes.py(y) + 4:.1f}" text-anchor="end">{y:g}</text>')
    for power in range(math.ceil(axes.x0), math.floor(axes.x1) + 1):
        place = axes.px(float(power))
        out.append(f'<line x1="{place:.1f}" x2="{place:.1f}" y1="{TOP}" y2="{HEIGHT - BOTTOM}"/>')
        out.append(f'<text x="{place:.1f}" y="{HEIGHT - BOTTOM + 16}" text-anchor="middle">{short(10.0**power)}</text>')
    middle = (LEFT + WIDTH - RIGHT) / 2
    out.append(f'<text class="label" x="{middle}" y="{HEIGHT - 5}" text-anchor="middle">environment steps</text>')
    return f'<g class="frame" aria-hidden="true">{"".join(out)}</g>'


def failures(results: Mapping[str, Any], ranked: Sequence[Row]) -> str:
    """A row a recipe: its lowest cosine, bias, accuracy and signal, and where that was."""
    by_rule: dict[str, list[Row]] = {}
    for row in results["rows"]:
        by_rule.setdefault(identity(row), []).append(row)
    heads = ("recipe", "lowest best cosine", "bias: median, largest", "sign accuracy: mean, lowest",
             "rank correlation: mean, lowest", "groups with signal: mean, lowest", "stalled in")  # fmt: skip
    body = []
    for s in ranked:
        own = by_rule[identity(s)]
        low = min(own, key=lambda r: r["best"]["cosine"])
        stalled = [f"{plain(r['world'])} {r['stage']}" for r in own if r["left"] != "reached"]
        bad = ' class="bad"' if low["best"]["cosine"] < 0.8 else ""
        body.append(
            f'<tr><th scope="row"><b>{escape(s["recipe"])}</b> <small>{escape(s["view"])}</small></th>'
            f"<td{bad}>{low['best']['cosine']:.2f}<small>{escape(_place(low))}</small></td>"
            + _worst(own, "bias", median, max) + _worst(own, "sign", fmean, min) + _worst(own, "rank", fmean, min)
            + _worst(own, "signal", fmean, min) + f"<td>{_listed(stalled)}</td></tr>"
        )  # fmt: skip
    head = "".join(f'<th scope="col">{escape(h)}</th>' for h in heads)
    table = f'<table class="plain"><thead><tr>{head}</tr></thead><tbody>{"".join(body)}</tbody></table>'
    return f'<div class="scroll">{table}</div>'


def _worst(rows: Sequence[Row], name: str, middle: Callable, worst: Callable) -> str:
    known = [r for r in rows if r["last"].get(name) is not None]
    if not known:
        return '<td><span class="dim">not known</span></td>'
    row = worst(known, key=lambda r: r["last"][name])
    value = row["last"][name]
    span = f"[{row['last'][f'{name}_low']:.2f} to {row['last'][f'{name}_high']:.2f}]"
    usual = middle([r["last"][name] for r in known])
    return f"<td>{usual:.2f}, {value:.2f}<small>{escape(_place(row))} {span}</small></td>"


def _listed(names: Sequence[str]) -> str:
    if not names:
        return '<span class="dim">nowhere</span>'
    more = f" and {len(names) - 3} more" if len(names) > 3 else ""
    return escape(", ".join(names[:3]) + more)


def _place(row: Row) -> str:
    return f"{plain(row['world'])}, {row['stage']}"
