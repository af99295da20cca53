"""Worlds so small that their numbers can be checked on paper, and random ones."""

import numpy as np

from guerdon.bench import World

MOVES, PAY = np.array([[0, 1], [1, 1]]), np.array([[0.0, 1.0], [0.0, 0.0]])


def two(**changes):
    """Stay or go: going pays 1 and ends."""
    given = {"P": MOVES, "R": PAY, "start": np.eye(2)[0], "terminal": np.array([False, True]), "horizon": 3,
             "key": np.array([0, 0])}  # fmt: skip
    return World(**{**given, **changes})


def random_world(seed, states=5, actions=3, keys=3, horizon=4):
    """Any tables; the last state is an end."""
    rng = np.random.default_rng(seed)
    table = rng.dirichlet(np.ones(states), (states, actions))
    return World(
        table, rng.normal(size=(states, actions)), np.append(rng.dirichlet(np.ones(states - 1)), 0.0),
        np.arange(states) == states - 1, horizon, np.append(np.arange(keys), rng.integers(0, keys, states - keys)),
    )  # fmt: skip
