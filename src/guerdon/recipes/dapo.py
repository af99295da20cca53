"""DAPO: GRPO's comparison with the groups that agree left out, and more room upwards than down.

Paper       Yu et al., DAPO: An Open-Source LLM Reinforcement Learning System at Scale. 2025.
            arXiv:2503.14476.
Idea        Groups that say nothing do not count, every token weighs the same, and an unlikely
            token may rise further than a likely one may fall.
Composes    alive(centred(outcome, scale=Std(EPS))); Clipped over tokens with two bounds, mean over tokens.

Symbols     A[i] = (R[i] - mean of the group) / (std of the group + EPS), dropped in groups that agree
            ratio in [1 - LOW, 1 + HIGH]

Departures  Dynamic sampling is its half that the loss sees: a group that agrees is dropped from
            the mean over tokens, and no other prompt is drawn in its place. The penalty for
            overlong answers is a reward of the rollout, which is not here.

Example (the second group agrees, so only the first is trained on):
    >>> from guerdon.batch import Batch
    >>> batch = Batch.from_steps(group=[0, 0, 1, 1], trajectory=[0, 1, 2, 3], reward=[1.0, 0.0, 1.0, 1.0])
    >>> RECIPE.credit(batch).values.round(3), RECIPE.credit(batch).valid
    (array([ 0.707, -0.707,  0.   ,  0.   ]), array([ True,  True, False, False]))
"""

from guerdon.credit import Credit, Std, alive, centred, shuffled
from guerdon.objectives import Clipped, TokenMean, TokenRatio
from guerdon.recipes import grpo
from guerdon.recipes.base import Number, Recipe, with_control
from guerdon.rewards import Term, fact

EPS = 1e-4  # code: TRL grpo_trainer.py; verl has 1e-6
LOW = 0.2  # code: TRL GRPOConfig.epsilon, verl clip_ratio_low
HIGH = 0.28  # UNVERIFIED: what TRL's help on epsilon_high says that the paper recommends

OUTCOME = fact("outcome")


def credit(outcome: Term = OUTCOME, eps: float = EPS) -> Credit:
    """The advantage of another outcome."""
    return alive(centred(outcome, scale=Std(eps)))


RECIPE = with_control(
    Recipe(
        name="dapo",
        title="DAPO",
        paper="Yu et al., DAPO, 2025, arXiv:2503.14476",
        idea="Leave out groups that agree, weigh every token the same, and clip less upwards.",
        reward=OUTCOME,
        credit=credit(),
        objective=Clipped(low=LOW, high=HIGH, ratio=TokenRatio(), reduce=TokenMean()),
        numbers={
            "EPS": Number(EPS, "code", "TRL 1.16 grpo_trainer.py; verl has 1e-6"),
            "LOW": Number(LOW, "code", "TRL GRPOConfig.epsilon, verl clip_ratio_low"),
            "HIGH": Number(HIGH, "UNVERIFIED", "TRL's help on epsilon_high names it as the paper's"),
        },
        baseline=grpo.RECIPE,
    ),
    "DAPO with outcomes shuffled over the plays of the batch",
    credit(shuffled(OUTCOME, across=True)),
    reward=shuffled(OUTCOME, across=True),
)
