"""GPG: the plain policy gradient, with the groups that say nothing taken out of the mean.

Paper       Chu et al., GPG: A Simple and Strong Reinforcement Learning Baseline for Model
            Reasoning. 2025. arXiv:2504.02546.
Idea        No clip, no KL, no spread; only correct the mean for plays whose group has no gradient.
Composes    (1 / F_NORM) * rescaled(centred(outcome), over="trajectory"); Reinforce, mean over tokens.

Symbols     A[i] = alpha * (R[i] - mean of the group) / F_NORM
            alpha = B / (B - M),   B the plays of the batch, M those in groups that agree

Departures  verl divides B by the number of plays whose reward is not 0, which is another number
            wherever a group is all right or a member of a mixed group is wrong; B - M is second hand.
            A group of one gets zero; in verl it keeps its raw reward.

Example (two of four plays are in a group that agrees, so alpha = 2):
    >>> from guerdon.batch import Batch
    >>> batch = Batch.from_steps(group=[0, 0, 1, 1], trajectory=[0, 1, 2, 3], reward=[1.0, 0.0, 1.0, 1.0])
    >>> RECIPE.credit(batch).values
    array([ 1., -1.,  0.,  0.])
"""

import math

from guerdon.credit import Credit, centred, rescaled, shuffled
from guerdon.objectives import Clipped, Reinforce, TokenMean, TokenRatio
from guerdon.recipes import grpo
from guerdon.recipes.base import Number, Recipe, with_control
from guerdon.rewards import Term, fact

F_NORM = 1.0  # code: verl compute_gpg_outcome_advantage

OUTCOME = fact("outcome")
PLAIN = Reinforce(ratio=TokenRatio(), reduce=TokenMean())  # A * logprob, whatever the ratio is
UNCLIPPED = Clipped(low=1.0, high=math.inf, ratio=TokenRatio(), reduce=TokenMean())  # ratio * A: the same on policy


def credit(outcome: Term = OUTCOME, f_norm: float = F_NORM) -> Credit:
    """The advantage of another outcome, or in another unit."""
    return (1.0 / f_norm) * rescaled(centred(outcome), over="trajectory")


RECIPE = with_control(
    Recipe(
        name="gpg",
        title="GPG",
        paper="Chu et al., GPG, 2025, arXiv:2504.02546",
        idea="The plain policy gradient, its mean taken over the plays that have one.",
        reward=OUTCOME,
        credit=credit(),
        objective=PLAIN,
        numbers={"F_NORM": Number(F_NORM, "code", "verl compute_gpg_outcome_advantage")},
        baseline=grpo.RECIPE,
    ),
    "GPG with outcomes shuffled over the plays of the batch",
    credit(shuffled(OUTCOME, across=True)),
    reward=shuffled(OUTCOME, across=True),
)
