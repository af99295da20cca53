"""What each search brought: recall of the right documents after each step and what it gained; nDCG of a play."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import zip_longest

import numpy as np
import pyarrow as pa

from guerdon.batch import Batch, Column, Level
from guerdon.evidence.grading import rows_of, with_verdicts
from guerdon.evidence.observer import Cost
from guerdon.evidence.plain import texts_of
from guerdon.records import Verdict


def recalls(retrieved: Sequence[Sequence[str]], right: Sequence[str]) -> np.ndarray:
    """The share of the right documents that were there after each step, from the first.

    Never falls. `right` holds at least one.

    Example:
        >>> recalls([["a"], [], ["a", "b"]], ["a", "b"])
        array([0.5, 0.5, 1. ])
    """
    left, out = set(right), []
    size = len(left)
    for found in retrieved:
        left.difference_update(found)
        out.append(1 - len(left) / size)
    return np.array(out, float)


def merged(retrieved: Sequence[Sequence[str]]) -> list[str]:
    """One ranking of several: the first of every query, then the second of every query; a repeat is left out.

    Example:
        >>> merged([["a", "b"], ["c", "a"]])
        ['a', 'c', 'b']
    """
    return list(dict.fromkeys(d for layer in zip_longest(*retrieved) for d in layer if d is not None))


def ndcg(ranking: Sequence[str], right: Sequence[str], k: int | None = None) -> float:
    """Normalised discounted cumulative gain of a ranking, relevance 1 or 0, in [0, 1].

        DCG = sum over ranks i = 1, 2, .. of 1[right] / log2(i + 1),   nDCG = DCG / DCG of all right ones first

    Args:
        k: only the first k ranks count, in both.

    Example:
        >>> round(ndcg(["x", "a"], ["a"]), 4)
        0.6309
    """
    goal = set(right)
    hits = np.array([d in goal for d in dict.fromkeys(ranking)][:k], float)
    ideal = np.ones(min(len(goal), k) if k is not None else len(goal))
    return float(min(1.0, _dcg(hits) / _dcg(ideal))) if goal else 0.0


def _dcg(gains: np.ndarray) -> float:
    return float((gains / np.log2(np.arange(len(gains)) + 2)).sum())


@dataclass(frozen=True)
class RetrievalGain:
    """The observer of `retrieval_gain`: see there."""

    name: str
    retrieved: str = "retrieved"
    reference: str = "task_evidence"
    version: str = "1"
    low: float = 0.0
    high: float = 1.0
    level: Level = "step"
    cost: Cost = "free"

    def observe(self, batch: Batch) -> Batch:
        """The batch with NAME and NAME/recall for each step, NAME/final and NAME/ndcg for each play."""
        batch.need([self.retrieved, self.reference], self.name)
        rows, verdicts = rows_of(batch, [self.reference], "trajectory", self.name)
        found = [None if text is None else texts_of(text) for text in batch[self.retrieved].tolist()]
        there = batch[self.retrieved].valid.tolist()
        n = batch.size("step")
        recall, gain, cause = np.full(n, np.nan), np.full(n, np.nan), np.full(n, None, object)
        at = 0
        for i, size in enumerate(batch.counts("step").tolist()):
            span = slice(at, at + size)
            at += size
            if verdicts[i] is None:
                verdicts[i] = self._verdict(found[span], there[span], rows[i][0], recall[span], gain[span])
            if not verdicts[i].scored:
                cause[span] = verdicts[i].cause
        columns = {
            self.name: Column.of("step", gain),
            f"{self.name}/recall": Column.of("step", recall),
        }
        if any(c is not None for c in cause):
            columns[f"{self.name}/cause"] = Column.of("step", pa.array(cause.tolist(), pa.string()))
        return with_verdicts(batch, f"{self.name}/final", "trajectory", verdicts).with_columns(**columns)

    def _verdict(self, found: list, there: list, reference: str, recall: np.ndarray, gain: np.ndarray) -> Verdict:
        right = texts_of(reference)
        if not right:
            return Verdict.unscored("the reference is no list of documents, or an empty one")
        if any(known and one is None for one, known in zip(found, there, strict=True)):
            return Verdict.unscored(f"{self.retrieved} is no list of documents at a step")
        lists = [one or [] for one in found]
        recall[:] = recalls(lists, right)
        gain[:] = np.diff(recall, prepend=0.0)
        ranking = merged(lists)
        return Verdict.score(recall[-1] if len(recall) else 0.0, ndcg=ndcg(ranking, right), documents=len(ranking))


def retrieval_gain(
    name: str = "retrieval", retrieved: str = "retrieved", reference: str = "task_evidence"
) -> RetrievalGain:
    """An observer at step level: how much of the right evidence a step's search added, in [0, 1].

        recall_t = |right and retrieved up to t| / |right|,   NAME_t = recall_t - recall_{t-1},  recall_0 = 0

    The gains of a play sum up to its final recall, so as rewards they pay for evidence once and a repeated search
    gains nothing. NAME/recall is recall_t. For each play NAME/final is the last recall, NAME/final/ndcg the nDCG of
    all lists merged (the first of every query, then the second), NAME/final/documents how many there were.

    Args:
        retrieved: a step column, JSON lists of ids, best first. A step without one retrieved nothing; a column must be
            there.
        reference: a trajectory column, a JSON list of the right ids.

    Unscored: a reference that is no list of ids or an empty one; something that is no list among what was retrieved
    (the environment's fault); a failed play.

    Source: UniDoc-RL's nDCG (binary gains), computed as its paper has it: as released, names are sorted into letters
    and the term is always 0. The ideal has all right documents, also where fewer were retrieved. Search-R2 has a
    judge say whether a search was useful and not redundant; a gain above 0 is that by the reference.

    Example:
        >>> batch = Batch.from_steps(group=[0] * 3, trajectory=[0] * 3, reward=[0.0] * 3, action=["a", "b", "c"])
        >>> batch = batch.with_columns(
        ...     retrieved=Column.of("step", ['["d1", "d9"]', '["d1"]', '["d2"]']),
        ...     task_evidence=Column.of("trajectory", ['["d1", "d2"]']),
        ... )
        >>> retrieval_gain().observe(batch)["retrieval"].values
        array([0.5, 0. , 0.5])
    """
    return RetrievalGain(name, retrieved, reference)
