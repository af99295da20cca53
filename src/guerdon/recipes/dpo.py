"""DPO: the best play of a prompt against its worst, by how much likelier each is than under a reference.

Paper       Rafailov et al., Direct Preference Optimization: Your Language Model is Secretly a
            Reward Model. 2023. arXiv:2305.18290.
Idea        The optimum of a reward under a KL penalty says what the reward is: beta times the log-ratio to
            the reference. So preferences can be fitted by the policy itself.
Composes    centred(outcome); Preference(BETA), the best play of each group against its worst.

Symbols     l = sum over the tokens of a play of logprob - ref_logprob
            loss = -log sigmoid(BETA * (l[best] - l[worst])), mean over groups

Departures  The paper's pairs are given and stay; here they are the policy's own plays, new in each iteration, as in
            online DPO. The reference is the policy that training began with. A group without a worst
            play (all agree) adds 0 and counts in the mean.

Example (the first play is preferred):
    >>> from guerdon.batch import Batch
    >>> batch = Batch.from_steps(group=[0, 0], trajectory=[0, 1], reward=[1.0, 0.0])
    >>> RECIPE.credit(batch).values, sorted(RECIPE.objective.needs)
    (array([ 0.5, -0.5]), ['group', 'ref_logprob'])
"""

from guerdon.credit import centred, shuffled
from guerdon.objectives import BestAgainstWorst, Objective, Preference
from guerdon.recipes import rloo
from guerdon.recipes.base import Number, Recipe, with_control
from guerdon.rewards import fact

BETA = 0.1  # code: TRL DPOConfig.beta

OUTCOME = fact("outcome")
CREDIT = centred(OUTCOME)


def objective(beta: float = BETA, margin: float = 0.0) -> Objective:
    """The loss with another beta, or for pairs whose credits lie further apart."""
    return Preference(beta, choice=BestAgainstWorst(margin=margin))


RECIPE = with_control(
    Recipe(
        name="dpo",
        title="DPO",
        paper="Rafailov et al., Direct Preference Optimization, 2023, arXiv:2305.18290",
        idea="Fit preferences by the policy's own log-ratio to a reference.",
        reward=OUTCOME,
        credit=CREDIT,
        objective=objective(),
        numbers={"BETA": Number(BETA, "code", "TRL DPOConfig.beta")},
        baseline=rloo.RECIPE,
    ),
    "DPO with outcomes shuffled over the plays of the batch",
    centred(shuffled(OUTCOME, across=True)),
    reward=shuffled(OUTCOME, across=True),
)
