"""Several processes: two on this CPU, started as a user starts them."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from guerdon.training.workers import Workers

# On GPUs `accelerate launch` starts the same launcher; on a CPU it would want MPI.
LAUNCH = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc_per_node", "2"]

HALVES = """
import sys, numpy as np, torch
from guerdon.batch import Batch, Column
from guerdon.environments import get
from guerdon.environments.vector import InProcess
from guerdon.objectives import Clipped
from guerdon.policies import small
from guerdon.rollouts import by_policy, play, repeated
from guerdon.training.config import Config
from guerdon.training.update import update
from guerdon.training.workers import Workers

torch.set_num_threads(1)
workers = Workers()
family = get("keydoor", size=3, subgoals=2, horizon=6)
policy = small(family.words(), width=16, layers=1, heads=2, most=4, seed=0)
tasks, groups = repeated(family.tasks("train")[:4], 3)
plays = play(by_policy(policy, torch.Generator().manual_seed(0)), InProcess(family), tasks, groups)
mine = [t for t in plays if int(t.group) % workers.count == workers.rank]
batch = Batch.of(mine)
group = np.array([int(t.group) for t in mine])[batch.trajectory_of_step]
batch = batch.with_columns(advantage=Column.of("step", np.where(group % 2, 1.0, -0.5)))
optimizer = torch.optim.SGD(policy.model.parameters(), lr=1.0)
said = update(policy.model, optimizer, Clipped(), batch, Config(minibatches=1), 0, workers=workers)
flat = torch.cat([p.detach().flatten() for p in policy.model.parameters()])
torch.save({"weights": flat, "loss": said["loss"]}, f"{sys.argv[1]}/{workers.count}-{workers.rank}.pt")
"""


def test_alone_it_does_nothing():
    workers, p = Workers(), torch.nn.Parameter(torch.ones(2))
    p.grad = torch.full((2,), 3.0)
    workers.add_gradients([p])
    workers.average([p])
    assert workers.first
    assert workers.share([1, 2, 3]) == [1, 2, 3]
    assert workers.add({"a": 1.5}) == {"a": 1.5}
    assert (p.grad.tolist(), p.tolist()) == ([3.0, 3.0], [1.0, 1.0])


def test_shares_are_dealt_out_in_blocks_and_lose_nothing():
    dealt = []
    for rank in range(3):
        workers = Workers()
        workers.rank, workers.count = rank, 3
        dealt.append(workers.share(list(range(8)), size=2))
    assert dealt == [[0, 1, 6, 7], [2, 3], [4, 5]]


def test_two_halves_take_the_step_of_the_whole(tmp_path: Path):
    script = tmp_path / "halves.py"
    script.write_text(HALVES)
    subprocess.run([sys.executable, script, tmp_path], check=True, timeout=120)
    subprocess.run([*LAUNCH, script, tmp_path], check=True, timeout=180, capture_output=True)
    whole, first, second = (torch.load(tmp_path / name) for name in ("1-0.pt", "2-0.pt", "2-1.pt"))
    assert torch.equal(first["weights"], second["weights"])
    assert torch.allclose(first["weights"], whole["weights"], atol=1e-5)
    assert first["loss"] == pytest.approx(whole["loss"], abs=1e-6)


@pytest.mark.slow
def test_a_run_of_two_processes_writes_one_folder(tmp_path: Path):
    sizes = {"prompts": 4, "plays": 2, "final_plays": 8, "eval_plays": 8}
    command = ["-m", "guerdon", "train", "--recipe", "ppo", "--out", str(tmp_path / "run"), "--iterations", "3",
               "--env-set", "size=3", *[x for k, v in sizes.items() for x in ("--set", f"{k}={v}")]]  # fmt: skip
    subprocess.run([*LAUNCH, *command], check=True, timeout=300, capture_output=True)
    lines = [json.loads(line) for line in (tmp_path / "run" / "metrics.jsonl").read_text().splitlines()]
    assert [line["iteration"] for line in lines] == [1, 2, 3]
    assert all(np.isfinite(line["loss"]) for line in lines)
    assert lines[-1]["env_steps"] > 3 * 2 * 2  # the steps of both are counted
    assert (tmp_path / "run" / "summary.json").exists()
