"""Open questions as choices with a key: which of these answers is the better one?"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from guerdon.errors import ShapeError
from guerdon.evidence.grading import Grading
from guerdon.evidence.texts.words import LIMIT, composed, inside, shown
from guerdon.keys import hash_text
from guerdon.records import Verdict

LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"


def as_choice(prompt: str, right: str, wrong: Sequence[str], seed: int = 0) -> tuple[str, str]:
    """A question with lettered answers, and the letter of the right one.

    The right answer's place is a hash of the prompt, the answers and the seed: even over many prompts, the same on
    every machine, and nothing that a policy could learn. The wrong ones keep their order.

    Args:
        right, wrong: whole answers; of a preference pair the chosen one and `[rejected]`.
        seed: another one, another order: ask under several to see a bias for a place.

    Raises:
        ShapeError: no wrong answer, more than 25, or the right one among them: there is then no key.

    Source: VMR-RLVR (auditable-choice reframing). With two answers a guess is right half of the time: `one_choice`
    leaves that as its fact `chance`.

    Example:
        >>> question, letter = as_choice("Write a line about rain.", "Rain taps the roof.", ["Rain is wet."])
        >>> print(question)
        Write a line about rain.
        <BLANKLINE>
        Which of these answers is the best? Answer with its letter.
        <BLANKLINE>
        (A) Rain is wet.
        <BLANKLINE>
        (B) Rain taps the roof.
        >>> letter
        'B'
    """
    if not wrong or len(wrong) >= len(LETTERS) or right in wrong:
        raise ShapeError(
            f"as_choice: {len(wrong)} wrong answers{', the right one among them' if right in wrong else ''}; "
            "1 to 25 that differ from the right one are needed; leave the pair out where both answers are equal"
        )
    place = hash_text("\0".join([str(seed), prompt, *sorted([right, *wrong])])) % (len(wrong) + 1)
    answers = [*wrong[:place], right, *wrong[place:]]
    lines = [f"({letter}) {answer}" for letter, answer in zip(LETTERS, answers, strict=False)]
    ask = "Which of these answers is the best? Answer with its letter."
    return "\n\n".join([prompt, ask, *lines]), LETTERS[place]


_ANSWER = re.compile(r"(?i:\banswer\b(?: is)?)[ \t:*]{0,8}[(\[]?([A-Z])\b(?!')")
_OPTION = re.compile(r"(?i:\b(?:choice|option)\b(?: is)?)[ \t:*]{0,8}[(\[]?([A-Z])\b(?!')")
_ALONE = re.compile(r"[\s*(\[\"'`]{0,8}([A-Za-z])[\s*)\].:,\"'`]{0,8}")
_BOXED = re.compile(r"\\boxed\{(?:\\text\{)?[\s(]{0,4}([A-Za-z])[\s)]{0,4}\}")


def letter_in(said: str) -> str | None:
    """The letter that an answer settles on; None where it settles on none.

    The first of these that is there: what `<answer>` tags hold, the last boxed letter, the last "answer is B" with a
    capital, a last line that is a letter alone, "option B" where no other option is named. A letter somewhere in
    prose is not a choice. Full-width letters count as letters.

    Example:
        >>> letter_in("A is dull. The answer is (B)."), letter_in("b"), letter_in("A great day")
        ('B', 'B', None)
        >>> letter_in("Option B."), letter_in("Option B is better than option A.")
        ('B', None)
    """
    said = composed(said)
    if tagged := inside(said, "answer"):
        said = tagged[-1]
    for pattern in (_BOXED, _ANSWER):
        if found := pattern.findall(said):
            return found[-1].upper()
    if alone := _ALONE.fullmatch(said.rstrip().rsplit("\n", 1)[-1]):
        return alone.group(1).upper()
    named = set(_OPTION.findall(said))
    return named.pop() if len(named) == 1 else None


@dataclass(frozen=True)
class Choice:
    """The grader of `one_choice`.

    Attributes:
        options: how many answers there were.
    """

    options: int = 2

    def __call__(self, said: str, reference: Any) -> Verdict:
        """1 where the letter is the key."""
        key = str(reference).strip().upper() if reference is not None else ""
        letters = LETTERS[: self.options]
        if len(key) != 1 or key not in letters:
            return Verdict.unscored(f"the reference {shown(str(reference), 20)!r} is not one of the letters {letters}")
        chance = 1 / self.options
        letter = letter_in(said) if len(said) <= LIMIT else None
        if letter is None:
            return Verdict.score(0.0, why="no choice was made", chance=chance)
        if letter not in letters:
            return Verdict.score(0.0, why="a letter that was not offered", letter=letter, chance=chance)
        return Verdict.score(letter == key, letter=letter, chance=chance)


def one_choice(name: str = "choice", options: int = 2, reference: str = "reference", action: str = "action") -> Grading:
    """An observer: 1 where the last action chooses the letter of the reference, else 0.

    Facts: `letter`, `chance` (1 / options: what a guess earns on average), `why`.

    Unscored: a reference that is not one of the first `options` letters; a failed play.

    Source: VMR-RLVR; `as_choice` makes the question.

    Example:
        >>> from guerdon.batch import Batch, Column
        >>> batch = Batch.from_steps(group=[0], trajectory=[0], reward=[0.0], action=["Both are fine. Answer: B"])
        >>> batch = batch.with_columns(reference=Column.of("trajectory", ["B"]))
        >>> one_choice().observe(batch)["choice"].values
        array([1.])
    """
    return Grading(name, Choice(options), reads=(action, reference), version="2", cost="free", deadline=None)
