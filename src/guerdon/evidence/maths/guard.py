"""Is a text larger than what the checker takes? Told from the text alone, before anything is worked out."""

from __future__ import annotations

import re

LENGTH, FIGURES, NESTED, EXPONENT, FACTORIAL, BOUND, TOWER, MARKS = 2_000, 1_000, 40, 5_000, 3_000, 10_000, 3, 30

RUN = re.compile(rf"\d{{{FIGURES + 1}}}")
POWER = re.compile(r"(?:\^|\*\*)\s*[\{(]*\s*-?\s*(\d+)")
HEAPED = re.compile(r"[)}\]]\s*(?:\^|\*\*)\s*[\{(]*\s*-?\s*(\d{3,})")
FACTORS = re.compile(r"(\d+)\s*[)}\]]*\s*!")
TWICE = re.compile(r"!\s*[)}\]]*\s*!")
CHOOSE = re.compile(r"\\[dt]?binom\s*\{\s*(\d{4,})")
POWERED = re.compile(r"(?<![_\d])\d+\s*(?:\^|\*\*)\s*[\{(]*\s*\d")
LARGE = re.compile(r"\\(?:sum|prod|int|iint|bigcup|bigcap|lim)(?![A-Za-z])")


def too_large(text: str) -> str:
    """What is too large in a text, as a sentence; "" for a text within the limits.

    The limits: 2,000 characters, numerals of 1,000 figures, 40 nested brackets, exponents of 5,000 (99 on a
    bracket) and two above each other, factorials of 3,000, at most 30 and none of a factorial, sums and integrals with
    bounds of 10,000.

    Example:
        >>> too_large("2^{10}"), too_large("9^{9^{9^{9}}}")
        ('', 'powers are piled 3 high; at most 2 are taken')
    """
    if len(text) > LENGTH:
        return f"it has {len(text)} characters; at most {LENGTH} are taken"
    if RUN.search(text):
        return f"a numeral has more than {FIGURES} figures"
    depth, tower = _depths(text)
    if depth > NESTED:
        return f"brackets are nested {depth} deep; at most {NESTED} are taken"
    if tower >= TOWER:
        return f"powers are piled {tower} high; at most {TOWER - 1} are taken"
    for pattern, most, what in (
        (POWER, EXPONENT, "an exponent"), (HEAPED, 99, "an exponent of a bracket"), (FACTORS, FACTORIAL, "a factorial"),
        (CHOOSE, FACTORIAL, "a binomial"),
    ):  # fmt: skip
        largest = max((int(n) for n in pattern.findall(text)), default=0)
        if largest > most:
            return f"{what} is {largest if largest < 10**12 else 'beyond 10^12'}; at most {most} is taken"
    if TWICE.search(text):
        return "a factorial of a factorial"
    if text.count("!") > MARKS:
        return f"it has more than {MARKS} factorials"
    if LARGE.search(text) and (any(int(n) > BOUND for n in re.findall(r"\d+", text)) or POWERED.search(text)):
        return f"a sum, product or integral with a bound or a power beyond {BOUND}"
    return ""


def _depths(text: str) -> tuple[int, int]:
    """How deep brackets are nested, and how high powers are piled."""
    depth = deepest = tower = 0
    levels: list[int] = []  # of the brackets that are open: how high the power is that each is in
    high = 0
    raised = False
    for c in text:
        if c in "({[":
            levels.append(high)
            high = high + 1 if raised else high
            depth += 1
            raised = False
        elif c in ")}]":
            high = levels.pop() if levels else 0
            depth = max(0, depth - 1)
            raised = False
        elif c == "^":
            tower = max(tower, high + 1)
            raised = True
        elif not c.isspace() and c != "-":
            raised = False
        deepest = max(deepest, depth)
    bare = re.search(r"(?:\^\s*-?\w\s*){3,}", text)
    return deepest, max(tower, 3 if bare else 0)
