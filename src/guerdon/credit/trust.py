"""How far later surprises count: from credit that is right and noisy towards credit that is sharp."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float, Int

from guerdon import segments

Array = np.ndarray
DOUBT = 8  # ours: plays of doubt; one group alone is half trusted
DECAYS = (0.0, 0.5, 0.8, 0.9, 0.95)  # ours: how fast later surprises may fade; 1 is what they are weighed against


def trusted(
    own: Float[Array, "n"],
    surprise: Float[Array, "n"],
    spread: Float[Array, "n"],
    cell: Int[Array, "n"],
    trajectory: Int[Array, "n"],
    decays: tuple[float, ...] = DECAYS,
) -> Float[Array, "n"]:
    """How far later surprises count: as little as the plays allow.

    Write full[i] for own[i] plus all later surprises of the play, and short[i] for own[i] plus
    later ones faded by `decay` a step. Full credit is right whatever the state key leaves out,
    and noisy; short credit is nearly free of noise, and wrong where the key leaves out what
    decides. Two questions are put to the plays:

        here    did the plays that took this action in this state meet later surprises beyond chance?
                z^2 = (sum of full - short in the cell)^2 / its variance;   keep[cell] = min(1, log(cells) / z^2)
        at all  which w in [0, plays / (plays + DOUBT)] and which decay have the least estimated squared
                error of the credit summed by cell (Stein's estimate, plays being the independent units)?

        A[i] = full[i] - w * keep[cell of i] * (full[i] - short[i])

    Args:
        own: the credit of each step without what comes later.
        surprise: the surprise of each step; what later steps hand back to earlier ones.
        spread: the variance of all surprises after a step that the pooled model expects.
        cell: what is tested and summed together: the action in its state.
        trajectory: the play of each step.
        decays: the fades that short credit is tried with.

    Returns:
        One credit a step.

    References:
        Stein, Estimation of the Mean of a Multivariate Normal Distribution, 1981.
    """
    plays = len(np.unique(trajectory))
    full = own + segments.to_go(surprise, trajectory) - surprise
    if plays < 2:
        return full
    sums = _Sums(cell, trajectory, plays)
    expected = sums.variance(spread)
    full_by_play = sums.by_play(full)
    full_by_cell = sums.by_cell(full_by_play)
    threshold = np.log(max(sums.shared, 2))
    best, out, most = 0.0, full, plays / (plays + DOUBT)
    for decay in decays:
        short = own + segments.to_go(surprise, trajectory, decay) - surprise
        by_play = sums.by_play(full - short)
        by_cell = sums.by_cell(by_play)
        variance = np.maximum(expected, sums.by_cell(by_play**2) / plays)
        keep = np.minimum(1.0, threshold * variance / np.maximum(by_cell**2, 1e-300))
        kept = keep * by_cell
        # Stein: E|full - w kept - g|^2 = const - 2 w (cov of full and kept) + w^2 |kept|^2
        shared = ((full_by_play * by_play * keep[sums.cell_of]).sum() / plays - full_by_cell @ kept) / (plays - 1)
        size = kept @ kept
        w = min(max(shared / size, 0.0), most) if size > 0 else most  # by cell the two are the same
        risk = w * w * size - 2 * w * shared
        if risk < best:
            best, out = risk, full - w * keep[cell] * (full - short)
    return out


class _Sums:
    """Sums of a number over the visits of a play to a cell, and means over plays."""

    def __init__(self, cell: Array, trajectory: Array, plays: int) -> None:
        self.plays, self.cells = plays, int(cell.max(initial=-1)) + 1
        pair = trajectory * self.cells + cell
        unique, self.pair = np.unique(pair, return_inverse=True)
        self.cell_of = unique % max(self.cells, 1)
        self.shared = int((np.bincount(self.cell_of, minlength=self.cells) > 1).sum())
        order = np.argsort(self.pair, kind="stable")
        self.visit = np.empty(len(pair), np.int64)
        self.visit[order] = segments.position(self.pair[order])
        self.cell = cell

    def by_play(self, x: Array) -> Array:
        """The sum over the visits of each play to each cell."""
        return np.bincount(self.pair, weights=x, minlength=len(self.cell_of))

    def by_cell(self, per_play: Array) -> Array:
        """The mean over all plays of such sums, by cell."""
        return np.bincount(self.cell_of, weights=per_play, minlength=self.cells) / self.plays

    def variance(self, spread: Array) -> Array:
        """The variance of the mean by cell of all surprises after a step, if surprises are without memory.

        Later visits of one play share what comes after them: var of a sum over visits = sum of (2 k - 1) spread[k].
        """
        return np.bincount(self.cell, weights=(2 * self.visit + 1) * spread, minlength=self.cells) / self.plays**2
