"""What is written about an iteration: numbers read off the batch, and what the update said."""

from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np

from guerdon import segments
from guerdon.batch import Batch, Column
from guerdon.training.idle import noticed
from guerdon.training.run import Run


def measure(run: Run, batch: Batch, update: dict[str, float]) -> dict[str, Any]:
    """One line of metrics.jsonl."""
    lengths = segments.count(batch.trajectory_of_step, batch.size("trajectory"))
    out: dict[str, Any] = {
        "iteration": run.iteration,
        "env_steps": run.env_steps,
        "tokens": run.tokens,
        "seconds": run.seconds,
        "success": _mean(batch, "outcome"),
        "length": float(lengths.mean()),
        "dead_groups": dead_groups(batch),
        "unscored": unscored(batch),
        "parts": {},
        "noticed": noticed(batch, run.recipe.reward),
        **update,
    }
    if "action_valid" in batch:
        out["invalid"] = 1.0 - (_mean(batch, "action_valid") or 0.0)
    if "milestones" in batch:
        out["milestones"] = float(_final(batch, batch["milestones"]).mean())
    worth = batch["worth"]
    out["worth"] = _per_trajectory(batch, worth)
    parts = [name for name in batch.columns if name.startswith("worth/")]  # a term that is no sum is its own one part
    out["parts"] = {name.removeprefix("worth/"): _per_trajectory(batch, batch[name]) for name in parts}
    advantage = batch.lift(batch["advantage"], "step") if batch["advantage"].level != "token" else batch["advantage"]
    out["advantage"] = float(np.abs(advantage.filled(0.0)).mean())
    return out


def dead_groups(batch: Batch) -> float:
    """The share of groups in which every advantage is zero: they teach nothing."""
    column = batch["advantage"]
    size = np.abs(column.filled(0.0))
    group = batch.index("group", at=column.level)
    return float((segments.total(size, group, batch.size("group")) == 0).mean())


def unscored(batch: Batch) -> dict[str, float]:
    """The share of trajectories without an outcome or a worth, by cause."""
    lost = np.zeros(batch.size("trajectory"), bool)
    for name in ("outcome", "worth"):
        if name in batch and batch[name].level == "trajectory":
            lost |= ~batch[name].valid
        elif name in batch and batch[name].level == "step":
            lost[batch.trajectory_of_step[~batch[name].valid]] = True
    if "failed" in batch:
        lost |= batch["failed"].values
    causes = batch["ended_by"].tolist() if "ended_by" in batch else [None] * len(lost)
    failed = batch["failed"].values if "failed" in batch else np.zeros(len(lost), bool)
    counted = Counter((causes[i] if failed[i] else None) or "no score" for i in np.flatnonzero(lost))
    return {cause: n / len(lost) for cause, n in sorted(counted.items())}


def _mean(batch: Batch, name: str) -> float | None:
    if name not in batch or not batch[name].valid.any():
        return None
    return float(np.nanmean(batch[name].filled()))


def _final(batch: Batch, column: Column) -> np.ndarray:
    return column.filled(0.0)[segments.last(batch.trajectory_of_step)]


def _per_trajectory(batch: Batch, column: Column) -> float:
    """The mean over trajectories of a column's total; what is missing counts as nothing here, and is reported apart."""
    return float(column.filled(0.0).sum() / max(batch.size("trajectory"), 1))
