"""The slow path: math-verify, in a process that is killed at the deadline, and its yes looked at a second time."""

from __future__ import annotations

import logging
from contextlib import suppress
from dataclasses import dataclass
from functools import lru_cache

from guerdon.errors import MissingExtraError
from guerdon.evidence.maths.guard import too_large
from guerdon.evidence.maths.operators import misread
from guerdon.records import Verdict

WARMING = ("x+1", r"\sum_{k=0}^{n} a_k + \int_0^1 \frac{\sin x}{\sqrt{x}} dx", r"\{1,2\}\cup(0,1]")
POINTS = ((3, 7), (-5, 11), (13, 6), (-17, 9), (23, 5))


@dataclass(frozen=True)
class Checker:
    """A grader of extracted answers that the quick path could not decide; it belongs in a process that can be killed.

    Attributes:
        needs: modules that a worker loads before its clock starts.

    Elsewhere: math-verify alone searches a formula that it cannot read for numbers, and compares those; compares
    differences with an absolute tolerance; and depends on the order of its arguments. Here only whole
    formulas are read, both orders are asked, and two values must agree to 40 figures.
    """

    needs: tuple[str, ...] = ("guerdon.evidence.maths.checked:ready",)

    def __call__(self, answer: str, reference: str, sound: bool = False) -> Verdict:
        """1 or 0; unscored where the reference cannot be read or does not verify against itself.

        Args:
            sound: whether the reference is known to be good, since rules of our own read it; then an answer
                that nothing can read is the candidate's doing.

        Raises:
            MissingExtraError: math-verify is not installed.
        """
        why = too_large(answer)
        if why:
            return Verdict.score(0.0, path="checked", why=f"the answer is too large: {why}")
        gold, trouble = _gold(reference)
        said = _read(answer) if not trouble or sound else None
        if trouble and (said is not None or not sound):
            return Verdict.unscored(f"the reference {trouble}{' by the checker' if sound else ''}", path="checked")
        if said is None:
            return Verdict.score(0.0, path="checked", why="the answer could not be read")
        if not _confirmed(gold, said):  # the cheap look first: a wrong answer is not simplified for a second
            return Verdict.score(0.0, path="checked", why="not equal, or to few figures only")
        if not (_verify(gold, said) or _verify(said, gold)):
            return Verdict.score(0.0, path="checked", why="not equal")
        return Verdict.score(1.0, path="checked", why="equal")


def ready() -> None:
    """Loads what the checker needs; where that is not installed, each answer will say so.

    Example:
        >>> ready()
    """
    with suppress(MissingExtraError):
        read, verify = _checker()
        for text in WARMING:  # its parser is slow on what it meets for the first time
            verify(read(text), read(text), timeout_seconds=None)


@lru_cache(maxsize=256)
def _gold(reference: str) -> tuple[object, str]:
    why = too_large(reference)
    if why:
        return None, f"is too large: {why}"
    gold = _read(reference)
    if gold is None:
        return None, "could not be read"
    return (gold, "") if _verify(gold, gold) else (None, "does not verify against itself")


def _read(text: str) -> object | None:
    """What math-verify reads in a formula as a whole; None where it reads nothing.

    Its own search through a text is left out: it takes a fraction out of the middle of what it cannot read.
    """
    read, _ = _checker()
    if misread(text):
        return None
    try:
        found = read(text.replace("\\$", "").replace("$", ""))
        return None if _vanishes(found) else found
    except Exception:
        return None


def _vanishes(found: object) -> bool:
    """Whether a derivative is in it of what does not name its variable: of y by x, math-verify says nought."""
    from sympy import Basic, Derivative

    for part in found.atoms(Derivative) if isinstance(found, Basic) else ():
        if part.expr.free_symbols and not part.expr.free_symbols & set(part.variables):
            return True
    return False


def _verify(gold: object, said: object) -> bool:
    _, verify = _checker()
    return bool(verify(gold, said, timeout_seconds=None, allow_set_relation_comp=True))


@lru_cache(maxsize=1)
def _checker():
    try:
        from latex2sympy2_extended.latex2sympy2 import normalize_latex
        from math_verify import LatexExtractionConfig, verify
        from math_verify.parser import parse_latex_cached
    except ImportError as error:
        raise MissingExtraError(
            f"maths: {error.name} is not installed; answers beyond plain numbers and common LaTeX are checked with "
            "math-verify; run: pip install 'guerdon[math]'"
        ) from None
    logging.getLogger("math_verify").setLevel(logging.CRITICAL)
    config = LatexExtractionConfig().normalization_config
    return lambda text: parse_latex_cached(normalize_latex(text, config=config)), verify


def _confirmed(gold: object, said: object) -> bool:
    """Whether a yes can stand: values to 40 figures at several points, of what one name is said to be in both.

    What has no value to look at (sets, relations, unevaluated sums) must be the same expression, or stands as
    it was where it is made of several things.
    """
    from sympy import Eq, Expr, Integer, Product, Rational, Sum, Symbol

    if isinstance(gold, Eq) and isinstance(said, Eq) and gold.lhs == said.lhs and isinstance(gold.lhs, Symbol):
        gold, said = gold.rhs, said.rhs
    if not isinstance(gold, Expr) or not isinstance(said, Expr):
        return True
    names = sorted(gold.free_symbols | said.free_symbols, key=str)
    whole = gold.has(Sum, Product) or said.has(Sum, Product)  # which have a value where their ends are whole
    agreed = 0
    for k in range(len(POINTS) if names else 1):
        point = {
            s: Integer(3 + k + i) if whole else Rational(*POINTS[(k + i) % len(POINTS)]) + i
            for i, s in enumerate(names)
        }
        a, b = (_number(side, point) for side in (gold, said))
        if a is None or b is None:
            continue
        if abs(a - b) > max(abs(a), abs(b)) * Rational(1, 10**40):
            return _float(gold) or _float(said)
        agreed += 1
    return agreed > 0 or gold == said


def _float(side: object) -> bool:
    from sympy import Float

    return bool(side.atoms(Float))  # written with a point: math-verify's own rounding rule stands


def _number(side, point: dict):
    try:
        value = side.subs(point).doit().evalf(60)
        return value if value.is_number and value.is_finite else None
    except Exception:
        return None
