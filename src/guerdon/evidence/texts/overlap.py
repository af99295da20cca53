"""How many words two texts share: token F1, ROUGE-N, ROUGE-L."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass
from numbers import Real
from typing import Any, NamedTuple

from guerdon.errors import ShapeError
from guerdon.evidence.grading import Grading
from guerdon.evidence.texts.against import Against, against, whole
from guerdon.evidence.texts.words import several
from guerdon.evidence.texts.words import words as plain


class Overlap(NamedTuple):
    """Shared over said, shared over wanted, and their weighted harmonic mean."""

    precision: float
    recall: float
    f: float


def overlap(shared: Real, said: Real, wanted: Real, beta: Real = 1.0) -> Overlap:
    """Precision, recall and F.

        P = shared / said,  R = shared / wanted,  F = (1 + beta^2) P R / (beta^2 P + R)

    Of nothing, the share is 0; F is 0 where P and R are. beta above 1 weighs recall.

    Example:
        >>> overlap(2, 4, 2)
        Overlap(precision=0.5, recall=1.0, f=0.6666666666666666)
    """
    precision = shared / said if said else 0.0
    recall = shared / wanted if wanted else 0.0
    return Overlap(float(precision), float(recall), f_beta(precision, recall, beta))


def f_beta(precision: Real, recall: Real, beta: Real = 1.0) -> float:
    """(1 + beta^2) P R / (beta^2 P + R); 0 where both are 0.

    Example:
        >>> round(f_beta(0.5, 1.0, beta=2.0), 4)
        0.8333
    """
    below = beta * beta * precision + recall
    return min(1.0, float((1 + beta * beta) * precision * recall / below)) if below else 0.0


def token_f1(said: Sequence[Hashable], wanted: Sequence[Hashable]) -> Overlap:
    """Overlap of two bags of words: a word counts as often as it stands in both.

    Example:
        >>> token_f1(["the", "red", "house"], ["red", "house"]).f
        0.8
    """
    shared = sum((Counter(said) & Counter(wanted)).values())
    return overlap(shared, len(said), len(wanted))


def rouge_n(said: Sequence[Hashable], wanted: Sequence[Hashable], n: int = 2) -> Overlap:
    """ROUGE-N: the overlap of their bags of n-grams (Lin 2004). A text of fewer than n words has none.

    Example:
        >>> rouge_n("the cat sat".split(), "the cat ran".split(), 2).f
        0.5
    """
    if n < 1:
        raise ShapeError(f"rouge_n: n is {n}; an n-gram has at least one word; give n = 1 or more")
    return token_f1(ngrams(said, n), ngrams(wanted, n))


LONGEST = 100
"""Words of an n-gram at most where an observer counts them: its cost is n times the length of the text."""


def ngrams(words: Sequence[Hashable], n: int) -> list[tuple]:
    """Every n words that stand side by side.

    Example:
        >>> ngrams(["a", "b", "c"], 2)
        [('a', 'b'), ('b', 'c')]
    """
    return list(zip(*(words[i:] for i in range(n)), strict=False))


def lcs_length(a: Sequence[Hashable], b: Sequence[Hashable]) -> int:
    """The length of the longest common subsequence, in memory linear in the shorter.

    A column of the dynamic program is one integer of as many bits as the shorter text has words: bit j is 0
    where the length rises at j. For each word of the longer text, with M the places of that word,

        u = v & M,   v = (v + u) | (v - u)

    so 64 cells are done at once (Hyyrö 2004). The cost is |a| |b| / 64 word operations.

    Example:
        >>> lcs_length("the cat sat down".split(), "the dog sat down".split())
        3
    """
    short, long = (a, b) if len(a) <= len(b) else (b, a)
    if not short:
        return 0
    places: dict[Hashable, int] = {}
    for j, word in enumerate(short):
        places[word] = places.get(word, 0) | 1 << j
    full = (1 << len(short)) - 1
    v = full
    for word in long:
        if m := places.get(word, 0):
            u = v & m
            v = ((v + u) | (v - u)) & full
    return len(short) - v.bit_count()


def rouge_l(said: Sequence[Hashable], wanted: Sequence[Hashable]) -> Overlap:
    """ROUGE-L of two texts taken whole: the overlap by their longest common subsequence (Lin 2004), beta = 1.

    Example:
        >>> rouge_l("a b c d".split(), "a c".split()).f
        0.6666666666666666
    """
    return overlap(lcs_length(said, wanted), len(said), len(wanted))


_CELLS = 4_000_000_000  # of the dynamic program, 64 at once: some tenths of a second


@dataclass(frozen=True)
class F1:
    """The measure of `f1_match`."""

    def __call__(self, said: list[str], wanted: list[str]) -> tuple[float, dict]:
        """F1, with precision and recall as facts."""
        return _told(token_f1(said, wanted))


@dataclass(frozen=True)
class RougeN:
    """The measure of `rouge`: n-grams."""

    n: int = 2

    def __post_init__(self) -> None:
        if not 1 <= self.n <= LONGEST:
            raise ShapeError(f"RougeN: n is {self.n}; 1 to {LONGEST} words are an n-gram here; give n = 1 or 2")

    def __call__(self, said: list[str], wanted: list[str]) -> tuple[float, dict]:
        """F, with precision and recall as facts. A reference shorter than n words is compared by its own length."""
        n = min(self.n, len(wanted))
        return _told(rouge_n(said, wanted, n))


@dataclass(frozen=True)
class RougeL:
    """The measure of `rouge`: the longest common subsequence."""

    def __call__(self, said: list[str], wanted: list[str]) -> tuple[float, dict]:
        """F, with precision and recall as facts; 0 where the answer is too long to be compared."""
        if len(said) * len(wanted) > _CELLS:
            return 0.0, {"why": f"more than {_CELLS} pairs of words"}
        return _told(rouge_l(said, wanted))


def _told(found: Overlap) -> tuple[float, dict]:
    return found.f, {"precision": found.precision, "recall": found.recall}


def f1_match(
    name: str = "f1",
    words: Callable[[str], list[str]] = plain,
    references: Callable[[Any], list[str]] = several,
    answer: Callable[[str], str | None] = whole,
    reference: str = "reference",
) -> Grading:
    """An observer: token F1 of the last action with the best of its references, in [0, 1].

        F1 = 2 P R / (P + R),  P and R of the two bags of words

    Facts: `precision`, `recall`, `reference` (which one was best). This is the outcome that IGPO, MatchTIR and
    Router-R1 pay; with `squad_words` it is SQuAD's.

    Unscored: no reference, one without a word, one longer than 200,000 characters; a failed play.

    Example:
        >>> from guerdon.batch import Batch, Column
        >>> batch = Batch.from_steps(group=[0, 0], trajectory=[0, 1], reward=[0.0, 0.0], action=["a red house", "no"])
        >>> batch = batch.with_columns(reference=Column.of("trajectory", ["red house"] * 2))
        >>> f1_match().observe(batch)["f1"].values
        array([0.8, 0. ])
    """
    return against(name, Against(F1(), words, references, answer), reference)


def rouge(
    name: str = "rouge",
    measure: Callable[[list[str], list[str]], tuple[float, dict]] = RougeL(),
    words: Callable[[str], list[str]] = plain,
    references: Callable[[Any], list[str]] = several,
    answer: Callable[[str], str | None] = whole,
    reference: str = "reference",
) -> Grading:
    """An observer: ROUGE of the last action with the best of its references, in [0, 1].

    Args:
        measure: `RougeL()` or `RougeN(n)`.

    Elsewhere: the package rouge-score takes only `a-z0-9` for words, so that a text in another script scores 0,
    and can stem English; here words are of any script and are not stemmed. A reference with fewer words than
    n scores 0 there; here n is then the reference's length. By sentences it is `rouge_sum`.

    Unscored: as `f1_match`. An answer and a reference of more than 4e9 pairs of words score 0 with `why`.

    Example:
        >>> from guerdon.batch import Batch, Column
        >>> batch = Batch.from_steps(group=[0], trajectory=[0], reward=[0.0], action=["the cat sat on a mat"])
        >>> batch = batch.with_columns(reference=Column.of("trajectory", ["a cat sat"]))
        >>> rouge().observe(batch)["rouge"].values.round(3)
        array([0.444])
    """
    return against(name, Against(measure, words, references, answer), reference)
