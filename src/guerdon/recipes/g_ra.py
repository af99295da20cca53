"""G-RA: step rewards count only for a play whose outcome has cleared a gate.

Paper       Stabilizing Long-term Multi-turn Reinforcement Learning with Gated Rewards.
Idea        Rewards have an order of priority; a lower one is not paid until the higher one is
            earned, so busy work cannot replace the task.
Composes    centred(tiers(final progress) + gate(total(step rewards), when=tiers, above=DELTA)).

Symbols     R = R_o + 1[R_o > DELTA] * sum over t of r_step[t]
            R_o      a ladder: nothing done, something, at least half, solved
            r_step   VALID for an action that means something, MILESTONE for a milestone completed

Departures  The ladder and the step rewards are ours, in place of the paper's for software
            repair (no submission, empty patch, failing patch, passing patch); DELTA opens the gate
            one rung below the top, as there. The comparison is GRPO's.
Control     The sum without the gate: the paper's own baseline, D-RA.

Example (at half of the milestones the gate opens; below it, valid actions earn nothing):
    >>> import numpy as np
    >>> from guerdon.batch import Batch, Column
    >>> batch = Batch.from_steps(group=[0] * 4, trajectory=[0, 0, 1, 1], reward=np.zeros(4))
    >>> facts = {"progress": [0, 0.5, 0, 0.25], "milestone": [0, 1, 0, 1], "action_valid": [1, 1, 1, 1]}
    >>> batch = batch.with_columns(**{k: Column.of("step", np.array(v, float)) for k, v in facts.items()})
    >>> RECIPE.reward(batch).values, RECIPE.control.reward(batch).values
    (array([0.36, 0.1 ]), array([0.36, 0.16]))
"""

from guerdon.credit import Std, centred
from guerdon.recipes import grpo
from guerdon.recipes.base import Number, Recipe, with_control
from guerdon.rewards import Term, fact, final, gate, tiers, total

SOME, HALF, SOLVED = 0.1, 0.3, 1.0  # ours: worth of the rungs above nothing
DELTA = 0.1  # ours: opens at the rung "at least half"
VALID = 0.005  # ours: a play of 40 valid actions earns the gap between two lower rungs
MILESTONE = 0.05  # ours

LADDER = tiers(final(fact("progress")), at=(1e-9, 0.5, 1.0), values=(0.0, SOME, HALF, SOLVED)).named("ladder")
STEPS = total((VALID * fact("action_valid")) + (MILESTONE * fact("milestone")))


def reward(delta: float = DELTA) -> Term:
    """The gated return with another threshold."""
    return LADDER + gate(STEPS, when=LADDER, above=delta)


RECIPE = with_control(
    Recipe(
        name="g-ra",
        title="G-RA",
        paper="Stabilizing Long-term Multi-turn Reinforcement Learning with Gated Rewards",
        idea="Step rewards count only for a play whose outcome has cleared a gate.",
        reward=reward(),
        credit=centred(reward(), scale=Std(grpo.EPS)),
        objective=grpo.OBJECTIVE,
        numbers={
            "SOME": Number(SOME, "ours", "worth of some progress"),
            "HALF": Number(HALF, "ours", "worth of half of the milestones or more"),
            "SOLVED": Number(SOLVED, "ours", "worth of a solved task"),
            "DELTA": Number(DELTA, "ours", "opens at the rung of half"),
            "VALID": Number(VALID, "ours", "a valid action"),
            "MILESTONE": Number(MILESTONE, "ours", "a milestone completed"),
            "EPS": Number(grpo.EPS, "code", "as in grpo"),
            "CLIP": Number(grpo.CLIP, "code", "as in grpo"),
        },
        told="milestones",
        needs=("progress", "milestone", "action_valid"),
        baseline=grpo.RECIPE,
    ),
    "D-RA: the same rewards summed without the gate",
    centred(LADDER + STEPS, scale=Std(grpo.EPS)),
    reward=LADDER + STEPS,
)
