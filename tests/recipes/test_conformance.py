"""One suite for every recipe: the contract of credit, on random ragged batches."""

import importlib

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from guerdon import recipes
from guerdon.batch import Batch, Column
from guerdon.errors import ColumnError
from guerdon.objectives import Objective
from strategies import make_batch, ragged_batches

METHODS = recipes.names()
FOUND = [recipes.get(method) for method in METHODS]
EVERY = tuple(dict.fromkeys(r.name for f in FOUND for r in (f, f.control, f.baseline)))
ENVIRONMENT = ("outcome", "reward", "state", "action_valid", "milestone", "milestones", "progress", "closer")
SHUFFLED = {name for name in EVERY if "shuffled" in recipes.get(name).title}
CHANCE = {"srgpo"} | {name for name in EVERY if "at random" in recipes.get(name).credit.name}
IN_GROUP = [recipe.name for recipe in FOUND if not recipe.alone]
OF_OUTCOMES = [r.name for r in FOUND if r.needs == ("outcome",) and r.credit.compares == {"group"} and not r.alone]

every = pytest.mark.parametrize("name", EVERY)
methods = pytest.mark.parametrize("name", METHODS)


def reordered(batch: Batch, order: np.ndarray, labels: np.ndarray) -> Batch:
    """The same plays in another order, their groups under other numbers."""
    steps = np.concatenate([np.flatnonzero(batch.trajectory_of_step == t) for t in order])
    tokens = np.concatenate([np.flatnonzero(batch.step_of_token == s) for s in steps])
    where = {"token": tokens, "step": steps, "trajectory": order}
    new_step, new_play = np.argsort(steps), np.argsort(order)
    return Batch(
        new_step[batch.step_of_token[tokens]],
        new_play[batch.trajectory_of_step[steps]],
        labels[batch.group_of_trajectory[order]],
        {name: c.take(where.get(c.level, np.argsort(labels))) for name, c in batch.columns.items()},
        {"pairs": renamed(batch.relations["pairs"], new_play)},
    ), where


def renamed(pairs: pa.Table, play: np.ndarray) -> pa.Table:
    """The same comparisons of plays that have other numbers."""
    first, second = (play[pairs[name].to_numpy()] for name in ("first", "second"))
    return pa.table({"first": first, "second": second, "preference": pairs["preference"]})


@every
@given(batch=ragged_batches())
def test_credit_is_finite_and_zero_where_it_is_unscored(name, batch):
    column = recipes.get(name).credit(batch)
    assert column.level in ("step", "token") and len(column) == batch.size(column.level)
    assert np.isfinite(column.values).all()
    assert (column.values[~column.valid] == 0).all()


@every
@given(batch=ragged_batches())
def test_a_failed_play_gets_nothing(name, batch):
    column = recipes.get(name).credit(batch)
    failed = batch["failed"].values[batch.index("trajectory", at=column.level)]
    assert not column.valid[failed].any()


@methods
@given(batch=ragged_batches())
def test_a_failed_play_does_not_vote(name, batch):
    failed = batch["failed"].values
    if failed.all():
        return
    credit = recipes.get(name).credit
    kept, column = credit(batch.select(~failed)), credit(batch)
    of = batch.index("trajectory", at=column.level)
    assert column.values[~failed[of]] == pytest.approx(kept.values)


@every
@given(batch=ragged_batches())
def test_the_same_batch_has_the_same_credit(name, batch):
    credit = recipes.get(name).credit
    assert credit(batch).values.tolist() == credit(batch).values.tolist()


@pytest.mark.parametrize("name", [name for name in EVERY if name not in SHUFFLED | CHANCE])
@given(batch=ragged_batches(), seed=st.integers(0, 999))
def test_order_and_labels_do_not_matter(name, batch, seed):
    rng = np.random.default_rng(seed)
    credit = recipes.get(name).credit
    moved, where = reordered(batch, rng.permutation(batch.size("trajectory")), rng.permutation(batch.size("group")))
    plain, other = credit(batch), credit(moved)
    at = where[plain.level]
    assert other.values == pytest.approx(plain.values[at], abs=1e-9)
    assert (other.valid == plain.valid[at]).all()


@pytest.mark.parametrize("name", IN_GROUP)
@given(batch=ragged_batches())
def test_a_group_of_one_says_nothing(name, batch):
    column = recipes.get(name).credit(batch)
    plays = np.bincount(batch.group_of_trajectory)[batch.index("group", at=column.level)]
    assert (column.values[plays == 1] == 0).all()


@pytest.mark.parametrize("name", [recipe.name for recipe in FOUND if "agrees" not in recipe.alone])
@given(batch=ragged_batches(missing=False, ends=False))
def test_a_group_that_agrees_says_nothing(name, batch):
    """Nothing paid, nothing reached, nothing changed, nothing to choose between."""
    batch = silent(batch)
    assert (recipes.get(name).credit(batch).values == 0).all()


def silent(batch: Batch) -> Batch:
    """Every number zero, keys and weights apart."""
    kept = {"state", "next_state", "action", "segment", "node", "sequence", "terminated", "truncated", "failed",
            "sampled", "logprob", "history_std", "features", "importance", "replayed"}  # fmt: skip
    zero = {n: Column.of(c.level, np.zeros_like(c.values)) for n, c in batch.columns.items() if n not in kept}
    pairs = batch.relations["pairs"]
    none = pairs.set_column(2, "preference", pa.array(np.zeros(len(pairs))))
    return batch.with_columns(**zero).with_relations(pairs=none)


@pytest.mark.parametrize("name", OF_OUTCOMES)
@given(batch=ragged_batches(), seed=st.integers(0, 999))
def test_the_number_of_turns_does_not_move_the_baseline_of_outcomes(name, batch, seed):
    credit = recipes.get(name).credit
    copies = np.random.default_rng(seed).integers(1, 4, batch.size("trajectory"))[batch.trajectory_of_step]
    steps = np.repeat(np.arange(batch.size("step")), copies)
    longer = Batch(
        np.zeros(0, int), batch.trajectory_of_step[steps], batch.group_of_trajectory, {"outcome": batch["outcome"]}
    )
    assert credit(longer).values.tolist() == credit(batch).values[steps].tolist()


@methods
def test_without_its_columns_it_says_which(name):
    batch = Batch(np.zeros(0, int), np.zeros(2, int), np.zeros(1, int))
    with pytest.raises(ColumnError):
        recipes.get(name).credit(batch)


@every
@given(batch=ragged_batches())
def test_the_reward_is_one_column_whose_parts_add_up(name, batch):
    column = recipes.get(name).reward(batch)
    if column.parts:
        total = column.parts[0][1].values
        for _, part in column.parts[1:]:
            total = total + part.values
        np.testing.assert_array_equal(total[column.valid], column.values[column.valid])


@methods
def test_it_is_whole(name):
    recipe = recipes.get(name)
    doc = importlib.import_module(f"guerdon.recipes.{name.replace('-', '_')}").__doc__
    assert all(word in doc for word in ("Paper ", "Idea ", "Composes ", "Symbols ", "Departures ", "Example", ">>>"))
    assert recipe.baseline is not None and recipe.control is not None and recipe.numbers
    assert recipe.control.told == recipe.told
    assert all(isinstance(r.objective, Objective) for r in (recipe, recipe.control, recipe.baseline))
    assert recipe.control.objective is recipe.objective


@methods
def test_no_play_at_all_is_no_credit(name):
    batch = make_batch(np.random.default_rng(0), [1])
    none = batch.select(np.zeros(batch.size("trajectory"), bool))
    assert len(recipes.get(name).credit(none)) == 0
