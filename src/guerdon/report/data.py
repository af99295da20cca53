"""Reads a run folder, or a compare folder of run folders, into records that the page is made of.

Nothing here fails because something is missing: a run in progress has no summary, a killed one may
end in half a line, a batch may not be saved. What is missing becomes a sentence in `notes`.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from guerdon.errors import RunFolderError

ROLES = ("method", "baseline", "control")


@dataclass(frozen=True, slots=True)
class Run:
    """One run folder.

    Attributes:
        info: run.json; empty when it cannot be read.
        lines: metrics.jsonl, a mapping per iteration.
        summary: summary.json; empty while the run is in progress.
        batches: the saved part-files, in order of iteration.
        notes: what is missing, a sentence each.
    """

    path: Path
    recipe: str
    seed: int | None
    info: Mapping[str, Any] = field(default_factory=dict)
    lines: tuple[Mapping[str, Any], ...] = ()
    summary: Mapping[str, Any] = field(default_factory=dict)
    batches: tuple[Path, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def finished(self) -> bool:
        """True once the run has written its summary."""
        return bool(self.summary)


@dataclass(frozen=True, slots=True)
class Method:
    """The runs of one recipe, a seed each, and what the recipe is compared with."""

    name: str
    role: str
    told: str | None
    baseline: str | None
    control: str | None
    runs: tuple[Run, ...]


@dataclass(frozen=True, slots=True)
class Folder:
    """A run folder (one method, one run) or a compare folder.

    Attributes:
        compare: compare.json; None for a single run.
        methods: families in reading order: baselines, then each method with its control after it.
    """

    path: Path
    env: str
    compare: Mapping[str, Any] | None
    methods: tuple[Method, ...]
    notes: tuple[str, ...] = ()

    @property
    def runs(self) -> tuple[Run, ...]:
        """All runs, in the order of the methods."""
        return tuple(run for method in self.methods for run in method.runs)

    @property
    def seeds(self) -> int:
        """The largest number of seeds that a method has."""
        return max((len(m.runs) for m in self.methods), default=0)


def read(folder: str | Path) -> Folder:
    """Everything that the page needs from a folder, except the batches themselves.

    Raises:
        RunFolderError: the folder holds no run.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise RunFolderError(
            f"report: {folder} is not a folder; a run folder or a compare folder is needed; "
            "give the one that was passed to `guerdon train --out` or `guerdon compare --out`"
        )
    if (folder / "run.json").is_file() or (folder / "metrics.jsonl").is_file():
        run = read_run(folder)
        return Folder(folder, _env([run], None), None, _methods([run], None), run.notes)
    compare, note = read_json(folder / "compare.json")
    runs = [read_run(p) for p in _run_folders(folder)]
    if compare is None and not runs:
        raise RunFolderError(
            f"report: {folder} holds neither run.json nor compare.json; a folder with a run in it is needed; "
            "start one with `guerdon train --out` or `guerdon compare --out`"
        )
    notes = [note] if note else []
    if not runs:
        notes.append("No run has started in this folder yet.")
    for run in runs:
        notes += [f"{run.path.relative_to(folder)}: {n}" for n in run.notes]
    methods = _methods(runs, compare)
    return Folder(folder, _env(runs, compare), compare or {}, methods, tuple(notes))


def read_run(path: Path) -> Run:
    """One run folder, with a note for everything that is not there."""
    info, no_info = read_json(path / "run.json")
    summary, no_summary = read_json(path / "summary.json")
    lines, no_lines = read_lines(path / "metrics.jsonl")
    if not (path / "summary.json").is_file():
        no_summary = "The run is in progress or was stopped: there is no summary.json yet."
    batches = tuple(sorted((path / "batches").glob("*.parquet")))
    no_batches = None if batches else "No batch was saved, so no trajectory can be shown."
    info, summary = info or {}, summary or {}
    seed = summary.get("seed", info.get("seed"))
    if seed is None and path.name.startswith("seed-"):
        seed = path.name.removeprefix("seed-")
    recipe = summary.get("recipe") or info.get("recipe")
    if not recipe:
        recipe = path.parent.name if path.name.startswith("seed-") else path.name
    notes = tuple(n for n in (no_info, no_summary, no_lines, no_batches) if n)
    return Run(path, str(recipe), _int(seed), info, lines, summary, batches, notes)


def read_json(path: Path) -> tuple[dict | None, str | None]:
    """A JSON object and None, or None and the sentence that says why not."""
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None, f"There is no {path.name}."
    except (OSError, ValueError):
        return None, f"{path.name} cannot be read."
    return (value, None) if isinstance(value, dict) else (None, f"{path.name} is not a JSON object.")


def read_lines(path: Path) -> tuple[tuple[dict, ...], str | None]:
    """The JSON objects of a metrics file; a line that is cut or broken is left out and counted."""
    try:
        text = path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return (), "There is no metrics.jsonl, so there is nothing to draw yet."
    lines, bad = [], 0
    for line in filter(str.strip, text.splitlines()):
        try:
            value = json.loads(line)
        except ValueError:
            value = None
        if isinstance(value, dict):
            lines.append(value)
        else:
            bad += 1
    if bad:
        return tuple(
            lines
        ), f"metrics.jsonl: {bad} line{'s' * (bad > 1)} could not be read and {'are' if bad > 1 else 'is'} left out."
    return tuple(lines), None if lines else "metrics.jsonl is empty, so there is nothing to draw yet."


def number(mapping: Any, *keys: str) -> float | None:
    """The finite number under nested keys, or None.

    Example:
        >>> number({"eval": {"success": 0.5}}, "eval", "success"), number({"loss": float("nan")}, "loss")
        (0.5, None)
    """
    for key in keys:
        if not isinstance(mapping, Mapping):
            return None
        mapping = mapping.get(key)
    if isinstance(mapping, bool) or not isinstance(mapping, int | float) or not math.isfinite(mapping):
        return None
    return float(mapping)


def env_steps(line: Mapping[str, Any]) -> float | None:
    """Where a metrics line stands on the axis: its environment steps, else its iteration."""
    steps = number(line, "env_steps")
    return number(line, "iteration") if steps is None else steps


def _run_folders(folder: Path) -> list[Path]:
    found = [p for p in folder.glob("*/seed-*") if p.is_dir()]
    return sorted(found, key=lambda p: (p.parent.name, _int(p.name.removeprefix("seed-")) or 0, p.name))


def _methods(runs: list[Run], compare: Mapping[str, Any] | None) -> tuple[Method, ...]:
    by_name: dict[str, list[Run]] = {}
    for name in _listed(compare):
        by_name.setdefault(name, [])
    for run in runs:
        by_name.setdefault(run.recipe, []).append(run)
    methods = {name: _method(name, own) for name, own in by_name.items() if own}
    controls = {m.control for m in methods.values()} - {None}
    ordered: list[Method] = []
    for method in sorted(methods.values(), key=lambda m: m.role != "baseline"):  # stable: baselines come first
        if method.role == "control" and method.name in controls:
            continue  # it stands after the method that it is the control of
        ordered.append(method)
        control = methods.get(method.control or "")
        if control is not None and control not in ordered:
            ordered.append(control)
    return tuple(ordered + [m for m in methods.values() if m not in ordered])


def _method(name: str, runs: list[Run]) -> Method:
    def first(key: str) -> str | None:
        for source in [r.summary for r in runs] + [r.info for r in runs]:
            if source.get(key):
                return str(source[key])
        return None

    role = first("role") or "method"
    return Method(
        name, role if role in ROLES else "method", first("told"), first("baseline"), first("control"), tuple(runs)
    )


def _listed(compare: Mapping[str, Any] | None) -> list[str]:
    names = (compare or {}).get("recipes", [])
    return [n for n in names if isinstance(n, str)] if isinstance(names, list) else []


def _env(runs: list[Run], compare: Mapping[str, Any] | None) -> str:
    for source in [compare or {}, *(r.summary for r in runs), *(r.info for r in runs)]:
        if source.get("env"):
            return str(source["env"])
    return "an unnamed environment"


def _int(value: Any) -> int | None:
    try:
        return int(value)
    except (TypeError, ValueError):
        return None
