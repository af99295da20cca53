"""PURE: a chain of steps is worth its worst step.

Paper       Cheng et al., Stop Summation: Min-Form Credit Assignment Is All Process Reward Model
            Needs for Reasoning. 2025. arXiv:2504.15275.
Idea        Summing process scores pays for every further step that looks good; the minimum
            pays for none.
Composes    min_form_of(score, SoftMin(TEMPERATURE)) + OUTCOME_WEIGHT * centred(outcome - 1, baseline=Others()).

Symbols     r[t]    process score in [-1, 1]: the fact `closer`
            w       softmax over a play's steps of -r / TEMPERATURE;   r* = w * r
            b[i]    what the other plays of the group got in r* per token
            v       outcome - 1, in {-1, 0}, at the last step
            A[t]  = sum over t' >= t of (r*[t'] - b * tokens[t']) + v - mean over the others of v

The softmax is how the paper's code has the ordinary sum approach the minimum. It equals the
minimum from the first step; after the worst step it tends to 0, where the exact form,
`credit(HardMin())`, has the minimum of what remains. A group of one gets zero. In a group of
plays that are all alike the first step gets zero (up to the outcome part, which is zero too);
later steps get what their rest is above or below the rate of the whole.

Departures  The process score is exact knowledge of the environment, in place of a trained
            model. No KL in the reward (the paper's code: 0.001). All of a step's tokens get its
            credit; the code leaves out separator tokens, which actions do not have here.

Example (the worst step of the first play is its first):
    >>> from guerdon.batch import Batch, Column
    >>> batch = Batch.from_steps(group=[0] * 4, trajectory=[0, 0, 1, 1], reward=[0.0] * 4)
    >>> batch = batch.with_columns(closer=Column.of("step", [-1.0, 1.0, 1.0, 1.0]))
    >>> (RECIPE.credit(batch).values.round(3) + 0.0).tolist()
    [-2.0, -0.5, 2.0, 1.0]
"""

from guerdon.credit import Credit, Form, Others, SoftMin, centred, min_form_of, shuffled, soft_min
from guerdon.recipes import rloo
from guerdon.recipes.base import Number, Recipe, with_control
from guerdon.rewards import Term, affine, at_end, fact

TEMPERATURE = 0.1  # code: PURE, softmax over -r / T
OUTCOME_WEIGHT = 1.0  # code: PURE, coefficient of the verifiable reward

SCORE = fact("closer")
VERIFIED = affine(fact("outcome"), offset=-1.0)
FORM = SoftMin(TEMPERATURE)


def credit(form: Form = FORM, score: Term = SCORE) -> Credit:
    """The advantage with another form of the minimum, or another process score."""
    return min_form_of(score, form) + OUTCOME_WEIGHT * centred(VERIFIED, baseline=Others())


def reward(score: Term = SCORE) -> Term:
    """What the undiscounted sum of a play is made of."""
    return OUTCOME_WEIGHT * at_end(VERIFIED) + soft_min(score, TEMPERATURE)


RECIPE = with_control(
    Recipe(
        name="pure",
        title="PURE",
        paper="Cheng et al., Stop Summation, 2025, arXiv:2504.15275",
        idea="A chain of steps is worth its worst step, not the sum of them.",
        reward=reward(),
        credit=credit(),
        objective=rloo.RECIPE.objective,
        numbers={
            "TEMPERATURE": Number(TEMPERATURE, "code", "PURE, softmax over -r / T"),
            "OUTCOME_WEIGHT": Number(OUTCOME_WEIGHT, "code", "PURE, coefficient of the verifiable reward"),
            "CLIP": Number(rloo.CLIP, "code", "as in rloo"),
        },
        told="a perfect step judge",
        needs=("outcome", "closer"),
        baseline=rloo.RECIPE,
    ),
    "PURE with its process scores shuffled over the steps of the group",
    credit(score=shuffled(SCORE)),
    reward=reward(shuffled(SCORE)),
)
