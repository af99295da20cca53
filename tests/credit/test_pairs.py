"""Credit from pairs of plays."""

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from guerdon.batch import Batch, Column
from guerdon.credit import Std, centred
from guerdon.credit.pairs import PairStd, against, against_one, as_given, compared, draw_one, pairwise, preferred
from guerdon.errors import ColumnError, ShapeError
from guerdon.rewards import fact
from strategies import ragged_batches


def judged(rows, group=(0, 0, 0), **columns) -> Batch:
    """Plays of one step each, and verdicts (first, second, preference)."""
    batch = Batch.from_steps(group=list(group), trajectory=np.arange(len(group)), reward=np.zeros(len(group)))
    first, second, preference = ([row[i] for row in rows] for i in range(3))
    table = pa.table({"first": pa.array(first, pa.int64()), "second": pa.array(second, pa.int64()),
                      "preference": pa.array(preference, pa.float64())})  # fmt: skip
    columns = {k: Column.of("trajectory", np.array(v)) for k, v in columns.items()}
    return batch.with_columns(**columns).with_relations(pairs=table)


def differences(batch: Batch, name: str) -> Batch:
    """The batch with every pair of a group judged by the difference of a trajectory column, in either order."""
    x, group = batch[name].values, batch.group_of_trajectory
    rng = np.random.default_rng(0)
    rows = [(i, j) if rng.random() < 0.5 else (j, i) for i in range(len(x)) for j in range(i) if group[i] == group[j]]
    first, second = np.array([i for i, _ in rows], int), np.array([j for _, j in rows], int)
    return batch.with_relations(pairs=pa.table({"first": first, "second": second, "preference": x[first] - x[second]}))


def matrix(batch: Batch, read=as_given):
    """d[i, j], NaN where it was not judged, slowly."""
    n, found = batch.size("trajectory"), {}
    for row in batch.relations["pairs"].to_pylist():
        i, j, d = row["first"], row["second"], read(np.array([row["preference"]]))[0]
        if not batch["failed"].values[i] and not batch["failed"].values[j]:
            found.setdefault((i, j), []).append(d)
            found.setdefault((j, i), []).append(-d)
    return np.array([[np.mean(found[i, j]) if (i, j) in found else np.nan for j in range(n)] for i in range(n)])


# Worked by hand.


def test_three_plays_each_of_which_beats_the_next():
    batch = judged([(0, 1, 2.0), (1, 2, 1.0), (0, 2, 3.0)])
    assert preferred()(batch).values == pytest.approx([5 / 3, -1 / 3, -4 / 3])
    # d^2 sums to 2 * (4 + 1 + 9) over 6 ordered pairs: sqrt(28 / 12).
    assert pairwise(PairStd(0.0))(batch).values == pytest.approx(np.array([5, -1, -4]) / 3 / (28 / 12) ** 0.5)
    assert pairwise()(batch).values == pytest.approx([5 / 3, -1 / 3, -4 / 3])


def test_a_circle_is_undecided():
    batch = judged([(0, 1, 1.0), (1, 2, 1.0), (2, 0, 1.0)])
    assert pairwise(PairStd())(batch).values.tolist() == [0.0, 0.0, 0.0]


def test_both_orders_take_out_what_the_place_is_worth():
    # The judge gives 2 to whatever stands first.
    batch = judged([(0, 1, 3.0), (1, 0, 1.0), (1, 2, 2.0), (2, 1, 2.0)])
    pairs = compared(batch)
    at = {(i, j): d for i, j, d in zip(pairs.one, pairs.other, pairs.preferred, strict=True)}
    assert at == {(0, 1): 1.0, (1, 0): -1.0, (1, 2): 0.0, (2, 1): 0.0}


def test_who_won_and_by_how_much():
    batch = judged([(0, 1, 3.0), (0, 2, 0.5)])
    assert pairwise(None, np.sign)(batch).values == pytest.approx([2 / 3, -1 / 2, -1 / 2])
    assert pairwise(None)(batch).values == pytest.approx([3.5 / 3, -3 / 2, -0.5 / 2])


def test_what_was_not_judged_is_not_a_draw():
    batch = judged([(0, 1, 2.0)])
    a = pairwise()(batch)
    assert a.values.tolist() == [1.0, -1.0, 0.0] and a.valid.tolist() == [True, True, False]
    drawn = pairwise()(judged([(0, 1, 2.0), (0, 2, 0.0), (1, 2, 0.0)]))
    assert drawn.values == pytest.approx([2 / 3, -2 / 3, 0.0]) and drawn.valid.all()


def test_an_unreadable_verdict_is_not_judged():
    for lost in (None, float("nan")):
        assert pairwise()(judged([(0, 1, 2.0), (0, 2, lost)])).valid.tolist() == [True, True, False]


def test_a_failed_play_is_no_opponent():
    batch = judged([(0, 1, 2.0), (0, 2, 2.0)], failed=[False, False, True])
    a = pairwise()(batch)
    assert a.values.tolist() == [1.0, -1.0, 0.0] and a.valid.tolist() == [True, True, False]


def test_a_play_without_company_is_scored_and_gets_nothing():
    a = pairwise()(judged([], group=(0,)))
    assert a.values.tolist() == [0.0] and a.valid.tolist() == [True]


def test_against_a_reference():
    batch = judged([(0, 1, 2.0), (1, 2, 1.0)])
    values, valid = against(batch, np.array([False, True, False]))
    assert values.tolist() == [1.0, 0.0, -1.0] and valid.all()
    values, valid = against(batch, np.array([True, False, False]), as_given)
    assert values.tolist() == [0.0, -2.0, 0.0] and valid.tolist() == [True, True, False]


# Laws.


@given(ragged_batches(missing=False, ends=False))
def test_with_differences_of_scores_pairwise_is_grpo(batch):
    """d[i, j] = x[i] - x[j]: the mean is x less the group's, the root is the std with the count less one."""
    batch = differences(batch, "writing_score")
    grpo = centred(fact("writing_score"), scale=Std(0.0))
    assert pairwise(PairStd(0.0))(batch).values == pytest.approx(grpo(batch).values, abs=1e-6)
    assert pairwise()(batch).values == pytest.approx(centred(fact("writing_score"))(batch).values, abs=1e-9)


@given(ragged_batches(), st.sampled_from([as_given, np.sign]), st.sampled_from([0.0, 1e-6]))
def test_pairwise_written_slowly(batch, read, eps):
    d, group = matrix(batch, read), batch.group_of_trajectory
    expected = np.zeros(len(group))
    for i in range(len(group)):
        mates = group == group[i]
        known = d[np.ix_(mates, mates)]
        known = known[~np.isnan(known)]
        mine = d[i][~np.isnan(d[i])]
        if (known != 0).any():
            expected[i] = mine.sum() / (1 + len(mine)) / np.sqrt((known**2).sum() / (2 * len(known)) + eps)
    assert pairwise(PairStd(eps), read)(batch).values == pytest.approx(expected[batch.trajectory_of_step], abs=1e-9)


@given(ragged_batches())
def test_with_every_pair_judged_credit_sums_to_zero(batch):
    batch = batch.with_columns(failed=Column.of("trajectory", np.zeros(batch.size("trajectory"), bool)))
    batch = differences(batch, "writing_score")
    for read in (as_given, np.sign):
        margin = preferred(read)(batch)
        assert np.bincount(batch.group_of_trajectory, weights=margin.values) == pytest.approx(0, abs=1e-9)


@given(ragged_batches())
def test_every_comparison_is_there_from_both_sides(batch):
    pairs = compared(batch)
    at = {(i, j): d for i, j, d in zip(pairs.one, pairs.other, pairs.preferred, strict=True)}
    assert len(at) == len(pairs.one) and all(at[j, i] == -d for (i, j), d in at.items())
    assert not batch["failed"].values[pairs.one].any()


@given(ragged_batches(missing=False, ends=False))
def test_over_the_draw_of_the_reference_the_mean_is_zero(batch):
    batch = differences(batch, "writing_score")
    group, total = batch.group_of_trajectory, np.zeros(batch.size("trajectory"))
    for ref in range(len(group)):
        reference = np.arange(len(group)) == ref
        total += against(batch, reference)[0]
    assert np.bincount(group, weights=total) == pytest.approx(0, abs=1e-9)
    size = np.bincount(group)[group]  # the mean over draws is the mean over all opponents
    assert total / size == pytest.approx(preferred(np.sign)(batch).values)


@given(ragged_batches(), st.integers(0, 99))
def test_one_play_of_each_group_is_drawn(batch, seed):
    drawn, failed, group = draw_one(batch, seed), batch["failed"].values, batch.group_of_trajectory
    there = np.bincount(group, weights=~failed) > 0
    assert not drawn[failed].any()
    assert np.bincount(group, weights=drawn).tolist() == there.astype(float).tolist()


def test_every_play_is_drawn_equally_often():
    batch = judged([], group=(0, 0, 0, 0))
    times = sum(draw_one(batch, seed).astype(int) for seed in range(800))
    assert (np.abs(times - 200) < 60).all()  # five standard deviations


@given(ragged_batches(), st.integers(0, 9))
def test_against_one_is_a_verdict_on_each_play(batch, seed):
    a = against_one(seed)(batch)
    d, drawn = matrix(batch, np.sign), draw_one(batch, seed)
    for s, t in enumerate(batch.trajectory_of_step):
        ref = np.flatnonzero(drawn & (batch.group_of_trajectory == batch.group_of_trajectory[t]))
        known = len(ref) and not batch["failed"].values[t] and (t == ref[0] or not np.isnan(d[t, ref[0]]))
        assert a.valid[s] == bool(known)
        assert a.values[s] == (d[t, ref[0]] if known and t != ref[0] else 0.0)


# Bad input.


def test_without_pairs_it_says_what_is_needed():
    batch = Batch.from_steps(group=[0], trajectory=[0], reward=[0.0])
    with pytest.raises(ColumnError, match="no relation 'pairs'"):
        pairwise()(batch)
    with pytest.raises(ColumnError, match="no preference"):
        pairwise()(batch.with_relations(pairs=pa.table({"first": [0], "second": [0]})))


def test_a_pair_of_two_groups_is_refused():
    with pytest.raises(ShapeError, match="two groups"):
        pairwise()(judged([(0, 1, 1.0)], group=(0, 1)))


def test_a_play_that_is_not_there_is_refused():
    with pytest.raises(ShapeError, match="play 7"):
        pairwise()(judged([(0, 7, 1.0)]))
