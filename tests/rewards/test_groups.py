"""Numbers of a group: its mean, its spread, and where it stands among the others."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from guerdon.rewards import fact, group_mean, group_percentile, group_std
from strategies import ragged_batches

OUTCOME = fact("outcome")


@given(ragged_batches(), st.sampled_from(["outcome", "step_score", "influence"]), st.booleans())
def test_group_mean_slowly(batch, name, only_right):
    column, outcome = batch[name], batch["outcome"]
    y = group_mean(fact(name), among=OUTCOME if only_right else None)(batch)
    play = batch.index("trajectory", at=column.level)
    for group in range(batch.size("group")):
        counted = [
            column.values[i] for i in range(len(column))
            if batch.group_of_trajectory[play[i]] == group and column.valid[i] and not batch["failed"].values[play[i]]
            and (not only_right or (outcome.valid[play[i]] and outcome.values[play[i]] > 0))
        ]  # fmt: skip
        assert y.valid[group] == bool(counted)
        if counted:
            assert y.values[group] == pytest.approx(np.mean(counted))


@given(ragged_batches())
def test_group_numbers_written_slowly(batch):
    mean = group_mean(OUTCOME)(batch)
    std, outcome = group_std(OUTCOME)(batch), batch["outcome"]
    for g in range(batch.size("group")):
        x = outcome.values[(batch.group_of_trajectory == g) & outcome.valid]
        assert mean.valid[g] == (len(x) > 0) and std.valid[g] == (len(x) > 1)
        assert not len(x) or mean.values[g] == pytest.approx(x.mean())
        assert len(x) < 2 or std.values[g] == pytest.approx(x.std(ddof=1))


@given(ragged_batches(), st.floats(0.0, 1.0))
def test_a_percentile_of_groups_is_one_number(batch, q):
    mean, level = group_mean(OUTCOME)(batch), group_percentile(OUTCOME, q)(batch)
    expected = np.quantile(mean.values[mean.valid], q) if mean.valid.any() else None
    assert level.tolist() == pytest.approx([expected] * batch.size("group"))
