"""Reading formulas: infix text to a tree, without recursion, so that no nesting overflows the stack.

Each logic says what its words are; how operators bind is the same for all.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from guerdon.errors import RecordError

DEPTH = 60  # how deep a tree may be, so that what walks it by recursion is safe
LENGTH = 20_000  # characters of a formula


class FormulaError(RecordError):
    """Text that is not a formula, or one that is larger than is read."""


@dataclass(frozen=True)
class Operand:
    """A leaf of the tree: an atom."""

    tree: Any


@dataclass(frozen=True)
class Prefix:
    """An operator that stands before what it applies to, such as not; it binds more closely than any infix."""

    make: Callable[[Any], Any]


@dataclass(frozen=True)
class Infix:
    """An operator between two formulas.

    Attributes:
        binds: how closely; more is closer.
        make: the tree from both sides.
        right: whether a chain of it groups from the right.
    """

    binds: int
    make: Callable[[Any, Any], Any]
    right: bool = False


@dataclass(frozen=True)
class Open:
    """An opening bracket."""


@dataclass(frozen=True)
class Close:
    """A closing bracket."""


Token = Operand | Prefix | Infix | Open | Close
Rule = tuple[str, Callable[[re.Match], Token]]


def tokens(text: str, rules: Sequence[Rule]) -> Iterator[Token]:
    """The words of a formula: at each place the first rule whose pattern matches; blanks are passed over.

    Raises:
        FormulaError: the text is longer than 20,000 characters, or no rule matches somewhere.
    """
    if len(text) > LENGTH:
        raise FormulaError(f"parse: a formula of {len(text)} characters; at most {LENGTH} are read; shorten it")
    compiled = [(re.compile(r"\s*(?:" + pattern + ")"), make) for pattern, make in rules]
    place, end = 0, len(text.rstrip())
    while place < end:
        for pattern, make in compiled:
            found = pattern.match(text, place)
            if found and found.end() > place:
                yield make(found)
                place = found.end()
                break
        else:
            raise FormulaError(
                f"parse: {text[place : place + 20].strip()!r} at character {place}; an atom, an operator or a bracket "
                "is needed; mend the formula"
            )


def parse(text: str, rules: Sequence[Rule]) -> Any:
    """The tree of a formula, with operators applied by how closely they bind.

    Raises:
        FormulaError: it is not well formed, is too long, or nests more than 60 deep.
    """
    out: list[tuple[Any, int]] = []  # trees, each with its depth
    waiting: list[Prefix | Infix | Open] = []
    operand_next = True
    for token in tokens(text, rules):
        starts = isinstance(token, Operand | Prefix | Open)
        if starts != operand_next:
            raise FormulaError(
                f"parse: {'a formula where an operator' if starts else 'an operator where a formula'} is needed, in "
                f"{text[:60]!r}; mend the formula"
            )
        match token:
            case Operand(tree):
                out.append((tree, 1))
                operand_next = False
            case Prefix() | Open():
                waiting.append(token)
            case Infix():
                while waiting and _first(waiting[-1], token):
                    _apply(waiting.pop(), out)
                waiting.append(token)
                operand_next = True
            case Close():
                while waiting and not isinstance(waiting[-1], Open):
                    _apply(waiting.pop(), out)
                if not waiting:
                    raise FormulaError("parse: a closing bracket without an opening one; mend the formula")
                waiting.pop()
    if operand_next:
        raise FormulaError(f"parse: {text[:60]!r} ends where a formula is needed; complete it")
    while waiting:
        if isinstance(waiting[-1], Open):
            raise FormulaError("parse: an opening bracket without a closing one; mend the formula")
        _apply(waiting.pop(), out)
    return out[0][0]


def chain(kind: type) -> Callable[[Any, Any], Any]:
    """An infix operator that makes one flat node of a chain: a & b & c is one node with three parts."""

    def make(left: Any, right: Any) -> Any:
        parts = [p for side in (left, right) for p in (side.parts if isinstance(side, kind) else (side,))]
        return kind(tuple(parts))

    make.flat = True  # a chain does not get deeper
    return make


def _first(waiting: Prefix | Infix | Open, token: Infix) -> bool:
    if isinstance(waiting, Open):
        return False
    return (
        isinstance(waiting, Prefix) or waiting.binds > token.binds or (waiting.binds == token.binds and not token.right)
    )


def _apply(operator: Prefix | Infix, out: list[tuple[Any, int]]) -> None:
    if isinstance(operator, Prefix):
        tree, depth = out.pop()
        made = (operator.make(tree), depth + 1)
    else:
        (right, b), (left, a) = out.pop(), out.pop()
        tree = operator.make(left, right)
        flat = getattr(operator.make, "flat", False) and isinstance(left, type(tree))
        made = (tree, max(a, b + 1) if flat else max(a, b) + 1)
    if made[1] > DEPTH:
        raise FormulaError(f"parse: a formula that nests more than {DEPTH} deep; a flatter one is needed; simplify it")
    out.append(made)
