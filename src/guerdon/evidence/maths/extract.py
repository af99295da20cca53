"""Which part of what was said is the answer? Rules with a stated precedence, and no guess from a heap of numbers."""

from __future__ import annotations

import re
from typing import NamedTuple

SENTENCE = 4_000  # characters of a line that are looked at
LONGEST = 200_000  # characters of the end of a text that are looked at
BOX = re.compile(r"\\(?:boxed|fbox)\s{0,9}\{")
BRACE = re.compile(r"\\(?:boxed|fbox)\s{0,9}\{|\\[\\{}]|[{}]")
MARK = re.compile(
    r"(?:final\s{1,9}answer|(?:the|my)\s{1,9}(?:(?:correct|right|best)\s{1,9})?(?:answer|option|choice))\s{0,9}(?:\([^()\n]{0,40}\)\s{0,9})?(?:is|:|=)\s{0,9}:?"
    r"|(?<![A-Za-z])(?:final\s{1,9})?answer\s{0,9}\*{0,4}\s{0,9}[:=]|\*\*\s{0,9}(?:final\s{1,9})?answer\s{0,9}:?\s{0,9}\*\*:?"
    r"|####",
    re.IGNORECASE,
)
SPAN = re.compile(r"\$\$(?P<a>[^$]{1,2000})\$\$|(?<![\\\d])\$(?P<b>[^$\n]{1,2000})(?<!\\)\$|\\\[(?P<c>.{1,2000}?)\\\]"
                  r"|\\\((?P<d>.{1,2000}?)\\\)", re.DOTALL)  # fmt: skip
JOIN = re.compile(
    r"[\s$,;.]*(?:\\text\s*\{\s*)?(?:and|or|,|;|\\quad|\\qquad)?(?:\s*\})?[\s$,;]*"
    r"|[\s$]*\\quad[\s$]*\\text\s*\{\s*(?:and|or)\s*\}[\s$]*\\quad[\s$]*"
)
NUMBER = re.compile(r"(?<![\w.])[-+−]?[$€£¥]?\d[\d,]*(?:\.\d+)?(?:\s*/\s*\d+)?%?")
WORDS = re.compile(r"[A-Za-z]{2,}")
VERB = re.compile(r"(?i)\b(?:is|are|be|was|were|equals|has|have|gives?|gets?|must|cannot|[a-z]+n't)\b")
CHOICE = re.compile(r"\(?[A-J][).:]\s")
HEDGE = re.compile(
    r"(?i)(?:(?:approximately|about|roughly|around|exactly|therefore|thus|simply)\s+)+(?=[-+−$\\\d.(€£])"
)
PART = re.compile(rf"({NUMBER.pattern})\s+of\s+(?:the|all|an?|his|her|its|their)\s.*")
TOTAL = re.compile(rf"=\s*({NUMBER.pattern})(?:\s+[A-Za-z]{{2,}}){{0,2}}\W{{0,3}}$")
DOUBT = re.compile(
    r"(?i)\b(?:or|not|nor|cannot|never|neither|either|perhaps|maybe|possibly|unlikely|wrong|incorrect|except)\b|n't\b|\\ne|≠|!="
)


class Said(NamedTuple):
    """An answer and the rule that found it: tag, box, mark, span, whole, sentence, last number, or "" for none."""

    text: str
    rule: str


def extract(text: str, last_number: bool = False) -> Said:
    """What a text states as its answer.

    What was thought aloud before `</think>` is not looked at; the last `<answer>` is, where there is one. A `<think>`
    that is not closed says that the text was cut off: nothing is stated.
    Then the first of these that finds something: (1) the later of the last `\\boxed{}` (with balanced
    braces; boxes parted by no more than "and" or a comma are one list) and the last "answer is", "Answer:"
    or `####`; (2) the text as a whole, where it is one line without prose; (3) the last `$...$`,
    `\\(...\\)` or `\\[...\\]` of the last sentence; (4) the one number in the last sentence, or the one after the
    last equals sign that ends it. A heap of numbers is never searched for its last: that would pay for
    listing them all.

    Args:
        last_number: also take the last number of the text where no rule found anything.

    Returns:
        The answer and the rule's name; two empty texts where nothing was found.

    Example:
        >>> extract(r"so it is \\boxed{\\frac{1}{2}}, I think").text
        '\\\\frac{1}{2}'
        >>> extract("That makes 3 + 4 = 7.\\n#### 7")
        Said(text='7', rule='mark')
        >>> extract("We tried 1, then 2, then 3, and it could be any of them.")
        Said(text='', rule='')

    Elsewhere: Math-Verify falls back on the last expression or number anywhere in the text; GSM8K takes what follows
    `####`; Hendrycks' MATH the last box.
    """
    if cut_off(text):
        return Said("", "")
    text = text[-LONGEST:]
    if "</think>" in text:
        text = text.rpartition("</think>")[2]
    closed = text.rfind("</answer>")
    opened = text.rfind("<answer>", 0, closed) if closed >= 0 else -1
    if opened >= 0:
        tagged = text[opened + 8 : closed]
        return Said(extract(tagged).text or tagged.strip(), "tag")
    stated = _stated(text)
    if stated is not None:
        return stated
    bare = text.strip()
    if BOX.search(bare):  # a box that was never closed: the answer was cut off
        return Said("", "")
    if bare and len(bare) <= SENTENCE and "\n" not in bare and not _prose(bare):
        return Said(undressed(bare), "whole")
    found = _last_sentence(bare)
    if found.rule or not last_number:
        return found
    numbers = NUMBER.findall(bare[-SENTENCE:])
    return Said(numbers[-1], "last number") if numbers else found


def cut_off(text: str) -> bool:
    """Whether a text ends inside of a thought: a `<think>` with no `</think>` after it.

    The other way round, a `</think>` alone, is usual: the template of a chat opens the thought in the prompt.

    Example:
        >>> cut_off("<think>so 5"), cut_off("so 5</think>5"), cut_off("<think>a</think> b <think>c"), cut_off("5")
        (True, False, True, False)
    """
    return text.rfind("<think>") > text.rfind("</think>")


def boxes(text: str) -> list[tuple[int, int, str]]:
    """Where each `\\boxed{}` starts and ends, and what is in it; one that is never closed is left out.

    Example:
        >>> boxes(r"\\boxed{a_{1}}")
        [(0, 13, 'a_{1}')]
    """
    out: list[tuple[int, int, str]] = []
    open_: list[tuple[int, int] | None] = []  # braces that are open, and where the box starts and its inside
    for found in BRACE.finditer(text):
        if found[0] == "}":
            box = open_.pop() if open_ else None
            if box is not None:
                while out and out[-1][0] > box[0]:  # a box in a box
                    out.pop()
                out.append((box[0], found.end(), text[box[1] : found.start()]))
        elif found[0] == "{":
            open_.append(None)
        elif found[0][-1] == "{" and len(found[0]) > 2:
            open_.append((found.start(), found.end()))
    return out


def _stated(text: str) -> Said | None:
    found = boxes(text) if "boxed" in text or "fbox" in text else []
    marks = list(MARK.finditer(text))
    mark = marks[-1] if marks else None
    if found and (mark is None or mark.start() < found[-1][0]):
        return Said(_last_boxes(text, found), "box")
    if mark is not None:
        said = _marked(text[mark.end() : mark.end() + SENTENCE])
        if said:
            return Said(said, "mark")
    return Said(_last_boxes(text, found), "box") if found else None


def _last_boxes(text: str, found: list[tuple[int, int, str]]) -> str:
    """The last box, and those before it that only an "and" or a comma parts from it."""
    run = [found[-1]]
    for box in reversed(found[:-1]):
        between = text[box[1] : run[0][0]]
        if len(between) > 60 or not JOIN.fullmatch(between) or box[2].strip() == run[0][2].strip():
            break
        run.insert(0, box)
    return ", ".join(inside.strip() for _, _, inside in run)


def _marked(after: str) -> str:
    """What follows "the answer is": a formula that starts there, or the line up to the end of its sentence."""
    after = after.lstrip(" \t*:=\n").strip()
    if not after:
        return ""
    spans = list(SPAN.finditer(after.split("\n\n")[0]))
    if spans and len(after[: spans[0].start()].split()) <= 6 and not NUMBER.search(after[: spans[0].start()]):
        run = [spans[0]]
        for span in spans[1:]:
            if not JOIN.fullmatch(after[run[-1].end() : span.start()]) or span.start() - run[-1].end() > 30:
                break
            run.append(span)
        tail = re.match(r"\s*(?:%|\\%|percent|°)", after[run[-1].end() :])
        return ", ".join(_of(span) for span in run) + (tail[0] if tail else "")
    line = after.split("\n")[0].strip().strip("*").strip()
    line = re.split(r"(?<=[^\d\s.])\.\s|(?<=\d)\.\s|;\s|\.$", line + " ")[0].strip().strip("*").strip()
    first = re.match(r"not\b|none of|unknown|unclear", line, re.IGNORECASE)
    if first:
        return ""
    head = re.split(r",\s+(?=(?!and\b|or\b)[A-Za-z]{2,})|\s+(?:because|since|which|as|so that|where)\s", line)[
        0
    ].strip()
    part = PART.fullmatch(head)  # 7/12 of the pie
    if part:
        return part[1].strip()
    return undressed(re.sub(r"\s+\((?=[A-Za-z]{3,}\s|[A-Za-z]{4,}\))[^()]*\)$", "", head))


def _last_sentence(text: str) -> Said:
    lines = [line for line in text.split("\n") if line.strip()]
    if not lines:
        return Said("", "")
    line = lines[-1].strip()[-SENTENCE:]
    last = [s for s in re.split(r"(?<=[^\d\s])[.!?]\s+|(?<=\d)[.!?]\s+(?=[A-Z])", line) if s.strip()][-1].strip()
    if DOUBT.search(re.sub(r"\$[^$]*\$", "", last)):
        return Said("", "")
    spans = list(SPAN.finditer(last))
    if spans:
        return Said(_of(spans[-1]), "span")
    numbers, total = NUMBER.findall(last), TOTAL.search(last) if last.count("=") == 1 else None
    if total or len(numbers) == 1:
        return Said((total[1] if total else numbers[0]).strip(), "sentence")
    return Said("", "")


def _of(span: re.Match) -> str:
    return next(part for part in span.groups() if part is not None).strip()


def undressed(text: str) -> str:
    """An answer without the dollars, stars, ticks and full stop around it.

    Example:
        >>> undressed("**$5$.**"), undressed("10 cm.")
        ('5', '10 cm')
    """
    text = HEDGE.sub("", text.strip())
    while len(text) > 1:
        whole = SPAN.fullmatch(text)
        if whole:
            text = _of(whole)
        elif text.startswith("**") and text.endswith("**") and len(text) > 4:
            text = text[2:-2].strip()
        elif text[0] == text[-1] == "`":
            text = text.strip("`").strip()
        elif text[-1] in ".," and not text.endswith("..") and text[-2] != "\\":
            text = text[:-1].strip()
        else:
            break
    return text


def _prose(text: str) -> bool:
    """Words before a formula, or more words than an answer has; what stands in \\text{} is not counted."""
    if CHOICE.match(text) and len(text) <= 120:  # an option with its text: (D) all of the above
        return False
    first = SPAN.search(text)
    if first and WORDS.search(text[: first.start()].replace("and", "").replace("or", "")):
        return True
    bare = re.sub(r"\\[A-Za-z]+\s*(?:\{[^{}]*\})?|\$[^$]*\$", " ", text)
    return len(WORDS.findall(bare)) > 3 or bool(VERB.search(bare)) or bool(re.search(r"\w\s*[.!?]\s+[A-Z]", bare))
