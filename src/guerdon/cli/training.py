"""What `train`, `compare` and `report` do: read options, show progress, print the table."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from rich.table import Table

from guerdon import environments, recipes, store
from guerdon.environments.base import Preparing
from guerdon.errors import RunFolderError, UnknownNameError
from guerdon.report import table as table_of
from guerdon.report import write

out = Console()


def train(
    recipe: str, folder: Path, env: str, seed: int, iterations: int | None, steps: int | None, policy: str | None,
    resume: bool, env_set: Sequence[str], set_: Sequence[str], role: str, lines: bool, as_json: bool,
) -> None:  # fmt: skip
    """One run, with a progress bar, or with plain lines for a program that watches."""
    found, family = recipes.get(recipe), _family(env, env_set)
    config = _config(env, iterations, steps, set_)
    from guerdon.training import Run
    from guerdon.training import train as run_train

    run = Run(family, found, config, seed, folder, policy, role)
    total = config.steps or config.iterations
    try:
        if lines:
            summary = run_train(run, resume, _print_line(total))
        else:
            with _progress() as bar:
                summary = run_train(run, resume, _move(bar, bar.add_task("warm-up", total=total, now=""), run))
    finally:
        run.close()
    if lines or not summary:  # several processes: the first one speaks
        return
    page = write(folder)
    if as_json:
        print(json.dumps(summary))
        return
    for split in ("test", "train"):
        s = summary[split]
        if s["n"]:
            out.print(f"{split:5s} success {s['success']:.1%}  [{s['low']:.1%}, {s['high']:.1%}]  ({s['n']} plays)", highlight=False)
    out.print(f"report {page}", highlight=False)


def compare(
    names: str, folder: Path, env: str, seeds: int, controls: str, iterations: int | None, steps: int | None,
    policy: str | None, env_set: Sequence[str], set_: Sequence[str], at_once: int | None, as_json: bool,
) -> None:  # fmt: skip
    """Several recipes; a bar per run that is on, and the table at the end."""
    methods = [n.strip() for n in names.split(",") if n.strip()]
    with_control = methods if controls == "all" else [n.strip() for n in controls.split(",") if n.strip()]
    others = [c.name for c in (recipes.get(n).control for n in with_control) if c is not None]
    for name in methods:
        recipes.get(name)
    _family(env, env_set)
    config = _config(env, iterations, steps, set_)
    options = ["--env", env, *[x for s in env_set for x in ("--env-set", s)], *[x for s in set_ for x in ("--set", s)]]
    options += ["--iterations", str(iterations)] if iterations is not None else []
    options += ["--steps", str(steps)] if steps is not None else []
    options += ["--policy", policy] if policy else []
    from guerdon.training.compare import compare as run_compare

    with _progress() as bar:
        rows: dict[tuple[str, int], Any] = {}
        said: dict[tuple[str, int], str] = {}
        total = config.steps or config.iterations

        def watch(job: Any, line: str) -> None:
            key = (job.recipe, job.seed)
            if key not in rows:
                rows[key] = bar.add_task(f"{job.recipe} {job.seed}", total=total, now="")
            if line.startswith("{"):
                seen = json.loads(line)
                bar.update(rows[key], completed=seen["done"], now=seen["now"])
            elif line == "done":
                bar.update(rows[key], completed=total)
                bar.remove_task(rows[key])
            else:
                said[key] = line if line.startswith("guerdon:") else said.get(key, line)
                if line.startswith("failed"):
                    bar.console.print(f"{job.recipe} seed {job.seed}: {line}: {said[key]}", markup=False)

        jobs = run_compare(
            folder, methods, range(seeds), options, controls=others, about={"env": env}, at_once=at_once, watch=watch
        )
    page = write(folder)
    _print_table(folder, as_json)
    if not as_json:
        out.print(f"report {page}", highlight=False)
    if failed := [job for job in jobs if not job.done]:
        raise RunFolderError(
            f"compare: {len(failed)} of {len(jobs)} runs did not finish; the others are kept; "
            "repeat the same command to try those again"
        )


def report(folder: Path, as_json: bool) -> None:
    """The page and the table of a run or a comparison."""
    if not (folder / "run.json").exists() and not (folder / "compare.json").exists():
        raise RunFolderError(
            f"report: {folder} holds no run and no comparison; a folder written by train or compare is needed; check the path"
        )
    page = write(folder)
    _print_table(folder, as_json)
    if not as_json:
        out.print(f"report {page}", highlight=False)


def _family(env: str, pairs: Sequence[str]) -> Any:
    family = environments.get(env, **{k: _number(v) for k, v in _pairs("--env-set", pairs).items()})
    if isinstance(family, Preparing):
        with _progress() as bar:
            task = bar.add_task(f"{family.name}: making games", total=None, now="")
            family.prepare(lambda done, of: bar.update(task, completed=done, total=of))
    return family


def _config(env: str, iterations: int | None, steps: int | None, pairs: Sequence[str]) -> Any:
    from guerdon.training.config import preset

    config = preset(env).changed(_pairs("--set", pairs))
    if iterations is not None:
        return config.changed({"iterations": iterations, "steps": None})
    return config.changed({"steps": steps}) if steps is not None else config


def _pairs(option: str, pairs: Sequence[str]) -> dict[str, str]:
    out_: dict[str, str] = {}
    for pair in pairs:
        name, equals, value = pair.partition("=")
        if not equals:
            raise UnknownNameError(f"{option}: {pair!r} was given; NAME=VALUE is needed; write it like {option} {pair}=1")
        out_[name] = value
    return out_


def _number(text: str) -> Any:
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            continue
    return text


def _progress() -> Progress:
    columns = (TextColumn("{task.description}"), BarColumn(), TextColumn("{task.fields[now]}"), TimeElapsedColumn(), TimeRemainingColumn())
    return Progress(*columns, console=Console(stderr=True))


def _now(metrics: Mapping[str, Any]) -> str:
    said = f"success {metrics['success'] or 0:.0%}"
    if "milestones" in metrics:
        said += f"  milestones {metrics['milestones']:.2f}"
    return said


def _move(bar: Progress, task: Any, run: Any) -> Any:


    def watch(run: Any, metrics: Mapping[str, Any]) -> None:
        if "warm_up" in metrics:
            bar.update(task, description=f"warm-up {metrics['warm_up']}/{metrics['of']}")
            return
        bar.update(task, description=run.recipe.name, completed=_done(run), now=_now(metrics))

    return watch


def _print_line(total: int) -> Any:
    def watch(run: Any, metrics: Mapping[str, Any]) -> None:
        if "warm_up" not in metrics:
            print(json.dumps({"done": min(_done(run), total), "now": _now(metrics)}), flush=True)

    return watch


def _done(run: Any) -> int:
    return run.env_steps if run.config.steps else run.iteration


def _print_table(folder: Path, as_json: bool) -> None:
    rows = table_of(folder)
    if as_json:
        print(json.dumps(rows))
        return
    table = Table(box=None, header_style="bold")
    heads = {"recipe": "recipe", "role": "role", "told": "told", "seeds": "seeds", "success": "success", "interval": "interval", "env_steps": "steps"}
    for head in heads.values():
        table.add_column(head)
    for row in rows:
        table.add_row(*[_cell(row, key) for key in heads])
    out.print(table)


def _cell(row: Mapping[str, Any], key: str) -> str:
    if key == "interval":
        return "-" if row.get("low") is None else f"[{row['low']:.0%}, {row['high']:.0%}]"
    value = row.get(key)
    if value is None:
        return "-"
    return f"{value:.1%}" if key == "success" else f"{value:,.0f}" if key == "env_steps" else str(value)
