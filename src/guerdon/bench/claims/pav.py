"""PAV's prover ranking: on random trees, which prover's progress helps, and what predicts it."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import numpy as np

from guerdon.batch import Column
from guerdon.bench.claims.base import Claim, Effort, Generator, Result, over_seeds
from guerdon.bench.labs import Plain, learn, returns, spearman
from guerdon.bench.sample import Plays
from guerdon.bench.world import World
from guerdon.environments import tabular
from guerdon.environments.tabular import Tabular
from guerdon.recipes import pav, rloo

DEPTH, BRANCHES, WINNERS, BUDGET, BEST_OF = 5, 3, 8, 20_000, 4
Array = np.ndarray
Prover = Callable[[World, Array], Array]


def tree(rng: Generator) -> World:
    """A tree with a few winning leaves; what the policy prefers at the start is drawn elsewhere."""
    inner = (BRANCHES**DEPTH - 1) // (BRANCHES - 1)
    first_leaf = (BRANCHES ** (DEPTH - 1) - 1) // (BRANCHES - 1)
    child = np.arange(inner)[:, None] * BRANCHES + 1 + np.arange(BRANCHES)
    after = np.vstack([np.minimum(child, inner), np.full((1, BRANCHES), inner)])
    reward = np.zeros((inner + 1, BRANCHES))
    leaves = reward[first_leaf:inner].reshape(-1)
    leaves[rng.choice(len(leaves), WINNERS, replace=False)] = 1.0
    over = np.arange(inner + 1) == inner
    return World(after, reward, np.eye(inner + 1)[0], over, DEPTH, np.arange(inner + 1), "tree")


def best_next(world: World) -> Array:
    """The policy that always takes the way on which a win is left, as a table."""
    value = np.zeros(len(world.R))
    for _ in range(world.horizon):
        q = world.R + np.where(np.asarray(world.terminal)[world.P], 0.0, value[world.P])
        value = np.where(world.terminal, 0.0, q.max(1))
    q = world.R + np.where(np.asarray(world.terminal)[world.P], 0.0, value[world.P])
    best = (q >= q.max(1, keepdims=True) - 1e-12).astype(float)
    return best / best.sum(1, keepdims=True)


def value_of(model: Tabular, policy: Array) -> Array:
    """The chance of a win from each state; a state of a tree has one depth, so time does not enter."""
    return tabular.values(model, policy)[0].max(0)


def own(world: World, logits: Array) -> Array:
    """The policy is its own prover."""
    return value_of(world.model, tabular.softmax(logits))


def best_of(world: World, logits: Array, k: int = BEST_OF) -> Array:
    """The best of k plays of the policy."""
    return 1 - (1 - own(world, logits)) ** k


def given(world: World, logits: Array, policy: Array) -> Array:
    """A prover that does not change."""
    return value_of(world.model, policy)


def provers(rng: Generator, world: World) -> dict[str, Prover]:
    """The policies that progress is measured under; `another` knows the leaves of another tree."""
    other = best_next(tree(rng))
    weak = np.full(world.R.shape, 1 / BRANCHES)
    return {
        "itself": own, f"best of {BEST_OF}": best_of, "weak": partial(given, policy=weak),
        "optimal": partial(given, policy=best_next(world)), "misaligned": lambda w, x: value_of_another(w, other),
    }  # fmt: skip


def value_of_another(world: World, policy: Array) -> Array:
    """How sure another tree's optimal policy is to stay on its own way: 1 on it, 0 off it."""
    on = np.zeros(len(world.R))
    on[0] = 1.0
    for state in range(len(on) - 1):
        on[world.P[state]] = np.maximum(on[world.P[state]], on[state] * (policy[state] > 1 / BRANCHES))
    on[-1] = 0.0
    return on


def facts(plays: Plays, logits: Array, *, world: World, prover: Prover) -> dict[str, Column]:
    """The prover's value before and after each step; after the last step it is what was won."""
    value = prover(world, logits)
    after = np.where(plays.terminated, plays.reward, value[plays.next_state])
    return {"prover_value": Column.of("step", value[plays.state]), "next_prover_value": Column.of("step", after)}


def bound(world: World, logits: Array, prover: Prover) -> float:
    """E[Var over actions of A^mu] + E[A^mu A^pi] under the policy: the paper's two terms."""
    policy = tabular.softmax(logits)
    value = prover(world, logits)
    gain = np.where(np.asarray(world.terminal)[world.P], world.R, value[world.P]) - value[:, None]
    gain = gain - (policy * gain).sum(1, keepdims=True)
    seen = tabular.occupancy(world.model, policy).sum(0)
    ours = tabular.advantages(world.model, policy)
    ours = ours[np.abs(ours).sum(2).argmax(0), np.arange(len(value))]
    return float((seen[:, None] * policy * (gain**2 + gain * ours)).sum())


def one(rng: Generator, effort: Effort) -> dict[str, float]:
    """Mean return over a budget with each prover above that of plain credit, and how well the bound ranks them."""
    found: dict[str, list[float]] = {}
    for _ in range(effort.of(3)):
        world = tree(rng)
        logits = rng.normal(size=(world.keys, world.actions))
        start, plain = int(rng.integers(2**32)), 0.0
        gains, bounds, names = [], [], []
        runs = {"plain": ((1 + pav.ALPHA) * rloo.RECIPE.credit, own), "summed to go": (pav.to_go_form(), best_of)}
        runs |= {name: (pav.credit(), prover) for name, prover in provers(rng, world).items()}
        for name, (credit, prover) in runs.items():
            curve = learn(world, credit, np.random.default_rng(start), effort.of(BUDGET, least=4000),
                          facts=partial(facts, world=world, prover=prover), watch=returns(world), stepper=Plain(1.0),
                          logits=logits)  # fmt: skip
            if name == "plain":
                plain = float(curve.area())
                continue
            found.setdefault(f"gain over plain, {name}", []).append(float(curve.area()) - plain)
            if name != "summed to go":
                gains.append(float(curve.area()) - plain)
                bounds.append(bound(world, logits, prover))
                names.append(name)
        found.setdefault("rank correlation", []).append(spearman(np.array(bounds), np.array(gains)))
        found.setdefault("rank correlation, bounds shuffled", []).append(
            spearman(rng.permutation(bounds), np.array(gains))
        )
    return {name: float(np.mean(values)) for name, values in found.items()}


def run(seed: int, effort: Effort) -> Result:
    """The bound's ranking of five provers against the ranking by what they gained."""
    found = over_seeds(lambda rng: one(rng, effort), seed, effort.seeds)
    figure, control = found.pop("rank correlation"), found.pop("rank correlation, bounds shuffled")
    return Result(
        figure, control, figure.above(control) and figure.above(0.0), tuple(found.values()),
        f"Random trees of depth {DEPTH}, {BUDGET} steps each, alpha {pav.ALPHA:g}; a gain is the mean exact return "
        "over the budget above that of leave-one-out credit with a step (1 + alpha) times as large, which is what "
        "`summed to go` and the policy as its own prover should come down to. The control shuffles the bounds "
        "over the provers.",
    )  # fmt: skip


CLAIM = Claim(
    "pav", "the ranking of provers",
    "Rewarding Progress: Scaling Automated Process Verifiers for LLM Reasoning, arXiv:2410.08146",
    "A good prover tells the policy's actions apart and is not misaligned with it; these two terms predict which "
    "prover's progress speeds up learning, and the policy as its own prover adds nothing.",
    run,
)  # fmt: skip
