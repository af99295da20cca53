"""Checklists of turns, and credit criterion by criterion."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from guerdon.batch import Batch, Column
from guerdon.credit.criteria import Criteria, by_criterion, checklist
from guerdon.errors import ColumnError, LevelError, ShapeError
from strategies import ragged_batches

AFTER = {1: (0,), 2: (0, 1)}
whole = ragged_batches(missing=False, ends=False)


def turns_of(batch, play):
    """The steps of each turn of a play, in order."""
    steps = np.flatnonzero(batch.trajectory_of_step == play)
    cuts = np.flatnonzero(np.diff(batch["segment"].values[steps])) + 1
    return np.split(steps, cuts)


def judged(rows, owner=None, turn=None) -> Batch:
    """One group; what each step satisfied."""
    owner = [0] * len(rows) if owner is None else owner
    batch = Batch.from_steps(group=[0] * len(rows), trajectory=owner, reward=[0.0] * len(rows))
    turn = owner if turn is None else turn
    return batch.with_columns(satisfied=Column.of("step", np.array(rows)), segment=Column.of("step", turn))


# checklist.


@given(whole, st.sampled_from([(), (0.5, 0.25, 0.25), (0.0, 1.0, 2.0)]))
def test_checklist_slowly(batch, weights):
    w = weights or (1 / 3, 1 / 3, 1 / 3)
    reward, satisfied = checklist(Criteria(weights=weights))(batch), batch["satisfied"].values
    most = {}
    for play, group in enumerate(batch.group_of_trajectory):
        most[group] = max(most.get(group, 0), len(turns_of(batch, play)))
    for play, group in enumerate(batch.group_of_trajectory):
        score = sum(w[k] * max(satisfied[s, k] for s in turn) for turn in turns_of(batch, play) for k in range(3))
        assert reward.values[play] == pytest.approx(score / most[group])


@given(ragged_batches())
def test_a_play_that_was_not_judged_to_the_end_has_no_reward(batch):
    reward, satisfied = checklist(Criteria())(batch), batch["satisfied"]
    for play in range(batch.size("trajectory")):
        own = batch.trajectory_of_step == play
        assert reward.valid[play] == (satisfied.valid[own].all() and not batch["failed"].values[play])


@given(ragged_batches())
def test_the_turns_of_a_play_without_a_reward_do_not_count(batch):
    reward = checklist(Criteria())(batch)
    if reward.valid.any():
        alone = checklist(Criteria())(batch.select(reward.valid))
        assert reward.values[reward.valid].tolist() == alone.values.tolist()


def test_a_step_of_no_known_turn_leaves_its_play_without_a_reward():
    batch = judged([[1], [1], [1]], owner=[0, 0, 1])
    batch = batch.with_columns(segment=Column("step", np.zeros(3, int), np.array([True, False, True])))
    assert checklist(Criteria())(batch).tolist() == [None, 1.0]
    assert by_criterion(Criteria(), at_least=1)(batch).valid.tolist() == [False, False, True]


def test_a_play_that_stops_early_is_not_paid_for_it():
    batch = judged([[1], [1], [1]], owner=[0, 0, 1], turn=[0, 1, 0])
    assert checklist(Criteria())(batch).values.tolist() == [1.0, 0.5]


def test_trying_the_same_twice_in_one_turn_pays_once():
    assert checklist(Criteria())(judged([[1, 0], [1, 0]])).values.tolist() == [0.5]


# by_criterion.


def slowly(batch, criteria, eta, at_least):
    """The formula, one turn and one criterion at a time."""
    satisfied, w = batch["satisfied"].values, criteria.weigh(3)
    worth, opened = {}, {}
    for play, group in enumerate(batch.group_of_trajectory):
        for u, turn in enumerate(turns_of(batch, play)):
            done = {}
            for k in range(3):
                for place, step in enumerate(turn):
                    if k in done or any(done.get(d, place) >= place for d in criteria.before(k)):
                        continue
                    opened.setdefault((play, u, k), []).append((place, step))
                    worth.setdefault((group, u, k), {}).setdefault(play, 0.0)
                    if satisfied[step, k]:
                        done[k] = place
                        worth[group, u, k][play] = eta ** (place - opened[play, u, k][0][0])
    out = np.zeros(batch.size("step"))
    for (play, u, k), steps in opened.items():
        others = worth[batch.group_of_trajectory[play], u, k]
        if len(others) >= at_least:
            for _, step in steps:
                out[step] += w[k] * (others[play] - np.mean(list(others.values())))
    return out


@given(whole, st.sampled_from([None, AFTER]), st.sampled_from([1.0, 0.5, 0.0]), st.integers(1, 5))
def test_by_criterion_slowly(batch, after, eta, at_least):
    criteria = Criteria(after=after, weights=(0.5, 0.25, 0.25))
    a = by_criterion(criteria, eta, at_least)(batch)
    assert a.valid.all() and a.values == pytest.approx(slowly(batch, criteria, eta, at_least), abs=1e-9)


@given(ragged_batches())
def test_a_play_that_is_not_whole_neither_votes_nor_gets(batch):
    credit = by_criterion(Criteria(after=AFTER), 0.5, 2)
    scored = checklist(Criteria())(batch).valid
    a, own = credit(batch), scored[batch.trajectory_of_step]
    assert (a.valid == own).all() and not a.values[~own].any()
    if scored.any():
        assert a.values[own] == pytest.approx(credit(batch.select(scored)).values, abs=1e-12)


@given(whole)
def test_a_group_of_one_and_one_that_agrees_get_nothing(batch):
    a = by_criterion(Criteria(), 0.5, 1)(batch)
    alone = np.bincount(batch.group_of_trajectory)[batch.index("group", at="step")] == 1
    assert not a.values[alone].any()
    all_of_it = batch.with_columns(satisfied=Column.of("step", np.ones((batch.size("step"), 3))))
    assert not by_criterion(Criteria(after=AFTER), 0.5, 1)(all_of_it).values.any()


@pytest.mark.parametrize(("plays", "speaks"), [(4, False), (5, True)])
def test_four_plays_are_too_few_for_a_criterion(plays, speaks):
    batch = judged([[1]] + [[0]] * (plays - 1), owner=list(range(plays)))
    assert by_criterion(Criteria())(batch).values.any() == speaks


def test_what_is_satisfied_before_it_is_open_does_not_count():
    """The second criterion comes after the first, and may not be met by the same step."""
    batch = judged([[1, 1], [0, 0], [1, 0], [0, 1]], owner=[0, 0, 1, 1])
    a = by_criterion(Criteria(after={1: (0,)}), at_least=2)(batch).values
    assert a.tolist() == [0.0, -0.25, 0.0, 0.25]


def test_late_is_worth_less():
    batch = judged([[0], [0], [1], [1]], owner=[0, 0, 0, 1])
    a = by_criterion(Criteria(), eta=0.5, at_least=2)(batch).values
    assert a.tolist() == [-0.375, -0.375, -0.375, 0.375]


def test_the_same_criterion_of_another_turn_is_another_criterion():
    batch = judged([[1], [0], [0], [1]], owner=[0, 0, 1, 1], turn=[0, 1, 0, 1])
    assert by_criterion(Criteria(), at_least=2)(batch).values.tolist() == [0.5, -0.5, -0.5, 0.5]


# Bad input.


def test_criteria_come_after_lower_ones():
    for after in ({0: (0,)}, {1: (2,)}, {1: (-1,)}):
        with pytest.raises(ShapeError, match="circle"):
            Criteria(after=after)


@pytest.mark.parametrize("weights", [(1.0,), (1.0, -1.0, 1.0)])
def test_one_weight_for_each_criterion(weights):
    with pytest.raises(ShapeError, match="weights for 3 criteria"):
        checklist(Criteria(weights=weights))(judged([[0, 1, 0]]))


def test_a_decay_is_in_the_unit_interval():
    with pytest.raises(ShapeError, match="eta"):
        by_criterion(Criteria(), eta=1.5)


@pytest.mark.bad_input
def test_columns_that_are_missing_flat_or_of_another_level():
    batch = judged([[0, 1]])
    with pytest.raises(ColumnError, match="criteria"):
        checklist(Criteria(satisfied="criteria"))(batch)
    with pytest.raises(ColumnError, match="two dimensions"):
        checklist(Criteria(satisfied="reward"))(batch)
    with pytest.raises(LevelError, match="by_criterion"):
        by_criterion(Criteria(turn="outcome"))(batch)


def test_names_say_what_is_read():
    assert by_criterion(Criteria()).needs == Criteria().needs == ("satisfied", "segment")
    assert by_criterion(Criteria()).compares == {"group"} and checklist(Criteria()).name == "checklist(satisfied)"
