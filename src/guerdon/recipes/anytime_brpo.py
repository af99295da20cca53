"""AnytimeReasoner (BRPO): a thought is worth what answering after each of its parts would get.

Paper       Optimizing Anytime Reasoning via Budget Relative Policy Optimization. 2025.
Idea        Answers forced at several budgets reward every part of a thought, and those forced
            earlier in the same thought say what was to be expected.
Composes    modulate(centred(weighted_to_go(probe, PRIOR), by=(prompt, turn)), by=1 - s/S)
            + modulate(above_past(probe, PRIOR, GROWTH), by=s/S).

Symbols     r[s]    `probe`, mean score of answers forced at the end of part s;  P  prior of the budgets
            R[s]  = sum over j >= s of P[j] r[j]
            V1[s] = (sum over j < s of GROWTH^j r[j] / sum over j < s of GROWTH^j) * sum over j >= s of P[j]
            V2[s] = mean of R[s] over the group
            A[s]  = R[s] - (s/S) V1[s] - ((S - s)/S) V2[s],   s = 0 .. S - 1

A step is one part of a thought; S is the play's number of steps. With S = 1 this is grpo without
its std. The own past is known before the part is written, so V1 adds no bias; V2 holds the play itself,
which shrinks the expected gradient of part s by 1 - (S - s) / (S G), G plays in the group.

Departures  The answers' own policy (each prefix a group of its own) is not trained here. A thought that
            ends early has fewer steps, and its own S; the paper fills the remaining budgets with
            more answers from the whole thought. A step that nothing known came before has no past part.

Example (two parts each; the first thought already knew half of it after its first part):
    >>> from guerdon.batch import Batch, Column
    >>> batch = Batch.from_steps(group=[0] * 4, trajectory=[0, 0, 1, 1], reward=[0.0] * 4)
    >>> RECIPE.credit(batch.with_columns(probe=Column.of("step", [0.5, 1.0, 0.0, 0.0]))).values
    array([ 0.375,  0.25 , -0.375, -0.125])
"""

from guerdon.credit import (
    Credit,
    Turn,
    above_past,
    centred,
    elapsed,
    modulate,
    shuffled,
    stopping_prior,
    weighted_to_go,
)
from guerdon.recipes import dr_grpo, grpo
from guerdon.recipes.base import Number, Recipe, with_control
from guerdon.rewards import Term, Weights, affine, fact, uniform

GROWTH = 2.0  # code: verl/trainer/ppo/brpo.py, recent prefixes count more

PROBE = fact("probe")


def credit(probe: Term = PROBE, how: Weights = uniform, growth: float = GROWTH) -> Credit:
    """The advantage under another prior of the budgets: `uniform`, `rising` or `only_last`."""
    group = centred(weighted_to_go(probe, stopping_prior(how)), by=("prompt", Turn()))
    past = above_past(probe, stopping_prior(how), growth)
    return modulate(group, by=affine(elapsed(), -1.0, 1.0)) + modulate(past, by=elapsed())


RECIPE = with_control(
    Recipe(
        name="anytime-brpo",
        title="AnytimeReasoner (BRPO)",
        paper="Optimizing Anytime Reasoning via Budget Relative Policy Optimization, 2025",
        idea="Reward each part of a thought by what answering from there on would get.",
        reward=PROBE,
        credit=credit(),
        objective=dr_grpo.RECIPE.objective,
        numbers={
            "GROWTH": Number(GROWTH, "code", "verl/trainer/ppo/brpo.py"),
            "CLIP": Number(dr_grpo.CLIP, "code", "as in dr-grpo"),
        },
        told="values",
        alone="the past part is compared with the play's own past, so a group of one has it, and one that agrees",
        needs=("probe",),
        baseline=grpo.RECIPE,
    ),
    "BRPO with its probes shuffled over the steps of the group",
    credit(shuffled(PROBE)),
    reward=shuffled(PROBE),
)
