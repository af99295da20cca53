"""EMPG's modulation: a chain of decisions, half of which decide nothing and stay unsure."""

from __future__ import annotations

import numpy as np

from guerdon.batch import Column
from guerdon.bench.claims.base import Claim, Effort, Generator, Result, over_seeds
from guerdon.bench.labs import Plain, learn, reaches
from guerdon.bench.sample import Player, Plays, estimate, to_batch
from guerdon.bench.world import World
from guerdon.environments import tabular
from guerdon.recipes import empg, grpo

DECISIONS, ACTIONS, BUDGET, SURE = 12, 4, 80_000, 1.6
Array = np.ndarray
WON, LOST = 2 * DECISIONS, 2 * DECISIONS + 1
RULES = {
    "grpo": grpo.RECIPE.credit, "empg": empg.RECIPE.credit, "entropies shuffled": empg.RECIPE.control.credit,
    "scaling alone": empg.credit(zeta=0.0), "bonus alone": empg.credit(k=0.0),
}  # fmt: skip


def chain() -> World:
    """Decisions in a row; every second one has one right action, the others have none. The policy sees the place."""
    states = 2 * DECISIONS + 2  # place and whether all was right so far; won and lost
    after, reward = np.zeros((states, ACTIONS), int), np.zeros((states, ACTIONS))
    for place in range(DECISIONS):
        for right in (0, 1):
            for action in range(ACTIONS):
                fine = right and (place % 2 == 1 or action == 0)
                last = place + 1 == DECISIONS
                after[2 * place + right, action] = (WON if fine else LOST) if last else 2 * (place + 1) + int(fine)
                reward[2 * place + right, action] = float(last and fine)
    after[[WON, LOST]] = [[WON] * ACTIONS, [LOST] * ACTIONS]
    key = np.append(np.repeat(np.arange(DECISIONS), 2), [DECISIONS, DECISIONS])
    return World(after, reward, np.eye(states)[1], np.arange(states) >= WON, DECISIONS, key, "decisions")


def beginner() -> Array:
    """A policy that is fairly sure where it matters, and unsure where it does not."""
    logits = np.zeros((DECISIONS + 1, ACTIONS))
    logits[0:DECISIONS:2, 0] = SURE
    return logits


def facts(plays: Plays, logits: Array) -> dict[str, Column]:
    """The entropy of each step's one token."""
    policy = tabular.softmax(logits)
    entropy = -(policy * np.log(np.maximum(policy, 1e-300))).sum(1)
    return {"entropy": Column.of("token", entropy[np.minimum(plays.time, DECISIONS)])}


def relative_variance(world: World, name: str, rng: Generator, estimates: int) -> float:
    """Variance of a batch's gradient over its squared mean, at the start."""
    logits = beginner()
    player, found = Player(world, tabular.softmax(logits)[np.asarray(world.key)]), []
    for _ in range(estimates):
        plays = player.play(8, rng)
        batch = to_batch(world, plays, False).with_columns(**facts(plays, logits))
        found.append(estimate(world, logits, plays, RULES[name](batch).filled(0.0)))
    g = np.array(found)
    return float(g.var(0, ddof=1).sum() / (g.mean(0) ** 2).sum())


def one(rng: Generator, effort: Effort) -> dict[str, float]:
    """Mean success over the budget, and at its end, for each rule."""
    world, found, start = chain(), {}, int(rng.integers(2**32))
    for name, credit in RULES.items():
        curve = learn(world, credit, np.random.default_rng(start), effort.of(BUDGET), facts=facts,
                      watch=reaches(world, WON), stepper=Plain(0.5), logits=beginner())  # fmt: skip
        found[f"mean success, {name}"] = curve.area()[0]
        reached = np.flatnonzero(curve.score[:, 0] >= 0.9)
        found[f"steps to 90 %, {name}"] = float(curve.steps[reached[0]] if len(reached) else curve.steps[-1])
    for name in ("grpo", "empg"):
        own = np.random.default_rng(start)
        found[f"variance / squared mean, {name}"] = relative_variance(world, name, own, effort.of(200, least=20))
    return found


def run(seed: int, effort: Effort) -> Result:
    """Against GRPO; the shuffled entropies are a row."""
    found = over_seeds(lambda rng: one(rng, effort), seed, effort.seeds)
    figure, control = found.pop("mean success, empg"), found.pop("mean success, grpo")
    return Result(
        figure, control, figure.above(control) and figure.above(found["mean success, entropies shuffled"]),
        tuple(found.values()),
        f"{DECISIONS} decisions, {BUDGET} steps each; a budget that did not reach 90 % counts whole. Holds if the mean "
        "success over the budget is above GRPO's and above that with shuffled entropies.",
    )  # fmt: skip


CLAIM = Claim(
    "empg", "modulation by entropy",
    "Harnessing Uncertainty: Entropy-Modulated Policy Gradients for Long-Horizon LLM Agents",
    "Sure steps made larger, unsure ones smaller, and a bonus for clear next steps: learns faster than GRPO on "
    "long plays in which many steps are unsure.",
    run,
)  # fmt: skip
