"""REINFORCE++: no groups; returns are compared with the whole batch.

Paper       Hu, REINFORCE++: A Simple and Efficient Approach for Aligning Large Language Models.
            2025. arXiv:2501.03262.
Idea        The mean and the spread of the whole batch are a baseline and a unit that no
            single prompt can bend.
Composes    whitened(to_go_of(at_end(outcome), GAMMA), EPS); Clipped over tokens.

Symbols     G[t] = GAMMA^(steps to the end) * R,   A = (G - mean) / sqrt(var + EPS) over the batch
            with groups (`group_credit`): A = (R - mean of the group), whitened over the batch

Departures  The batch's mean and variance are over steps, verl's over tokens, and GAMMA
            discounts steps, verl's tokens. The paper takes a KL penalty off the reward of each
            token; here there is none. In `group_credit` a group of one has 0 before whitening, in
            verl its raw reward.

Example (three steps, of returns 1, 1 and 0: mean 2/3, variance 1/3):
    >>> from guerdon.batch import Batch
    >>> batch = Batch.from_steps(group=[0, 0, 1], trajectory=[0, 0, 1], reward=[0.0, 1.0, 0.0])
    >>> RECIPE.credit(batch).values.round(3)
    array([ 0.577,  0.577, -1.155])
"""

from guerdon.credit import Credit, centred, shuffled, to_go_of, whitened
from guerdon.recipes import rloo
from guerdon.recipes.base import Number, Recipe, with_control
from guerdon.rewards import Term, at_end, fact

GAMMA = 1.0  # code: verl algorithm.gamma
EPS = 1e-8  # code: verl masked_whiten

OUTCOME = fact("outcome")


def credit(gamma: float = GAMMA, outcome: Term = OUTCOME) -> Credit:
    """The advantage with another discount, or of another outcome."""
    return whitened(to_go_of(at_end(outcome), gamma), EPS)


def group_credit(outcome: Term = OUTCOME) -> Credit:
    """The variant that verl calls reinforce_plus_plus_baseline: less the group's mean first."""
    return whitened(centred(outcome), EPS)


RECIPE = with_control(
    Recipe(
        name="reinforce-pp",
        title="REINFORCE++",
        paper="Hu, REINFORCE++, 2025, arXiv:2501.03262",
        idea="Compare returns with the whole batch, not with a group.",
        reward=OUTCOME,
        credit=credit(),
        objective=rloo.RECIPE.objective,
        numbers={
            "GAMMA": Number(GAMMA, "code", "verl algorithm.gamma"),
            "EPS": Number(EPS, "code", "verl masked_whiten"),
            "CLIP": Number(rloo.CLIP, "code", "as in rloo"),
        },
        alone="a group of one, and one that agrees, get what they are above the mean of the batch",
        baseline=rloo.REINFORCE,
    ),
    "REINFORCE++ with outcomes shuffled over the plays of the batch",
    credit(outcome=shuffled(OUTCOME, across=True)),
    reward=shuffled(OUTCOME, across=True),
)
