"""REAL: outcomes are labels, and how a play's likelihood moved is the score that is classified.

Paper       Rewards as Labels: Revisiting RLVR from a Classification Perspective. 2026.
Idea        A ratio times an advantage grows with how far a bad play has risen; the gradient of a classifier does not.
Composes    centred(outcome), read by its sign; Classified(TAU, PlayMean(), Anchored()).

Symbols     s    = mean over the tokens of a play of logprob - old_logprob
            loss = log(1 + sum over wrong of exp(s / TAU)) + log(1 + sum over right of exp(-s / TAU)),
                   mean over groups

On policy a right play weighs 1 / (TAU * (1 + number of right)), so the rarer class weighs more per play, by
less than in GRPO. There is no clip and no KL, and no group pulls harder than 1 / TAU for each class.

Departures  None in binary outcomes. Others are right where they lie above the group's mean. Groups that agree are 0 and
            count in the mean, as in the code.

Example (right, wrong, wrong):
    >>> from guerdon.batch import Batch
    >>> batch = Batch.from_steps(group=[0, 0, 0, 0], trajectory=[0, 1, 2, 3], reward=[1.0, 0.0, 0.0, 1.0])
    >>> RECIPE.credit(batch).values
    array([ 0.5, -0.5, -0.5,  0.5])
"""

from guerdon.credit import centred, shuffled
from guerdon.objectives import Anchored, Circle, Classified, Objective, Singly
from guerdon.recipes import grpo
from guerdon.recipes.base import Number, Recipe, with_control
from guerdon.rewards import fact

TAU = 0.5  # code: Red-RL/REAL compute_policy_loss_real

OUTCOME = fact("outcome")


def objective(tau: float = TAU, form: Anchored | Circle | Singly | None = None) -> Objective:
    """The loss with another unit, or another of the code's three forms."""
    return Classified(tau, form=form or Anchored())


RECIPE = with_control(
    Recipe(
        name="real",
        title="REAL",
        paper="Rewards as Labels: Revisiting RLVR from a Classification Perspective, 2026",
        idea="Classify plays by how their likelihood moved, so that every gradient is bounded.",
        reward=OUTCOME,
        credit=centred(OUTCOME),
        objective=objective(),
        numbers={"TAU": Number(TAU, "code", "Red-RL/REAL compute_policy_loss_real")},
        baseline=grpo.RECIPE,
    ),
    "REAL with outcomes shuffled over the plays of the batch",
    centred(shuffled(OUTCOME, across=True)),
    reward=shuffled(OUTCOME, across=True),
)
