"""The pairwise policy gradient: what two plays of a prompt differ in, and no baseline.

PairClipped(bound=Joint())
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol, runtime_checkable

from guerdon.objectives.plays import Choice, Chosen, Listed, PlayRatio, PlayTotal
from guerdon.objectives.preference import Paired
from guerdon.objectives.regularise import Given
from guerdon.objectives.stream import Stream
from guerdon.objectives.surrogate import FAR

if TYPE_CHECKING:
    import torch


@runtime_checkable
class PairBound(Protocol):
    """`bound(log-ratios of plays, pairs, advantage, low, high) -> what is gained by each pair`, with gradient."""

    def __call__(
        self, log_ratio: torch.Tensor, chosen: Chosen, advantage: torch.Tensor, low: float, high: float
    ) -> torch.Tensor: ...


@dataclass(frozen=True)
class Separate:
    """Each play of the pair has a clip of its own.

        s = clipped(r[first], A) + clipped(r[second], -A)

    Unclipped, it is unbiased off policy: each play is weighted by its own ratio.

    Example:
        >>> import torch
        >>> one = torch.tensor([0])
        >>> pair = Chosen(one, one + 1, torch.tensor([2.0]), torch.ones(1))
        >>> Separate()(torch.tensor([0.0, 0.0]), pair, torch.tensor([1.0]), 0.2, 0.2).tolist()
        [0.0]
    """

    def __call__(
        self, log_ratio: torch.Tensor, chosen: Chosen, advantage: torch.Tensor, low: float, high: float
    ) -> torch.Tensor:
        ratio = log_ratio.clamp(-FAR, FAR).exp()
        first, second = ratio.index_select(0, chosen.first), ratio.index_select(0, chosen.second)
        return clipped(first, advantage, low, high) + clipped(second, -advantage, low, high)


@dataclass(frozen=True)
class Joint:
    """One clip on what the update moves, the quotient of the two ratios.

        s = min(r[better] / r[other], 1 + high) * |A|

    The pairwise gradient at ratio 1; off policy it is biased. The quotient is that of the preferred play over the
    other, so that it does not matter which is listed first, and `low` never binds.

    Example:
        >>> import torch
        >>> one = torch.tensor([0])
        >>> pair = Chosen(one, one + 1, torch.tensor([2.0]), torch.ones(1))
        >>> Joint()(torch.tensor([0.0, 0.0]), pair, torch.tensor([1.0]), 0.2, 0.2).tolist()
        [1.0]
    """

    def __call__(
        self, log_ratio: torch.Tensor, chosen: Chosen, advantage: torch.Tensor, low: float, high: float
    ) -> torch.Tensor:
        apart = log_ratio.index_select(0, chosen.first) - log_ratio.index_select(0, chosen.second)
        return clipped((advantage.sign() * apart).clamp(-FAR, FAR).exp(), advantage.abs(), low, high)


@dataclass(frozen=True)
class PairClipped(Paired):
    """The pairwise policy gradient within a trust region: P3O.

        A    = (credit[first] - credit[second]) / 2
        loss = -mean over pairs of bound(A, r[first], r[second])

    At ratio 1, over every pair of a group, its gradient is that of leave-one-out REINFORCE on whole plays, so a
    shift of all rewards of a prompt does not matter.

    Args:
        low, high: how far a ratio may fall below 1 and rise above it.
        bound: `Separate()` or `Joint()`.
        ratio: the log-ratio of a play to the policy that sampled; `PlayMean()` does not grow with length.
        choice: which pairs.
        name: the name of its part of the loss.

    Returns:
        `(loss, terms)`: `pair_surrogate` is the loss.

    Raises:
        ColumnError: the stream lacks what is needed.

    Reference:
        Wu et al., Pairwise Proximal Policy Optimization, 2023, arXiv:2310.00212.

    Example:
        >>> import torch
        >>> from guerdon.objectives.stream import Pairs
        >>> ids, lp = torch.tensor([0, 1]), torch.zeros(2, requires_grad=True)
        >>> pairs = Pairs(torch.tensor([0]), torch.tensor([1]), torch.tensor([2.0]), total=1)
        >>> s = Stream.of(lp, torch.zeros(2), torch.zeros(2), ids, ids, group=torch.tensor([0, 0]), pairs=pairs)
        >>> PairClipped()(s)[0].backward()
        >>> lp.grad.tolist()
        [-1.0, 1.0]
    """

    low: float = 0.2
    high: float = 0.2
    bound: PairBound = field(default_factory=Separate)
    ratio: PlayRatio = field(default_factory=lambda: PlayTotal(Given("old_logprob")))
    choice: Choice = field(default_factory=Listed)
    name: str = "pair_surrogate"

    @property
    def needs(self) -> frozenset[str]:
        return self.ratio.needs | self.choice.needs | {"group"}

    @property
    def reports(self) -> tuple[str, ...]:
        return self.parts

    def __call__(self, stream: Stream) -> tuple[torch.Tensor, dict[str, torch.Tensor]]:
        chosen = self.choice(stream)
        gain = self.bound(self.ratio(stream), chosen, chosen.preference / 2, self.low, self.high)
        loss = -(chosen.weight * gain).sum()
        return loss, {self.name: loss.detach()}


def clipped(ratio: torch.Tensor, advantage: torch.Tensor, low: float, high: float) -> torch.Tensor:
    """min(r * A, clip(r, 1 - low, 1 + high) * A).

    Example:
        >>> import torch
        >>> clipped(torch.tensor([2.0, 2.0]), torch.tensor([1.0, -1.0]), 0.2, 0.5).tolist()
        [1.5, -2.0]
    """
    return (ratio * advantage).minimum(ratio.clamp(1 - low, 1 + high) * advantage)
