"""FAPO: a right answer reached by a wrong way is worth less than a right one, and more than a wrong one.

Paper       FAPO: Flawed-Aware Policy Optimization for Efficient and Reliable Reasoning. 2025.
Idea        Flawed answers are a shortcut while right ones are rare and in the way once they are not; placed
            between the two, a group's mean decides which.
Composes    centred(2 outcome - 1 - PENALTY * gate(flawed, when=outcome), scale=Std(EPS)); Clipped over tokens with
            two bounds, mean over tokens.

Symbols     R = 1 right, 1 - PENALTY right by a flawed way, -1 wrong
            p_c, p_f, p_w   shares of a group;   mean = p_c - p_w + (1 - PENALTY) p_f
            A of a flawed answer has the sign of (2 - PENALTY) p_w - PENALTY p_c: it turns at p_c / p_w =
            2 / PENALTY - 1, however many are flawed; at PENALTY 2 it is never above zero

The turn comes from the group's mean: against a fixed baseline there is none. What the judge says of wrong
answers is not read. Its own errors weigh most on hard problems, where few are right.

Departures  The judge is evidence: here it is a column. No penalty on overlong answers (`overlong` is one) and no
            asynchronous service; dynamic sampling is dapo's.

Example (clean, flawed, wrong: in balance the flawed one is at the mean; with more clean ones it would be below):
    >>> from guerdon.batch import Batch, Column
    >>> batch = Batch.from_steps(group=[0] * 3, trajectory=[0, 1, 2], reward=[1.0, 1.0, 0.0])
    >>> batch = batch.with_columns(flawed=Column.of("trajectory", [0.0, 1.0, None]))
    >>> RECIPE.reward(batch).values, RECIPE.credit(batch).values.round(3)
    (array([ 1.,  0., -1.]), array([ 1.,  0., -1.]))
"""

from guerdon.credit import Credit, Std, centred, shuffled
from guerdon.objectives import Clipped, TokenMean, TokenRatio
from guerdon.recipes import grpo
from guerdon.recipes.base import Number, Recipe, with_control
from guerdon.rewards import Term, affine, fact, gate

PENALTY = 1.0  # code: FAPO fapo/fapo_reasoning/reward_fn.py, a flawed answer gets 0
LOW, HIGH = 0.2, 0.28  # code: FAPO scripts/run_fapo_reasoning_7b.sh
EPS = 1e-6  # code: verl's GRPO, which it runs on

OUTCOME, FLAWED = fact("outcome"), fact("flawed")


def reward(penalty: float = PENALTY, flawed: Term = FLAWED) -> Term:
    """The worth of a play under another penalty, or another judge."""
    return affine(OUTCOME, scale=2.0, offset=-1.0) - penalty * gate(flawed, when=OUTCOME)


def credit(worth: Term) -> Credit:
    """The advantage of a worth."""
    return centred(worth, scale=Std(EPS))


RECIPE = with_control(
    Recipe(
        name="fapo",
        title="FAPO",
        paper="FAPO: Flawed-Aware Policy Optimization for Efficient and Reliable Reasoning, 2025",
        idea="Place flawed right answers between right and wrong, and let the group's mean decide.",
        reward=reward(),
        credit=credit(reward()),
        objective=Clipped(low=LOW, high=HIGH, ratio=TokenRatio(), reduce=TokenMean()),
        numbers={
            "PENALTY": Number(PENALTY, "code", "FAPO fapo_reasoning/reward_fn.py"),
            "LOW": Number(LOW, "code", "FAPO scripts/run_fapo_reasoning_7b.sh"),
            "HIGH": Number(HIGH, "code", "FAPO scripts/run_fapo_reasoning_7b.sh"),
            "EPS": Number(EPS, "code", "verl compute_grpo_outcome_advantage"),
        },
        told="judge votes",
        needs=("outcome", "flawed"),
        baseline=grpo.RECIPE,
    ),
    "FAPO with the judge's verdicts shuffled over the right plays of the group",
    credit(reward(flawed=shuffled(FLAWED))),
    reward=reward(flawed=shuffled(FLAWED)),
)
