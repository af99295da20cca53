"""Charts as inline SVG text: lines with bands, stacked areas, and the whisker of a table cell.

Pure functions from numbers to text. Colours are CSS variables of the page, so that one chart serves
light and dark mode. Each chart carries its numbers in `data-chart` (for the pointer, and for tests)
and a title and a description for those who do not see it.
"""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

Point = tuple[float, float, float | None, float | None]  # x, y, low, high

WIDTH, HEIGHT = 440, 250
LEFT, RIGHT, TOP, BOTTOM = 54, 14, 12, 42


@dataclass(frozen=True, slots=True)
class Style:
    """How a line looks: a CSS colour, and dashes that tell it from others without colour."""

    color: str
    dash: str = ""


@dataclass(frozen=True, slots=True)
class Series:
    """One line, or one layer of a stack."""

    name: str
    points: tuple[Point, ...]
    style: Style


@dataclass(frozen=True, slots=True)
class Axes:
    """The window of a chart in data units, and how its numbers are written."""

    x0: float
    x1: float
    y0: float
    y1: float
    percent: bool = False

    def px(self, x: float) -> float:
        """The horizontal place of a value."""
        return LEFT + (x - self.x0) / (self.x1 - self.x0) * (WIDTH - LEFT - RIGHT)

    def py(self, y: float) -> float:
        """The vertical place of a value; SVG counts from the top."""
        return TOP + (self.y1 - y) / (self.y1 - self.y0) * (HEIGHT - TOP - BOTTOM)


def lines(series: Sequence[Series], *, title: str, x_label: str, percent: bool = False, marks: bool = False) -> str:
    """A line chart; each line with its band where its points have one.

    Args:
        percent: the values are shares; the axis then runs from 0 to 100 %, or to a round number above
            the largest value where all are small.
        marks: draw each point, for curves that were measured now and then.

    Example:
        >>> one = Series("a", ((0.0, 0.0, None, None), (1.0, 1.0, None, None)), Style("red"))
        >>> lines([one], title="t", x_label="x").startswith("<svg")
        True
    """
    values = [v for s in series for p in s.points for v in p[1:] if v is not None]
    axes = _axes([p[0] for s in series for p in s.points], values, percent)
    bands = "".join(_band(s, axes, 0.2 if len(series) <= 4 else 0.1) for s in series)
    strokes = "".join(_stroke(s, axes, marks or len(s.points) == 1) for s in series)
    said = "; ".join(
        f"{s.name} from {_words(s.points[0][1], percent)} to {_words(s.points[-1][1], percent)}" for s in series
    )
    return _svg(title, f"Line chart against {x_label}. {said}.", series, axes, x_label, bands + strokes)


def stacked(layers: Sequence[Series], *, title: str, x_label: str, percent: bool = False) -> str:
    """A stacked area chart: positive values pile up from zero, negative ones hang below it.

    The layers share their x values. A line on top shows their sum.
    """
    xs = [p[0] for p in layers[0].points]
    above, below = [0.0] * len(xs), [0.0] * len(xs)
    shapes, totals = [], [sum(layer.points[i][1] for layer in layers) for i in range(len(xs))]
    for layer in layers:
        bounds = []
        for i, point in enumerate(layer.points):
            pile = above if point[1] >= 0 else below
            bounds.append((pile[i], pile[i] + point[1]))
            pile[i] += point[1]
        shapes.append((layer, bounds))
    axes = _axes(xs, [*above, *below, 0.0], percent)
    areas = "".join(_area(layer, xs, bounds, axes) for layer, bounds in shapes)
    whole = Series("sum", tuple((x, y, None, None) for x, y in zip(xs, totals, strict=True)), Style("var(--ink)"))
    said = "; ".join(
        f"{s.name} from {_words(s.points[0][1], percent)} to {_words(s.points[-1][1], percent)}" for s in layers
    )
    drawn = areas + _stroke(whole, axes, False)
    return _svg(title, f"Stacked areas against {x_label}. {said}.", [*layers, whole], axes, x_label, drawn)


def whisker(value: float, low: float | None, high: float | None) -> str:
    """A dot with its interval on a line from 0 to 1, for a cell of the table."""

    def at(share: float) -> float:
        return round(3 + 94 * min(max(share, 0.0), 1.0), 1)

    bar = "" if low is None or high is None else f'<line x1="{at(low)}" x2="{at(high)}" y1="7" y2="7" class="reach"/>'
    return (
        '<svg class="whisker" viewBox="0 0 100 14" aria-hidden="true"><line x1="3" x2="97" y1="7" y2="7" class="rail"/>'
        f'{bar}<circle cx="{at(value)}" cy="7" r="4"/></svg>'
    )


def swatch(style: Style, area: bool = False) -> str:
    """A line, or an area, as it looks in the chart: for a legend or a row of the table."""
    dash = f' stroke-dasharray="{style.dash}"' if style.dash else ""
    line = f'<path d="M0 5H22" style="stroke:{style.color}"{dash}/>'
    block = f'<rect width="22" height="10" rx="2" style="fill:{style.color}"/>'
    return f'<svg class="swatch" viewBox="0 0 22 10" aria-hidden="true">{block if area else line}</svg>'


def ticks(low: float, high: float, about: int = 5) -> list[float]:
    """Round numbers from low to high, about so many.

    Example:
        >>> ticks(0, 1)
        [0.0, 0.2, 0.4, 0.6, 0.8, 1.0]
    """
    raw = (high - low) / about
    power = 10.0 ** math.floor(math.log10(raw))
    step = next(m for m in (1, 2, 2.5, 5, 10) if m * power >= raw * 0.999) * power
    first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
    return [float(f"{k * step:.10g}") for k in range(first, last + 1)]


def short(x: float) -> str:
    """A number for an axis: three digits, thousands and millions as k and M.

    Example:
        >>> short(51200), short(0.25), short(-3.0)
        ('51.2k', '0.25', '-3')
    """
    for size, letter in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if abs(x) >= size:
            return f"{x / size:.3g}{letter}"
    return "0" if x == 0 else f"{x:.3g}"


def _words(y: float, percent: bool = False) -> str:
    return f"{100 * y:.3g} %" if percent else short(y)


def _axes(xs: Sequence[float], ys: Sequence[float], percent: bool) -> Axes:
    x0, x1 = min(xs), max(xs)
    if 0 < x0 < 0.2 * x1:
        x0 = 0.0  # a curve that starts near zero is read from zero
    if x1 - x0 <= 1e-9 * abs(x1):
        x0, x1 = x0 - 0.5, x1 + 0.5
    low, high = min(ys), max(ys)
    if percent:
        low, high = min(0.0, low), 1.0 if high > 0.5 else max(high, 0.01)
    elif low > 0 and low < 0.6 * high:
        low = 0.0
    if high - low <= 1e-9 * max(abs(low), abs(high)):  # flat, but for rounding
        low, high = low - 0.5 * (abs(low) or 1), high + 0.5 * (abs(high) or 1)
    marks = ticks(low, high)
    step = marks[1] - marks[0] if len(marks) > 1 else high - low
    return Axes(x0, x1, math.floor(low / step + 1e-9) * step, math.ceil(high / step - 1e-9) * step, percent)


def _svg(title: str, desc: str, series: Sequence[Series], axes: Axes, x_label: str, drawn: str) -> str:
    numbers = {
        "box": [LEFT, WIDTH - RIGHT, TOP, HEIGHT - BOTTOM],
        "x": [axes.x0, axes.x1],
        "percent": axes.percent,
        "label": x_label,
        "series": [
            {"name": s.name, "color": s.style.color, "points": [[_n(v) for v in p if v is not None] for p in s.points]}
            for s in series
        ],
    }
    data = escape(json.dumps(numbers, separators=(",", ":")))
    return (
        f'<svg class="chart" viewBox="0 0 {WIDTH} {HEIGHT}" role="img" tabindex="0" '
        f'aria-label="{escape(title)}. {escape(desc)}" '
        f'data-chart="{data}">{_frame(axes, x_label)}{drawn}'
        f'<line class="cursor" y1="{TOP}" y2="{HEIGHT - BOTTOM}"/></svg>'
    )


def _frame(axes: Axes, x_label: str) -> str:
    out = []
    for y in ticks(axes.y0, axes.y1):
        at = axes.py(y)
        zero = ' class="zero"' if y == 0 else ""
        label = f"{100 * y:.3g}%" if axes.percent else short(y)
        out.append(f'<line{zero} x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{at:.1f}" y2="{at:.1f}"/>')
        out.append(f'<text x="{LEFT - 6}" y="{at + 4:.1f}" text-anchor="end">{label}</text>')
    for x in ticks(axes.x0, axes.x1, 4):
        at = axes.px(x)
        anchor, place = ("end", WIDTH - 2) if at > WIDTH - RIGHT - 12 else ("middle", at)
        out.append(f'<text x="{place:.1f}" y="{HEIGHT - BOTTOM + 16}" text-anchor="{anchor}">{short(x)}</text>')
    middle = (LEFT + WIDTH - RIGHT) / 2
    out.append(f'<text class="label" x="{middle}" y="{HEIGHT - 5}" text-anchor="middle">{escape(x_label)}</text>')
    return f'<g class="frame" aria-hidden="true">{"".join(out)}</g>'


def _stroke(series: Series, axes: Axes, marks: bool) -> str:
    at = [(axes.px(p[0]), axes.py(p[1])) for p in series.points]
    path = "M" + "L".join(f"{x:.1f} {y:.1f}" for x, y in at)
    dash = f' stroke-dasharray="{series.style.dash}"' if series.style.dash else ""
    dots = "".join(f'<circle cx="{x:.1f}" cy="{y:.1f}" r="2.6"/>' for x, y in at) if marks else ""
    name = escape(series.name)
    return f'<g class="line" data-name="{name}" style="--c:{series.style.color}"><path d="{path}"{dash}/>{dots}</g>'


def _band(series: Series, axes: Axes, opacity: float) -> str:
    points = [p for p in series.points if p[2] is not None and p[3] is not None]
    if len(points) == 1:
        x, high, low = axes.px(points[0][0]), axes.py(points[0][3]), axes.py(points[0][2])
        return f'<path class="bar" {_look(series)}" d="M{x:.1f} {low:.1f}V{high:.1f}"/>'
    if not points:
        return ""
    over = [f"{axes.px(p[0]):.1f} {axes.py(p[3]):.1f}" for p in points]
    under = [f"{axes.px(p[0]):.1f} {axes.py(p[2]):.1f}" for p in reversed(points)]
    path = "M" + "L".join(over + under) + "Z"
    return f'<path class="band" {_look(series)};opacity:{opacity}" d="{path}"/>'


def _area(layer: Series, xs: Sequence[float], bounds: list[tuple[float, float]], axes: Axes) -> str:
    inner = [f"{axes.px(x):.1f} {axes.py(b[0]):.1f}" for x, b in zip(xs, bounds, strict=True)]
    outer = [f"{axes.px(x):.1f} {axes.py(b[1]):.1f}" for x, b in zip(xs, bounds, strict=True)]
    if len(xs) == 1:  # one iteration has no width of its own
        y0, y1, x0, x1 = axes.py(bounds[0][0]), axes.py(bounds[0][1]), axes.px(xs[0]) - 20, axes.px(xs[0]) + 20
        inner, outer = [f"{x0:.1f} {y0:.1f}", f"{x1:.1f} {y0:.1f}"], [f"{x0:.1f} {y1:.1f}", f"{x1:.1f} {y1:.1f}"]
    path = "M" + "L".join(outer + inner[::-1]) + "Z"
    return f'<path class="area" data-name="{escape(layer.name)}" style="--c:{layer.style.color}" d="{path}"/>'


def _look(series: Series) -> str:
    """The attributes that a drawn series has; the style is left open for more."""
    return f'data-name="{escape(series.name)}" style="--c:{series.style.color}'


def _n(x: float) -> float:
    return float(f"{x:.9g}")
