"""ERA: one value a turn and one advantage a turn, from rewards for progress and against failed actions.

Paper       ERA: Transforming VLMs into Embodied Agents via Embodied Prior Learning and Online
            Reinforcement Learning. 2025.
Idea        A critic of turns is easier to learn than one of tokens, and a turn's tokens share its credit.
Composes    whitened(gae_of(reward, GAMMA, LAM)).

Symbols     r[t] = FAILED if the action failed, + RISE where the subgoal counter rose, + SUCCESS at the end
            d[t] = r[t] + GAMMA V[t+1] - V[t],   A[t] = d[t] + GAMMA LAM A[t+1],   whitened over steps

The counter keeps its maximum, so a subgoal that is undone and redone pays once (`milestone` is 1 where a
subgoal is reached for the first time). A group of one gets what the critic did not expect, and so does
one that agrees, before whitening compares them with the batch.

Departures  The released run turns to success alone after 22 training steps: `credit(rise=0, failed=0)`.
            Whitening counts steps; the code's counts tokens. The self-summary as context is a matter
            of the policy. Critic-only warm-up (3 steps) is the trainer's.

Example (the first turn reaches a subgoal; a critic that expects nothing):
    >>> from guerdon.batch import Batch, Column
    >>> batch = Batch.from_steps(group=[0, 0], trajectory=[0, 0], reward=[0.0, 1.0])
    >>> batch = batch.with_columns(milestone=Column.of("step", [1.0, 0.0]), action_valid=Column.of("step", [1.0, 1.0]))
    >>> gae_of(reward(), 1.0, 1.0)(batch.with_columns(value=Column.of("step", [0.0, 0.0]))).values
    array([4., 3.])
"""

from guerdon.credit import Credit, gae_of, shuffled, whitened
from guerdon.recipes import ppo
from guerdon.recipes.base import Critic, Number, Recipe, with_control
from guerdon.rewards import Term, affine, at_end, fact

FAILED = -0.5  # code: alfred_env_for_vagen.py, last action failed
RISE = 1.0  # code: alfred_env_for_vagen.py, subgoal counter rose
SUCCESS = 3.0  # code: alfred_env_for_vagen.py
GAMMA = 0.99  # code: examples/alfred/run.sh
LAM = 0.99  # code: examples/alfred/run.sh


def reward(failed: float = FAILED, rise: float = RISE, success: float = SUCCESS) -> Term:
    """The reward of a turn with other weights."""
    action = affine(fact("action_valid"), -failed, failed)
    return action.named("failed action") + rise * fact("milestone") + success * at_end(fact("outcome"))


def credit(failed: float = FAILED, rise: float = RISE, gamma: float = GAMMA, lam: float = LAM) -> Credit:
    """The advantage with other constants."""
    return whitened(gae_of(reward(failed, rise), gamma, lam))


RECIPE = with_control(
    Recipe(
        name="era",
        title="ERA (turn-level GAE)",
        paper="ERA: Transforming VLMs into Embodied Agents, 2025",
        idea="One value and one advantage a turn, from rewards for progress.",
        reward=reward(),
        credit=credit(),
        objective=ppo.RECIPE.objective,
        numbers={
            "FAILED": Number(FAILED, "code", "alfred_env_for_vagen.py"),
            "RISE": Number(RISE, "code", "alfred_env_for_vagen.py"),
            "SUCCESS": Number(SUCCESS, "code", "alfred_env_for_vagen.py"),
            "GAMMA": Number(GAMMA, "code", "examples/alfred/run.sh"),
            "LAM": Number(LAM, "code", "examples/alfred/run.sh"),
            "CLIP": Number(ppo.CLIP, "code", "as in ppo"),
        },
        told="milestones",
        alone="a group of one, and one that agrees, get what the critic did not expect",
        needs=("outcome", "milestone", "action_valid"),
        critic=Critic(GAMMA, LAM),
        baseline=ppo.RECIPE,
    ),
    "ERA with its advantages shuffled over the steps of the group",
    shuffled(credit()),
)
