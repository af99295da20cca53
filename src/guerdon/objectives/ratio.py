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
        return broadcast_mean(stream, stream.step, len(per_step(stream, "StepRatio")))


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
        return broadcast_mean(stream, stream.sequence, len(stream.tokens_of_sequence))


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


def broadcast_mean(stream: Stream, ids: torch.Tensor, n: int) -> torch.Tensor:
    """The mean log-ratio of the kept tokens of each of the ids 0..n-1, back on their tokens."""
    x = stream.log_ratio()
    one = stream.clean(x.detach().new_ones(len(x)))
    total = x.new_zeros(n).index_add(0, ids, x)
    count = one.new_zeros(n).index_add(0, ids, one).clamp(min=1)
    return (total / count).index_select(0, ids)
