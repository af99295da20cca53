"""The whole measurement: every rule in every world at every stage, on several processes, kept in one folder."""

from __future__ import annotations

import ctypes
import json
import multiprocessing
import os
import platform
import signal
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from importlib.metadata import version
from math import exp
from pathlib import Path
from typing import Any

import numpy as np

from guerdon import store
from guerdon.bench import rules, worlds
from guerdon.bench.measure import LEFT, TARGET, Options, measure
from guerdon.bench.signals import SIGNALS
from guerdon.bench.stages import SHARES, Stage, stages
from guerdon.errors import RunFolderError

THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
RESULTS = "results.json"
PR_SET_PDEATHSIG = 1
Tell = Callable[[str, float, int], None]  # a pair's name, the budget that it is at, how many rules are left


@dataclass(frozen=True)
class Job:
    """One world under one policy."""

    world: str
    stage: Stage
    names: tuple[str, ...]
    options: Options

    @property
    def name(self) -> str:
        """For the progress."""
        return _place(Path(), self.world, self.stage.name).stem


def study(
    folder: str | Path, names: list[str] | None, wanted: list[str] | None, options: Options, command: str,
    tell: Tell, at_once: int | None = None,
) -> dict[str, Any]:  # fmt: skip
    """Measures, and writes `results.json` into the folder.

    What one world and stage gave is kept under `parts/` as soon as it is there; the same command in the same folder
    does what is left.

    Args:
        folder: where to write.
        names: recipes; None for all.
        wanted: worlds; None for the built-in ones.
        command: the command line, for the record.
        tell: called now and then.
        at_once: processes; one a core by default.

    Returns:
        What stands in `results.json`.

    Raises:
        UnknownNameError: there is no such recipe or world.
        RunFolderError: the folder holds something else.
    """
    folder, began = Path(folder), time.perf_counter()
    found = rules.find(names)
    wanted = wanted or list(worlds.WORLDS)
    made = {name: worlds.get(name) for name in wanted}
    record = {
        "kind": "bench credit", "guerdon": version("guerdon"), "recipes": [one.name for one in found],
        "worlds": wanted, **asdict(options),
    }  # fmt: skip
    _take(folder, record)
    parts = _parts(folder, wanted, [one.name for one in found], options, tell, at_once or os.cpu_count() or 1)
    results = {
        **record, "command": command, "target": TARGET, "seconds": time.perf_counter() - began,
        "machine": {"cores": os.cpu_count(), "system": platform.platform(), "processor": _processor()},
        "versions": {"python": platform.python_version(), "numpy": np.__version__},
        "left": LEFT, "signals": {name: signal.says for name, signal in SIGNALS.items()},
        "rules": {one.name: _about(one) for one in found},
        "measured": {
            name: {"about": _first_line(name), "states": len(world.key), "keys": world.keys, "actions": world.actions,
                   "horizon": world.horizon, "stages": {p["stage"]: _of_stage(p) for p in parts if p["world"] == name}}
            for name, world in made.items()
        },
        "not_measured": _reasons(parts),
        "rows": [{"world": p["world"], "stage": p["stage"], **row} for p in parts for row in p["rows"]],
    }  # fmt: skip
    results["summary"] = summary(results["rows"])
    write(folder / RESULTS, results)
    return results


def summary(rows: list[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Each rule over all worlds and stages.

        ratio = exp(mean of log ratio),   its 95 % interval from those of the pairs, taken as independent

    Returns:
        For each recipe and view: `ratio` to the reference with `low` and `high`, the `worst` pair, in how many `pairs`
        it was measured and in how many it `reached` the target.

    Example:
        >>> ratio = {"value": 4.0, "low": 2.0, "high": 8.0}
        >>> row = {"recipe": "a", "view": "", "world": "w", "stage": "s", "budget": {"steps": 8.0}, "ratio": ratio}
        >>> found = summary([row, {**row, "ratio": {"value": 1.0, "low": 1.0, "high": 1.0}}])[0]
        >>> found["ratio"], found["worst"]["value"]
        (2.0, 1.0)
    """
    out: dict[tuple[str, str], list[Mapping[str, Any]]] = {}
    for row in rows:
        out.setdefault((row["recipe"], row["view"]), []).append(row)
    found = []
    for (recipe, view), own in out.items():
        compared = [row for row in own if row["ratio"] and row["ratio"]["value"]]
        logs = np.log(
            [[row["ratio"][k] or np.nan for k in ("value", "low", "high")] for row in compared] or [[1.0] * 3]
        )
        middle = float(logs[:, 0].mean())
        half = float(np.sqrt(np.nansum(((logs[:, 2] - logs[:, 1]) / 2) ** 2)) / len(logs))
        low = min(compared, key=lambda row: row["ratio"]["value"], default=None)
        found.append({
            "recipe": recipe, "view": view, "pairs": len(own),
            "reached": sum(row["budget"]["steps"] is not None for row in own),
            "ratio": exp(middle) if compared else None,
            "low": exp(middle - half) if compared else None, "high": exp(middle + half) if compared else None,
            "worst": {"world": low["world"], "stage": low["stage"], **low["ratio"]} if low else None,
        })  # fmt: skip
    return found


def write(path: Path, results: Mapping[str, Any]) -> None:
    """Writes JSON atomically, four digits a number, one row a line."""
    plain = _short(results)
    rows = plain.pop("rows", [])
    head = json.dumps(plain, indent=1, ensure_ascii=False)[:-2]
    lines = ",\n".join(json.dumps(row, ensure_ascii=False, separators=(",", ":")) for row in rows)
    store.write_bytes(path, f'{head},\n "rows": [\n{lines}\n]\n}}\n'.encode())


def _parts(
    folder: Path, wanted: list[str], names: list[str], options: Options, tell: Tell, at_once: int
) -> list[dict[str, Any]]:
    """The parts of all worlds and stages, those that are there from the folder."""
    context = multiprocessing.get_context("spawn")
    news = context.SimpleQueue()
    done = {(world, stage): store.read_json(path) for world in wanted for stage in SHARES
            if (path := _place(folder, world, stage)).exists()}  # fmt: skip
    left = [world for world in wanted if any((world, stage) not in done for stage in SHARES)]
    with _one_thread(), _stopping(ProcessPoolExecutor(at_once, context, _listen, (news,))) as pool:
        waiting: dict[Future, tuple[str, str] | None] = {pool.submit(_stages, world): None for world in left}
        while waiting:
            ready, _ = wait(waiting, timeout=0.3, return_when=FIRST_COMPLETED)
            while not news.empty():
                tell(*news.get())
            for future in ready:
                key = waiting.pop(future)
                if key is None:
                    for job in (Job(*one, tuple(names), options) for one in future.result()):
                        if (job.world, job.stage.name) not in done:
                            path = _place(folder, job.world, job.stage.name)
                            waiting[pool.submit(_part, job, path)] = job.world, job.stage.name
                else:
                    done[key] = future.result()
    order = {name: i for i, name in enumerate(wanted)}
    return [done[key] for key in sorted(done, key=lambda k: (order[k[0]], done[k]["share"]))]


def _place(folder: Path, world: str, stage: str) -> Path:
    """Where the part of one world and stage lies."""
    return folder / "parts" / f"{world.rpartition(':')[2]}-{stage}.json"


_NEWS: list[Any] = []


def _listen(news: Any) -> None:
    """A new process: where it tells its news; and that it ends when the one that began it is killed."""
    _NEWS.append(news)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the process that began it, which ends this one
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


def _stages(world: str) -> list[tuple[str, Stage]]:
    return [(world, stage) for stage in stages(worlds.get(world))[0]]


def _part(job: Job, path: Path) -> dict[str, Any]:
    began, spent, news = time.perf_counter(), time.process_time(), _NEWS[0]

    def tell(level: Any, left: int) -> None:
        news.put((job.name, level.budget, left))

    found = measure(worlds.get(job.world), job.stage, rules.find(list(job.names)), job.options, tell)
    part = _short({
        "world": job.world, "stage": job.stage.name, "share": job.stage.share,
        "seconds": time.perf_counter() - began, "processor_seconds": time.process_time() - spent, **found,
    })  # fmt: skip
    write(path, part)
    news.put((job.name, 0.0, 0))
    return part


def _take(folder: Path, record: Mapping[str, Any]) -> None:
    """Takes the folder: an empty one, or one of the same measurement."""
    own = folder / "credit.json"
    if own.exists():
        if store.read_json(own) != json.loads(json.dumps(record)):
            raise RunFolderError(
                f"bench credit: {folder} holds a measurement of other recipes, worlds or options; a folder of its own "
                "is needed for each; give another --out"
            )
    elif folder.exists() and any(folder.iterdir()):
        raise RunFolderError(
            f"bench credit: {folder} holds files that are not a measurement; an empty folder is needed; "
            "give another --out"
        )
    store.write_json(own, record)
    store.sweep(folder / "parts")


def _about(one: rules.Rule) -> dict[str, Any]:
    given = sorted(one.needs & set(SIGNALS))
    return {"title": one.title, "told": one.told, "needs": sorted(one.needs), "supplied": given}


def _of_stage(part: Mapping[str, Any]) -> dict[str, Any]:
    return {name: part[name] for name in ("share", "return", "steps_per_play", "seconds", "processor_seconds")}


def _reasons(parts: list[dict[str, Any]]) -> dict[str, dict[str, list[str]]]:
    """Why a rule was not measured, and in which worlds."""
    out: dict[str, dict[str, list[str]]] = {}
    for part in parts:
        for name, why in part["not_measured"].items():
            where = out.setdefault(name, {}).setdefault(why, [])
            if part["world"] not in where:
                where.append(part["world"])
    return out


def _first_line(name: str) -> str:
    made = worlds.WORLDS.get(name)
    return (made.__doc__ or "").strip().split("\n")[0] if made else "a world of your own"


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor()
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), "")


def _short(value: Any) -> Any:
    """The value as JSON has it: four digits a fraction, null for what is not finite."""
    if isinstance(value, Mapping):
        return {str(k): _short(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [_short(v) for v in value]
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, float):
        return float(f"{value:.4g}") if np.isfinite(value) else None
    return value


@contextmanager
def _stopping(pool: ProcessPoolExecutor) -> Iterator[ProcessPoolExecutor]:
    """The pool; where it is left by an error or by Ctrl-C, what it is doing is stopped, not waited for."""
    before, through = set(multiprocessing.active_children()), False
    try:
        yield pool
        through = True
    finally:
        for child in () if through else set(multiprocessing.active_children()) - before:
            child.kill()
        pool.shutdown(cancel_futures=True)


@contextmanager
def _one_thread() -> Iterator[None]:
    """Processes that begin inside compute on one thread each."""
    before = {name: os.environ.get(name) for name in THREADS}
    os.environ.update(dict.fromkeys(THREADS, "1"))
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value
