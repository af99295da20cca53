"""OPRL, also iStar: outcomes and implicit step rewards, both against the others of the group.

Paper       Online Process Reward Learning for Agentic Reinforcement Learning. 2025.
Idea        A reward model trained on which play of a pair won scores each step by how much
            likelier it finds the action than the old policy did.
Composes    centred(outcome, baseline=Others()) + OMEGA * centred(BETA * step_score, baseline=Others()).

Symbols     s[t]   the fact `step_score`: sum over the step's tokens of log pi_phi - log pi_old
            A^E    outcome less the mean of the other plays
            A^S    BETA * s[t] less the mean over all steps of the other plays; not summed to go
            A = A^E + OMEGA * A^S

The reward model and its loss, -log sigmoid(S(won) - S(lost)) over the pairs of a group, are not
part of the credit: step scores come as a column.

Departures  The baseline of a step is over all step rows of the other plays; in the code only the
            first row met of each play enters it. All of one's own steps are left out, not the
            one step alone, for they share their past. The optional scaling by the batch's
            largest return is not done.

Example (in units of BETA the first play has steps of 1 and 2, the second of 0 and 1):
    >>> from guerdon.batch import Batch, Column
    >>> batch = Batch.from_steps(group=[0] * 4, trajectory=[0, 0, 1, 1], reward=[0.0, 1.0, 0.0, 0.0])
    >>> batch = batch.with_columns(step_score=Column.of("step", [20.0, 40.0, 0.0, 20.0]))
    >>> RECIPE.credit(batch).values
    array([ 1.5,  2.5, -2.5, -1.5])
"""

from guerdon.credit import Credit, Others, centred, shuffled
from guerdon.recipes import rloo
from guerdon.recipes.base import Number, Recipe, with_control
from guerdon.rewards import Term, at_end, fact, unfailed

BETA = 0.05  # code: iStar core_istar.py
OMEGA = 1.0  # code: iStar run_webshop.sh, weight of the step advantage

OUTCOME = fact("outcome")
SCORE = unfailed(fact("step_score"))


def credit(omega: float = OMEGA, beta: float = BETA, score: Term = SCORE) -> Credit:
    """The advantage with other constants, or other step scores."""
    return centred(OUTCOME, baseline=Others()) + omega * centred(beta * score, baseline=Others())


RECIPE = with_control(
    Recipe(
        name="oprl-istar",
        title="OPRL (iStar)",
        paper="Online Process Reward Learning for Agentic Reinforcement Learning, 2025",
        idea="Outcomes and implicit step rewards, each against the others of the group.",
        reward=at_end(OUTCOME) + OMEGA * BETA * SCORE,
        credit=credit(),
        objective=rloo.RECIPE.objective,
        numbers={
            "BETA": Number(BETA, "code", "iStar core_istar.py"),
            "OMEGA": Number(OMEGA, "code", "iStar run_webshop.sh, weight of the step advantage"),
            "CLIP": Number(rloo.CLIP, "code", "as in rloo"),
        },
        told="step scores",
        needs=("outcome", "step_score"),
        baseline=rloo.RECIPE,
    ),
    "OPRL with its step scores shuffled over the steps of the group",
    credit(score=shuffled(SCORE)),
    reward=at_end(OUTCOME) + OMEGA * BETA * shuffled(SCORE),
)
