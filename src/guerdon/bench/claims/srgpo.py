"""SRGPO's random groups: an estimate of comparing with the whole batch, and nothing else."""

from __future__ import annotations

import numpy as np

from guerdon.batch import Column
from guerdon.bench.claims.base import Claim, Effort, Generator, Measured, Result, over_seeds
from guerdon.bench.labs import no_facts, on_every_step, single_steps
from guerdon.bench.sample import Player, cosine, estimate, to_batch
from guerdon.bench.world import World, train
from guerdon.bench.worlds import keydoor
from guerdon.credit import Everything, Key, Randomly, Std, centred, shuffled
from guerdon.environments import tabular
from guerdon.recipes import srgpo
from guerdon.rewards import fact

SHUFFLED = "whole batch, rewards shuffled"
SIZES, PAID, GROUPS = (4, srgpo.SIZE, 64), 0.1, 12
Array = np.ndarray


def steps_of(world: World, policy: Array, rng: Generator, groups: int):
    """Plays of the world, with a step reward for coming closer to the end."""
    plays = Player(world, policy).play(groups, rng)
    before, after = world.facts["progress"][plays.state], world.facts["progress"][plays.next_state]
    batch = to_batch(world, plays, False)
    return plays, batch.with_columns(
        process=Column.of("step", (after > before).astype(float)), **no_facts(plays, policy)
    )


def one(rng: Generator, effort: Effort, world: World, logits: Array) -> dict[str, float]:
    """Cosine of mean directions with the whole batch's, and how often a bucket is silent."""
    policy, found = tabular.softmax(logits)[np.asarray(world.key)], {}
    kinds: dict[str, Key | tuple] = {f"random groups of {k}": Randomly(k) for k in SIZES}
    kinds |= {"state in the prompt": ("prompt", "state"), "whole batch": Everything(), SHUFFLED: Everything()}
    total = {name: np.zeros(logits.shape) for name in kinds}
    size = dict.fromkeys(kinds, 0.0)
    for i in range(effort.of(150, least=10)):
        plays, batch = steps_of(world, policy, rng, GROUPS)
        for name, by in kinds.items():
            by = Randomly(by.size, seed=i) if isinstance(by, Randomly) else by
            process = shuffled(fact("process"), seed=i, across=True) if name == SHUFFLED else fact("process")
            credit = centred(process, by=by, scale=Std(srgpo.EPS))
            step = estimate(world, logits, plays, on_every_step(batch, credit))
            total[name] += step
            size[name] += float((step**2).sum())
    for name in kinds:
        if name != "whole batch":
            found[f"cosine to the whole batch, {name}"] = cosine(total[name], total["whole batch"])
            found[f"mean square of the estimate over the whole batch's, {name}"] = size[name] / size["whole batch"]
    return found | silent(rng, effort.of(40_000, least=8000))


def silent(rng: Generator, steps: int) -> dict[str, float]:
    """The share of steps in buckets that agree, less p^k + (1 - p)^k, largest over sizes."""
    reward = (rng.random(steps) < PAID).astype(float)
    batch, away = single_steps(np.zeros(steps, int), reward), []
    for k in SIZES:
        credit = centred(fact("reward"), by=Randomly(k, seed=int(rng.integers(2**31))))(batch).values
        away.append(abs((credit == 0).mean() - (PAID**k + (1 - PAID) ** k)))
    return {"largest distance of the silent share from p^k + (1 - p)^k": float(max(away))}


def run(seed: int, effort: Effort) -> Result:
    """Random groups of the paper's size against the state as key."""
    world = keydoor()
    logits = train(world, np.zeros((world.keys, world.actions)), 0.5)
    found = over_seeds(lambda rng: one(rng, effort, world, logits), seed, effort.seeds)
    figure: Measured = found.pop(f"cosine to the whole batch, random groups of {srgpo.SIZE}")
    control = found.pop(f"cosine to the whole batch, {SHUFFLED}")
    return Result(
        figure, control, figure.above(0.95), tuple(found.values()),
        f"Direction of the summed step term over many batches of keydoor. Holds if random groups of {srgpo.SIZE} "
        "have the direction of the whole batch (above 0.95), as we expect; the control has the step "
        "rewards on other steps. What the size of the groups changes is noise and how often a bucket is silent.",
    )  # fmt: skip


CLAIM = Claim(
    "srgpo", "random groups estimate the whole batch",
    "SeeNav-Agent: Enhancing Vision-Language Navigation with Visual Prompt and Step-Level Policy Optimization, "
    "arXiv:2512.02631",
    "A step reward that means the same everywhere can be compared in random groups of steps, which gives large "
    "groups without a key of states.",
    run,
)  # fmt: skip
