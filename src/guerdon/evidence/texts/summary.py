"""ROUGE-Lsum: the longest common subsequences of a summary line by line, put together."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass
from typing import Any

from guerdon.evidence.grading import Grading
from guerdon.evidence.texts.against import Against, against, whole
from guerdon.evidence.texts.overlap import Overlap, overlap
from guerdon.evidence.texts.words import several
from guerdon.evidence.texts.words import words as plain

WORK = 2_000_000  # steps of the dynamic programs, 64 cells each: about a second

Lines = Sequence[Sequence[Hashable]]


def rouge_lsum(said: Lines, wanted: Lines) -> Overlap:
    """ROUGE-L of texts of several sentences (Lin 2004): for each wanted sentence the union of its subsequences.

        hits = sum over wanted sentences w of |union over said sentences s of LCS(w, s)|,  P = hits / words said,
        R = hits / words wanted

    A word is a hit at most as often as it stands in either text, so that one said sentence cannot pay for many. Of
    several longest subsequences the one counts that takes equal words from the end, and the latest of them in `wanted`:
    as the package rouge-score does, so the numbers are its own.

    Args:
        said, wanted: sentences as lists of words.

    Example:
        >>> rouge_lsum([["a", "b"], ["c"]], [["a", "c"], ["b"]]).f
        1.0
    """
    left, right = (Counter(word for line in lines for word in line) for lines in (said, wanted))
    sizes, hits = (left.total(), right.total()), 0
    for line in wanted:
        for place in sorted(set().union(*(lcs_places(line, other) for other in said))):
            word = line[place]
            if left[word] > 0 and right[word] > 0:
                hits, left[word], right[word] = hits + 1, left[word] - 1, right[word] - 1
    return overlap(hits, *sizes)


def lcs_places(a: Sequence[Hashable], b: Sequence[Hashable]) -> list[int]:
    """The places in `a` of a longest common subsequence with `b`, last first.

    Rows of the dynamic program as in `lcs_length`, kept, and walked back from the end.

    Example:
        >>> lcs_places("the cat sat down".split(), "the dog sat down".split())
        [3, 2, 0]
    """
    marks: dict[Hashable, int] = {}
    for j, word in enumerate(b):
        marks[word] = marks.get(word, 0) | 1 << j
    full = (1 << len(b)) - 1
    rows = [full]  # bit j of row i is 0 where the length of a[:i] rises at b[j]
    for word in a:
        v = rows[-1]
        u = v & marks.get(word, 0)
        rows.append(((v + u) | (v - u)) & full)

    def length(i: int, j: int) -> int:
        return j - (rows[i] & ((1 << j) - 1)).bit_count()

    out, i, j = [], len(a), len(b)
    while i and j:
        if a[i - 1] == b[j - 1]:
            out.append(i - 1)
            i, j = i - 1, j - 1
        elif length(i, j - 1) > length(i - 1, j):
            j -= 1
        else:
            i -= 1
    return out


@dataclass(frozen=True)
class Sentences:
    """Lines of a text, each as its words; a line without a word is none.

    Example:
        >>> Sentences()("The cat." + chr(10) * 2 + "It sat.")
        [['the', 'cat'], ['it', 'sat']]
    """

    words: Callable[[str], list[str]] = plain

    def __call__(self, text: str) -> list[list[str]]:
        """The lines."""
        return [found for found in map(self.words, text.splitlines()) if found]


@dataclass(frozen=True)
class RougeLsum:
    """The measure of `rouge_sum`."""

    def __call__(self, said: Lines, wanted: Lines) -> tuple[float, dict]:
        """F, with precision and recall as facts; 0 where the answer is too long to be compared."""
        mine, theirs = (sum(map(len, lines)) for lines in (said, wanted))
        if theirs * (mine / 64 + 4 * len(said)) > WORK:
            return 0.0, {"why": "too many words and lines to be compared"}
        found = rouge_lsum(said, wanted)
        return found.f, {"precision": found.precision, "recall": found.recall}


def rouge_sum(
    name: str = "rouge_lsum",
    words: Callable[[str], list[str]] = plain,
    references: Callable[[Any], list[str]] = several,
    answer: Callable[[str], str | None] = whole,
    reference: str = "reference",
) -> Grading:
    """An observer: ROUGE-Lsum of the last action with the best of its references, in [0, 1]; a line is a sentence.

    Facts: `precision`, `recall`, `reference`. Unscored: as `f1_match`. An answer and a reference with too many words
    and lines for about a second score 0 with `why`.

    Elsewhere: rouge-score finds the same, but takes only `a-z0-9` for words; see `rouge`.

    Example:
        >>> from guerdon.batch import Batch, Column
        >>> batch = Batch.from_steps(group=[0], trajectory=[0], reward=[0.0], action=["It sat." + chr(10) + "A cat."])
        >>> batch = batch.with_columns(reference=Column.of("trajectory", ["a cat" + chr(10) + "it sat"]))
        >>> rouge_sum().observe(batch)["rouge_lsum"].values
        array([1.])
    """
    return against(name, Against(RougeLsum(), Sentences(words), references, answer), reference)
