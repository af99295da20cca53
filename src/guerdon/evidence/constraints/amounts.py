"""Checks of how much there is: words, sentences, paragraphs, lines, characters, and how often something comes.

Each is a function of the text and its arguments, and returns a degree in [0, 1]: 1 where the constraint
holds, less where it does not, falling with the distance. All take time linear in the text.
"""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache

WORD = re.compile(r"\w+(?:['’\-]\w+)*")
_END = re.compile(r"(?<![.!?])[.!?]++[\"'”’)\]]*+(?=\s|\Z)|[。！？]++|\n[^\S\n]*+\n")
MARKS = 30  # combining marks in a row that are kept; sorting longer runs takes time in their square


def within(amount: float, low: float = 0, high: float | None = None) -> float:
    """1 from `low` to `high`, both included; outside, 1 - distance / the bound, and at least 0.

    Example:
        >>> within(5, 3, 8), within(6, 8), within(12, high=8), within(1, high=0)
        (1.0, 0.75, 0.5, 0.0)
    """
    if amount < low:
        return max(0.0, 1 - (low - amount) / low)
    if high is not None and amount > high:
        return max(0.0, 1 - (amount - high) / high) if high else 0.0
    return 1.0


def words(text: str, low: float = 0, high: float | None = None) -> float:
    """From `low` to `high` words; a word is a run of letters, digits and underscores, also with - and ' inside.

    Example:
        >>> words("It's a well-known fact.", 4, 4)
        1.0
    """
    return within(len(WORD.findall(text)), low, high)


def sentences(text: str, low: float = 0, high: float | None = None) -> float:
    """From `low` to `high` sentences; one ends at . ! ? before a blank, at 。！？, or with its paragraph.

    Abbreviations count as ends, as they do in the checks that this follows.

    Example:
        >>> sentences("One. Two! And 3.5 is three", 3, 3)
        1.0
    """
    return within(sum(bool(WORD.search(part)) for part in _END.split(text)), low, high)


def paragraphs(text: str, low: float = 0, high: float | None = None, divider: str = "") -> float:
    """From `low` to `high` paragraphs, divided by an empty line, or by lines that are `divider` (`***`).

    Example:
        >>> paragraphs("a" + chr(10) * 2 + "b", 2, 2), paragraphs("a b", 2, 2)
        (1.0, 0.5)
    """
    found, open_part = 0, False
    for line in text.splitlines():
        if line.strip() == divider:
            open_part = False
        elif line.strip() and not open_part:
            found, open_part = found + 1, True
    return within(found, low, high)


def lines(text: str, low: float = 0, high: float | None = None) -> float:
    """From `low` to `high` lines that are not blank.

    Example:
        >>> lines("a" + chr(10) * 3 + "b", high=2)
        1.0
    """
    return within(sum(bool(line.strip()) for line in text.splitlines()), low, high)


def characters(text: str, low: float = 0, high: float | None = None) -> float:
    """From `low` to `high` characters, blanks at both ends aside.

    Example:
        >>> characters(" abc ", 3, 3)
        1.0
    """
    return within(len(text.strip()), low, high)


def occurrences(text: str, keyword: str, low: float = 1, high: float | None = None) -> float:
    """From `low` to `high` times a word or phrase, whole and without regard to case.

    Example:
        >>> occurrences("A cat, the CAT; concatenate", "cat", 2, 2)
        1.0
    """
    return within(count(text, keyword), low, high)


def letters(text: str, letter: str, low: float = 1, high: float | None = None) -> float:
    """From `low` to `high` times a letter, without regard to case.

    Example:
        >>> letters("Anna", "a", 2, 2)
        1.0
    """
    return within(folded(text).count(folded(letter)), low, high)


def capital_words(text: str, low: float = 0, high: float | None = None) -> float:
    """From `low` to `high` words that are all capitals, of at least two letters.

    Example:
        >>> capital_words("NASA and I go to ESA", 2, 2)
        1.0
    """
    return within(sum(word.isupper() and len(word) > 1 for word in WORD.findall(text)), low, high)


@lru_cache(maxsize=8)
def folded(text: str) -> str:
    """One Unicode form, without case.

    Example:
        >>> folded("ＳＴＲＡßＥ")
        'strasse'
    """
    if text.isascii():
        return text.lower()
    kept, run = [], 0
    for letter in text:
        run = run + 1 if unicodedata.combining(letter) else 0
        if run <= MARKS:
            kept.append(letter)
    return unicodedata.normalize("NFKC", "".join(kept)).casefold()


def count(text: str, keyword: str) -> int:
    """How often a word or phrase stands in a text, whole; blanks in it match any blanks."""
    parts = [re.escape(part) for part in folded(keyword).split()]
    pattern = r"(?<!\w)" + r"\s++".join(parts) + r"(?!\w)"
    return len(re.findall(pattern, folded(text))) if parts else 0
