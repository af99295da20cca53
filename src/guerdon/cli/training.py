"""What `train`, `compare` and `report` do: read options, show progress, print the table."""

from __future__ import annotations

import ctypes
import json
import os
import signal
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from rich.table import Table

from guerdon import environments, recipes
from guerdon.cli.progress import Bars, console
from guerdon.environments import Family
from guerdon.environments.base import Preparing
from guerdon.errors import EnvironmentFault, RunFolderError, UnknownNameError
from guerdon.report import table as table_of
from guerdon.report import write

PARENT = "GUERDON_PARENT"  # the process id of the comparison that started a run
PR_SET_PDEATHSIG = 1


def train(
    recipe: str, folder: Path, env: str, seed: int, iterations: int | None, steps: int | None, policy: str | None,
    resume: bool, env_set: Sequence[str], set_: Sequence[str], role: str, lines: bool, as_json: bool,
) -> None:  # fmt: skip
    """One run, with a progress bar, or with plain lines for a program that watches."""
    if lines:
        die_with_parent()
    found, family = recipes.get(recipe), _family(env, env_set)
    config = _config(env, policy, iterations, steps, set_)
    with Bars() as bars:
        _prepare(family, bars)
        if not lines:
            bars.show(recipe, "loading")
        from transformers.utils import logging

        logging.disable_progress_bar()  # of loading and writing weights; ours is on the screen
        from guerdon.training import Run
        from guerdon.training import train as run_train

        run = Run(family, found, config, seed, folder, policy, role)
        try:
            summary = run_train(run, resume, _print_line(config) if lines else _show(bars, config))
        finally:
            run.close()
    if lines or not summary:  # several processes: the first one speaks
        return
    page = write(folder)
    if as_json:
        print(json.dumps(summary))
        return
    out = console()
    for split in ("test", "train"):
        s = summary[split]
        if s["n"]:
            out.print(
                f"{split:5s} success {s['success']:.1%}  [{s['low']:.1%}, {s['high']:.1%}]  ({s['n']} plays)",
                highlight=False,
            )
    for reason in summary["idle"]:
        out.print(f"note  {reason}", markup=False, highlight=False, soft_wrap=True)
    out.print(f"report {page}", highlight=False, soft_wrap=True)


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
    if not methods:
        raise UnknownNameError("compare: --recipes names none; at least one is needed; `guerdon recipes` lists them")
    family, config = _family(env, env_set), _config(env, policy, iterations, steps, set_)
    options = ["--env", env, *[x for s in env_set for x in ("--env-set", s)], *[x for s in set_ for x in ("--set", s)]]
    options += ["--iterations", str(iterations)] if iterations is not None else []
    options += ["--steps", str(steps)] if steps is not None else []
    options += ["--policy", policy] if policy else []
    from guerdon.training.compare import compare as run_compare

    total = config.steps or config.iterations
    said: dict[str, str] = {}
    with Bars(every=60.0) as bars:
        _prepare(family, bars)

        def watch(job: Any, line: str) -> None:
            name = f"{job.recipe} seed {job.seed}"
            seen = _read_line(line)
            if seen is not None:
                bars.show(name, seen["doing"], seen["done"], total, seen["now"])
            elif line == "started":
                bars.show(name, "loading", 0, total)
            elif line == "done":
                bars.end(name, line)
            elif line.startswith("failed"):
                bars.end(name, f"{line}: {said.get(name, 'it said nothing')}")
            elif line.startswith("guerdon:") or not said.get(name, "").startswith("guerdon:"):
                said[name] = line

        jobs = run_compare(
            folder, methods, range(seeds), options, controls=others, about={"env": env}, at_once=at_once, watch=watch
        )
    page = write(folder)
    _print_table(folder, as_json)
    if not as_json:
        console().print(f"report {page}", highlight=False, soft_wrap=True)
    if failed := [job for job in jobs if not job.done]:
        raise RunFolderError(
            f"compare: {len(failed)} of {len(jobs)} runs did not finish; the others are kept; "
            "repeat the same command to try those again"
        )


def report(folder: Path, as_json: bool) -> None:
    """The page and the table of a run or a comparison."""
    if not (folder / "run.json").exists() and not (folder / "compare.json").exists():
        raise RunFolderError(
            f"report: {folder} holds no run and no comparison; a folder written by train or compare is needed; "
            "check the path"
        )
    page = write(folder)
    _print_table(folder, as_json)
    if not as_json:
        console().print(f"report {page}", highlight=False, soft_wrap=True)


def _family(env: str, pairs: Sequence[str]) -> Any:
    options = {k: _number(v) for k, v in _pairs("--env-set", pairs).items()}
    try:
        family = environments.get(env, **options)
    except EnvironmentFault as fault:  # no such file, or one that does not run: another command line is needed
        raise UnknownNameError(str(fault)) from fault
    except TypeError as error:
        raise UnknownNameError(
            f"get: {env!r} cannot be made with {options or 'no options'} ({error}); it needs all of its options; "
            "give them with --env-set NAME=VALUE"
        ) from error
    if not isinstance(family, Family):
        raise UnknownNameError(
            f"get: {env!r} made a {type(family).__name__}; a family is needed, with name, horizon, options, tasks, "
            "make, words and actions; see docs/environments.md"
        )
    return family


def _prepare(family: Any, bars: Bars) -> None:
    """Makes what a family makes once, before anything else: games, say."""
    if isinstance(family, Preparing):
        family.prepare(lambda done, of: bars.show(family.name, "", done, of, "games made"))
        bars.end(family.name)


def die_with_parent() -> None:
    """A run of a comparison ends when the comparison is killed, so that a repeated one finds its folder free.

    Linux does that by itself once asked; elsewhere the run ends at the next line that it cannot print.
    """
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if PARENT in os.environ and os.getppid() != int(os.environ[PARENT]):
        sys.exit(1)  # it was killed before we asked


def _config(env: str, policy: str | None, iterations: int | None, steps: int | None, pairs: Sequence[str]) -> Any:
    from guerdon.training.config import preset

    config = preset(env, policy).changed(_pairs("--set", pairs))
    if iterations is not None:
        return config.changed({"iterations": iterations, "steps": None})
    return config.changed({"steps": steps}) if steps is not None else config


def _pairs(option: str, pairs: Sequence[str]) -> dict[str, str]:
    out_: dict[str, str] = {}
    for pair in pairs:
        name, equals, value = pair.partition("=")
        if not equals:
            raise UnknownNameError(
                f"{option}: {pair!r} was given; NAME=VALUE is needed; write it like {option} {pair}=1"
            )
        out_[name] = value
    return out_


def _number(text: str) -> Any:
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            continue
    return text


def _now(metrics: Mapping[str, Any]) -> str:
    said = f"success {metrics['success'] or 0:.0%}"
    if "milestones" in metrics:
        said += f"  milestones {metrics['milestones']:.2f}"
    return said


def _show(bars: Bars, config: Any) -> Any:
    total = config.steps or config.iterations

    def watch(run: Any, metrics: Mapping[str, Any]) -> None:
        doing = metrics.get("doing", "")
        bars.show(run.recipe.name, doing, min(_done(run), total), total, "" if doing else _now(metrics))

    return watch


def _print_line(config: Any) -> Any:
    total = config.steps or config.iterations

    def watch(run: Any, metrics: Mapping[str, Any]) -> None:
        doing = metrics.get("doing", "")
        line = {"done": min(_done(run), total), "doing": doing, "now": "" if doing else _now(metrics)}
        print(json.dumps(line), flush=True)

    return watch


def _read_line(line: str) -> dict[str, Any] | None:
    """What `_print_line` printed, or None for anything else that a run may say."""
    if not line.startswith('{"done"'):
        return None
    try:
        return json.loads(line)
    except ValueError:  # torn by a kill
        return None


def _done(run: Any) -> int:
    return run.env_steps if run.config.steps else run.iteration


def _print_table(folder: Path, as_json: bool) -> None:
    rows = [row.as_dict() for row in table_of(folder)]
    if as_json:
        print(json.dumps(rows))
        return
    table = Table(box=None, header_style="bold", pad_edge=False)
    heads = {
        "method": "recipe",
        "role": "role",
        "told": "told",
        "seeds": "seeds",
        "success": "success",
        "interval": "interval",
        "env_steps": "steps",
    }
    for head in heads.values():
        table.add_column(head, overflow="fold")
    for row in rows:
        table.add_row(*[_cell(row, key) for key in heads])
    console().print(table)


def _cell(row: Mapping[str, Any], key: str) -> str:
    if key == "interval":
        return "-" if row.get("low") is None else f"[{row['low']:.0%}, {row['high']:.0%}]"
    value = row.get(key)
    if value is None:
        return "-"
    return f"{value:.1%}" if key == "success" else f"{value:,.0f}" if key == "env_steps" else str(value)
