"""Policies on their way to the best one."""

import numpy as np
import pytest

from guerdon.bench.stages import SHARES, stages
from guerdon.environments import tabular
from little import two


def test_stages_are_so_far_on_their_way():
    world = two()
    found, best = stages(world, updates=400)
    low = 0.875
    assert [s.name for s in found] == list(SHARES) and found[0].value == low
    for stage in found:
        policy = tabular.softmax(stage.logits)[world.key]
        assert stage.value == pytest.approx(tabular.expected_return(world.model, policy))
        assert (stage.value - low) / (best - low) == pytest.approx(stage.share + 0.07, abs=0.08)
        further = tabular.expected_return(world.model, tabular.softmax(stage.better)[world.key])
        assert stage.value < further <= best + 1e-9
    assert (found[0].logits == np.zeros((1, 2))).all()
