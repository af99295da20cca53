"""What several plays, phrasings or graders agree on. Who gave no answer, and who is unscored, never votes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa

from guerdon import segments
from guerdon.batch import Batch, Column, Level
from guerdon.errors import LevelError, RecordError, ShapeError
from guerdon.evidence.grading import rows_of
from guerdon.evidence.match import normalise
from guerdon.evidence.observer import Cost, Reading
from guerdon.evidence.texts.words import LIMIT

Array = np.ndarray
Ids = Array | Sequence[int]
Canon = Callable[[str], str | None]


@dataclass(frozen=True, eq=False)
class Vote:
    """The outcome of votes inside groups, one entry a ballot.

    Attributes:
        share: of the group's weight that the ballot's answer has; NaN where the group has none.
        top: whether no other answer of the group has more.
        leaders: how many answers of the group have the most; more than 1 is a tie, 0 means that nobody voted.
    """

    share: Array
    top: Array
    leaders: Array


def vote(answer: Array, group: Array, weight: Array | None = None) -> Vote:
    """Counts votes: equal ids are equal answers.

        share_i = sum of weights in the group of those with the answer of i / sum of weights in the group

    Args:
        answer: one id a ballot, from 0; below 0 is no answer. That ballot has no share, and is never top.
        group: whose votes are counted together, from 0.
        weight: at least 0 and finite; every ballot 1 without. Sums of weights within 1e-9 of the largest are a tie.

    Example:
        >>> found = vote(np.array([0, 0, 1, -1]), np.array([0, 0, 0, 0]))
        >>> found.share.round(3), found.leaders
        (array([0.667, 0.667, 0.333, 0.   ]), array([1, 1, 1, 1]))
    """
    answer, group = np.asarray(answer), np.asarray(group)
    weight = np.ones(len(answer)) if weight is None else np.asarray(weight, float)
    if not ((weight >= 0) & (weight < np.inf)).all():
        raise ShapeError(
            f"vote: weights from {weight.min()} to {weight.max()}; they are at least 0 and finite; shift or clip the "
            "scores first"
        )
    votes = np.where(answer >= 0, weight, 0.0)
    n = int(group.max(initial=-1)) + 1
    cast = segments.total(votes, group, n)
    by = segments.joint(group, np.maximum(answer, -1))
    held = segments.total(votes, by)
    most = segments.maximum(np.where(votes > 0, held[by], 0.0), group, n)
    level = (held[by] >= most[group] * (1 - 1e-9)) & (answer >= 0) & (most[group] > 0)
    one = np.zeros(len(answer), bool)
    one[np.unique(by, return_index=True)[1]] = True  # each answer of a group counts once
    leaders = segments.total((level & one).astype(float), group, n).astype(int)
    share = np.divide(held[by], cast[group], out=np.full(len(answer), np.nan), where=cast[group] > 0)
    return Vote(np.where((answer < 0) & (cast[group] > 0), 0.0, share), level, leaders[group])


def canonical(text: str) -> str | None:
    """What two answers are compared by: `normalise`; nothing left, or above 200,000 characters, is no answer.

    Example:
        >>> canonical(" North. "), canonical("...")
        ('north', None)
    """
    return normalise(text) or None if len(text) <= LIMIT else None


@dataclass(frozen=True, eq=False)
class _Ballots:
    """Answers as ids: -1 for none; which plays have one to speak of, and why others have not."""

    answer: Array
    there: Array
    cause: list[str | None]


def _ballots(batch: Batch, column: str, canon: Canon, who: str) -> _Ballots:
    rows, verdicts = rows_of(batch, [column], "trajectory", who)
    cause = [None if v is None else v.cause for v in verdicts]
    there = np.array([c is None for c in cause], bool)
    ids: dict[str, int] = {}
    known: dict[Any, str | None] = {}
    answer = np.full(len(rows), -1)
    for i in np.flatnonzero(there).tolist():
        said = rows[i][0]
        if said not in known:
            known[said] = found = canon(said if isinstance(said, str) else str(said))
            if not (found is None or isinstance(found, str)):
                raise RecordError(
                    f"{who}: canon returned {type(found).__name__} {str(found)[:60]!r}; a text is needed, or None "
                    "for no answer; return the text alone, for maths by guerdon.evidence.maths.canon"
                )
        if known[said] is not None:
            answer[i] = ids.setdefault(known[said], len(ids))
    return _Ballots(answer, there, cause)


@dataclass(frozen=True)
class Agreement:
    """The observer of `majority`, `self_consistency` and `weighted_majority`: see there."""

    name: str
    worth: Callable[[Vote, float | None], tuple[Array, Array]]
    canon: Canon = canonical
    tie: float | None = None
    weight: str | None = None
    column: str = "action"
    version: str = "1"
    low: float = 0.0
    high: float = 1.0
    level: Level = "trajectory"
    cost: Cost = "free"

    def observe(self, batch: Batch) -> Batch:
        """The batch with NAME, NAME/cause, NAME/share and NAME/leaders for each play."""
        ballots = _ballots(batch, self.column, self.canon, self.name)
        there, weight, cause = ballots.there.copy(), np.ones(len(ballots.there)), list(ballots.cause)
        if self.weight is not None:
            batch.need([self.weight], self.name)
            given = batch[self.weight]
            if given.level != "trajectory":
                raise LevelError(
                    f"{self.name}: {self.weight!r} is a {given.level} column; a vote has one weight a trajectory; "
                    "sum it up first"
                )
            weight = given.filled(0.0)
            cause = [c or (None if v else f"{self.weight} is missing") for c, v in zip(cause, given.valid, strict=True)]
            there &= given.valid
        found = vote(ballots.answer, batch.group_of_trajectory, np.where(there, weight, 0.0))
        value, known = self.worth(found, self.tie)
        voted = found.leaders > 0
        cause = [
            c or (None if k else "nobody in the group voted" if not v else "a tie of several answers")
            for c, k, v in zip(cause, known | (ballots.answer < 0), voted | (ballots.answer < 0), strict=True)
        ]
        value = np.where(ballots.answer < 0, 0.0, value)
        return _told(batch, self.name, value, cause, share=found.share, leaders=found.leaders.astype(float))


def _told(batch: Batch, name: str, value: Array, cause: list, **facts: Array) -> Batch:
    """The batch with a fact of each play, unscored where there is a cause."""
    scored = np.array([c is None for c in cause], bool)
    columns = {f"{name}/{key}": Column("trajectory", x, scored & ~np.isnan(x)) for key, x in facts.items()}
    columns[name] = Column("trajectory", np.where(scored, value, np.nan), scored)
    if not scored.all():
        columns[f"{name}/cause"] = Column.of("trajectory", pa.array(cause, pa.string()))
    return batch.with_columns(**columns)


def _of_top(found: Vote, tie: float | None) -> tuple[Array, Array]:
    """1 in the one top answer, 0 below it; in a tie, what a tie is worth, or not known."""
    tied = found.top & (found.leaders > 1)
    value = np.where(tied, np.nan if tie is None else tie, found.top.astype(float))
    return value, ~np.isnan(value) & (found.leaders > 0)


def _of_share(found: Vote, tie: float | None) -> tuple[Array, Array]:
    return found.share, ~np.isnan(found.share)


def majority(
    name: str = "majority", canon: Canon = canonical, tie: float | None = None, column: str = "action"
) -> Agreement:
    """An observer: 1 where the play's answer is its group's most frequent one, else 0.

    Args:
        canon: of a text the text to compare it by, None for no answer: `canonical`, `letter_in`,
            `guerdon.evidence.maths.canon`. Whatever else it returns is a RecordError.
        tie: what a member of a tie at the top is worth; None leaves it unscored. Below the top is 0 in any case.
        column: of texts, the last of a play where it is a step column.

    Facts: `share` (of the votes, that its answer has), `leaders` (answers with the most votes: above 1 is a tie). An
    answer that is none casts no vote and scores 0: the play had its say. A play that failed or was not recorded does
    not vote and is unscored. "Most frequent" needs no half of the votes: see `share`. A lone play agrees with itself.

    Elsewhere: released code breaks ties by who came first, so the label depends on the order of sampling.

    Example:
        >>> said = ["4", "4.", "5", "?"]
        >>> batch = Batch.from_steps(group=[0] * 4, trajectory=[0, 1, 2, 3], reward=[0.0] * 4, action=said)
        >>> majority().observe(batch)["majority"].values
        array([1., 1., 0., 0.])
        >>> from guerdon.evidence.maths import canon
        >>> batch = batch.with_columns(action=Column.of("step", [r"\\boxed{\\frac12}", "#### 0.5", "1/2", "2"]))
        >>> majority(canon=canon).observe(batch)["majority"].values
        array([1., 1., 1., 0.])
    """
    return Agreement(name, _of_top, canon, tie, None, column)


def self_consistency(name: str = "self_consistency", canon: Canon = canonical, column: str = "action") -> Agreement:
    """An observer: the share of its group's votes that the play's answer has, its own among them, in [0, 1].

    An answer that is none scores 0 and casts no vote. Unscored: a play that failed or was not recorded.

    Example:
        >>> batch = Batch.from_steps(group=[0] * 4, trajectory=[0, 1, 2, 3], reward=[0.0] * 4, action=list("aabb"))
        >>> self_consistency().observe(batch)["self_consistency"].values
        array([0.5, 0.5, 0.5, 0.5])
    """
    return Agreement(name, _of_share, canon, None, None, column)


def weighted_majority(
    weight: str,
    name: str = "weighted_majority",
    canon: Canon = canonical,
    tie: float | None = None,
    column: str = "action",
) -> Agreement:
    """An observer: 1 where the play's answer is the one of the largest total weight in its group, else 0.

        winner = argmax over answers a of the sum of the weights of the plays that answer a

    Args:
        weight: a trajectory column of at least 0: a verifier's soft score. A play whose weight is missing does not
            vote and is unscored; weight 0 votes for nothing.

    Otherwise as `majority`. Source: OPV (arXiv 2512.10756), its weights a verifier's share of passes; LaSeR and RISE
    vote so by their self-verification.

    Example:
        >>> batch = Batch.from_steps(group=[0] * 3, trajectory=[0, 1, 2], reward=[0.0] * 3, action=["a", "a", "b"])
        >>> batch = batch.with_columns(ok=Column.of("trajectory", [0.2, 0.3, 0.9]))
        >>> weighted_majority("ok").observe(batch)["weighted_majority"].values
        array([0., 0., 1.])
    """
    return Agreement(name, _of_top, canon, tie, weight, column)


@dataclass(frozen=True)
class CrossAgreement:
    """The observer of `cross_agreement`: see there."""

    name: str
    question: str
    canon: Canon = canonical
    tie: float | None = None
    column: str = "action"
    version: str = "1"
    low: float = 0.0
    high: float = 1.0
    level: Level = "trajectory"
    cost: Cost = "free"

    def observe(self, batch: Batch) -> Batch:
        """The batch with NAME, NAME/cause, NAME/share and NAME/leaders for each play."""
        batch.need([self.question], self.name)
        ballots = _ballots(batch, self.column, self.canon, self.name)
        asked = batch.lift(batch[self.question], "trajectory")
        named = [f"= {q}" if q is not None else f"missing {i}" for i, q in enumerate(asked.tolist())]
        question = segments.number(np.array(named, object))
        share, top, leaders = others(ballots.answer, batch.group_of_trajectory, question)
        silent = ballots.answer < 0
        tied = top & (leaders > 1)
        value = np.where(tied, np.nan if self.tie is None else self.tie, top.astype(float))
        cause = [
            c or (f"{self.question} is missing" if not ok else "no other phrasing has a vote" if not n else
                  "a tie of several answers" if np.isnan(v) and not s else None)
            for c, ok, n, v, s in zip(ballots.cause, asked.valid, leaders, value, silent, strict=True)
        ]  # fmt: skip
        return _told(batch, self.name, np.where(silent, 0.0, value), cause, share=share, leaders=leaders.astype(float))


def others(answer: Ids, group: Ids, question: Ids) -> tuple[Array, Array, Array]:
    """For each ballot the vote of the other groups with the same question: share and top of its answer, leaders.

    Args:
        answer: ids; below 0 is none. group, question: ids from 0; a group has one question.

    Example:
        >>> share, top, leaders = others([0, 0, 1, 0], [0, 0, 1, 1], [0, 0, 0, 0])
        >>> share, top, leaders
        (array([0.5, 0.5, 0. , 1. ]), array([ True,  True, False,  True]), array([2, 2, 1, 1]))
    """
    answer, group, question = (np.asarray(x, np.int64) for x in (answer, group, question))
    ballots: dict[int, dict[int, dict[int, int]]] = {}  # question -> group -> answer -> votes
    for q, g, a in zip(question.tolist(), group.tolist(), answer.tolist(), strict=True):
        votes = ballots.setdefault(q, {}).setdefault(g, {})
        if a >= 0:
            votes[a] = votes.get(a, 0) + 1
    tallies: dict[tuple[int, int], dict[int, int]] = {}
    for q, views in ballots.items():
        pooled: dict[int, int] = {}
        for votes in views.values():
            for a, v in votes.items():
                pooled[a] = pooled.get(a, 0) + v
        for g, votes in views.items():
            tallies[q, g] = {a: v - votes.get(a, 0) for a, v in pooled.items() if v > votes.get(a, 0)}
    n = len(answer)
    share, top, leaders = np.full(n, np.nan), np.zeros(n, bool), np.zeros(n, np.int64)
    summed = {at: (sum(t.values()), max(t.values(), default=0)) for at, t in tallies.items()}
    first = {at: sum(v == summed[at][1] for v in t.values()) for at, t in tallies.items()}
    for i, at in enumerate(zip(question.tolist(), group.tolist(), strict=True)):
        cast, most = summed[at]
        if cast:
            votes = tallies[at].get(int(answer[i]), 0)
            share[i], top[i], leaders[i] = votes / cast, votes == most, first[at]
    return share, top, leaders


def cross_agreement(
    question: str,
    name: str = "cross_agreement",
    canon: Canon = canonical,
    tie: float | None = None,
    column: str = "action",
) -> CrossAgreement:
    """An observer: 1 where the play's answer is the most frequent one among answers to *other phrasings*, else 0.

    The label of a phrasing comes from the groups that were asked the same in other words, never from its own: a bias
    of one phrasing does not confirm itself. With two phrasings each labels the other; with more, the others' votes
    are pooled.

    Args:
        question: a trajectory or group column; equal values are phrasings of one question.
        canon, tie, column: as in `majority`.

    Facts: `share` (of the others' votes, that its answer has), `leaders`.

    An answer that is none scores 0 and casts no vote. Unscored: no other phrasing has a vote, a tie without `tie`, a
    play that failed or was not recorded.

    Source: Co-Reward. Departures: its label of a phrasing whose counterpart gave no answer is none and its reward 0,
    here that is unscored; it breaks ties by who came first, which depends on the order of sampling.

    Example:
        >>> said = ["4", "5", "5", "5"]
        >>> batch = Batch.from_steps(group=[0, 0, 1, 1], trajectory=[0, 1, 2, 3], reward=[0.0] * 4, action=said)
        >>> batch = batch.with_columns(task_question=Column.of("trajectory", ["q"] * 4))
        >>> cross_agreement("task_question", tie=0.5).observe(batch)["cross_agreement"].values
        array([0. , 1. , 0.5, 0.5])
    """
    return CrossAgreement(name, question, canon, tie, column)


@dataclass(frozen=True)
class Disagreement:
    """What `disagreement` reads: see there."""

    first: str
    second: str
    within: float = 0.0

    def __call__(self, batch: Batch) -> Column:
        """The column of facts."""
        batch.need([self.first, self.second], "disagreement")
        a, b = batch[self.first], batch[self.second]
        if a.level != b.level:
            raise LevelError(
                f"disagreement: {self.first!r} is a {a.level} column and {self.second!r} a {b.level} column; "
                "two verdicts on the same items are needed; lift the coarser one"
            )
        valid = a.valid & b.valid
        apart = np.abs(np.where(valid, a.filled(0.0) - b.filled(0.0), 0.0)) > self.within
        return Column(a.level, apart.astype(float), valid)


def disagreement(
    first: str, second: str, name: str = "disagreement", within: float = 0.0, level: Level = "trajectory"
) -> Reading:
    """An observer: 1 where two verdicts on the same item differ by more than `within`, else 0.

    A second implementation of a check, asked beside the first, shows where one of them is wrong, without a label. Two
    graders that share a fault agree in it.

    Args:
        first, second: the names of two observers, which ran before, of one level.
        level: theirs.

    Missing where either is unscored: who did not say, did not disagree.

    Example:
        >>> batch = Batch.from_steps(group=[0] * 3, trajectory=[0, 1, 2], reward=[0.0] * 3)
        >>> batch = batch.with_columns(
        ...     ours=Column.of("trajectory", [1.0, 0.0, 1.0]), theirs=Column.of("trajectory", [1.0, 1.0, None])
        ... )
        >>> disagreement("ours", "theirs").observe(batch)["disagreement"].tolist()
        [0.0, 1.0, None]
    """
    return Reading(name, Disagreement(first, second, within), level)
