"""The command line in processes of its own: real ones, and cheap ones forked from one that has loaded torch."""

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import guerdon

SOURCE = Path(guerdon.__file__).parents[1]
ENVIRONMENT = {**os.environ, "PYTHONPATH": str(SOURCE), "OMP_NUM_THREADS": "1", "HF_HUB_OFFLINE": "1"}

# A world so small that a run takes a second: one room of nine cells, and the goal.
WORLD = [x for o in ("size=3", "subgoals=1", "horizon=6", "train=4", "test=4") for x in ("--env-set", o)]
SIZES = {
    "prompts": 2, "plays": 4, "minibatches": 2, "width": 16, "layers": 1, "heads": 2, "longest": 64, "most": 4,
    "lr": 0.003, "warm_up_plays": 8, "warm_up_noise": 0.5, "warm_up_epochs": 2, "warm_up_lr": 0.01, "eval_every": 2,
    "eval_plays": 4, "final_plays": 4, "save_every": 3,
}  # fmt: skip


def train(folder, *more, recipe="rloo", iterations=6, **changes):
    """The arguments of a tiny `guerdon train`."""
    sizes = [x for k, v in {**SIZES, **changes}.items() for x in ("--set", f"{k}={v}")]
    return ["train", "--recipe", recipe, "--out", str(folder), "--iterations", str(iterations), *WORLD, *sizes, *more]


def start(arguments, **kw):
    """A process `python -m guerdon ...`."""
    command = [sys.executable, "-m", "guerdon", *map(str, arguments)]
    return subprocess.Popen(command, env=ENVIRONMENT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, **kw)


@dataclass
class Said:
    """What a command said, and its exit code."""

    code: int
    out: str
    err: str


def run(*arguments, **kw):
    """`python -m guerdon ...` to its end."""
    process = start(arguments, **kw)
    out, err = process.communicate(timeout=120)
    return Said(process.returncode, out, err)


SERVER = """
import json, os, resource, sys, traceback
import guerdon.training, guerdon.cli.app, transformers.models.llama.modeling_llama
from guerdon.cli import main
for line in sys.stdin:
    asked = json.loads(line)
    pid = os.fork()
    if pid == 0:
        code = 0
        for fd in (1, 2):
            os.dup2(os.open(asked["said"][fd - 1], os.O_WRONLY | os.O_CREAT | os.O_TRUNC), fd)
        try:
            if asked["limit"]:
                resource.setrlimit(resource.RLIMIT_FSIZE, (asked["limit"],) * 2)
            os.chdir(asked["cwd"])
            sys.argv = ["guerdon", *asked["arguments"]]
            main()
        except SystemExit as stop:
            code = stop.code or 0
        except BaseException:
            traceback.print_exc()
            code = 1
        sys.stdout.flush(), sys.stderr.flush()
        os._exit(code)
    print(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), flush=True)
"""


class Cli:
    """Runs commands in forks of one process that has loaded torch: a process each, without the seconds of loading."""

    def __init__(self, folder):
        self.folder = folder
        self.server = subprocess.Popen(
            [sys.executable, "-c", SERVER],
            env={**ENVIRONMENT, "TERM": "xterm"},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def __call__(self, *arguments, limit=None, cwd="/", err=None):
        said = [str(self.folder / "out"), err or str(self.folder / "err")]
        asked = {"arguments": [str(a) for a in arguments], "limit": limit, "cwd": str(cwd), "said": said}
        self.server.stdin.write(json.dumps(asked) + "\n")
        self.server.stdin.flush()
        code = int(self.server.stdout.readline())
        return Said(code, Path(said[0]).read_text(), "" if err else Path(said[1]).read_text())

    def close(self):
        self.server.stdin.close()
        self.server.wait(30)
