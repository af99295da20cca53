"""How well the policy does on tasks, measured by playing them."""

from __future__ import annotations

from typing import Any

import numpy as np

from guerdon import store
from guerdon.intervals import wilson
from guerdon.rollouts import by_policy, play
from guerdon.training.idle import idle
from guerdon.training.run import TEST, Run


def evaluate(run: Run, plays: int, split: str = "test") -> dict[str, Any]:
    """Success over `plays` plays spread evenly over the tasks of a split, sampled as in training.

    A play whose environment failed has no outcome; it is counted beside, not as a failure.
    """
    tasks = run.test if split == "test" else run.train
    if not tasks:
        return {"success": None, "low": 0.0, "high": 1.0, "n": 0, "failed": 0, "split": split}
    chosen = [tasks[i % len(tasks)] for i in range(plays)]
    player = by_policy(run.policy, run.generator(TEST, run.iteration))
    with run.precision():
        trajectories = play(player, run.vector, chosen, horizon=run.family.horizon)
    # What was read here would be read in other company by a run that was resumed, and that changes last bits.
    run.policy.forget()
    outcomes = [t.outcome for t in trajectories if t.outcome is not None]
    low, high = wilson(sum(outcomes), len(outcomes))
    success = float(np.mean(outcomes)) if outcomes else None
    return {"success": success, "low": low, "high": high, "n": len(outcomes),
            "failed": len(trajectories) - len(outcomes), "split": split}  # fmt: skip


def summarise(run: Run) -> dict[str, Any]:
    """Evaluates the trained policy on both splits and writes summary.json; the policy is saved beside it."""
    if not run.workers.first:
        return {}
    test = evaluate(run, run.config.final_plays)
    trained = evaluate(run, run.config.final_plays, "train")
    best = test if test["n"] else trained
    summary = {
        **{k: v for k, v in run.identity.items() if k != "config"},
        "role": run.role,
        "told": run.recipe.told,
        "baseline": run.recipe.baseline.name if run.recipe.baseline else None,
        "control": run.recipe.control.name if run.recipe.control else None,
        "iterations": run.iteration,
        "env_steps": run.env_steps,
        "tokens": run.tokens,
        "seconds": run.seconds,
        "success": best["success"],
        "low": best["low"],
        "high": best["high"],
        "n": best["n"],
        "test": test,
        "train": trained,
        "warm_up": run.warm_up,
        "idle": idle(store.read_metrics(run.folder / "metrics.jsonl")),
    }
    run.keep_policy()
    store.write_json(run.folder / "summary.json", summary)
    return summary
