"""Answers in words: names, numbers spelt out, dates, letters of choices, and whether a text can mean anything."""

from __future__ import annotations

import re

WORDY = re.compile(r"[A-Za-z][A-Za-z' \-]*[A-Za-z.]")
LABELLED = re.compile(r"[A-Za-z]{3,}[A-Za-z', \-]* \d{1,4}(?:st|nd|rd|th)?(?:, \d{1,4})?")  # June 20, 2021
DATE = re.compile(r"\d{4}-\d\d-\d\d")
MARKS = re.compile(r"[\d:._, ]*\d")
LETTER = re.compile(r"\s*\(?\s*([A-J])\s*\)?\s*")
CHOSEN = re.compile(
    r"\s*(?:(?:[Oo]ption|[Cc]hoice|[Aa]nswer)\s+)?\(?\s*([A-J])\s*(?:[).:]\s*(?![-+*/^=<>\s]*[-+*/^=<>])|$)"
)
OTHER = re.compile(r"(?<![A-Za-z])[A-J]\)|[\s,;/&]*(?:(?:and|or)\s+)?\(?[A-J]\W*")
WRAPPED = re.compile(r"\\(?:text|textbf|textit|textrm|textnormal|mbox|mathrm|mathbf|operatorname)\s*\{([^{}]*)\}")
UNITS = [
    "zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve",
    "thirteen", "fourteen", "fifteen", "sixteen", "seventeen", "eighteen", "nineteen",
]  # fmt: skip
TENS = ["twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety"]
SPELT = {word: str(n) for n, word in enumerate(UNITS)} | {word: str(10 * n) for n, word in enumerate(TENS, 2)}
SPELT |= {f"{t}{dash}{u}": str(10 * n + m) for n, t in enumerate(TENS, 2) for m, u in enumerate(UNITS[:10]) if m
          for dash in "- "}  # fmt: skip
SPELT |= dict.fromkeys(("infinity", "positive infinity"), r"\infty") | {"negative infinity": r"-\infty"}
SPELT |= dict.fromkeys(("all real numbers", "all reals", "the real numbers", "real numbers"), r"\mathbb{R}")
SPELT |= dict.fromkeys(("the empty set", "empty set", "no solution", "no solutions", "none"), r"\emptyset")


def words(text: str) -> str:
    """The words alone, in one case: what stands around them, and the marks that end a sentence, are left off.

    Example:
        >>> words(r"\\text{No solution}."), words("5!"), words("5.")
        ('no solution', '5!', '5')
    """
    bare = WRAPPED.sub(r" \1 ", text).replace("\\ ", " ").replace("$", " ")
    bare = " ".join(bare.split())
    bare = (
        bare.strip(".,;:!?*\"' ") if re.search(r"[A-Za-z]{2}", bare) else re.sub(r"(?<![.,;:\s])\s*[.,;:]$", "", bare)
    )
    return bare.casefold()


def sayable(text: str) -> bool:
    """Whether the same words mean the same: a word, or a mark such as 12:00; not one letter, whose case counts.

    Example:
        >>> sayable("Evelyn"), sayable("3:45"), sayable("x")
        (True, True, False)
    """
    bare = WRAPPED.sub(r" \1 ", text).strip()
    if WORDY.fullmatch(bare) or LABELLED.fullmatch(bare) or DATE.fullmatch(bare):
        return True
    return bare.isascii() and bool(MARKS.fullmatch(bare))


def is_text(text: str) -> bool:
    """Words, and no formula: a name, yes, no solution, a date.

    Example:
        >>> is_text(r"\\text{yes}"), is_text("June 20"), is_text("xy"), is_text("twelve"), is_text("pi")
        (True, True, False, False, False)
    """
    bare = " ".join(WRAPPED.sub(r" \1 ", text).replace("\\ ", " ").split()).strip(".,!? ")
    if DATE.fullmatch(bare):
        return True
    if bare.casefold() in SPELT or bare == "pi" or not (WORDY.fullmatch(bare) or LABELLED.fullmatch(bare)):
        return False
    wrapped = WRAPPED.search(text) is not None and len(bare) > 1
    return wrapped or (any(len(word) > 3 for word in re.findall(r"[A-Za-z]+", bare)) and _unread(text))


def _unread(text: str) -> bool:
    from guerdon.evidence.maths.exact import read

    return isinstance(read(text)[0], str)


def choice(answer: str, reference: str) -> bool | None:
    """A letter from A to J against what starts with one: C, (C), C) 42, and no other after it; None for no choice.

    Example:
        >>> choice("(C) 42", "C"), choice("(C) (D)", "C"), choice("Option D", "(C)"), choice("7", "7")
        (True, False, False, None)
    """
    wanted = LETTER.fullmatch(_unwrapped(reference))
    if not wanted:
        return None
    bare = _unwrapped(answer)
    said = CHOSEN.match(bare)
    if not said:
        return None
    rest = bare[said.end() :]
    if rest and (OTHER.fullmatch(rest) or re.search(r"(?<![A-Za-z])[A-J]\)", rest)):
        return False
    return said[1] == wanted[1]


def _unwrapped(text: str) -> str:
    return WRAPPED.sub(r"\1", text).replace("\\ ", " ").replace("$", "").strip()


def could_mean(text: str) -> bool:
    """Whether a text that nothing here can read could still state something: brackets and braces match, and there is
    a letter or a figure in it.

    Example:
        >>> could_mean(r"n \\mid 6"), could_mean("[0, 1)"), could_mean(r"\\frac{1}{"), could_mean("???")
        (True, True, False, False)
    """
    bare = re.sub(r"\\[{}]", " ", text)
    depth = 0
    for c in bare:
        depth += (c == "{") - (c == "}")
        if depth < 0:
            return False
    opened = len(re.findall(r"[(\[]|\\\{", text))
    closed = len(re.findall(r"[)\]]|\\\}", text))
    opened += len(re.findall(r"\\begin(?![a-z])", text))
    closed += len(re.findall(r"\\end(?![a-z])", text))
    left, right = len(re.findall(r"\\left(?![a-z])", text)), len(re.findall(r"\\right(?![a-z])", text))
    ended = not re.search(r"(?:[-+*/^_=<>&\\]|\\(?:frac|sqrt|cdot|times)\s*)$", text.strip())
    hollow = re.search(r"\\[dt]?(?:frac|sqrt)\s*(?:\{[^{}]*\}\s*)?\{\s*\}", text)
    return depth == 0 and not hollow and opened == closed and left == right and ended and any(c.isalnum() for c in text)
