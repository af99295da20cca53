"""Think-RM: credit from all pairs of a group, without a score per play in between.

Paper       Think-RM: Enabling Long-Horizon Reasoning in Generative Reward Models. 2025.
            Code: IlgeeHong/Think-RM.
Idea        A judge says how much one play is preferred to another; the mean of a play's
            preferences is its advantage, in units of all of them.
Composes    pairwise(PairStd(EPS)) on the relation `pairs`.

Symbols     d[i, j] = -d[j, i]   how much i is preferred to j, from -3 to 3
            A[i] = (1/G) sum over j of d[i, j]  /  sqrt(sum over i, j of d^2 / (2 G (G - 1)) + EPS)

If d[i, j] = R[i] - R[j] and EPS is 0, this is exactly (R[i] - mean) / std: GRPO. A judge that contradicts
itself in a circle gives zeros, which a z-score of win rates would blow up.

Departures  A verdict that is missing is left out of both sums; in the code it counts as 0. Verdicts asked
            in both orders are averaged. How the judge is trained is not part of it.

Example (the first is preferred by 2 to the second and by 1 to the third, those two are equal):
    >>> import pyarrow as pa
    >>> from guerdon.batch import Batch
    >>> batch = Batch.from_steps(group=[0] * 3, trajectory=[0, 1, 2], reward=[0.0] * 3)
    >>> verdicts = pa.table({"first": [0, 0, 1], "second": [1, 2, 2], "preference": [2.0, 1.0, 0.0]})
    >>> RECIPE.credit(batch.with_relations(pairs=verdicts)).values.round(3)
    array([ 1.095, -0.73 , -0.365])
"""

from dataclasses import replace

import numpy as np

from guerdon.credit import PairStd, Std, centred, pairwise, preferred, shuffled
from guerdon.objectives import KL
from guerdon.recipes import grpo, rloo
from guerdon.recipes.base import Number, Recipe, with_control

EPS = 1e-6  # code: Think-RM core_algos.py, inside the root
BETA = 1e-4  # code: Think-RM, KL loss, low variance

CREDIT = pairwise(PairStd(EPS))
METHOD = Recipe(
    name="think-rm",
    title="Think-RM (pairwise RLHF)",
    paper="Think-RM, 2025, code IlgeeHong/Think-RM",
    idea="Average a play's preferences over the pairs of its group.",
    reward=preferred(),
    credit=CREDIT,
    objective=rloo.RECIPE.objective + KL(BETA),
    numbers={
        "EPS": Number(EPS, "code", "Think-RM core_algos.py, inside the root"),
        "BETA": Number(BETA, "code", "Think-RM, weight of the KL loss"),
        "CLIP": Number(rloo.CLIP, "code", "as in rloo"),
    },
    told="comparisons",
    needs=("pairs",),
)
WIN_RATES = replace(
    METHOD,
    name="think-rm-baseline",
    title="GRPO on win rates",
    reward=preferred(np.sign),
    credit=centred(preferred(np.sign), scale=Std(grpo.EPS)),
)
RECIPE = with_control(
    replace(METHOD, baseline=WIN_RATES),
    "Think-RM with its advantages shuffled over the steps of the group",
    shuffled(CREDIT),
)
