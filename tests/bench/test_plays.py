"""bench plays: what one side reads is what the other reads."""

import numpy as np

from guerdon.bench.plays import plays


def test_plays_are_the_same_on_both_sides():
    case = plays("x", np.array([3, 1, 2]), turns=False)
    reward, value = case.padded()
    assert reward.shape == (3, 3) and reward.dtype == np.float32
    assert reward.sum(axis=1).tolist() == case.score.tolist() == case.batch["outcome"].values.tolist()
    assert value[case.mask()].tolist() == case.value.tolist()
    assert case.batch.counts("token").tolist() == [3, 1, 2]
    assert len(set(case.uid)) == 1 and case.uid.dtype == object


def test_mixed_plays_do_not_lie_side_by_side():
    apart = plays("x", np.full(64, 2), turns=True, mixed=True).uid
    together = plays("x", np.full(64, 2), turns=True).uid
    assert sorted(apart) == sorted(together) and apart.tolist() != together.tolist()
