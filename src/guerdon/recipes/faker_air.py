"""FAKER-Air: half the place in the group, half the distance to what was usual; constraints priced as they bind.

Paper       Real-Time Long Horizon Air Quality Forecasting via Group-Relative Policy Optimization.
            2025. Code: kaist-cvml/FAKER-Air.
Idea        Ranks say which play was best, a running mean whether any was good; a metric that must hold
            is paid for with a weight that grows while it does not.
Composes    (1 - C) * ranked(reward) + C * standardised(reward),
            reward = outcome + PRICE * floor(format_score, FLOOR).

Symbols     rank part     2 * rank / (k - 1) - 1, from -1 to 1
            history part  (R - running mean of group means) / its running std
            floor         metric - bound (signed: what is above the bound is paid too)
            ceiling       -max(0, metric - bound)
            PRICE         a `guerdon.credit.history.Multiplier`'s value, which the run moves

Departures  Equal plays share their mean rank; the code breaks ties by index, so that plays which agree get
            -1, -1/3, 1/3 and 1. The paper's floor is on recall and its ceiling on false alarms of a
            forecast (`FLOOR`, `CEILING`); here the metric is `format_score`, and `constrained` takes any. What
            the code calls the false alarm rate is the false positive rate. `history_mean` and `history_std` come
            from `guerdon.credit.history.Ema`. No KL term, whose weight the code controls.

Example (before: mean 0.5, std 0.5; form is at its floor, so the reward is the outcome):
    >>> from guerdon.batch import Batch, Column
    >>> batch = Batch.from_steps(group=[0, 0, 0], trajectory=[0, 1, 2], reward=[1.0, 0.0, 0.0])
    >>> batch = batch.with_columns(format_score=Column.of("trajectory", [FLOOR] * 3))
    >>> batch = batch.with_columns(history_mean=Column.of("group", [0.5]), history_std=Column.of("group", [0.5]))
    >>> RECIPE.credit(batch).values
    array([ 1.  , -0.75, -0.75])
"""

from guerdon.credit import Credit, at_size_of, ranked, standardised
from guerdon.recipes import gpg, grpo
from guerdon.recipes.base import Number, Recipe, with_control
from guerdon.rewards import Term, affine, clip, fact

C = 0.5  # code: FAKER-Air grpo_train.py, weight of the history part
PRICE = 0.2  # code: FAKER-Air grpo_train.py, where both multipliers start
FLOOR = 0.60  # code: FAKER-Air reward.py, recall
CEILING = 0.18  # code: FAKER-Air reward.py, false alarms

OUTCOME, FORM = fact("outcome"), fact("format_score")


def floor(metric: Term, bound: float = FLOOR) -> Term:
    """What a metric is above its bound, below 0 where it violates it."""
    return affine(metric, offset=-bound)


def ceiling(metric: Term, bound: float = CEILING) -> Term:
    """0 below the bound, and less the further a metric is above it."""
    return -clip(affine(metric, offset=-bound), low=0.0)


def constrained(reward: Term, *held: tuple[float, Term]) -> Term:
    """The reward and each constraint at its price: `constrained(r, (0.2, floor(recall)), (0.3, ceiling(alarms)))`."""
    return sum((price * term for price, term in held), reward)


REWARD = constrained(OUTCOME, (PRICE, floor(FORM)))


def credit(reward: Term = REWARD, share: float = C) -> Credit:
    """The advantage of another reward, or with another weight of the history."""
    return (1.0 - share) * ranked(reward) + share * standardised(reward)


RECIPE = with_control(
    Recipe(
        name="faker-air",
        title="FAKER-Air",
        paper="Real-Time Long Horizon Air Quality Forecasting via GRPO, 2025, code kaist-cvml/FAKER-Air",
        idea="Blend the rank in the group with the distance to a running mean; price constraints.",
        reward=REWARD,
        credit=credit(),
        objective=gpg.UNCLIPPED,
        numbers={
            "C": Number(C, "code", "FAKER-Air grpo_train.py"),
            "PRICE": Number(PRICE, "code", "FAKER-Air grpo_train.py"),
            "FLOOR": Number(FLOOR, "code", "FAKER-Air reward.py, recall"),
            "CEILING": Number(CEILING, "code", "FAKER-Air reward.py, false alarms"),
        },
        told="history",
        alone="a group of one, and one that agrees, get their distance to the running mean",
        needs=("outcome", "format_score", "history_mean", "history_std"),
        baseline=grpo.RECIPE,
    ),
    "FAKER-Air's direction at the size of its ranks alone",
    at_size_of(credit(), ranked(REWARD)),
)
