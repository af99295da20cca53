"""CodeV (TAPO): a tool is paid for what its output shows, as a judge sees it who reads nothing else.

Paper       CodeV: Code with Images for Faithful Visual Reasoning via Tool-Aware Policy Optimization.
Idea        Right answers with tools that showed nothing are luck; a judge of question and tool output alone cannot
            be talked round by the reasoning.
Composes    centred(outcome + TOOL * otherwise(mean_where(tool_score), mean_where(min(tool_score, 0)), when=needs_tool),
            scale=Std(EPS)).

Symbols     s[t] in [-1, 1]   the judge's score of the output of tool step t: above 0 where it holds what the question
                              asks for, below 0 for abuse
            R = outcome + TOOL * mean of s over tool steps
            tasks that need no tool: only what is below 0 counts, so that calls for their own sake earn nothing

A mean lets safe calls pad, and one good call be diluted.

Departures  TOOL was not found.

Example (a useful call, a useful one where none is needed, an abuse there):
    >>> from guerdon.batch import Batch, Column
    >>> batch = Batch.from_steps(group=[0, 1, 1], trajectory=[0, 1, 2], reward=[1.0, 1.0, 1.0])
    >>> steps = {"tool_used": [1.0, 1.0, 1.0], "tool_score": [1.0, 1.0, -1.0]}
    >>> batch = batch.with_columns(**{k: Column.of("step", v) for k, v in steps.items()})
    >>> RECIPE.reward(batch.with_columns(needs_tool=Column.of("group", [1.0, 0.0]))).values
    array([1.5, 1. , 0.5])
"""

from guerdon.credit import Credit, Std, centred, shuffled
from guerdon.recipes import grpo
from guerdon.recipes.base import Number, Recipe, with_control
from guerdon.rewards import Term, clip, fact, otherwise
from guerdon.rewards.actions import mean_where

TOOL = 0.5  # ours: not found

SCORE, USED = fact("tool_score"), fact("tool_used")


def reward(tool: float = TOOL, score: Term = SCORE) -> Term:
    """The worth of a play under another weight of its tools, or another judge."""
    faithful = otherwise(
        mean_where(score, USED), mean_where(clip(score, high=0.0), USED), when=fact("needs_tool")
    ).named("faithful")
    return fact("outcome") + tool * faithful


def credit(worth: Term) -> Credit:
    """The advantage of a worth."""
    return centred(worth, scale=Std(grpo.EPS))


RECIPE = with_control(
    Recipe(
        name="codev-tapo",
        title="CodeV, TAPO",
        paper="CodeV: Code with Images for Faithful Visual Reasoning via Tool-Aware Policy Optimization",
        idea="Reward each tool call for what its output shows.",
        reward=reward(),
        credit=credit(reward()),
        objective=grpo.OBJECTIVE,
        numbers={
            "TOOL": Number(TOOL, "ours", "not found"),
            "EPS": Number(grpo.EPS, "code", "as in grpo"),
            "CLIP": Number(grpo.CLIP, "code", "as in grpo"),
        },
        told="step scores",
        needs=("outcome", "tool_used", "tool_score", "needs_tool"),
        baseline=grpo.RECIPE,
    ),
    "CodeV with the judge's scores shuffled over the tool steps of the group",
    credit(reward(score=shuffled(SCORE))),
    reward=reward(score=shuffled(SCORE)),
)
