"""Imitation: the sampled tokens themselves become more likely, whatever they were worth."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from guerdon.objectives.base import Operators, Unit
from guerdon.objectives.reduce import Reduce, TokenMean
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
