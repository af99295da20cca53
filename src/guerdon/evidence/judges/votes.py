"""Several answers of a judge to one question, and what they say together.

A vote that did not come, or is not in the form asked for, does not vote; where too few came there is no
score. What several judges of steps say is made one afterwards too, by `verdict` of `guerdon.rewards`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from numbers import Real
from statistics import fmean, median
from typing import Any, Protocol, runtime_checkable

from guerdon.evidence.judges.client import NoReply, Reply
from guerdon.evidence.judges.fence import Malformed, Prompt
from guerdon.records import Verdict

Ask = Callable[[Sequence[dict], int], Awaitable[list[Reply | NoReply]]]


@runtime_checkable
class Say(Protocol):
    """What several votes say together."""

    def __call__(self, votes: Sequence[Real]) -> float | None:
        """One number for at least one vote; None where they do not settle it."""
        ...


@dataclass(frozen=True)
class MostSay:
    """Majority: what more votes say than any other value.

    Attributes:
        tie: what a tie for the first place counts as; None leaves it unsettled.

    Example:
        >>> MostSay()([1.0, 0.0, 1.0]), MostSay()([1.0, 0.0]), MostSay(tie=0.0)([1.0, 0.0])
        (1.0, None, 0.0)
    """

    tie: Real | None = None

    def __call__(self, votes: Sequence[Real]) -> float | None:
        """The most frequent value."""
        ranked = Counter(votes).most_common(2)
        return self.tie if len(ranked) > 1 and ranked[0][1] == ranked[1][1] else ranked[0][0]


@dataclass(frozen=True)
class AllSay:
    """Unanimous: what all votes say.

    Attributes:
        otherwise: what disagreement counts as; None leaves it unsettled.

    Example:
        >>> AllSay()([1.0, 1.0]), AllSay()([1.0, 0.0])
        (1.0, None)
    """

    otherwise: Real | None = None

    def __call__(self, votes: Sequence[Real]) -> float | None:
        """The one value."""
        return votes[0] if len(set(votes)) == 1 else self.otherwise


@dataclass(frozen=True)
class Lowest:
    """Intersection: the lowest vote, so yes where every vote says yes. Few false yeses, many misses.

    Example:
        >>> Lowest()([1.0, 0.0])
        0.0
    """

    def __call__(self, votes: Sequence[Real]) -> float | None:
        """The least."""
        return min(votes)


@dataclass(frozen=True)
class Highest:
    """Union: the highest vote, so yes where any vote says yes.

    Example:
        >>> Highest()([1.0, 0.0])
        1.0
    """

    def __call__(self, votes: Sequence[Real]) -> float | None:
        """The greatest."""
        return max(votes)


@dataclass(frozen=True)
class Average:
    """The mean of the votes; of yes and no, the share of yes.

    Example:
        >>> Average()([1.0, 0.0])
        0.5
    """

    def __call__(self, votes: Sequence[Real]) -> float | None:
        """The mean."""
        return fmean(votes)


@dataclass(frozen=True)
class Middle:
    """The median of the votes: one wild vote in three does not move it far.

    Example:
        >>> Middle()([0.1, 0.2, 0.9])
        0.2
    """

    def __call__(self, votes: Sequence[Real]) -> float | None:
        """The median."""
        return median(votes)


@dataclass(frozen=True)
class Votes:
    """How often a judge is asked the same, and what the answers say together.

    Attributes:
        n: votes asked for.
        say: `MostSay()`, `AllSay()`, `Lowest()`, `Highest()`, `Average()`, `Middle()`, or another `Say`.
        least: votes that must have come for a score; None: more than half of those asked for.

    Example:
        >>> Votes(3).enough, Votes(3, least=1).enough
        (2, 1)
    """

    n: int = 1
    say: Say = field(default_factory=MostSay)
    least: int | None = None

    @property
    def enough(self) -> int:
        """How many votes have to come."""
        return self.n // 2 + 1 if self.least is None else self.least

    def settle(self, poll: Poll, values: Sequence[Real], low: Real, high: Real, **facts: Any) -> Verdict:
        """The verdict of the votes that came, or the cause of there being none."""
        facts = {**facts, **spread(values), **poll.cost}
        if len(values) < max(self.enough, 1):
            return Verdict.unscored(poll.why_not(self), **facts)
        said = self.say(values)
        if said is None:
            return Verdict.unscored(f"the votes do not agree: {', '.join(f'{v:g}' for v in values)}", **facts)
        return Verdict.score(said, low, high, **facts)


@dataclass(frozen=True)
class Poll:
    """The votes on one question.

    Attributes:
        votes: what was read of each answer that was in form.
        causes: why the others are not votes.
        cost: calls, tokens_in, tokens_out.
    """

    votes: tuple = ()
    causes: tuple[str, ...] = ()
    cost: dict = field(default_factory=dict)

    def __add__(self, other: Poll) -> Poll:
        cost = {key: self.cost.get(key, 0) + other.cost.get(key, 0) for key in {**self.cost, **other.cost}}
        return Poll(self.votes + other.votes, self.causes + other.causes, cost)

    def why_not(self, votes: Votes) -> str:
        """The causes in one sentence, the most frequent first."""
        ranked = Counter(self.causes).most_common()
        if votes.n == 1 and len(ranked) == 1:
            return ranked[0][0]
        told = "; ".join(f"{cause} ({number} times)" if number > 1 else cause for cause, number in ranked)
        return f"{len(self.votes)} of {votes.n} votes came and {votes.enough} are needed: {told or 'nothing said'}"


async def poll(ask: Ask, question: Prompt, votes: Votes, reads: Callable[[Reply], Any]) -> Poll:
    """Asks a question so many times as there are votes, and reads each answer.

    Args:
        reads: what to make of a reply; raises Malformed where it is not in form.
    """
    replies = await ask(question.messages, votes.n)
    got, causes = [], []
    for reply in replies:
        if isinstance(reply, NoReply):
            causes.append(reply.cause)
            continue
        try:
            got.append(reads(reply))
        except Malformed as wrong:
            causes.append(str(wrong))
    spoke = [reply for reply in replies if isinstance(reply, Reply)]
    cost = {"calls": sum(reply.calls for reply in replies)}
    cost |= {"tokens_in": sum(r.tokens_in for r in spoke), "tokens_out": sum(r.tokens_out for r in spoke)}
    return Poll(tuple(got), tuple(causes), cost)


def spread(values: Sequence[Real]) -> dict[str, Real]:
    """How many votes came, and the share of them that gave the most frequent value."""
    if not values:
        return {"votes": 0}
    return {"votes": len(values), "agreement": Counter(values).most_common(1)[0][1] / len(values)}
