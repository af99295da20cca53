"""ReMax: the baseline is what the policy gets when it plays greedily.

Paper       Li et al., ReMax: A Simple, Effective, and Efficient Reinforcement Learning Method
            for Aligning Large Language Models. 2023. arXiv:2310.10505.
Idea        One greedy play of the prompt is a baseline that no sampled action enters, and no critic is needed.
Composes    less(outcome, greedy_outcome); Clipped over tokens.

Symbols     A[i] = R[i] - R of the greedy play of the same prompt

Departures  The outcome is paid to every step of its play: verl's return to go of an outcome at the end,
            undiscounted. The paper takes a KL penalty off the reward; here there is none. The greedy play
            costs a rollout per prompt, which a comparison at equal steps has to count.

Example (the greedy play gets 0.5):
    >>> from guerdon.batch import Batch, Column
    >>> batch = Batch.from_steps(group=[0, 0, 0], trajectory=[0, 0, 1], reward=[0.0, 1.0, 0.0])
    >>> batch = batch.with_columns(greedy_outcome=Column.of("trajectory", [0.5, 0.5]))
    >>> RECIPE.credit(batch).values
    array([ 0.5,  0.5, -0.5])
"""

from guerdon.credit import Credit, less, shuffled
from guerdon.recipes import rloo
from guerdon.recipes.base import Number, Recipe, with_control
from guerdon.rewards import Term, fact

OUTCOME, GREEDY = fact("outcome"), fact("greedy_outcome")


def credit(greedy: Term = GREEDY) -> Credit:
    """The advantage over another baseline from outside the group."""
    return less(OUTCOME, greedy)


RECIPE = with_control(
    Recipe(
        name="remax",
        title="ReMax",
        paper="Li et al., ReMax, 2023, arXiv:2310.10505",
        idea="The outcome of a greedy play of the prompt is the baseline.",
        reward=OUTCOME,
        credit=credit(),
        objective=rloo.RECIPE.objective,
        numbers={"CLIP": Number(rloo.CLIP, "code", "as in rloo")},
        told="several outcomes",
        alone="a group of one, and one that agrees, get their outcome less that of the greedy play",
        needs=("outcome", "greedy_outcome"),
        baseline=rloo.REINFORCE,
    ),
    "ReMax with greedy outcomes shuffled over the plays of the batch",
    credit(shuffled(GREEDY, across=True)),
)
