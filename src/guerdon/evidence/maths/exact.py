"""The quick path: what can be decided by rules of our own, in this process, in bounded time."""

from __future__ import annotations

import re
from fractions import Fraction
from functools import lru_cache
from typing import NamedTuple

from guerdon.evidence.maths.compare import same
from guerdon.evidence.maths.expressions import flaw
from guerdon.evidence.maths.numbers import TooBig
from guerdon.evidence.maths.parse import parse
from guerdon.evidence.maths.tokens import Meaningless, TooDeep, Unreadable, plain, tokens_of
from guerdon.evidence.maths.words import DATE, SPELT, choice, could_mean, is_text, sayable, words

LENGTH = 2_000  # characters of an answer, after extraction
PLAIN = re.compile(r"[-+]?(?:\d{1,18}|[1-9]\d{0,2}(?:,\d{3}){1,5})(?:\.\d{1,18})?")


class Decision(NamedTuple):
    """`equal` is None where the checker has to be asked; `why` says what was wrong, `fault` with which side."""

    equal: bool | None
    why: str = ""
    fault: str = ""


def decide(answer: str, reference: str, digits: int = 6) -> Decision:
    """Whether an extracted answer equals a reference, where that can be told quickly.

    Example:
        >>> decide(r"\\frac{1}{2}", "0.5"), decide("1 2 3", "3").equal, decide(r"\\int_0^1 f", "2").equal
        (Decision(equal=True, why='', fault=''), False, None)
    """
    if PLAIN.fullmatch(reference) and PLAIN.fullmatch(answer):
        quick = _figures(answer, reference)
        if quick is not None:
            return Decision(quick)
    word_r, word_a = words(reference), words(answer)
    if word_r and word_r == word_a and sayable(reference):
        return Decision(True)
    if DATE.fullmatch(word_a) or DATE.fullmatch(word_r):
        return Decision(False)
    chosen = choice(answer, reference)
    if chosen is not None:
        return Decision(chosen)
    r, r_why = meant(reference)
    if isinstance(r, str) and r == "too big":
        return Decision(None, f"is too large: {r_why}", "reference")
    bad = "" if isinstance(r, str) else flaw(r)
    if bad:
        return Decision(None, bad, "reference")
    if is_text(reference):
        return Decision(False)
    a, a_why = meant(answer)
    if isinstance(a, str):
        if a == r == "unread" and _tight(answer) == _tight(reference) and could_mean(reference):
            return Decision(True)
        if a == "too big":
            return Decision(False, a_why, "answer")
        if not isinstance(r, str) and (_open(answer) or tokens_of(plain(answer)) is None):
            return Decision(False, "it is no formula: signs or braces are odd")
        if a == "meaningless" and not isinstance(r, str):
            return Decision(False, a_why)
        if is_text(answer) and not isinstance(r, str):
            return Decision(False)
        return Decision(None)
    if isinstance(r, str):
        return Decision(None)
    return _same(r, a, digits)


def _same(r: tuple, a: tuple, digits: int) -> Decision:
    try:
        found = same(r, a, digits)
        if found is None and flaw(a) == "has no value":
            return Decision(False, "it has no value")
        return Decision(found)
    except TooBig as error:
        return _too_big(r, a, str(error))
    except RecursionError:
        return Decision(None)


@lru_cache(maxsize=4096)
def read(text: str) -> tuple[tuple | str, str]:
    """The tree of a text, or why there is none: "too big", "meaningless" or "unread", with a sentence."""
    try:
        return parse(text), ""
    except TooDeep as error:
        return "too big", str(error)
    except Meaningless as error:
        return "meaningless", str(error)
    except Unreadable as error:
        return "unread", str(error)


def meant(text: str) -> tuple[tuple | str, str]:
    """As `read`, of words that stand for a formula too.

    Example:
        >>> meant("no solution") == read(r"\\emptyset"), meant("twelve") == read("12")
        (True, True)
    """
    return read(SPELT.get(words(text), text))


def _too_big(r: tuple, a: tuple, why: str) -> Decision:
    try:
        same(r, r)
        same(r, ("n", Fraction(0), None))
    except TooBig:
        return Decision(None, f"is too large: {why}", "reference")
    return Decision(False, why, "answer")


def _figures(answer: str, reference: str) -> bool | None:
    """Two plain numerals; None where one may be the other rounded."""
    a, r = answer.replace(",", ""), reference.replace(",", "")
    if a == r:
        return True
    if "." not in a and "." not in r:
        return int(a) == int(r)
    x, y = Fraction(a), Fraction(r)
    return True if x == y else False if abs(x - y) * 100_000 > abs(y) else None


def _open(text: str) -> bool:
    """Whether braces do not match."""
    bare = text.replace("\\{", "").replace("\\}", "")
    return bare.count("{") != bare.count("}")


def _tight(text: str) -> str:
    return re.sub(r"\s+", "", plain(text))
