"""One text for answers that are the same, so that they can be counted: of 1/2, 0.5 and \\frac12 it is 1/2."""

from __future__ import annotations

import re
from decimal import Context, Decimal, localcontext
from fractions import Fraction
from hashlib import blake2b

from guerdon.evidence.maths.amounts import measured
from guerdon.evidence.maths.compare import items_of, named, shape
from guerdon.evidence.maths.exact import meant
from guerdon.evidence.maths.expressions import flaw, lasting
from guerdon.evidence.maths.extract import extract
from guerdon.evidence.maths.guard import LENGTH
from guerdon.evidence.maths.numbers import Evaluator, TooBig, Undecided, Undefined, holds, symbols
from guerdon.evidence.maths.tokens import plain
from guerdon.evidence.maths.units import measure
from guerdon.evidence.maths.words import could_mean, is_text, words

POINTS = 8
FIGURES, WORKED = 105, 140  # that two irrational numbers share, and that they are worked out to


def canon(text: str) -> str | None:
    """A text that is the same for answers that are equal by the quick path of `equal`; None where no answer is stated.

    The answer is extracted (`extract`) and read. A number becomes a fraction in its lowest terms, or 105 figures
    where it is irrational; an expression with symbols its values at eight points; a list is put in order; a unit is
    turned into the first of its kind. Answers in words are compared in one case. For votes:
    `majority(canon=canon)`, over plays that had one task.

    Two answers with one canon are equal; the other way round not always, since `equal` takes what one side leaves
    out from the other, and a text alone has no other side: 5 is no `5 m` here and no `x = 5`, 50 no `50%`, and
    0.333333 no third. None too for what has no value, is too large or a torso: such an answer has no vote.

    Args:
        text: all that was said.

    Example:
        >>> canon(r"so \\boxed{\\frac12}"), canon("#### 0.5"), canon("x^2-1") == canon("(x-1)(x+1)")
        ('1/2', '1/2', True)
        >>> canon("500 cm"), canon("2, 1"), canon(r"\\text{No}"), canon("1/0"), canon("<think>5")
        ('5 length', '1, 2', 'no', None, None)

    Elsewhere: released code votes by the extracted string, so that 1/2 and 0.5 split the vote, or asks a checker
    about each pair, whose yes depends on the order.
    """
    said = extract(text).text.strip()
    if not said or len(said) > LENGTH:
        return None
    tree, _ = meant(said)
    if is_text(said):
        return words(said)
    if isinstance(tree, str):
        return re.sub(r"\s+", "", plain(said)) if tree == "unread" and could_mean(said) else None
    try:
        return None if flaw(tree) else _form(tree)
    except (TooBig, Undefined, RecursionError):
        return None


def _form(tree: tuple) -> str:
    """A tree as a text: several things one by one, values by what they are."""
    kind = shape(tree)
    if kind == "list":
        run = sorted(_form(item) for item in items_of(tree))
        word = f" {tree[2]} " if tree[0] == "list" and any(item[0] == "rel" for item in tree[1]) else ", "
        return word.join(run)
    if kind == "set":
        return f"{{{', '.join(sorted({_form(item) for item in items_of(tree)}))}}}"
    if kind == "seq":
        return f"{tree[1]}{', '.join(map(_form, tree[2]))}{tree[3]}"
    if kind == "mat":
        return f"rows {'; '.join(', '.join(map(_form, row)) for row in tree[1])}"
    if kind == "ratio":
        return ":".join(map(_form, tree[1]))
    if kind == "rel" and (parts := named(tree)) is not None and parts[0] != ("s", "") and "in" not in tree[1]:
        name = parts[0][1] if parts[0][0] == "s" else repr(parts[0])
        return f"{name} = {_form(parts[1])}"
    return _value(tree) if kind == "value" else repr(tree)


def _value(tree: tuple) -> str:
    core, unit, percent = measured(tree)
    if percent:
        return _number(("%", core))
    found = measure(unit) if unit else None
    if found is None:
        return _number(core)
    kinds = " ".join(kind if power == 1 else f"{kind}^{power}" for kind, power in found[0])
    return f"{_number(('*', (core, ('n', found[1], None))))} {kinds}"


def _number(tree: tuple) -> str:
    names = sorted(symbols(tree))
    if "\\infty" in names or "\\ldots" in names or _cut(tree):
        return repr(tree)
    try:
        if not names:
            value = Evaluator({}, WORKED).value(tree)
            if lasting(tree, value):
                return f"{value:.20e}"
            return _shown(value, FIGURES, 10**12)
        values = [_shown(_at(tree, point), 45, 10**18) for point in _points(names, tree)]
    except Undecided:
        return repr(tree)
    except Undefined:
        if not names:
            raise
        return repr(tree)  # a root or a logarithm that is not defined everywhere
    return f"{', '.join(names)}: {blake2b(' '.join(values).encode(), digest_size=16).hexdigest()}"


def _at(tree: tuple, point: dict[str, Fraction]):
    return Evaluator(point, complex_=holds(tree, ("s", "i"))).value(tree)


def _cut(tree: object) -> bool:
    """Whether a decimal is in it that was cut off, 1.4142..."""
    return isinstance(tree, tuple) and ((len(tree) == 4 and tree[0] == "n") or any(map(_cut, tree)))


def _points(names: list[str], tree: tuple) -> list[dict[str, Fraction]]:
    """Where expressions in these names are worked out: the same for all, above nought and below it."""
    whole = holds(tree, ("!",)) or holds(tree, ("f", "binom")) or holds(tree, ("f", "fact2"))
    out = []
    for k in range(POINTS):
        point = {}
        for i, name in enumerate(names):
            draw = int.from_bytes(blake2b(f"{k} {name}".encode("utf-8", "replace"), digest_size=8).digest(), "big")
            size = Fraction(3 + draw % 38) if whole else Fraction(20 + draw % 280, 101)
            point[name] = -size if not whole and k >> (i % 3) & 1 else size
        out.append(point)
    return out


def _shown(value, figures: int, largest: int) -> str:
    """A number as text: a fraction, also of decimals that are one to so many figures; else these figures."""
    if isinstance(value, tuple):
        return f"{_shown(value[0], figures, largest)} + {_shown(value[1], figures, largest)} i"
    if isinstance(value, Fraction):
        long = max(abs(value.numerator), value.denominator).bit_length() > 12_000  # Python writes 4,300 figures out
        return f"{value.numerator:x}/{value.denominator:x} in hexadecimals" if long else str(value)
    if value == 0 or value.adjusted() < -figures:  # what rounding leaves of nothing
        return "0"
    if value.adjusted() < figures:
        near = Fraction(value).limit_denominator(largest)
        if abs(Fraction(value) - near) <= abs(Fraction(value)) * Fraction(1, 10**figures):
            return str(near)
    with localcontext(Context(prec=figures)):
        return str(+Decimal(value))
