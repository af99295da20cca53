"""GUI-Cursor: where the cursor ended, less four penalties for how it went there.

Paper       Learning GUI Grounding with Spatial Reasoning from Visual Feedback. 2025.
Idea        A shaped distance alone teaches to stop at the first guess; tests of the whole path take the ways of
            going wrong off.
Composes    centred(otherwise(1 - distance, 1 + (1 - centre_distance)^2, when=outside) - PENALTY * (false_stop + left
            + receded + repeated) + format_score, scale=Std(EPS)).

Symbols     d_edge     distance to the target, 0 inside;   d_centre   distance to its middle, over the largest inside
            r_p = 1 + (1 - d_centre)^2 inside, 1 - d_edge outside
            false stop: stopped outside;  left (false move): was inside, ended outside;  receded (false direction):
            ended further off than the first position;  repeated: one position at two steps
            R = r_p - PENALTY * (the four, each 0 or 1) + format

A near miss is paid almost as much as the border, so the step there is small.

Departures  PENALTY was not found. Groups all right or all wrong are not left out.

Example (stops in the middle; stops a quarter off, where it began):
    >>> from guerdon.batch import Batch, Column
    >>> batch = Batch.from_steps(group=[0] * 3, trajectory=[0, 0, 1], reward=[0.0] * 3, state=[0, 1, 0])
    >>> path = {"distance": [0.5, 0.0, 0.25], "centre_distance": [1.0, 0.0, 1.0], "stopped": [0.0, 1.0, 1.0]}
    >>> batch = batch.with_columns(**{k: Column.of("step", v) for k, v in path.items()})
    >>> batch = batch.with_columns(format_score=Column.of("trajectory", [0.0, 0.0]))
    >>> RECIPE.reward(batch).values
    array([2.  , 0.25])
"""

from guerdon.credit import Credit, Std, centred, shuffled
from guerdon.recipes import grpo
from guerdon.recipes.base import Number, Recipe, with_control
from guerdon.rewards import Term, affine, fact, final, otherwise
from guerdon.rewards.paths import false_stop, left, receded, repeated
from guerdon.rewards.shaping import product

PENALTY = 0.5  # ours: not found

DISTANCE, STOPPED = fact("distance"), fact("stopped")
END = final(DISTANCE)
TO_CENTRE = affine(final(fact("centre_distance")), scale=-1.0, offset=1.0)
PLACE = otherwise(
    affine(END, scale=-1.0, offset=1.0), affine(product(TO_CENTRE, TO_CENTRE), offset=1.0), when=END
).named("place")
FAULTS = false_stop(STOPPED, DISTANCE) + left(DISTANCE) + receded(DISTANCE) + repeated("state")


def reward(faults: Term = FAULTS, penalty: float = PENALTY) -> Term:
    """The worth of a play under other tests of its path."""
    return PLACE - penalty * faults + fact("format_score")


def credit(worth: Term) -> Credit:
    """The advantage of a worth."""
    return centred(worth, scale=Std(grpo.EPS))


RECIPE = with_control(
    Recipe(
        name="gui-cursor",
        title="GUI-Cursor",
        paper="Learning GUI Grounding with Spatial Reasoning from Visual Feedback, 2025",
        idea="Reward where the cursor ended, less penalties for how it went there.",
        reward=reward(),
        credit=credit(reward()),
        objective=grpo.OBJECTIVE,
        numbers={
            "PENALTY": Number(PENALTY, "ours", "not found"),
            "EPS": Number(grpo.EPS, "code", "as in grpo"),
            "CLIP": Number(grpo.CLIP, "code", "as in grpo"),
        },
        told="states",
        alone="a group that agrees on where it ended is told apart by its paths; a group of one gets zero",
        needs=("distance", "centre_distance", "stopped", "state", "format_score"),
        baseline=grpo.RECIPE,
    ),
    "GUI-Cursor with the penalties shuffled over the plays of the group",
    credit(reward(shuffled(FAULTS))),
    reward=reward(shuffled(FAULTS)),
)
