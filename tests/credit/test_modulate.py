"""modulate: a signal that acts after normalisation."""

import numpy as np
import pytest
from hypothesis import given

from guerdon.credit import centred, modulate, step_term
from guerdon.rewards import fact
from strategies import ragged_batches

OUTCOME = centred(fact("outcome"))


@given(ragged_batches())
def test_it_is_the_product_and_missing_where_either_is(batch):
    a, credit, by = modulate(OUTCOME, by=fact("closer"))(batch), OUTCOME(batch), batch["closer"]
    assert (a.valid == (credit.valid & by.valid)).all()
    assert a.values == pytest.approx(np.where(a.valid, credit.values * by.filled(0.0), 0.0))


@given(ragged_batches())
def test_the_coarser_of_the_two_is_lifted(batch):
    a = modulate(step_term(fact("closer")), by=fact("outcome"))(batch)
    b = modulate(step_term(fact("outcome")), by=fact("closer"))(batch)
    assert a.level == "step" and a.values == pytest.approx(b.values)


def test_it_compares_with_what_the_credit_compares_with():
    assert modulate(OUTCOME, by=fact("closer")).compares == {"group"}
