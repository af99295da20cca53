"""Were the entities on the way to the answer named? And how near is a play to the nearest of its group?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from guerdon import segments
from guerdon.batch import Batch, Column, Level
from guerdon.evidence.grading import with_verdicts
from guerdon.evidence.observer import Cost
from guerdon.evidence.plain import plays, texts_of
from guerdon.evidence.texts.exact import has_run
from guerdon.evidence.texts.words import LIMIT, shown, words
from guerdon.records import Verdict


def entities_named(texts: Sequence[str], entities: Sequence[str]) -> list[bool]:
    """For each entity whether one of the texts names it: its words side by side, whole, case folded.

    An entity without any word (a sign) is looked for as it is.

    Example:
        >>> entities_named(["He was born in Ulm."], ["ulm", "Bern", "Albert Einstein"])
        [True, False, False]
    """
    said = [words(text) for text in texts]
    wanted = [words(entity) for entity in entities]
    return [
        any(has_run(one, w) for one in said) if w else any(entity in text for text in texts)
        for entity, w in zip(entities, wanted, strict=True)
    ]


def share_of_best(x: np.ndarray, by: np.ndarray) -> np.ndarray:
    """Each value over the largest of its group; 0 where that is 0. NaN has no part in it and stays NaN.

    Example:
        >>> share_of_best(np.array([0.2, 0.4, np.nan]), np.array([0, 0, 0]))
        array([0.5, 1. , nan])
    """
    there = ~np.isnan(x)
    best = segments.maximum(np.where(there, x, 0.0), by)[by]
    out = np.divide(x, best, out=np.zeros(len(x)), where=best > 0)
    return np.where(there, out, np.nan)


@dataclass(frozen=True)
class EntityMatch:
    """The observer of `entity_match`: see there."""

    name: str
    text: str = "action"
    reference: str = "task_entities"
    version: str = "1"
    low: float = 0.0
    high: float = 1.0
    level: Level = "trajectory"
    cost: Cost = "free"

    def observe(self, batch: Batch) -> Batch:
        """The batch with NAME, NAME/near and NAME/items."""
        rows, verdicts = plays(batch, self.text, [self.reference], self.name)
        verdicts = [v or self.grade(*row) for v, row in zip(verdicts, rows, strict=True)]
        batch = with_verdicts(batch, self.name, "trajectory", verdicts)
        near = share_of_best(batch[self.name].filled(), batch.group_of_trajectory)
        return batch.with_columns(**{f"{self.name}/near": Column.of("trajectory", near)})

    def grade(self, texts: list[str], reference: str) -> Verdict:
        """The verdict on one play."""
        entities = texts_of(reference)
        if not entities:
            return Verdict.unscored("the reference is no list of entities, or an empty one")
        length = sum(map(len, texts))
        if length > LIMIT * 10:
            return Verdict.score(0.0, why=f"longer than {LIMIT * 10} characters")
        named = entities_named(texts, entities)
        items = [{"entity": shown(e), "named": n} for e, n in zip(entities, named, strict=True)]
        return Verdict.score(sum(named) / len(named), items=items, named=sum(named), entities=len(named), length=length)


def entity_match(name: str = "entities", text: str = "action", reference: str = "task_entities") -> EntityMatch:
    """An observer: the share of a task's entities that the play names, gamma = |named| / |entities|, in [0, 1].

    NAME/near is gamma over the largest of the group (0 where that is 0): E-GRPO pays 1 for a right answer and
    alpha * near for a wrong one, alpha = 0.3. Unscored members have no part in the largest.

    Args:
        text: a step column, what the policy itself said at every step; never what was retrieved.
        reference: a trajectory column with the entities, a JSON list.

    Facts: `named`, `entities`, `length` in characters (a list of many names is how this is gamed: put a bound on it),
    `near`. The relation NAME/items has a row for each entity. A play with no step has said nothing: 0.

    Unscored: no list of entities or an empty one; a step whose text was not recorded; a failed play.

    Source: E-GRPO (arXiv 2510.24694, eqs 4-6). Departure: the paper matches exact strings; here words, whole and case
    folded, so that `Ulm` is not found in `Ulmer` and is found in `ULM`.

    Example:
        >>> from guerdon.batch import Batch, Column
        >>> said = ["Ulm, then Bern", "Ulm", "nothing"]
        >>> batch = Batch.from_steps(group=[0] * 3, trajectory=[0, 1, 2], reward=[0.0] * 3, action=said)
        >>> batch = batch.with_columns(task_entities=Column.of("trajectory", ['["Ulm", "Bern", "ETH", "1905"]'] * 3))
        >>> seen = entity_match().observe(batch)
        >>> seen["entities"].values, seen["entities/near"].values
        (array([0.5 , 0.25, 0.  ]), array([1. , 0.5, 0. ]))
    """
    return EntityMatch(name, text, reference)
