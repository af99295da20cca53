"""Are the key points there, their keywords in order? The content half of a reward chain."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from guerdon.evidence.grading import Grading
from guerdon.evidence.plain import json_of
from guerdon.evidence.texts.overlap import lcs_length
from guerdon.evidence.texts.words import LIMIT, composed, shown
from guerdon.records import Verdict

MOST = 200
"""Chains of keywords of one task: each is looked for in the whole answer."""


def keywords_in(text: str, keywords: Sequence[str]) -> list[str]:
    """The keywords that stand in a text, in order: whole words, case folded, of two that begin alike the longer.

    A keyword may be a phrase. What one occurrence covers is not looked at again, so inside `new york city`
    the keyword `york` is not found a second time.

    Example:
        >>> keywords_in("In New York City, not in Newark: york", ["york", "new york", "New York City"])
        ['new york city', 'york']
    """
    return _found(_folded(text), [k for k in map(_folded, keywords) if k])


def chain(text: str, keywords: Sequence[str]) -> float:
    """How much of a chain of keywords a text has, in order, in [0, 1].

        LCS(found, keywords) / max(|found|, |keywords|)

    `found` are the keywords in the text as they come, repeats included, so naming everything many times costs:
    k copies of the whole chain score 1/k.

    Args:
        keywords: in the order of the reference; one that comes twice there stands here twice.

    Example:
        >>> chain("heat, then stir, then serve", ["heat", "stir", "serve"]), chain("serve, stir", ["stir", "serve"])
        (1.0, 0.5)
    """
    return _chain(_folded(text), keywords)


def _chain(folded: str, keywords: Sequence[str]) -> float:
    wanted = [k for k in map(_folded, keywords) if k]
    found = _found(folded, wanted)
    return lcs_length(found, wanted) / max(len(found), len(wanted)) if wanted else 0.0


def _found(folded: str, wanted: Sequence[str]) -> list[str]:
    known = sorted(set(wanted), key=lambda k: (-len(k), k))
    return _pattern(tuple(known)).findall(folded) if known else []


def _folded(text: str) -> str:
    return " ".join(composed(text).casefold().split())


@lru_cache(256)
def _pattern(keywords: tuple[str, ...]) -> re.Pattern:
    """Any of the keywords as whole words. All are literals, so the search never goes back far."""
    return re.compile(rf"(?<!\w)(?:{'|'.join(map(re.escape, keywords))})(?!\w)")


@dataclass(frozen=True)
class Chain:
    """The grader of `keyword_chain`."""

    def __call__(self, said: str, reference: Any) -> Verdict:
        """The mean over key points of the best chain of each."""
        points = _points(reference)
        if points is None:
            return Verdict.unscored("the reference is not a list of key points, each a list of chains of keywords")
        if sum(map(len, points)) > MOST:
            return Verdict.unscored(f"the reference has more than {MOST} chains of keywords")
        if len(said) > LIMIT:
            return Verdict.score(0.0, why=f"longer than {LIMIT} characters")
        folded, items = _folded(said), []
        for number, chains in enumerate(points):
            scores = [_chain(folded, keywords) for keywords in chains]
            best = max(range(len(scores)), key=scores.__getitem__)
            items.append(
                {"point": number, "score": scores[best], "chain": best, "keywords": shown(", ".join(chains[best]))}
            )
        held = [item["score"] for item in items]
        return Verdict.score(sum(held) / len(held), items=items, points=len(held), whole=sum(s == 1.0 for s in held))


def _points(reference: Any) -> list[list[list[str]]] | None:
    """Key points, each a list of chains; a chain may stand for a list of one. None where it is neither."""
    given = json_of(reference)
    if not isinstance(given, list) or not given:
        return None
    points = []
    for point in given:
        if not isinstance(point, list) or not point:
            return None
        chains = [point] if all(isinstance(k, str) for k in point) else point
        if not all(isinstance(c, list) and c and all(isinstance(k, str) and k.strip() for k in c) for c in chains):
            return None
        points.append(chains)
    return points


def keyword_chain(name: str = "chain", reference: str = "reference", action: str = "action") -> Grading:
    """An observer: the mean over key points of how much of the best chain of keywords the answer has, in order.

        content = 1/|points| sum over points p of max over chains c of p of LCS(found, c) / max(|found|, |c|)

    In [0, 1]. The reference is JSON: a list of key points, each a list of chains (one for each reference text), each
    a list of keywords in order; a key point may be one chain. Facts: `points`, `whole` (how many in full); the
    relation `NAME/items` has a row for each key point: its score, which chain, its keywords.

    A bare list of the keywords has full content: pay for style or fluency beside it. Keywords of one chain do
    not see those of another.

    Unscored: a reference of another form, or with more than 200 chains; a failed play. An answer above 200,000
    characters scores 0.

    Source: RLVRR. Departure: the paper scans each reference text for its keywords; here the chain given is that
    scan. Its style predicates are programs and belong to a sandbox; weigh their facts beside this one.

    Example:
        >>> from guerdon.batch import Batch, Column
        >>> batch = Batch.from_steps(group=[0], trajectory=[0], reward=[0.0], action=["Heat the oil, add salt."])
        >>> points = '[["heat", "oil"], [["salt", "pepper"], ["salt"]]]'
        >>> batch = batch.with_columns(reference=Column.of("trajectory", [points]))
        >>> keyword_chain().observe(batch)["chain"].values
        array([1.])
    """
    return Grading(name, Chain(), reads=(action, reference), version="2", cost="free", deadline=None)
