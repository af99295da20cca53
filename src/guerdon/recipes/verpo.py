"""VeRPO: tests passed on the way count, each by how rare it is and how many are as easy.

Paper       VeRPO: Verifiable Dense Reward Policy Optimization for Code Generation. 2026.
            arXiv:2601.03525.
Idea        A program that passes one hard test more is better, though it still fails as a
            whole; but twenty easy tests must not drown the one.
Composes    centred(discounted_by_length(outcome, GAMMA))
            + BETA * centred(item_reward(passed, ALPHA, SIGMA, DELTA)).

Symbols     rho[j]  share of the group's turns that passed test j
            N[j]  = sum over tests j' of exp(-(rho[j] - rho[j'])^2 / (2 SIGMA^2))
            w[j]  = exp(-ALPHA * rho[j]) / (N[j] + DELTA)
            R[t]  = sum over j of w[j] * passed[t, j];   A^turn = R less its mean over all turns of the group
            A^play = GAMMA^turns * outcome, less the group's mean;   A = A^play + BETA * A^turn

The outcome is 1 where every test passed. No division by a spread, as in the paper. The turn's
part is immediate, not summed to go.

Departures  No constant was found in print: all are ours. No released code was found.

Example (weights exp(-2) and exp(-1), so R is 0.503 and 0.135; plays are worth 0.95 and 0):
    >>> from guerdon.batch import Batch, Column
    >>> batch = Batch.from_steps(group=[0, 0], trajectory=[0, 1], reward=[1.0, 0.0])
    >>> batch = batch.with_columns(passed=Column.of("step", [[1.0, 1.0], [1.0, 0.0]]))
    >>> RECIPE.credit(batch).values.round(3)
    array([ 0.659, -0.659])
"""

from guerdon.credit import Credit, centred, shuffled
from guerdon.credit.progress import discounted_by_length, item_reward
from guerdon.recipes import grpo
from guerdon.recipes.base import Number, Recipe, with_control
from guerdon.rewards import Term, at_end, fact

ALPHA = 2.0  # ours: a test that all pass weighs 0.14 of one that none does
SIGMA = 0.1  # ours: rates closer than that are one difficulty
DELTA = 0.0  # ours: a test counts itself, so N is never below 1
BETA = 1.0  # ours
GAMMA = 0.95  # ours: an earlier success is worth a little more

PLAYS = discounted_by_length(fact("outcome"), GAMMA)
TURNS = item_reward("passed", ALPHA, SIGMA, DELTA)


def credit(beta: float = BETA, turns: Term = TURNS) -> Credit:
    """The advantage with another weight, or another reward of turns."""
    return centred(PLAYS) + beta * centred(turns)


RECIPE = with_control(
    Recipe(
        name="verpo",
        title="VeRPO",
        paper="VeRPO, 2026, arXiv:2601.03525",
        idea="Tests passed on the way count, each by how rare it is and how many are as easy.",
        reward=at_end(PLAYS) + BETA * TURNS,
        credit=credit(),
        objective=grpo.OBJECTIVE,
        numbers={
            "ALPHA": Number(ALPHA, "ours", "a test that all pass weighs 0.14 of one that none does"),
            "SIGMA": Number(SIGMA, "ours", "rates closer than that are one difficulty"),
            "DELTA": Number(DELTA, "ours", "a test counts itself"),
            "BETA": Number(BETA, "ours", "turns weigh as plays do"),
            "GAMMA": Number(GAMMA, "ours", "an earlier success is worth a little more"),
            "CLIP": Number(grpo.CLIP, "code", "as in grpo"),
        },
        told="tests",
        needs=("outcome", "passed"),
        baseline=grpo.RECIPE,
    ),
    "VeRPO with the rewards of turns shuffled over the steps of the group",
    credit(turns=shuffled(TURNS)),
    reward=at_end(PLAYS) + BETA * shuffled(TURNS),
)
