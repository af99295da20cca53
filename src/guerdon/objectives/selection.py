"""An objective on some tokens of the stream, chosen by what the stream says of them.

Only(BandCovariance(), Clipped())                                        Clip-Cov
Clipped(1.0, inf) + Only(TopCovariance(), KL(1.0, Absolute(), reference=Given("old_logprob")))   KL-Cov
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Protocol, runtime_checkable

from guerdon.errors import ColumnError
from guerdon.objectives.base import UNITS, Objective, Operators, Unit
from guerdon.objectives.stream import Stream

if TYPE_CHECKING:
    import torch


@runtime_checkable
class Selection(Protocol):
    """`selection(stream) -> bool per token`, True for the tokens that count.

    Attributes:
        needs: names of the optional fields of the stream that it reads.
        whole: the unit that must lie in one micro-batch.
    """

    @property
    def needs(self) -> frozenset[str]:
        """Names of the optional fields of the stream that it reads."""
        ...

    @property
    def whole(self) -> Unit:
        """The unit that must lie in one micro-batch."""
        ...

    def __call__(self, stream: Stream) -> torch.Tensor: ...


@dataclass(frozen=True)
class Only(Operators):
    """An objective on the tokens that a selection picks; the others are as if their weight were zero.

    The totals stay: a mean is still over all tokens of the optimiser step. A ratio of whole steps or
    trajectories is that of the tokens that are left.

    Args:
        where: which tokens.
        objective: any objective of tokens.

    Returns:
        `(loss, terms)`: the terms of the objective, on these tokens.

    Example:
        >>> import torch
        >>> from guerdon.objectives import Imitate
        >>> lp, ids = torch.tensor([-3.0, -6.0, -7.5]), torch.tensor([0, 0, 0])
        >>> s = Stream.of(lp, lp, torch.tensor([2.0, 0.0, 1.0]), ids, ids, group=torch.tensor([0]))
        >>> float(Only(TopCovariance(0.4), Imitate())(s)[0])
        1.0
    """

    where: Selection
    objective: Objective

    @property
    def needs(self) -> frozenset[str]:
        """What either reads."""
        return self.objective.needs | self.where.needs

    @property
    def parts(self) -> tuple[str, ...]:
        """Names of the terms that add up to the loss."""
        return self.objective.parts

    @property
    def reports(self) -> tuple[str, ...]:
        """Names of all its terms."""
        return self.objective.reports

    @property
    def whole(self) -> Unit:
        """The larger unit of the two."""
        return max(self.objective.whole, self.where.whole, key=UNITS.index)

    def __call__(self, stream: Stream) -> tuple[torch.Tensor, dict[str, torch.Tensor]]:
        chosen = self.where(stream)
        weight = chosen.to(stream.clean(stream.advantage).dtype)
        return self.objective(replace(stream, weight=weight if stream.weight is None else weight * stream.weight))


@dataclass(frozen=True)
class TopCovariance:
    """The tokens of each group whose credit and log-probability lie furthest from their means on the same side.

        cov[t] = (A[t] - mean of A) * (logprob[t] - mean of logprob),   means over the tokens of the group

    Raising a likely token that did well, or lowering an unlikely one that did badly, is what lowers entropy; the
    few tokens of the largest covariance do most of it.

    Args:
        share: how many of the tokens of a group, rounded down, one at least.
        sign: -1 takes those of the smallest covariance.

    Elsewhere:
        verl  "kl_cov", whose means and ranks are over one micro-batch

    Raises:
        ValueError: the share is not in (0, 1].
        ColumnError: the stream has no `group`.

    Reference:
        Cui et al., The Entropy Mechanism of Reinforcement Learning for Reasoning Language Models, 2025,
        arXiv:2505.22617.

    Example:
        >>> import torch
        >>> lp, ids = torch.tensor([-1.0, -2.0, -2.5]), torch.tensor([0, 0, 0])
        >>> s = Stream.of(lp, lp, torch.tensor([2.0, 0.0, 1.0]), ids, ids, group=torch.tensor([0]))
        >>> TopCovariance(0.4)(s).tolist()
        [True, False, False]
    """

    share: float = 0.0002
    sign: float = 1.0

    def __post_init__(self) -> None:
        _is_share(self.share, "TopCovariance")

    @property
    def needs(self) -> frozenset[str]:
        """The group."""
        return frozenset({"group"})

    @property
    def whole(self) -> Unit:
        """Tokens of a group are ranked among themselves."""
        return "group"

    def __call__(self, stream: Stream) -> torch.Tensor:
        cov = self.sign * covariance(stream, "TopCovariance")
        return first_in_group(cov, stream.clean(cov.new_ones(len(cov))) > 0, self.share, stream)


@dataclass(frozen=True)
class BandCovariance:
    """All tokens but a few at random of those whose covariance (see `TopCovariance`) is large, yet no outlier.

    Left out are, in each group, `share` of its tokens, rounded down, one at least, among those with
    least < cov < most which the clip leaves alone. Which, is a fixed shuffle of the tokens.

    Args:
        share: how many of the tokens of a group are left out.
        least, most: the band, in nats times credit.
        low, high: the clip of the surrogate, for a token that it cuts needs no second cut.

    Elsewhere:
        verl  "clip_cov", whose means are over one micro-batch, and which draws anew at each call

    Raises:
        ValueError: the share is not in (0, 1].
        ColumnError: the stream has no `group`.

    Reference:
        Cui et al., 2025, arXiv:2505.22617.

    Example:
        >>> import torch
        >>> lp, ids = torch.tensor([-1.0, -3.0, -2.0]), torch.tensor([0, 0, 0])
        >>> s = Stream.of(lp, lp, torch.tensor([3.0, 0.0, 0.0]), ids, ids, group=torch.tensor([0]))
        >>> BandCovariance(0.4)(s).tolist()
        [False, True, True]
    """

    share: float = 0.0002
    least: float = 1.0
    most: float = 5.0
    low: float = 0.2
    high: float = 0.2

    def __post_init__(self) -> None:
        _is_share(self.share, "BandCovariance")

    @property
    def needs(self) -> frozenset[str]:
        """The group."""
        return frozenset({"group"})

    @property
    def whole(self) -> Unit:
        """Tokens of a group are counted together."""
        return "group"

    def __call__(self, stream: Stream) -> torch.Tensor:
        cov, ratio = covariance(stream, "BandCovariance"), stream.log_ratio().detach().clamp(-20, 20).exp()
        good = stream.clean(stream.advantage.detach())
        free = ratio * good <= ratio.clamp(1 - self.low, 1 + self.high) * good
        among = (cov > self.least) & (cov < self.most) & free & (stream.clean(cov.new_ones(len(cov))) > 0)
        # A shuffle that is the token's own, so that micro-batches agree on it.
        shuffle = ((stream.clean(stream.old_logprob.detach()) * 12.9898).sin() * 43758.5453).frac()
        return ~first_in_group(shuffle, among, self.share, stream)


@dataclass(frozen=True)
class Absolute:
    """|logprob - ref_logprob|: a pull of the same strength at any distance.

    Example:
        >>> import torch
        >>> Absolute()(torch.tensor([-1.0]), torch.tensor([-3.0])).tolist()
        [2.0]
    """

    def __call__(self, logprob: torch.Tensor, ref_logprob: torch.Tensor) -> torch.Tensor:
        return (logprob - ref_logprob).abs()


def covariance(stream: Stream, asker: str) -> torch.Tensor:
    """Credit times log-probability of each token, each less its mean over the group's tokens that count; held fixed.

    Raises:
        ColumnError: the stream has no `group`.
    """
    x, y = (stream.clean(column.detach()) for column in (stream.advantage, stream.logprob))
    group, n = _group(stream, asker), len(stream.tokens_of_sequence)
    count = _per_group(stream.clean(x.new_ones(len(x))), group, n).clamp(min=1)
    x, y = (z - (_per_group(z, group, n) / count).index_select(0, group) for z in (x, y))
    return stream.clean(x * y)


def first_in_group(x: torch.Tensor, among: torch.Tensor, share: float, stream: Stream) -> torch.Tensor:
    """True for the largest `x` of each group among some of its tokens: `share` of all its tokens, one at least."""
    group, n = _group(stream, "first_in_group"), len(stream.tokens_of_sequence)
    order = x.masked_fill(~among, -float("inf")).argsort(descending=True, stable=True)
    order = order.index_select(0, group.index_select(0, order).argsort(stable=True))
    one = group.new_ones(len(group))
    size = _per_group(one, group, n)
    place = one.cumsum(0) - 1 - (size.cumsum(0) - size).index_select(0, group.index_select(0, order))
    rank = place.new_zeros(len(place)).index_copy(0, order, place)
    kept = _per_group(stream.clean(x.new_ones(len(x)).double()), group, n)
    most = (share * kept).floor().clamp(min=1).index_select(0, group)
    return among & (rank < most)


def _per_group(x: torch.Tensor, group: torch.Tensor, n: int) -> torch.Tensor:
    return x.new_zeros(n).index_add(0, group, x)


def _group(stream: Stream, asker: str) -> torch.Tensor:
    """The group of each token."""
    if stream.group is None:
        raise ColumnError(
            f"{asker}: the stream has no group; {asker} ranks the tokens of a group; build the stream with group=, "
            "which a trainer does for every name in objective.needs"
        )
    return stream.group.index_select(0, stream.sequence)


def _is_share(share: float, asker: str) -> None:
    if not 0 < share <= 1:
        raise ValueError(f"{asker}: share is {share}; it is a share of tokens, in (0, 1]; 0.0002 is two in 10,000")
