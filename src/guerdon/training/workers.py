"""Several processes, one a device: each plays its share of the groups, and gradients are added up.

Started by `accelerate launch`; alone, everything here does nothing. Gradients are summed by
hand rather than by a wrapper around the model, because every process has its own number of
forward passes.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from typing import Any

import torch


class Workers:
    """The processes of a run.

    Attributes:
        rank: which one this is; 0 writes the folder.
        count: how many there are.
        device: what this one computes on.
    """

    def __init__(self) -> None:
        self.rank, self.count = 0, 1
        self.device = "cuda" if torch.cuda.is_available() else "cpu"
        if int(os.environ.get("WORLD_SIZE", "1")) > 1:
            from accelerate import PartialState

            state = PartialState(cpu=not torch.cuda.is_available())
            self.rank, self.count, self.device = state.process_index, state.num_processes, str(state.device)

    @property
    def first(self) -> bool:
        """True for the one that writes."""
        return self.rank == 0

    def share(self, items: list, size: int = 1) -> list:
        """This process's part of a list, dealt out in blocks of `size`.

        Example:
            >>> Workers().share([1, 2, 3])
            [1, 2, 3]
        """
        blocks = [items[i : i + size] for i in range(0, len(items), size)]
        return [x for block in blocks[self.rank :: self.count] for x in block]

    def add(self, numbers: Mapping[str, float]) -> dict[str, float]:
        """Sums of these numbers over all processes; every process must name the same ones."""
        if self.count == 1:
            return dict(numbers)
        names = sorted(numbers)
        total = torch.tensor([float(numbers[n]) for n in names], dtype=torch.float64, device=self.device)
        torch.distributed.all_reduce(total)
        return dict(zip(names, total.tolist(), strict=True))

    def add_gradients(self, parameters: Iterable[Any]) -> None:
        """Replaces every gradient by its sum over all processes."""
        if self.count == 1:
            return
        for p in parameters:
            if p.grad is None:
                p.grad = torch.zeros_like(p)
            torch.distributed.all_reduce(p.grad)

    @torch.no_grad()
    def average(self, parameters: Iterable[Any]) -> None:
        """Replaces every parameter by its mean over all processes."""
        if self.count == 1:
            return
        for p in parameters:
            torch.distributed.all_reduce(p)
            p /= self.count

    def wait(self) -> None:
        """Until all are here."""
        if self.count > 1:
            torch.distributed.barrier()
