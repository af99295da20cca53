"""Guerdon: a step is worth its surprise on the graph of all states that the batch visited.

Paper       ours.
Idea        The plays of a batch meet in states. Pool their futures there, and the value of every
            state follows by counting, without a network; where the state leaves out what
            decides, the plays themselves show it, and later surprises are let through.
Composes    pooled(reward, by=state); Clipped over tokens.

Symbols     V[t, s]  value of state s at time t: dynamic programming on counted ways, all plays pooled
            d[t]   = r[t] + V[t+1, s'] - V[t, s], the surprise
            A[t]   = d[t] + sum over k > t of c[t, k] d[k],   c from 0 (trust the state) to 1 (trust the play)

c is found by `credit.trust.trusted`: 1 after an action that was followed by more surprise
than chance allows, else a fade with the least estimated error. A step in a state met by one
play alone, or less than eight times, is measured from the last state that was well known; if there is none, from
the mean of its group. Where no state recurs the credit is so the return less the mean of the group.

Departures  None: there is nothing to depart from. What it costs and where it fails: docs/results.md.

Example (from state 0 one play goes on to win, the other stays and loses):
    >>> from guerdon.batch import Batch
    >>> steps = {"group": [0] * 4, "trajectory": [0, 0, 1, 1], "state": [0, 1, 0, 2], "action": [1, 1, 0, 0]}
    >>> batch = Batch.from_steps(**steps, reward=[0.0, 1.0, 0.0, 0.0])
    >>> RECIPE.credit(batch).values
    array([ 0.5,  0.5, -0.5, -0.5])
"""

from guerdon.credit import Credit, pooled, shuffled
from guerdon.credit.pooled import ENOUGH
from guerdon.credit.trust import DOUBT
from guerdon.recipes import grpo
from guerdon.recipes.base import Number, Recipe, with_control
from guerdon.rewards import fact

REWARD = fact("reward")


def credit(by: str = "state") -> Credit:
    """The advantage with another key of states."""
    return pooled(REWARD, by)


RECIPE = with_control(
    Recipe(
        name="guerdon",
        title="Guerdon",
        paper="ours",
        idea="Pool the futures of all plays that passed a state; a step is worth its surprise.",
        reward=REWARD,
        credit=credit(),
        objective=grpo.OBJECTIVE,
        numbers={
            "ENOUGH": Number(ENOUGH, "ours", "visits that make a state well known"),
            "DOUBT": Number(DOUBT, "ours", "plays before the pooled model is more than half trusted"),
            "CLIP": Number(grpo.CLIP, "code", "as in grpo"),
        },
        told="states",
        alone="a group of one is compared with other plays of the batch that passed its states",
        needs=("reward", "state"),
        baseline=grpo.RECIPE,
    ),
    "Guerdon with its credit shuffled over the steps of the group",
    shuffled(credit()),
)
