"""Self-judgement beside an oracle."""

import pytest

from guerdon.batch import Batch, Column
from guerdon.errors import ShapeError
from guerdon.evidence import observe
from guerdon.evidence.sources import self_judgement


def seen(accepted, similarity, **how):
    n = len(accepted)
    batch = Batch.from_steps(group=[0] * n, trajectory=[0] * n, reward=[0.0] * n)
    batch = batch.with_columns(accepted=Column.of("step", accepted), similarity=Column.of("step", similarity))
    return observe(batch, [self_judgement(**how)])["self_judgement"].tolist()


def test_the_four_cases_and_what_is_missing():
    assert seen([1.0, 0.0, 1.0, 0.0, None, 1.0], [0.8, 0.2, 0.2, 0.8, 0.8, None]) == [0.3, 0.3, -0.6, -0.3, None, None]


def test_at_the_threshold_it_is_not_above():
    assert seen([0.0], [0.7]) == [0.3] and seen([1.0], [0.7], threshold=0.5) == [0.3]


def test_wrong_is_not_worth_more_than_right():
    with pytest.raises(ShapeError, match="swap"):
        self_judgement(right=-1.0)
