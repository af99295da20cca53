"""GRPO: outcomes compared inside the group of one prompt, in units of their spread.

Paper       Shao et al., DeepSeekMath: Pushing the Limits of Mathematical Reasoning in Open
            Language Models. 2024. arXiv:2402.03300.
Idea        The other plays of a prompt replace the critic.
Composes    centred(outcome, scale=Std(EPS)); Clipped over tokens, mean per trajectory.

Symbols     A[i] = (R[i] - mean of the group) / (std of the group + EPS)

Departures  No KL term: the paper has beta = 0.04, TRL's default is 0. A group of one gets
            zero; in verl it keeps its raw reward.

Example:
    >>> from guerdon.batch import Batch
    >>> batch = Batch.from_steps(group=[0, 0, 0], trajectory=[0, 0, 1], reward=[0.0, 1.0, 0.0])
    >>> RECIPE.credit(batch).values.round(3)
    array([ 0.707,  0.707, -0.707])
"""

from guerdon.credit import Std, centred, shuffled
from guerdon.objectives import Clipped, SequenceMean, TokenRatio
from guerdon.recipes import rloo
from guerdon.recipes.base import Number, Recipe, with_control
from guerdon.rewards import fact

EPS = 1e-4  # code: TRL grpo_trainer.py, advantages / (std + 1e-4); verl has 1e-6
CLIP = 0.2  # code: TRL GRPOConfig.epsilon; verl actor.clip_ratio

OUTCOME = fact("outcome")
CREDIT = centred(OUTCOME, scale=Std(EPS))
OBJECTIVE = Clipped(low=CLIP, high=CLIP, ratio=TokenRatio(), reduce=SequenceMean())
RECIPE = with_control(
    Recipe(
        name="grpo",
        title="GRPO",
        paper="Shao et al., DeepSeekMath, 2024, arXiv:2402.03300",
        idea="The other plays of a prompt replace the critic.",
        reward=OUTCOME,
        credit=CREDIT,
        objective=OBJECTIVE,
        numbers={
            "EPS": Number(EPS, "code", "TRL 1.16 grpo_trainer.py; verl has 1e-6"),
            "CLIP": Number(CLIP, "code", "TRL GRPOConfig.epsilon, verl clip_ratio"),
        },
        baseline=rloo.RECIPE,
    ),
    "GRPO with outcomes shuffled over the plays of the batch",
    centred(shuffled(OUTCOME, across=True), scale=Std(EPS)),
    reward=shuffled(OUTCOME, across=True),
)
