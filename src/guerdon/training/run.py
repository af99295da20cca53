"""A run: what it trains, where it writes, and how it goes on after it was stopped."""

from __future__ import annotations

import copy
import os
import platform
import shlex
import shutil
import sys
import time
from collections.abc import Mapping
from contextlib import nullcontext
from dataclasses import dataclass, field
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors import SafetensorError

from guerdon import store
from guerdon.batch import Batch
from guerdon.environments.base import Family, Seen
from guerdon.environments.vector import Vector
from guerdon.environments.vector import of as vector_of
from guerdon.errors import ColumnError, DivergedError, RunFolderError
from guerdon.objectives import KL, Entropy
from guerdon.policies import LanguagePolicy, LastState, WholeHistory, load, small
from guerdon.recipes import Recipe, require
from guerdon.records import Task
from guerdon.rollouts import repeated
from guerdon.training import checkpoints
from guerdon.training.board import Board
from guerdon.training.config import Config
from guerdon.training.critic import ValueModel
from guerdon.training.update import unmet
from guerdon.training.workers import Workers

DRAW, SAMPLE, SPLIT, TEST, WARM = range(5)  # what a random stream of an iteration is for
# What every play records, whatever its environment shows.
STANDARD = frozenset((
    "observation", "action", "terminated", "sequence", "outcome", "truncated", "failed", "ended_by",
    "token_id", "sampled", "logprob", "entropy",
))  # fmt: skip


@dataclass
class Run:
    """One recipe, one environment, one seed, one folder.

    Attributes:
        path: a Hugging Face model to train; None for a small one made from a config.
        role: "method", "baseline" or "control", for the report.
    """

    family: Family
    recipe: Recipe
    config: Config
    seed: int
    folder: Path
    path: str | None = None
    role: str = "method"
    policy: LanguagePolicy = field(init=False)
    vector: Vector = field(init=False)
    iteration: int = field(init=False, default=0)
    env_steps: int = field(init=False, default=0)
    tokens: int = field(init=False, default=0)
    seconds: float = field(init=False, default=0.0)
    warm_up: dict[str, Any] = field(init=False, default_factory=dict)
    ready: bool = field(init=False, default=False)  # warmed up, and its first checkpoint written
    batch: Batch | None = field(init=False, default=None)  # the last one that was trained on
    board: Board = field(init=False)

    def __post_init__(self) -> None:
        if self.config.threads:
            torch.set_num_threads(self.config.threads)
        self.workers = Workers()
        self.device = self.workers.device
        self.policy = self._policy()
        self.vector = vector_of(self.family, deadline=self.config.deadline)
        self.train, self.test = list(self.family.tasks("train")), list(self.family.tasks("test"))
        if not self.train:
            raise ValueError(
                f"train: {self.family.name} has no training tasks ({dict(self.family.options)}); at least one "
                "is needed; change the option that says how many"
            )
        self.board = Board(self.folder / "tensorboard")
        self.objective = self.recipe.objective
        if self.config.entropy:
            self.objective = self.objective + Entropy(self.config.entropy)
        if self.config.kl:
            self.objective = self.objective + KL(self.config.kl)
        self.optimizer = torch.optim.AdamW(self.policy.model.parameters(), lr=self.config.lr, weight_decay=0.0)
        self.critic = ValueModel(self.policy, self.recipe, self.seed) if self.recipe.critic else None
        self.reference: Any = None

    def _policy(self) -> LanguagePolicy:
        c = self.config
        reading = WholeHistory() if c.history else LastState(c.memory)
        common = {"context": reading, "temperature": c.temperature, "most": c.most}
        if self.path:
            return load(self.path, device=self.device, **common)
        policy = small(
            self.family.words(),
            width=c.width,
            layers=c.layers,
            heads=c.heads,
            longest=c.longest,
            seed=self.seed,
            **common,
        )
        policy.model.to(self.device)
        return policy

    # Randomness: a stream for each purpose of each iteration, so nothing depends on what ran before.

    def rng(self, purpose: int, iteration: int) -> np.random.Generator:
        """A numpy generator for one purpose of one iteration."""
        return np.random.default_rng((self.seed, iteration, purpose))

    def generator(self, purpose: int, iteration: int) -> torch.Generator:
        """A torch generator for one purpose of one iteration; each process of a run has its own."""
        return torch.Generator().manual_seed(int(self.rng(purpose, iteration).integers(1 << 62)) + self.workers.rank)

    def draw(self, iteration: int) -> tuple[list[Task], list[int]]:
        """This process's tasks of an iteration, each repeated for its group. A pass over the tasks has each once."""
        n, per = len(self.train), self.config.prompts
        places = range(iteration * per, (iteration + 1) * per)
        order = {lap: self.rng(DRAW, lap).permutation(n) for lap in {p // n for p in places}}
        return repeated([self.train[order[p // n][p % n]] for p in self.workers.share(list(places))], self.config.plays)

    def precision(self) -> Any:
        """bf16 where there is a GPU, float32 on a CPU."""
        return torch.autocast("cuda", torch.bfloat16) if self.device.startswith("cuda") else nullcontext()

    @property
    def over(self) -> bool:
        """True when the budget of steps or of iterations is spent."""
        spent = self.config.steps is not None and self.env_steps >= self.config.steps
        return spent or (self.config.steps is None and self.iteration >= self.config.iterations)

    # The folder.

    @property
    def identity(self) -> dict[str, Any]:
        """What makes this the same run as another."""
        return {
            "recipe": self.recipe.name,
            "env": self.family.name,
            "env_options": dict(self.family.options),
            "seed": self.seed,
            "policy": self.path,
            "config": self.config.asdict(),
        }

    def open(self, resume: bool) -> None:
        """Takes the folder: begins in an empty one, goes on in its own, refuses another's."""
        if self.workers.first:
            self._take(resume)
        self.workers.wait()
        if resume:
            self._restore()

    def _take(self, resume: bool) -> None:
        record = self.folder / "run.json"
        for place in (self.folder, self.folder / "checkpoints", self.folder / "batches"):
            store.sweep(place)  # what a killed writer left
        if record.exists():
            self._same(store.read_json(record))
            if not resume:
                raise RunFolderError(
                    f"train: {self.folder} already holds this run; an empty folder is needed; "
                    "add --resume to go on with it, or give another --out"
                )
            return
        if self.folder.exists() and any(self.folder.iterdir()):
            raise RunFolderError(
                f"train: {self.folder} holds files that are not a run of Guerdon; an empty folder is needed; "
                "give another --out"
            )
        self._can_train()
        program = "guerdon" if Path(sys.argv[0]).stem in ("guerdon", "__main__") else sys.argv[0]
        about = {**self.about, "command": shlex.join([program, *sys.argv[1:]])}
        store.write_json(
            record, {"guerdon": version("guerdon"), **about, "versions": _versions(), "machine": _machine()}
        )

    @property
    def about(self) -> dict[str, Any]:
        """The identity, and what the report says beside it."""
        others = {r: getattr(self.recipe, r) for r in ("baseline", "control")}
        names = {r: other.name if other is not None else None for r, other in others.items()}
        return {**self.identity, "role": self.role, "told": self.recipe.told, **names}

    def columns(self) -> set[str]:
        """The columns that plays of this environment record: seen in one step of one play."""
        vector = vector_of(self.family, deadline=self.config.deadline)  # of its own, so that training begins afresh
        try:
            seen = vector.reset(self.train[:1])[0]
            if isinstance(seen, Seen):
                choices = self.family.actions() or str(seen.facts.get("admissible_commands") or "").split("; ")
                seen = vector.step({0: choices[0]})[0]
        finally:
            vector.close()
        if not isinstance(seen, Seen):  # a play that fails is a record; what it would have shown is not known
            return set(self.recipe.needs)
        named = {"state": seen.state, "next_state": seen.state, "reward": seen.reward}
        observed = {observer.name for observer in self.recipe.reward.observers}
        return STANDARD | observed | set(seen.facts) | {name for name, value in named.items() if value is not None}

    def _can_train(self) -> None:
        """Raises ColumnError, before the first rollout, unless credit and objective have all that they read."""
        columns = self.columns()
        require(self.recipe, columns)
        lacking = unmet(self.objective.needs, columns)
        if lacking and columns != set(self.recipe.needs):  # where the first play failed nothing is known of columns
            raise ColumnError(
                f"recipe {self.recipe.name}: its objective reads {', '.join(map(repr, lacking))}, which neither this "
                "trainer nor the environment has; a host that fills it is needed; choose another recipe or objective"
            )

    def _same(self, other: Mapping[str, Any]) -> None:
        changed = [k for k, v in self.identity.items() if _plain(other.get(k)) != _plain(v)]
        if changed:
            was = {k: other.get(k) for k in changed if k != "config"}
            if "config" in changed:
                mine, theirs = self.identity["config"], other.get("config") or {}
                was |= {k: theirs.get(k) for k in mine if _plain(theirs.get(k)) != _plain(mine[k])}
            raise RunFolderError(
                f"train: {self.folder} holds another run ({', '.join(f'{k}={v}' for k, v in was.items())}); "
                "a folder of its own is needed for each run; give another --out"
            )

    def save(self) -> None:
        """Writes a checkpoint of everything that the next iteration depends on."""
        self.ready = True
        if not self.workers.first:
            return
        state = {
            "model": self.policy.model.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "critic": self.critic.state_dict() if self.critic else None,
            "reference": self.reference.state_dict() if self.reference is not None else None,
            "counts": {"env_steps": self.env_steps, "tokens": self.tokens, "seconds": self.seconds},
            "warm_up": self.warm_up,
        }
        checkpoints.save(self.folder / "checkpoints", self.iteration, state)

    def _restore(self) -> None:
        path = checkpoints.newest(self.folder / "checkpoints")
        if path is None:  # stopped before the first checkpoint: nothing to go on from
            return
        state = checkpoints.load(path)
        self.policy.model.load_state_dict(state["model"])
        self.optimizer.load_state_dict(state["optimizer"])
        if self.critic:
            self.critic.load_state_dict(state["critic"])
        if state["reference"] is not None:
            self.keep_reference()
            self.reference.load_state_dict(state["reference"])
        self.ready = True
        self.iteration, self.warm_up = state["iteration"], state["warm_up"]
        self.env_steps, self.tokens, self.seconds = (state["counts"][k] for k in ("env_steps", "tokens", "seconds"))
        if self.workers.first:
            store.truncate_metrics(self.folder / "metrics.jsonl", self.iteration)
            self.board.purge(self.iteration)

    def keep_reference(self) -> None:
        """Keeps a copy of the policy as it is now, for KL terms."""
        if "ref_logprob" in self.objective.needs:
            self.reference = copy.deepcopy(self.policy.model).requires_grad_(False)

    def keep_batch(self, batch: Batch, name: str | None = None) -> None:
        """Writes the batch of this iteration beside the metrics."""
        folder = self.folder / "batches"
        folder.mkdir(exist_ok=True)
        store.write_batch(folder / f"{name or format(self.iteration, '06d')}.parquet", batch)

    def keep_policy(self) -> None:
        """Writes the policy beside the metrics, as Hugging Face loads it, whole or not at all."""
        folder, part = self.folder / "policy", self.folder / ".policy.part"
        try:
            shutil.rmtree(part, ignore_errors=True)
            self.policy.save(part)
            shutil.rmtree(folder, ignore_errors=True)
            part.rename(folder)
        except (OSError, SafetensorError) as error:
            shutil.rmtree(part, ignore_errors=True)
            raise RunFolderError(
                f"train: cannot write {folder} ({error}); room for the policy and leave to write are needed; "
                "free some space, then go on with --resume"
            ) from error

    def diverged(self, error: DivergedError) -> DivergedError:
        """Keeps the last batch that was trained on, and says where it is."""
        if self.batch is None or not self.workers.first:
            return error
        self.keep_batch(self.batch, "diverged")
        return DivergedError(f"{error}; the batch is in {self.folder / 'batches' / 'diverged.parquet'}")

    def close(self) -> None:
        """Ends the environments."""
        self.vector.close()
        self.board.close()


class Clock:
    """Adds the seconds that pass inside it to a run."""

    def __init__(self, run: Run) -> None:
        self.run = run

    def __enter__(self) -> None:
        self.began = time.perf_counter()

    def __exit__(self, *_: object) -> None:
        self.run.seconds += time.perf_counter() - self.began


def _plain(value: Any) -> Any:
    """The value as it comes back from JSON."""
    if isinstance(value, Mapping):
        return {k: _plain(v) for k, v in value.items()}
    return [_plain(v) for v in value] if isinstance(value, list | tuple) else value


def _versions() -> dict[str, str]:
    out = {"python": platform.python_version()}
    for name in ("numpy", "torch", "transformers", "pyarrow"):
        try:
            out[name] = version(name)
        except PackageNotFoundError:
            continue
    return out


def _machine() -> dict[str, Any]:
    gpu = torch.cuda.get_device_name() if torch.cuda.is_available() else None
    return {"cores": os.cpu_count(), "system": platform.platform(), "gpu": gpu}
