"""The entropy that a recipe asks for: what the policy's own distribution says, under each kind of context."""

import numpy as np
import pytest

from guerdon.batch import Batch
from guerdon.policies import WholeHistory
from guerdon.training.entropy import with_entropy
from tiny import plain, play_keydoor


@pytest.mark.parametrize("options", [{}, {"context": WholeHistory()}, {"temperature": 0.7}])
def test_it_is_the_entropy_of_the_distribution_that_each_token_was_sampled_from(options):
    policy, batch = play_keydoor(**options)
    column = with_entropy(batch, policy, 256)["entropy"]
    np.testing.assert_array_equal(column.valid, batch["sampled"].values)
    sequence, ids = batch["sequence"].values[batch.step_of_token], batch["token_id"].values
    for one in np.unique(sequence)[:20]:
        at = np.flatnonzero(sequence == one)
        log = plain(policy.model, ids[at], policy.temperature).double().numpy()
        slow = np.append(np.nan, -(np.exp(log) * log).sum(1)[:-1])
        said = column.valid[at]
        assert column.values[at][said] == pytest.approx(slow[said], abs=1e-5)
    assert column.values[column.valid].max() > 0.5


def test_a_batch_in_which_nothing_was_said_is_left_as_it_is():
    none = Batch(np.zeros(0, int), np.zeros(0, int), np.zeros(1, int))
    assert with_entropy(none, None, 256) is none
