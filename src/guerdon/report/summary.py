"""The table of methods, and the intervals that stand beside every share of solved tasks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from guerdon.intervals import student as t_interval
from guerdon.intervals import wilson
from guerdon.report.data import Folder, Method, Run, number, read


def over_seeds(values: Sequence[float]) -> tuple[float, float, str]:
    """Low, high and the kind of interval: t for four seeds or more, the range for two or three.

    Example:
        >>> over_seeds([0.2, 0.4])
        (0.2, 0.4, 'min to max of 2 seeds')
    """
    if len(values) >= 4:
        return *t_interval(values), f"95 % t interval over {len(values)} seeds"
    return min(values), max(values), f"min to max of {len(values)} seeds"


@dataclass(frozen=True, slots=True)
class Row:
    """One method of the table. Shares are in [0, 1]; None where the folder does not say.

    Attributes:
        method, role, told, baseline, control: as the recipe says.
        success, low, high: share of tasks solved at the end, and its interval.
        interval: the kind of interval, in words.
        source: "held-out" tasks, or "training" while there was no evaluation.
        trained: share of training tasks solved by the final policy; None before the end.
        env_steps, seconds: mean over seeds at the end of a run.
        dead_groups: share of groups that taught nothing, mean over the run.
        unscored: share of verdicts or trajectories without a score, mean over the run.
        finished: how many of `seeds` have their summary.
    """

    method: str
    role: str
    told: str | None
    baseline: str | None
    control: str | None
    seeds: int
    finished: int
    success: float | None
    low: float | None
    high: float | None
    interval: str | None
    source: str | None
    trained: float | None
    env_steps: float | None
    seconds: float | None
    dead_groups: float | None
    unscored: float | None

    def as_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return asdict(self)


def table(folder: str | Path | Folder) -> list[Row]:
    """One row per method of a run folder or a compare folder, baselines first, controls after their method."""
    read_already = folder if isinstance(folder, Folder) else read(folder)
    return [row(method) for method in read_already.methods]


def row(method: Method) -> Row:
    """The table's row for one method."""
    finals = [f for f in map(_final, method.runs) if f is not None]
    if any(f["source"] == "held-out" for f in finals):
        finals = [f for f in finals if f["source"] == "held-out"]  # the two are not averaged together
    success = low = high = interval = source = None
    if finals:
        success = _mean([f["success"] for f in finals])
        source = finals[0]["source"]
        low, high, interval = _interval(finals)
    return Row(
        method.name, method.role, method.told, method.baseline, method.control,
        seeds=len(method.runs), finished=sum(r.finished for r in method.runs),
        success=success, low=low, high=high, interval=interval, source=source,
        trained=_mean([number(r.summary, "train", "success") for r in method.runs]),
        env_steps=_mean([_at_end(r, "env_steps") for r in method.runs]),
        seconds=_mean([_at_end(r, "seconds") for r in method.runs]),
        dead_groups=_mean([_mean([number(line, "dead_groups") for line in r.lines]) for r in method.runs]),
        unscored=_mean([_mean([unscored(line) for line in r.lines]) for r in method.runs]),
    )  # fmt: skip


def unscored(line: dict) -> float | None:
    """The whole unscored share of a metrics line: the sum over causes."""
    causes = line.get("unscored")
    if not isinstance(causes, dict):
        return None
    return sum(number(causes, cause) or 0.0 for cause in causes)


def evaluation(line: dict) -> tuple[float, float | None, float | None] | None:
    """Success, low and high of a line's evaluation; the interval is Wilson's where the line has none."""
    success, n = number(line, "eval", "success"), number(line, "eval", "n")
    if success is None:
        return None
    low, high = number(line, "eval", "low"), number(line, "eval", "high")
    if (low is None or high is None) and n and 0 <= success <= 1:
        low, high = wilson(success * n, int(n))
    return success, low, high


def _final(run: Run) -> dict | None:
    """The last success of a run: from its summary, else its last evaluation, else its last batch."""
    for kept in [run.summary, *(line.get("eval") for line in reversed(run.lines))]:
        found = evaluation({"eval": kept})
        if found is not None:
            untested = number(kept, "test", "n") == 0 or kept.get("split") == "train"
            source = "training" if untested else "held-out"
            return {"success": found[0], "low": found[1], "high": found[2], "n": number(kept, "n"), "source": source}
    for line in reversed(run.lines):
        success = number(line, "success")
        if success is not None:
            return {"success": success, "low": None, "high": None, "n": None, "source": "training"}
    return None


def _interval(finals: list[dict]) -> tuple[float | None, float | None, str | None]:
    if len(finals) > 1:
        low, high, kind = over_seeds([f["success"] for f in finals])
        return max(0.0, low), min(1.0, high), kind
    one = finals[0]
    if one["low"] is None:
        return None, None, None
    tasks = f" of {int(one['n'])} tasks" if one["n"] else ""
    return one["low"], one["high"], f"95 % Wilson interval{tasks}, one seed"


def _at_end(run: Run, key: str) -> float | None:
    value = number(run.summary, key)
    return number(run.lines[-1], key) if value is None and run.lines else value


def _mean(values: list[float | None]) -> float | None:
    known = [v for v in values if v is not None]
    return sum(known) / len(known) if known else None
