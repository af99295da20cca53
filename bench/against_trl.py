"""One optimiser step of GRPO, here and in TRL: the same job, timed in turn in one process.

    python bench/against_trl.py                      # one and two threads
    python bench/against_trl.py --threads 1 --json

The job: read every prompt, sample `plays` completions of a fixed length for each, score them
with one reward function, take one optimiser step on all of them. Model, tokenizer, prompts,
reward function, float32, threads and Adam are the same. No end token cuts a completion.

    rate = sampled tokens / seconds of generate, score and update

Reported is the median rate of alternating steps after a warm-up step of each. TRL generates
with transformers; on a CPU there is no vLLM. Its steps run in one `trainer.train()`, and ours
between them.
"""

from __future__ import annotations

import argparse
import gc
import json
import statistics
import tempfile
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from guerdon import recipes
from guerdon.environments.base import Seen
from guerdon.policies import small
from guerdon.policies.score import logprobs
from guerdon.policies.tokens import SAY
from guerdon.records import Task
from guerdon.training.config import Config
from guerdon.training.loop import gather, learn
from guerdon.training.measure import measure
from guerdon.training.run import Run


@dataclass(frozen=True)
class Job:
    """What both do.

    Attributes:
        prompts, plays: how many prompts, and completions of each.
        read, say: tokens of a prompt and of a completion.
        width, layers, vocabulary: of the model, a Llama.
        lr: of Adam; small, since the policy is not the point.
    """

    prompts: int = 8
    plays: int = 8
    read: int = 32
    say: int = 64
    width: int = 64
    layers: int = 2
    vocabulary: int = 400
    lr: float = 1e-4

    @property
    def words(self) -> list[str]:
        """The vocabulary; four more tokens are marks of the format."""
        return [f"w{i}" for i in range(self.vocabulary - 4)]

    @property
    def texts(self) -> list[str]:
        """The prompts, less the mark that follows each."""
        rng = np.random.default_rng(0)
        return [" ".join(rng.choice(self.words, self.read - 1)) for _ in range(self.prompts)]


def worth(text: str) -> float:
    """The reward function of both: the share of a completion's words that are not repeats."""
    words = text.split()
    return len(set(words)) / max(len(words), 1)


@dataclass(frozen=True)
class OneTurn:
    """The job as a family of environments: a prompt, an answer, the end."""

    job: Job
    name: str = "one-turn"
    horizon: int = 1
    trusted = True

    @property
    def options(self) -> dict[str, Any]:
        return asdict(self.job)

    def tasks(self, split: str) -> list[Task]:
        return [Task(text) for text in self.job.texts]

    def make(self) -> OneTurnPlay:
        return OneTurnPlay()

    def words(self) -> list[str]:
        return self.job.words

    def actions(self) -> list[str]:
        return []


class OneTurnPlay:
    """One play of it."""

    def reset(self, task: Task) -> Seen:
        return Seen(task.prompt)

    def step(self, action: str) -> Seen:
        value = worth(action)
        return Seen("", reward=value, terminated=True, outcome=value)

    def expert(self) -> str:
        return ""

    def close(self) -> None:
        """Nothing is held."""


@dataclass(frozen=True)
class Took:
    """The seconds of one step: generating (and here scoring) and the rest, and the tokens that were sampled."""

    generate: float
    rest: float
    tokens: int

    @property
    def rate(self) -> float:
        return self.tokens / (self.generate + self.rest)


class Ours:
    """Guerdon's own loop, one iteration at a time."""

    def __init__(self, job: Job, model: Path, folder: Path, threads: int) -> None:
        config = Config(
            prompts=job.prompts, plays=job.plays, minibatches=1, lr=job.lr, most=job.say, threads=threads,
        )  # fmt: skip
        self.run = Run(OneTurn(job), recipes.get("grpo"), config, 0, folder, path=str(model))
        self.run.policy.format.ends = frozenset()

    def step(self) -> Took:
        """One iteration of the loop, its metrics included, nothing written to disk."""
        began = time.perf_counter()
        batch = gather(self.run)
        played = time.perf_counter()
        measure(self.run, batch, learn(self.run, batch))
        ended = time.perf_counter()
        return Took(played - began, ended - played, int(batch["sampled"].values.sum()))

    def check(self, job: Job) -> dict[str, Any]:
        """That the job is the job: completions of one length, and log-probabilities that agree when recomputed."""
        batch = gather(self.run)
        sampled = batch["sampled"].values
        length = np.bincount(batch.step_of_token[sampled])
        read = np.bincount(batch.step_of_token[~sampled])
        if set(length) != {job.say} or set(read) != {job.read}:
            raise SystemExit(f"against_trl: ours read {set(read)} and said {set(length)} tokens; not the job {job}")
        again = logprobs(self.run.policy.model, batch)[sampled]
        prompts = [t.tolist() for t in np.split(batch["token_id"].values[~sampled], len(read))[:: job.plays]]
        self.run.policy.forget()
        return {
            "worst_logprob_difference": float(np.abs(again - batch["logprob"].values[sampled]).max()),
            "prompts": sorted(prompts),
        }


class TRL:
    """GRPOTrainer, its steps timed by callbacks; `between` runs before each step, outside its time."""

    def __init__(self, job: Job, model: Path, folder: Path, cache: str | None, steps: int) -> None:
        from datasets import Dataset
        from transformers import AutoModelForCausalLM, AutoTokenizer
        from trl import GRPOConfig, GRPOTrainer

        config = GRPOConfig(
            output_dir=str(folder),
            per_device_train_batch_size=job.prompts * job.plays, gradient_accumulation_steps=1,
            num_generations=job.plays, max_completion_length=job.say, max_steps=steps, num_iterations=1,
            learning_rate=job.lr, lr_scheduler_type="constant", max_grad_norm=1.0, weight_decay=0.0,
            optim="adamw_torch", beta=0.0, epsilon=0.2, loss_type="grpo", scale_rewards="group",
            temperature=1.0, top_k=0, top_p=1.0, generation_kwargs={"min_new_tokens": job.say},
            cache_implementation=cache, use_vllm=False, gradient_checkpointing=False,
            bf16=False, fp16=False, use_cpu=True, dataloader_num_workers=0, dataloader_pin_memory=False,
            save_strategy="no", logging_strategy="no", report_to="none", disable_tqdm=True, seed=0,
        )  # fmt: skip
        tokenizer = AutoTokenizer.from_pretrained(model)
        texts = [f"{text} {SAY}" for text in job.texts]
        self.prompts = sorted(tokenizer.encode(t, add_special_tokens=False) for t in texts)
        self.lengths: set[int] = set()
        self.took: list[Took] = []
        self.generating = 0.0
        self.trainer = GRPOTrainer(
            model=AutoModelForCausalLM.from_pretrained(model, dtype=torch.float32),
            reward_funcs=self.reward,
            args=config,
            train_dataset=Dataset.from_dict({"prompt": texts}),
            processing_class=tokenizer,
        )
        self.tokens = 0

    def reward(self, completions: list[str], completion_ids: list[list[int]], **_: Any) -> list[float]:
        """The reward function; it also looks at how long the completions are."""
        self.lengths |= {len(ids) for ids in completion_ids}
        self.tokens = sum(len(ids) for ids in completion_ids)
        return [worth(text) for text in completions]

    def train(self, between: Callable[[], None]) -> list[Took]:
        """All steps in one `train()`, each after a call of `between`."""
        from transformers import TrainerCallback

        inner = self.trainer._generate

        def generate(*args: Any, **kw: Any) -> Any:
            began = time.perf_counter()
            out = inner(*args, **kw)
            self.generating = time.perf_counter() - began
            return out

        bench = self

        class Clock(TrainerCallback):
            """Starts before generation and stops after the optimiser step."""

            def on_step_begin(self, *_: Any, **__: Any) -> None:
                between()
                gc.collect()
                self.began = time.perf_counter()

            def on_step_end(self, *_: Any, **__: Any) -> None:
                whole = time.perf_counter() - self.began
                bench.took.append(Took(bench.generating, whole - bench.generating, bench.tokens))

        self.trainer._generate = generate
        self.trainer.add_callback(Clock())
        self.trainer.train()
        return self.took


def compare(job: Job, threads: int, repeats: int, cache: str | None = None) -> dict[str, Any]:
    """Alternating steps of both, after a warm-up step of each, and what they say."""
    torch.set_num_threads(threads)
    with tempfile.TemporaryDirectory() as folder:
        model = Path(folder) / "model"
        longest = job.read + job.say
        small(job.words, width=job.width, layers=job.layers, longest=longest).save(model)
        ours = Ours(job, model, Path(folder) / "run", threads)
        checked = ours.check(job)
        theirs = TRL(job, model, Path(folder) / "trl", cache, repeats + 1)
        if checked.pop("prompts") != theirs.prompts:
            raise SystemExit("against_trl: the two read different prompts; not the same job")
        took: list[Took] = []

        def one() -> None:
            gc.collect()
            took.append(ours.step())

        other = theirs.train(one)
    want = job.prompts * job.plays * job.say
    if theirs.lengths != {job.say} or {t.tokens for t in (*took, *other)} != {want}:
        raise SystemExit(f"against_trl: completions of {theirs.lengths} tokens in TRL; not the same job")
    return {"threads": threads, "tokens": want, **checked, **_summary(took[1:], other[1:])}


def _summary(ours: list[Took], trl: list[Took]) -> dict[str, Any]:
    pairs = [a.rate / b.rate for a, b in zip(ours, trl, strict=True)]
    out: dict[str, Any] = {}
    for name, took in (("ours", ours), ("trl", trl)):
        rates = [t.rate for t in took]
        out[name] = {
            "rate": statistics.median(rates),
            "low": min(rates),
            "high": max(rates),
            "generate": statistics.median(t.generate for t in took),
            "rest": statistics.median(t.rest for t in took),
            "rates": rates,
        }
    ratio = out["ours"]["rate"] / out["trl"]["rate"]
    return out | {"ratio": ratio, "ratio_low": min(pairs), "ratio_high": max(pairs)}


def table(rows: list[dict[str, Any]]) -> str:
    """The results as text."""
    head = f"{'threads':>7} {'':>5} {'tokens/s':>9} {'from':>8} {'to':>8} {'generate s':>11} {'rest s':>7}"
    lines = [head]
    for row in rows:
        for name in ("ours", "trl"):
            r = row[name]
            lines.append(
                f"{row['threads']:>7} {name:>5} {r['rate']:>9.0f} {r['low']:>8.0f} {r['high']:>8.0f} "
                f"{r['generate']:>11.3f} {r['rest']:>7.3f}"
            )
        lines.append(
            f"{'':>7} ratio of medians {row['ratio']:.2f} (pairs {row['ratio_low']:.2f} to {row['ratio_high']:.2f}); "
            f"recomputed log-probabilities differ by at most {row['worst_logprob_difference']:.1e}"
        )
    return "\n".join(lines)


def main(arguments: list[str] | None = None) -> list[dict[str, Any]]:
    """Runs the comparison and prints it."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--threads", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--repeats", type=int, default=5, help="timed steps of each")
    parser.add_argument("--cache", default=None, help="TRL's cache_implementation, such as static; default: dynamic")
    parser.add_argument("--json", action="store_true", help="print JSON in place of the table")
    for name, value in asdict(Job()).items():
        parser.add_argument(f"--{name}", type=type(value), default=value)
    a = parser.parse_args(arguments)
    job = Job(**{name: getattr(a, name) for name in asdict(Job())})
    rows = [compare(job, threads, a.repeats, a.cache) for threads in a.threads]
    print(json.dumps({"job": asdict(job), "rows": rows}, indent=2) if a.json else table(rows))
    return rows


if __name__ == "__main__":
    main()
