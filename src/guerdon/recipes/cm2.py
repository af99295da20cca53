"""CM2: many small criteria per turn, and one reward per play.

Paper       CM2: Reinforcement Learning with Checklist Rewards for Multi-Turn and Multi-Step Agentic
            Tool Use.
Idea        Criteria are dense and easy to judge, credit is not: so judge each, and reward the play.
Composes    centred(checklist(Criteria())); Clipped over tokens, divided by a constant length.

Symbols     z[u, k] = 1 if any step of turn u satisfies criterion k
            R       = (1 / turns) * sum over turns and criteria of w[k] * z[u, k]
            A[i]    = R[i] - mean of the group

`step_level` is the variant that compares criterion by criterion, among criteria that are open and
whose dependences are met: see `guerdon.credit.criteria.by_criterion`. It needs groups of more than
AT_LEAST - 1 plays; in smaller ones it says nothing. That any step may satisfy a criterion rewards
trying everything.

Departures  Weights and dependences are the same in every turn, and one checklist stands for the paper's
            several. The turns divided by are the most that a play of the group reached. In the code a
            criterion may be met by the step that meets its dependences, if it is listed later; here only
            by a later step. A play with a step that was not judged has no reward, as there. No KL
            (paper: 1e-4), no importance sampling for the sampler.

Example (one turn each; two of three criteria against one):
    >>> import numpy as np
    >>> from guerdon.batch import Batch, Column
    >>> batch = Batch.from_steps(group=[0] * 3, trajectory=[0, 0, 1], reward=[0.0] * 3)
    >>> satisfied = Column.of("step", np.array([[1, 0, 0], [0, 1, 0], [1, 0, 0]]))
    >>> batch = batch.with_columns(satisfied=satisfied, segment=Column.of("step", [0, 0, 0]))
    >>> RECIPE.credit(batch).values.round(3)
    array([ 0.167,  0.167, -0.167])
"""

from guerdon.credit import Credit, Criteria, by_criterion, centred, checklist, shuffled
from guerdon.recipes import dr_grpo
from guerdon.recipes.base import Number, Recipe, with_control

ETA = 1.0  # code: CM2 reward_manager/checklist.py, eta
AT_LEAST = 5  # code: CM2 reward_manager/checklist.py, more than threthod_num = 4

CRITERIA = Criteria(satisfied="satisfied", turn="segment")
REWARD = checklist(CRITERIA)


def credit(criteria: Criteria = CRITERIA) -> Credit:
    """The advantage with other criteria."""
    return centred(checklist(criteria))


def step_level(criteria: Criteria = CRITERIA, eta: float = ETA, at_least: int = AT_LEAST) -> Credit:
    """Each step compared on every criterion that was open at it."""
    return by_criterion(criteria, eta, at_least)


RECIPE = with_control(
    Recipe(
        name="cm2",
        title="CM2, reward per play",
        paper="CM2: Reinforcement Learning with Checklist Rewards for Multi-Turn and Multi-Step Agentic Tool Use",
        idea="Judge many small criteria per turn, and reward the play.",
        reward=REWARD,
        credit=credit(),
        objective=dr_grpo.RECIPE.objective,
        numbers={
            "ETA": Number(ETA, "code", "CM2 reward manager, eta; step_level"),
            "AT_LEAST": Number(float(AT_LEAST), "code", "CM2 reward manager, more than threthod_num = 4; step_level"),
            "CLIP": Number(dr_grpo.CLIP, "code", "as in dr-grpo"),
        },
        told="judge votes",
        needs=("satisfied", "segment"),
        baseline=dr_grpo.RECIPE,
    ),
    "CM2 with its checklist rewards shuffled over the plays of the batch",
    centred(shuffled(REWARD, across=True)),
    reward=shuffled(REWARD, across=True),
)
