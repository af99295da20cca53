"""T-REG: DPO beside a term that raises good tokens and lowers bad ones, as told by two prompts.

Paper       Zhou et al., T-REG: Preference Optimization with Token-Level Reward Regularization.
            2024. arXiv:2412.02685.
Idea        Asked to write a better answer and then a worse one, the reference itself says which tokens are good.
Composes    step_term(squashed(better - worse) - 1/2), a credit of tokens; Preference(BETA) by outcome
            + TokenRegularised(ALPHA, BETA) on that credit.

Symbols     r[t] = sigmoid(logprob_better[t] - logprob_worse[t]) - 1/2
            loss = DPO + ALPHA * stop(sigmoid(-m)) * (sum over the tokens of both plays of -BETA * r * logprob)
            m    = BETA * (l[best] - l[worst]),   DPO's margin

Its gradient is DPO's with tokens at 1 + ALPHA * r in the preferred play and 1 - ALPHA * r in the other; TGDPO
has such weights inside the sigmoid too.

Departures  Pairs are the best and the worst of a prompt's own plays. A token that one of the prompts did not
            score is left out of the play, in both terms.

Example (the first token is twice as likely to come of the better prompt, 2/3 - 1/2):
    >>> import numpy as np
    >>> from guerdon.batch import Batch, Column
    >>> batch = Batch.from_steps(group=[0], trajectory=[0], reward=[1.0], tokens_per_step=2)
    >>> two = {"logprob_better": [np.log(2.0), 0.0], "logprob_worse": [0.0, 0.0]}
    >>> batch = batch.with_columns(**{name: Column.of("token", x) for name, x in two.items()})
    >>> RECIPE.credit(batch).values.round(4)
    array([0.1667, 0.    ])
"""

from guerdon.credit import Credit, shuffled, step_term
from guerdon.objectives import BestAgainstWorst, Objective, Outcome, Preference, TokenRegularised
from guerdon.recipes import dpo
from guerdon.recipes.base import Number, Recipe, with_control
from guerdon.rewards import Term, affine, fact
from guerdon.rewards.bounded import squashed

ALPHA = 0.25  # UNVERIFIED: a note on the paper, of 0.1, 0.25 and 0.5
BETA = 0.1  # ours: as in dpo

OUTCOME = fact("outcome")
CONTRAST = affine(squashed(fact("logprob_better") - fact("logprob_worse")), offset=-0.5)


def credit(contrast: Term = CONTRAST) -> Credit:
    """The credit of tokens by another reward of them; none in a play without an outcome."""
    return step_term(contrast) + 0.0 * step_term(OUTCOME)


def objective(alpha: float = ALPHA, beta: float = BETA) -> Objective:
    """The loss with another weight of the token rewards; alpha = 0 is DPO."""
    by_outcome = BestAgainstWorst(Outcome())
    return Preference(beta, choice=by_outcome) + TokenRegularised(alpha, beta, choice=by_outcome)


RECIPE = with_control(
    Recipe(
        name="t-reg",
        title="T-REG",
        paper="Zhou et al., T-REG, 2024, arXiv:2412.02685",
        idea="Add to DPO a pull on tokens, by what the reference writes when asked for better and for worse.",
        reward=OUTCOME,
        credit=credit(),
        objective=objective(),
        numbers={
            "ALPHA": Number(ALPHA, "UNVERIFIED", "a note on the paper, of 0.1, 0.25 and 0.5"),
            "BETA": Number(BETA, "ours", "as in dpo"),
        },
        told="token signals",
        alone="The reward of each token: a group of one, or one that agrees, has no pair to use it.",
        needs=("outcome", "logprob_better", "logprob_worse"),
        baseline=dpo.RECIPE,
    ),
    "T-REG with its token rewards shuffled over the tokens of the group",
    credit(shuffled(CONTRAST)),
)
