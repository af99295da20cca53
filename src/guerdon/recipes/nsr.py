"""NSR, PSR, W-REINFORCE: learn from wrong answers alone, from right ones alone, or from both unevenly.

Paper       The Surprising Effectiveness of Negative Reinforcement in LLM Reasoning. 2025. arXiv:2506.01347.
Idea        Pushing a wrong answer down hands its mass to the others in proportion to what they had, so
            the spread of right answers stays; pushing right ones up concentrates on those that were drawn.
Composes    RIGHT * step_term(outcome) + WRONG * step_term(outcome - 1); PPO's clip, mean over tokens.

Symbols     A = RIGHT * R - WRONG * (1 - R),   R the outcome, 1 or 0
            PSR (1, 0)    NSR (0, 1)    W-REINFORCE (LAMBDA, 1)    REINFORCE (1, 1), which is PSR + NSR

On policy the expected gradients are parallel: A differs by a constant and a factor, and W-REINFORCE is
(1 + LAMBDA) * PSR. What tells them apart is noise, staleness, the clip, shared parameters. Compare
at equal accuracy, not at equal steps.

Departures  An outcome between 0 and 1 counts by its share, which the code, where R is 0 or 1, does not say.
            A token's mean is over all tokens, also of plays with credit 0, as in the code.

Example:
    >>> from guerdon.batch import Batch
    >>> batch = Batch.from_steps(group=[0, 0, 0], trajectory=[0, 0, 1], reward=[0.0, 1.0, 0.0])
    >>> [c(batch).values.tolist() for c in (PSR, NSR, W_REINFORCE)]
    [[1.0, 1.0, 0.0], [0.0, 0.0, -1.0], [0.1, 0.1, -1.0]]
"""

from dataclasses import replace

from guerdon.credit import Credit, shuffled, step_term
from guerdon.objectives import Clipped, TokenMean, TokenRatio
from guerdon.recipes.base import Number, Recipe, with_control
from guerdon.rewards import Term, affine, fact

RIGHT = 0.0  # code: RLVR-Decomposed compute_psr_nsr_outcome_advantage, "negative"
WRONG = 1.0  # code: the same
LAMBDA = 0.1  # code: RLVR-Decomposed run_qwen2.5-math-7b_psr_nsr.sh, positive_advantage_weight
CLIP = 0.2  # code: RLVR-Decomposed, verl's default

OUTCOME = fact("outcome")


def credit(right: float = RIGHT, wrong: float = WRONG, outcome: Term = OUTCOME) -> Credit:
    """What is right gets `right`, what is wrong `-wrong`, compared with nothing."""
    return right * step_term(outcome) + wrong * step_term(affine(outcome, offset=-1.0))


PSR, NSR, W_REINFORCE, REINFORCE = (credit(*by) for by in ((1.0, 0.0), (0.0, 1.0), (LAMBDA, 1.0), (1.0, 1.0)))

METHOD = Recipe(
    name="nsr",
    title="NSR",
    paper="The Surprising Effectiveness of Negative Reinforcement in LLM Reasoning, 2025, arXiv:2506.01347",
    idea="Learn from wrong answers alone.",
    reward=OUTCOME,
    credit=NSR,
    objective=Clipped(low=CLIP, high=CLIP, ratio=TokenRatio(), reduce=TokenMean()),
    numbers={
        "RIGHT": Number(RIGHT, "code", "RLVR-Decomposed compute_psr_nsr_outcome_advantage"),
        "WRONG": Number(WRONG, "code", "RLVR-Decomposed compute_psr_nsr_outcome_advantage"),
        "LAMBDA": Number(LAMBDA, "code", "RLVR-Decomposed script, positive_advantage_weight; W-REINFORCE alone"),
        "CLIP": Number(CLIP, "code", "RLVR-Decomposed, verl's default"),
    },
    alone="-1 for each wrong play, also where the group agrees",
)
BOTH = replace(
    METHOD, name="nsr-baseline", title="REINFORCE with outcomes +1 and -1", idea="Learn from both.", credit=REINFORCE,
    alone="1 or -1, also where the group agrees",
)  # fmt: skip
NOISE = shuffled(OUTCOME, across=True)
RECIPE = with_control(
    replace(METHOD, baseline=BOTH),
    "NSR with outcomes shuffled over the plays of the batch",
    credit(outcome=NOISE),
    reward=NOISE,
)
