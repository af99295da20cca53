"""Exact match in its variants, word by word, with several references: equal, contained, begun with."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from guerdon.evidence.grading import Grading
from guerdon.evidence.texts.against import Against, against, whole
from guerdon.evidence.texts.words import several
from guerdon.evidence.texts.words import words as plain


@dataclass(frozen=True)
class Equal:
    """The answer's words are the reference's."""

    def __call__(self, said: list[str], wanted: list[str]) -> tuple[float, dict]:
        """1 or 0."""
        return float(said == wanted), {}


@dataclass(frozen=True)
class Contained:
    """The reference's words stand in the answer, side by side in their order."""

    def __call__(self, said: list[str], wanted: list[str]) -> tuple[float, dict]:
        """1 or 0; the fact `share` is how much of the answer the reference is."""
        return float(has_run(said, wanted)), {"share": min(1.0, len(wanted) / max(len(said), 1))}


@dataclass(frozen=True)
class Begins:
    """The answer begins with the reference's words."""

    def __call__(self, said: list[str], wanted: list[str]) -> tuple[float, dict]:
        """1 or 0."""
        return float(said[: len(wanted)] == wanted), {}


def has_run(said: list[str], wanted: list[str]) -> bool:
    """Whether all of `wanted` stands in `said` side by side, whole words only. Linear; nothing is in everything.

    Example:
        >>> has_run(["in", "new", "york"], ["new", "york"]), has_run(["newyork"], ["new"])
        (True, False)
    """
    if not wanted:
        return True
    mark = "\0"
    return mark + mark.join(wanted) + mark in mark + mark.join(said) + mark


def exact_match(
    name: str = "exact",
    compare: Callable[[list[str], list[str]], tuple[float, dict]] = Equal(),
    words: Callable[[str], list[str]] = plain,
    references: Callable[[Any], list[str]] = several,
    answer: Callable[[str], str | None] = whole,
    reference: str = "reference",
) -> Grading:
    """An observer: 1 where the answer is one of the references, word by word, else 0.

    With `Contained()` an answer that names many candidates at once is right whenever one of them is: pay
    for it only beside a length band, or read its fact `share`.

    Args:
        compare: `Equal()`, `Contained()`, `Begins()`, or any measure of two lists of words.
        words: `words`, or `squad_words` for the numbers of search papers (Search-R1 and its kin).

    Unscored: no reference, one longer than 200,000 characters, one without a word; a failed play.

    Elsewhere: "EM" in search papers is SQuAD's normalisation with equality, "sub-EM" its substring, which
    also finds `art` in `party`; here words are whole.

    Example:
        >>> from guerdon.batch import Batch, Column
        >>> batch = Batch.from_steps(group=[0, 0], trajectory=[0, 1], reward=[0.0, 0.0], action=["the Seine", "Rhine"])
        >>> batch = batch.with_columns(reference=Column.of("trajectory", ['["Seine", "the Seine"]'] * 2))
        >>> exact_match().observe(batch)["exact"].values
        array([1., 0.])
    """
    return against(name, Against(compare, words, references, answer), reference)
