"""MRT: the outcome above what stopping would have got, plus what each block added to that.

Paper       Qu et al., Optimizing Test-Time Compute via Meta Reinforcement Fine-Tuning. 2025.
            arXiv:2503.07572.
Idea        A block of reasoning is worth what it adds to the chance of being right if one had to
            stop and answer; blocks that add nothing are spent budget.
Composes    termination_baseline(outcome, stop_value) + ALPHA * step_term(gain(stop_value)).

Symbols     J[j]   `stop_value`: chance of success if forced to answer before block j; `next_stop_value` after it
            A[j] = (R - J at the start of the play) + ALPHA * (J[j+1] - J[j])

A block is a step. Where a play goes on from a prefix, J at its start is the value of stopping at
the prefix. That is a baseline and changes no expected gradient; what changes the objective
is each block's own progress. Summed to go (`to_go_form`) the progress only counts the outcome
ALPHA times more. Not to be centred again: plays of one prefix share the baseline.

Departures  ALPHA is ours. The paper samples the cut of the prefix; here that is the sampler's
            affair. The single-scalar offline form and the fine-tuning form are not here.

Example (stopping at once is right in 1 of 4; the second play gets there and spoils it):
    >>> from guerdon.batch import Batch, Column
    >>> batch = Batch.from_steps(group=[0] * 4, trajectory=[0, 0, 1, 1], reward=[0.0, 1.0, 0.0, 0.0])
    >>> value = {"stop_value": [0.25, 0.25, 0.25, 0.5], "next_stop_value": [0.25, 1.0, 0.5, 0.0]}
    >>> batch = batch.with_columns(**{name: Column.of("step", values) for name, values in value.items()})
    >>> RECIPE.credit(batch).values
    array([ 0.75,  1.5 ,  0.  , -0.75])
"""

from guerdon.credit import Credit, gain, shuffled, step_term, termination_baseline, to_go_of
from guerdon.recipes import rloo
from guerdon.recipes.base import Number, Recipe, with_control
from guerdon.rewards import Term, at_end, fact

ALPHA = 1.0  # ours: the progress of a play weighs as much as its outcome

OUTCOME = fact("outcome")
STOP = fact("stop_value")
PROGRESS = gain("stop_value")


def credit(alpha: float = ALPHA, progress: Term = PROGRESS) -> Credit:
    """The advantage with another weight, or other progress."""
    return termination_baseline(OUTCOME, STOP) + alpha * step_term(progress)


def to_go_form(alpha: float = ALPHA, progress: Term = PROGRESS) -> Credit:
    """The null control: the same progress summed to go, which says nothing new."""
    return termination_baseline(OUTCOME, STOP) + alpha * to_go_of(progress)


RECIPE = with_control(
    Recipe(
        name="mrt",
        title="MRT",
        paper="Qu et al., Meta Reinforcement Fine-Tuning, 2025, arXiv:2503.07572",
        idea="The outcome above stopping at once, plus what each block added to the value of stopping.",
        reward=at_end(OUTCOME) + ALPHA * PROGRESS,
        credit=credit(),
        objective=rloo.RECIPE.objective,
        numbers={
            "ALPHA": Number(ALPHA, "ours", "the progress of a play weighs as much as its outcome"),
            "CLIP": Number(rloo.CLIP, "code", "as in rloo"),
        },
        alone="a group of one gets its outcome above stopping at once, and so does a group that agrees",
        told="values",
        needs=("outcome", "stop_value", "next_stop_value"),
        baseline=rloo.RECIPE,
    ),
    "MRT with the progress shuffled over the steps of the group",
    credit(progress=shuffled(PROGRESS)),
    reward=at_end(OUTCOME) + ALPHA * shuffled(PROGRESS),
)
