"""Preferences: of two plays of one prompt, the better becomes more likely against the worse.

    Preference(beta=0.1)                                            DPO
    Preference(beta, ratio=PlayTotal(Given("old_logprob")))             DNO's step: the reference is the sampler
    Preference(beta, tokens=Guided(strength))                       TGDPO
    Preference(beta) + TokenRegularised(alpha, beta)                T-REG

What is preferred is a `Choice` of pairs; that of DPO and its kin is the best play of a group against its worst.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol, runtime_checkable

from guerdon.objectives.base import Operators, Unit
from guerdon.objectives.plays import BestAgainstWorst, Choice, PlayRatio, PlayTotal, per_play, softplus
from guerdon.objectives.regress import Advantage, Target
from guerdon.objectives.stream import Stream

if TYPE_CHECKING:
    import torch


@runtime_checkable
class Label(Protocol):
    """`label(preference) -> (how far the first has won, how far the second has)`, each in [0, 1]."""

    def __call__(self, preference: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]: ...


@dataclass(frozen=True)
class Winner:
    """The preferred of the two has won; a tie says nothing.

    Example:
        >>> import torch
        >>> [x.tolist() for x in Winner()(torch.tensor([2.0, 0.0, -1.0]))]
        [[1.0, 0.0, 0.0], [0.0, 0.0, 1.0]]
    """

    def __call__(self, preference: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        return (preference > 0).to(preference.dtype), (preference < 0).to(preference.dtype)


@dataclass(frozen=True)
class SoftLabel:
    """The first has won with probability sigmoid(scale * preference); a tie pulls the two together.

    Reference:
        Rosset et al., Direct Nash Optimization, 2024, arXiv:2404.03715 (its regression).

    Example:
        >>> import torch
        >>> [x.tolist() for x in SoftLabel()(torch.tensor([0.0]))]
        [[0.5], [0.5]]
    """

    scale: float = 1.0

    def __call__(self, preference: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        won = (self.scale * preference).sigmoid()
        return won, 1 - won


@runtime_checkable
class TokenWeights(Protocol):
    """`tokens(stream) -> (weights of tokens in the preferred play, weights in the other)`."""

    @property
    def needs(self) -> frozenset[str]:
        """Names of the fields of the stream that it reads."""
        ...

    def __call__(self, stream: Stream) -> tuple[torch.Tensor | float, torch.Tensor | float]: ...


@dataclass(frozen=True)
class Alike:
    """Every token weighs 1.

    Example:
        >>> sorted(Alike().needs)
        []
    """

    @property
    def needs(self) -> frozenset[str]:
        """Nothing."""
        return frozenset()

    def __call__(self, stream: Stream) -> tuple[float, float]:
        return 1.0, 1.0


@dataclass(frozen=True)
class Guided:
    """Good tokens weigh more in the preferred play, bad ones in the other.

        f[t] = max(0, 1 + strength * r[t])   in the preferred play
        f[t] = max(0, 1 - strength * r[t])   in the other

    Args:
        strength: how far a token reward moves a weight; in TGDPO alpha * beta, as beta makes rewards of log-ratios.
        reward: the token rewards r.

    Reference:
        Zhu et al., TGDPO, 2025, arXiv:2506.14574.

    Example:
        >>> from guerdon.objectives.regularise import Given
        >>> sorted(Guided(0.5, Given("teacher_logprob")).needs)
        ['teacher_logprob']
    """

    strength: float
    reward: Target

    @property
    def needs(self) -> frozenset[str]:
        """What the token rewards read."""
        return self.reward.needs

    def __call__(self, stream: Stream) -> tuple[torch.Tensor, torch.Tensor]:
        shift = self.strength * self.reward(stream, "Guided").detach()
        return (1 + shift).clamp(min=0), (1 - shift).clamp(min=0)


class Paired(Operators):
    """What objectives on pairs share: one part, `name`, and groups that must not be split."""

    __slots__ = ()
    name: str

    @property
    def parts(self) -> tuple[str, ...]:
        """Names of the terms that add up to the loss."""
        return (self.name,)

    @property
    def whole(self) -> Unit:
        """Plays of one group are compared."""
        return "group"


@dataclass(frozen=True)
class Preference(Paired):
    """The logistic loss of a comparison, on log-ratios of whole plays: DPO and its kin.

        l[i]  = log-ratio of play i                        (its tokens weighted, where `tokens` says so)
        m     = beta * (l[first] - l[second])
        loss  = mean over pairs of p * softplus(-m) + (1 - p) * softplus(m),   p = 1 where the first has won

    The gradient is that of DPO, -beta * sigmoid(-m) * (grad l[first] - grad l[second]), so it fades as the pair is
    told apart, and no pair pulls harder than beta.

    Args:
        beta: how far the policy may go from what it is compared with: the smaller, the further.
        ratio: the log-ratio of a play; by default its total to the reference policy.
        choice: which pairs.
        label: from preference to who has won.
        tokens: what tokens weigh.
        name: the name of its part of the loss, which prefixes its measurements.

    Returns:
        `(loss, terms)`: `preference` is the loss; `preference/margin` the mean m towards the preferred play;
        `preference/right` the share of pairs in which it is above 0.

    Raises:
        ColumnError: the stream lacks what is needed.

    Elsewhere:
        TRL   DPOTrainer with loss_type="sigmoid"

    Reference:
        Rafailov et al., Direct Preference Optimization, 2023, arXiv:2305.18290, equation 7.

    Example:
        >>> import torch
        >>> ids, ref = torch.tensor([0, 1]), torch.zeros(2)
        >>> s = Stream.of(torch.tensor([3.0, 1.0]), ref, torch.tensor([1.0, -1.0]), ids, ids,
        ...               ref_logprob=ref, group=torch.tensor([0, 0]))
        >>> loss, terms = Preference(beta=0.5)(s)
        >>> round(float(loss), 4), float(terms["preference/margin"])
        (0.3133, 1.0)
    """

    beta: float = 0.1
    ratio: PlayRatio = field(default_factory=PlayTotal)
    choice: Choice = field(default_factory=BestAgainstWorst)
    label: Label = field(default_factory=Winner)
    tokens: TokenWeights = field(default_factory=Alike)
    name: str = "preference"

    @property
    def needs(self) -> frozenset[str]:
        return self.ratio.needs | self.choice.needs | self.tokens.needs | {"group"}

    @property
    def reports(self) -> tuple[str, ...]:
        return (self.name, f"{self.name}/margin", f"{self.name}/right")

    def __call__(self, stream: Stream) -> tuple[torch.Tensor, dict[str, torch.Tensor]]:
        chosen = self.choice(stream)
        up, down = self.tokens(stream)
        won, lost = self.ratio(stream, up), self.ratio(stream, down)
        first = self.beta * margin(won, lost, chosen.first, chosen.second)
        second = self.beta * margin(won, lost, chosen.second, chosen.first)
        p, q = (chosen.weight * x for x in self.label(chosen.preference))
        loss = (p * softplus(-first) + q * softplus(-second)).sum()
        towards = first.where(p >= q, second).detach()
        return loss, {
            self.name: loss.detach(),
            f"{self.name}/margin": ((p + q) * towards).sum(),
            f"{self.name}/right": ((p + q) * (towards > 0)).sum(),
        }


@dataclass(frozen=True)
class TokenRegularised(Paired):
    """T-REG's term beside `Preference`: good tokens rise and bad ones fall, as long as the pair is not told apart.

        reg[i] = -beta * sum over the tokens t of play i of r[t] * logprob[t]
        loss   = alpha * mean over pairs of stop(sigmoid(-m)) * (reg[first] + reg[second])

    m is the margin of `Preference` for the same pair. With it the gradient is that of DPO whose tokens weigh
    1 + alpha * r in the preferred play and 1 - alpha * r in the other, so with |r| <= 1/2 no token changes
    sign below alpha = 2.

    Args:
        alpha: how strong; 0 is DPO alone.
        beta: that of `Preference`.
        reward: the token rewards; by default the credit of the token, so `choice` should go by something else.
        ratio: that of `Preference`.
        choice: that of `Preference`.
        label: that of `Preference`.
        name: the name of its part of the loss.

    Returns:
        `(loss, terms)`: `token_regularisation` is the loss.

    Raises:
        ColumnError: the stream lacks what is needed.

    Reference:
        Zhou et al., T-REG, 2024, arXiv:2412.02685.

    Example:
        >>> import torch
        >>> ids, ref = torch.tensor([0, 1]), torch.zeros(2)
        >>> s = Stream.of(torch.tensor([-1.0, -1.0]), ref, torch.tensor([0.5, 0.25]), ids, ids,
        ...               ref_logprob=ref, group=torch.tensor([0, 0]))
        >>> float(TokenRegularised(alpha=2.0, beta=0.5)(s)[0])
        0.375
    """

    alpha: float
    beta: float = 0.1
    reward: Target = field(default_factory=Advantage)
    ratio: PlayRatio = field(default_factory=PlayTotal)
    choice: Choice = field(default_factory=BestAgainstWorst)
    label: Label = field(default_factory=Winner)
    name: str = "token_regularisation"

    @property
    def needs(self) -> frozenset[str]:
        return self.reward.needs | self.ratio.needs | self.choice.needs | {"group"}

    @property
    def reports(self) -> tuple[str, ...]:
        return self.parts

    def __call__(self, stream: Stream) -> tuple[torch.Tensor, dict[str, torch.Tensor]]:
        chosen, play = self.choice(stream), self.ratio(stream).detach()
        m = self.beta * margin(play, play, chosen.first, chosen.second)
        p, q = self.label(chosen.preference)
        gate = chosen.weight * (p * (-m).sigmoid() + q * m.sigmoid())
        reward = self.reward(stream, "TokenRegularised").detach()
        pulled = per_play(reward * stream.clean(stream.logprob), stream)
        both = pulled.index_select(0, chosen.first) + pulled.index_select(0, chosen.second)
        loss = -self.alpha * self.beta * (gate * both).sum()
        return loss, {self.name: loss.detach()}


def margin(won: torch.Tensor, lost: torch.Tensor, winner: torch.Tensor, loser: torch.Tensor) -> torch.Tensor:
    """won[winner] - lost[loser]."""
    return won.index_select(0, winner) - lost.index_select(0, loser)
