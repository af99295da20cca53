"""THR: only tokens whose training moves the likelihood of the right answers are trained.

Paper       Token Hidden Reward: Steering Exploration-Exploitation in Group Relative Deep
            Reinforcement Learning. 2025. arXiv:2510.03669.
Idea        To first order it can be told what a token's update does to the right answers of its
            group; a small bias on the sign of this trades greedy accuracy for variety.
Composes    sign_scaled(grpo, by=influence, P, above=group_mean(influence, among=outcome)).

Symbols     s[k]   influence of token k: the column `influence`, made by `guerdon.credit.tokens.influence`
            tau    mean of s over the tokens of the right plays of the group
            A[k] = 1[|s[k]| > tau] * (1 + P * sign(s[k])) * A_grpo

P > 0 exploits (greedy accuracy), P < 0 explores (pass at k), P = 0 only selects. Tokens below tau get no
gradient at all.

Departures  s compares tokens exactly only within one outcome: the effect of the update is |A| s. A group
            without a right play has no tau, and GRPO gives it nothing either. No KL (paper: 1e-4). The numbers
            come from notes on the paper; no code was read.

Example (tau is 1; one token of each play is dominant):
    >>> from guerdon.batch import Batch, Column
    >>> batch = Batch.from_steps(group=[0, 0], trajectory=[0, 1], reward=[1.0, 0.0], tokens_per_step=2)
    >>> batch = batch.with_columns(influence=Column.of("token", [2.0, 0.0, -3.0, 0.5]))
    >>> RECIPE.credit(batch).values.round(3) + 0.0
    array([ 0.778,  0.   , -0.636,  0.   ])
"""

from numbers import Real

from guerdon.credit import Credit, shuffled, sign_scaled
from guerdon.recipes import grpo
from guerdon.recipes.base import Number, Recipe, with_control
from guerdon.rewards import Term, fact, group_mean

P = 0.1  # UNVERIFIED: notes on the paper; exploitation

INFLUENCE = fact("influence")


def mean_of_right(signal: Term = INFLUENCE) -> Term:
    """The mean of the signal over the tokens of the right plays of each group."""
    return group_mean(signal, among=fact("outcome"))


TAU = mean_of_right()


def credit(p: float = P, tau: Term | Real = TAU, signal: Term = INFLUENCE) -> Credit:
    """The advantage with another bias, threshold or signal; a threshold of -1 keeps every token."""
    return sign_scaled(grpo.CREDIT, signal, p, above=tau)


NOISE = shuffled(INFLUENCE)
RECIPE = with_control(
    Recipe(
        name="thr",
        title="THR",
        paper="Token Hidden Reward, 2025, arXiv:2510.03669",
        idea="Train only tokens whose update moves the likelihood of the right answers.",
        reward=fact("outcome"),
        credit=credit(),
        objective=grpo.OBJECTIVE,
        numbers={
            "P": Number(P, "UNVERIFIED", "notes on the paper; -0.1 explores"),
            "EPS": Number(grpo.EPS, "code", "as in grpo"),
            "CLIP": Number(grpo.CLIP, "code", "as in grpo"),
        },
        told="token signals",
        needs=("outcome", "influence"),
        baseline=grpo.RECIPE,
    ),
    "THR with its influences shuffled over the tokens of the group",
    credit(tau=mean_of_right(NOISE), signal=NOISE),
)
