"""progress: gains, closed and open, baselines of stopping and of rates, items; by hand, laws, bad input."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from guerdon.batch import Batch, Column
from guerdon.credit import Mean, Others, centred, step_term, to_go, to_go_of, tokens_of_step
from guerdon.credit.progress import (
    before_end,
    calibrated_weights,
    closed_gain,
    discounted_by_length,
    gain,
    item_reward,
    pass_rates,
    termination_baseline,
    to_go_above_rate,
)
from guerdon.errors import ColumnError, LevelError, ShapeError
from guerdon.rewards import at_end, delta, fact, potential, total
from strategies import ragged_batches

whole = ragged_batches(missing=False, ends=False)


def coherent(batch: Batch) -> Batch:
    """The belief after a step is the belief before the next one."""
    owner, after = batch.trajectory_of_step, batch["next_belief"]
    first = np.append(True, owner[1:] != owner[:-1])
    before = np.where(first, batch["belief"].values, np.append(0.0, after.values[:-1]))
    known = np.where(first, batch["belief"].valid, np.append(True, after.valid[:-1]))
    return batch.with_columns(belief=Column("step", before, known.astype(bool)))


def ends_of(batch):
    """Where each play starts and where it ends."""
    owner, plays = batch.trajectory_of_step, np.arange(batch.size("trajectory"))
    return np.searchsorted(owner, plays), np.searchsorted(owner, plays, side="right") - 1


# Gains.


@given(whole)
def test_gains_telescope(batch):
    batch = coherent(batch)
    first, last = ends_of(batch)
    expected = batch["next_belief"].values[last] - batch["belief"].values[first]
    assert total(gain("belief"))(batch).values.tolist() == expected.tolist()


@given(whole, st.floats(0, 1))
def test_closed_gains_sum_to_minus_the_first_value_whatever_was_done(batch, gamma):
    batch = coherent(batch)
    first, _ = ends_of(batch)
    ahead = to_go(closed_gain("belief", gamma)(batch).values, batch.trajectory_of_step, gamma)
    assert ahead == pytest.approx(-batch["belief"].values, abs=1e-12)
    assert ahead[first] == pytest.approx(-batch["belief"].values[first], abs=1e-12)


@given(ragged_batches(), st.floats(0, 1))
def test_a_closed_gain_is_the_potential_where_that_starts_at_the_same_value(batch, gamma):
    batch = coherent(batch)
    first, _ = ends_of(batch)
    belief = batch["belief"]
    belief.values[first], belief.valid[first] = 0.5, True
    one, other = closed_gain("belief", gamma)(batch), potential(fact("next_belief"), gamma, start=0.5)(batch)
    playing = ~batch["failed"].values[batch.trajectory_of_step]
    assert (one.valid == (other.valid & playing)).all()
    assert one.values[one.valid] == pytest.approx(other.values[one.valid])


@given(ragged_batches())
def test_a_gain_is_a_delta_where_the_state_is_known_from_the_step_before(batch):
    batch = coherent(batch)
    first, _ = ends_of(batch)
    batch["belief"].values[first], batch["belief"].valid[first] = 0.25, True
    one, other = gain("belief")(batch), delta(fact("next_belief"), start=0.25)(batch)
    assert one.values[one.valid].tolist() == other.values[one.valid].tolist()


@given(ragged_batches())
def test_a_gain_is_missing_where_either_value_is_and_in_a_play_that_failed(batch):
    playing = ~batch["failed"].values[batch.trajectory_of_step]
    expected = batch["belief"].valid & batch["next_belief"].valid & playing
    assert (gain("belief")(batch).valid == expected).all()


def test_the_value_after_the_last_step_is_not_read_by_a_closed_gain():
    batch = Batch.from_steps(group=[0, 0], trajectory=[0, 0], reward=[0.0, 0.0])
    pair = {"belief": [0.25, 0.5], "next_belief": [0.5, None]}
    batch = batch.with_columns(**{name: Column.of("step", values) for name, values in pair.items()})
    assert closed_gain("belief")(batch).tolist() == [0.25, -0.5]
    assert gain("belief")(batch).tolist() == [0.25, None]


def test_a_gain_of_plays_is_refused():
    batch = Batch.from_steps(group=[0], trajectory=[0], reward=[0.0])
    batch = batch.with_columns(x=Column.of("trajectory", [0.0]), next_x=Column.of("trajectory", [1.0]))
    with pytest.raises(LevelError, match="gain: 'x' is at trajectory level"):
        gain("x")(batch)


def test_without_the_value_after_it_says_so():
    batch = Batch.from_steps(group=[0], trajectory=[0], reward=[0.0])
    with pytest.raises(ColumnError, match="'next_x'"):
        gain("x")(batch.with_columns(x=Column.of("step", [0.0])))


@given(ragged_batches())
def test_before_the_end_and_at_the_end_are_the_whole(batch):
    _, last = ends_of(batch)
    column, kept = batch["reward"], before_end(fact("reward"))(batch)
    rest = np.setdiff1d(np.arange(batch.size("step")), last)
    assert (kept.values[last] == 0).all() and kept.valid[last].all()
    assert (kept.valid[rest] == column.valid[rest]).all()
    assert kept.filled(0.0)[rest].tolist() == column.filled(0.0)[rest].tolist()


@given(ragged_batches(), st.floats(0, 1))
def test_a_longer_play_is_worth_less(batch, gamma):
    first, last = ends_of(batch)
    expected = batch["outcome"].values * gamma ** (last - first + 1.0)
    column = discounted_by_length(fact("outcome"), gamma)(batch)
    assert (column.valid == batch["outcome"].valid).all()
    assert column.values[column.valid] == pytest.approx(expected[column.valid])


# The value of stopping.


@given(ragged_batches())
def test_the_baseline_is_the_value_before_the_first_step(batch):
    first, _ = ends_of(batch)
    credit = termination_baseline(fact("outcome"), fact("stop_value"))(batch)
    outcome, stop = batch["outcome"], batch["stop_value"]
    valid = (outcome.valid & stop.valid[first] & ~batch["failed"].values)[batch.trajectory_of_step]
    expected = (outcome.values - stop.values[first])[batch.trajectory_of_step]
    assert (credit.valid == valid).all()
    assert credit.values == pytest.approx(np.where(valid, expected, 0.0))


@given(ragged_batches())
def test_a_play_that_failed_gets_nothing_above_stopping(batch):
    """Even where the term itself has a score for it."""
    credit = termination_baseline(fact("greedy_outcome"), fact("stop_value"))(batch)
    failed = batch["failed"].values[batch.trajectory_of_step]
    assert not credit.valid[failed].any() and (credit.values[failed] == 0).all()


def test_centring_it_again_in_a_group_of_one_prefix_takes_it_out():
    batch = Batch.from_steps(group=[0, 0], trajectory=[0, 1], reward=[1.0, 0.0])
    batch = batch.with_columns(stop_value=Column.of("step", [0.75, 0.75]))
    above = termination_baseline(fact("outcome"), fact("stop_value"))
    assert above(batch).values.tolist() == [0.25, -0.75]
    assert centred(above)(batch).values.tolist() == centred(fact("outcome"))(batch).values.tolist()


# A rate per token.


def above_rate_slowly(batch, x, own_too):
    """Loops over plays; each play's average per token votes once."""
    tokens, owner, group = tokens_of_step(batch), batch.trajectory_of_step, batch.group_of_trajectory
    out = np.zeros(len(x))
    plays = range(len(group))
    rate = [x[owner == i].sum() / tokens[owner == i].sum() for i in plays]
    for i in plays:
        alike = [j for j in plays if group[j] == group[i] and (own_too or j != i)]
        if sum(group == group[i]) < 2:
            continue
        b = np.mean([rate[j] for j in alike])
        for t in np.flatnonzero(owner == i):
            rest = np.flatnonzero((owner == i) & (np.arange(len(x)) >= t))
            out[t] = (x[rest] - b * tokens[rest]).sum()
    return out


@given(whole)
def test_it_is_the_slow_version(batch):
    x = batch["step_score"].values
    for baseline, own_too in ((Others(), False), (Mean(), True)):
        credit = to_go_above_rate(fact("step_score"), baseline)(batch)
        assert credit.values == pytest.approx(above_rate_slowly(batch, x, own_too), abs=1e-9)


@given(whole, st.integers(-4, 4))
def test_a_bonus_per_token_changes_nothing(batch, bonus):
    tokens = tokens_of_step(batch)
    raised = batch.with_columns(step_score=Column.of("step", batch["step_score"].values + bonus * tokens))
    credit = to_go_above_rate(fact("step_score"), Others())
    assert credit(raised).values == pytest.approx(credit(batch).values, abs=1e-9)


@given(ragged_batches())
def test_a_play_with_a_gap_neither_votes_nor_gets(batch):
    credit = to_go_above_rate(fact("step_score"), Others())
    column, owner = credit(batch), batch.trajectory_of_step
    gap = np.zeros(batch.size("trajectory"), bool)
    gap[owner[~batch["step_score"].valid]] = True
    gap |= batch["failed"].values
    assert (column.valid == ~gap[owner]).all()
    assert column.values[column.valid] == pytest.approx(credit(batch.select(~gap)).values)


# Items.


def weights_slowly(rate, alpha, sigma, delta):
    """One group, loops."""
    kernel = [sum(np.exp(-((a - b) ** 2) / (2 * sigma**2)) for b in rate) for a in rate]
    return [np.exp(-alpha * a) / (n + delta) for a, n in zip(rate, kernel, strict=True)]


rates = st.lists(st.integers(0, 8).map(lambda k: k / 8), min_size=1, max_size=6)


@given(rates, st.floats(0, 4), st.floats(0.05, 2), st.floats(0, 1))
def test_weights_are_the_formula(rate, alpha, sigma, delta):
    weight = calibrated_weights(np.array([rate]), alpha, sigma, delta)
    assert weight[0] == pytest.approx(weights_slowly(rate, alpha, sigma, delta))


@given(rates, st.floats(0.1, 4), st.floats(0.05, 2), st.floats(0, 1))
def test_without_crowding_rarer_items_weigh_more(rate, alpha, sigma, delta):
    apart = np.array(sorted(set(rate)))[:, None]  # each in a group of its own: the kernel counts just itself
    weight = calibrated_weights(apart, alpha, sigma, delta)[:, 0]
    assert (np.diff(weight) < 0).all()


@given(rates, st.integers(1, 30), st.floats(0, 4))
def test_copies_of_a_test_weigh_together_as_much_as_the_one(rate, copies, alpha):
    once = np.array(sorted(set(rate)))
    many = np.append(once, np.repeat(once[-1], copies - 1))
    one, all_of_them = (calibrated_weights(r[None, :], alpha, 1e-3, 0.0)[0] for r in (once, many))
    assert all_of_them[len(once) - 1 :].sum() == pytest.approx(one[-1])
    assert all_of_them[: len(once) - 1] == pytest.approx(one[:-1])


@given(rates, st.integers(1, 4))
def test_items_that_a_group_lacks_weigh_nothing_and_crowd_nobody(rate, lacking):
    padded = np.append(np.array(rate), np.full(lacking, np.nan))[None, :]
    weight = calibrated_weights(padded, 2.0, 0.1, 0.0)[0]
    assert weight[: len(rate)] == pytest.approx(calibrated_weights(np.array([rate]), 2.0, 0.1, 0.0)[0])
    assert (weight[len(rate) :] == 0).all()


@given(ragged_batches())
def test_the_reward_of_a_step_is_the_sum_of_its_weights(batch):
    passed, group = batch["passed"], batch.index("group", at="step")
    rows = passed.valid & ~batch["failed"].values[batch.trajectory_of_step]
    column = item_reward("passed", 2.0, 0.1, 0.5)(batch)
    assert (column.valid == rows).all()
    for g in np.unique(group[rows]):
        mine = rows & (group == g)
        weight = weights_slowly(passed.values[mine].mean(axis=0), 2.0, 0.1, 0.5)
        assert column.values[mine] == pytest.approx(passed.values[mine] @ np.array(weight))


def test_a_step_that_lacks_a_test_of_its_group_is_missing_and_one_that_no_step_has_is_not():
    batch = Batch.from_steps(group=[0, 0, 1], trajectory=[0, 1, 2], reward=[0.0] * 3)
    values = np.array([[1.0, 1.0], [1.0, np.nan], [1.0, np.nan]])
    batch = batch.with_columns(passed=Column("step", values, np.ones(3, bool)))
    assert item_reward("passed", 0.0, 0.1, 0.0)(batch).tolist() == [1.0, None, 1.0]


def test_pass_rates_of_what_is_there():
    rates = pass_rates(np.array([[1.0, np.nan], [0.0, np.nan], [1.0, 0.0]]), np.array([0, 0, 1]))
    np.testing.assert_array_equal(rates, [[0.5, np.nan], [1.0, 0.0]])


@pytest.mark.bad_input
@pytest.mark.parametrize("numbers", [{"sigma": 0.0, "delta": 0.0}, {"sigma": 1.0, "delta": -1.0}])
def test_weights_refuse_a_bandwidth_of_nothing(numbers):
    with pytest.raises(ShapeError, match="a bandwidth above 0"):
        calibrated_weights(np.array([[0.5]]), alpha=1.0, **numbers)


def test_items_need_a_vector_per_step():
    batch = Batch.from_steps(group=[0], trajectory=[0], reward=[0.0])
    with pytest.raises(ColumnError, match="item_reward: column 'reward' does not hold a row of numbers"):
        item_reward("reward", 1.0, 0.1, 0.0)(batch)


# On its own step or to go.


@given(whole)
def test_to_go_a_gain_says_only_where_the_play_ended(batch):
    batch = coherent(batch)
    _, last = ends_of(batch)
    ahead = to_go_of(gain("belief"))(batch).values
    end = batch["next_belief"].values[last][batch.trajectory_of_step]
    assert ahead == pytest.approx(end - batch["belief"].values)
    own = step_term(gain("belief"))(batch).values
    assert to_go(own, batch.trajectory_of_step) == pytest.approx(ahead)


def test_an_outcome_at_the_end_needs_its_level():
    batch = Batch.from_steps(group=[0], trajectory=[0], reward=[0.0])
    with pytest.raises(LevelError):
        before_end(fact("outcome"))(batch)
    with pytest.raises(LevelError):
        discounted_by_length(at_end(fact("outcome")), 0.5)(batch)
    with pytest.raises(LevelError):
        termination_baseline(fact("reward"), fact("reward"))(batch)
