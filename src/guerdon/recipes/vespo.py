"""VESPO: the exact importance weight of a whole answer, damped where it says little.

Paper       VESPO: Variational Sequence-Level Soft Policy Optimization. 2026. arXiv:2602.10693.
Idea        The weight that corrects for stale data is the ratio of whole answers, without a mean over
            their length; a gamma-shaped damping keeps its spread in bounds.
Composes    grpo.CREDIT; Reinforce(BySign(Gamma(..), Gamma(..)), SequenceProduct()), mean over tokens.

Symbols     r = product over the tokens of an answer of new / old
            w = e^l * r^k * e^(-l * r), without gradient; (k, l) = (POWER, DECAY) by the sign of A
            loss = -mean(w * A * logprob)

The weight is 1 at r = 1 and never above 1.21 where A > 0, 1.24 where A < 0.

Departures  No code of the paper was read; the constants are TRL's. TRL bounds the log-ratio of each token
            at 20 and then their sum, we the sum alone.

Example (positive credit: the peak lies at r = 2/3, negative: at 3/2):
    >>> w = RECIPE.objective.weight
    >>> round(w.positive.power / w.positive.decay, 3), w.negative.power / w.negative.decay
    (0.667, 1.5)
"""

from guerdon.credit import Std, centred, shuffled
from guerdon.objectives import BySign, Gamma, Reinforce, SequenceProduct, TokenMean
from guerdon.recipes import grpo
from guerdon.recipes.base import Number, Recipe, with_control

RIGHT_POWER = 2.0  # code: TRL vespo_k_pos
RIGHT_DECAY = 3.0  # code: TRL vespo_lambda_pos
WRONG_POWER = 3.0  # code: TRL vespo_k_neg
WRONG_DECAY = 2.0  # code: TRL vespo_lambda_neg


def objective(
    right: tuple[float, float] = (RIGHT_POWER, RIGHT_DECAY), wrong: tuple[float, float] = (WRONG_POWER, WRONG_DECAY)
) -> Reinforce:
    """The loss with other (power, decay) for positive and for negative credit."""
    return Reinforce(BySign(Gamma(*right), Gamma(*wrong)), ratio=SequenceProduct(), reduce=TokenMean())


NOISE = shuffled(grpo.OUTCOME, across=True)
RECIPE = with_control(
    Recipe(
        name="vespo",
        title="VESPO",
        paper="VESPO, 2026, arXiv:2602.10693",
        idea="Weigh an answer by its exact importance ratio, damped smoothly on both sides.",
        reward=grpo.OUTCOME,
        credit=grpo.CREDIT,
        objective=objective(),
        numbers={
            "RIGHT_POWER": Number(RIGHT_POWER, "code", "TRL vespo_k_pos"),
            "RIGHT_DECAY": Number(RIGHT_DECAY, "code", "TRL vespo_lambda_pos"),
            "WRONG_POWER": Number(WRONG_POWER, "code", "TRL vespo_k_neg"),
            "WRONG_DECAY": Number(WRONG_DECAY, "code", "TRL vespo_lambda_neg"),
            "EPS": Number(grpo.EPS, "code", "as in grpo"),
        },
        baseline=grpo.RECIPE,
    ),
    "VESPO with outcomes shuffled over the plays of the batch",
    centred(NOISE, scale=Std(grpo.EPS)),
    reward=NOISE,
)
