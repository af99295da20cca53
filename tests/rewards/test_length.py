"""What length costs, and what it says."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from guerdon.batch import Batch, Column
from guerdon.credit import LENGTH
from guerdon.errors import LevelError, ShapeError
from guerdon.rewards import fact
from guerdon.rewards.length import excess, information_gain, overlong
from strategies import ragged_batches


def with_lengths(*lengths):
    n = len(lengths)
    return Batch.from_steps(group=[0] * n, trajectory=range(n), reward=[0.0] * n, tokens_per_step=list(lengths))


@given(st.integers(1, 30), st.integers(1, 10))
def test_overlong_by_the_sentence(limit, buffer):
    found = overlong(LENGTH, limit, buffer)(with_lengths(*range(1, 40))).values
    for length, got in zip(range(1, 40), found, strict=True):
        start = limit - buffer
        expected = 0.0 if length <= start else -(length - start) / buffer if length < limit else -1.0
        assert got == pytest.approx(expected)


@given(st.lists(st.integers(1, 50), min_size=1, max_size=8), st.integers(1, 40), st.floats(0, 2))
def test_a_longer_answer_is_never_penalised_less(lengths, limit, rate):
    batch = with_lengths(*sorted(lengths))
    for term in (overlong(LENGTH, limit, 4), excess(LENGTH, limit, rate)):
        assert (np.diff(term(batch).values) <= 0).all() and (term(batch).values <= 0).all()
    expected = -rate * np.maximum(np.sort(lengths) - limit, 0)
    assert excess(LENGTH, limit, rate)(batch).values == pytest.approx(expected)


@given(ragged_batches(dyadic=False))
def test_information_gain_is_the_gain_in_perplexity(batch):
    y = information_gain()(batch)
    owner, sampled = batch.trajectory_of_step[batch.step_of_token], batch["sampled"].values
    for t in range(batch.size("trajectory")):
        mine = (owner == t) & sampled
        assert y.valid[t] == (mine.any() and not batch["failed"].values[t])
        if y.valid[t]:
            given, alone = (math.exp(-batch[n].values[mine].mean()) for n in ("logprob", "logprob_alone"))
            assert y.values[t] == pytest.approx(max((alone - given) / alone, -1.0))
            assert -1 <= y.values[t] < 1


@given(st.integers(1, 6), st.integers(0, 20), st.floats(-3, 0), st.floats(-3, 0))
def test_padding_that_is_expected_either_way_brings_the_gain_to_nothing(words, padding, given, alone):
    def play(more):
        batch = with_lengths(words + more)
        lp = {n: [x] * words + [-0.01] * more for n, x in (("logprob", given), ("logprob_alone", alone))}
        return batch.with_columns(**{n: Column.of("token", v) for n, v in lp.items()})

    bare, padded, longer = (abs(information_gain(low=-1e9)(play(k)).values[0]) for k in (0, padding, 2 * padding))
    assert longer <= padded + 1e-12 and padded <= bare + 1e-12


def test_a_prompt_that_makes_it_much_worse_is_at_the_bound_and_one_that_tells_nothing_is_0():
    batch = with_lengths(1).with_columns(logprob=Column.of("token", [-1e6]), logprob_alone=Column.of("token", [0.0]))
    assert information_gain()(batch).values.tolist() == [-1.0]
    assert information_gain("logprob", "logprob")(batch).values.tolist() == [0.0]
    half = batch.with_columns(logprob=Column.of("token", [-math.log(2.0)]))
    assert information_gain(low=-9.0)(half).values == pytest.approx([-1.0])


def test_a_token_without_its_number_leaves_the_play_without_one():
    batch = with_lengths(2, 1).with_columns(
        logprob=Column.of("token", [-1.0, -1.0, -1.0]), logprob_alone=Column.of("token", [-1.0, None, -1.0])
    )
    assert information_gain()(batch).tolist() == [None, 0.0]


@pytest.mark.bad_input
def test_wrong_arguments_say_the_way_out():
    batch = Batch.from_steps(group=[0], trajectory=[0], reward=[0.0])
    with pytest.raises(ShapeError, match="tiers"):
        overlong(fact("x"), 10, 0)
    with pytest.raises(LevelError, match="information_gain"):
        information_gain("reward", "reward")(batch)
