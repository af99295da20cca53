"""PBRS: rewards shaped by a potential, their returns to go compared in the group.

Paper       ours, after Ng, Harada, Russell, Policy Invariance under Reward Transformations. 1999.
Idea        Progress as a potential: it moves each step's return to go and never which
            policy is best.
Composes    centred(to_go_of(reward + potential(progress, GAMMA), GAMMA), baseline=Others()).

Symbols     Phi      progress; 0 before the first step and at every end, for no critic
                     stands for what would come after
            F[t] = GAMMA * Phi[t+1] - Phi[t]
            A[t] = to-go of (r + F) less its mean over the steps of the group's other plays

The sum to go telescopes to (to-go of r) - Phi[t]. So in a group where every play fails it is
-Phi of the state *before* the action: it does not depend on the action, and says nothing about
it in expectation. There this credit is a baseline that depends on the state, no more. That is
what policy invariance costs; `milestones` gives it up.

Departures  ours.

Example (the second step of a success stood at progress 1/2, so less of the success is its own):
    >>> from guerdon.batch import Batch, Column
    >>> batch = Batch.from_steps(group=[0] * 3, trajectory=[0, 0, 1], reward=[0.0, 1.0, 0.0])
    >>> batch = batch.with_columns(progress=Column.of("step", [0.5, 1.0, 0.0]))
    >>> (credit(gamma=1.0)(batch).values + 0.0)
    array([ 1.  ,  0.5 , -0.75])
"""

from guerdon.credit import Credit, Others, centred, shuffled, to_go_of
from guerdon.recipes import rloo
from guerdon.recipes.base import Number, Recipe, with_control
from guerdon.rewards import fact, potential

GAMMA = 0.99  # ours: an earlier success is worth a little more

REWARD = fact("reward")


def credit(gamma: float = GAMMA) -> Credit:
    """The advantage with another discount."""
    shaped = REWARD + potential(fact("progress"), gamma)
    return centred(to_go_of(shaped, gamma), baseline=Others())


SHAPING = potential(fact("progress"), GAMMA)
RECIPE = with_control(
    Recipe(
        name="pbrs",
        title="Potential-based shaping",
        paper="ours, after Ng, Harada, Russell, 1999",
        idea="Progress as a potential shapes each step's return to go.",
        reward=REWARD + SHAPING,
        credit=credit(),
        objective=rloo.RECIPE.objective,
        numbers={
            "GAMMA": Number(GAMMA, "ours", "an earlier success is worth a little more"),
            "CLIP": Number(rloo.CLIP, "code", "as in rloo"),
        },
        told="milestones",
        needs=("reward", "progress"),
        baseline=rloo.RECIPE,
    ),
    "Shaping with its values shuffled over the steps of the group",
    centred(to_go_of(REWARD + shuffled(SHAPING), GAMMA), baseline=Others()),
    reward=REWARD + shuffled(SHAPING),
)
