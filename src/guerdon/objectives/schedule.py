"""An objective whose weight follows a schedule."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from guerdon.objectives.base import Objective, Operators, Scaled, Unit
from guerdon.objectives.stream import Stream
from guerdon.schedule import Schedule

if TYPE_CHECKING:
    import torch


@dataclass(frozen=True)
class Scheduled(Operators):
    """An objective times a number that changes over the run.

        loss = schedule(stream.iteration) * objective(stream)

    Its parts scale with the number; measurements stay as they are.

    Example:
        >>> import torch
        >>> from guerdon.objectives import Imitate, Linear, Stream
        >>> lp, ids = torch.tensor([-1.0, -3.0]), torch.tensor([0, 0])
        >>> fading = Scheduled(Imitate(), Linear(1.0, 0.0, over=4))
        >>> float(fading(Stream.of(lp, lp, lp, ids, ids, iteration=1))[0])
        1.5
    """

    objective: Objective
    schedule: Schedule

    @property
    def needs(self) -> frozenset[str]:
        """What its objective reads."""
        return self.objective.needs

    @property
    def parts(self) -> tuple[str, ...]:
        """Names of the terms that add up to the loss."""
        return self.objective.parts

    @property
    def reports(self) -> tuple[str, ...]:
        """Names of all its terms."""
        return self.objective.reports

    @property
    def whole(self) -> Unit:
        """The unit that must not be split between micro-batches."""
        return self.objective.whole

    def __call__(self, stream: Stream) -> tuple[torch.Tensor, dict[str, torch.Tensor]]:
        return Scaled(self.objective, self.schedule(stream.iteration))(stream)
