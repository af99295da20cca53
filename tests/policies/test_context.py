"""Contexts: what is read next."""

import pytest

from guerdon.policies import LastState, WholeHistory
from guerdon.policies.context import Turn


@pytest.mark.parametrize(
    ("memory", "done", "text"),
    [
        (0, [], "door"),
        (0, ["a", "b"], "door"),
        (1, [], "door"),
        (1, ["a", "b"], "b ; door"),
        (2, ["a"], "a ; door"),
        (2, ["a", "b", "c"], "b ; c ; door"),
    ],
)
def test_the_last_state_reads_the_last_actions_and_the_observation(memory, done, text):
    assert LastState(memory).turn("door", done) == Turn(text, carry=False)


def test_a_whole_history_reads_what_is_new_on_top():
    assert WholeHistory().turn("door", []) == Turn("door", carry=False)
    assert WholeHistory().turn("door", ["a", "b"]) == Turn("door", carry=True)
