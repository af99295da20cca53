"""What a detached importance weight may be: how much each token counts, given how far it has moved.

Each type turns ratios into weights that `Reinforce` holds fixed. A clip on the surrogate takes
the gradient of a token away; a bound on the weight limits it, and every token keeps its pull.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol, runtime_checkable

from guerdon.objectives.stream import Stream

if TYPE_CHECKING:
    import torch

TINY = 1e-8  # below it an importance weight, or the chance of anything else, counts as it


@runtime_checkable
class Weight(Protocol):
    """`weight(ratio, stream) -> weight per token`, never negative; the ratio lies in [exp(-20), exp(20)]."""

    def __call__(self, ratio: torch.Tensor, stream: Stream) -> torch.Tensor: ...


@dataclass(frozen=True)
class Same:
    """Every token counts once: the plain policy gradient, wherever the policy is by now.

    Example:
        >>> import torch
        >>> Same()(torch.tensor([1.0, 5.0]), None).tolist()
        [1.0, 1.0]
    """

    def __call__(self, ratio: torch.Tensor, stream: Stream) -> torch.Tensor:
        return ratio.new_ones(len(ratio))


@dataclass(frozen=True)
class Bounded:
    """The ratio itself, kept within bounds.

        w = clip(r, 1 - low, 1 + high)

    Args:
        low: how far the weight may fall below 1, in [0, 1]; 1 is no lower bound.
        high: how far it may rise above 1; `math.inf` is no upper bound.

    Elsewhere:
        TRL   "cispo" has `Bounded(1.0, epsilon_high - 1)`: its `epsilon_high` is the bound itself
        verl  "cispo" has `Bounded(clip_ratio_low, clip_ratio_high)`

    Raises:
        ValueError: a bound is outside its range.

    Example:
        >>> import torch
        >>> [round(x, 2) for x in Bounded(0.2, 1.0)(torch.tensor([0.4, 1.65, 5.0]), None).tolist()]
        [0.8, 1.65, 2.0]
    """

    low: float = 1.0
    high: float = 4.0

    def __post_init__(self) -> None:
        if not (0 <= self.low <= 1 and self.high >= 0):
            raise ValueError(
                f"Bounded: low is {self.low} and high is {self.high}; low lies in [0, 1] and high is not negative; "
                "they are distances from 1, so a weight kept in [0, 5] is low=1.0, high=4.0"
            )

    def __call__(self, ratio: torch.Tensor, stream: Stream) -> torch.Tensor:
        return ratio.clamp(1 - self.low, 1 + self.high)


@dataclass(frozen=True)
class Gamma:
    """The ratio times a decay, so that what became much likelier or much less likely counts little.

        w = e^decay * r^power * e^(-decay * r),   1 at r = 1, with its peak at r = power / decay

    Smooth on both sides, and bounded by e^(decay - power) * (power / decay)^power. Made for ratios of whole
    trajectories, `SequenceProduct`, whose spread no bound on single tokens holds.

    Args:
        power: how fast it falls towards r = 0; not negative.
        decay: how fast it falls towards large r; above 0.

    Elsewhere:
        TRL   loss_type="vespo"

    Raises:
        ValueError: a number is outside its range.

    Reference:
        VESPO: Variational Sequence-Level Soft Policy Optimization, 2026, arXiv:2602.10693.

    Example:
        >>> import torch
        >>> [round(x, 3) for x in Gamma(2.0, 3.0)(torch.tensor([0.05, 1.0, 2.7]), None).tolist()]
        [0.043, 1.0, 0.044]
    """

    power: float
    decay: float

    def __post_init__(self) -> None:
        if not (self.power >= 0 and self.decay > 0):
            raise ValueError(
                f"Gamma: power is {self.power} and decay is {self.decay}; power is not negative and decay is above 0; "
                "without a decay the weight of a ratio has no bound, and `Bounded` gives it one"
            )

    def __call__(self, ratio: torch.Tensor, stream: Stream) -> torch.Tensor:
        ratio = ratio.clamp(min=TINY)
        return (self.power * ratio.log() - self.decay * (ratio - 1)).exp()


@dataclass(frozen=True)
class BySign:
    """One kind of weight where the credit is positive, another where it is not.

        w = positive(r) where A > 0,   negative(r) elsewhere

    With `Bounded` for both these are the four bounds of DISPO: what is right and became likelier explores,
    what is right and became less likely is repeated, and the same for what is wrong.

    Reference:
        DISPO, 2026, arXiv:2602.00983.

    Example:
        >>> import torch
        >>> from guerdon.objectives import Stream
        >>> x, ids = torch.ones(2), torch.tensor([0, 0])
        >>> s = Stream.of(x, 0 * x, torch.tensor([1.0, -1.0]), ids, ids)
        >>> BySign(Bounded(1.0, 0.5), Bounded(1.0, 1.0))(s.log_ratio().exp(), s).tolist()
        [1.5, 2.0]
    """

    positive: Weight
    negative: Weight

    def __call__(self, ratio: torch.Tensor, stream: Stream) -> torch.Tensor:
        return self.positive(ratio, stream).where(stream.clean(stream.advantage) > 0, self.negative(ratio, stream))


@runtime_checkable
class Distance(Protocol):
    """`distance(logprob, old_logprob) -> how far apart`, per token, read off the two chances of the sampled token."""

    def __call__(self, logprob: torch.Tensor, old_logprob: torch.Tensor) -> torch.Tensor: ...


@dataclass(frozen=True)
class TotalVariation:
    """|p - q|, p and q the chances of the sampled token under the new and the old policy.

    Example:
        >>> import torch
        >>> TotalVariation()(torch.tensor([0.75]).log(), torch.tensor([0.5]).log()).tolist()
        [0.25]
    """

    def __call__(self, logprob: torch.Tensor, old_logprob: torch.Tensor) -> torch.Tensor:
        return (logprob.exp() - old_logprob.exp()).abs()


@dataclass(frozen=True)
class BinaryKL:
    """KL(old, new) of the question whether it is the sampled token: a lower bound of that of the whole vocabulary.

        q * log(q / p) + (1 - q) * log((1 - q) / (1 - p))

    Example:
        >>> import torch
        >>> [round(x, 4) for x in BinaryKL()(torch.tensor([0.75]).log(), torch.tensor([0.5]).log()).tolist()]
        [0.1438]
    """

    def __call__(self, logprob: torch.Tensor, old_logprob: torch.Tensor) -> torch.Tensor:
        new, old = (1 - logprob.exp()).clamp(min=0) + TINY, (1 - old_logprob.exp()).clamp(min=0)
        return old_logprob.exp() * (old_logprob - logprob) + old * ((old + TINY) / new).log()


@dataclass(frozen=True)
class Within:
    """The ratio inside a trust region, nothing outside of it, on the side that the credit pushes to.

        w = min(r, cap) unless   A > 0, p > q and distance(p, q) > high,
                            or   A <= 0, p < q and distance(p, q) > low

    p and q are the chances of the sampled token under the new and the old policy. A bound on the ratio holds
    unlikely tokens too tight and likely ones too loose: from 0.001 to 0.002 is a ratio of 2, from 0.5 to 0.99 too.

    Args:
        low: how far a token of negative credit may fall.
        high: how far one of positive credit may rise.
        distance: of what; in its units are the bounds.
        cap: the largest weight.

    Elsewhere:
        verl  "dppo_tv" and "dppo_kl"; its cap is `clip_ratio_c`

    Reference:
        DPPO, 2026, arXiv:2602.04879.

    Example:
        >>> import torch
        >>> from guerdon.objectives import Stream
        >>> new, old = torch.tensor([0.75, 0.75]).log(), torch.tensor([0.5, 0.7]).log()
        >>> s = Stream.of(new, old, torch.ones(2), torch.tensor([0, 0]), torch.tensor([0, 0]))
        >>> [round(x, 3) for x in Within(0.2, 0.2)(s.log_ratio().exp(), s).tolist()]
        [0.0, 1.071]
    """

    low: float
    high: float
    distance: Distance = field(default_factory=TotalVariation)
    cap: float = math.inf

    def __post_init__(self) -> None:
        if not (self.low >= 0 and self.high >= 0 and self.cap > 0):
            raise ValueError(
                f"Within: low is {self.low}, high is {self.high} and cap is {self.cap}; low and high are not negative "
                "and cap is above 0; they are distances between two policies, and the largest weight"
            )

    def __call__(self, ratio: torch.Tensor, stream: Stream) -> torch.Tensor:
        new, old = stream.clean(stream.logprob.detach()), stream.clean(stream.old_logprob.detach())
        far, good = self.distance(new, old), stream.clean(stream.advantage) > 0
        outside = (good & (new > old) & (far > self.high)) | (~good & (new < old) & (far > self.low))
        return ratio.clamp(max=self.cap).masked_fill(outside, 0.0)
