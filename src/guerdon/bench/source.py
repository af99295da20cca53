"""Independent batches of plays that grow: at each level of budget every batch keeps its plays and gets more."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, fields

import numpy as np

from guerdon.bench.sample import Plays

Array = np.ndarray
BLOCK = 1 << 19  # steps that are sampled in one go
Sample = Callable[[int, np.random.Generator], Plays]  # so many groups


@dataclass(frozen=True)
class Level:
    """A budget of the grid.

    Attributes:
        budget: 2^(k/2) environment steps.
        groups: how many whole groups come nearest to it on average.
        fresh: how many of them are new at this level.
    """

    budget: float
    groups: int
    fresh: int


def levels(per_group: float, most: float) -> list[Level]:
    """The grid of budgets from one group on, each sqrt 2 of the one before; each number of groups once.

    Args:
        per_group: the mean environment steps of a group.
        most: the largest budget.

    Example:
        >>> [level.groups for level in levels(100.0, 800.0)]
        [1, 2, 3, 4, 5, 7]
    """
    k, out, before = max(0, round(2 * np.log2(per_group))), [], 0
    while 2 ** (k / 2) <= most * (1 + 1e-9) or not out:
        groups = max(1, round(2 ** (k / 2) / per_group))
        if groups > before:
            out.append(Level(2 ** (k / 2), groups, groups - before))
            before = groups
        k += 1
    return out


@dataclass
class Source:
    """Samples the batches of every level, the same ones whenever they are asked for.

    The new plays of level k are drawn in blocks of whole batches, each block from a generator of its own, so
    what is too large to keep can be drawn again.

    Attributes:
        sample: draws groups of plays.
        grid: the levels.
        batches: how many batches there are.
        per_group: mean environment steps of a group.
        seed: numbers that the generators begin from.
    """

    sample: Sample
    grid: list[Level]
    batches: int
    per_group: float
    seed: tuple[int, ...]
    _kept: dict[int, tuple[int, Plays]] = field(default_factory=dict)

    def blocks(self, level: int) -> list[tuple[int, int]]:
        """The batches of each block of a level, as first and one past the last."""
        total = self.batches * self.grid[level].fresh * self.per_group
        bounds = np.linspace(0, self.batches, min(self.batches, int(total // BLOCK) + 1) + 1).astype(int)
        return list(zip(bounds[:-1].tolist(), bounds[1:].tolist(), strict=True))

    def fresh(self, level: int) -> Iterator[tuple[int, int, Plays]]:
        """The new plays of a level: first batch, one past the last, and their plays, batch by batch."""
        for number, (first, last) in enumerate(self.blocks(level)):
            yield first, last, self._block(level, number)

    def whole(self, level: int, batch: int) -> Plays:
        """All plays of one batch up to a level."""
        return joined([self._of(k, batch) for k in range(level + 1)])

    def _of(self, level: int, batch: int) -> Plays:
        at = self.blocks(level)
        number = next(i for i, (_, last) in enumerate(at) if batch < last)
        plays, size = self._block(level, number), self.grid[level].fresh
        begin = (batch - at[number][0]) * size
        first, last = np.searchsorted(plays.group, [begin, begin + size])
        return plays.part(int(first), int(last))

    def _block(self, level: int, number: int) -> Plays:
        kept = self._kept.get(level)
        if kept is None or kept[0] != number:
            first, last = self.blocks(level)[number]
            rng = np.random.default_rng([*self.seed, level, number])
            kept = self._kept[level] = number, self.sample((last - first) * self.grid[level].fresh, rng)
        return kept[1]


def joined(parts: list[Plays]) -> Plays:
    """Plays one after the other; groups, plays and nodes are numbered on."""
    offsets = dict.fromkeys(("group", "trajectory", "node"), 0)
    out: dict[str, list[Array]] = {}
    for part in parts:
        for name in (f.name for f in fields(part)):
            values = getattr(part, name)
            if values is None:
                continue
            if name in offsets:
                values = values + offsets[name]
                offsets[name] = int(values.max(initial=offsets[name] - 1)) + 1
            out.setdefault(name, []).append(values)
    return Plays(**{name: np.concatenate(values) for name, values in out.items()})
