"""SPARK: a step keeps its advantage only if a judge's verdict on it has the same sign.

Paper       SPARK: Stepwise Process-Aware Rewards for Reference-Free Reinforcement Learning. 2025.
            arXiv:2512.03244.
Idea        Several verifications of one solution agree step by step; their verdict says which steps
            an advantage is meant for, and is itself never paid.
Composes    selective(grpo, wrong=verdict(wrong_votes, Majority())).

Symbols     A[t] = A_grpo   if A_grpo >= 0 and step t is right, or A_grpo < 0 and it is wrong
                   0        else

The paper's other forms are functions here: `process_aware` (the outcome behind a format gate),
`step_augmented` (with the share of right steps; whatever divides by the number of steps can be had
by splitting or by joining steps) and `global_step` (advantages of both levels, mixed).

Departures  The verdict on the answer is the fact `outcome`, in the paper itself a judge's. The format is
            gated where a term for it is handed over; actions are parsed before they are played. Which
            form is best is told differently by two summaries, so the selective one stands here. In
            `global_step` how steps are normalised is ours: over the steps of the group. No KL (paper: 0.001).

Example (the first play succeeds; two of three judges find its first step wrong):
    >>> import numpy as np
    >>> from guerdon.batch import Batch, Column
    >>> batch = Batch.from_steps(group=[0] * 4, trajectory=[0, 0, 1, 1], reward=[0.0, 1.0, 0.0, 0.0])
    >>> votes = np.array([[1, 1, 0], [0, 0, 0], [1, 1, 1], [0, 0, 1]])
    >>> RECIPE.credit(batch.with_columns(wrong_votes=Column.of("step", votes))).values.round(3) + 0.0
    array([ 0.   ,  0.707, -0.707,  0.   ])
"""

from guerdon.credit import Credit, Std, centred, selective, shuffled
from guerdon.recipes import grpo
from guerdon.recipes.base import Number, Recipe, with_control
from guerdon.rewards import Majority, Term, affine, fact, gate, mean, verdict

STEP_SHARE = 0.4  # UNVERIFIED: notes on the paper
VERDICT_SHARE = 0.6  # UNVERIFIED: notes on the paper
PROCESS_WEIGHT = 0.8  # UNVERIFIED: notes on the paper
STEP_WEIGHT = 0.2  # UNVERIFIED: notes on the paper

OUTCOME = fact("outcome")
WRONG = verdict("wrong_votes", Majority())


def credit(wrong: Term = WRONG, reward: Term = OUTCOME) -> Credit:
    """The selective advantage with another verdict, or of another reward."""
    return selective(centred(reward, scale=Std(grpo.EPS)), wrong)


def process_aware(well_formed: Term) -> Term:
    """The outcome of a play whose format is right, 0 for the others."""
    return gate(OUTCOME, when=well_formed)


def step_augmented(wrong: Term = WRONG) -> Term:
    """The outcome mixed with the share of right steps: 0.4 k / n + 0.6 y."""
    return STEP_SHARE * mean(affine(wrong, scale=-1.0, offset=1.0)) + VERDICT_SHARE * OUTCOME


def global_step(wrong: Term = WRONG) -> Credit:
    """Advantages of plays and of steps, mixed: 0.8 A_process + 0.2 A_step."""
    steps = centred(affine(wrong, scale=-1.0, offset=1.0), scale=Std(grpo.EPS))
    return PROCESS_WEIGHT * centred(OUTCOME, scale=Std(grpo.EPS)) + STEP_WEIGHT * steps


RECIPE = with_control(
    Recipe(
        name="spark-prm",
        title="SPARK, selective advantage",
        paper="SPARK: Stepwise Process-Aware Rewards for Reference-Free RL, 2025, arXiv:2512.03244",
        idea="A step keeps its advantage only if a judge's verdict on it has the same sign.",
        reward=OUTCOME,
        credit=credit(),
        objective=grpo.OBJECTIVE,
        numbers={
            "STEP_SHARE": Number(STEP_SHARE, "UNVERIFIED", "notes on the paper; step_augmented"),
            "VERDICT_SHARE": Number(VERDICT_SHARE, "UNVERIFIED", "notes on the paper; step_augmented"),
            "PROCESS_WEIGHT": Number(PROCESS_WEIGHT, "UNVERIFIED", "notes on the paper; global_step"),
            "STEP_WEIGHT": Number(STEP_WEIGHT, "UNVERIFIED", "notes on the paper; global_step"),
            "EPS": Number(grpo.EPS, "code", "as in grpo"),
            "CLIP": Number(grpo.CLIP, "code", "as in grpo"),
        },
        told="judge votes",
        needs=("outcome", "wrong_votes"),
        baseline=grpo.RECIPE,
    ),
    "SPARK with its verdicts shuffled over the steps of the group",
    credit(wrong=shuffled(WRONG)),
)
