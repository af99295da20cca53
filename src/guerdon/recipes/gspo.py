"""GSPO: the unit that is rewarded is the unit that is clipped.

Paper       Zheng et al., Group Sequence Policy Optimization. 2025. arXiv:2507.18071.
Idea        The reward is of the whole answer, so compare the chances of whole answers; the geometric
            mean over tokens makes answers of all lengths comparable.
Composes    grpo.CREDIT; PlayClipped with bounds LOW and HIGH: ratio, clip and mean are of whole trajectories.

Symbols     s[i] = exp(mean over the tokens of i of log(new / old));  s in [1 - LOW, 1 + HIGH]

The bounds are a thousand times narrower than those of tokens: a mean of many log-ratios lies close to 0.

Departures  verl has the gradient of each token's own ratio at the value of s ("GSPO-token"): `token_level`
            here. Where an answer has one advantage and the mean is over trajectories, as in the paper,
            the two are the same. verl's own default mean is over tokens, which weighs answers by length.

Example:
    >>> from guerdon.batch import Batch
    >>> batch = Batch.from_steps(group=[0, 0, 0], trajectory=[0, 0, 1], reward=[0.0, 1.0, 0.0])
    >>> RECIPE.credit(batch).values.round(3), RECIPE.objective.whole
    (array([ 0.707,  0.707, -0.707]), 'sequence')
"""

from guerdon.credit import Std, centred, shuffled
from guerdon.objectives import Clipped, PlayClipped, SequenceMean, SequenceRatio, TokenGradient
from guerdon.recipes import grpo
from guerdon.recipes.base import Number, Recipe, with_control

LOW = 3e-4  # code: verl examples/gspo_trainer, clip_ratio_low; TRL's paper index
HIGH = 4e-4  # code: verl examples/gspo_trainer, clip_ratio_high; TRL's paper index


def objective(low: float = LOW, high: float = HIGH) -> PlayClipped:
    """The loss with other bounds."""
    return PlayClipped(low, high)


def token_level(low: float = LOW, high: float = HIGH) -> Clipped:
    """GSPO-token: where the steps of a play have credit of their own, which the plain one averages away."""
    return Clipped(low, high, ratio=TokenGradient(SequenceRatio()), reduce=SequenceMean())


NOISE = shuffled(grpo.OUTCOME, across=True)
RECIPE = with_control(
    Recipe(
        name="gspo",
        title="GSPO",
        paper="Zheng et al., Group Sequence Policy Optimization, 2025, arXiv:2507.18071",
        idea="Clip the ratio of whole answers, because whole answers are rewarded.",
        reward=grpo.OUTCOME,
        credit=grpo.CREDIT,
        objective=objective(),
        numbers={
            "LOW": Number(LOW, "code", "verl examples/gspo_trainer; TRL's paper index names section 5.1 of version 2"),
            "HIGH": Number(HIGH, "code", "verl examples/gspo_trainer; TRL's paper index, likewise"),
            "EPS": Number(grpo.EPS, "code", "as in grpo"),
        },
        baseline=grpo.RECIPE,
    ),
    "GSPO with outcomes shuffled over the plays of the batch",
    centred(NOISE, scale=Std(grpo.EPS)),
    reward=NOISE,
)
