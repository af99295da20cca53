"""ArCHer: critics of whole utterances say what an utterance added, and its tokens share the credit.

Paper       Zhou et al., ArCHer: Training Language Model Agents via Hierarchical Multi-Turn RL. 2024.
            arXiv:2402.19446.
Idea        Off-policy critics at the level of turns learn from few plays; the policy of tokens then
            needs no rollout of its own.
Composes    less(least("q_values"), least("values")).

Symbols     Q[1], Q[2]   twin critics of an utterance: the columns of `q_values`
            V[1], V[2]   twin critics of the state before it: the columns of `values`
            A = min over j of Q[j] - min over j of V[j],   the same for all tokens of the turn

The least of two noisy critics is low by 0.56 of their standard deviation, so A has an offset unless
Q and V err alike. A group of one and one that agrees get what the critics say.

Departures  The credit part only, Q and V from given columns. The paper trains them by temporal
            differences with slow targets from replayed turns (GAMMA), freshly samples an utterance at
            each replayed state, and takes plain REINFORCE, optionally with a token baseline; here
            the turns are those that were played, in the clipped surrogate.

Example (the critics agree that the first turn added a quarter at least):
    >>> from guerdon.batch import Batch, Column
    >>> batch = Batch.from_steps(group=[0, 0], trajectory=[0, 0], reward=[0.0, 1.0])
    >>> batch = batch.with_columns(q_values=Column.of("step", [[0.75, 1.0], [1.0, 1.0]]))
    >>> RECIPE.credit(batch.with_columns(values=Column.of("step", [[0.5, 0.5], [1.0, 1.5]]))).values
    array([0.25, 0.  ])
"""

from guerdon.credit import Credit, least, less, shuffled
from guerdon.recipes import ppo, rloo
from guerdon.recipes.base import Number, Recipe, with_control
from guerdon.rewards import Term, fact

GAMMA = 0.95  # code: scripts/config; of the critics that fill the columns

Q, V = least("q_values"), least("values")


def credit(action_value: Term = Q, value: Term = V) -> Credit:
    """The advantage of other critics, such as one of the twins alone."""
    return less(action_value, value, compares=("critic",))


RECIPE = with_control(
    Recipe(
        name="archer",
        title="ArCHer (credit)",
        paper="Zhou et al., ArCHer, 2024, arXiv:2402.19446",
        idea="What an utterance added, by twin critics of utterances.",
        reward=fact("outcome"),
        credit=credit(),
        objective=rloo.RECIPE.objective,
        numbers={
            "GAMMA": Number(GAMMA, "code", "scripts/config"),
            "CLIP": Number(rloo.CLIP, "code", "as in rloo"),
        },
        alone="a group of one, and one that agrees, get what the critics say",
        told="values",
        needs=("outcome", "q_values", "values"),
        baseline=ppo.RECIPE,
    ),
    "ArCHer with its advantages shuffled over the steps of the group",
    shuffled(credit()),
)
