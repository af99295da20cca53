"""What a policy had read and said at each turn: from recorded tokens, and told anew from text."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from guerdon.batch import Batch
from guerdon.errors import ShapeError
from guerdon.evidence.likelihoods import Retold, Sampled
from guerdon.policies import LastState, WholeHistory
from guerdon.records import Step, Task, Trajectory
from likely import fresh, played, tokens, words
from tiny import random_batch

TURNS = [("ask", "hm 1"), ("so", "so 3")]


def texts(batch, policy):
    """The batch as one that was recorded without tokens."""
    columns = {n: c for n, c in batch.columns.items() if c.level != "token"}
    return replace(batch, columns=columns, step_of_token=np.zeros(0, np.int64))


# Laws.


@given(st.integers(0, 2**32 - 1), st.booleans())
def test_an_action_ends_the_model_input_that_it_was_read_in(seed, whole):
    batch = random_batch(np.random.default_rng(seed), whole)
    turns = [turn for play in Sampled().turns(batch, None) for turn in play]
    ids, sampled = batch["token_id"].values, np.asarray(batch["sampled"].values, bool)
    sequence = batch["sequence"].values
    for step, turn in enumerate(turns):
        end = np.flatnonzero(batch.step_of_token == step)[-1] + 1
        same = sequence[batch.step_of_token[:end]] == sequence[step]
        before = np.flatnonzero(same & (batch.trajectory_of_step[batch.step_of_token[:end]]
                                        == batch.trajectory_of_step[step]))  # fmt: skip
        assert np.concatenate((turn.read, turn.said)).tolist() == ids[before].tolist()
        assert turn.wrote.tolist() == sampled[before][: len(turn.read)].tolist()
        assert len(turn.said) == (sampled & (batch.step_of_token == step)).sum()


@pytest.mark.parametrize("context", [LastState(), LastState(memory=1), WholeHistory()])
def test_told_anew_are_the_very_tokens_where_the_policy_would_have_read_them_so(context):
    policy = fresh(context=context)
    play, steps = policy.play(), []
    for seen, said in TURNS:
        act = play.follow(0, seen, said)
        steps.append(Step(seen, said, tokens=act.tokens, logprobs=act.logprobs, sequence=act.sequence))
    batch = Batch.of([Trajectory(0, steps=tuple(steps))])
    (one,), (other,) = Sampled().turns(batch, policy), Retold().turns(texts(batch, policy), policy)
    for a, b in zip(one, other, strict=True):
        assert (a.read.tolist(), a.wrote.tolist(), a.said.tolist()) == (
            b.read.tolist(), b.wrote.tolist(), b.said.tolist(),
        )  # fmt: skip


# Worked examples.


def test_a_whole_history_grows_and_a_last_state_does_not():
    policy = fresh()
    (grown,) = Sampled().turns(played(policy, ("3", TURNS), whole=True), policy)
    (alone,) = Sampled().turns(played(policy, ("3", TURNS)), policy)
    assert grown[1].read.tolist() == [*tokens(policy, *TURNS[0]), *policy.format.read("so", False)]
    assert grown[1].wrote.tolist() == [False, False, True, True, True, False, False]
    assert alone[1].read.tolist() == [*policy.format.read("so", True)]
    assert grown[1].said.tolist() == alone[1].said.tolist() == words(policy, "so 3 <end>")


def test_a_play_without_steps_has_no_turns():
    batch = played(fresh(), ("3", []), ("3", TURNS))
    assert [len(play) for play in Sampled().turns(batch, None)] == [0, 2]
    assert [len(play) for play in Retold().turns(batch, fresh())] == [0, 2]


def test_a_prompt_is_read_where_the_first_observation_is_empty():
    policy = fresh()
    task = Task("ask 3", reference="3")
    batch = Batch.of([Trajectory(0, task, (Step("", "so 3"),)), Trajectory(0, task, (Step("ask", "so 3"),))])
    one, other = Retold().turns(batch, policy)
    assert one[0].read.tolist() == [*policy.format.read("ask 3", True)]
    assert other[0].read.tolist() == [*policy.format.read("ask", True)]


# What cannot be read.


def test_a_play_that_is_too_long_has_a_cause_and_the_next_one_is_read():
    policy = fresh()
    batch = played(policy, ("3", [("ask " * 70, "so 3")]), ("3", TURNS))
    long, fine = Retold().turns(texts(batch, policy), policy)
    assert "has 71 tokens and the model reads 64" in long and len(fine) == 2


def test_what_is_not_recorded_has_a_cause():
    batch = played(fresh(), ("3", TURNS))
    for name, cause in (("observation", "the observation is missing"), ("action", "action is missing")):
        column = batch[name]
        gap = batch.with_columns(**{name: type(column).of("step", [None, "so"])})
        assert Retold().turns(gap, fresh()) == [cause]


@pytest.mark.bad_input
def test_tokens_read_after_sampled_ones_in_a_step_are_refused():
    batch = played(fresh(), ("3", TURNS))
    sampled = batch["sampled"].values.copy()
    sampled[np.flatnonzero(batch.step_of_token == 0)[-1]] = False
    with pytest.raises(ShapeError, match="begin a new step"):
        Sampled().turns(batch.with_columns(sampled=replace(batch["sampled"], values=sampled)), None)
