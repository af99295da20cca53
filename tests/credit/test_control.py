"""at_size_of and shuffled: what a method has to beat."""

import subprocess
import sys

import numpy as np
import pytest
from hypothesis import assume, given

from guerdon.batch import Batch
from guerdon.credit import at_size_of, centred, shuffled, step_term
from guerdon.rewards import fact
from strategies import ragged_batches

CLOSER, OUTCOME = step_term(fact("closer")), centred(fact("outcome"))


@given(ragged_batches())
def test_the_direction_stays_and_the_size_is_the_others(batch):
    a, closer, outcome = at_size_of(CLOSER, OUTCOME)(batch), CLOSER(batch), OUTCOME(batch)
    assume(np.abs(closer.values).sum() > 0)
    size = np.linalg.norm(outcome.values)
    assert np.linalg.norm(a.values) == pytest.approx(size)
    assert a.values @ closer.values == pytest.approx(size * np.linalg.norm(closer.values))


def test_where_the_other_is_silent_so_is_the_control():
    batch = Batch.from_steps(group=[0, 0], trajectory=[0, 1], reward=[0.0, 0.0])
    assert at_size_of(step_term(fact("terminated")), OUTCOME)(batch).values.tolist() == [0, 0]


@given(ragged_batches())
def test_shuffling_keeps_the_values_of_each_group_and_what_is_missing(batch):
    group = batch.index("group", at="step")
    for signal, plain in ((shuffled(fact("closer")), fact("closer")), (shuffled(CLOSER), CLOSER)):
        moved, was = signal(batch), plain(batch)
        assert (moved.valid == was.valid).all()
        for g in np.unique(group):
            here = (group == g) & was.valid
            assert sorted(moved.values[here]) == sorted(was.values[here])


@given(ragged_batches())
def test_shuffling_twice_is_shuffling_once(batch):
    once, again = shuffled(fact("closer"))(batch), shuffled(fact("closer"))(batch)
    assert once.tolist() == again.tolist()


def test_a_seed_makes_another_permutation_and_values_do_move():
    batch = Batch.from_steps(group=[0] * 40, trajectory=[0] * 40, reward=np.arange(40.0))
    orders = {tuple(shuffled(fact("reward"), seed)(batch).values) for seed in range(5)}
    assert len(orders) == 5 and tuple(range(40)) not in orders


def test_across_moves_values_between_groups():
    batch = Batch.from_steps(group=np.arange(40), trajectory=np.arange(40), reward=np.arange(40.0))
    assert shuffled(fact("outcome"))(batch).values.tolist() == list(range(40))
    moved = shuffled(fact("outcome"), across=True)(batch).values
    assert moved.tolist() != list(range(40)) and sorted(moved) == list(range(40))


def test_every_place_is_as_likely():
    batch = Batch.from_steps(group=[0] * 4, trajectory=[0] * 4, reward=[1.0, 0.0, 0.0, 0.0])
    places = [int(shuffled(fact("reward"), seed)(batch).values.argmax()) for seed in range(2000)]
    assert np.bincount(places, minlength=4) / 2000 == pytest.approx(0.25, abs=0.04)


def test_another_process_shuffles_in_the_same_way():
    code = (
        "from guerdon.batch import Batch; from guerdon.credit import shuffled; from guerdon.rewards import fact;"
        "b = Batch.from_steps(group=[0] * 9, trajectory=[0] * 9, reward=[float(i) for i in range(9)]);"
        "print(shuffled(fact('reward'))(b).values.tolist())"
    )
    out = {subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout for _ in range(2)}
    batch = Batch.from_steps(group=[0] * 9, trajectory=[0] * 9, reward=np.arange(9.0))
    assert out == {f"{shuffled(fact('reward'))(batch).values.tolist()}\n"}
