"""What holds the policy back: distance to a reference, and entropy."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol, runtime_checkable

from guerdon.objectives.base import Operators, Unit
from guerdon.objectives.reduce import Reduce, TokenMean
from guerdon.objectives.stream import Stream
from guerdon.objectives.surrogate import k3

if TYPE_CHECKING:
    import torch


@runtime_checkable
class Estimator(Protocol):
    """`estimator(logprob, ref_logprob) -> one number per token` whose mean estimates KL(policy, reference)."""

    def __call__(self, logprob: torch.Tensor, ref_logprob: torch.Tensor) -> torch.Tensor: ...


@dataclass(frozen=True)
class K1:
    """logprob - ref_logprob: unbiased, of either sign, large variance.

    As a loss it pulls nowhere: its expected gradient on fresh samples is zero. It is for reports
    and for rewards.

    Reference:
        Schulman, Approximating KL Divergence, 2020, joschu.net/blog/kl-approx.html.

    Example:
        >>> import torch
        >>> K1()(torch.tensor([-1.0]), torch.tensor([-3.0])).tolist()
        [2.0]
    """

    def __call__(self, logprob: torch.Tensor, ref_logprob: torch.Tensor) -> torch.Tensor:
        return logprob - ref_logprob


@dataclass(frozen=True)
class K2:
    """(logprob - ref_logprob)^2 / 2: biased as a number, but its expected gradient is that of KL(policy, reference).

    Reference:
        Schulman, Approximating KL Divergence, 2020, joschu.net/blog/kl-approx.html.

    Example:
        >>> import torch
        >>> K2()(torch.tensor([-1.0]), torch.tensor([-3.0])).tolist()
        [2.0]
    """

    def __call__(self, logprob: torch.Tensor, ref_logprob: torch.Tensor) -> torch.Tensor:
        return (logprob - ref_logprob).square() / 2


@dataclass(frozen=True)
class K3:
    """ref/new - 1 - log(ref/new): unbiased and never negative.

    As a loss its expected gradient is that of KL(reference, policy), the other direction, which is
    close where the two policies are. GRPO's choice. Log-ratios beyond +-20 count as +-20.

    Elsewhere:
        TRL   the same, unbounded
        verl  "low_var_kl", likewise bounded at +-20, and the result at 10

    Reference:
        Schulman, Approximating KL Divergence, 2020, joschu.net/blog/kl-approx.html.

    Example:
        >>> import torch
        >>> round(float(K3()(torch.tensor([-1.0]), torch.tensor([-3.0]))), 4)
        1.1353
    """

    def __call__(self, logprob: torch.Tensor, ref_logprob: torch.Tensor) -> torch.Tensor:
        return k3(ref_logprob - logprob)


@dataclass(frozen=True)
class KL(Operators):
    """A pull towards the reference policy.

        loss = beta * reduce(estimator(logprob, ref_logprob))

    The tokens are taken as sampled from the policy that is trained; after several updates on the
    same tokens that is only nearly so.

    Args:
        beta: how strong; 0 reports the distance and does not pull.
        estimator: `K1()`, `K2()` or `K3()`; they differ in gradient, see each.
        reduce: which tokens, steps and trajectories weigh the same.
        name: the name of the measurement; its part of the loss is `NAME_loss`.

    Returns:
        `(loss, terms)`: `kl_ref_loss` is the loss, `kl_ref` the mean of the estimator over tokens.

    Raises:
        ColumnError: the stream has no `ref_logprob`.

    Example:
        >>> import torch
        >>> from guerdon.objectives import Stream
        >>> lp, ids = torch.tensor([-1.0, -1.0]), torch.tensor([0, 0])
        >>> s = Stream.of(lp, lp, lp, ids, ids, ref_logprob=torch.tensor([-1.0, -3.0]))
        >>> loss, terms = KL(0.1, K2())(s)
        >>> round(float(loss), 3), float(terms["kl_ref"])
        (0.1, 1.0)
    """

    beta: float
    estimator: Estimator = field(default_factory=K3)
    reduce: Reduce = field(default_factory=TokenMean)
    name: str = "kl_ref"

    @property
    def needs(self) -> frozenset[str]:
        return frozenset({"ref_logprob"})

    @property
    def parts(self) -> tuple[str, ...]:
        return (f"{self.name}_loss",)

    @property
    def reports(self) -> tuple[str, ...]:
        return (f"{self.name}_loss", self.name)

    @property
    def whole(self) -> Unit:
        return "token"

    def __call__(self, stream: Stream) -> tuple[torch.Tensor, dict[str, torch.Tensor]]:
        reference = stream.need("ref_logprob", "KL").detach()
        distance = self.estimator(stream.clean(stream.logprob), reference)
        loss = self.beta * self.reduce(distance, stream)
        return loss, {f"{self.name}_loss": loss.detach(), self.name: stream.token_mean(distance)}


@dataclass(frozen=True)
class Entropy(Operators):
    """A bonus for staying undecided, so that exploration does not end too early.

        loss = -weight * reduce(entropy)

    Args:
        weight: how strong; 0 reports the entropy and does not pull.
        reduce: which tokens, steps and trajectories weigh the same.
        name: the name of the measurement; its part of the loss is `NAME_loss`.

    Returns:
        `(loss, terms)`: `entropy_loss` is the loss, `entropy` the mean entropy over tokens, in nats.

    Raises:
        ColumnError: the stream has no `entropy`.

    Example:
        >>> import torch
        >>> from guerdon.objectives import Stream
        >>> lp, ids = torch.zeros(2), torch.tensor([0, 0])
        >>> loss, terms = Entropy(0.5)(Stream.of(lp, lp, lp, ids, ids, entropy=torch.tensor([1.0, 3.0])))
        >>> float(loss), float(terms["entropy"])
        (-1.0, 2.0)
    """

    weight: float
    reduce: Reduce = field(default_factory=TokenMean)
    name: str = "entropy"

    @property
    def needs(self) -> frozenset[str]:
        return frozenset({"entropy"})

    @property
    def parts(self) -> tuple[str, ...]:
        return (f"{self.name}_loss",)

    @property
    def reports(self) -> tuple[str, ...]:
        return (f"{self.name}_loss", self.name)

    @property
    def whole(self) -> Unit:
        return "token"

    def __call__(self, stream: Stream) -> tuple[torch.Tensor, dict[str, torch.Tensor]]:
        entropy = stream.need("entropy", "Entropy")
        loss = -self.weight * self.reduce(entropy, stream)
        return loss, {f"{self.name}_loss": loss.detach(), self.name: stream.token_mean(entropy)}
