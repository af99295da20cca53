"""SALT: steps that plays of a prompt share get the mean of their plays' advantages.

Paper       Li et al., SALT: Step-level Advantage Assignment for Long-horizon Agents via Trajectory
            Graph. 2025. arXiv:2510.20022.
Idea        The plays of a prompt are a graph. An edge that a success and a failure share decided
            nothing; the edges where they part did.
Composes    merge_average(centred(outcome, scale=Std(EPS)), by=(prompt, Recent(HISTORY), action, next state)).

Symbols     A[i]    GRPO's advantage of play i
            e       an edge: the last HISTORY states, the action and the state after it
            A(e) =  mean of A[i] over the plays i of the group that have the edge

An edge of one play keeps its A; one of the whole group gets the group's mean, 0. Without shared
edges it is GRPO.

Departures  No released code was found; HISTORY is ours. A play that passes an edge twice votes
            once, so that an edge of the whole group gets 0 exactly as said. The last step of a play whose
            next state was not recorded is shared with nobody.

Example (one first step for both; then they part):
    >>> from guerdon.batch import Batch
    >>> steps = {"group": [0] * 4, "trajectory": [0, 0, 1, 1], "state": [0, 1, 0, 1], "action": [5, 6, 5, 7]}
    >>> batch = Batch.from_steps(**steps, reward=[0.0, 1.0, 0.0, 0.0])
    >>> RECIPE.credit(batch).values.round(3)
    array([ 0.   ,  0.707,  0.   , -0.707])
"""

from guerdon.credit import Credit, Recent, at_size_of, merge_average
from guerdon.recipes import grpo
from guerdon.recipes.base import Number, Recipe, with_control

HISTORY = 2  # ours: the state and the one before it, so that a step back is not the step forward


def credit(history: int = HISTORY, plays: Credit = grpo.CREDIT) -> Credit:
    """The advantage with another history, or over another advantage of plays, such as rloo's."""
    return merge_average(plays, by=("prompt", Recent(history), "action", "next_state"))


RECIPE = with_control(
    Recipe(
        name="salt",
        title="SALT",
        paper="Li et al., SALT, 2025, arXiv:2510.20022",
        idea="Steps that plays of a prompt share get the mean of their advantages.",
        reward=grpo.OUTCOME,
        credit=credit(),
        objective=grpo.OBJECTIVE,
        numbers={
            "HISTORY": Number(float(HISTORY), "ours", "the state and the one before it"),
            "EPS": Number(grpo.EPS, "code", "as in grpo"),
            "CLIP": Number(grpo.CLIP, "code", "as in grpo"),
        },
        told="states",
        needs=("outcome", "state", "action", "next_state"),
        baseline=grpo.RECIPE,
    ),
    "SALT's direction at GRPO's size",
    at_size_of(credit(), grpo.CREDIT),
)
