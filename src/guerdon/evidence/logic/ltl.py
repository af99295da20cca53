"""Linear temporal logic over finite traces (LTLf): what is done, what is lost, and how far it still is.

A formula becomes a finite automaton by progression: after each step, what remains to be shown is again
a formula. Each state is a disjunction of sets of obligations for the rest of the trace; an obligation is
strong (there has to be a rest) or weak (if there is one).
"""

from __future__ import annotations

import itertools
import math
from collections import deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from guerdon import segments
from guerdon.batch import Batch, Column, Level
from guerdon.evidence.logic.parsing import Close, FormulaError, Infix, Open, Operand, Prefix, chain, parse
from guerdon.evidence.logic.signals import COMPARISON, SIGNAL, Predicate, comparison, signal
from guerdon.evidence.observer import Cost

Array = np.ndarray
STATES, ATOMS, CLAUSES, WORK = 2000, 8, 200, 2_000_000  # beyond these, a formula is refused


@dataclass(frozen=True)
class Constant:
    """True or false."""

    value: bool


@dataclass(frozen=True)
class Not:
    """The part does not hold."""

    part: Formula


@dataclass(frozen=True)
class And:
    """All parts hold."""

    parts: tuple[Formula, ...]


@dataclass(frozen=True)
class Or:
    """A part holds."""

    parts: tuple[Formula, ...]


@dataclass(frozen=True)
class Next:
    """There is a next step, and the part holds from there."""

    part: Formula


@dataclass(frozen=True)
class WeakNext:
    """If there is a next step, the part holds from there."""

    part: Formula


@dataclass(frozen=True)
class Until:
    """`then` holds at some step, and `hold` at all before it."""

    hold: Formula
    then: Formula


@dataclass(frozen=True)
class Release:
    """`then` holds up to and including the step at which `free` does, or throughout."""

    free: Formula
    then: Formula


Formula = Predicate | Constant | Not | And | Or | Next | WeakNext | Until | Release
TRUE, FALSE = Constant(True), Constant(False)

_RULES = (
    (r"\(", lambda _: Open()), (r"\)", lambda _: Close()),
    (r"(?:<->|<=>|↔|⇔|\biff\b)", lambda _: Infix(0, lambda a, b: And((Or((Not(a), b)), Or((Not(b), a)))))),
    (r"(?:->|=>|→|⇒|\bimplies\b)", lambda _: Infix(1, lambda a, b: Or((Not(a), b)), right=True)),
    (r"(?:&&?|∧|\band\b)", lambda _: Infix(3, chain(And))), (r"(?:\|\|?|∨|\bor\b)", lambda _: Infix(2, chain(Or))),
    (r"(?:!|¬|~|\bnot\b)", lambda _: Prefix(Not)), (r"\btrue\b", lambda _: Operand(TRUE)),
    (r"\bfalse\b", lambda _: Operand(FALSE)),
    (r"(?:□|\balways\b|\bG\b)", lambda _: Prefix(lambda part: Release(FALSE, part))),
    (r"(?:◇|\beventually\b|\bF\b)", lambda _: Prefix(lambda part: Until(TRUE, part))),
    (r"(?:\bweak_next\b|\bN\b)", lambda _: Prefix(WeakNext)), (r"(?:\bnext\b|\bX\b)", lambda _: Prefix(Next)),
    (r"(?:\buntil\b|\bU\b)", lambda _: Infix(4, Until, right=True)),
    (r"(?:\brelease\b|\bR\b)", lambda _: Infix(4, Release, right=True)), (COMPARISON, comparison), (SIGNAL, signal),
)  # fmt: skip


def parse_ltlf(text: str) -> Formula:
    """A formula from text: G F X N U R or always, eventually, next, weak_next, until, release; words as in `parse_stl`.

    Atoms are step columns, which hold above 0, and linear comparisons of them. `X` wants a next step, `N`
    does not. Time bounds are not part of LTLf; write STL for them.

    Raises:
        FormulaError: it is not a formula, is longer than 20,000 characters or nests more than 60 deep.

    Example:
        >>> parse_ltlf("X done")
        Next(part=Predicate(weights=(('done', 1.0),), offset=0.0, strict=True, equal=False))
    """
    return parse(text, _RULES)


@dataclass(frozen=True, eq=False)
class Automaton:
    """What a formula allows, as states.

    Attributes:
        atoms: of the formula; a letter is the number whose bit i says whether atom i holds.
        next: (states, letters), the state after a letter. State 0 is the start, before any step.
        accepting: of each state, whether a trace that ends there satisfies the formula.
        distance: of each state, the fewest steps to an accepting one; inf where there is none.
        settled: of each state, 1 where every rest satisfies the formula, -1 where none does, else 0.
    """

    atoms: tuple[Predicate, ...]
    next: Array
    accepting: Array
    distance: Array
    settled: Array

    @property
    def progress(self) -> Array:
        """Of each state, 1 - distance / the largest finite distance; 1 where accepting, 0 where it is out of reach."""
        finite = self.distance[np.isfinite(self.distance)]
        scale = finite.max(initial=0.0) or 1.0
        return np.where(np.isfinite(self.distance), 1.0 - self.distance / scale, 0.0)


@lru_cache(maxsize=256)
def automaton(formula: Formula | str) -> Automaton:
    """The automaton of a formula, by progression from its start until no new state comes up.

    Raises:
        FormulaError: more than 8 atoms, 2,000 states or 200 alternatives in a state. A formula is refused by
            that before it costs more than seconds; such a one is better split into several.

    Source: progression over finite traces as in LTLf; distance to acceptance as potential: Hierarchical LTL.

    Example:
        >>> made = automaton("F (a & X F b)")
        >>> made.distance.tolist()
        [2.0, 1.0, 0.0]
    """
    formula = parse_ltlf(formula) if isinstance(formula, str) else formula
    root = _positive(formula, True)
    atoms = tuple(sorted({one for one in _walk(root) if isinstance(one, Predicate)}, key=repr))
    if len(atoms) > ATOMS:
        raise FormulaError(f"automaton: {len(atoms)} atoms; at most {ATOMS} are taken; split the formula")
    start = frozenset({frozenset({(True, root)})})
    numbers, rows, queue, work = {start: 0}, [], deque([start]), 0
    while queue:
        state, row = queue.popleft(), []
        for letter in range(1 << len(atoms)):
            holds = frozenset(atom for i, atom in enumerate(atoms) if letter >> i & 1)
            after = _after(state, holds)
            work += sum(map(len, state)) * (1 + len(after)) + len(after) ** 2
            if work > WORK:
                raise FormulaError("automaton: a formula that takes too many steps to unfold; split it into several")
            if after not in numbers:
                if len(numbers) >= STATES:
                    raise FormulaError(f"automaton: more than {STATES} states; a smaller formula is needed; split it")
                numbers[after] = len(numbers)
                queue.append(after)
            row.append(numbers[after])
        rows.append(row)
    moves = np.array(rows)
    accepting = np.array([any(not any(strong for strong, _ in clause) for clause in state) for state in numbers])
    distance, escape = _distances(moves, accepting), _distances(moves, ~accepting)
    settled = np.where(np.isinf(escape), 1, np.where(np.isinf(distance), -1, 0))
    return Automaton(atoms, moves, accepting, distance, settled)


def progressed(formula: Formula | str, signals: Mapping[str, Array], by: Array) -> tuple[Automaton, Array]:
    """The automaton of a formula, and the state after each step of each trajectory.

    Args:
        signals: one number a step, by name.
        by: which trajectory each step is of; equal ones side by side.
    """
    made = automaton(formula)
    letters = np.zeros(len(by), np.int64)
    for i, atom in enumerate(made.atoms):
        letters |= np.asarray(atom.holds(signals)).astype(np.int64) << i
    position = segments.position(np.asarray(by))
    order = np.argsort(position, kind="stable")
    state = np.zeros(len(by), np.int64)
    ends = np.flatnonzero(np.diff(position[order], append=-1))
    for places in np.split(order, ends[:-1] + 1) if len(order) else ():
        before = np.where(position[places] > 0, state[places - 1], 0)
        state[places] = made.next[before, letters[places]]
    return made, state


@dataclass(frozen=True)
class Ltlf:
    """The observer of `ltlf`; see there."""

    name: str
    formula: Formula
    version: str
    low: float = 0.0
    high: float = 1.0
    level: Level = "trajectory"
    cost: Cost = "free"

    def observe(self, batch: Batch) -> Batch:
        """The batch with the verdict of each play, and progress and what is settled at each step."""
        wanted = sorted({name for one in _walk(self.formula) if isinstance(one, Predicate) for name, _ in one.weights})
        batch.need(wanted, self.name)
        by, n = batch.trajectory_of_step, batch.size("trajectory")
        found = {s: batch.lift(batch[s], "step").filled() for s in wanted}
        missing = np.ones(n, bool)
        missing[by] = False
        for values in found.values():
            missing[by[~np.isfinite(values)]] = True
        if "failed" in batch:
            missing |= batch["failed"].valid & np.asarray(batch["failed"].values, bool)
        made, state = progressed(self.formula, found, by)
        value, end = np.full(n, np.nan), segments.last(by)
        value[by[end]] = made.accepting[state[end]]
        steps = ~missing[by]
        return batch.with_columns(
            **{
                self.name: Column("trajectory", value, ~missing),
                f"{self.name}/progress": Column("step", made.progress[state], steps),
                f"{self.name}/settled": Column("step", made.settled[state].astype(float), steps),
            }
        )


def ltlf(formula: Formula | str, name: str = "ltlf") -> Ltlf:
    """An observer: 1 where the whole play satisfies an LTLf formula over step columns, else 0.

    At each step it leaves `NAME/progress`, 1 - distance / largest distance, where the distance is the fewest
    steps in which the formula could be satisfied (0 where it no longer can be); and `NAME/settled`: 1 where
    every continuation satisfies it, -1 where none does, 0 while that is open. Progress is a function of the
    automaton's state, so gamma * progress' - progress, with 0 at the end, leaves the best policy as it is;
    paying only what it gains can be farmed by losing and regaining it. Unscored where a column is missing
    in the trajectory, it failed, or it has no steps.

    Raises:
        FormulaError: see `parse_ltlf` and `automaton`.

    Source: Hierarchical LTL (progress as distance in the automaton); TGPO (arXiv 2510.00225, stages).

    Example:
        >>> batch = Batch.from_steps(group=[0] * 3, trajectory=[0, 0, 1], reward=[0.0] * 3)
        >>> batch = batch.with_columns(key=Column.of("step", [1, 0, 0]), door=Column.of("step", [0, 1, 1]))
        >>> seen = ltlf("F (key & X F door)").observe(batch)
        >>> seen["ltlf"].values, seen["ltlf/progress"].values
        (array([1., 0.]), array([0.5, 1. , 0. ]))
    """
    tree = parse_ltlf(formula) if isinstance(formula, str) else formula
    automaton(tree)
    return Ltlf(name, tree, f"1 {tree}")


State = frozenset  # of clauses, each a frozenset of obligations (strong, formula)


def _after(state: State, holds: frozenset) -> State:
    out: set = set()
    for clause in state:
        product: State = frozenset({frozenset()})
        for _, formula in clause:
            product = _times(product, _now(formula, holds))
        out |= set(product)
    return _least(out)


@lru_cache(maxsize=100_000)
def _now(formula: Formula, holds: frozenset) -> State:
    """What remains to be shown after a step at which `holds` holds."""
    match formula:
        case Predicate() | Not() | Constant():
            true = formula.value if isinstance(formula, Constant) else (
                formula.part not in holds if isinstance(formula, Not) else formula in holds
            )  # fmt: skip
            return frozenset({frozenset()}) if true else frozenset()
        case And(parts):
            out: State = frozenset({frozenset()})
            for part in parts:
                out = _times(out, _now(part, holds))
            return out
        case Or(parts):
            return _least({clause for part in parts for clause in _now(part, holds)})
        case Next(part):
            return frozenset({frozenset({(True, part)})})
        case WeakNext(part):
            return frozenset({frozenset({(False, part)})})
        case Until(hold, then):
            again = frozenset({frozenset({(True, formula)})})
            return _least(_now(then, holds) | _times(_now(hold, holds), again))
        case Release(free, then):
            again = frozenset({frozenset({(False, formula)})})
            return _times(_now(then, holds), _least(_now(free, holds) | again))


def _times(a: State, b: State) -> State:
    if len(a) * len(b) > CLAUSES**2:
        raise FormulaError(
            f"automaton: more than {CLAUSES} alternatives in a state; a smaller formula is needed; split it"
        )
    return _least({x | y for x, y in itertools.product(a, b)})


def _least(clauses: set | frozenset) -> State:
    """Clauses without those that ask for more than another; of strong and weak, the strong obligation."""
    tidy = {frozenset(o for o in c if o[0] or (True, o[1]) not in c) for c in clauses}
    if len(tidy) > CLAUSES:
        raise FormulaError(
            f"automaton: more than {CLAUSES} alternatives in a state; a smaller formula is needed; split it"
        )
    return frozenset(c for c in tidy if not any(other < c for other in tidy))


def _distances(moves: Array, goal: Array) -> Array:
    """The fewest letters from each state to a goal state, by search from the goals backwards."""
    before: list[list[int]] = [[] for _ in moves]
    for state, row in enumerate(moves):
        for after in set(row.tolist()):
            before[after].append(state)
    out = np.where(goal, 0.0, math.inf)
    queue = deque(np.flatnonzero(goal).tolist())
    while queue:
        state = queue.popleft()
        for earlier in before[state]:
            if math.isinf(out[earlier]):
                out[earlier] = out[state] + 1
                queue.append(earlier)
    return out


def _positive(formula: Formula, sign: bool) -> Formula:
    """Negation moved to the atoms."""
    match formula:
        case Not(part):
            return _positive(part, not sign)
        case Constant(value):
            return Constant(value == sign)
        case And(parts) | Or(parts):
            kind = And if isinstance(formula, And) == sign else Or
            return kind(tuple(_positive(part, sign) for part in parts))
        case Next(part) | WeakNext(part):
            kind = Next if isinstance(formula, Next) == sign else WeakNext
            return kind(_positive(part, sign))
        case Until(hold, then):
            return (Until if sign else Release)(_positive(hold, sign), _positive(then, sign))
        case Release(free, then):
            return (Release if sign else Until)(_positive(free, sign), _positive(then, sign))
    return formula if sign else Not(formula)


def _walk(formula: Formula) -> Iterable[Formula]:
    stack: list[Formula] = [formula]
    while stack:
        one = stack.pop()
        yield one
        match one:
            case Not(part) | Next(part) | WeakNext(part):
                stack.append(part)
            case And(parts) | Or(parts):
                stack += parts
            case Until(a, b) | Release(a, b):
                stack += (a, b)
