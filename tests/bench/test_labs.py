"""The laboratory: learners reach what they should, count steps, and step by the size that they were told."""

import numpy as np
import pytest

from guerdon import errors
from guerdon.bench import labs
from guerdon.bench.world import World
from guerdon.recipes import gigpo, rloo


def corridor(horizon=4):
    """Two cells; the second action of the first one wins, the first waits."""
    return World(
        np.array([[0, 1], [1, 1]]), np.array([[0.0, 1.0], [0.0, 0.0]]), np.array([1.0, 0.0]),
        np.array([False, True]), horizon, np.arange(2),
    )  # fmt: skip


def go(credit, budget=4000, stepper=None, **more):
    world = corridor()
    return labs.learn(
        world, credit, np.random.default_rng(0), budget, facts=labs.no_facts, watch=labs.returns(world),
        stepper=stepper or labs.Plain(1.0), **more,
    )  # fmt: skip


@pytest.mark.parametrize("credit", [rloo.RECIPE.credit, gigpo.RECIPE.credit])
def test_a_learner_learns_and_spends_its_budget(credit):
    curve = go(credit)
    assert curve.score[0] == pytest.approx(1 - 0.5**4)
    assert curve.final() > 0.97
    assert curve.steps[0] == 0 and curve.steps[-2] < 4000 <= curve.steps[-1]
    assert len(curve.steps) == len(curve.score)


def test_a_learner_without_signal_stays_where_it_is():
    curve = go(0.0 * rloo.RECIPE.credit, budget=500)
    assert (curve.logits == 0).all() and np.ptp(curve.score) == 0


def test_a_budget_below_one_step_is_refused():
    with pytest.raises(errors.ShapeError, match="budget is 0"):
        go(rloo.RECIPE.credit, budget=0)


def test_the_area_weighs_scores_by_the_steps_spent():
    curve = labs.Curve(np.array([0, 1, 4]), np.array([0.0, 1.0, 1.0]), np.zeros(1))
    assert curve.area() == pytest.approx((0.5 + 3.0) / 4)
    assert curve.final(0.5) == 1.0


def test_steppers_have_the_size_that_they_say():
    g = np.array([3.0, 4.0])
    assert labs.Plain(0.5)(g).tolist() == [1.5, 2.0]
    assert np.linalg.norm(labs.Unit(0.3)(g)) == pytest.approx(0.3)
    assert (labs.Unit(0.3)(0 * g) == 0).all()


def test_adam_forgets_the_scale_of_gradients():
    rng = np.random.default_rng(0)
    steps = rng.normal(size=(20, 3))
    small, large = labs.Adam(0.1), labs.Adam(0.1)
    for g in steps:
        np.testing.assert_allclose(small(g), large(100 * g), rtol=1e-5)


def test_reaching_counts_ends_and_lengths():
    world = corridor(horizon=2)
    chance, length = labs.reaches(world, 1)(np.zeros((2, 2)))
    assert (chance, length) == (0.75, 1.5)
    table = np.zeros((2, 2, 2))
    table[0, 0, 0] = table[0, 1, 1] = 1.0
    table[1, :, 1] = 1.0
    risky = World(table, np.asarray(world.R), np.asarray(world.start), np.asarray(world.terminal), 2, np.arange(2))
    assert labs.reaches(risky, 1)(np.zeros((2, 2))).tolist() == [0.75, 1.5]


def test_plays_of_length_lie_side_by_side():
    group, play, place = labs.plays_of_length(np.array([0, 0, 1]), np.array([2, 1, 3]))
    assert group.tolist() == [0, 0, 0, 1, 1, 1]
    assert play.tolist() == [0, 0, 1, 2, 2, 2]
    assert place.tolist() == [0, 1, 0, 0, 1, 2]


def test_single_steps_are_plays_of_their_own():
    batch = labs.single_steps(np.array([0, 0, 1]), np.array([1.0, 0.0, 2.0]), extra=np.array([5.0, 6.0, 7.0]))
    assert batch["outcome"].tolist() == [1.0, 0.0, 2.0]
    assert batch["extra"].level == "step" and batch.size("group") == 2


def test_spearman_is_the_correlation_of_ranks():
    assert labs.spearman(np.array([1.0, 2.0, 30.0]), np.array([0.1, 0.2, 0.3])) == pytest.approx(1.0)
    assert labs.spearman(np.array([1.0, 2.0, 3.0]), np.array([3.0, 2.0, 1.0])) == pytest.approx(-1.0)
    assert labs.spearman(np.ones(3), np.arange(3.0)) == 0.0
