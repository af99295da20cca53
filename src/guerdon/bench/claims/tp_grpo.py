"""TP-GRPO's thoughts: what right steps of a success get, by thought and by step."""

from __future__ import annotations

import numpy as np

from guerdon import segments
from guerdon.batch import Batch, Column
from guerdon.bench.claims.base import Claim, Effort, Generator, Result, over_seeds
from guerdon.bench.labs import plays_of_length, spearman
from guerdon.recipes import grpo, tp_grpo

PLAYS, GROUPS = 8, 150
Array = np.ndarray


def solutions(rng: Generator, groups: int) -> tuple[Batch, Array]:
    """Plays of 6 to 20 steps in runs of right and wrong ones; a success ends right. A judge errs one time in twenty."""
    plays = groups * PLAYS
    length = rng.integers(6, 21, size=plays)
    group, play, place = plays_of_length(np.repeat(np.arange(groups), PLAYS), length)
    turns = rng.random(len(play)) < 0.3  # where a run of one kind ends
    wrong = (np.cumsum(turns) + play) % 2
    success = rng.random(plays) < np.repeat(rng.random(groups), PLAYS)
    end = place == length[play] - 1
    wrong = np.where(end, ~success[play], wrong).astype(float)
    heard = np.where(end, wrong, np.abs(wrong - (rng.random(len(wrong)) < 0.05)))
    batch = Batch.from_steps(group=group, trajectory=play, reward=np.where(end, success[play], 0.0))
    return batch.with_columns(wrong=Column.of("step", heard)), wrong


def one(rng: Generator, effort: Effort) -> dict[str, float]:
    """Shares of right steps in successes that are blamed, variances, and agreement with which steps were right."""
    batch, wrong = solutions(rng, effort.of(GROUPS, least=30))
    play = batch.trajectory_of_step
    success = batch["outcome"].values[play] > 0
    heard, found = batch["wrong"].values, {}
    rules = {"by thought": tp_grpo.credit(), "by step": tp_grpo.without_thoughts(), "outcome alone": grpo.CREDIT}
    outcome = grpo.CREDIT(batch).values
    for name, credit in rules.items():
        advantage = credit(batch).values
        speaks = success & (outcome > 0) & (heard == 0)
        found[f"share of right steps of successes blamed, {name}"] = float((advantage[speaks] < 0).mean())
        found[f"variance, {name}"] = float(advantage.var())
        found[f"rank correlation with right steps, {name}"] = spearman(advantage, 1 - wrong)
    share = segments.mean(batch["outcome"].values, batch.group_of_trajectory)[batch.group_of_trajectory][play]
    exact = np.where(success, outcome - tp_grpo.ALPHA * share * heard, outcome * heard)
    found["largest distance from r_o, r_o - r_c, r_o and 0"] = float(
        np.abs(tp_grpo.credit()(batch).values - exact).max()
    )
    return found


def run(seed: int, effort: Effort) -> Result:
    """By thought against by step."""
    found = over_seeds(lambda rng: one(rng, effort), seed, effort.seeds)
    figure, control = (
        found.pop(f"share of right steps of successes blamed, {name}") for name in ("by thought", "by step")
    )
    exact = max(found["largest distance from r_o, r_o - r_c, r_o and 0"].values) < 1e-9
    return Result(
        figure, control, exact and figure.below(control), tuple(found.values()),
        "Share of the right steps of successes, in groups that disagree, whose credit is below 0. Holds if the "
        "credit takes its four exact values and blames fewer of them than the sum over steps.",
    )  # fmt: skip


CLAIM = Claim(
    "tp-grpo", "a reward per thought, not per step",
    "Good Learners Think Their Thinking: Generative PRM Makes Large Reasoning Model More Efficient Math Learner",
    "With one reward for each run of steps of one label the sums to go keep what was right at the outcome's own "
    "credit; paid per step, right steps before a long wrong run are blamed.",
    run,
)  # fmt: skip
