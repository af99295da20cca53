"""RLOO: REINFORCE, with the mean of the other plays of the prompt as baseline.

Paper       Ahmadian et al., Back to Basics: Revisiting REINFORCE Style Optimization for
            Learning from Human Feedback in LLMs. 2024. arXiv:2402.14740.
Idea        The other plays of a prompt are a baseline that one's own actions do not enter.
Composes    centred(outcome, baseline=Others()); Clipped over tokens.

Symbols     A[i] = R[i] - mean over j != i of R[j]

Departures  A group of one gets zero; in verl it keeps its raw reward. The loss is verl's
            (token ratio, mean over tokens); TRL's RLOO clips the ratio of whole
            sequences and takes KL to a reference (0.05) off the reward; here there is none.

Example:
    >>> from guerdon.batch import Batch
    >>> batch = Batch.from_steps(group=[0, 0, 0, 0], trajectory=[0, 0, 1, 2], reward=[0.0, 1.0, 0.0, 0.0])
    >>> RECIPE.credit(batch).values
    array([ 1. ,  1. , -0.5, -0.5])
"""

from dataclasses import replace

from guerdon.credit import Others, centred, shuffled, step_term
from guerdon.objectives import Clipped, TokenMean, TokenRatio
from guerdon.recipes.base import Number, Recipe, with_control
from guerdon.rewards import fact

CLIP = 0.2  # code: TRL RLOOConfig.epsilon; verl actor.clip_ratio

OUTCOME = fact("outcome")
METHOD = Recipe(
    name="rloo",
    title="RLOO",
    paper="Ahmadian et al., Back to Basics, 2024, arXiv:2402.14740",
    idea="The mean outcome of the other plays of a prompt is the baseline of each.",
    reward=OUTCOME,
    credit=centred(OUTCOME, baseline=Others()),
    objective=Clipped(low=CLIP, high=CLIP, ratio=TokenRatio(), reduce=TokenMean()),
    numbers={"CLIP": Number(CLIP, "code", "TRL RLOOConfig.epsilon, verl clip_ratio")},
)
REINFORCE = replace(
    METHOD,
    name="rloo-baseline",
    title="REINFORCE without a baseline",
    paper="Williams, Simple Statistical Gradient-Following Algorithms, 1992",
    idea="Make what succeeded more likely.",
    credit=step_term(OUTCOME),
)
RECIPE = with_control(
    replace(METHOD, baseline=REINFORCE),
    "RLOO with outcomes shuffled over the plays of the batch",
    centred(shuffled(OUTCOME, across=True), baseline=Others()),
    reward=shuffled(OUTCOME, across=True),
)
