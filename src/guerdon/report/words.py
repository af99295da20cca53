"""The verdict, and other sentences of the page that depend on the numbers."""

from __future__ import annotations

from collections.abc import Sequence

from guerdon.report.data import Folder, Run
from guerdon.report.summary import Row

ONE_SEED = "This is one seed, an illustration: it cannot tell the method from the luck of its seed."


def percent(x: float | None) -> str:
    """A share in words, with one decimal where it is small.

    Example:
        >>> percent(0.925), percent(0.004), percent(None)
        ('92 %', '0.4 %', 'not known')
    """
    if x is None:
        return "not known"
    return f"{100 * x:.1f} %" if 0 < x < 0.0095 else f"{100 * x:.0f} %"


def count(x: float | None) -> str:
    """A whole number with its thousands apart."""
    return "not known" if x is None else f"{x:,.0f}"


def seconds(x: float | None) -> str:
    """A duration.

    Example:
        >>> seconds(75.2), seconds(8.04), seconds(4000)
        ('1 min 15 s', '8.0 s', '1 h 6 min')
    """
    if x is None:
        return "not known"
    if x < 10:
        return f"{x:.1f} s"
    if x < 60:
        return f"{x:.0f} s"
    minutes, rest = divmod(round(x), 60)
    return f"{minutes} min {rest} s" if minutes < 60 else f"{minutes // 60} h {minutes % 60} min"


def title(folder: Folder) -> str:
    """The page's first line.

    Example:
        >>> title(Folder(path=None, env="keydoor", compare={}, methods=()))
        'keydoor: no run yet'
    """
    names = [m.name for m in folder.methods if m.role != "control"] or [m.name for m in folder.methods]
    if not names:
        return f"{folder.env}: no run yet"
    if folder.compare is None:
        seed = folder.runs[0].seed
        return f"{folder.env}: {names[0]}" + ("" if seed is None else f", seed {seed}")
    listed = names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"
    return f"{folder.env}: {listed}" if len(names) <= 4 else f"{folder.env}: {len(names)} methods compared"


def verdict(folder: Folder, rows: Sequence[Row]) -> str:
    """One paragraph: what was compared, on equal terms or not, and what came out, with its doubt."""
    if not rows:
        return f"There is no run in this folder yet, so there is nothing to say about {folder.env}."
    said = [_setting(folder, rows), _seeds(rows)]
    if folder.compare is None:
        other = f"its baseline, {rows[0].baseline}" if rows[0].baseline else "a baseline"
        said += [_result(rows[0]), f"Nothing here compares it with {other}; guerdon compare does that."]
    else:
        said += _results(rows)
    waiting = sum(r.seeds - r.finished for r in rows)
    if waiting and folder.compare is None:
        said.append("The run has not finished, so the numbers will move.")
    elif waiting:
        have = "has" if waiting == 1 else "have"
        said.append(f"{waiting} of {sum(r.seeds for r in rows)} runs {have} not finished, so the numbers will move.")
    return " ".join(s for s in said if s)


def setup(run: Run) -> list[tuple[str, str]]:
    """How a run was made, as pairs of a word and a text: command, machine, versions, configuration."""
    out = [("command", str(run.info["command"]))] if run.info.get("command") else []
    out += [("guerdon", str(run.info["guerdon"]))] if run.info.get("guerdon") else []
    for name, source in (
        ("environment options", run.info.get("env_options")), ("warm-up", run.summary.get("warm_up")),
        ("configuration", run.info.get("config")), ("machine", run.info.get("machine")),
        ("versions", run.info.get("versions")),
    ):  # fmt: skip
        if isinstance(source, dict) and source:
            out.append((name, ", ".join(f"{k} {_short(v)}" for k, v in source.items())))
        elif source:
            out.append((name, str(source)))
    return out


def _setting(folder: Folder, rows: Sequence[Row]) -> str:
    steps = [r.env_steps for r in rows if r.env_steps is not None]
    if folder.compare is None:
        amount = f" for {count(steps[0])} environment steps" if steps else ""
        return f"{rows[0].method} is trained on {folder.env}{amount}."
    kinds = [(sum(r.role != "control" for r in rows), "method"), (sum(r.role == "control" for r in rows), "control")]
    what = " and ".join(f"{n} {kind}{'s' * (n > 1)}" for n, kind in kinds if n)
    if not steps:
        return f"{what} are compared on {folder.env}; no environment step is recorded yet."
    low, high = min(steps), max(steps)
    if high <= 1.05 * low:
        each = count(sum(steps) / len(steps))
        return f"{what} are compared on {folder.env} at equal environment steps, about {each} each."
    return (
        f"{what} are compared on {folder.env}, but not at equal environment steps: "
        f"from {count(low)} to {count(high)}. The one with more steps has an advantage that is not the method's."
    )


def _seeds(rows: Sequence[Row]) -> str:
    numbers = sorted({r.seeds for r in rows})
    if numbers == [1]:
        return ONE_SEED
    if len(numbers) == 1:
        return f"Each has {numbers[0]} seeds."
    return f"They have {numbers[0]} to {numbers[-1]} seeds" + (
        "; those with one seed are an illustration only." if numbers[0] == 1 else "."
    )


def _results(rows: Sequence[Row]) -> list[str]:
    by_name = {r.method: r for r in rows}
    scored = [r for r in rows if r.success is not None]
    ours = [r for r in scored if r.role == "method"] or scored
    if not ours:
        return ["No success has been measured yet."]
    best = max(ours, key=lambda r: r.success)
    said = [_result(best)]
    for word, name in (("baseline", best.baseline), ("control", best.control)):
        other = by_name.get(name or "")
        if name and (other is None or other.success is None):
            said.append(f"Its {word}, {name}, has no result here, so that comparison is missing.")
        elif other is not None:
            said.append(f"Its {word} {other.method} solves {_reach(other)}: {_apart(best, other)}")
            if best.told and other.told and best.told != other.told:
                said.append(f"{best.method} is told '{best.told}', {other.method} '{other.told}'.")
    if not best.baseline and len(scored) > 1:
        worst = min(scored, key=lambda r: r.success)
        said.append(f"It names no baseline; the lowest here is {worst.method} with {_reach(worst)}.")
    return said


def _result(row: Row) -> str:
    if row.success is None:
        return f"No success of {row.method} has been measured yet."
    tasks = (
        "held-out tasks"
        if row.source == "held-out"
        else "the training tasks of its last batch, as it was not evaluated"
    )
    kind = f" ({row.interval})" if row.interval else ""
    return f"{row.method} solves {_reach(row)} of {tasks}{kind}."


def _reach(row: Row) -> str:
    inside = "" if row.low is None else f" [{percent(row.low)} to {percent(row.high)}]"
    return percent(row.success) + inside


def _apart(best: Row, other: Row) -> str:
    difference = 100 * (best.success - other.success)
    size = f"{abs(difference):.0f} points {'less' if difference >= 0 else 'more'}"
    if best.low is None or other.low is None:
        return f"{size}, without an interval to judge it by."
    if best.low > other.high or other.low > best.high:
        return f"{size}, and the intervals do not overlap."
    return f"{size}, but the intervals overlap, so this does not show a difference."


def _short(value: object) -> str:
    text = str(value)
    return text if len(text) <= 160 else f"{text[:160]} …"
