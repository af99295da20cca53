"""Repetition: share of n-grams said before."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from guerdon.batch import Batch
from guerdon.errors import ShapeError
from guerdon.evidence import observe
from guerdon.evidence.texts import Repetition, repeated_share, repetition


@given(st.lists(st.sampled_from("ab"), max_size=12), st.integers(1, 4))
def test_it_is_a_count_of_what_stood_before(words, n):
    grams = [tuple(words[i : i + n]) for i in range(len(words) - n + 1)]
    before = sum(gram in grams[:i] for i, gram in enumerate(grams))
    assert repeated_share(words, n) == pytest.approx(before / len(grams) if grams else 0.0)
    assert 0 <= repeated_share(words, n) < 1


@given(st.integers(1, 5), st.integers(2, 9), st.integers(1, 4))
def test_of_a_loop_it_is_known(period, times, n):
    words = list(range(period)) * times
    grams = len(words) - n + 1
    assert repeated_share(words, n) == pytest.approx(max(0.0, 1 - period / grams) if grams > 0 else 0.0)


def test_accept_reject_and_too_long():
    assert Repetition()("every word is new here").value == 0.0
    assert Repetition(1)("no No NO no").value == 0.75
    assert Repetition()("").value == 0.0
    assert Repetition()("ha " * 100_000).value == 1.0
    with pytest.raises(ShapeError, match="at least one word"):
        repeated_share(["a"], 0)


def test_as_an_observer_each_step_is_by_itself():
    batch = Batch.from_steps(group=[0] * 2, trajectory=[0, 0], reward=[0.0] * 2, action=["a b", "a b"])
    assert observe(batch, [repetition(n=1)])["repetition"].tolist() == [0.0, 0.0]


@pytest.mark.parametrize("n", [0, 101, 50_000])
def test_n_that_would_cost_too_much_is_refused(n):
    with pytest.raises(ShapeError):
        repetition(n=n)
