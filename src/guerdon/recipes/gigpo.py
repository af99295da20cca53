"""GiGPO: compare whole plays, then compare steps that were taken from the same state.

Paper       Feng et al., Group-in-Group Policy Optimization for LLM Agent Training. 2025.
            arXiv:2505.10978.
Idea        Plays of one prompt pass through the same states, so steps from one state are a
            group too: no critic, no further rollouts.
Composes    centred(total(reward)) + OMEGA * centred(to_go_of(reward, GAMMA), by=(prompt, state)).

Symbols     A^E   plays:  return less the mean of the group
            A^S   steps:  return to go less the mean of the steps from the same state in the group
            A = A^E + OMEGA * A^S.   The paper's F_norm is 1 here (no division by the spread).

Departures  A group of one play gets zero, also where that play passes a state twice. In a
            larger group all visits of a state are compared, those of one play too.

Example (from state 0 one play goes on to win, the other waits; both then stand in state 1):
    >>> from guerdon.batch import Batch
    >>> steps = {"group": [0] * 4, "trajectory": [0, 0, 1, 1], "state": [0, 1, 0, 1]}
    >>> batch = Batch.from_steps(**steps, reward=[0.0, 1.0, 0.0, 0.0])
    >>> RECIPE.credit(batch).values
    array([ 0.975,  1.   , -0.975, -1.   ])
"""

from guerdon.credit import Credit, at_size_of, centred, to_go_of
from guerdon.recipes import grpo
from guerdon.recipes.base import Number, Recipe, with_control
from guerdon.rewards import fact, total

OMEGA = 1.0  # UNVERIFIED: derived scripts, step_advantage_w
GAMMA = 0.95  # UNVERIFIED: derived scripts, algorithm.gamma

REWARD = fact("reward")


def credit(omega: float = OMEGA, gamma: float = GAMMA) -> Credit:
    """The advantage with other constants; with omega 0 it is the centred return."""
    plays = centred(total(REWARD))
    return plays + omega * centred(to_go_of(REWARD, gamma), by=("prompt", "state"))


RECIPE = with_control(
    Recipe(
        name="gigpo",
        title="GiGPO",
        paper="Feng et al., Group-in-Group Policy Optimization, 2025, arXiv:2505.10978",
        idea="Compare whole plays, then steps taken from the same state.",
        reward=REWARD,
        credit=credit(),
        objective=grpo.OBJECTIVE,
        numbers={
            "OMEGA": Number(OMEGA, "UNVERIFIED", "derived scripts, step_advantage_w=1.0"),
            "GAMMA": Number(GAMMA, "UNVERIFIED", "derived scripts, algorithm.gamma=0.95"),
            "CLIP": Number(grpo.CLIP, "code", "as in grpo"),
        },
        told="states",
        needs=("outcome", "reward", "state"),
        baseline=grpo.RECIPE,
    ),
    "GiGPO's direction at GRPO's size",
    at_size_of(credit(), grpo.CREDIT),
)
