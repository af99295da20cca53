"""Credit made larger or smaller after it was compared."""

from __future__ import annotations

import numpy as np

from guerdon.batch import Batch, Column
from guerdon.credit.base import Credit, at_one_level, scored
from guerdon.rewards.term import Term


def modulate(credit: Credit, by: Term) -> Credit:
    """The credit times a term: a signal that acts after normalisation.

        A'[i] = A[i] * by[i]

    Unscored where either is. Where the credit is zero it stays zero: a group that says nothing
    is not made to speak.

    Args:
        by: a term at any level; the coarser of the two is lifted.

    Example:
        >>> from guerdon.credit import centred
        >>> from guerdon.rewards import fact
        >>> batch = Batch.from_steps(group=[0, 0, 0], trajectory=[0, 0, 1], reward=[0.0, 1.0, 0.0])
        >>> (modulate(centred(fact("outcome")), by=fact("reward"))(batch).values + 0.0)
        array([0. , 0.5, 0. ])
    """

    def assign(batch: Batch) -> Column:
        column, factor = at_one_level(batch, [credit(batch), by(batch)])
        valid = np.asarray(column.valid & factor.valid, bool)
        return scored(Column(column.level, column.filled(0.0) * factor.filled(0.0), valid))

    return Credit(f"{credit.name} * {by.name}", assign, credit.compares, credit.needs)
