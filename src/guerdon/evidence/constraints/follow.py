"""The observer of instructions: which checks of its task an answer keeps."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from guerdon.errors import RecordError
from guerdon.evidence.constraints.spec import Check, Node, checks_of
from guerdon.evidence.grading import Grading
from guerdon.records import Verdict

LONGEST = 200_000


@dataclass(frozen=True)
class Kept:
    """What an answer keeps of its checks, weighed.

    Attributes:
        every: 1 where all hold.
        share: of the weight, what holds.
        degree: the weighted mean of the degrees; a length that is nearly right counts nearly.
    """

    every: float
    share: float
    degree: float


def every(kept: Kept) -> float:
    """1 where all checks hold, else 0."""
    return kept.every


def share(kept: Kept) -> float:
    """The share of the checks that hold, by weight."""
    return kept.share


def degree(kept: Kept) -> float:
    """The mean degree, by weight: partial credit also within a check."""
    return kept.degree


@dataclass(frozen=True)
class Follows:
    """The grader of `follows`; see there."""

    measure: Callable[[Kept], float] = every
    checks: tuple[tuple[Node, float], ...] = ()

    def __call__(self, action: str, reference: Any = None) -> Verdict:
        """The verdict on one answer."""
        try:
            checks = self.checks or checks_of(reference)
        except RecordError as error:
            return Verdict.unscored(str(error))
        text = str(action)
        if len(text) > LONGEST:
            return Verdict.score(0.0, why=f"{len(text)} characters; at most {LONGEST} are read")
        degrees = [min(1.0, max(0.0, node(text))) if text.strip() else 0.0 for node, _ in checks]
        weights = [weight for _, weight in checks]
        holds = [d >= 1.0 for d in degrees]
        kept = Kept(
            float(all(holds)),
            min(1.0, sum(w for w, h in zip(weights, holds, strict=True) if h) / sum(weights)),
            min(1.0, sum(w * d for w, d in zip(weights, degrees, strict=True)) / sum(weights)),
        )
        items = [
            {"check": node.name, "holds": float(hold), "degree": d, "weight": weight}
            for (node, weight), hold, d in zip(checks, holds, degrees, strict=True)
        ]
        return Verdict.score(self.measure(kept), items=items, **vars(kept))


def follows(
    name: str = "follows",
    measure: Callable[[Kept], float] = every,
    checks: Sequence[Any] | str | None = None,
    reads: tuple[str, str] = ("action", "reference"),
) -> Grading:
    """An observer: does the answer keep the instructions that can be checked by rule?

    Facts: `every`, `share` and `degree`, see `Kept`; `NAME/items` has a row per check. An empty answer keeps none, and
    one of more than 200,000 characters is not read and keeps none. A task whose checks cannot be read (an unknown name,
    a wrong argument, a range that nothing is in) is unscored.

    Args:
        measure: `every`, `share` or `degree`.
        checks: for all tasks, as `checks_of` reads them; None reads the reference.

    Source: Tulu 3 RLVR (all constraints of an IFEval-like prompt hold); Light-IF (a little for each, 1 more for all:
    the facts `share` and `every`, added). The checks follow IFEval's kinds; texts and thresholds are ours.

    Example:
        >>> from guerdon.batch import Batch, Column
        >>> batch = Batch.from_steps(group=[0, 0], trajectory=[0, 1], reward=[0.0, 0.0],
        ...                          action=["Tea is hot", "Tea, hot"])
        >>> task = '[{"check": "words", "high": 3}, "no_commas"]'
        >>> batch = batch.with_columns(reference=Column.of("trajectory", [task, task]))
        >>> seen = follows().observe(batch)
        >>> seen["follows"].values, seen["follows/share"].values
        (array([1., 0.]), array([1. , 0.5]))
    """
    fixed = checks_of(checks) if checks is not None else ()
    grade = Follows(measure, fixed)
    return Grading(
        name, grade, reads[:1] if fixed else reads, deadline=10.0, version=f"2 {measure.__qualname__} {fixed!r}"
    )


__all__ = ["Check", "Follows", "Kept", "degree", "every", "follows", "share"]
