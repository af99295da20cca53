"""Distillation: the policy is pulled to what a teacher says of the next token, at every token it reads.

The teacher may be the policy itself with more in its context: the feedback, a solution, the outcome. Which
context that is, and whether the teacher is frozen, averaged or kept in step, is the host's; the loss is one:

    Distil(ForwardKL())   Distil(ReverseKL())   Distil(JensenShannon(0.5), most=2.0)

`KL(weight, K2(), reference=Given("teacher_logprob"))` is the same pull from the sampled tokens alone.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from math import log
from typing import TYPE_CHECKING, Protocol, runtime_checkable

from guerdon.errors import ColumnError
from guerdon.objectives.base import Measured
from guerdon.objectives.reduce import Reduce, TokenMean
from guerdon.objectives.stream import Stream

if TYPE_CHECKING:
    import torch

FLOOR = -1e4  # a log-probability below this counts as this: its probability is 0 in 64 bits too


@runtime_checkable
class Divergence(Protocol):
    """`divergence(student, teacher) -> one number per row` of log-probabilities over the last axis."""

    def __call__(self, student: torch.Tensor, teacher: torch.Tensor) -> torch.Tensor: ...


@dataclass(frozen=True)
class ForwardKL:
    """KL(teacher, student) = sum of q (log q - log p): the student covers whatever the teacher may say.

    Its gradient in the student's logits is p - q.

    Example:
        >>> import torch
        >>> p, q = torch.tensor([[0.5, 0.5]]), torch.tensor([[1.0, 0.0]])
        >>> round(float(ForwardKL()(p.log(), q.log().clamp(min=-1e4))), 4)
        0.6931
    """

    def __call__(self, student: torch.Tensor, teacher: torch.Tensor) -> torch.Tensor:
        return (teacher.exp() * (teacher - student)).sum(-1)


@dataclass(frozen=True)
class ReverseKL:
    """KL(student, teacher) = sum of p (log p - log q): the student keeps to what the teacher is sure of.

    Example:
        >>> import torch
        >>> p, q = torch.tensor([[0.75, 0.25]]), torch.tensor([[0.5, 0.5]])
        >>> round(float(ReverseKL()(p.log(), q.log())), 4)
        0.1308
    """

    def __call__(self, student: torch.Tensor, teacher: torch.Tensor) -> torch.Tensor:
        return (student.exp() * (student - teacher)).sum(-1)


@dataclass(frozen=True)
class JensenShannon:
    """The generalised Jensen-Shannon divergence, bounded whatever the two say.

        m = (1 - share) p + share q,   (1 - share) KL(p, m) + share KL(q, m)

    With share 1/2 it is symmetric and at most log 2. Towards either end it vanishes: divided by share it
    becomes KL(q, p) as share goes to 0, divided by 1 - share KL(p, q) as share goes to 1. So another share is
    another step size too.

    Args:
        share: the teacher's share of the mixture, strictly between 0 and 1.

    Raises:
        ValueError: share is not between 0 and 1.

    Reference:
        Lin, Divergence Measures Based on the Shannon Entropy, 1991.

    Example:
        >>> import torch
        >>> p, q = torch.tensor([[1.0, 0.0]]), torch.tensor([[0.0, 1.0]])
        >>> round(float(JensenShannon()(p.log().clamp(min=-1e4), q.log().clamp(min=-1e4))), 4)
        0.6931
    """

    share: float = 0.5

    def __post_init__(self) -> None:
        if not 0 < self.share < 1:
            raise ValueError(
                f"JensenShannon: share is {self.share}; it vanishes at 0 and at 1, so a number between them is needed; "
                "use ForwardKL() or ReverseKL() for the ends"
            )

    def __call__(self, student: torch.Tensor, teacher: torch.Tensor) -> torch.Tensor:
        mix = (student + log(1 - self.share)).logaddexp(teacher + log(self.share))
        own = (student.exp() * (student - mix)).sum(-1)
        return (1 - self.share) * own + self.share * (teacher.exp() * (teacher - mix)).sum(-1)


@dataclass(frozen=True)
class Mixture:
    """A weighted sum of divergences.

    Example:
        >>> import torch
        >>> p, q = torch.tensor([[0.75, 0.25]]), torch.tensor([[0.5, 0.5]])
        >>> round(float(Mixture(((0.5, ForwardKL()), (0.5, ReverseKL())))(p.log(), q.log())), 4)
        0.1373
    """

    parts: tuple[tuple[float, Divergence], ...]

    def __call__(self, student: torch.Tensor, teacher: torch.Tensor) -> torch.Tensor:
        total = student.sum(-1) * 0.0
        for weight, divergence in self.parts:
            total = total + weight * divergence(student, teacher)
        return total


@runtime_checkable
class Buckets(Protocol):
    """`buckets(logprob) -> logprob` of what is compared: k tokens made a distribution."""

    def __call__(self, logprob: torch.Tensor) -> torch.Tensor: ...


@dataclass(frozen=True)
class WithTail:
    """The k tokens and, in one bucket, all the others: a distribution that loses no mass.

    A divergence over buckets is at most that over the whole vocabulary, and equal to it where the k tokens
    are the vocabulary. The bucket holds 1e-6 at least in 32 bits (1e-12 in 64), where sums of probabilities round.

    Example:
        >>> import torch
        >>> [round(x, 4) for x in WithTail()(torch.tensor([[0.5, 0.25]]).log()).exp()[0].tolist()]
        [0.5, 0.25, 0.25]
    """

    def __call__(self, logprob: torch.Tensor) -> torch.Tensor:
        least = 1e-6 if logprob.dtype.itemsize == 4 else 1e-12
        rest = (1 - logprob.exp().sum(-1, keepdim=True)).clamp(min=0) + least
        out = logprob.new_empty(len(logprob), logprob.shape[1] + 1)
        out[:, :-1], out[:, -1:] = logprob, rest.log()
        return out


@dataclass(frozen=True)
class Renormalised:
    """The k tokens alone, brought to a sum of 1, and softened: softmax(logprob / temperature).

    With the whole vocabulary it is the distribution at that temperature. With fewer tokens what is outside
    them is not compared at all.

    Raises:
        ValueError: the temperature is not above 0.

    Example:
        >>> import torch
        >>> [round(x, 4) for x in Renormalised()(torch.tensor([[0.5, 0.125]]).log()).exp()[0].tolist()]
        [0.8, 0.2]
    """

    temperature: float = 1.0

    def __post_init__(self) -> None:
        if not self.temperature > 0:
            raise ValueError(f"Renormalised: temperature is {self.temperature}; a number above 0 is needed; 1 is none")

    def __call__(self, logprob: torch.Tensor) -> torch.Tensor:
        return (logprob / self.temperature).log_softmax(-1)


@dataclass(frozen=True)
class Distil(Measured):
    """A pull towards a teacher's next-token distribution.

        loss = weight * reduce(w * divergence(student, teacher)),   w = min(new / old, most), held fixed, or 1

    At each token of the stream, over the tokens of `stream.top`. The teacher is held fixed. No reward and no
    advantage enters.

    Args:
        divergence: `ForwardKL()`, `ReverseKL()`, `JensenShannon(share)`, or a `Mixture` of them.
        weight: how strong; 0 reports the distance and does not pull.
        buckets: how k tokens become a distribution.
        reduce: which tokens, steps and trajectories weigh the same.
        most: bounds the importance weight of tokens that an older policy sampled; None weighs them alike.
        name: the name of the measurement; its part of the loss is `NAME_loss`.

    Returns:
        `(loss, terms)`: `teacher_loss` is the loss, `teacher` the mean divergence over tokens, in nats.

    Raises:
        ColumnError: the stream has no `top`.

    Example:
        >>> import torch
        >>> from guerdon.objectives import Stream
        >>> from guerdon.objectives.stream import Top
        >>> lp, ids = torch.tensor([-0.5]), torch.tensor([0])
        >>> top = Top(torch.tensor([[0.5, 0.5]]).log(), torch.tensor([[0.75, 0.25]]).log())
        >>> loss, terms = Distil(ForwardKL(), buckets=Renormalised())(Stream.of(lp, lp, lp, ids, ids, top=top))
        >>> round(float(loss), 4)
        0.1308

    References:
        Hinton et al., Distilling the Knowledge in a Neural Network, 2015, arXiv:1503.02531.
        Agarwal et al., On-Policy Distillation of Language Models, 2023, arXiv:2306.13649.
    """

    divergence: Divergence = field(default_factory=ForwardKL)
    weight: float = 1.0
    buckets: Buckets = field(default_factory=WithTail)
    reduce: Reduce = field(default_factory=TokenMean)
    most: float | None = None
    name: str = "teacher"

    @property
    def needs(self) -> frozenset[str]:
        return frozenset({"top"})

    def __call__(self, stream: Stream) -> tuple[torch.Tensor, dict[str, torch.Tensor]]:
        if stream.top is None:
            raise ColumnError(
                "Distil: the stream has no top; Distil compares what student and teacher say of the same next tokens; "
                "build the stream with top=Top(logprob, teacher_logprob)"
            )
        student = self.buckets(_rows(stream.top.logprob, stream))
        teacher = self.buckets(_rows(stream.top.teacher_logprob.detach(), stream))
        distance = self.divergence(student, teacher)
        pull = distance
        if self.most is not None:
            pull = distance * stream.log_ratio().detach().exp().clamp(max=self.most)
        loss = self.weight * self.reduce(pull, stream)
        return loss, {f"{self.name}_loss": loss.detach(), self.name: stream.token_mean(distance)}


def _rows(logprob: torch.Tensor, stream: Stream) -> torch.Tensor:
    """Rows in at least 32 bits, finite, and the same at every dropped token."""
    x = logprob if logprob.dtype.itemsize >= 4 else logprob.float()
    dropped = stream.dropped
    x = x if dropped is None else x.masked_fill(dropped[:, None], FLOOR)
    return x.clamp(min=FLOOR)
