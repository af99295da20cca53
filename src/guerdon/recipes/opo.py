"""OPO: the baseline of least variance, which is the mean weighted by length.

Paper       Hao et al., On-Policy RL with Optimal Reward Baseline. 2025. arXiv:2505.23585.
Idea        A longer play has a longer gradient, so it has a larger say in the baseline.
Composes    centred(outcome, weight=LENGTH); Clipped over tokens.

Symbols     b    = sum over the group of l[j] R[j] / sum of l[j],   l the tokens that were sampled
            A[i] = R[i] - b

Departures  The squared norm of a play's gradient is taken to grow with its length, as in the paper and in verl.
            The paper trains exactly on policy and without a clip; the clip here does nothing on the first
            update. A group of one gets zero; in verl it keeps its raw reward. In a batch without
            tokens the length is the number of steps.

Example (lengths 3 and 1, so b = 3/4):
    >>> from guerdon.batch import Batch
    >>> steps = {"group": [0, 0], "trajectory": [0, 1], "reward": [1.0, 0.0]}
    >>> RECIPE.credit(Batch.from_steps(**steps, tokens_per_step=[3, 1])).values
    array([ 0.25, -0.75])
"""

from guerdon.credit import LENGTH, Credit, centred, shuffled
from guerdon.recipes import grpo, rloo
from guerdon.recipes.base import Number, Recipe, with_control
from guerdon.rewards import Term, fact

OUTCOME = fact("outcome")


def credit(length: Term = LENGTH) -> Credit:
    """The advantage under another measure of length; with one that is constant it is GRPO's without the spread."""
    return centred(OUTCOME, weight=length)


RECIPE = with_control(
    Recipe(
        name="opo",
        title="OPO",
        paper="Hao et al., On-Policy RL with Optimal Reward Baseline, 2025, arXiv:2505.23585",
        idea="Weigh the group's baseline by the length of its plays.",
        reward=OUTCOME,
        credit=credit(),
        objective=rloo.RECIPE.objective,
        numbers={"CLIP": Number(rloo.CLIP, "code", "as in rloo")},
        needs=("outcome", "sampled"),
        baseline=grpo.RECIPE,
    ),
    "OPO with the lengths shuffled over the plays of the group",
    credit(shuffled(LENGTH)),
)
