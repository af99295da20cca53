"""Run folders with made-up numbers, written by the real store. Every folder says SYNTHETIC in its run.json."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from guerdon.batch import Batch, Column
from guerdon.records import Ended, Step, Task, Trajectory
from guerdon.store import append_jsonl, write_batch, write_json

ATTACK = '<script>document.title="owned"</script><img src=x onerror="document.title=1">'
WORDS = ("north", "south", "take key", "open door", "wait", "dance")


def synthetic_batch(seed: int = 0, *, steps: int = 8, tokens: bool = False, attack: bool = False) -> Batch:
    """Four groups of two plays with worth, parts and advantage; the last play failed."""
    rng = np.random.default_rng(seed)
    plays = []
    for i in range(8):
        length = int(rng.integers(3, steps + 1))
        failed = i == 7
        turns = tuple(
            Step(
                observation=ATTACK
                if attack
                else f"You are in room {t} of {length}. A locked door is to the north.\nYou carry nothing.",
                action=ATTACK if attack else str(rng.choice(WORDS)),
                reward=1.0 if i % 3 == 0 and t == length - 1 else 0.0,
                facts={
                    "action_valid": float(rng.random() > 0.2),
                    "milestone": float(rng.random() > 0.7),
                    "progress": t / length,
                    "hint": ATTACK if attack else "the key is blue",
                },
                tokens=(1, 2, 3) if tokens else None,
            )
            for t in range(length)
        )
        ended = (
            Ended.failed(length - 1, "the environment hung")
            if failed
            else (Ended.finished() if i % 3 == 0 else Ended.truncated("horizon"))
        )
        plays.append(Trajectory(i // 2, Task(ATTACK if attack else "Reach the goal."), turns, float(i % 3 == 0), ended))
    batch = Batch.of(plays)
    n, alive = batch.size("step"), batch["milestone"].valid
    outcome = Column("step", np.where(batch["reward"].valid, batch["reward"].values, 0.0), alive)
    shaped = Column("step", 0.1 * np.where(alive, batch["milestone"].values, 0.0), alive)
    price = Column("step", np.full(n, -0.01), alive)
    whole = outcome.values + shaped.values + price.values
    parts = (("outcome", outcome), ("milestone", shaped), ("price", price))
    columns = {f"worth/{name}": part for name, part in parts}
    columns["worth"] = Column("step", whole, alive, parts)
    if tokens:
        m = batch.size("token")
        columns["advantage"] = Column.of("token", rng.normal(size=m))
        columns["token_text"] = Column.of("token", ["<b>"[i % 3] if attack else "go " for i in range(m)])
    else:
        columns["advantage"] = Column("step", np.where(alive, rng.normal(size=n), 0.0), alive)
    return batch.with_columns(**columns)


def synthetic_run(
    folder: Path, recipe: str = "milestones", *, role: str = "method", seed: int = 0, iterations: int = 30,
    best: float = 0.9,
    finished: bool = True, baseline: str | None = None, control: str | None = None, told: str = "milestones",
    unscored: float = 0.0, batches: bool = True, attack: bool = False, stretch: float = 1.0, long: int = 8,
) -> Path:  # fmt: skip
    """One run folder. `best` is where its success goes; `stretch` lengthens its environment steps."""
    rng = np.random.default_rng([seed, len(recipe)])
    about = {"recipe": recipe, "env": "keydoor", "env_options": {"subgoals": 4, "horizon": 40}, "seed": seed}
    write_json(folder / "run.json", {
        "guerdon": "0.0-SYNTHETIC", **about, "role": role, "told": told,
        "config": {"lr": 3e-4, "plays": 8, "prompts": 16},
        "versions": {"numpy": np.__version__}, "machine": {"cores": 2}, "command": "SYNTHETIC numbers, no training",
    })  # fmt: skip
    for i in range(1, iterations + 1):
        rise = best / (1 + np.exp(-10 * (i / iterations - 0.5)))
        success = float(np.clip(rise + rng.normal(0, 0.03), 0, 1))
        line = {
            "iteration": i, "env_steps": int(i * 512 * stretch), "tokens": i * 1500, "seconds": i * 2.5,
            "success": success,
            "length": 40 - 20 * rise, "invalid": 0.3 * (1 - rise), "entropy": 1.6 - rise, "loss": -0.01,
            "ratio_clipped": 0.05,
            "kl_old": abs(rng.normal(0, 0.004)), "grad_norm": 1 + abs(rng.normal()),
            "dead_groups": float(max(0, 1 - 2 * rise)),
            "unscored": {"the environment hung": unscored * rng.random()} if unscored else {},
            "parts": {"outcome": success, "milestone": 0.4 * rise, "price": -0.1 - 0.1 * (1 - rise)},
            "worth": success + 0.4 * rise - 0.2 + 0.1 * rise, "milestones": 4 * rise,
        }  # fmt: skip
        if i % 5 == 0:
            line["eval"] = {
                "success": success,
                "low": max(0, success - 0.1),
                "high": min(1, success + 0.1),
                "n": 100,
                "split": "test",
            }
        append_jsonl(folder / "metrics.jsonl", line)
    if finished:
        low, high = max(0.0, best - 0.06 + 0.01 * seed), min(1.0, best + 0.05 + 0.01 * seed)
        write_json(folder / "summary.json", {
            **about, "role": role, "iterations": iterations, "env_steps": int(iterations * 512 * stretch),
            "seconds": iterations * 2.5,
            "success": best + 0.01 * seed, "low": low, "high": high, "n": 100, "told": told, "baseline": baseline,
            "control": control, "warm_up": {"plays": 4, "success": 0.02},
        })  # fmt: skip
    if batches:
        (folder / "batches").mkdir(exist_ok=True)
        for i in (1, iterations):
            write_batch(folder / "batches" / f"{i:06d}.parquet", synthetic_batch(i, attack=attack, steps=long))
    return folder


def synthetic_compare(folder: Path, seeds: int = 3, **more) -> Path:
    """A baseline, a method that names it, and the method's control."""
    names = ["grpo", "milestones", "milestones-control"]
    write_json(folder / "compare.json", {"env": "keydoor", "recipes": names, "seeds": seeds})
    for seed in range(seeds):
        at = f"seed-{seed}"
        common = {"seed": seed, **more}
        synthetic_run(folder / "grpo" / at, "grpo", role="baseline", best=0.04, told="nothing", unscored=0.05, **common)
        synthetic_run(
            folder / "milestones" / at, "milestones", baseline="grpo", control="milestones-control", best=0.92, **common
        )
        synthetic_run(
            folder / "milestones-control" / at,
            "milestones-control",
            role="control",
            best=0.3,
            baseline="grpo",
            **common,
        )
    return folder


@pytest.fixture(scope="session")
def make():
    """The generators of this file: `make.batch`, `make.run`, `make.compare`, and the text `make.attack`."""
    return SimpleNamespace(batch=synthetic_batch, run=synthetic_run, compare=synthetic_compare, attack=ATTACK)


@pytest.fixture
def run(tmp_path):
    """A finished single run."""
    return synthetic_run(tmp_path / "run")


@pytest.fixture
def compare(tmp_path):
    """A finished compare folder with three seeds."""
    return synthetic_compare(tmp_path / "compare")
