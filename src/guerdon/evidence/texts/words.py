"""Texts as lists of words, safe on hostile input, and the references that they are compared with."""

from __future__ import annotations

import json
import re
import string
import unicodedata
from functools import cache
from typing import Any

LIMIT = 200_000
"""Characters. A longer answer is given the lowest score unread; a longer reference cannot be used."""

_MARKS = 30  # in a row: no script needs more, and sorting them costs the square of their number
_ALONE = "\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff"  # written without blanks: one word each


def composed(text: str) -> str:
    """Unicode in one form (NFKC), at most 30 combining marks in a row: the others are left out.

    Putting marks in their canonical order takes the square of their number in CPython (40,000 pairs:
    5 seconds), so an answer of nothing but marks would stop whoever reads it.

    Example:
        >>> composed("ﬁne ４２"), len(composed("a" + "\\u0300" * 1000))
        ('fine 42', 30)
    """
    if text.isascii():
        return text
    if any(unicodedata.combining(c) for c in set(text)):
        kept, run = [], 0
        for c in text:
            run = run + 1 if unicodedata.combining(c) else 0
            if run <= _MARKS:
                kept.append(c)
        text = "".join(kept)
    return unicodedata.normalize("NFKC", text)


def words(text: str) -> list[str]:
    """Words: runs of letters, digits, underscores and the marks on them, case folded, NFKC.

    A character of Chinese or Japanese is a word by itself. Everything else only separates, so `3.14`
    is two words and signs are lost: numbers are compared by a checker of numbers.

    Example:
        >>> words("The Café isn't open: 3 天")
        ['the', 'café', 'isn', 't', 'open', '3', '天']
    """
    text = composed(text).casefold()
    return _PLAIN.findall(text) if text.isascii() else _pattern().findall(text)


def squad_words(text: str) -> list[str]:
    """Words as the scorer of SQuAD takes them: lower case, punctuation deleted, articles left out.

    `3.14` is `314`, `a.b` is `ab`. Only ASCII punctuation goes, only English articles.

    Example:
        >>> squad_words("The U.S. president, a man")
        ['us', 'president', 'man']
    """
    bare = composed(text).lower().translate(_NO_PUNCTUATION)
    return [word for word in bare.split() if word not in ("a", "an", "the")]


_PLAIN = re.compile(r"\w+", re.ASCII)  # the same words, found faster
_NO_PUNCTUATION = str.maketrans("", "", string.punctuation)


@cache
def _pattern() -> re.Pattern:
    """The pattern of a word. Marks (vowel signs of Indic scripts, too) are not `\\w` in Python, so they are named."""
    marks = [c for c in range(0x300, 0x10000) if unicodedata.category(chr(c))[0] == "M"]
    runs, start = [], marks[0]
    for now, after in zip(marks, [*marks[1:], -1], strict=True):
        if after != now + 1:
            runs.append(f"\\u{start:04x}-\\u{now:04x}")
            start = after
    return re.compile(f"[{_ALONE}]|(?:[^\\W{_ALONE}]|[{''.join(runs)}])+")


def several(reference: Any) -> list[str]:
    """The references that a task gives: each text of a JSON list of texts, else the one that it is.

    A list that holds anything but texts is one reference (its JSON), so that `[1, 2]` stays one
    answer of two numbers. Where a list of texts is itself the answer, use `one`.

    Example:
        >>> several('["Paris", "City of Light"]'), several("[1, 2]"), several(4)
        (['Paris', 'City of Light'], ['[1, 2]'], ['4'])
    """
    given = reference
    if isinstance(given, str):
        if not given.lstrip().startswith("["):
            return [given]
        try:
            given = json.loads(given)
        except (ValueError, RecursionError):
            return [reference]
    if isinstance(given, list | tuple) and given and all(isinstance(item, str) for item in given):
        return list(given)
    return one(reference)


def one(reference: Any) -> list[str]:
    """The reference as the only one; what is not text becomes its JSON.

    Example:
        >>> one('["a", "b"]'), one(True)
        (['["a", "b"]'], ['true'])
    """
    return [reference if isinstance(reference, str) else json.dumps(reference)]


def shown(text: str, most: int = 200) -> str:
    """A text that a table of facts can hold: cut, and without lone surrogates.

    Example:
        >>> shown("abc", 2), shown("\\ud800")
        ('ab…', '?')
    """
    short = text if len(text) <= most else text[:most] + "…"
    return short.encode("utf-8", "replace").decode()


def inside(text: str, tag: str) -> list[str]:
    """What stands in `<tag>` ... `</tag>`, in order; a tag that is not closed holds nothing.

    Linear in the text. Inside a tag that is opened twice, what is between the last opening and the closing counts.

    Example:
        >>> inside("<a>1</a> and <a>2</a>, <a>3", "a")
        ['1', '2']
    """
    out, parts = [], text.split(f"</{tag}>")
    for part in parts[:-1]:
        at = part.rfind(f"<{tag}>")
        if at >= 0:
            out.append(part[at + len(tag) + 2 :])
    return out
