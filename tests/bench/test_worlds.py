"""The built-in worlds are what their words say, and worlds of a file are found."""

import numpy as np
import pytest

from guerdon.bench import WORLDS, World, train, worlds
from guerdon.environments import tabular
from guerdon.errors import EnvironmentFault, UnknownNameError

every = pytest.mark.parametrize("name", WORLDS)


def worth(world, logits):
    return tabular.expected_return(world.model, tabular.softmax(logits)[world.key])


@every
def test_a_world_has_its_name_and_can_be_improved(name):
    world = worlds.get(name)
    assert world.name == name
    zero = np.zeros((world.keys, world.actions))
    assert worth(world, train(world, zero, np.inf, most=60)) > worth(world, zero)


@every
def test_the_policy_sees_less_than_the_state(name):
    world = worlds.get(name)
    alive = ~world.terminal
    assert len(np.unique(world.key[alive])) < alive.sum()


def test_one_world_is_long_and_two_have_chance():
    assert max(worlds.get(name).horizon for name in WORLDS) >= 200
    assert sum(np.ndim(worlds.get(name).P) == 3 for name in WORLDS) >= 2


def test_the_chain_pays_for_the_left_door_alone():
    world = worlds.chain(length=3)
    v, _ = tabular.values(world.model, np.eye(4)[np.zeros(len(world.key), int)])  # always left
    assert v[0, 0] == 1.0 and v[world.horizon - 3, 0] == 0.0, "four steps are needed"
    assert tabular.values(world.model, np.eye(4)[np.full(len(world.key), 1)])[0][0, 0] == 0.0
    assert (world.P[1, 2:] == 1).all(), "looking and waiting change nothing"


def test_tools_need_the_ones_before_them():
    world = worlds.tools(count=3)
    state = 0
    for tool, moves in ((1, False), (0, True), (0, False), (1, True)):
        after = world.P[state, tool]
        assert (after != state) == moves
        state = after
    assert world.R[state, 3] == 1.0 and world.R[0, 3] == 0.0 and world.terminal[world.P[state, 3]]


def test_submitting_pays_the_quality_and_busy_work_nothing():
    world = worlds.submit(levels=3)
    assert world.R[:3, 2].tolist() == [0.0, 0.5, 1.0]
    assert (world.P[:3, 1] == np.eye(4)[:3]).all()
    assert world.P[0, 0].tolist() == [0.5, 0.5, 0.0, 0.0]


def test_luck_is_the_same_whatever_is_done():
    world = worlds.luck(rounds=3)
    lucky = world.R[:, 0] == 1.0
    chance = world.P @ lucky.astype(float)
    assert np.ptp(chance[~world.terminal], axis=1) == pytest.approx(0.0)


def test_a_patrol_brings_parcels():
    world = worlds.patrol(cells=2, horizon=9)
    start, full = 0, 1
    assert world.P[start, 2, full] == 1.0 and world.R[full].tolist() == [0, 0, 0, 0]
    there = 2 * 1 + 1
    assert world.R[there, 3] == 1.0 and world.P[there, 3, there - 1] == 1.0
    assert world.P[full, 1, there] == pytest.approx(0.9)


def test_keydoor_is_the_environment_of_that_name():
    world = worlds.get("keydoor")
    assert world.facts["progress"].max() == 1.0 and world.horizon == 60 and world.keys < len(world.key)


FILE = """
import numpy as np
from guerdon.bench import World
def make():
    return World(
        np.array([[0, 1], [1, 1]]), np.eye(2), np.eye(2)[0], np.array([False, True]), 3, np.array([0, 0])
    )
WORLD = make()
def other(): return {}
NUMBER = 3
"""


@pytest.mark.parametrize("attribute", ["WORLD", "make"])
def test_a_world_of_a_file(tmp_path, attribute):
    (tmp_path / "own.py").write_text(FILE)
    world = worlds.get(f"{tmp_path / 'own.py'}:{attribute}")
    assert isinstance(world, World) and world.name == attribute


def test_what_is_not_there_is_said(tmp_path):
    (tmp_path / "own.py").write_text(FILE)
    with pytest.raises(UnknownNameError, match=r"no world is called 'nowhere'.*keydoor"):
        worlds.get("nowhere")
    with pytest.raises(UnknownNameError, match=r"no world called 'OTHER'.*WORLD"):
        worlds.get(f"{tmp_path / 'own.py'}:OTHER")
    with pytest.raises(UnknownNameError, match="no world called 'NUMBER'"):
        worlds.get(f"{tmp_path / 'own.py'}:NUMBER")
    with pytest.raises(UnknownNameError, match="is a dict"):
        worlds.get(f"{tmp_path / 'own.py'}:other")
    with pytest.raises(EnvironmentFault, match="no such file"):
        worlds.get(f"{tmp_path / 'none.py'}:WORLD")
