"""IGPO's invariance: whether paying gains of belief moves which plan is best."""

from __future__ import annotations

import numpy as np

from guerdon.batch import Batch, Column
from guerdon.bench.claims.base import Claim, Effort, Generator, Measured, Result, over_seeds
from guerdon.bench.labs import plays_of_length
from guerdon.credit import Credit, Turn, centred, to_go_of
from guerdon.environments import tabular
from guerdon.recipes import igpo

TASKS, PLANS, PLAYS, UPDATES = 48, 4, 16, 200
Array = np.ndarray


def one(rng: Generator, effort: Effort) -> dict[str, float]:
    """The share of tasks whose learned plan is not one of the best outcome, for each form of the reward.

    A plan is a number of turns, a belief at its end, and an outcome; the policy chooses among plans at its first turn.
    """
    turns = rng.integers(2, 9, size=(TASKS, PLANS))
    belief, outcome = rng.random((TASKS, PLANS)), rng.random((TASKS, PLANS))
    start, found = int(rng.integers(2**32)), {}
    for name, credit in forms().items():
        chosen = learned(np.random.default_rng(start), credit, turns, belief, outcome, effort.of(UPDATES, least=60))
        right = outcome[np.arange(TASKS), chosen] >= outcome.max(1) - 0.02
        found[f"moved, {name}"] = 1 - right.mean()
        found[f"turns above the best plan's, {name}"] = float(
            (turns[np.arange(TASKS), chosen] - turns[np.arange(TASKS), outcome.argmax(1)]).mean()
        )
    return found


def forms() -> dict[str, Credit]:
    """Rewards as published and closed, whose returns are compared turn by turn without a scale, and as z-scores."""

    def compared(rewards) -> Credit:
        return centred(to_go_of(rewards), by=("prompt", Turn()))

    return {
        "outcome alone": compared(igpo.OUTCOME), "published, returns compared": compared(igpo.published()),
        "closed, returns compared": compared(igpo.closed()), "published, z-scores": igpo.credit(igpo.published()),
        "closed, z-scores": igpo.credit(igpo.closed()),
    }  # fmt: skip


def learned(rng: Generator, credit: Credit, turns: Array, belief: Array, outcome: Array, updates: int) -> Array:
    """The plan that each task's policy prefers at the end; all tasks are learned in one batch."""
    logits = np.zeros((TASKS, PLANS))
    task = np.repeat(np.arange(TASKS), PLAYS)
    for _ in range(updates):
        policy = tabular.softmax(logits)
        plan = (rng.random((TASKS, PLAYS, 1)) > np.cumsum(policy, 1)[:, None, :-1]).sum(-1).ravel()
        advantage = credit(played(task, plan, turns, belief, outcome)).values
        first = np.append(0, np.cumsum(turns[task, plan])[:-1])
        taken = np.bincount(task * PLANS + plan, weights=advantage[first], minlength=TASKS * PLANS).reshape(
            TASKS, PLANS
        )
        logits += (taken - policy * taken.sum(1, keepdims=True)) / PLAYS
    return logits.argmax(1)


def played(task: Array, plan: Array, turns: Array, belief: Array, outcome: Array) -> Batch:
    """Plays of chosen plans: belief rises in equal parts from 0 to the plan's own before the answer turn."""
    length = turns[task, plan]
    group, play, place = plays_of_length(task, length)
    end = place == length[play] - 1
    batch = Batch.from_steps(group=group, trajectory=play, reward=np.where(end, outcome[task, plan][play], 0.0))
    slope = (belief[task, plan] / (length - 1))[play]
    return batch.with_columns(
        belief=Column.of("step", slope * place),
        next_belief=Column.of("step", slope * np.minimum(place + 1, length[play] - 1)),
    )


def audit(seed: int, effort: Effort) -> dict[str, Measured]:
    """All arms; shared by the two claims."""
    return over_seeds(lambda rng: one(rng, effort), seed, effort.seeds)


def run(seed: int, effort: Effort) -> Result:
    """Published against closed, both without z-scores."""
    found = audit(seed, effort)
    figure, control = found.pop("moved, published, returns compared"), found.pop("moved, closed, returns compared")
    closed = control.below(found["moved, outcome alone"]) or not control.above(found["moved, outcome alone"])
    return Result(
        figure, control, not figure.above(control), tuple(found.values()),
        "Share of tasks whose learned plan is not the one of the best outcome (within 0.02). The figure is the "
        "published reward, the control the same with the last belief taken off at the answer turn, which "
        f"{'moves no more than the outcome alone' if closed else 'moves more than the outcome alone'}. Holds if "
        "the published form moves no more than the closed one.",
    )  # fmt: skip


CLAIM = Claim(
    "igpo", "gains of belief as published",
    "Information Gain-based Policy Optimization: A Simple and Effective Approach for Multi-Turn LLM Agents",
    "Turn rewards that are differences of belief add signal and leave the goal where it is.",
    run,
)  # fmt: skip
