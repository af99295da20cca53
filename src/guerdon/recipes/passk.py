"""Pass@k: of k plays only the best counts, so only the best gets credit, by its margin.

Paper       Tang et al., Optimizing Language Models for Inference Time Objectives using
            Reinforcement Learning. 2025. arXiv:2503.19595.
Idea        What is judged is the best of k answers; a play is worth what it adds to that.
Composes    positive_part(centred(outcome, baseline=BestOther(), scale=Std(EPS))).

Symbols     A[i] = (R[i] - max over j != i of R[j]) / (std of the group + EPS) for the best, 0 for the others
            k is the number of scored plays of the group

Departures  A group of one gets zero; verl refuses it. Where two are the best, both get zero, as in verl.

Example (of 1, 0 and 0 the first adds 1; the std is 0.577):
    >>> from guerdon.batch import Batch
    >>> batch = Batch.from_steps(group=[0, 0, 0], trajectory=[0, 1, 2], reward=[1.0, 0.0, 0.0])
    >>> RECIPE.credit(batch).values.round(3)
    array([1.732, 0.   , 0.   ])
"""

from guerdon.credit import BestOther, Credit, Scale, Std, centred, positive_part, shuffled
from guerdon.recipes import grpo, rloo
from guerdon.recipes.base import Number, Recipe, with_control
from guerdon.rewards import Term, fact

EPS = 1e-6  # code: verl compute_grpo_passk_outcome_advantage

OUTCOME = fact("outcome")


def credit(outcome: Term = OUTCOME, scale: Scale | None = Std(EPS)) -> Credit:  # noqa: B008
    """The advantage of another outcome, or in its own unit (None)."""
    return positive_part(centred(outcome, baseline=BestOther(), scale=scale))


RECIPE = with_control(
    Recipe(
        name="passk",
        title="Pass@k",
        paper="Tang et al., Optimizing Language Models for Inference Time Objectives, 2025, arXiv:2503.19595",
        idea="Credit for the best of the group alone, by its margin over the second.",
        reward=OUTCOME,
        credit=credit(),
        objective=rloo.RECIPE.objective,
        numbers={
            "EPS": Number(EPS, "code", "verl compute_grpo_passk_outcome_advantage"),
            "CLIP": Number(rloo.CLIP, "code", "as in rloo"),
        },
        baseline=grpo.RECIPE,
    ),
    "Pass@k with outcomes shuffled over the plays of the batch",
    credit(shuffled(OUTCOME, across=True)),
    reward=shuffled(OUTCOME, across=True),
)
