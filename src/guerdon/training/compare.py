"""Several recipes on the same environment, seeds and budget; finished runs are kept."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from guerdon import recipes, store
from guerdon.errors import RunFolderError


@dataclass(frozen=True)
class Job:
    """One run of a comparison."""

    recipe: str
    seed: int
    role: str
    folder: Path

    @property
    def done(self) -> bool:
        """True when it has its summary."""
        return (self.folder / "summary.json").exists()


def jobs(folder: Path, methods: Sequence[str], seeds: Sequence[int], controls: Sequence[str] = ()) -> list[Job]:
    """Every run of a comparison: seed by seed, so that a comparison cut short is still one."""
    roles = {name: "control" if name.endswith("-control") else "method" for name in (*methods, *controls)}
    for method in methods:
        base = recipes.get(method).baseline
        if base is not None and base.name in roles and roles[base.name] == "method":
            roles[base.name] = "baseline"
    return [Job(name, seed, role, folder / name / f"seed-{seed}") for seed in seeds for name, role in roles.items()]


def compare(
    folder: Path,
    methods: Sequence[str],
    seeds: Sequence[int],
    options: Sequence[str],
    *,
    controls: Sequence[str] = (),
    about: dict[str, Any] | None = None,
    at_once: int | None = None,
    watch: Callable[[Job, str], None] = lambda job, line: None,
) -> list[Job]:
    """Trains every recipe with every seed, each in a process of its own; repeated, it does what is left.

    Args:
        options: what each `guerdon train` gets beside recipe, seed and folder: the same for all.
        controls: recipes to run as controls beside the methods, such as "milestones-control".
        about: what identifies the comparison; a folder that holds another one is refused.
        at_once: how many runs at the same time; by default one per core.
        watch: called with "started", with the lines that a run prints, and with "done" or "failed ...".

    Returns:
        The jobs; those that failed have no summary.
    """
    todo = jobs(folder, methods, seeds, controls)
    record, path = {"options": list(options), **(about or {})}, folder / "compare.json"
    if path.exists():
        old = store.read_json(path)
        if {k: old.get(k) for k in record} != record:
            raise RunFolderError(
                f"compare: {folder} holds a comparison with other options; the same ones are needed to go on with it; "
                "give another --out"
            )
    elif folder.exists() and any(folder.iterdir()):
        raise RunFolderError(f"compare: {folder} holds other files; an empty folder is needed; give another --out")
    folder.mkdir(parents=True, exist_ok=True)
    store.write_json(path, {**record, "recipes": list(methods), "controls": list(controls), "seeds": list(seeds)})
    left = [job for job in todo if not job.done]
    lock = threading.Lock()

    def work() -> None:
        while True:
            with lock:
                if not left:
                    return
                job = left.pop(0)
            _run(job, options, watch)

    many = min(at_once or os.cpu_count() or 1, len(left))
    workers = [threading.Thread(target=work, daemon=True) for _ in range(many)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    return todo


def _run(job: Job, options: Sequence[str], watch: Callable[[Job, str], None]) -> None:
    job.folder.parent.mkdir(parents=True, exist_ok=True)
    watch(job, "started")
    command = [
        sys.executable, "-m", "guerdon", "train", "--recipe", job.recipe, "--seed", str(job.seed), "--role", job.role,
        "--out", str(job.folder), "--resume", "--lines", *options,
    ]  # fmt: skip
    mine = {**os.environ, "GUERDON_PARENT": str(os.getpid())}
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=mine)
    try:
        for line in process.stdout:
            watch(job, line.rstrip())
        process.wait()
    finally:
        process.kill()  # no effect on one that has ended; without it an interrupted comparison would go on unseen
    watch(job, "done" if process.returncode == 0 else f"failed with exit code {process.returncode}")
