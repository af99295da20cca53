"""Checks of form: bullets, sections, highlights, titles, JSON, two responses. Degrees as in `amounts`."""

from __future__ import annotations

import json
import re

from guerdon.evidence.constraints.amounts import folded, within

_BULLET = re.compile(r"^[ \t]*(?:[*•+-])[ \t]+\S", re.M)
_NUMBERED = re.compile(r"^[ \t]*\d{1,4}[.)][ \t]+\S", re.M)


def bullets(text: str, low: float = 1, high: float | None = None) -> float:
    """From `low` to `high` bullet points: lines that start with *, -, + or •, and a blank.

    Example:
        >>> bullets("* one" + chr(10) + "- two", 2, 2)
        1.0
    """
    return within(len(_BULLET.findall(text)), low, high)


def numbered(text: str, low: float = 1, high: float | None = None) -> float:
    """From `low` to `high` numbered points: lines that start with `1.` or `1)`.

    Example:
        >>> numbered("1. one" + chr(10) + "2) two", 2)
        1.0
    """
    return within(len(_NUMBERED.findall(text)), low, high)


def sections(text: str, word: str = "Section", low: float = 1, high: float | None = None) -> float:
    """From `low` to `high` lines that start with the word and a number, such as `Section 1`; marks before do not count.

    Example:
        >>> sections("# Section 1" + chr(10) + "a" + chr(10) + "**SECTION 2**", "Section", 2, 2)
        1.0
    """
    heads = (line.lstrip("#*_ \t") for line in folded(text).splitlines())
    want = re.compile(re.escape(folded(word)) + r"\s*(?:\d+|[ivxlc]+)\b")
    return within(sum(bool(want.match(line)) for line in heads), low, high)


def highlights(text: str, low: float = 1, high: float | None = None) -> float:
    """From `low` to `high` highlighted parts, *so* or **so**, within a line.

    Example:
        >>> highlights("*one* and **two**, but not * this *", 2, 2)
        1.0
    """
    return within(len(re.findall(r"(\*{1,2})(?=[^\s*])[^*\n]{1,1000}(?<=\S)\1(?!\*)", text)), low, high)


def title(text: str) -> float:
    """There is a title in double angular brackets, <<so>>.

    Example:
        >>> title("<<Of mice>>" + chr(10) + "..."), title("<< >>")
        (1.0, 0.0)
    """
    return float(any(found.strip() for found in re.findall(r"<<([^<>\n]{1,500})>>", text)))


def json_text(text: str) -> float:
    """The whole text is JSON, an object or a list, also within one fence.

    Example:
        >>> json_text('{"a": [1]}'), json_text("{a: 1}"), json_text("3")
        (1.0, 0.0, 0.0)
    """
    try:
        return float(isinstance(parsed(text), dict | list))
    except ValueError:
        return 0.0


def two_responses(text: str, divider: str = "******") -> float:
    """Exactly two texts that are not blank and differ, with the divider between them.

    Example:
        >>> two_responses("yes ****** no"), two_responses("yes ****** yes")
        (1.0, 0.0)
    """
    parts = [part.strip() for part in text.split(divider)]
    parts = parts[1:] if parts and not parts[0] else parts
    parts = parts[:-1] if parts and not parts[-1] else parts
    return float(len(parts) == 2 and all(parts) and parts[0] != parts[1])


def parsed(text: str, largest: int = 200_000) -> object:
    """JSON from a text that is JSON throughout, or one fence of it.

    NaN, Infinity and whole numbers of more than 4,300 digits are no JSON, nor is an object with a name twice: which of
    the two values counts would be up to the next reader.

    Raises:
        ValueError: it is not JSON, is longer than `largest` characters, or nests too deep.
    """
    if len(text) > largest:
        raise ValueError(f"{len(text)} characters; at most {largest} are read")
    text = text.strip()
    if text.startswith("```") and text.endswith("```") and len(text) > 6:
        first, _, rest = text[3:-3].partition("\n")
        text = rest if first.strip().lower() in ("", "json") else text[3:-3]
    try:
        return json.loads(text, parse_constant=_no_number, object_pairs_hook=_once)
    except RecursionError:
        raise ValueError("it nests too deep") from None


def _no_number(name: str) -> None:
    raise ValueError(f"{name} is no JSON")


def _once(pairs: list[tuple[str, object]]) -> dict[str, object]:
    out = dict(pairs)
    if len(out) < len(pairs):
        raise ValueError("a name stands twice in an object")
    return out
