"""What holds the policy back: distance to a reference, and entropy."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol, runtime_checkable

from guerdon.objectives.base import Measured
from guerdon.objectives.reduce import Reduce, TokenMean
from guerdon.objectives.stream import Stream
from guerdon.objectives.surrogate import FAR, k3

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
class Forward:
    """w log w - w + 1 with w = ref/new: the mirror of K3, whose mean is KL(reference, policy); never negative.

    As a number it is unbiased on fresh samples. As a loss it pulls by -w log w at each token, where
    the gradient of KL(reference, policy) is (1 - w), which `K3` has: equal to second order near w = 1, much stronger
    where the reference is the likelier. Tokens that the policy never samples are not in it.

    Args:
        most: log w beyond this on either side counts as this, and has no gradient.

    Reference:
        RAPO: Unlocking Reasoning Capabilities in LLMs via Reinforcement Learning Exploration, 2025,
        arXiv:2510.03865.

    Example:
        >>> import torch
        >>> [round(x, 4) for x in Forward()(torch.tensor([-1.0, -2.0]), torch.tensor([-1.0, -1.0])).tolist()]
        [0.0, 1.0]
    """

    most: float = FAR

    def __call__(self, logprob: torch.Tensor, ref_logprob: torch.Tensor) -> torch.Tensor:
        x = (ref_logprob - logprob).clamp(-self.most, self.most)
        return x.exp() * x - x.expm1()


@runtime_checkable
class Reference(Protocol):
    """`reference(stream, asker) -> one log-probability per token`, held fixed, and what it reads.

    Attributes:
        needs: names of the fields of the stream that it reads.
    """

    @property
    def needs(self) -> frozenset[str]:
        """Names of the fields of the stream that it reads."""
        ...

    def __call__(self, stream: Stream, asker: str) -> torch.Tensor: ...


@dataclass(frozen=True)
class Given:
    """A per-token field of the stream as it stands.

    Args:
        field: "ref_logprob", a frozen policy, such as the one that training began with or was reset to;
            "teacher_logprob", the policy with more in its context; "old_logprob", the policy that sampled.

    Example:
        >>> sorted(Given("teacher_logprob").needs)
        ['teacher_logprob']
    """

    field: str = "ref_logprob"

    @property
    def needs(self) -> frozenset[str]:
        """The field, where it is one that not every stream has."""
        return frozenset({self.field} - {"old_logprob"})

    def __call__(self, stream: Stream, asker: str) -> torch.Tensor:
        return stream.need(self.field, asker).detach()


@dataclass(frozen=True)
class Fixed:
    """The same log-probability at every token, where the reference is known to be nearly constant.

    Example:
        >>> Fixed(-23.0).needs
        frozenset()
    """

    logprob: float

    @property
    def needs(self) -> frozenset[str]:
        """Nothing."""
        return frozenset()

    def __call__(self, stream: Stream, asker: str) -> torch.Tensor:
        return stream.clean(stream.logprob.detach()).new_full((len(stream.logprob),), self.logprob)


@dataclass(frozen=True)
class Tempered:
    """A reference that holds on to good plays and lets go of bad ones.

        log ref'[t] = phi(r) * log ref[t],   phi(r) = low + (1 - low) * clip(r, 0, 1)

    r is the outcome of the token's play. phi = 1 keeps the reference as it is, phi = 0 makes it say nothing. The
    power is not normalised.

    Args:
        low: phi at outcome 0, in [0, 1].
        of: the reference that is tempered.

    Raises:
        ValueError: low is outside [0, 1].
        ColumnError: the stream has no `outcome`, or not what `of` reads.

    Reference:
        RAPO, 2025, arXiv:2510.03865 (reward-aware reference).

    Example:
        >>> import torch
        >>> from guerdon.objectives import Stream
        >>> lp, ids = torch.tensor([-2.0, -2.0]), torch.tensor([0, 1])
        >>> s = Stream.of(lp, lp, lp, ids, ids, ref_logprob=lp, outcome=torch.tensor([1.0, 0.0]))
        >>> Tempered(low=0.5)(s, "me").tolist()
        [-2.0, -1.0]
    """

    low: float
    of: Reference = field(default_factory=Given)

    def __post_init__(self) -> None:
        if not 0 <= self.low <= 1:
            raise ValueError(
                f"Tempered: low is {self.low}; a power in [0, 1] is needed; 1 leaves the reference as it is"
            )

    @property
    def needs(self) -> frozenset[str]:
        """The outcome, and what the reference reads."""
        return self.of.needs | {"outcome"}

    def __call__(self, stream: Stream, asker: str) -> torch.Tensor:
        outcome = stream.of_play("outcome", asker).detach().clamp(0, 1)
        return (self.low + (1 - self.low) * outcome) * self.of(stream, asker)


@dataclass(frozen=True)
class KL(Measured):
    """A pull towards the reference policy.

        loss = beta * reduce(estimator(logprob, ref_logprob))

    The tokens are taken as sampled from the policy that is trained; after several updates on the
    same tokens that is only nearly so.

    Args:
        beta: how strong; 0 reports the distance and does not pull.
        estimator: `K1()`, `K2()`, `K3()` or `Forward()`; they differ in gradient, see each.
        reduce: which tokens, steps and trajectories weigh the same.
        name: the name of the measurement; its part of the loss is `NAME_loss`.
        reference: what it is pulled towards: `Given(field)`, or that `Tempered`. A reference that is set
            to the policy every so often is the trainer's to keep: the term reads what it is given.

    Returns:
        `(loss, terms)`: `kl_ref_loss` is the loss, `kl_ref` the mean of the estimator over tokens.

    Raises:
        ColumnError: the stream has not what the reference reads.

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
    reference: Reference = field(default_factory=Given)

    @property
    def needs(self) -> frozenset[str]:
        return self.reference.needs

    def __call__(self, stream: Stream) -> tuple[torch.Tensor, dict[str, torch.Tensor]]:
        distance = self.estimator(stream.clean(stream.logprob), self.reference(stream, "KL"))
        loss = self.beta * self.reduce(distance, stream)
        return loss, {f"{self.name}_loss": loss.detach(), self.name: stream.token_mean(distance)}


@dataclass(frozen=True)
class Entropy(Measured):
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

    def __call__(self, stream: Stream) -> tuple[torch.Tensor, dict[str, torch.Tensor]]:
        entropy = stream.need("entropy", "Entropy")
        loss = -self.weight * self.reduce(entropy, stream)
        return loss, {f"{self.name}_loss": loss.detach(), self.name: stream.token_mean(entropy)}
