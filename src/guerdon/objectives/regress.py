"""Regression: log-ratios fitted to what actions were worth, and imitation weighted by it. Both learn off-policy.

Among policies that stay near a reference, the best has log(pi / ref) = A / beta + constant. `Regress` fits that
equation, `AdvantageWeighted` imitates with weights exp(A / beta) towards the same policy.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from math import log
from typing import TYPE_CHECKING, Protocol, runtime_checkable

from guerdon.objectives.base import Operators, Unit
from guerdon.objectives.ratio import Ratio, TokenRatio
from guerdon.objectives.reduce import Reduce, TokenMean, per_step
from guerdon.objectives.regularise import Given, Reference
from guerdon.objectives.stream import Stream

if TYPE_CHECKING:
    import torch


@runtime_checkable
class Target(Protocol):
    """`target(stream, asker) -> one number per token`, held fixed, and what it reads.

    Attributes:
        needs: names of the fields of the stream that it reads.
    """

    @property
    def needs(self) -> frozenset[str]:
        """Names of the fields of the stream that it reads."""
        ...

    def __call__(self, stream: Stream, asker: str) -> torch.Tensor: ...


@dataclass(frozen=True)
class Advantage:
    """The advantage of each token.

    Example:
        >>> Advantage().needs
        frozenset()
    """

    @property
    def needs(self) -> frozenset[str]:
        """Nothing that a stream may lack."""
        return frozenset()

    def __call__(self, stream: Stream, asker: str) -> torch.Tensor:
        return stream.clean(stream.advantage.detach())


@dataclass(frozen=True)
class Outcome:
    """What the play of each token was worth, such as a verifier's 0 or 1.

    Example:
        >>> sorted(Outcome().needs)
        ['outcome']
    """

    @property
    def needs(self) -> frozenset[str]:
        """The outcome."""
        return frozenset({"outcome"})

    def __call__(self, stream: Stream, asker: str) -> torch.Tensor:
        return stream.of_play("outcome", asker).detach()


@dataclass(frozen=True)
class StepProduct:
    """One ratio per step, the product of its tokens': how much likelier the action has become.

        log r[t] = sum over the tokens u of t's step of (logprob[u] - old_logprob[u])

    Raises:
        ColumnError: the stream has no `tokens_of_step`.

    Example:
        >>> import torch
        >>> from guerdon.objectives import Stream
        >>> old, ids = torch.zeros(2), torch.tensor([0, 0])
        >>> StepProduct()(Stream.of(torch.tensor([1.0, 3.0]), old, old, ids, ids)).tolist()
        [4.0, 4.0]
    """

    @property
    def whole(self) -> Unit:
        """See `Ratio`."""
        return "step"

    def __call__(self, stream: Stream) -> torch.Tensor:
        x = stream.log_ratio()
        total = x.new_zeros(len(per_step(stream, "StepProduct"))).index_add(0, stream.step, x)
        return total.index_select(0, stream.step)


@dataclass(frozen=True)
class Regress(Operators):
    """Squares of how far the scaled log-ratio to a reference is from a target.

        loss = reduce((beta * x - target)^2),   x = log(new / reference) at the level of `ratio`

    Its gradient is reduce(2 beta (beta x - target) d x), so a good action is made likelier until it is likely
    enough and no further: tokens may be as old as they like. At x = 0 it is -2 beta times that of REINFORCE.

    Args:
        beta: the unit of the target per unit of log-ratio; the larger, the nearer to the reference.
        target: `Advantage()`, or `Outcome()`, which makes the log-ratio a reward model.
        ratio: at which level: `TokenRatio()`, `StepRatio()` (a mean over the step's tokens), `StepProduct()`
            (their sum: the action as a whole), `SequenceRatio()`, ...
        reference: what the ratio is to: `Given(field)`, `Fixed(logprob)`.
        reduce: which tokens, steps and trajectories weigh the same.
        name: the name of its part of the loss; the measurement is `NAME_implied`.

    Returns:
        `(loss, terms)`: `regression` is the loss, `regression_implied` the mean of beta * x over tokens.

    Raises:
        ValueError: beta is not above 0.
        ColumnError: the stream has not what the reference or the target reads.

    Example:
        >>> import torch
        >>> from guerdon.objectives import Stream
        >>> lp, ids = torch.tensor([-1.0]), torch.tensor([0])
        >>> s = Stream.of(lp, lp, torch.tensor([1.0]), ids, ids, ref_logprob=torch.tensor([-3.0]))
        >>> float(Regress(beta=0.25)(s)[0])
        0.25

    Reference:
        Qi et al., WebRL: Training LLM Web Agents via Self-Evolving Online Curriculum Reinforcement
        Learning, 2024, arXiv:2411.02337.
    """

    beta: float
    target: Target = field(default_factory=Advantage)
    ratio: Ratio = field(default_factory=TokenRatio)
    reference: Reference = field(default_factory=Given)
    reduce: Reduce = field(default_factory=TokenMean)
    name: str = "regression"

    def __post_init__(self) -> None:
        _above_zero(self.beta, "Regress")

    @property
    def needs(self) -> frozenset[str]:
        return self.target.needs | self.reference.needs

    @property
    def parts(self) -> tuple[str, ...]:
        return (self.name,)

    @property
    def reports(self) -> tuple[str, ...]:
        return (self.name, f"{self.name}_implied")

    @property
    def whole(self) -> Unit:
        return self.ratio.whole

    def __call__(self, stream: Stream) -> tuple[torch.Tensor, dict[str, torch.Tensor]]:
        held = self.reference(stream, "Regress").detach()
        implied = self.beta * self.ratio(replace(stream, old_logprob=held))
        loss = self.reduce((implied - self.target(stream, "Regress")).square(), stream)
        return loss, {self.name: loss.detach(), f"{self.name}_implied": stream.token_mean(implied)}


@dataclass(frozen=True)
class AdvantageWeighted(Operators):
    """Imitation of the sampled tokens, the better ones more: advantage-weighted regression.

        loss = -reduce(min(exp(A / beta), most) * logprob)

    No token is made less likely. There is no importance ratio, so tokens may be old.

    Args:
        beta: the temperature; the larger, the nearer to plain imitation.
        most: the largest weight, above 0.
        reduce: which tokens, steps and trajectories weigh the same.
        name: the name of its part of the loss.

    Returns:
        `(loss, terms)`: `awr` is the loss.

    Raises:
        ValueError: beta or most is not above 0.

    Example:
        >>> import torch
        >>> from guerdon.objectives import Stream
        >>> lp, ids = torch.tensor([-1.0, -1.0]), torch.tensor([0, 0])
        >>> s = Stream.of(lp, lp, torch.tensor([0.0, 9.0]), ids, ids)
        >>> float(AdvantageWeighted(beta=1.0, most=3.0)(s)[0])
        2.0

    Reference:
        Peng et al., Advantage-Weighted Regression, 2019, arXiv:1910.00177.
    """

    beta: float
    most: float = 20.0
    reduce: Reduce = field(default_factory=TokenMean)
    name: str = "awr"

    def __post_init__(self) -> None:
        _above_zero(self.beta, "AdvantageWeighted")
        if not self.most > 0:
            raise ValueError(f"AdvantageWeighted: most is {self.most}; it bounds weights, so it must be above 0")

    @property
    def needs(self) -> frozenset[str]:
        return frozenset()

    @property
    def parts(self) -> tuple[str, ...]:
        return (self.name,)

    @property
    def reports(self) -> tuple[str, ...]:
        return (self.name,)

    @property
    def whole(self) -> Unit:
        return "token"

    def __call__(self, stream: Stream) -> tuple[torch.Tensor, dict[str, torch.Tensor]]:
        weight = (stream.clean(stream.advantage.detach()) / self.beta).clamp(max=log(self.most)).exp()
        loss = -self.reduce(weight * stream.clean(stream.logprob), stream)
        return loss, {self.name: loss.detach()}


def class_balance(label: torch.Tensor) -> torch.Tensor:
    """Weights under which two classes weigh the same: N / (2 N_class); 1 where all are of one class.

    Args:
        label: above 1/2 for one class, below for the other, one per play of the optimiser step.

    Example:
        >>> import torch
        >>> class_balance(torch.tensor([1.0, 0.0, 0.0, 0.0])).tolist()
        [2.0, 0.6666666865348816, 0.6666666865348816, 0.6666666865348816]
    """
    right = (label > 0.5).to(label.dtype)
    many, of_right = len(label), right.sum()
    both = (of_right > 0) & (of_right < many)
    own = right * of_right + (1 - right) * (many - of_right)
    return (many / (2 * own.clamp(min=1))).where(both, own.new_ones(()))


def _above_zero(beta: float, asker: str) -> None:
    if not beta > 0:
        raise ValueError(
            f"{asker}: beta is {beta}; it is a unit, so it must be above 0; a weight goes before: 0.5 * ..."
        )
