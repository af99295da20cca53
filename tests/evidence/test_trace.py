"""Trace facts: accepted, rejected and unscored cases, and agreement with slow loops."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from guerdon.batch import Batch, Column
from guerdon.errors import ShapeError
from guerdon.evidence import invalid_share, observe, repeated, tokens, turns
from guerdon.evidence.trace import loop_share, looped, reads_as_error, tool_error, tool_errors
from strategies import ragged_batches

ALL = (turns, tokens, invalid_share, repeated)


def plays(**columns):
    """Steps a a b | a | a a, the third play failed; the first two share states."""
    batch = Batch.from_steps(
        group=[0] * 6, trajectory=[0, 0, 0, 1, 2, 2], reward=[0.0] * 6, state=[5, 5, 5, 5, 7, 8],
        action=["a", "a", "b", "a", "a", "a"], tokens_per_step=[1, 2, 3, 4, 1, 1],
    )  # fmt: skip
    return batch.with_columns(
        failed=Column.of("trajectory", np.array([False, False, True])),
        action_valid=Column.of("step", np.array([1, 0, 1, np.nan, 1, 1])),
        **columns,
    )


def test_by_hand():
    seen = observe(plays(), ALL)
    assert seen["turns"].tolist() == [3.0, 1.0, None]
    assert seen["tokens"].tolist() == [6.0, 4.0, None]
    assert seen["invalid_share"].tolist() == [1 / 3, None, None]
    # The second `a` of play 0 repeats; play 1 is another play; in play 2 the state differs.
    assert seen["repeated"].tolist() == [0.0, 1.0, 0.0, 0.0, 0.0, 0.0]


def test_repeated_reads_the_observation_where_there_is_no_state():
    batch = plays(observation=Column.of("step", ["x", "y", "x", "x", "z", "z"]))
    bare = Batch(batch.step_of_token, batch.trajectory_of_step, batch.group_of_trajectory,
                 {name: c for name, c in batch.columns.items() if name != "state"})  # fmt: skip
    assert observe(bare, [repeated])["repeated"].tolist() == [0.0, 0.0, 0.0, 0.0, 0.0, 1.0]


def test_a_step_whose_action_is_missing_is_unscored_and_no_twin():
    batch = plays(action=Column.of("step", ["a", None, "a", "a", None, None]))
    assert observe(batch, [repeated])["repeated"].tolist() == [0.0, None, 1.0, 0.0, None, None]
    numbers = plays(action=Column("step", np.zeros(6, int), np.array([False, True, True, True, True, True])))
    assert observe(numbers, [repeated])["repeated"].tolist() == [None, 0.0, 1.0, 0.0, 0.0, 0.0]


def test_without_its_columns_a_fact_is_unscored_and_says_so():
    bare = Batch(np.zeros(0, int), np.array([0, 0]), np.array([0]))
    seen = observe(bare, ALL)
    assert seen["turns"].tolist() == [2.0]
    for name in ("tokens", "invalid_share", "repeated"):
        assert not seen[name].valid.any()
        assert "no column" in seen[f"{name}/cause"].tolist()[0]


def test_a_play_recorded_without_tokens_is_unscored():
    sampled = Column.of("token", np.ones(2, bool))
    batch = Batch(np.array([0, 0]), np.array([0, 1]), np.array([0, 0]), {"sampled": sampled})
    assert observe(batch, [tokens])["tokens"].tolist() == [2.0, None]


@given(ragged_batches())
@settings(max_examples=40, deadline=None)
def test_facts_agree_with_loops_over_plays(batch):
    seen = observe(batch, ALL)
    owner, state, action = batch.trajectory_of_step, batch["state"].values, batch["action"].values
    for i in range(batch.size("trajectory")):
        mine = np.flatnonzero(owner == i)
        broke = batch["failed"].values[i]
        assert seen["turns"].tolist()[i] == (None if broke else len(mine))
        count = int(np.isin(batch.step_of_token, mine).sum())
        assert seen["tokens"].tolist()[i] == (None if broke else count)
        valid = batch["action_valid"]
        if broke or not valid.valid[mine].all():
            assert not seen["invalid_share"].valid[i]
        else:
            assert abs(seen["invalid_share"].values[i] - (valid.values[mine] == 0).mean()) < 1e-12
        done = set()
        for t in mine:
            assert seen["repeated"].values[t] == ((state[t], action[t]) in done)
            done.add((state[t], action[t]))


# Loops and tool errors.


def walked(places, owner=None):
    """A batch of steps whose place and action have one letter."""
    n = len(places)
    return Batch.from_steps(
        group=[0] * n,
        trajectory=owner or [0] * n,
        reward=[0.0] * n,
        state=[ord(p) for p in places],
        action=list(places),
    )


@pytest.mark.parametrize(
    ("places", "wanted"),
    [("abab", "0011"), ("aba", "000"), ("aaaa", "0111"), ("abcabcab", "00011111"), ("abcd", "0000"), ("a", "0"),
     ("xabab", "00011"), ("ababx", "00110"), ("aabb", "0101")],
)  # fmt: skip
def test_loops_by_hand(places, wanted):
    assert observe(walked(places), [looped()])["looped"].tolist() == [float(w) for w in wanted]


@given(st.lists(st.tuples(st.sampled_from("ab"), st.integers(0, 1)), min_size=1, max_size=12), st.integers(1, 4))
def test_a_step_is_looped_where_a_whole_period_comes_again(steps, longest):
    steps = sorted(steps, key=lambda s: s[1])
    places, owner = "".join(s[0] for s in steps), [s[1] for s in steps]
    slow = [0.0] * len(places)
    for p in range(1, longest + 1):
        for start in range(len(places) - 2 * p + 1):
            one, two = slice(start, start + p), slice(start + p, start + 2 * p)
            if places[one] == places[two] and len(set(owner[start : start + 2 * p])) == 1:
                slow[two] = [1.0] * p
    assert observe(walked(places, owner), [looped(longest=longest)])["looped"].tolist() == slow


def test_a_missing_action_breaks_a_loop_and_leaves_the_share_unscored():
    batch = walked("aaa").with_columns(action=Column.of("step", ["a", None, "a"]))
    seen = observe(batch, [looped(), loop_share()])
    assert seen["looped"].tolist() == [0.0, None, 0.0] and seen["loop_share"].tolist() == [None]
    assert observe(walked("abab"), [loop_share()])["loop_share"].tolist() == [0.5]
    with pytest.raises(ShapeError, match="at least one step"):
        looped(longest=0)


@pytest.mark.parametrize(
    "text",
    [
        "Error: x",
        " error",
        "Traceback (most recent call last):\n",
        '{"error": "x"}',
        '{"status": "failed"}',
        '{"success": false}',
    ],
)
def test_errors_are_read(text):
    assert reads_as_error(text)


@pytest.mark.parametrize(
    "text",
    ["", "no error", '{"error": null}', '{"ok": true}', "{" * 100_000, '{"status": ["error"]}', '{"success": 0}'],
)
def test_no_errors_are_read(text):
    assert not reads_as_error(text)


def test_errors_belong_to_the_step_that_caused_them():
    batch = plays(observation=Column.of("step", ["Error", "Error: a", "fine", "Error", "go", None]))
    seen = observe(batch, [tool_error(), tool_errors()])
    assert seen["tool_error"].tolist() == [1.0, 0.0, None, None, None, None]
    assert seen["tool_errors"].tolist() == [1.0, 0.0, None]
    lost = plays(observation=Column.of("step", ["x", None, "Error", "x", "x", "x"]))
    assert observe(lost, [tool_errors()])["tool_errors"].tolist() == [None, 0.0, None]
