"""SLATE's variance ratio with the division by the spread that the method has."""

from __future__ import annotations

from guerdon.bench.claims.base import Claim, Effort, Result
from guerdon.bench.claims.slate import CANDIDATES, STAGES, STD, ratios


def run(seed: int, effort: Effort) -> Result:
    """Both sides in z-scores."""
    return ratios(seed, effort, STD, f"T = {STAGES}, {CANDIDATES} samples a step, equal steps sampled; both sides are "
                  "divided by their group's std, as published. A z-score has one size whatever the noise is, so "
                  "what is "
                  "gained shows in variance / squared mean and not in the variance; holds from T / 2 on.")  # fmt: skip


CLAIM = Claim(
    "slate-std", "the same in z-scores, as published",
    "SLATE: Truncated Step-Level Sampling with Process Rewards for Retrieval-Augmented Reasoning",
    "The advantage as published, divided by the std of the candidates, has up to T times less variance.",
    run,
)  # fmt: skip
