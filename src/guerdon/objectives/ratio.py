"""At which level new and old probabilities are compared: token, step or sequence.

Each type turns the log-ratios of the tokens into the log-ratio that a clip looks at, one entry
per token. They differ in variance: the ratio of a whole is the geometric mean of its tokens', so
one odd token moves it little.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol, runtime_checkable

from guerdon.objectives.base import Unit
from guerdon.objectives.reduce import per_step
from guerdon.objectives.stream import Stream

if TYPE_CHECKING:
    import torch


@runtime_checkable
class Ratio(Protocol):
    """`ratio(stream) -> log-ratio per token`, with gradient.

    Attributes:
        whole: the unit that must lie in one micro-batch.
    """

    @property
    def whole(self) -> Unit:
        """The unit that must lie in one micro-batch."""
        ...

    def __call__(self, stream: Stream) -> torch.Tensor: ...


@dataclass(frozen=True)
class TokenRatio:
    """Each token by itself, as in PPO and GRPO.

        log r[t] = logprob[t] - old_logprob[t]

    Example:
        >>> import torch
        >>> from guerdon.objectives import Stream
        >>> old, ids = torch.zeros(2), torch.tensor([0, 0])
        >>> TokenRatio()(Stream.of(torch.tensor([1.0, 3.0]), old, old, ids, ids)).tolist()
        [1.0, 3.0]
    """

    @property
    def whole(self) -> Unit:
        """See `Ratio`."""
        return "token"

    def __call__(self, stream: Stream) -> torch.Tensor:
        return stream.log_ratio()


@dataclass(frozen=True)
class StepRatio:
    """One ratio per step, the geometric mean of its tokens': an action is taken or not as a whole.

        log r[t] = mean over the tokens u of t's step of (logprob[u] - old_logprob[u])

    The gradient goes through the mean, so the tokens of a step share one advantage, the mean of theirs.

    Raises:
        ColumnError: the stream has no `tokens_of_step`.

    Example:
        >>> import torch
        >>> from guerdon.objectives import Stream
        >>> old, ids = torch.zeros(2), torch.tensor([0, 0])
        >>> StepRatio()(Stream.of(torch.tensor([1.0, 3.0]), old, old, ids, ids)).tolist()
        [2.0, 2.0]
    """

    @property
    def whole(self) -> Unit:
        """See `Ratio`."""
        return "step"

    def __call__(self, stream: Stream) -> torch.Tensor:
        return step_mean(stream.log_ratio(), stream, per_step(stream, "StepRatio"))


@dataclass(frozen=True)
class SequenceRatio:
    """One ratio per trajectory, the geometric mean of its tokens', as in GSPO.

        log r[t] = mean over the tokens u of t's trajectory of (logprob[u] - old_logprob[u])

    The gradient goes through the mean, so all tokens of a trajectory share one advantage, the mean
    of theirs. Where steps have credit of their own, wrap it in `TokenGradient`.
    A trajectory that is cut between micro-batches has the ratio of the part that is there.

    Reference:
        Zheng et al., Group Sequence Policy Optimization, 2025, arXiv:2507.18071, section 4.

    Example:
        >>> import torch
        >>> from guerdon.objectives import Stream
        >>> old, ids = torch.zeros(2), torch.tensor([0, 1])
        >>> one = torch.zeros(2, dtype=torch.long)
        >>> SequenceRatio()(Stream.of(torch.tensor([1.0, 3.0]), old, old, ids, one)).tolist()
        [2.0, 2.0]
    """

    @property
    def whole(self) -> Unit:
        """See `Ratio`."""
        return "sequence"

    def __call__(self, stream: Stream) -> torch.Tensor:
        return play_mean(stream.log_ratio(), stream).index_select(0, stream.sequence)


@dataclass(frozen=True)
class SequenceProduct:
    """One ratio per trajectory, the product of its tokens': how much likelier the whole has become.

        log r[t] = sum over the tokens u of t's trajectory of (logprob[u] - old_logprob[u])

    The exact importance weight of a trajectory. Its spread grows with length, so give it a weight that
    falls off on both sides, such as `Gamma`, or a bound.

    Elsewhere:
        TRL   its RLOOTrainer, and the weight of loss_type="vespo"
        verl  bypass_mode with rollout_is="sequence"

    Example:
        >>> import torch
        >>> from guerdon.objectives import Stream
        >>> old, ids = torch.zeros(2), torch.tensor([0, 1])
        >>> one = torch.zeros(2, dtype=torch.long)
        >>> SequenceProduct()(Stream.of(torch.tensor([1.0, 3.0]), old, old, ids, one)).tolist()
        [4.0, 4.0]
    """

    @property
    def whole(self) -> Unit:
        """See `Ratio`."""
        return "sequence"

    def __call__(self, stream: Stream) -> torch.Tensor:
        return stream.per_play(stream.log_ratio()).index_select(0, stream.sequence)


@dataclass(frozen=True)
class GeometricRatio:
    """One ratio per trajectory, the geometric mean of its tokens', each held in before the mean is taken.

        x[t]     = logprob[t] - old_logprob[t]
        c[t]     = min(x[t], high)  where A[t] > 0,   max(x[t], -low)  where A[t] < 0,   0 where A[t] = 0
        log r[t] = mean over the tokens u of t's trajectory of c[u]

    So one odd token is cut and the others of its trajectory keep their gradient, where the clip of a
    `SequenceRatio` cuts them all. The surrogate over it needs no clip of its own: `Clipped(1.0, inf, ...)`.

    Args:
        low: how far a log-ratio may fall below 0. In logs: 0.4 is a ratio of 0.67.
        high: how far it may rise above 0; 0.4 is a ratio of 1.49.

    Elsewhere:
        verl "geo_mean" is `Clipped(1.0, inf, ratio=GeometricRatio(low, high), reduce=SequenceMean())`.

    Raises:
        ValueError: a bound is negative.

    Reference:
        Zhao et al., Geometric-Mean Policy Optimization, 2025, arXiv:2507.20673.

    Example:
        >>> import torch
        >>> from guerdon.objectives import Stream
        >>> old, ids, one = torch.zeros(2), torch.tensor([0, 1]), torch.ones(2)
        >>> s = Stream.of(torch.tensor([0.2, 3.0]), old, one, ids, torch.zeros(2, dtype=torch.long))
        >>> [round(x, 3) for x in GeometricRatio(high=0.4)(s).tolist()]
        [0.3, 0.3]
    """

    low: float = 0.4
    high: float = 0.4

    def __post_init__(self) -> None:
        if not (self.low >= 0 and self.high >= 0):
            raise ValueError(
                f"GeometricRatio: low is {self.low} and high is {self.high}; neither may be negative; "
                "they are distances of a log-ratio from 0, so a ratio kept in [0.67, 1.49] is low=0.4, high=0.4"
            )

    @property
    def whole(self) -> Unit:
        """See `Ratio`."""
        return "sequence"

    def __call__(self, stream: Stream) -> torch.Tensor:
        x, sign = stream.log_ratio(), stream.clean(stream.advantage.detach()).sign()
        held = sign * (sign * x).minimum(sign * x.clamp(-self.low, self.high))
        return play_mean(held, stream).index_select(0, stream.sequence)


@dataclass(frozen=True)
class TokenGradient:
    """The value of a coarser ratio with the gradient of each token's own log-probability.

        log r[t] = stop(ratio[t]) + logprob[t] - stop(logprob[t])

    So each token keeps its own advantage. Where the advantage is constant inside the unit of the
    ratio, and the reduction weighs its tokens alike, the gradient is that of the ratio unwrapped.

    Elsewhere:
        verl "gspo" is `TokenGradient(SequenceRatio())`.

    Reference:
        Zheng et al., Group Sequence Policy Optimization, 2025, arXiv:2507.18071, section 4.3 (GSPO-token).

    Example:
        >>> import torch
        >>> from guerdon.objectives import Stream
        >>> old, ids = torch.zeros(2), torch.tensor([0, 0])
        >>> TokenGradient(StepRatio())(Stream.of(torch.tensor([1.0, 3.0]), old, old, ids, ids)).tolist()
        [2.0, 2.0]
    """

    ratio: Ratio

    @property
    def whole(self) -> Unit:
        """See `Ratio`."""
        return self.ratio.whole

    def __call__(self, stream: Stream) -> torch.Tensor:
        logprob = stream.clean(stream.logprob)
        return self.ratio(stream).detach() + (logprob - logprob.detach())


def play_mean(x: torch.Tensor, stream: Stream) -> torch.Tensor:
    """The mean of `x` over the kept tokens of each trajectory that are here, one per trajectory id.

    Example:
        >>> import torch
        >>> from guerdon.objectives import Stream
        >>> x, ids = torch.tensor([1.0, 3.0, 5.0]), torch.tensor([0, 0, 1])
        >>> play_mean(x, Stream.of(x, x, x, ids, ids)).tolist()
        [2.0, 5.0]
    """
    if stream.weight is None and len(x) == stream.tokens:
        count = stream.tokens_of_sequence.to(x.dtype)  # all of the step is here, so nothing is left to count
    else:
        count = stream.per_play(stream.clean(x.detach().new_ones(len(x))))
    return stream.per_play(x) / count.clamp(min=1)


def step_mean(x: torch.Tensor, stream: Stream, totals: torch.Tensor) -> torch.Tensor:
    """The mean of `x` over the kept tokens of each step, back on their tokens.

    Args:
        totals: how many tokens each step of the whole optimiser step has.
    """
    total = x.new_zeros(len(totals)).index_add(0, stream.step, x)
    if stream.weight is None and len(x) == stream.tokens:
        count = totals.to(x.dtype)
    else:
        one = stream.clean(x.detach().new_ones(len(x)))
        count = one.new_zeros(len(totals)).index_add(0, stream.step, one)
    return (total / count.clamp(min=1)).index_select(0, stream.step)
