"""Signal temporal logic with quantitative semantics: by how much a trajectory does what was asked.

Time is the step within the trajectory, counted from 0. Traces are finite: a window is cut at the
trajectory's end, and nothing satisfies `eventually` (-inf), while nothing violates `always` (+inf).
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np

from guerdon.batch import Batch, Column, Level
from guerdon.errors import ShapeError
from guerdon.evidence.logic.parsing import Close, FormulaError, Infix, Open, Operand, Prefix, chain, parse
from guerdon.evidence.logic.signals import COMPARISON, SIGNAL, Predicate, comparison, signal
from guerdon.evidence.observer import Reading

Array = np.ndarray


@dataclass(frozen=True)
class Window:
    """Steps from now: from `start` to `end`, both included; an end of inf is the trajectory's."""

    start: int = 0
    end: float = math.inf


@dataclass(frozen=True)
class Constant:
    """True (+inf) or false (-inf)."""

    value: bool


@dataclass(frozen=True)
class Not:
    """rho = -rho(part)."""

    part: Formula


@dataclass(frozen=True)
class And:
    """rho = min of the parts."""

    parts: tuple[Formula, ...]


@dataclass(frozen=True)
class Or:
    """rho = max of the parts."""

    parts: tuple[Formula, ...]


@dataclass(frozen=True)
class Always:
    """rho(t) = min over the window of rho(part)."""

    part: Formula
    window: Window = Window()


@dataclass(frozen=True)
class Eventually:
    """rho(t) = max over the window of rho(part)."""

    part: Formula
    window: Window = Window()


@dataclass(frozen=True)
class Until:
    """rho(t) = max over t' in the window of min(rho(then, t'), min over t <= s < t' of rho(hold, s))."""

    hold: Formula
    then: Formula
    window: Window = Window()


Formula = Predicate | Constant | Not | And | Or | Always | Eventually | Until

_WINDOW = r"(?:\s*\[\s*(?P<a>\d{1,9})\s*,\s*(?P<b>\d{1,9}|inf)\s*\])?"


def _window(found: re.Match) -> Window:
    if found["a"] is None:
        return Window()
    window = Window(int(found["a"]), math.inf if found["b"] == "inf" else int(found["b"]))
    if window.start > window.end:
        raise FormulaError(f"parse_stl: the window {found[0].strip()!r} ends before it starts; swap its ends")
    return window


def _until(found: re.Match) -> Infix:
    window = _window(found)
    return Infix(4, lambda a, b: Until(a, b, window), right=True)


def _temporal(kind: type) -> object:
    return lambda found: (lambda window: Prefix(lambda part: kind(part, window)))(_window(found))


_RULES = (
    (r"\(", lambda _: Open()), (r"\)", lambda _: Close()),
    (r"(?:<->|<=>|↔|⇔|\biff\b)", lambda _: Infix(0, lambda a, b: And((Or((Not(a), b)), Or((Not(b), a)))))),
    (r"(?:->|=>|→|⇒|\bimplies\b)", lambda _: Infix(1, lambda a, b: Or((Not(a), b)), right=True)),
    (r"(?:&&?|∧|\band\b)", lambda _: Infix(3, chain(And))), (r"(?:\|\|?|∨|\bor\b)", lambda _: Infix(2, chain(Or))),
    (r"(?:!|¬|~|\bnot\b)", lambda _: Prefix(Not)), (r"\btrue\b", lambda _: Operand(Constant(True))),
    (r"\bfalse\b", lambda _: Operand(Constant(False))),
    (r"(?:□|\balways\b|\bG\b)" + _WINDOW, _temporal(Always)),
    (r"(?:◇|\beventually\b|\bF\b)" + _WINDOW, _temporal(Eventually)),
    (r"(?:\buntil\b|\bU\b)" + _WINDOW, _until), (COMPARISON, comparison), (SIGNAL, signal),
)  # fmt: skip


def parse_stl(text: str) -> Formula:
    """A formula from text.

    Words: `always[a,b]` or `G[a,b]` or □, `eventually[a,b]` or `F[a,b]` or ◇, `until[a,b]` or `U[a,b]`, not ! ¬ ~,
    and & ∧, or | ∨, implies -> →, iff <-> ↔, true, false. Atoms are linear comparisons of signals, such as
    `x - 2 * y >= 1`, or a signal alone, which holds above 0. Without a window, [0, inf]. Prefix words bind
    most closely, then until, and, or, implies, iff.

    Raises:
        FormulaError: it is not a formula, is longer than 20,000 characters or nests more than 60 deep.

    Example:
        >>> parse_stl("F[0,3] x > 1").window
        Window(start=0, end=3)
    """
    return parse(text, _RULES)


def signals_of(formula: Formula) -> tuple[str, ...]:
    """The signals that a formula reads, sorted."""
    return tuple(sorted({name for atom in _walk(formula) if isinstance(atom, Predicate) for name, _ in atom.weights}))


def robustness(formula: Formula | str, signals: Mapping[str, Array], by: Array) -> Array:
    """The robustness of a formula at each step of each trajectory, looking at what came after.

    Positive where the rest of the trajectory, read from that step, satisfies the formula, negative where
    it violates it; its size is by how much the signals may move until that changes. Time and memory are
    linear in the number of steps, whatever the windows.

    Args:
        formula: see `parse_stl`.
        signals: one number a step, by name.
        by: which trajectory each step is of; equal ones side by side.

    Returns:
        One number a step. The first of each trajectory is the trajectory's.

    Raises:
        ShapeError: a signal that is missing, or not as long as `by`.

    Source: the semantics as TGPO (arXiv 2510.00225) states them: always min, eventually max, until as in `Until`.

    Elsewhere: rtamt counts time with the sampling period and gives the bound of the values where a window
    is empty; here it is infinite.

    Example:
        >>> robustness("F[0,1] x > 2", {"x": np.array([1.0, 5.0, 0.0, 1.0])}, np.array([0, 0, 0, 1]))
        array([ 3.,  3., -2., -1.])
    """
    formula = parse_stl(formula) if isinstance(formula, str) else formula
    return _by_bucket(formula, signals, by, _rho)


def robustness_so_far(formula: Formula | str, signals: Mapping[str, Array], by: Array) -> Array:
    """The robustness at a trajectory's start, of what had been played up to and including each step.

    The last of each trajectory is the trajectory's. What has not been played counts as the end: an
    `eventually` that has not happened yet is as far off as it has ever been near, an `always` holds as
    long as it has held. Differences between steps pay for progress as it is made; they sum to the
    trajectory's robustness less that of its first step. Linear time where no temporal operator stands
    within another; else as many passes as the longest trajectory has steps.

    Example:
        >>> robustness_so_far("F x > 2", {"x": np.array([1.0, 5.0, 0.0])}, np.zeros(3, int))
        array([-1.,  3.,  3.])
    """
    formula = parse_stl(formula) if isinstance(formula, str) else formula
    return _by_bucket(formula, signals, by, _so_far)


def stl(formula: Formula | str, name: str = "stl", level: Level = "trajectory", so_far: bool = False) -> Reading:
    """An observer: the robustness of a formula over step columns.

    At trajectory level, of the whole play. At step level, at each step: of what comes from that step on,
    or with `so_far` of what had been played by then, read from the start (a dense reward that looks at the
    past alone). Unscored where a signal is missing in the trajectory, it failed, or it has no steps.

    Args:
        formula: as text or as built; its signals are numeric step columns.
        so_far: see `robustness_so_far`; at trajectory level both are the same.

    Source: TGPO (arXiv 2510.00225), robustness as the judge of success and as a reward.

    Example:
        >>> batch = Batch.from_steps(group=[0] * 3, trajectory=[0, 0, 1], reward=[0.0] * 3)
        >>> batch = batch.with_columns(gap=Column.of("step", [3.0, 0.5, 2.0]))
        >>> stl("F gap < 1").observe(batch)["stl"].values
        array([ 0.5, -1. ])
    """
    tree = parse_stl(formula) if isinstance(formula, str) else formula
    wanted = signals_of(tree)

    def read(batch: Batch) -> Column:
        batch.need(wanted, name)
        by, n = batch.trajectory_of_step, batch.size("trajectory")
        columns = [batch.lift(batch[s], "step") for s in wanted]
        found = {s: c.filled() for s, c in zip(wanted, columns, strict=True)}
        missing = np.zeros(n, bool)
        for values in found.values():
            missing[by[~np.isfinite(values)]] = True
        if "failed" in batch:
            missing |= batch["failed"].valid & np.asarray(batch["failed"].values, bool)
        with np.errstate(invalid="ignore"):
            rho = (robustness_so_far if so_far else robustness)(tree, found, by)
        if level == "step":
            return Column("step", rho, ~missing[by] & ~np.isnan(rho))
        values, at = np.full(n, np.nan), np.flatnonzero(np.diff(by, prepend=-1))
        values[by[at]] = robustness(tree, found, by)[at] if so_far else rho[at]
        return Column("trajectory", values, ~missing & ~np.isnan(values))

    return Reading(name, read, level, -math.inf, math.inf, version=f"1 {tree} {so_far}")


def _walk(formula: Formula) -> Iterator[Formula]:
    stack = [formula]
    while stack:
        one = stack.pop()
        yield one
        stack += _parts(one)


def _parts(formula: Formula) -> tuple[Formula, ...]:
    match formula:
        case Not(part) | Always(part) | Eventually(part):
            return (part,)
        case And(parts) | Or(parts):
            return parts
        case Until(hold, then):
            return (hold, then)
    return ()


@dataclass(frozen=True)
class _Rows:
    """Trajectories of about one length as rows: (rows, steps), and how many steps each has."""

    signals: Mapping[str, Array]
    lengths: Array

    @property
    def shape(self) -> tuple[int, int]:
        return len(self.lengths), int(self.lengths.max())

    @property
    def inside(self) -> Array:
        return np.arange(self.shape[1]) < self.lengths[:, None]


def _by_bucket(formula: Formula, signals: Mapping[str, Array], by: Array, of: object) -> Array:
    """Rows of at most twice their length, so that padding never more than doubles the work."""
    wanted, by = signals_of(formula), np.asarray(by)
    for name in wanted:
        if name not in signals or len(signals[name]) != len(by):
            raise ShapeError(
                f"robustness: the signal {name!r} is missing or not one number a step; give one number a step"
            )
    starts = np.flatnonzero(np.r_[True, by[1:] != by[:-1]]) if len(by) else np.zeros(0, np.int64)
    lengths = np.diff(np.r_[starts, len(by)])
    out, bucket = np.full(len(by), np.nan), np.frexp(lengths)[1]
    for size in np.unique(bucket):
        mine = np.flatnonzero(bucket == size)
        rows = _Rows({}, lengths[mine])
        place = starts[mine, None] + np.arange(rows.shape[1])
        inside = rows.inside
        place = np.where(inside, place, starts[mine, None])
        rows = _Rows({name: np.asarray(signals[name], float)[place] for name in wanted}, rows.lengths)
        out[place[inside]] = of(formula, rows)[inside]
    return out


def _rho(formula: Formula, rows: _Rows) -> Array:
    match formula:
        case Predicate():
            return formula.margin(rows.signals)
        case Constant(value):
            return np.full(rows.shape, math.inf if value else -math.inf)
        case Not(part):
            return -_rho(part, rows)
        case And(parts):
            return np.minimum.reduce([_rho(part, rows) for part in parts])
        case Or(parts):
            return np.maximum.reduce([_rho(part, rows) for part in parts])
        case Eventually(part, window):
            return _over(_rho(part, rows), window, rows)
        case Always(part, window):
            return -_over(-_rho(part, rows), window, rows)
        case Until(hold, then, window):
            return _until_rho(_rho(hold, rows), _rho(then, rows), window, rows)


def _over(x: Array, window: Window, rows: _Rows) -> Array:
    """The maximum over a window of each step, -inf where it lies beyond the end."""
    x = np.where(rows.inside, x, -np.inf)
    n, steps = x.shape
    if window.start >= steps:
        return np.full(x.shape, -np.inf)
    width = int(min(window.end - window.start + 1, steps))
    if window.end - window.start + 1 >= steps:
        best = np.maximum.accumulate(x[:, ::-1], axis=1)[:, ::-1]
    else:  # running maxima in blocks of the window's width: any window is the end of one and the start of the next
        blocks = -(-steps // width) + 1
        padded = np.full((n, blocks * width), -np.inf)
        padded[:, :steps] = x
        cut = padded.reshape(n, blocks, width)
        ahead = np.maximum.accumulate(cut, axis=2).reshape(n, -1)
        behind = np.maximum.accumulate(cut[:, :, ::-1], axis=2)[:, :, ::-1].reshape(n, -1)
        best = np.maximum(behind[:, :steps], ahead[:, width - 1 : width - 1 + steps])
    out = np.full(x.shape, -np.inf)
    out[:, : steps - window.start] = best[:, window.start :]
    return out


def _until_rho(hold: Array, then: Array, window: Window, rows: _Rows) -> Array:
    """hold U[a,b] then = always[0,a-1] hold, and a steps on: hold U then, and eventually[0,b-a] then."""
    then = np.where(rows.inside, then, -np.inf)
    steps = then.shape[1]
    open_ended = then.copy()
    for t in range(steps - 2, -1, -1):
        open_ended[:, t] = np.maximum(then[:, t], np.minimum(hold[:, t], open_ended[:, t + 1]))
    soon = np.minimum(open_ended, _over(then, Window(0, window.end - window.start), rows))
    if not window.start:
        return soon
    later = np.full(then.shape, -np.inf)
    later[:, : max(0, steps - window.start)] = soon[:, window.start :]
    return np.minimum(later, -_over(-hold, Window(0, window.start - 1), rows))


def _so_far(formula: Formula, rows: _Rows) -> Array:
    """For each step, the robustness at step 0 of the trajectory cut after it."""
    if any(isinstance(one, Always | Eventually | Until) for part in _parts(formula) for one in _walk(part)):
        if isinstance(formula, Not | And | Or):
            return _combined(formula, [_so_far(part, rows) for part in _parts(formula)])
        return _prefix_by_prefix(formula, rows)
    at = np.arange(rows.shape[1])
    match formula:
        case Always(part, window):
            return -_so_far(Eventually(Not(part), window), rows)
        case Eventually(part, window):
            inside = (at >= window.start) & (at <= window.end)
            return np.maximum.accumulate(np.where(inside, _rho(part, rows), -np.inf), axis=1)
        case Until(hold, then, window):
            held = np.minimum.accumulate(np.c_[np.full(rows.shape[0], np.inf), _rho(hold, rows)[:, :-1]], axis=1)
            inside = (at >= window.start) & (at <= window.end)
            best = np.where(inside, np.minimum(held, _rho(then, rows)), -np.inf)
            return np.maximum.accumulate(best, axis=1)
        case _:
            return np.repeat(_rho(formula, rows)[:, :1], rows.shape[1], axis=1)


def _combined(formula: Not | And | Or, parts: list[Array]) -> Array:
    if isinstance(formula, Not):
        return -parts[0]
    return (np.minimum if isinstance(formula, And) else np.maximum).reduce(parts)


def _prefix_by_prefix(formula: Formula, rows: _Rows) -> Array:
    out = np.full(rows.shape, np.nan)
    for end in range(1, rows.shape[1] + 1):
        cut = _Rows({name: x[:, :end] for name, x in rows.signals.items()}, np.minimum(rows.lengths, end))
        out[:, end - 1] = _rho(formula, cut)[:, 0]
    return out
