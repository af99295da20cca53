"""Whole plays: a log-ratio and a worth for each, and which plays of a group are held against each other.

A play is a trajectory; its number is its id in `stream.sequence`. What is here is one entry per play, zero
where a play has no token that counts in this micro-batch. Objectives made of it need groups whole.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from math import inf
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

import numpy as np

from guerdon.errors import ColumnError
from guerdon.objectives.reduce import weighted
from guerdon.objectives.regress import Advantage, Target
from guerdon.objectives.regularise import Given, Reference
from guerdon.objectives.stream import Stream

if TYPE_CHECKING:
    import torch


@dataclass(frozen=True)
class FromTeacher:
    """What a token is worth to a teacher that was trained on preferences: its log-ratio to the reference.

        r[t] = teacher_logprob[t] - ref_logprob[t]

    Reference:
        Rafailov et al., From r to Q*, 2024, arXiv:2404.12358 (the implicit reward of a token).

    Example:
        >>> sorted(FromTeacher().needs)
        ['ref_logprob', 'teacher_logprob']
    """

    @property
    def needs(self) -> frozenset[str]:
        """Both."""
        return frozenset({"ref_logprob", "teacher_logprob"})

    def __call__(self, stream: Stream, asker: str) -> torch.Tensor:
        return Given("teacher_logprob")(stream, asker) - Given()(stream, asker)


def _sampler() -> Reference:
    return Given("old_logprob")


@runtime_checkable
class PlayRatio(Protocol):
    """`ratio(stream, each) -> log-ratio per play`, with gradient; `each` multiplies those of its tokens first."""

    @property
    def needs(self) -> frozenset[str]:
        """Names of the optional fields of the stream that it reads."""
        ...

    def __call__(self, stream: Stream, each: torch.Tensor | float = 1.0) -> torch.Tensor: ...


@dataclass(frozen=True)
class PlayTotal:
    """The log-ratio of the whole play: it grows with length.

        l[i] = sum over the tokens t of play i of w[t] * (logprob[t] - against[t])

    w are the weights of the stream.

    Args:
        against: what the policy is compared with: `Given()` is the reference, `Given("old_logprob")` the sampler.

    Example:
        >>> import torch
        >>> old, ids = torch.zeros(2), torch.tensor([0, 0])
        >>> PlayTotal(Given("old_logprob"))(Stream.of(torch.tensor([1.0, 3.0]), old, old, ids, ids)).tolist()
        [4.0]
    """

    against: Reference = field(default_factory=Given)

    @property
    def needs(self) -> frozenset[str]:
        """See `PlayRatio`."""
        return self.against.needs

    def __call__(self, stream: Stream, each: torch.Tensor | float = 1.0) -> torch.Tensor:
        return per_play((stream.clean(stream.logprob) - self.against(stream, "PlayTotal")) * each, stream)


@dataclass(frozen=True)
class PlayMean:
    """The log-ratio of a play per token, whatever its length.

        l[i] = sum over the tokens t of play i of w[t] * (logprob[t] - against[t]) / tokens of i

    Args:
        against: what the policy is compared with; by default the policy that sampled.

    Example:
        >>> import torch
        >>> old, ids = torch.zeros(2), torch.tensor([0, 0])
        >>> PlayMean()(Stream.of(torch.tensor([1.0, 3.0]), old, old, ids, ids)).tolist()
        [2.0]
    """

    against: Reference = field(default_factory=_sampler)

    @property
    def needs(self) -> frozenset[str]:
        """See `PlayRatio`."""
        return self.against.needs

    def __call__(self, stream: Stream, each: torch.Tensor | float = 1.0) -> torch.Tensor:
        return PlayTotal(self.against)(stream, each) / stream.tokens_of_sequence.clamp(min=1)


@dataclass(frozen=True, eq=False)
class Chosen:
    """Pairs of plays that are held against each other.

    Attributes:
        first, second: numbers of plays.
        preference: how much the first is preferred.
        weight: how much the pair counts: its share of a mean over the optimiser step; 0 for none.
    """

    first: torch.Tensor
    second: torch.Tensor
    preference: torch.Tensor
    weight: torch.Tensor


@runtime_checkable
class Choice(Protocol):
    """`choice(stream) -> Chosen`: which pairs, with as many entries as its ids alone can tell."""

    @property
    def needs(self) -> frozenset[str]:
        """Names of the optional fields of the stream that it reads."""
        ...

    def __call__(self, stream: Stream) -> Chosen: ...


@dataclass(frozen=True)
class BestAgainstWorst:
    """One pair a group: its best play against its worst; none where they differ by no more than `margin`.

    The mean is over groups, those without a pair counted in. Of several best plays the first is taken.

    Args:
        by: which play is better: the one whose tokens have more of it on average.
        margin: how far apart the two must be.

    Example:
        >>> import torch
        >>> lp, ids, credit = torch.zeros(3), torch.arange(3), torch.tensor([0.0, 2.0, -1.0])
        >>> chosen = BestAgainstWorst()(Stream.of(lp, lp, credit, ids, ids, group=torch.tensor([0, 0, 0])))
        >>> chosen.first[0].item(), chosen.second[0].item(), chosen.weight.tolist()
        (1, 2, [1.0, 0.0, 0.0])
    """

    by: Target = field(default_factory=Advantage)
    margin: float = 0.0

    @property
    def needs(self) -> frozenset[str]:
        """See `Choice`."""
        return self.by.needs | {"group"}

    def __call__(self, stream: Stream) -> Chosen:
        worth = mean_of_play(self.by(stream, "BestAgainstWorst"), stream)
        kept, group = there(stream), held(stream, "group", "BestAgainstWorst")
        best, worst = first_largest(worth, kept, group), first_largest(-worth, kept, group)
        preference = worth.index_select(0, best) - worth.index_select(0, worst)
        use = kept.index_select(0, best) & (preference > self.margin)  # a number without a group points anywhere
        return Chosen(best, worst, preference, use.to(worth.dtype) / max(stream.groups, 1))


@dataclass(frozen=True)
class Listed:
    """The pairs that the stream lists, each with how much its first is preferred. The mean is over pairs.

    Example:
        >>> sorted(Listed().needs)
        ['pairs']
    """

    @property
    def needs(self) -> frozenset[str]:
        """See `Choice`."""
        return frozenset({"pairs"})

    def __call__(self, stream: Stream) -> Chosen:
        pairs, kept = held(stream, "pairs", "Listed"), there(stream)
        both = kept.index_select(0, pairs.first) & kept.index_select(0, pairs.second)
        preference = pairs.preference.detach()
        preference = preference if preference.dtype.itemsize >= 4 else preference.float()
        return Chosen(pairs.first, pairs.second, preference, both.to(preference.dtype) / max(pairs.total, 1))


def per_play(x: torch.Tensor, stream: Stream) -> torch.Tensor:
    """The sum of w * x over the tokens of each play that count."""
    return stream.per_play(weighted(x, stream))


def mean_of_play(x: torch.Tensor, stream: Stream) -> torch.Tensor:
    """The plain mean of x over the tokens of each play that count; where they agree, it is theirs to the last bit.

    It is taken from the largest: plays of one outcome must tie, and sums round otherwise for each length.

    Example:
        >>> import torch
        >>> lp, ids = torch.zeros(3), torch.tensor([0, 0, 1])
        >>> mean_of_play(torch.tensor([1.0, 2.0, -1.0]), Stream.of(lp, lp, lp, ids, ids)).tolist()
        [1.5, -1.0]
    """
    shown = x if stream.dropped is None else x.masked_fill(stream.dropped, -inf)
    top = x.new_full((len(stream.tokens_of_sequence),), -inf).scatter_reduce(0, stream.sequence, shown, "amax")
    top = top.masked_fill(~there(stream), 0.0)
    below = stream.clean(x - top.index_select(0, stream.sequence))
    return top + stream.per_play(below) / counts(stream).clamp(min=1)


def held(stream: Stream, name: str, asker: str) -> Any:
    """The field `group` or `pairs` of the stream.

    Raises:
        ColumnError: the stream was built without it.
    """
    found = getattr(stream, name)
    if found is None:
        raise ColumnError(
            f"{asker}: the stream has no {name}; {asker} compares plays; build the stream with {name}=, "
            "which a trainer does for every name in objective.needs"
        )
    return found


def counts(stream: Stream) -> torch.Tensor:
    """How many tokens of each play count, in this micro-batch."""
    return stream.per_play(stream.clean(stream.logprob.detach().new_ones(len(stream.logprob))))


def there(stream: Stream) -> torch.Tensor:
    """True for each play with a token that counts, in this micro-batch."""
    return counts(stream) > 0


def first_largest(x: torch.Tensor, among: torch.Tensor, group: torch.Tensor) -> torch.Tensor:
    """The number of the first play with the largest x of each group; any number for an id that is no group's.

    Example:
        >>> import torch
        >>> among = torch.tensor([True, True, True])
        >>> first_largest(torch.tensor([1.0, 2.0, 2.0]), among, torch.tensor([0, 0, 0]))[0].item()
        1
    """
    x = x.masked_fill(~among, -inf)
    top = x.new_full((len(x),), -inf).scatter_reduce(0, group, x, "amax")
    place = group.new_ones(len(x)).cumsum(0) - 1
    place = place.masked_fill(~(among & (x == top.index_select(0, group))), len(x))
    return place.new_full((len(x),), len(x)).scatter_reduce(0, group, place, "amin").clamp(max=max(len(x) - 1, 0))


def every_pair(group: np.ndarray) -> np.ndarray:
    """Every two places with the same id, once: (2, pairs), for a host that lists them.

    Example:
        >>> every_pair(np.array([0, 1, 0, 0]))
        array([[0, 0, 2],
               [2, 3, 3]])
    """
    order, place = np.argsort(group, kind="stable"), np.arange(len(group))
    after = np.searchsorted(group[order], group[order], side="right") - place - 1  # how many of its group follow
    first = np.repeat(place, after)
    second = first + 1 + np.arange(len(first)) - np.repeat(np.cumsum(after) - after, after)
    return np.stack([order[first], order[second]])


def softplus(x: torch.Tensor) -> torch.Tensor:
    """log(1 + exp(x)), which is -log sigmoid(-x), for any x.

    Example:
        >>> import torch
        >>> [round(y, 4) for y in softplus(torch.tensor([-800.0, 0.0, 800.0])).tolist()]
        [0.0, 0.6931, 800.0]
    """
    return x.logaddexp(x.new_zeros(()))
