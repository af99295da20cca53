"""Baselines and multipliers that live from batch to batch."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from guerdon.batch import Batch, Column
from guerdon.credit import Everything, centred
from guerdon.credit.history import Ema, History, Multiplier, RecentQuantile, standardised
from guerdon.credit.keys import Named
from guerdon.errors import ShapeError
from guerdon.rewards import fact
from strategies import ragged_batches

OUTCOME = fact("outcome")


def plays(group, outcome, **columns) -> Batch:
    """Plays of one step each."""
    batch = Batch.from_steps(group=group, trajectory=np.arange(len(group)), reward=np.array(outcome, float))
    return batch.with_columns(**{k: Column.of("group", v) for k, v in columns.items()})


def known(state: History, batch: Batch) -> tuple[list, list]:
    """What the state says of a batch."""
    out = state.columns(batch)
    return out["history_mean"].tolist(), out["history_std"].tolist()


# Worked by hand.


def test_an_average_of_group_means():
    state = Ema(OUTCOME, decay=0.5)
    batch = plays([0, 0, 1], [1, 0, 1])
    assert known(state, batch) == ([None, None], [None, None])
    state = state.update(batch)  # x = (0.5 + 1) / 2
    assert known(state, batch) == ([0.75, 0.75], [None, None])
    state = state.update(plays([0], [0.25]))  # away -0.5: m = 0.5, v = 0.5 * 0.5 * 0.25
    assert known(state, batch) == ([0.5, 0.5], [0.25, 0.25])


def test_each_task_has_an_average_of_its_own():
    state = Ema(OUTCOME, decay=0.5, by=Named("task"))
    state = state.update(plays([0, 1], [1.0, 0.0], task=np.array([30, 10])))
    state = state.update(plays([0, 1], [0.0, 0.5], task=np.array([30, 20])))
    assert known(state, plays([0, 1, 2, 3], [0] * 4, task=np.array([10, 20, 30, 40])))[0] == [0.0, 0.5, 0.5, None]
    assert state.keys.tolist() == [10, 20, 30] and state.seen.tolist() == [1, 1, 2]


def test_text_names_a_task_too():
    state = Ema(OUTCOME, by=Named("task")).update(plays([0, 1], [1.0, 0.0], task=["a", "b"]))
    assert known(state, plays([0, 1], [0, 0], task=["b", "c"]))[0] == [0.0, None]


def test_a_state_is_not_changed_by_its_update():
    state = Ema(OUTCOME).update(plays([0], [1.0]))
    before = state.mean.tolist()
    state.update(plays([0], [0.0]))
    assert state.mean.tolist() == before


def test_the_median_of_the_last_plays():
    state = RecentQuantile(OUTCOME, plays=4)
    state = state.update(plays([0, 0, 1], [1, 0, 0]))
    assert known(state, plays([0], [0])) == ([0.25], [pytest.approx(0.5**0.5)])
    state = state.update(plays([0, 0], [1, 1]))  # plays 5: the oldest group of 2 is forgotten
    assert state.mean.tolist() == [0.0, 1.0] and known(state, plays([0], [0]))[0] == [0.5]


def test_nothing_is_known_at_first():
    assert known(RecentQuantile(OUTCOME), plays([0, 1], [0, 0])) == ([None, None], [None, None])


def test_where_nothing_was_usual_there_is_nothing_to_compare_with():
    batch = Ema(OUTCOME).columns(plays([0, 0], [1, 0]))
    a = standardised(OUTCOME)(batch)
    assert a.values.tolist() == [0.0, 0.0] and a.valid.all() and standardised(OUTCOME).compares == {"history"}


def test_a_spread_of_zero_says_nothing():
    batch = plays([0, 1], [1, 1], history_mean=[0.5, 0.5], history_std=[0.0, 0.25])
    assert standardised(OUTCOME)(batch).values.tolist() == [0.0, 2.0]


def test_a_multiplier_by_hand():
    m = Multiplier(value=0.2, kp=0.05, ki=0.01, leak=0.95).update(0.1)
    assert m.integral == pytest.approx(0.1) and m.value == pytest.approx(0.2 * np.exp(0.005 + 0.001))
    m = m.update(-0.1)
    assert m.integral == pytest.approx(-0.005) and m.value == pytest.approx(0.2 * np.exp(0.006 - 0.005 - 0.00005))


# Laws.


def test_states_are_histories():
    assert isinstance(Ema(OUTCOME), History) and isinstance(RecentQuantile(OUTCOME), History)


@given(st.lists(ragged_batches(), min_size=1, max_size=4), st.floats(0, 0.99))
def test_the_average_written_slowly(batches, decay):
    state, mean, var, seen = Ema(OUTCOME, decay), 0.0, 0.0, 0
    for batch in batches:
        state = state.update(batch)
        outcome, group = batch["outcome"], batch.group_of_trajectory
        means = [outcome.values[outcome.valid & (group == g)].mean() for g in np.unique(group[outcome.valid])]
        if not means:
            continue
        x = np.mean(means)
        away = x - mean if seen else 0.0
        mean, var, seen = (mean + (1 - decay) * away if seen else x), decay * (var + (1 - decay) * away**2), seen + 1
    if seen:
        assert state.mean[0] == pytest.approx(mean) and state.var[0] == pytest.approx(var) and state.seen[0] == seen
    else:
        assert len(state.keys) == 0


@given(ragged_batches(), st.integers(1, 30))
def test_what_never_changes_is_remembered_exactly(batch, times):
    batch = batch.with_columns(outcome=Column.of("trajectory", np.full(batch.size("trajectory"), 0.75)))
    if batch["failed"].values.all():
        return
    state = Ema(OUTCOME)
    for _ in range(times):
        state = state.update(batch)
    assert state.mean.tolist() == [0.75] and state.var.tolist() == [0.0]


@given(ragged_batches(), st.floats(-4, 4), st.floats(0.25, 4))
def test_standardised_is_blind_to_shift_and_unit(batch, shift, unit):
    def moved(name, by):
        column = batch[name]
        return Column(column.level, unit * column.values + by, column.valid)

    other = batch.with_columns(
        outcome=moved("outcome", shift), history_mean=moved("history_mean", shift), history_std=moved("history_std", 0)
    )
    plain = standardised(OUTCOME)(batch)
    assert standardised(OUTCOME)(other).values == pytest.approx(plain.values)
    assert plain.valid.tolist() == centred(OUTCOME)(batch).valid.tolist()


@given(ragged_batches(), st.floats(0, 1))
def test_recent_is_numpys_quantile_of_all_when_it_forgets_nothing(batch, q):
    state = RecentQuantile(OUTCOME, q=q).update(batch).update(batch)
    outcome, group = batch["outcome"], batch.group_of_trajectory
    means = [outcome.values[outcome.valid & (group == g)].mean() for g in np.unique(group[outcome.valid])]
    found = state.columns(batch)["history_mean"]
    assert found.valid.all() == bool(means)
    if means:
        assert found.values == pytest.approx(np.quantile(means * 2, q))


@given(st.lists(st.floats(0, 1), min_size=1, max_size=50))
def test_a_multiplier_rises_under_violation_and_stays_in_bounds(violations):
    m = Multiplier()
    for e in violations:
        after = m.update(e)
        assert after.value >= m.value or after.value == m.most
        m = after
    assert 0 <= m.value <= m.most


def test_a_violation_without_end_ends_at_the_largest_weight():
    m = Multiplier()
    for _ in range(500):
        m = m.update(1.0)
    assert m.value == 3.0


# Bad input.


def test_numbers_of_groups_mean_nothing_in_the_next_batch():
    with pytest.raises(ShapeError, match="by is 'prompt'"):
        Ema(OUTCOME, by=Named("prompt"))
    assert Ema(OUTCOME, by=Everything()).decay == 0.9


@pytest.mark.parametrize("decay", [-0.1, 1.0])
def test_a_decay_that_forgets_nothing_is_refused(decay):
    with pytest.raises(ShapeError, match="decay is"):
        Ema(OUTCOME, decay=decay)
