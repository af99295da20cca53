"""How one number per token becomes one loss: which tokens, steps and trajectories weigh the same.

Each reduction is a plain weighted sum whose divisors are totals of the whole optimiser step.
So the results of any split into micro-batches add up to the result of the whole.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol, runtime_checkable

from guerdon.errors import ColumnError
from guerdon.objectives.stream import Stream

if TYPE_CHECKING:
    import torch


@runtime_checkable
class Reduce(Protocol):
    """`reduce(x, stream) -> scalar`, linear in `x`, one entry per token of the stream."""

    def __call__(self, x: torch.Tensor, stream: Stream) -> torch.Tensor: ...


@dataclass(frozen=True)
class TokenMean:
    """Every token weighs the same, so a long trajectory weighs more than a short one.

        sum(w * x) / tokens

    Elsewhere:
        TRL   loss_type="dapo" (and "bnpo", with the tokens of one micro-batch as divisor)
        verl  "token-mean"

    Example:
        >>> import torch
        >>> from guerdon.objectives import Stream
        >>> lp, ids = torch.zeros(3), torch.tensor([0, 0, 1])
        >>> s = Stream.of(lp, lp, lp, step=ids, sequence=ids)
        >>> round(float(TokenMean()(torch.tensor([1.0, 1.0, 4.0]), s)), 3)
        2.0
    """

    def __call__(self, x: torch.Tensor, stream: Stream) -> torch.Tensor:
        return weighted(x, stream).sum() / max(stream.tokens, 1)


@dataclass(frozen=True)
class SequenceMean:
    """Every trajectory weighs the same, so a token of a short one weighs more.

        (1 / sequences) * sum over trajectories of (sum of w * x in it / tokens in it)

    Elsewhere:
        TRL   loss_type="grpo"
        verl  "seq-mean-token-mean", which adds 1e-8 to the tokens of each trajectory

    Reference:
        Shao et al., DeepSeekMath, 2024, arXiv:2402.03300.

    Example:
        >>> import torch
        >>> from guerdon.objectives import Stream
        >>> lp, ids = torch.zeros(3), torch.tensor([0, 0, 1])
        >>> s = Stream.of(lp, lp, lp, step=ids, sequence=ids)
        >>> float(SequenceMean()(torch.tensor([1.0, 1.0, 4.0]), s))
        2.5
    """

    def __call__(self, x: torch.Tensor, stream: Stream) -> torch.Tensor:
        length = stream.tokens_of_sequence.index_select(0, stream.sequence).clamp(min=1)
        return (weighted(x, stream) / length).sum() / max(stream.sequences, 1)


@dataclass(frozen=True)
class StepMean:
    """Every step weighs the same: a step is one decision, however many tokens it takes to say it.

        (1 / steps) * sum over steps of (sum of w * x in it / tokens in it)

    Raises:
        ColumnError: the stream has no `tokens_of_step`.

    Example:
        >>> import torch
        >>> from guerdon.objectives import Stream
        >>> lp, ids = torch.zeros(3), torch.tensor([0, 0, 1])
        >>> s = Stream.of(lp, lp, lp, step=ids, sequence=torch.zeros(3, dtype=torch.long))
        >>> float(StepMean()(torch.tensor([1.0, 1.0, 4.0]), s))
        2.5
    """

    def __call__(self, x: torch.Tensor, stream: Stream) -> torch.Tensor:
        length = per_step(stream, "StepMean").index_select(0, stream.step).clamp(min=1)
        return (weighted(x, stream) / length).sum() / max(stream.steps, 1)


@dataclass(frozen=True)
class ConstantLength:
    """Divides by a constant, so the weight of a token depends on no length at all.

        sum(w * x) / (sequences * length)

    Args:
        length: the constant; None takes `stream.longest`.

    Elsewhere:
        TRL   loss_type="dr_grpo", with the largest completion length; "luspo" is `ConstantLength(1)`
        verl  "seq-mean-token-sum-norm", with `loss_scale_factor`; "seq-mean-token-sum" is `ConstantLength(1)`

    Reference:
        Liu et al., Understanding R1-Zero-Like Training, 2025, arXiv:2503.20783.

    Example:
        >>> import torch
        >>> from guerdon.objectives import Stream
        >>> lp, ids = torch.zeros(3), torch.tensor([0, 0, 1])
        >>> s = Stream.of(lp, lp, lp, step=ids, sequence=ids)
        >>> float(ConstantLength()(torch.tensor([1.0, 1.0, 4.0]), s))
        1.5
    """

    length: int | None = None

    def __call__(self, x: torch.Tensor, stream: Stream) -> torch.Tensor:
        length = stream.longest if self.length is None else self.length
        return weighted(x, stream).sum() / max(stream.sequences * length, 1)


@dataclass(frozen=True)
class ConstantCount:
    """Divides by a number that is given: neither tokens nor trajectories of the step change the weight of a token.

        sum(w * x) / count

    For a host that counts itself, over several optimiser steps say, or over the plays that it asked for
    rather than those that came back.

    Args:
        count: the number; 1 takes the sum.

    Elsewhere:
        verl  "token-sum" is `ConstantCount(1)`

    Raises:
        ValueError: the count is not above zero.

    Example:
        >>> import torch
        >>> from guerdon.objectives import Stream
        >>> lp, ids = torch.zeros(3), torch.tensor([0, 0, 1])
        >>> s = Stream.of(lp, lp, lp, step=ids, sequence=ids)
        >>> float(ConstantCount(12)(torch.tensor([1.0, 1.0, 4.0]), s))
        0.5
    """

    count: float | int

    def __post_init__(self) -> None:
        if not self.count > 0:
            raise ValueError(
                f"ConstantCount: count is {self.count}; it divides, so it must be above 0; "
                "give the number of tokens or of plays that the step is to be divided by"
            )

    def __call__(self, x: torch.Tensor, stream: Stream) -> torch.Tensor:
        return weighted(x, stream).sum() / self.count


def weighted(x: torch.Tensor, stream: Stream) -> torch.Tensor:
    """`x` times the weights of the stream; exactly zero where a token is dropped, whatever `x` is."""
    x = stream.clean(x)
    return x if stream.weight is None else x * stream.weight


def per_step(stream: Stream, asker: str) -> torch.Tensor:
    """`tokens_of_step`, or a sentence that says who needs it."""
    if stream.tokens_of_step is None:
        raise ColumnError(
            f"{asker}: the stream has no tokens_of_step; {asker} averages over the tokens of a step; "
            "build the stream with tokens_of_step=, one count per step id"
        )
    return stream.tokens_of_step
