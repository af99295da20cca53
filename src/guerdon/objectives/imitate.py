"""Imitation: the tokens themselves become more likely, whatever they were worth.

`Imitate` is supervised fine-tuning. `Likelihood` is the second term of a reward that is the policy's own
probability of a reference answer: E[f(z)] over chains z has the gradient E[f(z) d log pi(z) + d f(z)].
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol, runtime_checkable

from guerdon.objectives.base import Operators, Unit
from guerdon.objectives.reduce import Reduce, SequenceMean, TokenMean
from guerdon.objectives.stream import Stream

if TYPE_CHECKING:
    import torch


@dataclass(frozen=True)
class Imitate(Operators):
    """Maximum likelihood of the tokens, as in supervised fine-tuning.

        loss = -weight * reduce(logprob)

    The advantage is not looked at: weigh demonstrations with `stream.weight`.

    Args:
        weight: how strong, where it is one addend of several.
        reduce: which tokens, steps and trajectories weigh the same.

    Returns:
        `(loss, terms)`: `imitation` is the loss.

    Example:
        >>> import torch
        >>> from guerdon.objectives import Stream
        >>> lp, ids = torch.tensor([-1.0, -3.0]), torch.tensor([0, 0])
        >>> float(Imitate()(Stream.of(lp, lp, lp, ids, ids))[0])
        2.0
    """

    weight: float = 1.0
    reduce: Reduce = field(default_factory=TokenMean)

    @property
    def needs(self) -> frozenset[str]:
        return frozenset()

    @property
    def parts(self) -> tuple[str, ...]:
        return ("imitation",)

    @property
    def reports(self) -> tuple[str, ...]:
        return ("imitation",)

    @property
    def whole(self) -> Unit:
        return "token"

    def __call__(self, stream: Stream) -> tuple[torch.Tensor, dict[str, torch.Tensor]]:
        loss = -self.weight * self.reduce(stream.clean(stream.logprob), stream)
        return loss, {"imitation": loss.detach()}


@runtime_checkable
class Form(Protocol):
    """`form(stream) -> one number per token` whose mean over each trajectory is how likely its tokens are.

    Attributes:
        whole: the unit that must lie in one micro-batch.
    """

    @property
    def whole(self) -> Unit:
        """The unit that must lie in one micro-batch."""
        ...

    def __call__(self, stream: Stream) -> torch.Tensor: ...


@dataclass(frozen=True)
class MeanProbability:
    """f = mean over the tokens of their probabilities: one bad token costs little. RLPR's reward.

    Example:
        >>> MeanProbability().whole
        'token'
    """

    @property
    def whole(self) -> Unit:
        """See `Form`."""
        return "token"

    def __call__(self, stream: Stream) -> torch.Tensor:
        return stream.clean(stream.logprob).clamp(max=0.0).exp()


@dataclass(frozen=True)
class Probability:
    """f = product of the probabilities of the tokens: that of the whole answer. VeriFree's reward.

    Example:
        >>> Probability().whole
        'sequence'
    """

    @property
    def whole(self) -> Unit:
        """See `Form`."""
        return "sequence"

    def __call__(self, stream: Stream) -> torch.Tensor:
        return _summed(stream).clamp(max=0.0).exp()


@dataclass(frozen=True)
class LogProbability:
    """f = log-probability of the whole answer. Its second term is fine-tuning on the answer.

    Example:
        >>> LogProbability().whole
        'sequence'
    """

    @property
    def whole(self) -> Unit:
        """See `Form`."""
        return "sequence"

    def __call__(self, stream: Stream) -> torch.Tensor:
        return _summed(stream)


@dataclass(frozen=True)
class Likelihood(Operators):
    """Reference answers become more likely, each as much as its form says.

        loss = -weight * mean over trajectories of f(tokens of the trajectory)

    A trajectory is a reference answer after a chain that the policy sampled. With the policy gradient of the
    same f on the chain's tokens it is the whole gradient of E[f]. Leaving it out is a policy gradient of a reward
    that is held fixed.

    Args:
        form: `MeanProbability()`, `Probability()` or `LogProbability()`.
        weight: how strong; 1 is the derivative.
        name: the name of the measurement; its part of the loss is `NAME_loss`.

    Returns:
        `(loss, terms)`: `likelihood_loss` is the loss, `likelihood` the mean of f over trajectories.

    Example:
        >>> import torch
        >>> from guerdon.objectives import Stream
        >>> lp, ids = torch.tensor([0.5, 0.5]).log(), torch.tensor([0, 0])
        >>> float(Likelihood(Probability())(Stream.of(lp, lp, lp, ids, ids))[1]["likelihood"])
        0.25

    Reference:
        Zhou et al., Reinforcing General Reasoning without Verifiers, 2025, arXiv:2505.21493.
    """

    form: Form = field(default_factory=MeanProbability)
    weight: float = 1.0
    name: str = "likelihood"

    @property
    def needs(self) -> frozenset[str]:
        return frozenset()

    @property
    def parts(self) -> tuple[str, ...]:
        return (f"{self.name}_loss",)

    @property
    def reports(self) -> tuple[str, ...]:
        return (f"{self.name}_loss", self.name)

    @property
    def whole(self) -> Unit:
        return self.form.whole

    def __call__(self, stream: Stream) -> tuple[torch.Tensor, dict[str, torch.Tensor]]:
        mean = SequenceMean()(self.form(stream), stream)
        loss = -self.weight * mean
        return loss, {f"{self.name}_loss": loss.detach(), self.name: mean.detach()}


def _summed(stream: Stream) -> torch.Tensor:
    """The log-probability of each trajectory's kept tokens, at each of its tokens."""
    return stream.per_play(stream.clean(stream.logprob)).index_select(0, stream.sequence)
