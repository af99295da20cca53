"""From metrics lines to the series of a chart: seeds become a mean and a band."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from guerdon.report.data import Method, Run, env_steps, number
from guerdon.report.summary import evaluation, over_seeds
from guerdon.report.svg import Point, Series, Style

MOST = 120  # more points than this do not show in a chart of this size, and weigh on the file

Get = Callable[[Mapping[str, Any]], float | None]


def styles(methods: Sequence[Method]) -> dict[str, Style]:
    """A look for each method: a control has its method's colour and dashes; baselines are grey.

    Eight hues; a ninth method takes the first again, dotted. Methods that have a control choose first.
    """
    out: dict[str, Style] = {}
    baselines = {m.baseline for m in methods}
    grey = [m for m in methods if m.role == "baseline" or (m.name in baselines and not m.baseline)]
    for i, method in enumerate(grey):
        out[method.name] = Style("var(--base)", ("", "2 3", "8 3 2 3")[i % 3])
    controls = {m.control for m in methods}
    own = [m for m in methods if m.name not in out and not (m.role == "control" and m.name in controls)]
    names = {m.name for m in methods}
    own.sort(key=lambda m: m.control not in names)
    for i, method in enumerate(own):
        out[method.name] = Style(f"var(--s{i % 8})", "1.5 3" if i >= 8 else "")
        if method.control in names:
            out.setdefault(method.control, Style(f"var(--s{i % 8})", "6 4"))
    for method in methods:
        out.setdefault(method.name, Style("var(--base)", "6 4"))
    return out


def series(methods: Sequence[Method], get: Get, *, bounded: bool = False) -> list[Series]:
    """One series per method that has any value."""
    look = styles(methods)
    found = [Series(m.name, curve(m.runs, get, bounded=bounded), look[m.name]) for m in methods]
    return [s for s in found if s.points]


def curve(runs: Sequence[Run], get: Get, *, bounded: bool = False) -> tuple[Point, ...]:
    """The mean over seeds against environment steps, with its band; one seed is shown as it is.

    Seeds with the same number of points are averaged point by point, x included. Otherwise each is read off
    its own straight lines at equal distances over the steps that all seeds have.

    Args:
        bounded: the value is a share, so the band is cut to [0, 1].
    """
    own = [pairs for pairs in ([_xy(line, get) for line in run.lines] for run in runs) if any(pairs)]
    walks = [np.array([p for p in pairs if p is not None]) for pairs in own]
    if not walks:
        return ()
    if len(walks) == 1:
        return thin([(x, y, None, None) for x, y in walks[0].tolist()])
    if len({len(w) for w in walks}) == 1:
        xs, ys = np.mean([w[:, 0] for w in walks], axis=0), [w[:, 1] for w in walks]
    else:
        low, high = max(w[0, 0] for w in walks), min(w[-1, 0] for w in walks)
        xs = np.linspace(low, high, min(len(w) for w in walks)) if high > low else np.array([low])
        ys = [np.interp(xs, w[:, 0], w[:, 1]) for w in walks]
    points = []
    for x, *values in zip(xs.tolist(), *(y.tolist() for y in ys), strict=True):
        low, high, _ = over_seeds(values)
        if bounded:
            low, high = max(0.0, low), min(1.0, high)
        points.append((x, sum(values) / len(values), low, high))
    return thin(points)


def held_out(methods: Sequence[Method]) -> list[Series]:
    """Evaluation success; one seed takes the interval of its own evaluation, Wilson's."""
    look, out = styles(methods), []
    for method in methods:
        evaluated = [r for r in method.runs if any(evaluation(line) for line in r.lines)]
        if len(evaluated) == 1:
            found = [(env_steps(line), evaluation(line)) for line in evaluated[0].lines]
            points = thin([(x, *e) for x, e in found if x is not None and e is not None])
        else:
            points = curve(evaluated, lambda line: number(line, "eval", "success"), bounded=True)
        if points:
            out.append(Series(method.name, points, look[method.name]))
    return out


def layers(method: Method, key: str, names: Sequence[str], colors: Mapping[str, str]) -> list[Series]:
    """The mapping under `key` of each line as layers of a stack; a name that a line lacks counts as nothing there."""

    def getter(name: str) -> Get:
        return lambda line: (number(line, key, name) or 0.0) if isinstance(line.get(key), Mapping) else None

    found = [(name, curve(method.runs, getter(name))) for name in names]
    return [
        Series(name, tuple((x, y, None, None) for x, y, _, _ in points), Style(colors[name]))
        for name, points in found
        if points and any(p[1] for p in points)
    ]


def names_under(methods: Sequence[Method], key: str) -> list[str]:
    """All names under a mapping of the metrics lines, in the order in which they first appear."""
    found: dict[str, None] = {}
    for method in methods:
        for run in method.runs:
            for line in run.lines:
                if isinstance(line.get(key), Mapping):
                    found.update(dict.fromkeys(map(str, line[key])))
    return list(found)


def thin(points: Sequence[Point]) -> tuple[Point, ...]:
    """At most `MOST` points: equally many neighbours are averaged to one. Few points stay as they are.

    Example:
        >>> len(thin([(float(i), 0.0, None, None) for i in range(2 * MOST)])) == MOST
        True
    """
    size = -(-len(points) // MOST)
    if size <= 1:
        return tuple(points)
    out = []
    for at in range(0, len(points), size):
        columns = [[v for v in column if v is not None] for column in zip(*points[at : at + size], strict=True)]
        out.append(tuple(sum(c) / len(c) if c else None for c in columns))
    return tuple(out)


def _xy(line: Mapping[str, Any], get: Get) -> tuple[float, float] | None:
    x, y = env_steps(line), get(line)
    return None if x is None or y is None else (x, y)
