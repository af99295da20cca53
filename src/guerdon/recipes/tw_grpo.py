"""TW-GRPO: tokens at places where the plays of a group disagree count more.

Paper       Reinforcing Video Reasoning with Focused Thinking. 2025.
Idea        Where all plays of a prompt expect the same next token there is nothing to decide.
Composes    modulate(grpo, by=1 + (ALPHA - 1) * min_max(divergence, by="prompt")); Clipped over tokens, mean
            over all tokens.

Symbols     D[t]   how far the group's next-token distributions disagree at token t: the column
                   `divergence`, made by `guerdon.credit.tokens.divergence`
            u[t]   D from 0 to 1 over the group
            A[t] = A_grpo * (1 + (ALPHA - 1) * u[t])

The weights are not brought back to a mean of 1, so they also make a larger step; the control tells
this apart. Positions of plays are alike only early in the text, and past the end of the
shortest one D is large whatever the plays say.

Departures  Only sampled tokens are put on the scale; in the code also what follows the end of a text. The
            paper's reward for sets of answers (the share found, 0 if one is wrong) is left to the
            environment: `outcome` may be any number.

Example (two tokens a play; the plays disagree about the second):
    >>> from guerdon.batch import Batch, Column
    >>> batch = Batch.from_steps(group=[0, 0], trajectory=[0, 1], reward=[1.0, 0.0], tokens_per_step=2)
    >>> batch = batch.with_columns(divergence=Column.of("token", [0.0, 3.0, 0.0, 3.0]))
    >>> RECIPE.credit(batch).values.round(3)
    array([ 0.707,  1.202, -0.707, -1.202])
"""

from guerdon.credit import Credit, min_max, modulate, shuffled
from guerdon.objectives import Clipped, TokenMean, TokenRatio
from guerdon.recipes import grpo
from guerdon.recipes.base import Number, Recipe, with_control
from guerdon.rewards import Term, affine, fact

ALPHA = 1.7  # code: TW-GRPO scripts/tw-grpo.sh; the trainer's default is 1.4

DIVERGENCE = fact("divergence")


def credit(alpha: float = ALPHA, signal: Term = DIVERGENCE) -> Credit:
    """The advantage with another largest weight, or another signal about tokens."""
    return modulate(grpo.CREDIT, by=affine(min_max(signal, by="prompt"), scale=alpha - 1.0, offset=1.0))


RECIPE = with_control(
    Recipe(
        name="tw-grpo",
        title="TW-GRPO",
        paper="Reinforcing Video Reasoning with Focused Thinking, 2025",
        idea="Tokens at places where the plays of a group disagree count more.",
        reward=fact("outcome"),
        credit=credit(),
        objective=Clipped(low=grpo.CLIP, high=grpo.CLIP, ratio=TokenRatio(), reduce=TokenMean()),
        numbers={
            "ALPHA": Number(ALPHA, "code", "TW-GRPO scripts/tw-grpo.sh; trainer default 1.4"),
            "EPS": Number(grpo.EPS, "code", "as in grpo, and TW-GRPO grpo_trainer.py"),
            "CLIP": Number(grpo.CLIP, "code", "as in grpo"),
        },
        told="token signals",
        needs=("outcome", "divergence"),
        baseline=grpo.RECIPE,
    ),
    "TW-GRPO with its divergences shuffled over the tokens of the group",
    credit(signal=shuffled(DIVERGENCE)),
)
