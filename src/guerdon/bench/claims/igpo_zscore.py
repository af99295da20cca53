"""IGPO's invariance lost again by z-scores, in the form that is closed at the end."""

from __future__ import annotations

from guerdon.bench.claims.base import Claim, Effort, Result
from guerdon.bench.claims.igpo import audit


def run(seed: int, effort: Effort) -> Result:
    """The closed form in z-scores against the closed form compared as returns."""
    found = audit(seed, effort)
    figure, control = found.pop("moved, closed, z-scores"), found.pop("moved, closed, returns compared")
    return Result(
        figure, control, figure.above(control), tuple(found.values()),
        "Share of tasks whose learned plan is not the one of the best outcome. Turn rewards that are made "
        "z-scores before they are summed lose T times their mean over a play of T turns: a price or a prize on "
        "length. Holds if z-scores move more than returns compared without a scale.",
    )  # fmt: skip


CLAIM = Claim(
    "igpo-zscore", "z-scores of turn rewards undo the invariance",
    "Information Gain-based Policy Optimization: A Simple and Effective Approach for Multi-Turn LLM Agents",
    "Turn rewards are normalised over all turns of the group before they are summed. The paper says nothing "
    "against the goal in that; we expect it to move the best plan, also for a reward that is closed "
    "at the end.",
    run,
)  # fmt: skip
