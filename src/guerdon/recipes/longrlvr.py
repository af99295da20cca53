"""LongRLVR: an answer is paid more if it cites the right places, and citing pays a little of itself.

Paper       LongRLVR: Long-Context Reinforcement Learning Requires Verifiable Context Rewards. 2026.
Idea        From the answer alone the chance of a signal falls exponentially in the number of places that must all
            be found; a score of the places has a gradient for each of them.
Composes    alive(centred(synergy(outcome, grounding, ETA), scale=Std(EPS))); Clipped over tokens with two bounds,
            mean over tokens.

Symbols     r   the answer's verdict;   F   score of the places cited against the right ones (F_beta, beta 2)
            R = r + ETA * F + (1 - ETA) * r * F

With ETA 1 citing is paid in full whatever is answered; with ETA 0 it is not learned before an answer is right.

Departures  Groups that agree are left out, and no other prompt is drawn in their place. An answer without a
            valid form gets 0 from the verifier, in both r and F.

Example (right and well cited, right only, well cited only):
    >>> from guerdon.batch import Batch, Column
    >>> batch = Batch.from_steps(group=[0] * 3, trajectory=[0, 1, 2], reward=[1.0, 1.0, 0.0])
    >>> batch = batch.with_columns(grounding=Column.of("trajectory", [1.0, 0.0, 1.0]))
    >>> RECIPE.reward(batch).values
    array([2. , 1. , 0.1])
"""

from guerdon.credit import Credit, Std, alive, centred, shuffled
from guerdon.objectives import Clipped, TokenMean, TokenRatio
from guerdon.recipes import dapo, grpo
from guerdon.recipes.base import Number, Recipe, with_control
from guerdon.rewards import Term, fact
from guerdon.rewards.weights import synergy

ETA = 0.1  # code: LongRLVR recipe/dapo/longrl_reward_manager.py
LOW, HIGH = 0.2, 0.28  # code: LongRLVR run_longrl.sh

OUTCOME, GROUNDING = fact("outcome"), fact("grounding")


def reward(eta: float = ETA, grounding: Term = GROUNDING) -> Term:
    """The worth of a play with another floor, or another score of its citations."""
    return synergy(OUTCOME, grounding, eta)


def credit(worth: Term) -> Credit:
    """The advantage of a worth."""
    return alive(centred(worth, scale=Std(grpo.EPS)))


RECIPE = with_control(
    Recipe(
        name="longrlvr",
        title="LongRLVR",
        paper="LongRLVR: Long-Context Reinforcement Learning Requires Verifiable Context Rewards, 2026",
        idea="Pay an answer more where it cites the right places, and the citing a little of itself.",
        reward=reward(),
        credit=credit(reward()),
        objective=Clipped(low=LOW, high=HIGH, ratio=TokenRatio(), reduce=TokenMean()),
        numbers={
            "ETA": Number(ETA, "code", "LongRLVR longrl_reward_manager.py"),
            "LOW": Number(LOW, "code", "LongRLVR run_longrl.sh"),
            "HIGH": Number(HIGH, "code", "LongRLVR run_longrl.sh"),
            "EPS": Number(grpo.EPS, "code", "as in grpo"),
        },
        told="several outcomes",
        needs=("outcome", "grounding"),
        baseline=dapo.RECIPE,
    ),
    "LongRLVR with the citations' scores shuffled over the plays of the group",
    credit(reward(grounding=shuffled(GROUNDING))),
    reward=reward(grounding=shuffled(GROUNDING)),
)
