"""Batches that grow: each level keeps the plays of the one before, and what is drawn again is the same."""

from itertools import pairwise

import numpy as np
import pytest

from guerdon.bench import WORLDS, Player, source
from guerdon.bench.branch import branch
from guerdon.bench.source import Source, joined, levels

WORLD = WORLDS["submit"]()
PLAYER = Player(WORLD, np.full((6, 3), 1 / 3))


def make(batches=5, most=400.0, sample=PLAYER.play):
    return Source(sample, levels(24.0, most), batches, 24.0, (1, 2))


def columns(plays):
    return {name: getattr(plays, name) for name in ("time", "state", "action", "reward", "next_state")}


@pytest.mark.parametrize("per_group", [24.0, 100.0, 1920.0])
def test_the_grid_has_factor_sqrt_2_and_the_nearest_whole_groups(per_group):
    grid = levels(per_group, 2.0**20)
    for level in grid:
        off = abs(level.groups * per_group - level.budget)
        assert off <= min(abs((level.groups + d) * per_group - level.budget) for d in (-1, 1) if level.groups + d > 0)
    assert grid[0].groups == 1 and grid[-1].budget == 2.0**20
    assert np.cumsum([level.fresh for level in grid]).tolist() == [level.groups for level in grid]
    tail = [b.budget / a.budget for a, b in pairwise(grid[6:])]
    assert tail == pytest.approx([np.sqrt(2)] * len(tail))


def test_a_largest_budget_below_one_group_still_has_one():
    assert [level.groups for level in levels(100.0, 1.0)] == [1]


@pytest.mark.parametrize("block", [1 << 19, 200])
def test_a_whole_batch_is_its_fresh_plays_of_all_levels(monkeypatch, block):
    monkeypatch.setattr(source, "BLOCK", block)
    one = make()
    own = {batch: [] for batch in range(5)}
    for k in range(len(one.grid)):
        for first, last, plays in one.fresh(k):
            for batch in range(first, last):
                begin = (batch - first) * one.grid[k].fresh
                at = np.searchsorted(plays.group, [begin, begin + one.grid[k].fresh]).tolist()
                own[batch].append(plays.part(*at))
    for batch, parts in own.items():
        whole = make().whole(len(one.grid) - 1, batch)
        assert whole.count == 8 * one.grid[-1].groups and (np.diff(whole.trajectory) <= 1).all()
        for name, values in columns(joined(parts)).items():
            assert getattr(whole, name).tolist() == values.tolist(), name


def test_blocks_hold_every_batch_once(monkeypatch):
    monkeypatch.setattr(source, "BLOCK", 24)
    one = make(batches=7)
    for k in range(len(one.grid)):
        assert [b for first, last in one.blocks(k) for b in range(first, last)] == list(range(7))
    assert len(one.blocks(len(one.grid) - 1)) == 7, "a block a batch"


def test_batches_differ():
    one = make()
    assert columns(one.whole(3, 0))["action"].tolist() != columns(one.whole(3, 1))["action"].tolist()


def test_nodes_of_joined_trees_stay_apart():
    one = make(sample=lambda n, rng: branch(PLAYER, n, rng))
    parts = [one.whole(2, batch) for batch in (0, 1)]
    both = joined(parts)
    assert both.steps == sum(part.steps for part in parts) and both.count == sum(part.count for part in parts)
