"""merge: edges that plays share, worked by hand, laws, agreement with a slow version, bad input."""

from collections import defaultdict

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from guerdon.batch import Batch, Column
from guerdon.credit import Credit, Randomly, Std, centred, step_term
from guerdon.credit.merge import Recent, merge_average, merged
from guerdon.errors import ColumnError, ShapeError
from guerdon.rewards import fact
from strategies import ragged_batches

PLAYS = centred(fact("outcome"), scale=Std())
EDGE = ("prompt", Recent(1), "action", "next_state")


@st.composite
def samples(draw):
    """Credits in buckets, of plays, some of them missing."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    n = draw(st.integers(0, 30))
    owner = rng.integers(0, 5, n)
    return {
        "credit": rng.integers(-8, 9, n) / 8,
        "by": rng.integers(-2, 3, n),
        "owner": owner,
        "valid": rng.random(n) < 0.8,
    }


def merged_slowly(credit, by, owner, valid):
    """Lists in dictionaries: of each bucket, of each play."""
    lists = defaultdict(lambda: defaultdict(list))
    for c, b, o, ok in zip(credit, by, owner, valid, strict=True):
        if ok:
            lists[b][o].append(c)
    out = []
    for c, b, ok in zip(credit, by, valid, strict=True):
        shared = [np.mean(own) for own in lists[b].values()]
        out.append((np.mean(shared) if len(shared) > 1 else c) if ok else 0.0)
    return np.array(out, float)


# Worked by hand.


def test_a_play_that_passes_an_edge_twice_votes_once():
    # Bucket 0: play 0 has 1; play 1 has -1 twice. The mean of plays is 0, the mean of visits -1/3.
    assert merged(np.array([1.0, -1.0, -1.0]), np.zeros(3, int), np.array([0, 1, 1])).tolist() == [0, 0, 0]


def test_what_one_play_has_twice_stays_as_it_is():
    assert merged(np.array([1.0, -3.0]), np.zeros(2, int), np.zeros(2, int)).tolist() == [1.0, -3.0]


def test_three_plays_two_of_which_share():
    credit = merged(np.array([1.0, 0.5, -1.0]), np.array([4, 4, 5]), np.arange(3))
    assert credit.tolist() == [0.75, 0.75, -1.0]


def test_what_is_missing_does_not_vote():
    credit = merged(np.array([1.0, np.nan, 0.0]), np.zeros(3, int), np.arange(3), np.array([True, False, True]))
    assert credit.tolist() == [0.5, 0.0, 0.5]


def test_the_history_tells_a_step_back_from_the_first_visit():
    # Both visit 1 then 2, but the second play comes back to 1 from 2 first.
    steps = {"group": [0] * 6, "trajectory": [0, 0, 1, 1, 1, 1], "state": [1, 2, 1, 2, 1, 2]}
    batch = Batch.from_steps(**steps, reward=[0.0] * 6)
    one, two = (Recent(length)(batch, "step")[0].tolist() for length in (1, 2))
    assert one == [0, 1, 0, 1, 0, 1]
    assert two[0] == two[2] != two[4] and two[1] == two[3] == two[5] and len(set(two)) == 3


def test_a_step_that_looks_back_at_a_missing_state_has_no_key():
    batch = Batch.from_steps(group=[0] * 3, trajectory=[0] * 3, reward=[0.0] * 3)
    batch = batch.with_columns(state=Column("step", np.array([7, 7, 7]), np.array([False, True, True])))
    assert [Recent(length)(batch, "step")[1].tolist() for length in (1, 2, 3)] == [
        [False, True, True],
        [False, False, True],
        [False, False, False],
    ]


# Laws.


@given(samples())
def test_it_is_the_slow_version(s):
    assert merged(**s) == pytest.approx(merged_slowly(**s))


@given(samples())
def test_merging_twice_is_merging_once(s):
    once = merged(**s)
    assert merged(once, s["by"], s["owner"], s["valid"]) == pytest.approx(once)


@given(samples())
def test_with_every_bucket_apart_nothing_changes(s):
    apart = merged(s["credit"], np.arange(len(s["by"])), s["owner"], s["valid"])
    assert apart.tolist() == np.where(s["valid"], s["credit"], 0.0).tolist()


@given(samples(), st.integers(0, 99))
def test_order_and_labels_do_not_matter(s, seed):
    p = np.random.default_rng(seed).permutation(len(s["by"]))
    moved = {k: v[p] for k, v in s.items()} | {"by": 100 - 3 * s["by"][p], "owner": 7 - s["owner"][p]}
    assert merged(**moved) == pytest.approx(merged(**s)[p])


@given(ragged_batches())
def test_without_shared_states_it_is_the_credit_itself(batch):
    lonely = batch.with_columns(state=Column.of("step", np.arange(batch.size("step"))))
    assert merge_average(PLAYS, EDGE)(lonely).values.tolist() == PLAYS(lonely).values.tolist()


@given(ragged_batches(missing=False, ends=False))
def test_an_edge_that_the_whole_group_shares_gets_zero(batch):
    first = np.append(True, np.diff(batch.trajectory_of_step) > 0)
    shared = {name: np.where(first, -1, np.arange(batch.size("step"))) for name in ("state", "action", "next_state")}
    batch = batch.with_columns(**{name: Column.of("step", values) for name, values in shared.items()})
    credit, plain = merge_average(PLAYS, EDGE)(batch).values, PLAYS(batch).values
    assert credit[first] == pytest.approx(0, abs=1e-12)
    assert credit[~first].tolist() == plain[~first].tolist()


@given(ragged_batches())
def test_a_step_without_a_key_is_shared_with_nobody(batch):
    state = batch["state"]
    nowhere = batch.with_columns(state=Column("step", state.values, np.zeros(len(state), bool)))
    assert merge_average(PLAYS, EDGE)(nowhere).values.tolist() == PLAYS(batch).values.tolist()


@given(ragged_batches(), st.integers(1, 12))
def test_a_longer_history_never_merges_what_a_shorter_keeps_apart(batch, length):
    short, long = Recent(length)(batch, "step")[0], Recent(length + 1)(batch, "step")[0]
    assert len(set(zip(short.tolist(), long.tolist(), strict=True))) == len(set(long.tolist()))


@given(ragged_batches(), st.integers(1, 4))
def test_two_steps_are_alike_just_when_their_last_states_are(batch, length):
    state, owner = batch["state"].values.tolist(), batch.trajectory_of_step
    seen = [tuple(state[j] for j in range(max(i - length + 1, int(np.searchsorted(owner, owner[i]))), i + 1))
            for i in range(len(state))]  # fmt: skip
    bucket = Recent(length)(batch, "step")[0].tolist()
    assert len(set(zip(seen, bucket, strict=True))) == len(set(seen)) == len(set(bucket))


@given(ragged_batches())
def test_tokens_are_merged_as_their_steps_are(batch):
    in_tokens = Credit("tokens", lambda b: b.lift(PLAYS(b), "token"), PLAYS.compares)
    steps, tokens = merge_average(PLAYS, EDGE)(batch), merge_average(in_tokens, EDGE)(batch)
    assert tokens.values == pytest.approx(steps.values[batch.step_of_token])


def test_it_says_what_it_compares_with_and_needs():
    assert merge_average(PLAYS, EDGE).compares == {"group"}
    assert merge_average(PLAYS, "state").compares == {"group", "batch"}
    assert merge_average(PLAYS, EDGE).needs == ("state", "action", "next_state")
    assert merge_average(step_term(fact("reward")), Randomly(4)).compares == {"batch"}


# Bad input.


def test_a_history_of_nothing_is_refused():
    with pytest.raises(ShapeError, match=r"Recent: length is 0; .*; use 1"):
        Recent(0)


@pytest.mark.bad_input
def test_another_length_is_refused():
    with pytest.raises(ShapeError, match="one id per value"):
        merged(np.zeros(2), np.zeros(3, int), np.zeros(2, int))


def test_without_states_it_says_so():
    batch = Batch.from_steps(group=[0], trajectory=[0], reward=[0.0])
    with pytest.raises(ColumnError, match="'state', 'action', 'next_state'"):
        merge_average(PLAYS, EDGE)(batch)
