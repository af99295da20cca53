"""Rewards as labels: plays are classified by how likely they became, and every gradient is bounded.

    Classified(tau=0.5)                 REAL
    ImplicitCritic(beta=1.0)            PACS
    ImitateBest() + KL(0.23)            SuperHF

A play whose credit is above 0 has label 1, one below 0 label 0; one of credit 0 has none and is left out.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from math import inf
from typing import TYPE_CHECKING, Protocol, runtime_checkable

from guerdon.objectives.plays import (
    BestAgainstWorst,
    Choice,
    PlayMean,
    PlayRatio,
    PlayTotal,
    held,
    mean_of_play,
    per_play,
    softplus,
    there,
)
from guerdon.objectives.preference import Paired
from guerdon.objectives.regress import Advantage, Target
from guerdon.objectives.regularise import Given
from guerdon.objectives.stream import Stream

if TYPE_CHECKING:
    import torch


@dataclass(frozen=True, eq=False)
class Labels:
    """What plays were, each entry a play.

    Attributes:
        good, bad: True where the label is 1, and where it is 0; both False where there is none.
        group: which group each play is of.
    """

    good: torch.Tensor
    bad: torch.Tensor
    group: torch.Tensor

    def of_group(self, x: torch.Tensor) -> torch.Tensor:
        """Sums of x over the plays of each group."""
        return x.new_zeros(len(x)).index_add(0, self.group, x)


def labels(by: Target, stream: Stream, asker: str) -> Labels:
    """The labels of the plays, by the sign of what their tokens have on average."""
    worth, kept = mean_of_play(by(stream, asker), stream), there(stream)
    return Labels(kept & (worth > 0), kept & (worth < 0), held(stream, "group", asker))


@runtime_checkable
class Form(Protocol):
    """`form(score per play, labels) -> loss per group`; 0 for an id that is no group's."""

    def __call__(self, score: torch.Tensor, labels: Labels) -> torch.Tensor: ...


@dataclass(frozen=True)
class Anchored:
    """Each class against an anchor at 0: good plays belong above it, bad ones below.

        L = log(1 + sum over bad of exp(z)) + log(1 + sum over good of exp(-z))
          = log(product of the two brackets)

    A bad play weighs exp(z) / (1 + sum over bad of exp(z)), in (0, 1); so does a good one. A group of one class is 0.

    Example:
        >>> import torch
        >>> zero, yes = torch.zeros(2), torch.tensor([True, False])
        >>> [round(x, 4) for x in Anchored()(zero, Labels(yes, ~yes, torch.tensor([0, 0]))).tolist()]
        [1.3863, 0.0]
    """

    def __call__(self, score: torch.Tensor, labels: Labels) -> torch.Tensor:
        return (
            logsumexp(score, labels.bad, labels.group, anchored=True)
            + logsumexp(-score, labels.good, labels.group, anchored=True)
        ).masked_fill(~mixed(score, labels), 0.0)


@dataclass(frozen=True)
class Circle:
    """Every good play against every bad one, without an anchor.

        L = log(1 + sum over bad i and good j of exp(z[i] - z[j]))
          = softplus(logsumexp over bad of z + logsumexp over good of -z)

    A shift of all scores of a group does not matter. A group of one class is 0.

    Reference:
        Sun et al., Circle Loss, 2020, arXiv:2002.10857.

    Example:
        >>> import torch
        >>> zero, yes = torch.zeros(2), torch.tensor([True, False])
        >>> [round(x, 4) for x in Circle()(zero, Labels(yes, ~yes, torch.tensor([0, 0]))).tolist()]
        [0.6931, 0.0]
    """

    def __call__(self, score: torch.Tensor, labels: Labels) -> torch.Tensor:
        apart = logsumexp(score, labels.bad, labels.group) + logsumexp(-score, labels.good, labels.group)
        return softplus(apart).masked_fill(~mixed(score, labels), 0.0)


@dataclass(frozen=True)
class Singly:
    """Each play by itself, the mean of their binary cross entropies; a group of one class counts as any other.

        L = mean over labelled plays of softplus(z) where bad, softplus(-z) where good

    Example:
        >>> import torch
        >>> zero, yes = torch.zeros(2), torch.tensor([True, False])
        >>> [round(x, 4) for x in Singly()(zero, Labels(yes, ~yes, torch.tensor([0, 0]))).tolist()]
        [0.6931, 0.0]
    """

    def __call__(self, score: torch.Tensor, labels: Labels) -> torch.Tensor:
        good, bad = labels.good.to(score.dtype), labels.bad.to(score.dtype)
        each = good * softplus(-score) + bad * softplus(score)
        return labels.of_group(each) / labels.of_group(good + bad).clamp(min=1)


@dataclass(frozen=True)
class Classified(Paired):
    """Good plays are to be told from bad ones by how their likelihood moved: REAL.

        z[i] = l[i] / tau,   l the log-ratio of the play to the policy that sampled, per token
        loss = mean over groups of form(z, labels)

    No clip and no importance weight: with `Anchored()` no play pulls its z harder than 1, however stale it is, and
    no group pulls its l harder than 1 / tau on either side.

    Args:
        tau: the unit of log-ratios.
        ratio: the log-ratio of a play.
        form: `Anchored()`, `Circle()` or `Singly()`.
        by: what says which plays are good, by its sign.
        name: the name of its part of the loss, which prefixes its measurements.

    Returns:
        `(loss, terms)`: `classification` is the loss; `classification/right` the share of plays whose likelihood
        moved towards their label.

    Raises:
        ValueError: tau is not above 0.
        ColumnError: the stream lacks what is needed.

    Reference:
        Rewards as Labels: Revisiting RLVR from a Classification Perspective, 2026.

    Example:
        >>> import torch
        >>> ids, lp = torch.tensor([0, 1]), torch.zeros(2, requires_grad=True)
        >>> s = Stream.of(lp, torch.zeros(2), torch.tensor([1.0, -1.0]), ids, ids, group=torch.tensor([0, 0]))
        >>> Classified(tau=0.5)(s)[0].backward()
        >>> lp.grad.tolist()
        [-1.0, 1.0]
    """

    tau: float = 0.5
    ratio: PlayRatio = field(default_factory=PlayMean)
    form: Form = field(default_factory=Anchored)
    by: Target = field(default_factory=Advantage)
    name: str = "classification"

    def __post_init__(self) -> None:
        if not self.tau > 0:
            raise ValueError(
                f"Classified: tau is {self.tau}; it divides log-ratios, so it must be above 0; REAL has 0.5"
            )

    @property
    def needs(self) -> frozenset[str]:
        return self.ratio.needs | self.by.needs | {"group"}

    @property
    def reports(self) -> tuple[str, ...]:
        return (self.name, f"{self.name}/right")

    def __call__(self, stream: Stream) -> tuple[torch.Tensor, dict[str, torch.Tensor]]:
        found, score = labels(self.by, stream, "Classified"), self.ratio(stream) / self.tau
        loss = self.form(score, found).sum() / max(stream.groups, 1)
        right = (found.good & (score > 0)) | (found.bad & (score < 0))
        return loss, {
            self.name: loss.detach(),
            f"{self.name}/right": right.to(score.dtype).sum() / max(stream.sequences, 1),
        }


@dataclass(frozen=True)
class ImplicitCritic(Paired):
    """The policy predicts the verdict on its own plays, by how their likelihood moved beside the others': PACS.

        r[i]   = beta * l[i],   l the log-ratio of the play to the policy that sampled
        psi[i] = r[i] - mean of r over the other labelled plays of the group
        loss   = mean over plays of w * (softplus(psi) - label * psi)
        w[i]   = n / (2 * n of i's class) where the group has both classes, 1 where it has one

    The gradient is w * (sigmoid(psi) - label) * grad psi: an actor whose advantage is its own critic's error, never
    more than w. A shift of all r of a group does not matter; a group of one says nothing.

    Args:
        beta: the unit of log-ratios.
        ratio: the log-ratio of a play; a total saturates on long plays.
        by: what says which plays are good, by its sign.
        balanced: False weighs every play 1.
        name: the name of its part of the loss, which prefixes its measurements.

    Returns:
        `(loss, terms)`: `implicit_critic` is the loss; `implicit_critic/error` the mean of |label - sigmoid(psi)|.

    Raises:
        ColumnError: the stream lacks what is needed.

    Reference:
        Li et al., Implicit Actor Critic Coupling via a Supervised Learning Framework for RLVR, 2025, arXiv:2509.02522.

    Example:
        >>> import torch
        >>> ids, lp = torch.tensor([0, 1]), torch.zeros(2, requires_grad=True)
        >>> s = Stream.of(lp, torch.zeros(2), torch.tensor([1.0, -1.0]), ids, ids, group=torch.tensor([0, 0]))
        >>> ImplicitCritic()(s)[0].backward()
        >>> lp.grad.tolist()
        [-0.5, 0.5]
    """

    beta: float = 1.0
    ratio: PlayRatio = field(default_factory=lambda: PlayTotal(Given("old_logprob")))
    by: Target = field(default_factory=Advantage)
    balanced: bool = True
    name: str = "implicit_critic"

    @property
    def needs(self) -> frozenset[str]:
        return self.ratio.needs | self.by.needs | {"group"}

    @property
    def reports(self) -> tuple[str, ...]:
        return (self.name, f"{self.name}/error")

    def __call__(self, stream: Stream) -> tuple[torch.Tensor, dict[str, torch.Tensor]]:
        found, r = labels(self.by, stream, "ImplicitCritic"), self.beta * self.ratio(stream)
        good, bad = found.good.to(r.dtype), found.bad.to(r.dtype)
        known, at = good + bad, found.group
        n, plus, minus = (found.of_group(x).index_select(0, at) for x in (known, good, bad))
        total = found.of_group(known * r).index_select(0, at)
        psi = r - (total - r) / (n - 1).clamp(min=1)
        use = known * (n > 1)
        share = (n / (2 * (good * plus + bad * minus).clamp(min=1))).masked_fill(plus * minus == 0, 1.0)
        weight = use * share if self.balanced else use
        count = max(stream.sequences, 1)
        loss = (weight * (softplus(psi) - good * psi)).sum() / count
        error = (use * (good - psi.detach().sigmoid()).abs()).sum() / count
        return loss, {self.name: loss.detach(), f"{self.name}/error": error}


@dataclass(frozen=True)
class ImitateBest(Paired):
    """Maximum likelihood of the best play of each group: filtered fine-tuning.

        loss = -weight * mean over groups of (mean of logprob over the tokens of its best play)

    A group whose plays tie has no best one and adds 0.

    Args:
        weight: how strong, where it is one addend of several.
        choice: pairs whose first is to be imitated.
        name: the name of its part of the loss.

    Returns:
        `(loss, terms)`: `best_imitation` is the loss.

    Raises:
        ColumnError: the stream lacks what is needed.

    Reference:
        Mukobi et al., SuperHF, 2023, arXiv:2310.16763.

    Example:
        >>> import torch
        >>> ids, lp = torch.tensor([0, 1]), torch.tensor([-1.0, -3.0])
        >>> s = Stream.of(lp, lp, torch.tensor([0.0, 1.0]), ids, ids, group=torch.tensor([0, 0]))
        >>> float(ImitateBest()(s)[0])
        3.0
    """

    weight: float = 1.0
    choice: Choice = field(default_factory=BestAgainstWorst)
    name: str = "best_imitation"

    @property
    def needs(self) -> frozenset[str]:
        return self.choice.needs | {"group"}

    @property
    def reports(self) -> tuple[str, ...]:
        return self.parts

    def __call__(self, stream: Stream) -> tuple[torch.Tensor, dict[str, torch.Tensor]]:
        chosen = self.choice(stream)
        mean = per_play(stream.logprob, stream) / stream.tokens_of_sequence.clamp(min=1)
        loss = -self.weight * (chosen.weight * mean.index_select(0, chosen.first)).sum()
        return loss, {self.name: loss.detach()}


def mixed(score: torch.Tensor, labels: Labels) -> torch.Tensor:
    """True for each group with plays of both labels."""
    return (labels.of_group(labels.good.to(score.dtype)) > 0) & (labels.of_group(labels.bad.to(score.dtype)) > 0)


def logsumexp(x: torch.Tensor, among: torch.Tensor, group: torch.Tensor, *, anchored: bool = False) -> torch.Tensor:
    """log(sum of exp(x) over the marked entries of each group), with a 1 in the sum if anchored; 0 of nothing.

    Example:
        >>> import torch
        >>> yes, one = torch.tensor([True, True]), torch.tensor([0, 0])
        >>> [round(y, 3) for y in logsumexp(torch.tensor([900.0, 900.0]), yes, one).tolist()]
        [900.693, 0.0]
    """
    x = x.masked_fill(~among, -inf)
    nothing = 0.0 if anchored else -inf
    top = x.detach().new_full((len(x),), nothing).scatter_reduce(0, group, x.detach(), "amax")
    top = top.masked_fill(top == -inf, 0.0)
    total = x.new_zeros(len(x)).index_add(0, group, (x - top.index_select(0, group)).exp())
    total = total + (-top).exp() if anchored else total.masked_fill(total == 0, 1.0)
    return total.log() + top
