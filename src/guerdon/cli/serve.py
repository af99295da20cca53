"""`guerdon serve REWARD.py:REWARD`: a reward behind HTTP."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

Reward = Annotated[str, typer.Argument(metavar="REWARD.py:REWARD", help="A Term of a file of yours.")]
Workers = Annotated[
    str | None,
    typer.Option(
        "--workers", help="Grading processes: a number, here, ray, auto or ray://HOST:PORT; default one a core."
    ),
]
Cache = Annotated[Path | None, typer.Option("--cache", help="A folder that remembers verdicts.")]


def serve(
    reward: Reward,
    port: Annotated[int, typer.Option("--port", min=0, max=65535, help="0 takes a free one.")] = 8000,
    host: Annotated[
        str, typer.Option("--host", help="0.0.0.0 lets other machines in; give a token then.")
    ] = "127.0.0.1",
    token_file: Annotated[
        Path | None, typer.Option("--token-file", help="A file with the token to ask for; or set GUERDON_TOKEN.")
    ] = None,
    unscored_as: Annotated[
        float | None,
        typer.Option("--unscored-as", help="What slime and NeMo-Gym get for an unscored play, instead of HTTP 503."),
    ] = None,
    retries: Annotated[
        int, typer.Option("--retries", min=0, help="How often trainers' routes grade an unscored play again.")
    ] = 1,
    strip: Annotated[
        list[str] | None,
        typer.Option("--strip", help="A text cut off the end of answers; repeatable; default: usual end tokens."),
    ] = None,
    reference_keys: Annotated[
        str, typer.Option("--reference-keys", help="Where NeMo-Gym's requests have the reference, by commas.")
    ] = "reference,ground_truth,expected_answer,answer,label",
    probe: Annotated[
        Path | None, typer.Option("--probe", help="JSONL of plays as they will come, for the self-test.")
    ] = None,
    merge: Annotated[
        bool, typer.Option("--merge/--no-merge", help="Score requests that wait together as one batch.")
    ] = True,
    body: Annotated[int, typer.Option("--body", min=1024, help="The longest request, in bytes.")] = 32 * 2**20,
    items: Annotated[int, typer.Option("--items", min=1, help="The most plays in a request.")] = 4096,
    in_flight: Annotated[int, typer.Option("--in-flight", min=1, help="Requests at once; more get 429.")] = 256,
    timeout: Annotated[float, typer.Option("--timeout", help="Seconds for a request; then 504.")] = 120.0,
    grace: Annotated[float, typer.Option("--grace", help="Seconds to finish in after SIGTERM.")] = 30.0,
    scorers: Annotated[int, typer.Option("--scorers", min=1, help="Scoring processes.")] = 2,
    threads: Annotated[int, typer.Option("--threads", min=1, help="Batches at once in each of them.")] = 4,
    workers: Workers = None,
    cache: Cache = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the address as JSON, for programs.")] = False,
) -> None:
    """Serve a reward to trainers over HTTP; see docs/server.md."""
    from guerdon.cli.progress import console
    from guerdon.errors import RecordError
    from guerdon.evidence.ray import workers_named
    from guerdon.server.config import Config
    from guerdon.server.limits import read_token
    from guerdon.server.reward import load_reward, open_cache
    from guerdon.server.run import serve as listen

    load_reward(reward)  # what is none is said before anything listens
    open_cache(cache)
    if workers is not None:
        workers_named(workers)
    if probe is not None and not probe.is_file():
        raise RecordError(
            f"--probe: there is no file {probe}; plays as JSONL are needed; check the path, or leave it out"
        )
    config = Config(
        reward, host, port, read_token(token_file), unscored_as, retries, tuple(strip or ()),
        tuple(key for key in reference_keys.split(",") if key), str(probe) if probe else None, merge, body, items,
        in_flight, timeout, grace, scorers, threads, workers, str(cache) if cache else None,
    )  # fmt: skip
    err = console(stderr=True)

    def say(url: str) -> None:
        if host not in ("127.0.0.1", "::1", "localhost") and not config.token:
            err.print("guerdon: no token is asked for, and other machines can reach this; give --token-file")
        err.print(f"guerdon: serving {reward} on {url}; {url}/docs says how, {url}/ready says when", markup=False,
                  highlight=False, soft_wrap=True)  # fmt: skip

    def tell(said: str) -> None:
        err.print(f"guerdon: {said}", markup=False, highlight=False, soft_wrap=True)

    listen(config, say, as_json, tell)
