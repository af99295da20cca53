"""A world's tables are checked, its gradient is the derivative of its return, and training follows it."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from guerdon.bench import gradient, train
from guerdon.environments import tabular
from guerdon.errors import ShapeError
from little import MOVES, random_world, two


def worth(world, logits):
    return tabular.expected_return(world.model, tabular.softmax(logits)[world.key])


@given(seed=st.integers(0, 9999))
def test_the_gradient_is_the_derivative_of_the_return(seed):
    world, rng = random_world(seed), np.random.default_rng(seed)
    logits, way = rng.normal(size=(3, 3)), rng.normal(size=(3, 3))
    slope = (worth(world, logits + 1e-5 * way) - worth(world, logits - 1e-5 * way)) / 2e-5
    assert (gradient(world, logits) * way).sum() == pytest.approx(slope, abs=1e-6)


def test_two_states_by_hand():
    world = two()
    assert (world.keys, world.actions) == (1, 2)
    assert worth(world, np.zeros((1, 2))) == 0.875
    # with p = 1/2 of going, J = 1 - (1 - p)^3, dJ/dp = 3/4, and dp/dlogit = 1/4
    assert gradient(world, np.zeros((1, 2))).tolist() == [[-0.1875, 0.1875]]


def test_training_raises_the_return_and_stops_there():
    world = two()
    logits = train(world, np.zeros((1, 2)), 0.97)
    assert 0.97 <= worth(world, logits) < 0.99
    assert train(world, logits, 0.5) == pytest.approx(logits), "it is there already"
    assert worth(world, train(world, np.zeros((1, 2)), np.inf, most=7)) < worth(world, train(world, logits, np.inf))


def test_facts_cannot_be_changed():
    world = two(facts={"progress": np.array([0.0, 1.0])})
    with pytest.raises(TypeError):
        world.facts["progress"] = None


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"key": np.array([0])}, "key is"),
        ({"facts": {"progress": np.zeros(3)}}, "progress is"),
        ({"key": np.array([-1, 0])}, "below 0 or not whole"),
        ({"key": np.array([0.0, 1.0])}, "below 0 or not whole"),
        ({"horizon": 0}, "horizon is 0"),
        ({"start": np.array([0.5, 0.0])}, "sum to one"),
        ({"terminal": np.array([False])}, "terminal is"),
        ({"P": MOVES * 0.5}, "fractions"),
    ],
)
@pytest.mark.bad_input
def test_tables_that_do_not_fit_are_refused(changes, said):
    with pytest.raises(ShapeError, match=said):
        two(**changes)
