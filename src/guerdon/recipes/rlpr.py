"""RLPR: a chain is paid by how likely it makes the reference answer, and nobody has to verify.

Paper       RLPR: Extrapolating RLVR to General Domains without Verifiers. 2025. arXiv:2506.18254.
Idea        The policy's own probability of the reference after a chain tells good chains from bad ones; less
            what it was without the chain.
Composes    centred((1 - FORMAT) * clip(total(gain(belief)), 0, 1) + FORMAT * format_score, scale=Std(EPS)).

Symbols     f      mean over the reference's tokens of their probabilities, spliced in for the answer: `belief` before
                   a step, `next_belief` after it
            R    = (1 - FORMAT) * clip(f(after the chain) - f(before it), 0, 1) + FORMAT * format_score
            A[i] = (R[i] - mean of the group) / (std of the group + EPS)

`objective(answer=1)` adds the second term of the gradient of E[f], which the paper leaves out: the reference becomes
likelier by itself. It is exact where the credit is that of f alone, unclipped and undivided (`verifree` has it so). The
references ride along as plays whose column `answer` is true, in groups of their own.

Departures  f before the chain is the policy's own; the paper's is the initial policy's, once per prompt. The filter of
            prompts with little spread is the sampler's.

Example (the first chain makes a reference of 0.25 certain, the second changes nothing):
    >>> from guerdon.batch import Batch, Column
    >>> batch = Batch.from_steps(group=[0, 0], trajectory=[0, 1], reward=[0.0, 0.0])
    >>> seen = {"belief": Column.of("step", [0.25, 0.25]), "next_belief": Column.of("step", [1.0, 0.25])}
    >>> batch = batch.with_columns(**seen, format_score=Column.of("trajectory", [1.0, 1.0]))
    >>> RECIPE.reward(batch).values.round(3), RECIPE.credit(batch).values.round(3)
    (array([0.775, 0.1  ]), array([ 0.707, -0.707]))
"""

from guerdon.credit import Credit, Std, centred, shuffled
from guerdon.credit.progress import gain
from guerdon.objectives import Clipped, Likelihood, MeanProbability, Objective, On, SequenceMean
from guerdon.recipes import grpo
from guerdon.recipes.base import Number, Recipe, with_control
from guerdon.rewards import Term, clip, fact, total

FORMAT = 0.1  # code: OpenBMB/RLPR
CLIP_LOW, CLIP_HIGH = 0.2, 0.27  # code: examples/RLPR

GAIN = gain("belief")


def reward(added: Term = GAIN) -> Term:
    """What a chain is worth by what its steps added to the likelihood of the reference."""
    return (1 - FORMAT) * clip(total(added), low=0.0, high=1.0) + FORMAT * fact("format_score")


def credit(worth: Term) -> Credit:
    """GRPO's advantage of what a chain is worth."""
    return centred(worth, scale=Std(grpo.EPS))


def objective(answer: float = 0.0) -> Objective:
    """The loss with the second term at a weight; 1 is the derivative, 0 leaves it out as the paper does."""
    chain = Clipped(low=CLIP_LOW, high=CLIP_HIGH, reduce=SequenceMean())
    return chain + On("answer", Likelihood(MeanProbability(), answer)) if answer else chain


RECIPE = with_control(
    Recipe(
        name="rlpr",
        title="RLPR",
        paper="RLPR: Extrapolating RLVR to General Domains without Verifiers, 2025, arXiv:2506.18254",
        idea="Pay a chain by how much likelier it makes the reference answer.",
        reward=reward(),
        credit=credit(reward()),
        objective=objective(),
        numbers={
            "FORMAT": Number(FORMAT, "code", "reward_manager/prob.py"),
            "CLIP_LOW": Number(CLIP_LOW, "code", "examples/RLPR"),
            "CLIP_HIGH": Number(CLIP_HIGH, "code", "examples/RLPR"),
            "EPS": Number(grpo.EPS, "code", "as in grpo"),
        },
        told="reference likelihoods",
        needs=("belief", "next_belief", "format_score"),
        baseline=grpo.RECIPE,
    ),
    "RLPR with its likelihoods shuffled over the steps of the group",
    credit(reward(shuffled(GAIN))),
    reward=reward(shuffled(GAIN)),
)
