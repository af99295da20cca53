"""Dr. GRPO: GRPO without the two divisions that weigh plays unevenly.

Paper       Liu et al., Understanding R1-Zero-Like Training: A Critical Perspective. 2025.
            arXiv:2503.20783.
Idea        Dividing by the group's spread favours prompts that are nearly decided, dividing
            by a play's length favours long failures; so do neither.
Composes    centred(outcome); Clipped over tokens, divided by a constant length.

Symbols     A[i] = R[i] - mean of the group

Departures  A group of one gets zero. The constant length is the longest trajectory of the
            optimiser step; TRL takes the largest completion length allowed.

Example:
    >>> from guerdon.batch import Batch
    >>> batch = Batch.from_steps(group=[0, 0, 0], trajectory=[0, 0, 1], reward=[0.0, 1.0, 0.0])
    >>> RECIPE.credit(batch).values
    array([ 0.5,  0.5, -0.5])
"""

from guerdon.credit import at_size_of, centred
from guerdon.objectives import Clipped, ConstantLength, TokenRatio
from guerdon.recipes import grpo
from guerdon.recipes.base import Number, Recipe, with_control
from guerdon.rewards import fact

CLIP = 0.2  # code: TRL GRPOConfig.epsilon

CREDIT = centred(fact("outcome"))
RECIPE = with_control(
    Recipe(
        name="dr-grpo",
        title="Dr. GRPO",
        paper="Liu et al., Understanding R1-Zero-Like Training, 2025, arXiv:2503.20783",
        idea="Divide neither by the group's spread nor by the play's own length.",
        reward=fact("outcome"),
        credit=CREDIT,
        objective=Clipped(low=CLIP, high=CLIP, ratio=TokenRatio(), reduce=ConstantLength()),
        numbers={"CLIP": Number(CLIP, "code", "TRL GRPOConfig.epsilon")},
        baseline=grpo.RECIPE,
    ),
    "Dr. GRPO's direction at GRPO's size",
    at_size_of(CREDIT, grpo.CREDIT),
)
