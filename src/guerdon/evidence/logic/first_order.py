"""Are two first-order formulas equivalent? Small worlds by expansion, then all worlds by z3."""

from __future__ import annotations

import importlib.util
import itertools
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from guerdon.errors import MissingExtraError
from guerdon.evidence.grading import Grading
from guerdon.evidence.logic.formulas import (
    TABLES,
    Atom,
    Constant,
    Formula,
    Join,
    Not,
    Quantified,
    nesting,
    parse_first_order,
    spine,
    symbols,
)
from guerdon.evidence.logic.parsing import FormulaError
from guerdon.records import Verdict

COPIES = 1000  # of a formula's inmost part, in a world of few things


@dataclass(frozen=True)
class Solver:
    """The grader of `equivalent_first_order`; see there."""

    seconds: float = 2.0
    extract: Callable[[str], str] = str.strip

    @property
    def needs(self) -> tuple[str, ...]:
        """What is loaded before the clock of an item runs."""
        return tuple(name for name in ("z3",) if importlib.util.find_spec(name))

    def __call__(self, action: str, reference: str | None) -> Verdict:
        """The verdict on one answer."""
        if not isinstance(reference, str):
            return Verdict.unscored("the reference is no formula")
        try:
            wanted = parse_first_order(reference)
            symbols(wanted)
        except FormulaError as error:
            return Verdict.unscored(f"the reference cannot be read: {error}")
        try:
            said = parse_first_order(self.extract(str(action)))
            symbols(said)
        except FormulaError as error:
            return Verdict.score(0.0, why=str(error))
        try:
            import z3
        except ImportError:
            return Verdict.unscored(str(MissingExtraError(
                "equivalent_first_order: z3 is not installed; first-order logic needs it; pip install 'guerdon[logic]'"
            )))  # fmt: skip
        try:
            symbols(Join(TABLES["and"], wanted, said))
        except FormulaError as error:
            return Verdict.score(0.0, why=f"the answer uses a name otherwise than the reference: {error}")
        return self._solved(z3, said, wanted)

    def _solved(self, z3: Any, said: Formula, wanted: Formula) -> Verdict:
        """A first try in all worlds; then small ones, where a difference is soon found that z3 may look for in vain."""
        until = time.monotonic() + self.seconds
        for size, most in ((0, 0.1), (1, 0.2), (2, 0.2), (3, 0.2), (0, 1.0)):
            copies = sum(size ** nesting(f) for f in (said, wanted)) if size else 0
            if copies > COPIES:
                continue
            context = z3.Context()
            solver, made = z3.Solver(ctx=context), _Made(z3, context, size)
            left = until - time.monotonic()
            if left <= 0:
                break
            solver.set("timeout", max(1, int(1000 * min(left, most * self.seconds))))
            solver.set("max_memory", 500)
            solver.add(made(said, {}) != made(wanted, {}))
            solver.add(made.closed())
            result = solver.check()
            if result == z3.sat:
                return Verdict.score(0.0, why="different: there is a model of one that is none of the other")
            if result == z3.unsat and not size:
                return Verdict.score(1.0)
        return Verdict.unscored(f"z3 did not decide within {self.seconds:g} s")


def equivalent_first_order(
    name: str = "equivalent",
    seconds: float = 2.0,
    extract: Callable[[str], str] = str.strip,
    reads: tuple[str, str] = ("action", "reference"),
) -> Grading:
    """An observer: 1 where the answer's first-order formula is equivalent to the reference, by z3, else 0.

    There is one sort, which is not empty; predicates and functions are told apart by name, and have to be used
    with the same number of terms throughout; names that no quantifier binds are constants. First-order
    equivalence is undecidable: differences are looked for in worlds of one, two and three things first, then
    z3 is asked about all worlds, and what it does not decide within `seconds` is unscored. An answer that cannot be
    read is 0, a reference that cannot be read is unscored, and so is every item where z3 is not installed.

    Source: LogicLLaMA scores truth tables over bindings of literals; the solver is ours.
    """
    version = f"2 {seconds} {getattr(extract, '__qualname__', repr(extract))}"
    return Grading(name, Solver(seconds, extract), reads, deadline=4 * seconds + 5, version=version)


class _Made:
    """Formulas as z3 knows them."""

    def __init__(self, z3: Any, context: Any, size: int = 0) -> None:
        """In a world of `size` things, or of any number where that is 0."""
        self.z3, self.context = z3, context
        self.sort = z3.DeclareSort("thing", ctx=context)
        self.count = itertools.count()
        self.things = [z3.Const(f"thing {i}", self.sort) for i in range(size)]
        self.functions: dict[str, int] = {}

    def closed(self) -> list:
        """What makes the things all there are: they differ, and functions lead from them to them."""
        if not self.things:
            return []
        out = [self.z3.Distinct(*self.things)] if len(self.things) > 1 else []
        for name, arity in self.functions.items():
            for chosen in itertools.product(self.things, repeat=arity):
                value = self._function(name, chosen)
                out.append(self.z3.Or([value == thing for thing in self.things]))
        return out

    def _function(self, name: str, parts: Any) -> Any:
        if not parts:
            return self.z3.Const(f"f {name}", self.sort)
        return self.z3.Function(f"f {name}", *[self.sort] * (len(parts) + 1))(*parts)

    def __call__(self, formula: Formula, bound: dict[str, Any]) -> Any:
        z3 = self.z3
        match formula:
            case Constant(value):
                return z3.BoolVal(value, ctx=self.context)
            case Not(part):
                return z3.Not(self(part, bound))
            case Quantified(every, variable, part) if self.things:
                each = [self(part, {**bound, variable: thing}) for thing in self.things]
                return self.z3.And(each) if every else self.z3.Or(each)
            case Quantified(every, variable, part):
                value = z3.Const(f"{variable}!{next(self.count)}", self.sort)
                return (z3.ForAll if every else z3.Exists)([value], self(part, {**bound, variable: value}))
            case Join():
                first, rest = spine(formula)
                value = self(first, bound)
                for table, right in rest:
                    value = self.join(table, value, self(right, bound))
                return value
            case Atom("=", (left, right)):
                return self.term(left, bound) == self.term(right, bound)
            case Atom(name, terms):
                kind = z3.Function(f"P {name}", *[self.sort] * len(terms), z3.BoolSort(ctx=self.context))
                return kind(*(self.term(t, bound) for t in terms))

    def join(self, table: tuple, a: Any, b: Any) -> Any:
        """Both sides once each: with a side written twice, a chain of `iff` or `xor` would double at every link."""
        z3 = self.z3
        made = {
            TABLES["and"]: z3.And, TABLES["or"]: z3.Or, TABLES["if"]: z3.Implies,
            TABLES["iff"]: lambda a, b: a == b, TABLES["xor"]: z3.Xor,
        }  # fmt: skip
        return made[table](a, b)

    def term(self, term: Any, bound: dict[str, Any]) -> Any:
        """A term; a name that is not bound is a constant."""
        name, *parts = term if isinstance(term, tuple) else (term,)
        if not parts and name in bound:
            return bound[name]
        self.functions[name] = len(parts)
        return self._function(name, [self.term(part, bound) for part in parts])
