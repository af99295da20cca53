"""What a whole run says of parts that never moved and gates that never opened."""

import json

import pytest

from guerdon import Batch, Column, fact, gate
from guerdon.training.idle import idle, noticed


def batch(first, second, bonus=0.0):
    b = Batch.from_steps(group=[0, 0], trajectory=[0, 1], reward=[first, second])
    return b.with_columns(bonus=Column.of("trajectory", [bonus, bonus]))


REWARD = fact("outcome") + gate(fact("bonus"), when=fact("outcome"), above=0.5)


def said(*batches):
    """What is said of the batches, through JSON as the lines of a run are."""
    return idle([json.loads(json.dumps({"noticed": noticed(b, REWARD)})) for b in batches])


def test_a_gate_that_never_opened_and_what_is_behind_it_are_told_of():
    gates, part = sorted(said(batch(0.0, 0.5), batch(0.25, 0.0)))
    assert gates.startswith("gate 'outcome > 0.5' never opened in 4 items")
    assert part.startswith("term 'bonus' was 0 in all 4 items")


def test_one_batch_in_which_it_opens_is_enough():
    assert said(batch(0.0, 0.5), batch(1.0, 0.0, bonus=2.0)) == []


def test_a_gate_that_never_shut_guards_nothing():
    assert [s[:40] for s in said(batch(1.0, 0.75, bonus=1.0))][-1].startswith("gate 'outcome > 0.5' never shut")


@pytest.mark.parametrize("lines", [[], [{"iteration": 1}]])
def test_lines_of_an_older_run_say_nothing(lines):
    assert idle(lines) == []


def test_a_part_without_any_score_is_told_of():
    b = Batch.from_steps(group=[0], trajectory=[0], reward=[None])
    line = json.loads(json.dumps({"noticed": noticed(b, fact("outcome"))}))
    assert "never had a value" in idle([line])[0]
