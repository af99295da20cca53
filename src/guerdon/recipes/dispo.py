"""DISPO: a bound of its own for right and for wrong, above and below.

Paper       DISPO: Enhancing Training Efficiency and Stability in Reinforcement Learning for Large
            Language Model Mathematical Reasoning. 2026. arXiv:2602.00983.
Idea        What the four bounds do is not alike: for right answers they trade exploring against
            repeating, for wrong ones a tight bound ends in repetition or in ever shorter answers.
Composes    dapo.credit(); Reinforce(BySign(Bounded(.., ..), Bounded(.., ..))), mean over tokens.

Symbols     w = clip(r, 1 - RIGHT_LOW, 1 + RIGHT_HIGH)  where A > 0
            w = clip(r, 1 - WRONG_LOW, 1 + WRONG_HIGH)  where A < 0;   loss = -mean(w * A * logprob)

right and likelier   explores, raises entropy          wrong and likelier   too tight: answers repeat
right and unlikelier repeats, lowers entropy           wrong and unlikelier held up: answers get short

Departures  The numbers come from notes on the paper; no code was read. A weight of 101 with negative credit
            is safe only because the gradient is that of the log-probability; log-ratios beyond 20 count as
            20. What the bounds do depends on how stale the data are. No penalty for overlong answers.

Example (equal bounds for both signs are CISPO):
    >>> from guerdon.objectives import Bounded
    >>> w = RECIPE.objective.weight
    >>> (w.positive == Bounded(0.2, 10.0), w.negative == Bounded(1.0, 100.0))
    (True, True)
"""

from guerdon.credit import shuffled
from guerdon.objectives import Bounded, BySign, Reinforce, TokenMean, TokenRatio
from guerdon.recipes import cispo, dapo
from guerdon.recipes.base import Number, Recipe, with_control

RIGHT_LOW = 0.2  # UNVERIFIED: notes on the paper
RIGHT_HIGH = 10.0  # UNVERIFIED: notes on the paper
WRONG_LOW = 1.0  # UNVERIFIED: notes on the paper; the weight may fall to 0
WRONG_HIGH = 100.0  # UNVERIFIED: notes on the paper


def objective(
    right_low: float = RIGHT_LOW,
    right_high: float = RIGHT_HIGH,
    wrong_low: float = WRONG_LOW,
    wrong_high: float = WRONG_HIGH,
) -> Reinforce:
    """The loss with other bounds."""
    weight = BySign(Bounded(right_low, right_high), Bounded(wrong_low, wrong_high))
    return Reinforce(weight, ratio=TokenRatio(), reduce=TokenMean())


NOISE = shuffled(dapo.OUTCOME, across=True)
RECIPE = with_control(
    Recipe(
        name="dispo",
        title="DISPO",
        paper="DISPO, 2026, arXiv:2602.00983",
        idea="Bound the importance weight on each side, for right and for wrong answers apart.",
        reward=dapo.OUTCOME,
        credit=dapo.credit(),
        objective=objective(),
        numbers={
            "RIGHT_LOW": Number(RIGHT_LOW, "UNVERIFIED", "notes on the paper"),
            "RIGHT_HIGH": Number(RIGHT_HIGH, "UNVERIFIED", "notes on the paper"),
            "WRONG_LOW": Number(WRONG_LOW, "UNVERIFIED", "notes on the paper; the weight may fall to 0"),
            "WRONG_HIGH": Number(WRONG_HIGH, "UNVERIFIED", "notes on the paper"),
            "EPS": Number(dapo.EPS, "code", "as in dapo"),
        },
        baseline=cispo.RECIPE,
    ),
    "DISPO with outcomes shuffled over the plays of the batch",
    dapo.credit(NOISE),
    reward=NOISE,
)
