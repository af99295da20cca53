"""Formulas of propositional and of first-order logic, read from text as people and models write it."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from guerdon.evidence.logic.parsing import Close, FormulaError, Infix, Open, Operand, Prefix, parse


@dataclass(frozen=True)
class Atom:
    """A predicate with its terms; a proposition where there are none. Terms are names or nested: (name, terms...)."""

    name: str
    terms: tuple = ()


@dataclass(frozen=True)
class Constant:
    """True or false."""

    value: bool


@dataclass(frozen=True)
class Not:
    """The negation."""

    part: Formula


@dataclass(frozen=True)
class Join:
    """Two formulas joined: `table[2 * left + right]` is its value."""

    table: tuple[bool, bool, bool, bool]
    left: Formula
    right: Formula


@dataclass(frozen=True)
class Quantified:
    """For all, or for some, values of a variable."""

    every: bool
    variable: str
    part: Formula


Formula = Atom | Constant | Not | Join | Quantified

TABLES = {"and": (False, False, False, True), "or": (False, True, True, True), "if": (True, True, False, True),
           "iff": (True, False, False, True), "xor": (False, True, True, False)}  # fmt: skip


def _join(kind: str, binds: int, right: bool = False) -> Callable[[Any], Infix]:
    def make(a: Formula, b: Formula) -> Join:
        return Join(TABLES[kind], a, b)

    make.flat = not right  # a chain that groups from the left is walked without recursion: see `spine`
    return lambda _: Infix(binds, make, right)


def spine(formula: Formula) -> tuple[Formula, list[tuple[tuple, Formula]]]:
    """What stands leftmost in a chain of joins, and from there on each table with what it joins on the right.

    Example:
        >>> first, rest = spine(parse_propositional("p & q | r"))
        >>> first, [right for _, right in rest]
        (Atom(name='p', terms=()), [Atom(name='q', terms=()), Atom(name='r', terms=())])
    """
    rest = []
    while isinstance(formula, Join):
        rest.append((formula.table, formula.right))
        formula = formula.left
    return formula, rest[::-1]


def _quantified(every: bool) -> Callable[[re.Match], Prefix]:
    return lambda found: Prefix(lambda part: Quantified(every, found["variable"], part))


_NAME = r"[^\W\d]\w*'*"
_CONNECTIVES = (
    (r"(?:<->|<=>|↔|⇔|≡|\\leftrightarrow\b|\\iff\b|\biff\b)", _join("iff", 0)),
    (r"(?:->|=>|→|⇒|⊃|\\rightarrow\b|\\to\b|\\implies\b|\bimplies\b)", _join("if", 1, True)),
    (r"(?:\^\^|⊕|⊻|\\oplus\b|\bxor\b)", _join("xor", 3)),
    (r"(?:\|\|?|∨|\\lor\b|\\vee\b|\bor\b)", _join("or", 2)),
    (r"(?:&&?|∧|\\land\b|\\wedge\b|\band\b|/\\)", _join("and", 4)),
    (r"(?:¬|~|!(?!=)|−|\\neg\b|\\lnot\b|\bnot\b)", lambda _: Prefix(Not)),
    (r"(?:⊤|\\top\b|\b(?:true|True|TRUE)\b)", lambda _: Operand(Constant(True))),
    (r"(?:⊥|\\bot\b|\b(?:false|False|FALSE)\b)", lambda _: Operand(Constant(False))),
)
_BRACKETS = ((r"[(\[]", lambda _: Open()), (r"[)\]]", lambda _: Close()))
_PROPOSITIONAL = (*_BRACKETS, *_CONNECTIVES, (rf"(?P<name>{_NAME})", lambda found: Operand(Atom(found["name"]))))
_TERM = rf"{_NAME}(?:\((?:[^()]|\((?:[^()]|\([^()]*\))*\))*\))?"  # functions nest three deep
_FIRST_ORDER = (
    (rf"(?:∀|\\forall\b|\bforall\b|\ball\b)\s*(?P<variable>{_NAME})\s*[.:,]?", _quantified(True)),
    (rf"(?:∃|\\exists\b|\bexists\b|\bsome\b)\s*(?P<variable>{_NAME})\s*[.:,]?", _quantified(False)),
    *_BRACKETS, *_CONNECTIVES,
    (rf"(?P<left>{_TERM})\s*(?P<sign>!=|≠|=(?!>))\s*(?P<right>{_TERM})", lambda found: Operand(_equation(found))),
    (rf"(?P<atom>{_TERM})", lambda found: Operand(Atom(*_term(found["atom"])))),
)  # fmt: skip


def parse_propositional(text: str) -> Formula:
    """A propositional formula from text.

    Words, from the one that binds most closely: not ¬ ~ !, and & && ∧, xor ⊕, or | ∨, implies -> → =>,
    iff <-> ↔; true ⊤, false ⊥; the words of LaTeX. Names are letters, digits and underscores. Brackets are
    round or square.

    Raises:
        FormulaError: it is not a formula, is longer than 20,000 characters or nests more than 60 deep; a chain is
            not deep, however long.

    Example:
        >>> parse_propositional("p -> q") == parse_propositional("p → q")
        True
    """
    return parse(text, _PROPOSITIONAL)


def parse_first_order(text: str) -> Formula:
    """A first-order formula: ∀x, ∃x (or forall, exists), predicates P(x, f(y)), equations x = y; else as propositional.

    A quantifier binds as closely as a negation, so that its scope is the bracket that follows it.

    Example:
        >>> parse_first_order("forall x P(x)")
        Quantified(every=True, variable='x', part=Atom(name='P', terms=('x',)))
    """
    return parse(text, _FIRST_ORDER)


def walk(formula: Formula) -> Iterator[Formula]:
    """A formula and every formula within it, in no particular order."""
    stack = [formula]
    while stack:
        one = stack.pop()
        yield one
        match one:
            case Not(part) | Quantified(_, _, part):
                stack.append(part)
            case Join(_, left, right):
                stack += (left, right)


def symbols(formula: Formula) -> dict[tuple[str, str], int]:
    """Predicates and functions with how many terms they take, which has to be the same throughout."""
    out: dict[tuple[str, str], int] = {}
    stack: list[tuple[str, str, tuple]] = [("predicate", f.name, f.terms) for f in walk(formula) if isinstance(f, Atom)]
    while stack:
        kind, name, terms = stack.pop()
        if out.setdefault((kind, name), len(terms)) != len(terms):
            raise FormulaError(
                f"parse: {name!r} with {len(terms)} terms and {out[kind, name]}; one number is needed; correct it"
            )
        stack += [("function", t[0], t[1:]) if isinstance(t, tuple) else ("function", t, ()) for t in terms]
    return out


def nesting(formula: Formula) -> int:
    """How many quantifiers stand within each other at most."""
    deepest, stack = 0, [(formula, 0)]
    while stack:
        one, depth = stack.pop()
        deepest = max(deepest, depth)
        match one:
            case Not(part):
                stack.append((part, depth))
            case Quantified(_, _, part):
                stack.append((part, depth + 1))
            case Join(_, left, right):
                stack += [(left, depth), (right, depth)]
    return deepest


def _equation(found: re.Match) -> Formula:
    equal = Atom("=", (_plain(_term(found["left"])), _plain(_term(found["right"]))))
    return equal if found["sign"] == "=" else Not(equal)


def _plain(term: tuple[str, tuple]) -> Any:
    return (term[0], *term[1]) if term[1] else term[0]


def _term(text: str) -> tuple[str, tuple]:
    """A name and its terms. The pattern has seen to it that brackets nest at most three deep."""
    text = text.strip()
    found = re.fullmatch(rf"({_NAME})(?:\s*\((.*)\))?", text, re.S)
    if not found:
        raise FormulaError(
            f"parse: {text[:40]!r} is no term; a name, or a name with terms in brackets, is needed; mend it"
        )
    if found[2] is None:
        return found[1], ()
    parts, depth, start = [], 0, 0
    for i, sign in enumerate(found[2]):
        depth += (sign == "(") - (sign == ")")
        if sign == "," and not depth:
            parts.append(found[2][start:i])
            start = i + 1
    return found[1], tuple(_plain(_term(part)) for part in [*parts, found[2][start:]])
