"""DNO: of the plays of the policy as it is, what wins most often against the others becomes likelier.

Paper       Rosset et al., Direct Nash Optimization: Teaching Language Models to Self-Improve
            with General Preferences. 2024. arXiv:2404.03715.
Idea        A judge of pairs need not be a score, and may be cyclic. What is increased is how often a play
            beats the policy itself, and the reference is the policy that has just played.
Composes    pairwise(None, sign); Preference(ETA) to the policy that sampled, best play against worst.

Symbols     w[i] = share of wins less share of losses of play i against its group
            l    = sum over the tokens of a play of logprob - old_logprob
            loss = -log sigmoid(ETA * (l[best] - l[worst])), where w differs by more than MARGIN

Departures  The paper also has the answers of a stronger teacher among the plays; here there is none. Its exact
            step, a soft label for every pair, is `Preference(eta, PlayTotal(Given("old_logprob")), Listed(),
            SoftLabel())`. The first of several optimiser steps on a batch starts at l = 0, where it moves both plays
            by ETA / 2. ETA is ours and MARGIN was not read.

Example (the first beats both others, the third beats none):
    >>> import pyarrow as pa
    >>> from guerdon.batch import Batch
    >>> batch = Batch.from_steps(group=[0, 0, 0], trajectory=[0, 1, 2], reward=[0.0, 0.0, 0.0])
    >>> judged = pa.table({"first": [0, 0, 1], "second": [1, 2, 2], "preference": [0.5, 9.0, 0.1]})
    >>> RECIPE.credit(batch.with_relations(pairs=judged)).values.round(3)
    array([ 0.667,  0.   , -0.667])
"""

import numpy as np

from guerdon.credit import Credit, pairwise, preferred, shuffled
from guerdon.objectives import BestAgainstWorst, Given, Objective, PlayTotal, Preference
from guerdon.recipes import dpo
from guerdon.recipes.base import Number, Recipe, with_control

ETA = 0.1  # ours: DPO's beta
MARGIN = 0.0  # ours: every difference counts

CREDIT: Credit = pairwise(None, np.sign)


def objective(eta: float = ETA, margin: float = MARGIN) -> Objective:
    """The loss with another eta, or for pairs that lie further apart."""
    return Preference(eta, PlayTotal(Given("old_logprob")), BestAgainstWorst(margin=margin))


RECIPE = with_control(
    Recipe(
        name="dno",
        title="DNO",
        paper="Rosset et al., Direct Nash Optimization, 2024, arXiv:2404.03715",
        idea="Prefer what beats the policy as it is, with that policy as the reference.",
        reward=preferred(np.sign),
        credit=CREDIT,
        objective=objective(),
        numbers={
            "ETA": Number(ETA, "ours", "DPO's beta"),
            "MARGIN": Number(MARGIN, "ours", "every difference counts; the paper keeps large ones"),
        },
        told="comparisons",
        needs=("pairs",),
        baseline=dpo.RECIPE,
    ),
    "DNO with its win rates shuffled over the steps of the group",
    shuffled(CREDIT),
)
