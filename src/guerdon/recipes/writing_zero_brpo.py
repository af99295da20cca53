"""BRPO (Writing-Zero): every play against one play of its group, drawn at random.

Paper       Writing-Zero: Bridge the Gap Between Non-verifiable Problems and Verifiable Rewards.
            2025. arXiv:2506.00103.
Idea        A judge of pairs needs an opponent; one of the group's own plays will do, and then
            G - 1 verdicts are enough.
Composes    balanced(against_one(), MOST).

Symbols     A[i] = +1 if the judge prefers i to ref, -1 if ref to i, 0 for a draw and for ref itself
            a group is dropped where |sum of A| > MOST * plays: its reference was an outlier

Over the draw of ref the credits of a group add up to 0, if the judge is antisymmetric.

Departures  A draw is 0; the paper counts it as a loss, which makes the mean fall below 0. Verdicts asked in
            both orders are averaged first. A play that was not judged against ref is unscored.

Example (the first play wins against the second; either may be the reference):
    >>> import pyarrow as pa
    >>> from guerdon.batch import Batch
    >>> batch = Batch.from_steps(group=[0, 0], trajectory=[0, 1], reward=[0.0, 0.0])
    >>> batch = batch.with_relations(pairs=pa.table({"first": [0], "second": [1], "preference": [2.0]}))
    >>> RECIPE.credit(batch).values.tolist() in ([1.0, 0.0], [0.0, -1.0])
    True
"""

from dataclasses import replace

import numpy as np

from guerdon.credit import Credit, against_one, balanced, pairwise, preferred, shuffled
from guerdon.recipes import grpo
from guerdon.recipes.base import Number, Recipe, with_control

MOST = 0.6  # UNVERIFIED: second hand


def credit(most: float = MOST, seed: int = 0) -> Credit:
    """The advantage with another bound on skew (1 drops nothing), or another draw."""
    return balanced(against_one(seed), most)


METHOD = Recipe(
    name="writing-zero-brpo",
    title="Writing-Zero (BRPO)",
    paper="Writing-Zero, 2025, arXiv:2506.00103",
    idea="Judge every play against one random play of its group.",
    reward=preferred(np.sign),
    credit=credit(),
    objective=grpo.OBJECTIVE,
    numbers={
        "MOST": Number(MOST, "UNVERIFIED", "second hand, the skew above which a group is dropped"),
        "CLIP": Number(grpo.CLIP, "code", "as in grpo"),
    },
    told="comparisons",
    needs=("pairs",),
)
ALL_PAIRS = replace(
    METHOD,
    name="writing-zero-brpo-baseline",
    title="Every play against every other of its group",
    credit=pairwise(None, np.sign),
)
RECIPE = with_control(
    replace(METHOD, baseline=ALL_PAIRS),
    "BRPO with its verdicts shuffled over the steps of the group",
    balanced(shuffled(against_one()), MOST),
)
