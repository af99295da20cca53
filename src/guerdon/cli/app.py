"""The commands, and how errors become a sentence and an exit code: 1 a failed run, 2 wrong usage."""

from __future__ import annotations

import signal
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from guerdon import errors
from guerdon.cli.bench import bench_app
from guerdon.cli.extras import missing
from guerdon.cli.progress import console
from guerdon.cli.recipes import recipes_app
from guerdon.cli.sandbox import sandbox_app
from guerdon.cli.score import score
from guerdon.cli.serve import serve

app = typer.Typer(add_completion=False, no_args_is_help=True, pretty_exceptions_enable=False, rich_markup_mode=None)

# What click raises on a command line that it cannot read; typer may carry a click of its own, so it is asked for it.
WRONG = typer.BadParameter.__base__
# Wrong usage is what another command line would have avoided; everything else is a run that failed.
INTERRUPTED = 128 + signal.SIGINT
USAGE = (
    errors.UnknownNameError,
    errors.PolicyError,
    errors.MissingExtraError,
    errors.ColumnError,
    errors.RecordError,
    ValueError,
)

Env = Annotated[str, typer.Option("--env", help="keydoor, textworld, or FILE.py:NAME of a family of your own.")]
EnvSet = Annotated[
    list[str] | None, typer.Option("--env-set", help="An option of the environment, NAME=VALUE; repeatable.")
]
Set = Annotated[
    list[str] | None, typer.Option("--set", help="An option of training, NAME=VALUE; repeatable; see docs/training.md.")
]
Out = Annotated[Path, typer.Option("--out", help="The run folder.")]
PolicyPath = Annotated[
    str | None, typer.Option("--policy", help="A Hugging Face causal LM: a local folder or a hub name.")
]
Iterations = Annotated[int | None, typer.Option("--iterations", min=0, help="Updates to do; replaces --steps.")]
Steps = Annotated[int | None, typer.Option("--steps", min=1, help="Environment steps to spend.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON, for programs.")]


@app.callback()
def root(debug: Annotated[bool, typer.Option("--debug", help="Show tracebacks.")] = False) -> None:
    """Guerdon: rewards and credit for agents that act over many turns."""  # `run` takes --debug away


@app.command()
def train(
    recipe: Annotated[str, typer.Option("--recipe", help="See `guerdon recipes`.")],
    out_: Out,
    env: Env = "keydoor",
    seed: Annotated[int, typer.Option(help="Of everything random.")] = 0,
    iterations: Iterations = None,
    steps: Steps = None,
    policy: PolicyPath = None,
    resume: Annotated[bool, typer.Option("--resume", help="Go on with the run in --out.")] = False,
    env_set: EnvSet = None,
    set_: Set = None,
    role: Annotated[str, typer.Option(hidden=True)] = "method",
    lines: Annotated[bool, typer.Option("--lines", hidden=True)] = False,
    as_json: AsJson = False,
) -> None:
    """Train a policy with a recipe; writes a run folder with checkpoints, metrics and a report."""
    from guerdon.cli import training

    training.train(
        recipe, out_, env, seed, iterations, steps, policy, resume, env_set or [], set_ or [], role, lines, as_json
    )


@app.command()
def compare(
    recipes: Annotated[str, typer.Option("--recipes", help="Names with commas between them.")],
    out_: Out,
    env: Env = "keydoor",
    seeds: Annotated[int, typer.Option(min=1, help="How many seeds, from 0.")] = 3,
    controls: Annotated[str, typer.Option("--controls", help="Recipes whose controls run too, or `all`.")] = "",
    iterations: Iterations = None,
    steps: Steps = None,
    policy: PolicyPath = None,
    env_set: EnvSet = None,
    set_: Set = None,
    at_once: Annotated[
        int | None, typer.Option("--at-once", min=1, help="Runs at the same time; default one a core.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Train several recipes on the same budget and seeds; killed and repeated, it does what is left."""
    from guerdon.cli import training

    training.compare(
        recipes, out_, env, seeds, controls, iterations, steps, policy, env_set or [], set_ or [], at_once, as_json
    )


@app.command()
def report(folder: Path, as_json: AsJson = False) -> None:
    """Write FOLDER/report.html for a run or a comparison, and print its table."""
    from guerdon.cli import training

    training.report(folder, as_json)


app.add_typer(bench_app, name="bench")
app.command()(score)
app.command()(serve)
app.add_typer(recipes_app, name="recipes")
app.add_typer(sandbox_app, name="sandbox")


def run(arguments: Sequence[str]) -> int:
    """Runs a command line; returns its exit code."""
    debug = "--debug" in arguments
    err = console(stderr=True)

    def say(sentence: str) -> None:
        err.print(f"guerdon: {sentence}", markup=False, highlight=False, soft_wrap=True)

    try:
        code = app([a for a in arguments if a != "--debug"], standalone_mode=False)
        if code == INTERRUPTED:  # what typer makes of a KeyboardInterrupt
            raise KeyboardInterrupt
        return code if isinstance(code, int) else 0
    except typer.Exit as stop:
        return stop.exit_code
    except (typer.Abort, KeyboardInterrupt):
        say("stopped; what was finished is kept, and the same command goes on with it (train needs --resume for that)")
        return INTERRUPTED
    except WRONG as wrong:
        wrong.show()
        return 2
    except (errors.GuerdonError, ValueError, OSError, ImportError, RuntimeError) as error:
        if debug:
            raise
        if isinstance(error, ImportError):
            error = missing(error, next((a for a in arguments if not a.startswith("-")), "guerdon"))
        say(_sentence(error))
        return 2 if isinstance(error, USAGE) and not isinstance(error, errors.DivergedError) else _code(error)


def _code(error: BaseException) -> int:
    said = str(error)
    elsewhere = "--out" in said or said.startswith("report:")  # another folder is needed: that is usage
    return 2 if isinstance(error, errors.RunFolderError) and elsewhere else 1


def _sentence(error: BaseException) -> str:
    if isinstance(error, errors.GuerdonError):
        return str(error)
    if isinstance(error, OSError):
        return f"{error.strerror or error}: {error.filename or ''}".strip(": ")
    if isinstance(error, RuntimeError | ImportError):  # of a library; our own say the way out
        return f"{type(error).__name__}: {' '.join(str(error).split())[:300]}; add --debug to see where"
    return str(error) or type(error).__name__
