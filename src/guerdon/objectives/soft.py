"""A clip without an edge: what a token gains levels off smoothly as its ratio leaves 1."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from guerdon.objectives.ratio import Ratio, TokenRatio
from guerdon.objectives.reduce import Reduce, SequenceMean
from guerdon.objectives.stream import Stream
from guerdon.objectives.surrogate import FAR, Surrogate, k3

if TYPE_CHECKING:
    import torch


@dataclass(frozen=True)
class SoftClipped(Surrogate):
    """SAPO's surrogate: a logistic gate in place of the clip.

    With r the ratio of new to old probability, A the advantage and T the temperature of its sign,

        s[t]  = (4 / T) * sigmoid(T * (r - 1)) * A
        loss  = -reduce(s)

    At r = 1 its gradient is that of REINFORCE, -reduce(A * d logprob). Elsewhere a token's share of it is
    4 * g * (1 - g) * r, with g = sigmoid(T * (r - 1)): it falls off on both sides, no token loses all of it
    at an edge, and it has a bound where the clip leaves tokens of negative credit without one.

    Args:
        positive: T where A > 0.
        negative: T elsewhere; the larger, the faster what is wrong and far away is let go.
        ratio: at which level probabilities are compared.
        reduce: which tokens, steps and trajectories weigh the same.
        name: the name of its part of the loss; other than the default, it also prefixes its measurements.

    Returns:
        `(loss, terms)`: `surrogate` is the loss; `gate` the mean of 4 * g * (1 - g) over tokens, 1 on the first
        update; `kl_old` as in `Clipped`.

    Elsewhere:
        TRL   loss_type="sapo"
        verl  "sapo", which averages by trajectory whatever `loss_agg_mode` says

    Raises:
        ValueError: a temperature is not above zero.

    Reference:
        Soft Adaptive Policy Optimization, 2025, arXiv:2511.20347.

    Example (at r = 1 the gate is 1 / 2 of 4, so 2; its gradient is the advantage):
        >>> import torch
        >>> from guerdon.objectives import Stream
        >>> ids, new = torch.tensor([0]), torch.zeros(1, requires_grad=True)
        >>> loss, terms = SoftClipped()(Stream.of(new, torch.zeros(1), torch.ones(1), ids, ids))
        >>> loss.backward()
        >>> float(loss.detach()), float(terms["gate"]), new.grad.tolist()
        (-2.0, 1.0, [-1.0])
    """

    positive: float = 1.0
    negative: float = 1.05
    ratio: Ratio = field(default_factory=TokenRatio)
    reduce: Reduce = field(default_factory=SequenceMean)
    name: str = "surrogate"

    def __post_init__(self) -> None:
        if not (self.positive > 0 and self.negative > 0):
            raise ValueError(
                f"SoftClipped: positive is {self.positive} and negative is {self.negative}; a temperature is above 0; "
                "the larger it is, the narrower the gate; for none use Clipped(1.0, math.inf)"
            )

    @property
    def reports(self) -> tuple[str, ...]:
        return (self.name, self._named("gate"), self._named("kl_old"))

    def __call__(self, stream: Stream) -> tuple[torch.Tensor, dict[str, torch.Tensor]]:
        advantage = stream.clean(stream.advantage.detach())
        x = self.ratio(stream).clamp(-FAR, FAR).expm1()
        cold = x.new_full((), self.positive).where(advantage > 0, self.negative)
        gate = (cold * x).sigmoid()
        loss = -self.reduce((4 / cold) * gate * advantage, stream)
        return loss, {
            self.name: loss.detach(),
            self._named("gate"): stream.token_mean(4 * gate * (1 - gate)),
            self._named("kl_old"): stream.token_mean(k3(stream.log_ratio().detach())),
        }
