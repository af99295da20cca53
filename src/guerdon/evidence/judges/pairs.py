"""Two answers side by side: a preference, asked in both orders, and the relation `pairs` that credit reads."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import combinations
from numbers import Real
from statistics import fmean
from typing import Any, Protocol, runtime_checkable

import numpy as np
import pyarrow as pa

from guerdon.batch import Batch, Level
from guerdon.errors import RecordError
from guerdon.evidence.grading import rows_of, with_verdicts
from guerdon.evidence.judges.fence import Malformed, number, one_of, prompt, read, words
from guerdon.evidence.judges.forms import REASON
from guerdon.evidence.judges.judge import Judge
from guerdon.evidence.judges.votes import Ask, Poll, Votes, poll, spread
from guerdon.evidence.observer import Cost
from guerdon.records import Verdict


@runtime_checkable
class Orders(Protocol):
    """In which orders a pair is shown, and what the answers say together."""

    def shown(self, one: str, other: str) -> tuple[bool, ...]:
        """For each showing, whether the first of the pair comes first."""
        ...

    def together(self, preferences: list[Real]) -> float | None:
        """The preference for the first of the pair from that of each showing; None where they do not settle it."""
        ...


@dataclass(frozen=True)
class BothOrders:
    """Both orders have to prefer the same answer; then the mean counts. A judge that prefers a place is not believed.

    Attributes:
        otherwise: what disagreement counts as: 0.0, a tie, keeps d[i, j] = -d[j, i]; None leaves the pair unscored.

    Example:
        >>> BothOrders().together([1.0, 1.0]), BothOrders().together([1.0, -1.0]), BothOrders(None).together([1.0, 0.0])
        (1.0, 0.0, None)
    """

    otherwise: Real | None = 0.0

    def shown(self, one: str, other: str) -> tuple[bool, ...]:
        """Both."""
        return (True, False)

    def together(self, preferences: list[Real]) -> float | None:
        """The mean where the signs agree."""
        return fmean(preferences) if len({np.sign(p) for p in preferences}) == 1 else self.otherwise


@dataclass(frozen=True)
class MeanOfOrders:
    """The mean of both orders, which takes out what is given to a place, agreement or not.

    Example:
        >>> MeanOfOrders().together([2.0, -1.0])
        0.5
    """

    def shown(self, one: str, other: str) -> tuple[bool, ...]:
        """Both."""
        return (True, False)

    def together(self, preferences: list[Real]) -> float | None:
        """The mean."""
        return fmean(preferences)


@dataclass(frozen=True)
class OneOrder:
    """One order, by a hash of the two texts: half the price, and a preference for a place is noise, no bias.

    Example:
        >>> OneOrder().shown("a", "b") == OneOrder().shown("a", "b")
        True
    """

    def shown(self, one: str, other: str) -> tuple[bool, ...]:
        """One, the same whichever of the two is named first."""
        low, high = sorted((one, other))
        first = hashlib.blake2b(f"{low}\0{high}".encode(), digest_size=1).digest()[0] % 2 == 0
        return ((one == low) == first,)

    def together(self, preferences: list[Real]) -> float | None:
        """It."""
        return preferences[0]


@dataclass(frozen=True)
class Pair:
    """Which of two answers is better, from -margin to margin; above 0 the first.

    Equal texts are a tie and are not asked about. Facts: `orders_agree` (1 or 0) and `towards_first_place`, how much
    more the place shown first was preferred, where both orders were asked.

    Attributes:
        task: what is judged, and by what.
        one, other: the labels of the two answers. With `reads=("prompt", "action", "reference")` and these set to
            "action" and "reference", a `Judge` compares each play with a fixed answer.
        margin: 1 asks who is better, or a tie; 3 asks for -3 to 3.
        orders: `BothOrders()`, `BothOrders(None)`, `MeanOfOrders()` or `OneOrder()`.
        votes: in each order.

    References:
        Think-RM, 2025 (pairwise, -3 to 3). Writing-Zero, 2025, arXiv:2506.00103 (both orders).

    Example:
        >>> Pair("You judge essays.", margin=3).low
        -3.0
    """

    task: str
    one: str = "first"
    other: str = "second"
    margin: int = 1
    orders: Orders = field(default_factory=BothOrders)
    votes: Votes = field(default_factory=Votes)
    logprobs: int = field(default=0, init=False)

    def __post_init__(self) -> None:
        if self.margin < 1:
            raise RecordError(f"Pair: margin is {self.margin}; 1 or more is needed; 1 asks only who is better")

    @property
    def low(self) -> float:
        """The other is better by the margin."""
        return -float(self.margin)

    @property
    def high(self) -> float:
        """The first is better by the margin."""
        return float(self.margin)

    async def judge(self, ask: Ask, material: Mapping[str, Any]) -> Verdict:
        """The preference for the one answer."""
        one, other = material[self.one], material[self.other]
        if one == other:
            return Verdict.score(0.0, self.low, self.high, why="the answers are equal")
        context = {label: value for label, value in material.items() if label not in (self.one, self.other)}
        preferences, polls, facts = [], Poll(), {}
        shown = self.orders.shown(str(one), str(other))
        for straight in shown:
            got = await self._ask(ask, context, *((one, other) if straight else (other, one)))
            polls += got
            values = [vote["better"] if straight else -vote["better"] for vote in got.votes]
            said = self.votes.settle(got, values, self.low, self.high)
            if not said.scored:
                return Verdict.unscored(said.cause, **polls.cost)
            preferences.append(said.value)
        if len(preferences) == 2:
            facts["orders_agree"] = float(np.sign(preferences[0]) == np.sign(preferences[1]))
            facts["towards_first_place"] = (preferences[0] - preferences[1]) / 2 * (1 if shown[0] else -1)
        facts |= {"reason": polls.votes[0]["reason"], **spread([0.0] * len(polls.votes)), **polls.cost}
        facts.pop("agreement")
        value = self.orders.together(preferences)
        if value is None:
            return Verdict.unscored("the judge prefers another answer in the other order", **facts)
        return Verdict.score(value, self.low, self.high, **facts)

    async def _ask(self, ask: Ask, context: Mapping, a: Any, b: Any) -> Poll:
        answer = {"reason": REASON, "better": '"A", "B" or "tie"'}
        fields = {"reason": words, "better": one_of("a", "b", "tie")}
        more = ""
        if self.margin > 1:
            more = f" By how much: a whole number from 1 (hardly) to {self.margin} (far); 0 for a tie."
            answer["by"], fields["by"] = f"a whole number from 0 to {self.margin}", number(0, self.margin)
        material = {**context, "answer A": a, "answer B": b}
        question = prompt(self.task, material, f"Which answer is better, A or B?{more}", answer)

        def reads(reply: Any) -> dict:
            got = read(reply.text, question.code, fields)
            by = got.get("by", 1.0)
            if by != int(by) or (by == 0) != (got["better"] == "tie" and "by" in got):
                raise Malformed("the judge's answer prefers one by nothing, or calls something a tie that is none")
            return {**got, "better": {"a": by, "b": -by, "tie": 0.0}[got["better"]]}

        return await poll(ask, question, self.votes, reads)


@runtime_checkable
class Pairing(Protocol):
    """Which plays of a group are compared."""

    def __call__(self, batch: Batch, use: np.ndarray) -> list[tuple[int, int]]:
        """Pairs of numbers of trajectories, each pair once, among those to use."""
        ...


@dataclass(frozen=True)
class AllPairs:
    """Every two plays of a group: G (G - 1) / 2 pairs.

    Example:
        >>> batch = Batch.from_steps(group=[0] * 3, trajectory=[0, 1, 2], reward=[0.0] * 3)
        >>> AllPairs()(batch, np.array([True, True, True]))
        [(0, 1), (0, 2), (1, 2)]
    """

    def __call__(self, batch: Batch, use: np.ndarray) -> list[tuple[int, int]]:
        """Each pair once, the lower number first."""
        groups: dict[int, list[int]] = {}
        for play in np.flatnonzero(use).tolist():
            groups.setdefault(int(batch.group_of_trajectory[play]), []).append(play)
        return [pair for plays in groups.values() for pair in combinations(plays, 2)]


@dataclass(frozen=True)
class AgainstMarked:
    """Every play with the marked one of its group: G - 1 pairs.

    Attributes:
        column: a trajectory column, true for the plays that others are compared with. With
            `guerdon.credit.pairs.draw_one(batch, seed)` in it, the pairs are those that `against_one(seed)` reads.

    Example:
        >>> from guerdon import Column
        >>> batch = Batch.from_steps(group=[0] * 3, trajectory=[0, 1, 2], reward=[0.0] * 3)
        >>> batch = batch.with_columns(drawn=Column.of("trajectory", [False, True, False]))
        >>> AgainstMarked("drawn")(batch, np.array([True, True, True]))
        [(0, 1), (2, 1)]
    """

    column: str

    def __call__(self, batch: Batch, use: np.ndarray) -> list[tuple[int, int]]:
        """Each pair once, the marked play second."""
        batch.need([self.column], "AgainstMarked")
        marked = np.asarray(batch[self.column].values, bool) & batch[self.column].valid
        pairs = AllPairs()(batch, use)
        return [(a, b) if marked[b] else (b, a) for a, b in pairs if marked[a] != marked[b]]


@dataclass(frozen=True)
class PairJudge:
    """Compares plays of a group: see `pair_judge`."""

    judge: Judge
    pairing: Pairing = field(default_factory=AllPairs)
    level: Level = field(default="trajectory", init=False)
    low: float = field(default=0.0, init=False)
    high: float = field(default=1.0, init=False)
    cost: Cost = field(default="minutes", init=False)

    def __post_init__(self) -> None:
        if not isinstance(self.judge.form, Pair):
            raise RecordError(
                f"pair_judge: the form is {type(self.judge.form).__name__}; a Pair is needed; give it form=Pair(task)"
            )

    @property
    def name(self) -> str:
        """The judge's."""
        return self.judge.name

    @property
    def version(self) -> str:
        """The judge's, and which plays are compared."""
        return f"{self.judge.version}-{self.pairing!r}"

    def observe(self, batch: Batch) -> Batch:
        """The batch with win rates and the relation `pairs`."""
        names = [read for read in self.judge.reads if isinstance(read, str)]
        rows, standing = rows_of(batch, names, "trajectory", self.name)
        use = np.array([verdict is None for verdict in standing], bool)
        form, said = self.judge.form, names.index(self.judge.said)
        pairs = self.pairing(batch, use)
        materials = []
        for i, j in pairs:
            context = {name: value for name, value in zip(names, rows[i], strict=True) if name != self.judge.said}
            materials.append({**context, form.one: rows[i][said], form.other: rows[j][said]})
        verdicts = self.judge.judged(materials)
        table = {
            "first": pa.array([i for i, _ in pairs], pa.int64()), "second": pa.array([j for _, j in pairs], pa.int64()),
            "preference": pa.array([v.value for v in verdicts], pa.float64()),
            "cause": pa.array([v.cause for v in verdicts], pa.string()),
        }  # fmt: skip
        for fact in ("orders_agree", "towards_first_place", "calls", "tokens_in", "tokens_out"):
            table[fact] = pa.array([_number(v.facts.get(fact)) for v in verdicts], pa.float64())
        rates = _win_rates(standing, pairs, verdicts)
        return with_verdicts(batch, self.name, "trajectory", rates).with_relations(pairs=pa.table(table))


def pair_judge(judge: Judge, pairing: Pairing | None = None) -> PairJudge:
    """Compares the plays of each group, two by two.

    It leaves the relation `pairs` (`first, second, preference, cause`, then facts), which `pairwise`, `preferred` and
    `against_one` of `guerdon.credit` read, in place of one that is there; a pair that could not be judged has no
    preference. The column NAME is the win rate, a score of a play made of its pairs:

        rate[i] = (wins + ties / 2) / pairs of i that were judged

    Unscored for a play of which no pair was judged, or that is alone in its group.

    Args:
        judge: with a `Pair` as its form; `judge.said` is the column that is compared, and the rest of
            `reads` is shown beside.
        pairing: `AllPairs()` by default, or `AgainstMarked(column)`.

    Example:
        >>> from guerdon.evidence.judges import Endpoint
        >>> judge = Judge("better", Endpoint("http://127.0.0.1:8000/v1", "judge"), Pair("You judge essays."))
        >>> pair_judge(judge).name
        'better'

    References:
        Think-RM, 2025 (all pairs). Writing-Zero, 2025, arXiv:2506.00103 (against one).
    """
    return PairJudge(judge, pairing or AllPairs())


def _win_rates(standing: list, pairs: list[tuple[int, int]], verdicts: list[Verdict]) -> list[Verdict]:
    won: list[list[float]] = [[] for _ in standing]
    causes: list[list[str]] = [[] for _ in standing]
    for (i, j), verdict in zip(pairs, verdicts, strict=True):
        for play, sign in ((i, 1.0), (j, -1.0)):
            if verdict.scored:
                won[play].append(0.5 + 0.5 * float(np.sign(sign * verdict.value)))
            else:
                causes[play].append(verdict.cause)
    out = []
    for play, verdict in enumerate(standing):
        if verdict is None and won[play]:
            verdict = Verdict.score(fmean(won[play]), pairs=len(won[play]))
        elif verdict is None:
            verdict = Verdict.unscored("; ".join(dict.fromkeys(causes[play])) or "it was compared with no other play")
        out.append(verdict)
    return out


def _number(value: Any) -> float | None:
    return None if value is None else float(value)
