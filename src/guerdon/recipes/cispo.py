"""CISPO: bound the importance weight, not the update, so that no token falls out.

Paper       MiniMax, MiniMax-M1: Scaling Test-Time Compute Efficiently with Lightning Attention. 2025.
            arXiv:2506.13585.
Idea        A clip drops the tokens that move most, which are the rare ones that turn an argument. A
            bounded weight that is held fixed keeps them all.
Composes    grpo.CREDIT; Reinforce(Bounded(LOW, HIGH)), mean over tokens.

Symbols     w[t] = clip(new / old, 1 - LOW, 1 + HIGH), without gradient;  loss = -mean(w * A * logprob)

LOW = 1 is no lower bound, as in the paper; a weight of at most 1 + HIGH = 5.

Departures  The paper gives no upper bound; HIGH is what TRL's help recommends, after the ScaleRL paper.
            TRL's `epsilon_high` is the bound itself (5), and where it is not set the bound is `epsilon`,
            0.2; verl's `clip_ratio_high` is the distance from 1, as here, and 0.2 by default.
            Two more of the paper's parts are not here: dynamic sampling and a length penalty.

Example:
    >>> from guerdon.batch import Batch
    >>> batch = Batch.from_steps(group=[0, 0, 0], trajectory=[0, 0, 1], reward=[0.0, 1.0, 0.0])
    >>> RECIPE.credit(batch).values.round(3), 1 + RECIPE.objective.weight.high
    (array([ 0.707,  0.707, -0.707]), 5.0)
"""

from guerdon.credit import Std, centred, shuffled
from guerdon.objectives import Bounded, Reinforce, TokenMean, TokenRatio
from guerdon.recipes import grpo
from guerdon.recipes.base import Number, Recipe, with_control

LOW = 1.0  # UNVERIFIED: no lower bound; TRL has none
HIGH = 4.0  # UNVERIFIED: TRL's help on epsilon_high, 5.0 as the bound itself, after ScaleRL


def objective(low: float = LOW, high: float = HIGH) -> Reinforce:
    """The loss with other bounds."""
    return Reinforce(Bounded(low, high), ratio=TokenRatio(), reduce=TokenMean())


NOISE = shuffled(grpo.OUTCOME, across=True)
RECIPE = with_control(
    Recipe(
        name="cispo",
        title="CISPO",
        paper="MiniMax, MiniMax-M1, 2025, arXiv:2506.13585",
        idea="Bound the importance weight instead of the update, so every token keeps its gradient.",
        reward=grpo.OUTCOME,
        credit=grpo.CREDIT,
        objective=objective(),
        numbers={
            "LOW": Number(LOW, "UNVERIFIED", "no lower bound; TRL 1.16 has none"),
            "HIGH": Number(HIGH, "UNVERIFIED", "TRL's help on epsilon_high (5.0 is the bound itself), after ScaleRL"),
            "EPS": Number(grpo.EPS, "code", "as in grpo"),
        },
        baseline=grpo.RECIPE,
    ),
    "CISPO with outcomes shuffled over the plays of the batch",
    centred(NOISE, scale=Std(grpo.EPS)),
    reward=NOISE,
)
