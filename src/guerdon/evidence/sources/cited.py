"""Were the right pieces of evidence cited? Overlap of ids: F, intersection over union, validity."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from numbers import Real
from typing import Any

from guerdon.evidence.grading import Grading
from guerdon.evidence.plain import texts_of
from guerdon.evidence.texts.overlap import f_beta
from guerdon.evidence.texts.words import LIMIT, inside
from guerdon.records import Verdict


@dataclass(frozen=True)
class Cited:
    """How cited ids compare with the right ones.

    Attributes:
        precision: distinct right ids over ids cited, repeats counted.
        recall: distinct right ids over right ids.
        iou: of the two sets.
        validity: Veri-R1's weight of the proof: 1 where every right id is cited, 0.5 where at least half of them
            (rounded up) are, else 0.
    """

    precision: float
    recall: float
    iou: float
    validity: float

    def f(self, beta: Real = 1.0) -> float:
        """(1 + beta^2) P R / (beta^2 P + R); 0 where both are 0."""
        return f_beta(self.precision, self.recall, beta)


def cited(said: Sequence[str], right: Sequence[str]) -> Cited:
    """The overlap of ids that were cited with those that are right; blanks around an id and case do not count.

    Where nothing is right, citing nothing is 1 throughout and citing anything is 0.

    Example:
        >>> cited(["a", "a", "b"], ["a", "c"])
        Cited(precision=0.3333333333333333, recall=0.5, iou=0.3333333333333333, validity=0.5)
    """
    mine, theirs = [_id(s) for s in said], {_id(r) for r in right}
    if not theirs:
        return Cited(*[float(not mine)] * 4)
    hit = len(theirs.intersection(mine))
    validity = 1.0 if hit == len(theirs) else 0.5 if hit >= -(-len(theirs) // 2) else 0.0
    precision = hit / len(mine) if mine else 0.0
    return Cited(precision, hit / len(theirs), hit / len(theirs.union(mine)), validity)


def _id(text: str) -> str:
    return text.strip().casefold()


@dataclass(frozen=True)
class In:
    """The ids in the one `<tag>` ... `</tag>` of a text: JSON, or parted by commas, semicolons or line ends.

    None where there is no such tag, or more than one: then it is not said what is cited.

    Example:
        >>> In("cite")("Paris <cite>d1, d7</cite>"), In("cite")("Paris")
        (['d1', 'd7'], None)
    """

    tag: str = "cite"

    def __call__(self, said: str) -> list[str] | None:
        """The ids."""
        found = inside(said, self.tag)
        if len(found) != 1 or said.count(f"<{self.tag}>") != 1:
            return None
        if found[0].lstrip().startswith("["):
            given = texts_of(found[0].strip())
            if given is not None:
                return given
        parts = found[0].replace(";", ",").replace("\n", ",").split(",")
        return [part.strip() for part in parts if part.strip()]


@dataclass(frozen=True)
class Citation:
    """The grader of `citations` and its kin: a worth made of an overlap."""

    worth: Callable[[Cited], float]
    ids: Callable[[str], list[str] | None] = In()

    def __call__(self, said: str, reference: Any) -> Verdict:
        """The worth of what was cited, with all parts as facts."""
        right = texts_of(reference)
        if right is None:
            return Verdict.unscored("the reference is no list of ids")
        mine = self.ids(said) if len(said) <= LIMIT else None
        if mine is None:
            nothing = {"precision": 0.0, "recall": 0.0, "iou": 0.0, "validity": 0.0}
            return Verdict.score(0.0, why="no single block of citations", cited=0, **nothing)
        found = cited(mine, right)
        return Verdict.score(
            self.worth(found), precision=found.precision, recall=found.recall, iou=found.iou, validity=found.validity,
            cited=len(mine),
        )  # fmt: skip


@dataclass(frozen=True)
class FBeta:
    """The worth of `citations`."""

    beta: Real = 2.0

    def __call__(self, found: Cited) -> float:
        """F of precision and recall."""
        return found.f(self.beta)


@dataclass(frozen=True)
class IoU:
    """Intersection over union as the worth."""

    def __call__(self, found: Cited) -> float:
        """The part of that name."""
        return found.iou


@dataclass(frozen=True)
class Validity:
    """Veri-R1's weight of the proof as the worth: 1, 0.5 or 0."""

    def __call__(self, found: Cited) -> float:
        """The part of that name."""
        return found.validity


def citations(
    name: str = "citations",
    worth: Callable[[Cited], float] = FBeta(2.0),
    ids: Callable[[str], list[str] | None] = In("cite"),
    reference: str = "task_evidence",
    action: str = "action",
) -> Grading:
    """An observer: how well the ids that the last action cites are those of the evidence, in [0, 1].

    Args:
        worth: `FBeta(beta)` (LongRLVR, beta = 2), `IoU()` or `Validity()` (Veri-R1), or any of a `Cited`.
        ids: of a text the ids cited, None where they are not said: `In(tag)`.
        reference: a trajectory column with the right ids, a JSON list; `[]` where there is no evidence.

    Facts: `precision`, `recall`, `iou`, `validity`, `cited` (how many, repeats counted), `why`. An action without
    exactly one block of citations scores 0. Unscored: a reference that is no list of ids; a failed play.

    Source: LongRLVR (its reward is synergy_mix: r + eta F + (1 - eta) r F), Veri-R1 (2 v r + IoU + format). Departures:
    where there is no right evidence Veri-R1's overlap is 0 whatever is cited, so that nothing punishes citing all; here
    citing nothing is then 1. Case of ids does not count.

    Example:
        >>> from guerdon.batch import Batch, Column
        >>> batch = Batch.from_steps(group=[0], trajectory=[0], reward=[0.0], action=["<cite>d1, d2</cite>"])
        >>> batch = batch.with_columns(task_evidence=Column.of("trajectory", ['["d1"]']))
        >>> citations().observe(batch)["citations"].values.round(3)
        array([0.833])
    """
    return Grading(name, Citation(worth, ids), reads=(action, reference), cost="free", deadline=None)
