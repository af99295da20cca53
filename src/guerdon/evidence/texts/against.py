"""An answer against its references: the best of them counts. What equals what is a measure of two lists of words."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from guerdon.evidence.grading import Grading
from guerdon.evidence.texts.words import LIMIT, inside, several, words
from guerdon.records import Verdict

MOST = 100
"""References of one task: each costs a comparison of the whole answer."""

Words = Callable[[str], list[str]]
Measure = Callable[[list[str], list[str]], tuple[float, Mapping[str, Any]]]


def whole(said: str) -> str | None:
    """The whole action is the answer.

    Example:
        >>> whole("Paris")
        'Paris'
    """
    return said


@dataclass(frozen=True)
class Within:
    """The answer is what stands in the last `<tag>` ... `</tag>`; an action without one has no answer.

    Example:
        >>> Within("answer")("<think>Rome?</think><answer>Paris</answer>")
        'Paris'
    """

    tag: str

    def __call__(self, said: str) -> str | None:
        """What the tag holds; None where there is none."""
        found = inside(said, self.tag)
        return found[-1].strip() if found else None


@dataclass(frozen=True)
class Against:
    """A grader: the measure of the answer with the best of its references.

    Attributes:
        measure: of two lists of words, (said, wanted), a value in [0, 1] and facts.
        words: how a text becomes words.
        references: how what the task gives becomes texts.
        answer: which part of the action is the answer.

    Scores 0, with the fact `why`: an action longer than 200,000 characters, one without an answer, one
    without any word. Unscored: no reference has a word, there are more than 100, or together they are longer than
    200,000 characters. The fact `reference` is the
    number of the one that was best; of equal ones, the first.
    """

    measure: Measure
    words: Words = words
    references: Callable[[Any], list[str]] = several
    answer: Callable[[str], str | None] = whole

    def __call__(self, said: str, reference: Any) -> Verdict:
        """The verdict on one answer."""
        if reference is None:
            return Verdict.unscored("the reference is missing")
        texts = self.references(reference)
        if len(texts) > MOST:
            return Verdict.unscored(f"there are more than {MOST} references")
        if sum(map(len, texts)) > LIMIT:
            return Verdict.unscored(f"the references are longer than {LIMIT} characters")
        wanted = [(i, w) for i, w in enumerate(map(self.words, texts)) if w]
        if not wanted:
            return Verdict.unscored("no reference has a word")
        if len(said) > LIMIT:
            return Verdict.score(0.0, why=f"longer than {LIMIT} characters")
        answer = self.answer(said)
        mine = self.words(answer) if answer is not None else []
        if not mine:
            return Verdict.score(0.0, why="no answer" if answer is None else "no word in the answer")
        found = [(*self.measure(mine, theirs), i) for i, theirs in wanted]
        value, facts, which = max(found, key=lambda one: one[0])
        return Verdict.score(value, reference=which, **facts)


def against(name: str, grade: Against, reference: str = "reference", action: str = "action") -> Grading:
    """The observer of a grader of this kind: trajectory level, the last action, [0, 1], in this process."""
    return Grading(name, grade, reads=(action, reference), version="2", cost="free", deadline=None)
