"""SSL: a verdict plus a small bonus for how near the play came, cut into zones.

Paper       SSL: Sweet Spot Learning for Differentiated Guidance in Agentic Optimization. 2026.
            arXiv:2601.22491.
Idea        Groups without a success still have better and worse plays; zones keep small, noisy differences
            from counting, and the bonus is too small to outrank a success.
Composes    centred(outcome + ALPHA * tiers(final(progress), quartiles), scale=Std(EPS)).

Symbols     S = 0, 1/4, 1/2, 3/4 or 1: the quartile that the final progress reaches
            R = outcome + ALPHA * S,   ALPHA < 1: every success is worth more than any failure

Departures  ALPHA is ours; the paper asks that it be small. The nearness is the final progress; for clicks the paper
            takes a Gaussian around the target. Where scores are noisy in [0, 1] we measured no gain of zones
            over the score itself; `credit(NEARNESS)` is that arm.

Example (two failures in one zone, one in a higher one):
    >>> from guerdon.batch import Batch, Column
    >>> batch = Batch.from_steps(group=[0] * 3, trajectory=[0, 1, 2], reward=[0.0, 0.0, 0.0])
    >>> batch = batch.with_columns(progress=Column.of("step", [0.25, 0.375, 0.5]))
    >>> RECIPE.reward(batch).values
    array([0.125, 0.125, 0.25 ])
"""

from guerdon.credit import Credit, Std, centred, shuffled
from guerdon.recipes import grpo
from guerdon.recipes.base import Number, Recipe, with_control
from guerdon.rewards import Term, fact, final, tiers

ALPHA = 0.5  # ours: below 1, as the paper asks
ZONES = 4  # UNVERIFIED: public reading notes, best in the paper's ablation

OUTCOME = fact("outcome")
NEARNESS = final(fact("progress"))


def zoned(nearness: Term = NEARNESS, zones: int = ZONES) -> Term:
    """A nearness in [0, 1] cut down to the zone that it reaches."""
    edges = [k / zones for k in range(1, zones + 1)]
    return tiers(nearness, at=edges, values=[0.0, *edges])


def reward(near: Term, alpha: float = ALPHA) -> Term:
    """The worth of a play under another nearness, in zones or as it is."""
    return OUTCOME + alpha * near


def credit(near: Term, alpha: float = ALPHA) -> Credit:
    """The advantage of it."""
    return centred(reward(near, alpha), scale=Std(grpo.EPS))


RECIPE = with_control(
    Recipe(
        name="ssl",
        title="SSL, sweet spot learning",
        paper="SSL: Sweet Spot Learning for Differentiated Guidance in Agentic Optimization, 2026, arXiv:2601.22491",
        idea="Add to the verdict a small bonus for how near a play came, cut into zones.",
        reward=reward(zoned()),
        credit=credit(zoned()),
        objective=grpo.OBJECTIVE,
        numbers={
            "ALPHA": Number(ALPHA, "ours", "below 1, so that a success outranks every failure"),
            "ZONES": Number(ZONES, "UNVERIFIED", "public reading notes"),
            "EPS": Number(grpo.EPS, "code", "as in grpo"),
            "CLIP": Number(grpo.CLIP, "code", "as in grpo"),
        },
        told="milestones",
        needs=("outcome", "progress"),
        baseline=grpo.RECIPE,
    ),
    "SSL with the zones shuffled over the plays of the group",
    credit(shuffled(zoned())),
    reward=reward(shuffled(zoned())),
)
