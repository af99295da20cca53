"""Do two propositional formulas say the same? How many rows of their truth tables agree."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Sized
from dataclasses import dataclass

import numpy as np

from guerdon.evidence.grading import Grading
from guerdon.evidence.logic.formulas import (
    Atom,
    Constant,
    Formula,
    Join,
    Not,
    Quantified,
    parse_propositional,
    spine,
    walk,
)
from guerdon.evidence.logic.parsing import FormulaError
from guerdon.records import Verdict

Array = np.ndarray
ATOMS = 14  # of both formulas together: 16,384 rows
BINDINGS = 1000


@dataclass(frozen=True)
class Table:
    """How far two propositional formulas agree, over all rows of their truth table.

    Attributes:
        exact: 1 where every row agrees.
        agreement: the share of rows that agree.
        balanced: the mean of the agreement on the reference's true rows and on its false rows; a constant
            answer gets 0.5 whatever the reference. As `agreement` where the reference is itself constant.
    """

    exact: float
    agreement: float
    balanced: float


def exact(table: Table) -> float:
    """1 where the formulas are equivalent, else 0."""
    return table.exact


def agreement(table: Table) -> float:
    """The share of rows that agree. An answer that is nearly constant gets much of it for nothing."""
    return table.agreement


def balanced(table: Table) -> float:
    """The agreement on the reference's true rows and on its false rows, averaged."""
    return table.balanced


def truth_table(said: Formula, wanted: Formula, bind: bool = False) -> Table:
    """How far two propositional formulas agree.

    Args:
        bind: whether names may differ: of up to 1,000 ways to give the names that only the answer has to
            those that only the reference has, the one that agrees most counts. More names give more ways to
            agree by luck.

    Raises:
        FormulaError: more than 14 atoms together, or a quantifier.

    Source: LogicLLaMA, logical-equivalence score (share of rows, best binding); balanced agreement is ours.

    Example:
        >>> truth_table(parse_propositional("p & q"), parse_propositional("p | q"))
        Table(exact=0.0, agreement=0.5, balanced=0.6666666666666666)
    """
    mine, theirs = _cube(said), _cube(wanted)
    own, other = (sorted(set(a.names) - set(b.names)) for a, b in ((mine, theirs), (theirs, mine)))
    best: Table | None = None
    for binding in itertools.islice(_bindings(own, other), BINDINGS if bind else 1):
        found = _compared(mine.renamed(binding if bind else {}), theirs)
        if best is None or (found.exact, found.balanced) > (best.exact, best.balanced):
            best = found
        if best.exact:
            break
    return best


@dataclass(frozen=True)
class TruthTables:
    """The grader of `equivalent`; see there."""

    measure: Callable[[Table], float] = exact
    bind: bool = False
    extract: Callable[[str], str] = str.strip

    def __call__(self, action: str, reference: str | None) -> Verdict:
        """The verdict on one answer."""
        if not isinstance(reference, str):
            return Verdict.unscored("the reference is no formula")
        try:
            wanted = parse_propositional(reference)
            if len(_atoms(wanted)) > ATOMS:
                return Verdict.unscored(f"the reference has more than {ATOMS} atoms")
        except FormulaError as error:
            return Verdict.unscored(f"the reference cannot be read: {error}")
        try:
            found = truth_table(parse_propositional(self.extract(str(action))), wanted, self.bind)
        except FormulaError as error:
            return Verdict.score(0.0, why=str(error), exact=0.0, agreement=0.0, balanced=0.0)
        return Verdict.score(self.measure(found), **vars(found))


def equivalent(
    name: str = "equivalent",
    measure: Callable[[Table], float] = exact,
    bind: bool = False,
    extract: Callable[[str], str] = str.strip,
    reads: tuple[str, str] = ("action", "reference"),
) -> Grading:
    """An observer: how far the answer's propositional formula agrees with the reference, by truth table.

    Facts: `exact`, `agreement`, `balanced`. An answer that cannot be read, or has more than 14 atoms together
    with the reference, is worth 0 with the fact `why`; a reference that cannot be read is unscored.

    Args:
        measure: `exact`, `agreement` or `balanced`. Agreement pays a constant answer for being constant;
            balanced pays it 0.5 whatever the reference, which a group's baseline takes off.
        bind: see `truth_table`.
        extract: takes the formula out of the answer.

    Source: LogicLLaMA (logical-equivalence score).

    Example:
        >>> from guerdon.batch import Batch, Column
        >>> batch = Batch.from_steps(group=[0, 0], trajectory=[0, 1], reward=[0.0, 0.0], action=["~q -> ~p", "q -> p"])
        >>> batch = batch.with_columns(reference=Column.of("trajectory", ["p -> q", "p -> q"]))
        >>> seen = equivalent().observe(batch)
        >>> seen["equivalent"].values, seen["equivalent/agreement"].values
        (array([1., 0.]), array([1. , 0.5]))
    """
    version = f"2 {measure.__qualname__} {bind} {getattr(extract, '__qualname__', repr(extract))}"
    return Grading(name, TruthTables(measure, bind, extract), reads, deadline=10.0, version=version)


def _atoms(formula: Formula) -> set[str]:
    found = list(walk(formula))
    if any(isinstance(one, Quantified) for one in found):
        raise FormulaError(
            "truth_table: a formula with a quantifier; propositional logic has none; ask equivalent_first_order"
        )
    return {one.name for one in found if isinstance(one, Atom)}


def _bindings(mine: list[str], theirs: list[str]) -> Iterator[dict[str, str]]:
    """Names of the answer to names of the reference; those left over on the longer side keep their own."""
    if len(mine) <= len(theirs):
        yield from (dict(zip(mine, chosen, strict=True)) for chosen in itertools.permutations(theirs, len(mine)))
    else:
        yield from (dict(zip(chosen, theirs, strict=True)) for chosen in itertools.permutations(mine, len(theirs)))


@dataclass(frozen=True, eq=False)
class _Cube:
    """The value of a formula for each way to set its atoms: one axis of two places an atom, false first."""

    names: tuple[str, ...]
    values: Array

    def renamed(self, binding: dict[str, str]) -> _Cube:
        return _Cube(tuple(binding.get(name, name) for name in self.names), self.values)

    def over(self, names: list[str]) -> Array:
        """With an axis for each of these names, in that order; of one place for those that are not its own."""
        axes = [self.names.index(name) for name in names if name in self.names]
        return self.values.transpose(axes).reshape([2 if name in self.names else 1 for name in names])


def _cube(formula: Formula) -> _Cube:
    """Each formula is walked once, however many bindings are tried."""
    names = sorted(_atoms(formula))
    _few(names)
    rows = np.arange(1 << len(names))
    columns = {name: (rows >> (len(names) - 1 - i) & 1).astype(bool) for i, name in enumerate(names)}
    values = np.broadcast_to(_value(formula, columns), rows.shape)
    return _Cube(tuple(names), values.reshape((2,) * len(names)))


def _few(names: Sized) -> None:
    if len(names) > ATOMS:
        raise FormulaError(f"truth_table: {len(names)} atoms together; at most {ATOMS} are taken; use fewer names")


def _compared(said: _Cube, wanted: _Cube) -> Table:
    names = sorted({*said.names, *wanted.names})
    _few(names)
    a, b = (np.broadcast_to(cube.over(names), (2,) * len(names)) for cube in (said, wanted))
    same = a == b
    share = float(same.mean())
    both = float((same[b].mean() + same[~b].mean()) / 2) if b.any() and not b.all() else share
    return Table(float(same.all()), share, both)


def _value(formula: Formula, columns: dict[str, Array]) -> Array | np.bool_:
    match formula:
        case Atom(name):
            return columns[name]
        case Constant(value):
            return np.array(value)
        case Not(part):
            return ~_value(part, columns)
        case Join():
            first, rest = spine(formula)
            value = _value(first, columns)
            for table, right in rest:
                value = np.array(table)[2 * value.astype(int) + _value(right, columns).astype(int)]
            return value
    raise FormulaError("truth_table: a quantifier; propositional logic has none; ask equivalent_first_order")
