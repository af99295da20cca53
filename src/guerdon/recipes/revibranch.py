"""ReviBranch: a final reward shared out over the decisions of a play by how important each was.

Paper       ReviBranch: Deep Reinforcement Learning for Branch-and-Bound with Revived Trajectories.
            2025. arXiv:2508.17452.
Idea        A reward that comes only at the end of a long play is put where it was earned.
Composes    centred(to_go_of(spread(outcome, how=importance)), by=(prompt, turn), baseline=Others()).

Symbols     r[t] = R * importance[t] / sum of importance     so the sum over a play is R
            A[t] = sum over k >= t of r[k]  -  mean of the others of the group at the same turn

With equal importances this is the uniform spread. Where R is a cost, the most important step is
charged most: give R as what was saved against a fixed rule, or share it by `credit_or_blame`, which
shares losses out the other way round. The sum is kept for whole plays; with a discount, or for states
met off the policy, the best policy can move.

Departures  The credit part only, for given importances; the paper's trajectory model and its Q-learning
            are left out, and its exact importance is not known. Returns are compared with the other
            plays at the same turn, where a play that outlasts all others gets zero.

Example (the winner's first decision is judged three times as important):
    >>> from guerdon.batch import Batch, Column
    >>> batch = Batch.from_steps(group=[0] * 4, trajectory=[0, 0, 1, 1], reward=[0.0, 1.0, 0.0, 0.0])
    >>> RECIPE.credit(batch.with_columns(importance=Column.of("step", [3.0, 1.0, 1.0, 1.0]))).values
    array([ 1.  ,  0.25, -1.  , -0.25])
"""

from guerdon.credit import Credit, Others, Turn, centred, shuffled, to_go_of
from guerdon.recipes import rloo
from guerdon.recipes.base import Number, Recipe, with_control
from guerdon.rewards import Term, fact, spread

GAMMA = 1.0  # ours: with less, the redistribution changes which policy is best

OUTCOME = fact("outcome")
SHARES = spread(OUTCOME, how=fact("importance"))


def credit(shares: Term = SHARES, gamma: float = GAMMA) -> Credit:
    """The advantage of other shares."""
    return centred(to_go_of(shares, gamma), by=("prompt", Turn()), baseline=Others())


RECIPE = with_control(
    Recipe(
        name="revibranch",
        title="ReviBranch (credit)",
        paper="ReviBranch: Deep Reinforcement Learning for Branch-and-Bound, 2025, arXiv:2508.17452",
        idea="Share a final reward out over decisions by their importance.",
        reward=SHARES,
        credit=credit(),
        objective=rloo.RECIPE.objective,
        numbers={
            "GAMMA": Number(GAMMA, "ours", "with less, the best policy can move"),
            "CLIP": Number(rloo.CLIP, "code", "as in rloo"),
        },
        told="step scores",
        needs=("outcome", "importance"),
        baseline=rloo.RECIPE,
    ),
    "ReviBranch with importances shuffled over the steps of the group",
    credit(spread(OUTCOME, how=shuffled(fact("importance")))),
    reward=spread(OUTCOME, how=shuffled(fact("importance"))),
)
