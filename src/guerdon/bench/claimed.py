"""Running claims, several at once, and writing down what they found: a dictionary, a table, a page."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass
from multiprocessing import get_context
from typing import Any

from guerdon.bench.claims.base import Claim, Effort, Measured, Result, get


@dataclass(frozen=True)
class Done:
    """A claim that was run.

    Attributes:
        slug: of the claim.
        result: what was found.
        seconds: how long it took.
    """

    slug: str
    result: Result
    seconds: float

    @property
    def claim(self) -> Claim:
        """The claim itself."""
        return get(self.slug)


def check(slug: str, seed: int, effort: Effort) -> Done:
    """Runs one claim.

    Raises:
        UnknownNameError: there is no such claim.
    """
    claim, began = get(slug), time.perf_counter()
    return Done(slug, claim.run(seed, effort), time.perf_counter() - began)


def check_all(
    slugs: Sequence[str], seed: int, effort: Effort, at_once: int | None = None,
    tell: Callable[[Done, int], None] = lambda done, left: None,
) -> list[Done]:  # fmt: skip
    """Runs claims in processes of their own.

    Args:
        at_once: how many processes; one a core by default.
        tell: called after each with what was done and how many are left.

    Returns:
        In the order of `slugs`.
    """
    for slug in slugs:
        get(slug)
    found: dict[str, Done] = {}
    workers = min(at_once or os.cpu_count() or 1, max(len(slugs), 1))
    with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool:
        waiting = [pool.submit(check, slug, seed, effort) for slug in slugs]
        for future in as_completed(waiting):
            done = future.result()
            found[done.slug] = done
            tell(done, len(slugs) - len(found))
    return [found[slug] for slug in slugs]


def as_json(done: Done) -> dict[str, Any]:
    """What was found as plain data, every figure with its value per seed."""
    claim, result = done.claim, done.result

    def figure(measured: Measured) -> dict[str, Any]:
        return {
            "name": measured.name, "mean": measured.mean, "interval": list(measured.interval),
            "values": list(measured.values),
        }  # fmt: skip

    return {
        "slug": claim.slug, "title": claim.title, "paper": claim.paper, "says": claim.says, "holds": bool(result.holds),
        "figure": figure(result.figure), "control": figure(result.control), "rows": [figure(m) for m in result.rows],
        "note": result.note, "seconds": done.seconds,
    }  # fmt: skip


def markdown(every: Sequence[Done], seed: int, effort: Effort) -> str:
    """The page of all claims: a table, and below it each claim's further figures."""
    holding = sum(done.result.holds for done in every)
    lines = [
        "# Claims",
        "",
        "What papers say of credit, in worlds small enough to check it. Written by `make claims`; nothing here is "
        "by hand.",
        f"Figures are means over {effort.seeds} seeds from {seed} on, with 95 % Student intervals over seeds. A "
        "claim holds if its direction was found, as said in its note; one that does not hold is a result and "
        "stays.",
        "",
        f"{holding} of {len(every)} hold. `guerdon bench claim SLUG` runs one.",
        "",
        "| claim | what is said | figure | control | holds |",
        "|---|---|---|---|---|",
    ]
    for done in every:
        claim, result = done.claim, done.result
        lines.append(
            f"| [`{claim.slug}`](#{claim.slug}) {_cell(claim.title)} | {_cell(claim.says)} | "
            f"{_cell(str(result.figure))} | {_cell(str(result.control))} | {'yes' if result.holds else '**no**'} |"
        )
    for done in every:
        lines += ["", *section(done)]
    return "\n".join(lines) + "\n"


def section(done: Done) -> list[str]:
    """One claim at length: its note and a table of every figure."""
    claim, result = done.claim, done.result
    figures = (result.figure, result.control, *result.rows)
    kinds = ("figure", "control", *("" for _ in result.rows))
    return [
        f"## {claim.slug}",
        "",
        f"{claim.paper}.",
        "",
        result.note,
        "",
        "| figure | mean and interval | |",
        "|---|---|---|",
        *(f"| {_cell(m.name)} | {m.number()} | {kind} |" for m, kind in zip(figures, kinds, strict=True)),
    ]


def _cell(text: str) -> str:
    return text.replace("|", "\\|")
