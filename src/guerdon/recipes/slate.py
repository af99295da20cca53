"""SLATE: several next steps tried from one prefix, judged, and compared with each other only.

Paper       Truncated Step-Level Sampling with Process Rewards for Retrieval-Augmented Reasoning.
Idea        Steps that leave from one prefix differ in one step only, so their comparison does not
            carry the noise of whole plays.
Composes    among_siblings(step_score, scale=Std(EPS)) * once.

Symbols     r[j]   judge's score of candidate j, given: of a search r_think + r_query, of an answer
                   r_think + r_answer + 0.1 (B - t) / B, each part in {-1, 0, 1}
            A[j] = (r[j] - mean of the candidates) / (std of the candidates + EPS)

All candidates of a fork are trained, those that were not continued too: each stands in the
batch as a play that ends there. The credit is blind to what comes later: a step that pays only
afterwards gets nothing for it. One candidate alone gets zero.

Departures  Only the estimator. Which candidate to continue (drawn by softmax of A / 0.7) belongs to
            rollouts. In the released snapshot nothing outside the agent loop reads the stored
            candidates; we follow the paper.

Example (a play takes 7 of 7 and 6, and then 8 of 8 and 9):
    >>> from guerdon.batch import Batch, Column
    >>> batch = Batch.from_steps(group=[0] * 5, trajectory=[0, 0, 1, 1, 2], reward=[0.0] * 5)
    >>> batch = batch.with_columns(node=Column.of("step", [7, 8, 7, 9, 6]))
    >>> batch = batch.with_columns(step_score=Column.of("step", [1.0, 2.0, 1.0, 0.0, -1.0]))
    >>> RECIPE.credit(batch).values.round(3)
    array([ 0.354,  0.707,  0.354, -0.707, -0.707])
"""

from guerdon.credit import Credit, Scale, Std, among_siblings, modulate, once, shuffled
from guerdon.objectives import KL, Clipped, StepMean, TokenRatio
from guerdon.recipes import grpo
from guerdon.recipes.base import Number, Recipe, with_control
from guerdon.rewards import Term, fact, unfailed

EPS = 1e-6  # code: slate/training/step_level_algos.py
CLIP = 0.2  # code: slate/training
BETA = 0.001  # code: slate/training, KL

SCORE = unfailed(fact("step_score"))
SCALE = Std(EPS)


def credit(score: Term = SCORE, scale: Scale | None = SCALE) -> Credit:
    """The advantage of another score, or without the division, which is what the variance claim is about."""
    return modulate(among_siblings(score, scale), by=once())


RECIPE = with_control(
    Recipe(
        name="slate",
        title="SLATE",
        paper="Truncated Step-Level Sampling with Process Rewards for Retrieval-Augmented Reasoning",
        idea="Compare candidates for one next step, from one prefix.",
        reward=SCORE,
        credit=credit(),
        objective=Clipped(low=CLIP, high=CLIP, ratio=TokenRatio(), reduce=StepMean()) + KL(BETA),
        numbers={
            "EPS": Number(EPS, "code", "slate/training/step_level_algos.py"),
            "CLIP": Number(CLIP, "code", "slate/training"),
            "BETA": Number(BETA, "code", "slate/training"),
        },
        told="branches",
        needs=("node", "step_score"),
        baseline=grpo.RECIPE,
    ),
    "SLATE with its scores shuffled over the steps of the group",
    credit(shuffled(SCORE)),
    reward=shuffled(SCORE),
)
