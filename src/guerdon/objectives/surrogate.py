"""The policy-gradient surrogates: make credited tokens more likely, within a trust region."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from guerdon.objectives.base import Operators, Unit
from guerdon.objectives.bounds import Same, Weight
from guerdon.objectives.ratio import Ratio, SequenceRatio, TokenRatio, play_mean
from guerdon.objectives.reduce import Reduce, SequenceMean, TokenMean, weighted
from guerdon.objectives.stream import Stream

if TYPE_CHECKING:
    import torch

FAR = 20.0  # beyond exp(20) a ratio says nothing more, and exp(89) is no 32-bit number


class Surrogate(Operators):
    """What surrogates share: one part, `name`, which prefixes their measurements where it is not the default."""

    __slots__ = ()
    name: str
    ratio: Ratio

    @property
    def needs(self) -> frozenset[str]:
        """Nothing that not every stream has."""
        return frozenset()

    @property
    def parts(self) -> tuple[str, ...]:
        """Names of the terms that add up to the loss."""
        return (self.name,)

    @property
    def whole(self) -> Unit:
        """The unit that must not be split between micro-batches."""
        return self.ratio.whole

    def _named(self, name: str) -> str:
        return name if self.name == "surrogate" else f"{self.name}/{name}"


@dataclass(frozen=True)
class Clipped(Surrogate):
    """PPO's clipped surrogate, with a bound of its own on each side.

    With r the ratio of new to old probability and A the advantage,

        s[t]   = min(r[t] * A[t], clip(r[t], 1 - low, 1 + high) * A[t])
        s[t]   = max(s[t], dual * A[t])        where A[t] < 0, if dual is given
        loss   = -reduce(s)

    At r = 1 its gradient is that of REINFORCE, -reduce(A * d logprob). A token has no gradient where
    the clip binds: r > 1 + high and A > 0, or r < 1 - low and A < 0. With `dual`, tokens of A < 0
    have none above r = dual either, where else the loss grows without bound.
    Log-ratios beyond +-20 count as +-20 and have no gradient.

    Args:
        low: how far the ratio may fall below 1, in [0, 1].
        high: how far it may rise above 1; larger than `low` leaves unlikely tokens more room.
        ratio: at which level probabilities are compared.
        reduce: which tokens, steps and trajectories weigh the same.
        dual: a number above 1, or None for none. verl has 3 by default, TRL none.
        name: the name of its part of the loss; other than the default, it also prefixes its measurements.

    Returns:
        `(loss, terms)`: `surrogate` is the loss; `ratio_clipped` the share of tokens where the clip
        binds; `kl_old` the mean of r - 1 - log r over tokens, an estimate of KL(old, new) that is
        never negative; `dual_clipped`, with `dual`, the share of tokens where it binds.

    Raises:
        ValueError: a bound is outside its range.

    Example:
        >>> import torch
        >>> from guerdon.objectives import Stream
        >>> ids, new = torch.tensor([0, 0]), torch.tensor([0.0, 1.0], requires_grad=True)
        >>> loss, terms = Clipped()(Stream.of(new, torch.zeros(2), torch.ones(2), ids, ids))
        >>> loss.backward()
        >>> round(float(loss.detach()), 3), float(terms["ratio_clipped"]), new.grad.tolist()
        (-1.1, 0.5, [-0.5, 0.0])

    References:
        Schulman et al., Proximal Policy Optimization Algorithms, 2017, arXiv:1707.06347, section 3.
        Ye et al., Mastering Complex Control in MOBA Games, 2019, arXiv:1912.09729 (dual clip).
        Yu et al., DAPO, 2025, arXiv:2503.14476, section 3.1 (two bounds).
    """

    low: float = 0.2
    high: float = 0.2
    ratio: Ratio = field(default_factory=TokenRatio)
    reduce: Reduce = field(default_factory=TokenMean)
    dual: float | None = None
    name: str = "surrogate"

    def __post_init__(self) -> None:
        _bounds("Clipped", self.low, self.high)
        if self.dual is not None and not self.dual > 1:
            raise ValueError(
                f"Clipped: dual is {self.dual}; it bounds ratios above 1; give a number above 1, such as 3, or None"
            )

    @property
    def reports(self) -> tuple[str, ...]:
        measured = ("ratio_clipped", "kl_old") + (("dual_clipped",) if self.dual is not None else ())
        return (self.name, *(self._named(name) for name in measured))

    def __call__(self, stream: Stream) -> tuple[torch.Tensor, dict[str, torch.Tensor]]:
        advantage = stream.clean(stream.advantage.detach())
        ratio = self.ratio(stream).clamp(-FAR, FAR).exp()
        free, held = ratio * advantage, ratio.detach().clamp(1 - self.low, 1 + self.high) * advantage
        binds = held < free  # where it does the gain is a constant, so nothing is kept for a gradient there
        gain = held.where(binds, free)
        terms = {
            self._named("ratio_clipped"): stream.token_share(binds),
            self._named("kl_old"): drift(stream),
        }
        if self.dual is not None:
            floor = self.dual * advantage
            under = (advantage < 0) & (gain < floor)
            terms[self._named("dual_clipped")] = stream.token_share(under)
            gain = floor.where(under, gain)
        loss = -self.reduce(gain, stream)
        return loss, {self.name: loss.detach()} | terms


@dataclass(frozen=True)
class PlayClipped(Surrogate):
    """The clipped surrogate where the unit that is compared, credited and averaged is the whole trajectory: GSPO.

        log s[i] = mean over the tokens t of trajectory i of (logprob[t] - old_logprob[t])
        up[i]    = sum of w * max(A, 0) over its tokens / its tokens,   down[i] likewise of min(A, 0)
        loss     = -(1 / sequences) * sum over i of up[i] * min(s[i], 1 + high) + down[i] * max(s[i], 1 - low)

    This is `Clipped(low, high, ratio=SequenceRatio(), reduce=SequenceMean())` to the last digit but one, since
    min(s A, clip(s) A) is A+ min(s, 1 + high) + A- max(s, 1 - low). One ratio a trajectory is clipped rather
    than one a token, which makes it several times faster where trajectories are long. Log-ratios beyond +-20
    count as +-20 and have no gradient.

    Args:
        low, high: how far the ratio may fall below 1, in [0, 1], and rise above it.
        name: the name of its part of the loss; other than the default, it also prefixes its measurements.

    Returns:
        `(loss, terms)`: `surrogate` is the loss; `ratio_clipped` the share of trajectories where the clip binds
        for some of their credit; `kl_old` the mean over trajectories of s - 1 - log s.

    Raises:
        ValueError: a bound is outside its range.

    Example:
        >>> import torch
        >>> from guerdon.objectives import Stream
        >>> ids, new = torch.tensor([0, 1]), torch.tensor([0.0, 1.0], requires_grad=True)
        >>> loss, terms = PlayClipped(0.2, 0.2)(Stream.of(new, torch.zeros(2), torch.ones(2), ids, ids))
        >>> loss.backward()
        >>> round(float(loss.detach()), 3), float(terms["ratio_clipped"]), new.grad.tolist()
        (-1.1, 0.5, [-0.5, 0.0])

    Reference:
        Zheng et al., Group Sequence Policy Optimization, 2025, arXiv:2507.18071, section 4.
    """

    low: float = 3e-4
    high: float = 4e-4
    ratio: SequenceRatio = field(default=SequenceRatio(), init=False)
    reduce: SequenceMean = field(default=SequenceMean(), init=False)
    name: str = "surrogate"

    def __post_init__(self) -> None:
        _bounds("PlayClipped", self.low, self.high)

    @property
    def reports(self) -> tuple[str, ...]:
        return (self.name, self._named("ratio_clipped"), self._named("kl_old"))

    def __call__(self, stream: Stream) -> tuple[torch.Tensor, dict[str, torch.Tensor]]:
        advantage = weighted(stream.advantage.detach(), stream)
        length = stream.tokens_of_sequence.clamp(min=1).to(advantage.dtype)
        up = stream.per_play(advantage.clamp(min=0)) / length
        down = stream.per_play(advantage.clamp(max=0)) / length
        log_ratio = play_mean(stream.log_ratio(), stream).clamp(-FAR, FAR)
        ratio = log_ratio.exp()
        gain = up * ratio.clamp(max=1 + self.high) + down * ratio.clamp(min=1 - self.low)
        binds = ((up > 0) & (ratio > 1 + self.high)) | ((down < 0) & (ratio < 1 - self.low))
        loss, plays = -gain.sum() / max(stream.sequences, 1), max(stream.sequences, 1)
        return loss, {
            self.name: loss.detach(),
            self._named("ratio_clipped"): binds.to(gain.dtype).sum() / plays,
            self._named("kl_old"): k3(log_ratio.detach()).sum() / plays,
        }


@dataclass(frozen=True)
class Reinforce(Surrogate):
    """The policy gradient with an importance weight that is held fixed.

    With r the ratio of new to old probability, A the advantage and w the weight,

        loss     = -reduce(w(r) * A * logprob)
        gradient = -reduce(w(r) * A * d logprob)

    The gradient of a token is bounded by w times its advantage, and is zero only where w is. With `Same()` this
    is the plain policy gradient; with `Bounded` CISPO; with a `Bounded` for each sign DISPO; with `Gamma` over
    `SequenceProduct` VESPO; with `Within` DPPO. Its value is no estimate of anything: read the gradient.
    Log-ratios beyond +-20 count as +-20.

    Args:
        weight: how much a token counts, given its ratio; see `guerdon.objectives.bounds`.
        ratio: at which level probabilities are compared.
        reduce: which tokens, steps and trajectories weigh the same.
        name: the name of its part of the loss; other than the default, it also prefixes its measurements.

    Returns:
        `(loss, terms)`: `surrogate` is the loss; `weight` the mean weight over tokens; `ratio_clipped` the share
        of tokens whose weight is not their ratio; `kl_old` as in `Clipped`.

    Elsewhere:
        TRL   loss_type="cispo" and "vespo", whose mean is over tokens
        verl  "gpg", "cispo", "dppo_tv", "dppo_kl"

    Example:
        >>> import torch
        >>> from guerdon.objectives import Bounded, Stream
        >>> ids, new = torch.tensor([0, 0]), torch.tensor([0.0, 5.0], requires_grad=True)
        >>> loss, terms = Reinforce(Bounded(high=2.0))(Stream.of(new, torch.zeros(2), torch.ones(2), ids, ids))
        >>> loss.backward()
        >>> float(terms["weight"]), float(terms["ratio_clipped"]), new.grad.tolist()
        (2.0, 0.5, [-0.5, -1.5])

    References:
        Williams, Simple Statistical Gradient-Following Algorithms, 1992.
        MiniMax, MiniMax-M1, 2025, arXiv:2506.13585 (CISPO).
    """

    weight: Weight = field(default_factory=Same)
    ratio: Ratio = field(default_factory=TokenRatio)
    reduce: Reduce = field(default_factory=TokenMean)
    name: str = "surrogate"

    @property
    def reports(self) -> tuple[str, ...]:
        return (self.name, *(self._named(name) for name in ("weight", "ratio_clipped", "kl_old")))

    def __call__(self, stream: Stream) -> tuple[torch.Tensor, dict[str, torch.Tensor]]:
        advantage = stream.clean(stream.advantage.detach())
        moved = self.ratio(stream).detach().clamp(-FAR, FAR)
        ratio = moved.exp()
        weight = self.weight(ratio, stream).detach()
        loss = -self.reduce(weight * advantage * stream.clean(stream.logprob), stream)
        return loss, {
            self.name: loss.detach(),
            self._named("weight"): stream.token_mean(weight),
            self._named("ratio_clipped"): stream.token_share(weight != ratio),
            self._named("kl_old"): drift(stream, moved if isinstance(self.ratio, TokenRatio) else None),
        }


def _bounds(asker: str, low: float, high: float) -> None:
    if not (0 <= low <= 1 and high >= 0):
        raise ValueError(
            f"{asker}: low is {low} and high is {high}; low lies in [0, 1] and high is not negative; "
            "they are distances from 1, so a ratio kept in [0.8, 1.2] is low=0.2, high=0.2"
        )


def drift(stream: Stream, moved: torch.Tensor | None = None) -> torch.Tensor:
    """The mean of `k3` over tokens, for reports: how far the policy is from the one that sampled.

    Args:
        moved: the log-ratios of the tokens, detached and held within +-20, where they are there already.

    Example:
        >>> import torch
        >>> new, ids = torch.tensor([0.0, 1.0]), torch.tensor([0, 0])
        >>> round(float(drift(Stream.of(new, torch.zeros(2), torch.ones(2), ids, ids))), 4)
        0.3591
    """
    x = stream.log_ratio().detach().clamp(-FAR, FAR) if moved is None else moved
    return stream.token_mean(x.expm1().sub_(x))  # in place: half of the time is memory


def k3(log_ratio: torch.Tensor) -> torch.Tensor:
    """r - 1 - log r, never negative; its mean under the denominator of r estimates KL(denominator, numerator).

    Example:
        >>> import torch
        >>> [round(x, 4) for x in k3(torch.tensor([0.0, 1.0])).tolist()]
        [0.0, 0.7183]

    Reference:
        Schulman, Approximating KL Divergence, 2020, joschu.net/blog/kl-approx.html.
    """
    x = log_ratio.clamp(-FAR, FAR)
    return x.expm1() - x
