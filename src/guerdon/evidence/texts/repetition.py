"""How much of a text says again what it said before."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass

from guerdon.errors import ShapeError
from guerdon.evidence.grading import Grading
from guerdon.evidence.texts.overlap import LONGEST, ngrams
from guerdon.evidence.texts.words import LIMIT
from guerdon.evidence.texts.words import words as plain
from guerdon.records import Verdict


def repeated_share(said: Sequence[Hashable], n: int = 3) -> float:
    """The share of a text's n-grams that stood there before.

        1 - |distinct n-grams| / |n-grams|

    0 where there are fewer than n words: nothing could be repeated. It is below 1, and of a loop of period p over
    L words it is 1 - p / (L - n + 1).

    Example:
        >>> repeated_share("go on go on go on".split(), 2)
        0.6
    """
    if n < 1:
        raise ShapeError(f"repeated_share: n is {n}; an n-gram has at least one word; give n = 1 or more")
    grams = ngrams(said, n)
    return 1 - len(set(grams)) / len(grams) if grams else 0.0


@dataclass(frozen=True)
class Repetition:
    """The grader of `repetition`."""

    n: int = 3
    words: Callable[[str], list[str]] = plain

    def __post_init__(self) -> None:
        if not 1 <= self.n <= LONGEST:
            raise ShapeError(
                f"Repetition: n is {self.n}; 1 to {LONGEST} words are an n-gram here, so that time stays linear in the "
                "text; give n = 3 or 4"
            )

    def __call__(self, said: str) -> Verdict:
        """The share of n-grams said before."""
        if len(said) > LIMIT:
            return Verdict.score(1.0, why=f"longer than {LIMIT} characters")
        mine = self.words(said)
        return Verdict.score(repeated_share(mine, self.n), words=len(mine))


def repetition(
    name: str = "repetition", n: int = 3, words: Callable[[str], list[str]] = plain, action: str = "action"
) -> Grading:
    """An observer at step level: the share of an action's n-grams of words that it said before, in [0, 1).

    Low is good: take it off a reward. An action above 200,000 characters is not read and has 1, the worst. Long texts
    repeat short n-grams by nature; n = 3 or 4 is usual.

    Unscored: an action that was not recorded; a failed play.

    Example:
        >>> from guerdon.batch import Batch
        >>> batch = Batch.from_steps(group=[0], trajectory=[0], reward=[0.0], action=["no no no no"])
        >>> repetition(n=1).observe(batch)["repetition"].values
        array([0.75])
    """
    return Grading(name, Repetition(n, words), reads=(action,), level="step", cost="free", deadline=None)
