"""Checks of what there is: keywords, beginnings, ends, forbidden things. Degrees as in `amounts`."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence

from guerdon.evidence.constraints.amounts import WORD, count, folded, within


def keywords(text: str, words: Sequence[str]) -> float:
    """Each of these words or phrases stands in the text; the degree is the share that do.

    Example:
        >>> keywords("Green tea and milk", ["tea", "sugar"])
        0.5
    """
    return sum(count(text, word) > 0 for word in words) / len(words) if words else 1.0


def forbidden(text: str, words: Sequence[str]) -> float:
    """None of these words or phrases stands in the text; the degree is the share that do not.

    Example:
        >>> forbidden("Green tea", ["tea", "sugar"])
        0.5
    """
    return sum(count(text, word) == 0 for word in words) / len(words) if words else 1.0


def in_order(text: str, words: Sequence[str]) -> float:
    """These words stand in the text, one after the other; the degree is the share found, in order, before one is not.

    Example:
        >>> in_order("first wash, then cut", ["first", "then", "last"])
        0.6666666666666666
    """
    place, found, text = 0, 0, folded(text)
    for word in words:
        at = text.find(folded(word), place)
        if at < 0:
            break
        place, found = at + len(folded(word)), found + 1
    return found / len(words) if words else 1.0


def starts(text: str, phrase: str) -> float:
    """The text starts with the phrase, without regard to case.

    Example:
        >>> starts("  Dear all,", "dear all")
        1.0
    """
    return float(folded(text).strip().startswith(folded(phrase).strip()))


def ends(text: str, phrase: str) -> float:
    """The text ends with the phrase, without regard to case; quotation marks around the text do not count.

    Example:
        >>> ends("That is all. Yours truly", "yours truly"), ends("Yours truly, Bob", "yours truly")
        (1.0, 0.0)
    """
    return float(folded(text).strip(' \t\r\n"”').endswith(folded(phrase).strip()))


def no_commas(text: str) -> float:
    """There is no comma, of any script.

    Example:
        >>> no_commas("a; b"), no_commas("a、b")
        (1.0, 0.0)
    """
    return float(not re.search("[,，、،]", text))


def quoted(text: str) -> float:
    """The whole text stands in double quotation marks.

    Example:
        >>> quoted('"All of it."'), quoted('"one" and "two')
        (1.0, 0.0)
    """
    text = text.strip()
    return float(len(text) > 1 and (text[0], text[-1]) in (('"', '"'), ("“", "”"), ("«", "»"), ("„", "“")))


def placeholders(text: str, low: float = 1, high: float | None = None) -> float:
    """From `low` to `high` placeholders in square brackets, such as [name].

    Example:
        >>> placeholders("Dear [name], at [place]", 2)
        1.0
    """
    return within(len(re.findall(r"\[[^\[\]\n]{1,200}\]", text)), low, high)


def postscript(text: str, marker: str = "P.S.") -> float:
    """A line starts with the marker, and something follows it.

    Example:
        >>> postscript("Bye." + chr(10) + "P.S. Write!"), postscript("Bye. P.S.")
        (1.0, 0.0)
    """
    want = folded(marker)
    found = [line.strip() for line in folded(text).splitlines()]
    return float(any(line.startswith(want) and line[len(want) :].strip(" .:") for line in found))


def repeats_prompt(text: str, prompt: str) -> float:
    """The text starts with the prompt, word for word, and goes on after it.

    Example:
        >>> repeats_prompt("Who is it? It is I.", "Who is it?")
        1.0
    """
    said, asked = " ".join(text.split()), " ".join(prompt.split())
    return float(said.casefold().startswith(asked.casefold()) and len(said) > len(asked))


def one_of(text: str, options: Sequence[str]) -> float:
    """The text holds exactly one of these phrases.

    Example:
        >>> one_of("My answer is no.", ["My answer is yes.", "My answer is no."])
        1.0
    """
    return float(sum(folded(option) in folded(text) for option in options) == 1)


def script(text: str, of: str = "latin", share: float = 0.9) -> float:
    """At least this share of the letters is of a script: latin, cyrillic, greek, arabic, hebrew, cjk, hangul, ...

    Scripts are the first words of Unicode's names for letters. They tell Russian from English, not French
    from English. Without any letter it does not hold.

    Example:
        >>> script("Привет, мир", "cyrillic"), script("Привет, world", "latin") < 1
        (1.0, True)
    """
    found = [letter for letter in text[:100_000] if letter.isalpha()]
    of = of.upper()
    right = sum(unicodedata.name(letter, "").startswith(of) for letter in found)
    return min(1.0, right / (share * len(found))) if found else 0.0


def lower_case(text: str) -> float:
    """There is a letter, and no capital.

    Example:
        >>> lower_case("all small."), lower_case("One")
        (1.0, 0.0)
    """
    return float(text.islower())


def upper_case(text: str) -> float:
    """There is a letter, and all are capitals.

    Example:
        >>> upper_case("ALL, 1 BY 1!")
        1.0
    """
    return float(text.isupper())


def first_word(text: str, word: str, paragraph: int = 1) -> float:
    """A paragraph, counted from 1, or from the end with negative numbers, starts with the word.

    Example:
        >>> first_word("One." + chr(10) * 2 + "Two more.", "two", 2)
        1.0
    """
    parts = [part for part in re.split(r"\n[ \t]*\n", text.strip()) if part.strip()]
    place = paragraph - 1 if paragraph > 0 else paragraph
    if not -len(parts) <= place < len(parts):
        return 0.0
    found = WORD.search(parts[place])
    return float(bool(found) and folded(found[0]) == folded(word))
