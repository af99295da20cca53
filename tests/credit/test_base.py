"""Credit as a closed type: sums, scalars, levels, what is missing, the stage."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from guerdon.batch import Batch, Column
from guerdon.credit import Credit, assign, centred, step_term
from guerdon.errors import ColumnError
from guerdon.rewards import Term, fact
from strategies import ragged_batches

OUTCOME, CLOSER = centred(fact("outcome")), step_term(fact("closer"))


def by_token(name: str) -> Credit:
    """A credit at token level."""

    def score(batch: Batch) -> Column:
        return Column("token", np.arange(batch.size("token"), dtype=float), np.ones(batch.size("token"), bool))

    return step_term(Term(name, score))


# Worked by hand.


def test_a_trajectory_credit_is_copied_to_its_steps():
    batch = Batch.from_steps(group=[0] * 3, trajectory=[0, 0, 1], reward=[0.0, 1.0, 0.0])
    column = OUTCOME(batch)
    assert column.level == "step" and column.values.tolist() == [0.5, 0.5, -0.5]


def test_a_sum_with_a_token_credit_is_at_token_level():
    batch = Batch.from_steps(group=[0, 0], trajectory=[0, 1], reward=[1.0, 0.0], tokens_per_step=[1, 2])
    column = (OUTCOME + by_token("t"))(batch)
    assert column.level == "token" and column.values.tolist() == [0.5, 0.5, 1.5]


def test_what_one_part_misses_the_sum_misses():
    batch = Batch.from_steps(group=[0, 0], trajectory=[0, 1], reward=[1.0, 0.0])
    batch = batch.with_columns(closer=Column.of("step", [1.0, np.nan]))
    column = (OUTCOME + CLOSER)(batch)
    assert column.tolist() == [1.5, None] and column.values.tolist() == [1.5, 0.0]


def test_the_stage_puts_it_on_the_batch():
    batch = Batch.from_steps(group=[0, 0], trajectory=[0, 1], reward=[1.0, 0.0])
    assert assign(batch, OUTCOME)["advantage"].values.tolist() == [0.5, -0.5]
    assert "advantage" not in batch


def test_what_is_compared_and_needed_adds_up():
    local = centred(fact("closer"), by=("prompt", "state"))
    both = 2.0 * (local + centred(fact("closer"), by="role"))
    assert both.compares == {"group", "batch"} and both.needs == ("state", "role")
    assert CLOSER.compares == frozenset()


# Laws.


@given(ragged_batches(), st.floats(-3, 3), st.floats(-3, 3))
def test_the_parts_add_up_to_the_whole_bit_for_bit(batch, a, b):
    for credit in (a * OUTCOME + b * CLOSER, CLOSER + (OUTCOME + b * by_token("t")), a * (OUTCOME + CLOSER)):
        column = credit(batch)
        total = column.parts[0][1].values
        for _, part in column.parts[1:]:
            total = total + part.values
        assert total.tolist() == column.values.tolist()


@given(ragged_batches(), st.floats(-3, 3))
def test_scaling_scales(batch, a):
    both = OUTCOME + CLOSER
    assert (a * both)(batch).values == pytest.approx(a * both(batch).values)
    assert (both - both)(batch).values == pytest.approx(0)
    assert sum([OUTCOME, CLOSER])(batch).values.tolist() == both(batch).values.tolist()


@given(ragged_batches())
def test_what_is_unscored_is_zero_and_not_valid(batch):
    column = (OUTCOME + CLOSER)(batch)
    scored = batch.lift(batch["outcome"], "step").valid & batch["closer"].valid
    assert (column.valid == scored).all() and (column.values[~scored] == 0).all()


# Bad input.


def test_a_missing_column_is_named_with_who_needs_it():
    batch = Batch.from_steps(group=[0], trajectory=[0], reward=[1.0])
    with pytest.raises(ColumnError, match=r"centred\(reward by state\).*'state'"):
        centred(fact("reward"), by="state")(batch)


def test_a_credit_plus_a_number_is_no_credit():
    with pytest.raises(TypeError):
        OUTCOME + 1.0
