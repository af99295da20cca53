"""SAPO: a gate that closes smoothly in place of a clip with an edge.

Paper       Soft Adaptive Policy Optimization. 2025. arXiv:2511.20347.
Idea        A token that leaves the trust region loses its pull by degrees, and sooner where its credit is
            negative, because pushing a token down spreads its mass over all others.
Composes    grpo.CREDIT; SoftClipped(POSITIVE, NEGATIVE), mean over trajectories.

Symbols     s[t] = (4 / T) * sigmoid(T * (r - 1)) * A,   T = POSITIVE where A > 0, NEGATIVE elsewhere

At r = 1 it is the policy gradient; its pull at a ratio of 2 is 1.6 times that, at 10 it is 0.005 times.

Departures  None known in the loss: TRL and verl have it so. The paper was not read, its code neither.

Example:
    >>> from guerdon.batch import Batch
    >>> batch = Batch.from_steps(group=[0, 0, 0], trajectory=[0, 0, 1], reward=[0.0, 1.0, 0.0])
    >>> RECIPE.credit(batch).values.round(3), RECIPE.objective.whole
    (array([ 0.707,  0.707, -0.707]), 'token')
"""

from guerdon.credit import Std, centred, shuffled
from guerdon.objectives import SequenceMean, SoftClipped, TokenRatio
from guerdon.recipes import grpo
from guerdon.recipes.base import Number, Recipe, with_control

POSITIVE = 1.0  # code: TRL sapo_temperature_pos, verl tau_pos
NEGATIVE = 1.05  # code: TRL sapo_temperature_neg, verl tau_neg


def objective(positive: float = POSITIVE, negative: float = NEGATIVE) -> SoftClipped:
    """The loss with other temperatures."""
    return SoftClipped(positive, negative, ratio=TokenRatio(), reduce=SequenceMean())


NOISE = shuffled(grpo.OUTCOME, across=True)
RECIPE = with_control(
    Recipe(
        name="sapo",
        title="SAPO",
        paper="Soft Adaptive Policy Optimization, 2025, arXiv:2511.20347",
        idea="Let go of tokens outside the trust region by degrees, and of those pushed down sooner.",
        reward=grpo.OUTCOME,
        credit=grpo.CREDIT,
        objective=objective(),
        numbers={
            "POSITIVE": Number(POSITIVE, "code", "TRL sapo_temperature_pos, verl tau_pos"),
            "NEGATIVE": Number(NEGATIVE, "code", "TRL sapo_temperature_neg, verl tau_neg"),
            "EPS": Number(grpo.EPS, "code", "as in grpo"),
        },
        baseline=grpo.RECIPE,
    ),
    "SAPO with outcomes shuffled over the plays of the batch",
    centred(NOISE, scale=Std(grpo.EPS)),
    reward=NOISE,
)
