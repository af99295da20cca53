"""GMPO: the geometric mean of an answer's token ratios, each clipped before the mean.

Paper       Zhao et al., Geometric-Mean Policy Optimization. 2025. arXiv:2507.20673.
Idea        A geometric mean feels outliers less than an arithmetic one; and if single tokens are clipped
            inside it, the clip may be wide and no answer is dropped whole.
Composes    grpo.CREDIT; the unclipped surrogate over GeometricRatio(LOW, HIGH), mean over trajectories.

Symbols     c[t] = min(log r, HIGH) where A > 0,  max(log r, -LOW) where A < 0
            s[i] = exp(mean of c over the tokens of i) * A[i];   loss = -mean(s)

LOW = HIGH = 0.4 in logs is a ratio in [0.67, 1.49], where GRPO has [0.8, 1.2].

Departures  verl averages the advantages of an answer's tokens, which in the paper are equal; so do we. An
            answer without tokens is in verl's mean over answers and not in ours.

Example:
    >>> from guerdon.batch import Batch
    >>> batch = Batch.from_steps(group=[0, 0, 0], trajectory=[0, 0, 1], reward=[0.0, 1.0, 0.0])
    >>> RECIPE.credit(batch).values.round(3), RECIPE.objective.whole
    (array([ 0.707,  0.707, -0.707]), 'sequence')
"""

import math

from guerdon.credit import Std, centred, shuffled
from guerdon.objectives import Clipped, GeometricRatio, SequenceMean
from guerdon.recipes import grpo
from guerdon.recipes.base import Number, Recipe, with_control

LOW = 0.4  # code: verl examples/gmpo_trainer, clip_ratio_low
HIGH = 0.4  # code: verl examples/gmpo_trainer, clip_ratio_high


def objective(low: float = LOW, high: float = HIGH) -> Clipped:
    """The loss with other bounds, in logs."""
    return Clipped(low=1.0, high=math.inf, ratio=GeometricRatio(low, high), reduce=SequenceMean())


NOISE = shuffled(grpo.OUTCOME, across=True)
RECIPE = with_control(
    Recipe(
        name="gmpo",
        title="GMPO",
        paper="Zhao et al., Geometric-Mean Policy Optimization, 2025, arXiv:2507.20673",
        idea="Take the geometric mean of token ratios that are clipped one by one.",
        reward=grpo.OUTCOME,
        credit=grpo.CREDIT,
        objective=objective(),
        numbers={
            "LOW": Number(LOW, "code", "verl examples/gmpo_trainer, clip_ratio_low"),
            "HIGH": Number(HIGH, "code", "verl examples/gmpo_trainer, clip_ratio_high"),
            "EPS": Number(grpo.EPS, "code", "as in grpo"),
        },
        baseline=grpo.RECIPE,
    ),
    "GMPO with outcomes shuffled over the plays of the batch",
    centred(NOISE, scale=Std(grpo.EPS)),
    reward=NOISE,
)
