"""SAR: an answer is paid for what the question told of it, so that words which say nothing cost.

Paper       Self-Aligned Reward: Towards Effective and Efficient Reasoners. 2025.
Idea        Text that answers this question is likely behind it and unlikely alone; padding is likely either way.
Composes    centred(outcome + ALPHA * information_gain(logprob, logprob_alone)); Clipped over tokens, divided by a
            constant length.

Symbols     R_SA = max((ppl(a) - ppl(a|q)) / ppl(a), -1) = max(1 - exp(-(log p(a|q) - log p(a)) / |a|), -1)
            R = outcome + ALPHA * R_SA

An echo of the question is certain behind it, so repeating it raises R_SA: look for that.

Departures  No KL term; the released script has 0.001. The constant length is the longest trajectory of the
            optimiser step.

Example (both right; what the first says is twice as likely behind the question, the second's is not):
    >>> import numpy as np
    >>> from guerdon.batch import Batch, Column
    >>> batch = Batch.from_steps(group=[0, 0], trajectory=[0, 1], reward=[1.0, 1.0], tokens_per_step=1)
    >>> batch = batch.with_columns(logprob=Column.of("token", [-1.0, -1.0]))
    >>> batch = batch.with_columns(logprob_alone=Column.of("token", [-1.0 - np.log(2.0), -1.0]))
    >>> RECIPE.credit(batch).values.round(6)
    array([ 0.05, -0.05])
"""

from guerdon.credit import Credit, centred, shuffled
from guerdon.recipes import dr_grpo
from guerdon.recipes.base import Number, Recipe, with_control
from guerdon.rewards import Term, fact
from guerdon.rewards.length import information_gain

ALPHA = 0.2  # code: SAR scripts/SA-grpo-4B.sh

GAIN = information_gain()


def reward(alpha: float = ALPHA, gain: Term = GAIN) -> Term:
    """The worth of a play under another weight, or another gain."""
    return fact("outcome") + alpha * gain


def credit(worth: Term) -> Credit:
    """The advantage of a worth."""
    return centred(worth)


RECIPE = with_control(
    Recipe(
        name="sar",
        title="SAR, self-aligned reward",
        paper="Self-Aligned Reward: Towards Effective and Efficient Reasoners, 2025",
        idea="Pay an answer for how much likelier the question makes it, per token.",
        reward=reward(),
        credit=credit(reward()),
        objective=dr_grpo.RECIPE.objective,
        numbers={
            "ALPHA": Number(ALPHA, "code", "SAR scripts/SA-grpo-4B.sh"),
            "CLIP": Number(dr_grpo.CLIP, "code", "as in dr-grpo"),
        },
        told="token signals",
        alone="a group that agrees on outcomes is told apart by its gains; a group of one gets zero",
        needs=("outcome", "logprob", "logprob_alone"),
        baseline=dr_grpo.RECIPE,
    ),
    "SAR with the gains shuffled over the plays of the group",
    credit(reward(gain=shuffled(GAIN))),
    reward=reward(gain=shuffled(GAIN)),
)
