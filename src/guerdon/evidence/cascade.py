"""From cheap to dear: each item goes from one observer to the next until one is sure of it.

A stage is believed only for the verdicts at which it has been found right: a string comparison that says
"equal" is right, one that says "not equal" often is not, so its yes decides and its no passes the item on.
What each stage said, whether it was believed, and at what price, is recorded item by item.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from numbers import Real
from typing import Any, Protocol, runtime_checkable

import numpy as np

from guerdon.batch import Batch, Level
from guerdon.errors import LevelError, RecordError, ShapeError
from guerdon.evidence.grading import with_verdicts
from guerdon.evidence.observer import Cost, Observer, observe
from guerdon.intervals import wilson
from guerdon.records import Verdict

Array = np.ndarray


@runtime_checkable
class Believe(Protocol):
    """For which verdicts a stage has the last word."""

    def __call__(self, values: Array) -> Array:
        """True for each score that decides."""
        ...


@dataclass(frozen=True)
class Always:
    """Every score decides.

    Example:
        >>> Always()(np.array([0.0, 1.0]))
        array([ True,  True])
    """

    def __call__(self, values: Array) -> Array:
        """True for all."""
        return np.ones(len(values), bool)


@dataclass(frozen=True)
class Only:
    """The scores that lie in one of the ranges decide, ends included.

    Attributes:
        ranges: pairs of a lowest and a highest score. `((1.0, 1.0),)` believes a yes; `((0.0, 0.1), (0.9, 1.0))`
            believes a soft score where it is far from the middle.

    Example:
        >>> Only(((0.0, 0.1), (0.9, 1.0)))(np.array([0.05, 0.5, 1.0]))
        array([ True, False,  True])
    """

    ranges: tuple[tuple[Real, Real], ...]

    def __call__(self, values: Array) -> Array:
        """True inside a range."""
        out = np.zeros(len(values), bool)
        for low, high in self.ranges:
            out |= (values >= low) & (values <= high)
        return out


YES = Only(((1.0, 1.0),))
NO = Only(((0.0, 0.0),))


@dataclass(frozen=True)
class Measured:
    """What a stage was found to be worth on labelled items: it decides in the bins where it was precise enough.

    Attributes:
        edges: of the bins, rising; a score on an edge is in the bin above, but the last edge is in the last bin.
        believed: per bin, whether it decides.
        seen, right: per bin, how many labelled items, and how many of them it had right.
        bound: per bin, the lower end of the interval of the precision, which was compared with the bar.
    """

    edges: tuple[float, ...]
    believed: tuple[bool, ...]
    seen: tuple[int, ...]
    right: tuple[int, ...]
    bound: tuple[float, ...]

    def __call__(self, values: Array) -> Array:
        """True in a bin that is believed."""
        inside = (values >= self.edges[0]) & (values <= self.edges[-1])
        return np.array(self.believed, bool)[_bin(values, self.edges)] & inside


def measured(
    scores: Sequence[Real] | Array, labels: Sequence[Real] | Array, bar: Real = 0.98,
    edges: Sequence[Real] = (0.0, 0.5, 1.0), z: Real = 1.645,
) -> Measured:  # fmt: skip
    """The precision of a stage at each of its verdicts, on labelled items, and where it is enough to decide.

    A score of at least 0.5 says yes, one below says no. In a bin,

        precision = share of items whose label is what the score says

    and the stage is believed there if the lower end of the one-sided Wilson interval is at or above `bar`: with
    z = 1.645 the true precision is above the bar with about 95 % confidence. No error in 50 items is then a bound of
    0.949 only; 0.98 takes 133 items without an error. `z=0` compares the share itself.

    Args:
        scores: of the stage on labelled items; NaN where it was unscored, which counts nowhere.
        labels: 1 or 0.
        edges: of bins; one edge must be 0.5. More edges for a soft score.

    Raises:
        ShapeError: lengths differ, edges do not rise or have no 0.5, a score is outside them, a label is no 0 or 1.

    Example:
        >>> gate = measured([1.0] * 200 + [0.0] * 200, [1] * 200 + [0] * 150 + [1] * 50)
        >>> gate.believed, gate.right
        ((False, True), (150, 200))

    References:
        CoSineVerifier, 2025, arXiv:2512.01224 (tools where rules fall short). Tülu 3 (a verifier per kind of task).
    """
    values, truth = np.asarray(scores, np.float64), np.asarray(labels, np.float64)
    values_there = ~np.isnan(values)
    fine = len(values) == len(truth) and all(a < b for a, b in pairwise(edges)) and 0.5 in edges
    if not fine or not np.isin(truth, (0.0, 1.0)).all():
        raise ShapeError(
            f"measured: {len(values)} scores, {len(truth)} labels and edges {tuple(edges)}; one label of 0 or 1 per "
            "score and rising edges with 0.5 among them are needed; bring scores to [0, 1] first"
        )
    values, truth = values[values_there], truth[values_there]
    if len(values) and not (edges[0] <= values.min() and values.max() <= edges[-1]):
        raise ShapeError(f"measured: a score is outside the edges {tuple(edges)}; they must hold all; widen them")
    place, bins = _bin(values, edges), len(edges) - 1
    seen = np.bincount(place, minlength=bins)
    right = np.bincount(place, weights=(values >= 0.5) == (truth == 1), minlength=bins).astype(int)
    bound = [wilson(float(r), int(n), float(z))[0] if n else 0.0 for r, n in zip(right, seen, strict=True)]
    believed = tuple(b >= bar and n > 0 for b, n in zip(bound, seen.tolist(), strict=True))
    return Measured(tuple(map(float, edges)), believed, tuple(seen.tolist()), tuple(right.tolist()), tuple(bound))


def measured_on(
    observer: Observer, batch: Batch, label: str, bar: Real = 0.98, edges: Sequence[Real] = (0.0, 0.5, 1.0),
    z: Real = 1.645,
) -> Measured:  # fmt: skip
    """`measured` for an observer on a batch whose trajectory column `label` is 1 or 0 where it is known.

    Example:
        >>> from guerdon import Column
        >>> from guerdon.evidence import match
        >>> batch = Batch.from_steps(group=[0, 0], trajectory=[0, 1], reward=[0.0, 0.0], action=["a", "b"])
        >>> batch = batch.with_columns(reference=Column.of("trajectory", ["a", "a"]),
        ...                            label=Column.of("trajectory", [1, 1]))
        >>> measured_on(match(), batch, "label", z=0).believed
        (False, True)
    """
    batch.need([label], "measured_on")
    seen = observe(batch, [observer])[observer.name].filled(np.nan)
    known = batch[label].valid
    return measured(seen[known], batch[label].filled(np.nan)[known], bar, edges, z)


@dataclass(frozen=True)
class Stage:
    """One step of a cascade.

    Attributes:
        observer: at trajectory level: a `Grading`, a `Judge`, or any other.
        believe: for which of its scores it has the last word: `Always()`, `YES`, `NO`, `Only(ranges)`, `measured(...)`.
        price: of asking about one item, in a unit of one's own.
    """

    observer: Observer
    believe: Believe = field(default_factory=Always)
    price: Real = 0.0


@dataclass(frozen=True)
class Cascade:
    """Observers in order, each asked only about what none before it has decided: see `cascade`."""

    name: str
    stages: tuple[Stage, ...]
    level: Level = field(default="trajectory", init=False)

    def __post_init__(self) -> None:
        names = [stage.observer.name for stage in self.stages]
        if not names or len({*names, self.name}) != len(names) + 1:
            raise RecordError(
                f"cascade: {self.name!r} of stages {names}; at least one stage, and a name of its own for each, is "
                "needed; rename one"
            )
        ranges = {(stage.observer.low, stage.observer.high) for stage in self.stages}
        if len(ranges) > 1:
            raise ShapeError(
                f"cascade: the stages score in {sorted(ranges)}; one range for all is needed, since any may decide; "
                "bring them to one range, as Scored does"
            )
        for stage in self.stages:
            if stage.observer.level != "trajectory":
                raise LevelError(
                    f"cascade: {stage.observer.name!r} scores a {stage.observer.level}; plays are passed on, so a "
                    "trajectory is needed; sum it up in a Reading first"
                )

    @property
    def low(self) -> float:
        """The stages'."""
        return self.stages[0].observer.low

    @property
    def high(self) -> float:
        """The stages'."""
        return self.stages[0].observer.high

    @property
    def cost(self) -> Cost:
        """That of the dearest stage."""
        order = ("free", "seconds", "minutes")
        return max((stage.observer.cost for stage in self.stages), key=order.index)

    @property
    def version(self) -> str:
        """Of all stages, and of what is believed."""
        return "; ".join(f"{s.observer.name} {s.observer.version} {s.believe!r}" for s in self.stages)

    def observe(self, batch: Batch) -> Batch:
        """The batch with the verdicts, and a row of NAME/items for each time that a stage was asked."""
        n = batch.size("trajectory")
        paths: list[list[dict[str, Any]]] = [[] for _ in range(n)]
        decided: list[float | None] = [None] * n
        for stage in self.stages:
            open_ = np.array([value is None for value in decided], bool)
            if not open_.any():
                break
            self._ask(batch, stage, open_, paths, decided)
        verdicts = [_verdict(self, value, path) for value, path in zip(decided, paths, strict=True)]
        return with_verdicts(batch, self.name, "trajectory", verdicts)

    def _ask(self, batch: Batch, stage: Stage, open_: Array, paths: list, decided: list) -> None:
        name, begun = stage.observer.name, time.perf_counter()
        rest = observe(batch.select(open_), [stage.observer])
        seconds = (time.perf_counter() - begun) / int(open_.sum())
        column, cause = rest[name], f"{name}/cause"
        causes = rest[cause].tolist() if cause in rest else [None] * len(column)
        values = column.filled(np.nan)
        sure = np.zeros(len(values), bool)
        sure[column.valid] = np.asarray(stage.believe(values[column.valid]), bool)
        for play, value, valid, last, why in zip(
            np.flatnonzero(open_).tolist(), values.tolist(), column.valid.tolist(), sure.tolist(), causes, strict=True
        ):
            paths[play].append(
                {
                    "stage": name, "value": value if valid else None, "believed": last, "price": float(stage.price),
                    "cause": None if valid else why or f"{name} gave no cause", "seconds": seconds,
                }
            )  # fmt: skip
            if last:
                decided[play] = value


def cascade(name: str, *stages: Stage | Observer) -> Cascade:
    """Asks observers in order, cheap ones first; the first that is believed decides.

    A stage is asked about the plays that no stage before it decided. Where it is unscored, or scores what it is not
    believed for, the play goes on to the next. A play that none decides is unscored, and its cause says what each stage
    said. Nothing is averaged, and the last stage has no privilege: give it `Always()` where its word is to be final.

    Facts: NAME/stage (who decided), NAME/asked (how many were), NAME/price (the sum of theirs); NAME/items has
    a row per play and stage: `trajectory, stage, value, believed, price, cause, seconds` (the share of the wall time).

    Args:
        name: of the column.
        stages: a `Stage`, or an observer that is believed always.

    Raises:
        ShapeError: the stages have different ranges. LevelError: one does not score plays. RecordError: names are not
            different.

    Example:
        >>> from guerdon import Column
        >>> from guerdon.evidence import Reading, match
        >>> dear = Reading("dear", lambda b: Column.of("trajectory", np.ones(b.size("trajectory"))))
        >>> batch = Batch.from_steps(group=[0, 0], trajectory=[0, 1], reward=[0.0, 0.0], action=["a", "b"])
        >>> batch = batch.with_columns(reference=Column.of("trajectory", ["a", "a"]))
        >>> out = cascade("right", Stage(match(), YES), Stage(dear, price=2.0)).observe(batch)
        >>> out["right"].values, out["right/stage"].tolist(), out["right/price"].values
        (array([1., 1.]), ['match', 'dear'], array([0., 2.]))

    References:
        CoSineVerifier, 2025, arXiv:2512.01224. Tülu 3 (RLVR).
    """
    return Cascade(name, tuple(stage if isinstance(stage, Stage) else Stage(stage) for stage in stages))


def _verdict(whole: Cascade, value: float | None, path: list[dict]) -> Verdict:
    facts = {"asked": len(path), "price": sum(step["price"] for step in path)}
    if value is not None:
        return Verdict.score(value, whole.low, whole.high, path, stage=path[-1]["stage"], **facts)
    told = [
        f"{step['stage']}: {step['cause']}" if step["value"] is None
        else f"{step['stage']} said {step['value']:g}, for which it is not believed"
        for step in path
    ]  # fmt: skip
    return Verdict.unscored("; ".join(told), path, **facts)


def _bin(values: Array, edges: Sequence[Real]) -> Array:
    return np.clip(np.searchsorted(np.asarray(edges), values, side="right") - 1, 0, len(edges) - 2)
